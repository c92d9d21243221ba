"""Writing a container's log: docker's json-file format (`log_records`), rotated and, where asked, compressed.

Output is escaped a slice at a time, which bounds the memory: a record has 80 bytes beside its text, and text may be nothing but line ends. Where
that takes most of the time, as with bytes that are no text, a second process does half of it (`log_worker`).
"""

from __future__ import annotations

import os
import time

from hyperbox import files
from hyperbox.engine.log_records import Lines, encode, record_tail, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypedDict

    from hyperbox.engine.log_options import LogOptions
    from hyperbox.engine.log_worker import LogWorker

    class KeptLog(TypedDict):
        Descriptor: int
        Lines: list[list[str]]


STREAMS = {1: "stdout", 2: "stderr"}
# how much output is escaped at once, at most, and how much may stand beside it in the records
SLICE = 1 << 16
BESIDE = 1 << 19
SMALL = 1 << 12
# a worker is started where of so many seconds that part was spent escaping
WINDOW = 0.5
BUSY = 0.3


class LogWriter:
    """Appends a container's output to its log file. A full disk loses log lines, never the container."""

    __slots__ = ("_descriptor", "_lines", "_options", "_path", "_since", "_size", "_spent", "_worker")
    # whether no more should be read from the container for now
    full = False

    def __init__(self, path: str, options: LogOptions, kept: KeptLog | None = None) -> None:
        """Begin a log, or go on where the process that `kept` is of (see there) has left off, with its descriptor."""
        self._path = path
        self._options = options
        self._lines = {1: Lines(), 2: Lines()}
        self._worker: LogWorker | None = None
        # the seconds of CPU that escaping took since then (time.monotonic)
        self._spent = 0.0
        self._since = 0.0
        self._descriptor = -1
        self._size = 0
        if kept is not None:
            self._descriptor = kept["Descriptor"]
            self._size = os.fstat(self._descriptor).st_size if self._descriptor >= 0 else 0
            for lines, each in zip(self._lines.values(), kept["Lines"], strict=True):
                lines.restore(each)
        elif options.driver != "none":
            self._open()

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, stream: int, data: bytes) -> None:
        """Log `data`; what follows the last line end waits for its own."""
        if self._descriptor < 0:
            return
        tail = self._tail(stream)
        if len(data) <= SMALL:
            self._append(encode(self._lines[stream].cut(data, tail)))
            return
        before = time.thread_time()
        parts = slices(data, len(tail), SLICE if self._worker is None else even_slice(len(data)))
        for part in parts:
            first = self._lines[stream].cut(part, tail)
            second = self._lines[stream].cut(next(parts, b""), tail)
            given = self._worker is not None and self._worker.give(first)
            records = encode(second)
            done = self._worker.take() if given and self._worker is not None else None
            if done is None:
                self._worker, done = None, encode(first)
            self._append(done)
            self._append(records)
        self._spent += time.thread_time() - before
        self._consider_worker()

    def _consider_worker(self) -> None:
        """Start a worker where escaping takes most of the time."""
        present = time.monotonic()
        if present - self._since < WINDOW:
            return
        if self._worker is None and self._spent > BUSY * (present - self._since):
            from hyperbox.engine.log_worker import start_worker

            self._worker = start_worker()
        self._since, self._spent = present, 0.0

    def _tail(self, stream: int) -> bytes:
        """Return what follows the text in a record of now."""
        return record_tail(STREAMS[stream], self._options.attributes, timestamp())

    def kept(self) -> KeptLog | None:
        """Return what a process that takes over from this one needs to know, nothing having been written for a while; None where none can."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        return {"Descriptor": self._descriptor, "Lines": [lines.kept() for lines in self._lines.values()]}

    def flush(self) -> None:
        """Log what waits for its line end: the process has ended."""
        for stream, lines in self._lines.items():
            if self._descriptor >= 0:
                self._append(encode(lines.rest(self._tail(stream))))
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def close(self) -> None:
        """The container has ended for good."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, records: bytes) -> None:
        if not records:
            return
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
        files.write_all(self._descriptor, records)
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


def even_slice(size: int) -> int:
    """Return the largest size of slices, at most SLICE, that cuts `size` bytes into an even number of equals, for two processes."""
    pairs = -(-size // (2 * SLICE))
    return -(-size // (2 * pairs))


def slices(data: bytes, beside: int, size: int = SLICE) -> Iterator[bytes]:
    """Yield `data` in slices of `size` bytes at most, whose records are not much larger than BESIDE.

    Each record has `beside` bytes more than its text.
    """
    for start in range(0, len(data), size):
        part = data[start : start + size]
        more = part.count(b"\n") * beside
        inner_size = size if more <= BESIDE else max(SMALL, size * BESIDE // more)
        for inner in range(0, len(part), inner_size):
            yield part[inner : inner + inner_size]


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
