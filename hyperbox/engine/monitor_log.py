"""Writing a container's log: docker's json-file format, rotated and, where asked, compressed.

One line of output is one object: {"log": "text\\n", "stream": "stdout", "time": "…"}. Output is cut at line ends; what has none after
16 KiB is a record without one. Fast enough for a container that writes hundreds of megabytes a second: a whole chunk is escaped at once.
"""

from __future__ import annotations

import os
import time

from hyperbox import files
from hyperbox.errors import InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

LONGEST = 16384
# stands for a line end while a chunk is escaped as a whole; decoding with "replace" never makes a lone surrogate
MARK = "\ud800"
STREAMS = {1: "stdout", 2: "stderr"}
OPTIONS = frozenset({"max-size", "max-file", "compress"})
DRIVERS = frozenset({"json-file", "local", "none"})


class LogOptions:
    """How a container logs: the driver, and for json-file and local the size to rotate at (bytes, 0 never) and how many files to keep."""

    __slots__ = ("compress", "driver", "max_file", "max_size")

    def __init__(self, driver: str, max_size: int, max_file: int, compress: bool) -> None:
        self.driver = driver
        self.max_size = max_size
        self.max_file = max_file
        self.compress = compress


def to_size(text: str) -> int:
    """Read docker's size ("10m", "512k", "1g"): bytes. Raises ValueError."""
    lowered = text.strip().lower()
    lowered = lowered[:-2] if lowered.endswith("ib") else lowered[:-1] if lowered.endswith("b") else lowered
    power = "kmgt".find(lowered[-1:]) + 1 if lowered else 0
    return int(float(lowered[:-1] if power else lowered) * 1024**power)


def log_options(host_config: Json) -> LogOptions:
    """Return how a container logs by its HostConfig.LogConfig. Raises InvalidParameter with docker's words."""
    config = host_config.get("LogConfig") or {}
    assert isinstance(config, dict)
    driver = str(config.get("Type") or "json-file")
    options = config.get("Config") or {}
    assert isinstance(options, dict)
    if driver not in DRIVERS:
        raise InvalidParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    if driver == "none":
        return LogOptions(driver, 0, 1, False)
    for name in options:
        if name not in OPTIONS:
            raise InvalidParameter(f"unknown log opt '{name}' for {driver} log driver")
    local = driver == "local"
    size_text = str(options.get("max-size", "20m" if local else ""))
    try:
        max_size = to_size(size_text) if size_text and size_text != "-1" else 0
    except ValueError:
        raise InvalidParameter(f"invalid size: '{size_text}'") from None
    count_text = str(options.get("max-file", "5" if local else "1"))
    if not count_text.isdigit():
        raise InvalidParameter(f'strconv.Atoi: parsing "{count_text}": invalid syntax')
    count = int(count_text)
    if count < 1:
        raise InvalidParameter("max-file cannot be less than 1")
    if count > 1 and not max_size:
        raise InvalidParameter("max-file cannot be set without max-size")
    compress = str(options.get("compress", "true" if local else "false")).lower() in ("1", "t", "true")
    if compress and "compress" in options and (not max_size or count == 1):
        raise InvalidParameter("compress cannot be true when max-file is less than 2 or max-size is not set")
    return LogOptions(driver, max_size, count, compress)


def timestamp() -> str:
    """The present time as the log writes it: RFC 3339 in UTC with nanoseconds, trailing zeros cut as Go does."""
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    fraction = f"{rest:09d}".rstrip("0")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + (f".{fraction}Z" if fraction else "Z")


def encode_lines(text: str, stream: str, when: str) -> bytes:
    """Return the records of whole lines (`text` ends with a line end)."""
    tail = f',"stream":"{stream}","time":"{when}"}}\n'
    escaped = files.dumps(text[:-1].replace("\n", MARK))
    lines = escaped[1:-1].replace(MARK, '\\n"' + tail + '{"log":"')
    return f'{{"log":"{lines}\\n"{tail}'.encode()


def encode_part(text: str, stream: str, when: str) -> bytes:
    """Return the record of a line that has not ended."""
    return f'{{"log":{files.dumps(text)},"stream":"{stream}","time":"{when}"}}\n'.encode()


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
        held = self._pending[stream]
        if held:
            data = held + data
        end = data.rfind(b"\n") + 1
        rest = data[end:] if end else data
        when = timestamp()
        name = STREAMS[stream]
        if end:
            self._append(encode_lines(data[:end].decode("utf-8", "replace"), name, when))
        while len(rest) >= LONGEST:
            cut = whole_characters(rest, LONGEST)
            self._append(encode_part(rest[:cut].decode("utf-8", "replace"), name, when))
            rest = rest[cut:]
        self._pending[stream] = rest

    def flush(self) -> None:
        """Log what waits for its line end: the process has ended."""
        for stream, held in self._pending.items():
            if held and self._descriptor >= 0:
                self._append(encode_part(held.decode("utf-8", "replace"), STREAMS[stream], timestamp()))
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
