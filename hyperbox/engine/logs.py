"""Reading a container's log back: rotated files, the last lines, a span of time, and following it."""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine.log_options import is_unreadable
from hyperbox.engine.state import Container, Roots, find_container, read_container
from hyperbox.errors import EngineError, NotFound
from hyperbox.go.times import timestamp_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Json = dict[str, object]
    Piece = tuple[int, bytes]

BLOCK = 1 << 18
TOGETHER = 1 << 16  # bytes of one stream that are given out at once
NUMBERS = {"stdout": 1, "stderr": 2}


class Wish:
    """Which records are wanted, and how: streams, a span of time (seconds of the epoch, 0 for none), timestamps, attributes."""

    __slots__ = ("details", "since", "streams", "timestamps", "until")

    def __init__(
        self, *, stdout: bool, stderr: bool, since: float, until: float, timestamps: bool, details: bool = False
    ) -> None:
        self.details = details
        self.streams = {1: stdout, 2: stderr}
        self.since = since
        self.until = until
        self.timestamps = timestamps


def container_logs(
    roots: Roots,
    reference: str,
    *,
    stdout: bool = True,
    stderr: bool = True,
    follow: bool = False,
    since: float = 0.0,
    until: float = 0.0,
    tail: int = -1,
    timestamps: bool = False,
    details: bool = False,
) -> Iterator[Piece]:
    """See `engine.api.Engine.container_logs`."""
    container = find_container(roots, reference)
    if is_unreadable(container.host_config):
        raise EngineError("configured logging driver does not support reading")
    wish = Wish(stdout=stdout, stderr=stderr, since=since, until=until, timestamps=timestamps, details=details)
    return read_log(roots, container, wish, tail=tail, follow=follow)


def read_log(roots: Roots, container: Container, wish: Wish, *, tail: int, follow: bool) -> Iterator[Piece]:
    """Yield the log's pieces as wished; with `follow` until the container's present run ends."""
    path = roots.log(container.id)
    follower = Follower(roots, container) if follow and container.status in ("running", "paused") else None
    try:
        present = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if follower is None:
            return
        present = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        if tail < 0:
            yield from pieces(rotated_lines(path), wish)
        else:
            start, found = tail_start(present, tail)
            os.lseek(present, start, os.SEEK_SET)
            if found < tail:
                yield from pieces(last_rotated_lines(path, tail - found), wish)
        yield from pieces(whole_lines(present, wish.since), wish)
        while follower is not None:
            goes_on = follower.wait(wish.until)
            end = os.fstat(present).st_size  # all of it is of this run, if there is no other one after this moment
            if again := follower.started_again():
                goes_on, end, wish.until = False, -1, min(wish.until or again, again - 1e-6)
            if not goes_on:
                follower.close()
                follower = None
            yield from pieces(whole_lines(present, end=end), wish)
            present = reopened(path, present)
    finally:
        os.close(present)
        if follower is not None:
            follower.close()


def reopened(path: str, descriptor: int) -> int:
    """Return a descriptor of the log as it is now, after it was rotated or emptied."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return descriptor
    held = os.fstat(descriptor)
    if now.st_ino == held.st_ino:
        if os.lseek(descriptor, 0, os.SEEK_CUR) > held.st_size:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor
    fresh = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.close(descriptor)
    return fresh


def rotated_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of the log's rotated files, oldest first."""
    folder, name = os.path.split(path)
    numbers = []
    for entry in os.listdir(folder):
        if entry.startswith(name + "."):
            number = entry[len(name) + 1 :].removesuffix(".gz")
            if number.isdigit():
                numbers.append((int(number), entry))
    for _number, entry in sorted(numbers, reverse=True):
        if entry.endswith(".gz"):
            import gzip

            with gzip.open(f"{folder}/{entry}", "rb") as packed:
                yield from packed
        else:
            with open(f"{folder}/{entry}", "rb") as plain:
                yield from plain


def last_rotated_lines(path: str, count: int) -> Iterator[bytes]:
    """Yield the last `count` lines of the log's rotated files."""
    total = sum(1 for _ in rotated_lines(path))
    for number, line in enumerate(rotated_lines(path)):
        if number >= total - count:
            yield line


def whole_lines(descriptor: int, since: float = 0.0, end: int = -1) -> Iterator[bytes]:
    """Yield the whole lines from where `descriptor` stands to the end of the file, or to the byte `end`; it is left behind the last of them.

    Blocks that begin and end with records before `since` (seconds of the epoch) are left out.
    """
    rest = b""
    while chunk := os.read(descriptor, BLOCK if end < 0 else left_before(descriptor, end)):
        data, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline and not (since and is_older(data, since)):
            yield from data.split(b"\n")
    if rest:
        os.lseek(descriptor, -len(rest), os.SEEK_CUR)


def left_before(descriptor: int, end: int) -> int:
    """Return how many bytes there are from where `descriptor` stands to `end`, at most BLOCK."""
    return max(0, min(BLOCK, end - os.lseek(descriptor, 0, os.SEEK_CUR)))


def is_older(data: bytes, since: float) -> bool:
    """Return whether the first and the last of some lines were written before `since`."""
    for line in (data.partition(b"\n")[0], data.rpartition(b"\n")[2]):
        when = line.rpartition(b'"time":"')[2].partition(b'"')[0]
        try:
            if timestamp_seconds(when.decode("utf-8", "replace")) >= since:
                return False
        except ValueError:
            return False
    return True


