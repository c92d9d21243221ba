"""Writing a container's log: docker's json-file format, rotated and, where asked, compressed.

One line of output is one object: {"log": "text\\n", "stream": "stdout", "time": "…"}, with "attrs" where the log's options name
some. Output is cut at line ends; what has none after
16 KiB is a record without one. A whole slice of output is escaped at once, as bytes: 5 ms of CPU for a megabyte of text where JSON's own
encoder takes 30. Slices bound the memory: a record has 80 bytes beside its text, and text may be nothing but line ends.
"""

from __future__ import annotations

import os
import time

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.log_options import LogOptions

LONGEST = 16384
# stands for a line end while a chunk is escaped as a whole; decoding with "replace" never makes a lone surrogate
MARK = "\ud800"
STREAMS = {1: "stdout", 2: "stderr"}
# how much output is escaped at once
SLICE = 1 << 16
# control characters but for the line end are what is left of bytes without these; up to FEW kinds of them are replaced one by one
NO_CONTROLS = bytes((10, *range(32, 256)))
FEW = 4


def timestamp() -> str:
    """The present time as the log writes it: RFC 3339 in UTC with nanoseconds, trailing zeros cut as Go does."""
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    fraction = f"{rest:09d}".rstrip("0")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + (f".{fraction}Z" if fraction else "Z")


def record_tail(stream: str, attributes: dict[str, str], when: str) -> bytes:
    """Return what follows the text in a record."""
    extra = f',"attrs":{files.dumps(attributes)}' if attributes else ""
    return f',"stream":"{stream}"{extra},"time":"{when}"}}\n'.encode("utf-8", "surrogateescape")


def escaped(data: bytes) -> bytes:
    """Return `data` as it stands in a JSON string, but for line ends, which stay. What is no UTF-8 becomes U+FFFD, as docker does."""
    controls = set(data.translate(None, NO_CONTROLS))
    if len(controls) > FEW:
        text = files.dumps(data.decode("utf-8", "replace").replace("\n", MARK))
        return text[1:-1].replace(MARK, "\n").encode()
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("utf-8", "replace").encode()
    data = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    for control in controls:
        data = data.replace(bytes((control,)), files.dumps(chr(control))[1:-1].encode())
    return data


def encode_lines(data: bytes, tail: bytes) -> bytes:
    """Return the records of whole lines (`data` ends with a line end)."""
    lines = escaped(data[:-1]).replace(b"\n", b'\\n"' + tail + b'{"log":"')
    return b"".join((b'{"log":"', lines, b'\\n"', tail))


def encode_part(data: bytes, tail: bytes) -> bytes:
    """Return the record of a line that has not ended."""
    return b"".join((b'{"log":"', escaped(data), b'"', tail))


class LogWriter:
    """Appends a container's output to its log file. A full disk loses log lines, never the container."""

    __slots__ = ("_descriptor", "_options", "_path", "_pending", "_size")

    def __init__(self, path: str, options: LogOptions) -> None:
        self._path = path
        self._options = options
        self._pending = {1: b"", 2: b""}
        self._descriptor = -1
        self._size = 0
        if options.driver != "none":
            self._open()

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, stream: int, data: bytes) -> None:
        """Log `data`; what follows the last line end waits for its own."""
        if self._descriptor < 0:
            return
        tail = record_tail(STREAMS[stream], self._options.attributes, timestamp())
        for start in range(0, len(data), SLICE):
            self._log(stream, data[start : start + SLICE], tail)

    def _log(self, stream: int, data: bytes, tail: bytes) -> None:
        """Log a slice of output."""
        held = self._pending[stream]
        if held:
            data = held + data
        end = data.rfind(b"\n") + 1
        records = [encode_lines(data[:end], tail)] if end else []
        while len(data) - end >= LONGEST:
            part = data[end : end + LONGEST]
            part = part[: whole_characters(part, LONGEST)]
            records.append(encode_part(part, tail))
            end += len(part)
        self._pending[stream] = data[end:]
        if records:
            self._append(b"".join(records))

    def flush(self) -> None:
        """Log what waits for its line end: the process has ended."""
        for stream, held in self._pending.items():
            if held and self._descriptor >= 0:
                tail = record_tail(STREAMS[stream], self._options.attributes, timestamp())
                self._append(encode_part(held, tail))
            self._pending[stream] = b""

    def _append(self, records: bytes) -> None:
        limit = self._options.max_size
        try:
            if not limit or self._size + len(records) <= limit:
                self._put(records)
                return
            for record in records.splitlines(keepends=True):
                if self._size and self._size + len(record) > limit:
                    self._rotate()
                self._put(record)
        except OSError:
            self._cut()

    def _cut(self) -> None:
        """Take away the part of a record that a full disk left, so that the next one begins a line."""
        try:
            if self._descriptor < 0:
                self._open()
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            return

    def _put(self, records: bytes) -> None:
        view = memoryview(records)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._size += len(records)

    def _rotate(self) -> None:
        """Make PATH PATH.1, PATH.1 PATH.2 … and begin anew; with one file kept, empty it."""
        count, suffix = self._options.max_file, ".gz" if self._options.compress else ""
        os.close(self._descriptor)
        self._descriptor, self._size = -1, 0
        if count == 1:
            os.truncate(self._path, 0)
        else:
            for index in range(count - 1, 1, -1):
                rename_existing(f"{self._path}.{index - 1}{suffix}", f"{self._path}.{index}{suffix}")
            rename_existing(self._path, f"{self._path}.1")
            if suffix:
                compress_file(f"{self._path}.1")
        self._open()


def whole_characters(data: bytes, limit: int) -> int:
    """Return how many of the first `limit` bytes are whole UTF-8 characters."""
    for back in range(1, 4):
        byte = data[limit - back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        return limit if needed <= back else limit - back
    return limit


def rename_existing(source: str, target: str) -> None:
    """Rename a file, if it is there."""
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return


def compress_file(path: str) -> None:
    """Replace `path` by `path`.gz."""
    import gzip

    with open(path, "rb") as plain, gzip.open(f"{path}.gz.tmp", "wb", compresslevel=1) as packed:
        while chunk := plain.read(1 << 20):
            packed.write(chunk)
    os.rename(f"{path}.gz.tmp", f"{path}.gz")
    os.unlink(path)
