"""Reading a container's log back: rotated files, the last lines, a span of time, and following it."""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine.log_options import config_of
from hyperbox.engine.state import Container, Roots, find_container
from hyperbox.errors import EngineError, NotFound
from hyperbox.image.timestamps import timestamp_seconds

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
    if config_of(container.host_config)[0] == "none":
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
        old = rotated_lines(path) if tail < 0 else iter(())
        if tail < 0:
            yield from pieces(old, wish)
            yield from pieces(whole_lines(present), wish)
        else:
            yield from pieces(iter(last_lines(path, present, tail)), wish)
            os.lseek(present, 0, os.SEEK_END)
        while follower is not None:
            if not follower.wait(wish.until):
                follower.close()
                follower = None
            yield from pieces(whole_lines(present), wish)
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


def whole_lines(descriptor: int) -> Iterator[bytes]:
    """Yield the whole lines from where `descriptor` stands to the end; it is left behind the last of them."""
    rest = b""
    while chunk := os.read(descriptor, BLOCK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        os.lseek(descriptor, -len(rest), os.SEEK_CUR)


def last_lines(path: str, descriptor: int, count: int) -> list[bytes]:
    """Return the last `count` lines of the log, rotated files included where the present one has fewer."""
    if count == 0:
        return []
    position = os.lseek(descriptor, 0, os.SEEK_END)
    data = b""
    while position > 0 and data.count(b"\n") <= count:
        start = max(0, position - BLOCK)
        data = os.pread(descriptor, position - start, start) + data
        position = start
    lines = data.split(b"\n")[:-1]
    if len(lines) < count and position == 0:
        lines = [line.rstrip(b"\n") for line in rotated_lines(path)] + lines
    return lines[-count:]


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


def record_piece(line: bytes, wish: Wish) -> Piece | None:
    """Return the stream and bytes of one record; None where it is not wished for, or damaged by a crash."""
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