def tail_start(descriptor: int, count: int) -> tuple[int, int]:
    """Return where the last `count` whole lines of a file begin, and how many lines those are: fewer, where there are no more."""
    position = os.lseek(descriptor, 0, os.SEEK_END)
    found = 0
    while position > 0:
        start = max(0, position - BLOCK)
        block = os.pread(descriptor, position - start, start)
        lines = block.count(b"\n")
        if found + lines > count:
            return start + len(block) - len(block.split(b"\n", found + lines - count)[-1]), count
        found += lines
        position = start
    return 0, found


def pieces(lines: Iterator[bytes], wish: Wish) -> Iterator[Piece]:
    """Turn records into pieces of output, neighbours of one stream together."""
    stream, size = 0, 0
    held: list[bytes] = []
    for line in lines:
        found = record_piece(line, wish)
        if found is None:
            continue
        number, data = found
        if held and (number != stream or size > TOGETHER):
            yield stream, b"".join(held)
            held, size = [], 0
        stream = number
        held.append(data)
        size += len(data)
    if held:
        yield stream, b"".join(held)


def plain_piece(line: bytes) -> Piece | None:
    """Return the stream and bytes of a record as HyperBox and docker write it, without parsing all of it; None for any other."""
    end = line.find(b'","stream":"std', 8)
    if end < 0 or not line.startswith(b'{"log":"') or not line.endswith(b'"}'):
        return None
    text = line[8:end]
    number = 2 if line[end + 15] == 0x65 else 1  # the "e" of stderr
    if b"\\" not in text:
        return number, text
    if text.find(b"\\") == len(text) - 2 and text.endswith(b"n"):
        return number, text[:-2] + b"\n"
    try:
        value = files.loads(f'"{text.decode()}"')
    except ValueError:
        return None
    return number, str(value).encode("utf-8", "surrogateescape")


def record_piece(line: bytes, wish: Wish) -> Piece | None:
    """Return the stream and bytes of one record; None where it is not wished for, or damaged by a crash."""
    if not (wish.since or wish.until or wish.timestamps or wish.details) and (found := plain_piece(line)) is not None:
        return found if wish.streams[found[0]] else None
    try:
        record = files.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    number = NUMBERS.get(str(record.get("stream")), 1)
    if not wish.streams[number]:
        return None
    when = str(record.get("time"))
    if wish.since or wish.until:
        moment = timestamp_seconds(when)
        if moment < wish.since or (wish.until and moment > wish.until):
            return None
    text = str(record.get("log", ""))
    if wish.details:
        text = f"{shown_attributes(record.get('attrs'))} {text}"
    if wish.timestamps:
        text = f"{fixed(when)} {text}"
    return number, text.encode("utf-8", "surrogateescape")


def shown_attributes(attributes: object) -> str:
    """Return a record's attributes as `logs --details` shows them: NAME=VALUE, each escaped as in a URL's query, sorted."""
    if not isinstance(attributes, dict) or not attributes:
        return ""
    from urllib.parse import quote_plus

    pairs = (f"{quote_plus(str(name))}={quote_plus(str(value))}" for name, value in sorted(attributes.items()))
    return ",".join(pairs)


def fixed(when: str) -> str:
    """Return a log's timestamp with nine digits of a second."""
    seconds, _, fraction = when.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction.ljust(9, '0')}Z"


class Follower:
    """Waits for more log, or for the container's end."""

    __slots__ = ("_channel", "_container", "_events", "_poller", "_roots")

    def __init__(self, roots: Roots, container: Container) -> None:
        import select

        from hyperbox.engine import control
        from hyperbox.kernel import inotify

        self._roots = roots
        self._container = container
        self._channel = control.connect(roots.container_run(container.id), "monitor.sock")
        self._events = inotify.watch(container.folder(), inotify.MODIFY | inotify.MOVED | inotify.CREATE)
        self._poller = select.poll()
        self._poller.register(self._events, select.POLLIN)
        if self._channel is not None:
            self._poller.register(self._channel.fileno(), select.POLLIN)

    def wait(self, until: float) -> bool:
        """Return True once there may be more, False once the run has ended or `until` (seconds of the epoch, 0: never) has passed."""
        import time

        if self._channel is None or (until and time.time() >= until):
            return False
        patience = None if not until else max(0.0, (until - time.time()) * 1000)
        for descriptor, _events in self._poller.poll(patience):
            if descriptor == self._events:
                os.read(self._events, 65536)
            else:
                return self._goes_on()
        return True

    def _goes_on(self) -> bool:
        assert self._channel is not None
        messages = self._channel.receive_ready()
        if messages is None or any("exit" in message for message in messages):
            return False
        try:
            return find_container(self._roots, self._container.id).running
        except NotFound:
            return False

    def started_again(self) -> float:
        """Return when the container was started once more (seconds of the epoch), 0.0 where it was not: what it writes now is another run's."""
        try:
            started = str(read_container(self._roots, self._container.id).state["StartedAt"])
        except NotFound:
            return 0.0
        return timestamp_seconds(started) if started != self._container.state["StartedAt"] else 0.0

    def close(self) -> None:
        os.close(self._events)
        if self._channel is not None:
            self._channel.close()


def framed_history(roots: Roots, container: Container, *, stdout: bool, stderr: bool) -> bytes:
    """Return the whole log as an attached client gets it: framed, or raw with a TTY."""
    wish = Wish(stdout=stdout, stderr=stderr, since=0.0, until=0.0, timestamps=False)
    tty = bool(container.config.get("Tty"))
    parts = []
    for stream, data in read_log(roots, container, wish, tail=-1, follow=False):
        if not tty:
            parts.append(bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big"))
        parts.append(data)
    return b"".join(parts)
