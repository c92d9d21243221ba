"""Writing a container's log: docker's json-file format, byte for byte, rotated and, where asked, compressed.

One line of output is one object: {"log": "text\\n", "stream": "stdout", "time": "…"}, with "attrs" where the log's options name
some. Output is cut at line ends; a line of 16 KiB and more is cut after every 16 KiB, be it within a character, and all its records have the
time of the first. A whole slice of output is escaped at once, as bytes, by a few passes in C: 4 ms of CPU for a megabyte of text, 50 for
one of random bytes. Slices bound the memory: a record has 80 bytes beside its text, and text may be nothing but line ends.
"""

from __future__ import annotations

import os
import time

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.log_options import LogOptions

LONGEST = 16384
STREAMS = {1: "stdout", 2: "stderr"}
# how much output is escaped at once
SLICE = 1 << 16
# how ASCII characters are escaped, but for the backslash and the line end
ESCAPES = {
    **{bytes((code,)): b"\\u%04x" % code for code in (*range(10), *range(11, 32), *b"<>&")},
    b"\r": b"\\r",
    b'"': b'\\"',
}
PLAIN = bytes(code for code in range(256) if bytes((code,)) not in ESCAPES)
BAD = b"\\ufffd"
# separators that JavaScript takes for line ends
SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


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
    """Return `data` as docker writes it in a JSON string, each byte that is no UTF-8 as U+FFFD, but for line ends, which stay."""
    data = data.replace(b"\\", b"\\\\")
    if data.isascii():
        return escape_ascii(data)
    for separator, escape in SEPARATORS:
        data = data.replace(separator, escape)
    try:
        data.decode()
    except UnicodeDecodeError:
        # what is no UTF-8 becomes surrogates, and these question marks, while \0 stands for the question mark
        data = data.replace(b"\0", ESCAPES[b"\0"]).replace(b"?", b"\0")
        marked = data.decode("utf-8", "surrogateescape").encode("utf-8", "replace")
        # the marks last, for they make the data longer
        return escape_ascii(marked, b"\0").replace(b"?", BAD).replace(b"\0", b"?")
    return escape_ascii(data)


def escape_ascii(data: bytes, kept: bytes = b"") -> bytes:
    """Return `data` with ASCII characters escaped, but for those `kept`, the backslash and the line end."""
    for code in set(data.translate(None, PLAIN + kept)):
        character = bytes((code,))
        data = data.replace(character, ESCAPES[character])
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

    __slots__ = ("_begun", "_descriptor", "_options", "_path", "_pending", "_size")

    def __init__(self, path: str, options: LogOptions) -> None:
        self._path = path
        self._options = options
        self._pending = {1: b"", 2: b""}
        # what follows the text in the records of a long line that has not ended
        self._begun = {1: b"", 2: b""}
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
        data = self._pending[stream] + data
        records = []
        start = 0
        while True:
            if self._begun[stream] and (end := data.find(b"\n", start, start + LONGEST) + 1):
                records.append(encode_lines(data[start:end], self._begun[stream]))
                self._begun[stream], start = b"", end
            end = short_lines(data, start)
            if end > start:
                records.append(encode_lines(data[start:end], tail))
            start = end
            if len(data) - start < LONGEST:
                break
            self._begun[stream] = self._begun[stream] or tail
            records.append(encode_part(data[start : start + LONGEST], self._begun[stream]))
            start += LONGEST
        self._pending[stream] = data[start:]
        if records:
            self._append(b"".join(records))

    def flush(self) -> None:
        """Log what waits for its line end: the process has ended."""
        for stream, held in self._pending.items():
            if held and self._descriptor >= 0:
                tail = self._begun[stream] or record_tail(STREAMS[stream], self._options.attributes, timestamp())
                self._append(encode_part(held, tail))
            self._pending[stream] = self._begun[stream] = b""

    def _append(self, records: bytes) -> None:
        limit = self._options.max_size
        try:
            if not limit or self._size + len(records) <= limit:
                self._put(records)
                return
            for record in records.splitlines(keepends=True):
                if self._size >= limit:
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


def short_lines(data: bytes, start: int) -> int:
    """Return where the lines end that begin at `start` of `data`, are whole and of less than 16 KiB; `start` where the first is not."""
    while end := data.rfind(b"\n", start, start + LONGEST) + 1:
        start = end
    return start


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
