"""Sending a container's output elsewhere while it runs: the monitor's side, and the process beside it that does the sending.

A sink (`log_sinks`) may have to wait for a network, a monitor never: it splits output into messages and writes them into a pipe, from which
a process of its own, forked once the sink is connected, reads. What the pipe does not take is held here: in the mode "blocking" the
container's output is not read any further while too much is held, in "non-blocking" messages beyond max-buffer-size are dropped. A copy
is kept in the container's log as the option cache-* says, from which `logs` reads. The process leaves at the end of the pipe, which is
the monitor's end too, or ten seconds after it where the receiver takes nothing.
"""

from __future__ import annotations

import os
import select
import struct
import time

from hyperbox import files, process
from hyperbox.engine import log_sinks
from hyperbox.engine.log_messages import Message
from hyperbox.engine.log_records import LONGEST
from hyperbox.engine.monitor_log import LogWriter
from hyperbox.engine.monitor_loop import WRITE
from hyperbox.go.units import parse_bytes
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperbox.engine.log_options import LogOptions
    from hyperbox.engine.monitor_loop import Loop
    from hyperbox.engine.state import Container

# a message in the pipe: stream, whether a piece and the last one, its number, time in nanoseconds, id, length; then the line
HEAD = struct.Struct("<BBIQ32sI")
HELD = 1 << 18  # bytes that may wait in the mode "blocking" before reading stops
DEFAULT_BUFFER = 1 << 20
# a driver whose messages may be longer than the others'
LONG_LINES = {"splunk": 1 << 20}


class Splitter:
    """Cuts output into messages: lines, and pieces of lines that are longer than `longest` bytes or have no end."""

    __slots__ = ("_held", "_longest", "_parts")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._held = {1: b"", 2: b""}
        self._parts: dict[int, tuple[bytes, int]] = {}

    def feed(self, stream: int, data: bytes) -> Iterator[Message]:
        """Yield the messages that are whole now."""
        now = time.time_ns()
        *lines, rest = (self._held[stream] + data).split(b"\n")
        for line in lines:
            while len(line) > self._longest:
                piece, line = line[: self._longest], line[self._longest :]
                yield Message(stream, now, piece, self._part(stream, last=False))
            yield Message(stream, now, line, self._part(stream, last=True) if stream in self._parts else None)
        while len(rest) >= self._longest:
            piece, rest = rest[: self._longest], rest[self._longest :]
            yield Message(stream, now, piece, self._part(stream, last=False))
        self._held[stream] = rest

    def end(self) -> Iterator[Message]:
        """Yield what waits for its line's end: there is no more output."""
        for stream, rest in self._held.items():
            if rest:
                yield Message(stream, time.time_ns(), rest, self._part(stream, last=False))
            self._held[stream] = b""
        self._parts.clear()

    def _part(self, stream: int, *, last: bool) -> tuple[str, int, bool]:
        name, number = self._parts.get(stream, (os.urandom(32), 0))
        self._parts[stream] = (name, number + 1)
        if last:
            del self._parts[stream]
        return name.hex(), number + 1, last


def encode(message: Message) -> bytes:
    """Return a message as it goes through the pipe."""
    name, number, last = message.part or ("", 0, False)
    flags = (message.part is not None) | last << 1
    head = HEAD.pack(message.stream, flags, number, message.time, bytes.fromhex(name), len(message.line))
    return head + message.line


def decode(buffer: bytearray) -> Iterator[Message]:
    """Yield the whole messages at the beginning of `buffer`, and take them out of it."""
    while len(buffer) >= HEAD.size:
        stream, flags, number, nanoseconds, name, size = HEAD.unpack_from(buffer)
        if len(buffer) < HEAD.size + size:
            return
        line = bytes(buffer[HEAD.size : HEAD.size + size])
        del buffer[: HEAD.size + size]
        yield Message(stream, nanoseconds, line, (name.hex(), number, bool(flags & 2)) if flags & 1 else None)


class ForwardingWriter(LogWriter):
    """A log whose messages are sent elsewhere; `full` while no more should be read from the container, `on_room` is called after that."""

    __slots__ = ("_blocking", "_held", "_held_bytes", "_limit", "_loop", "_pipe", "_splitter", "full", "on_room")

    def __init__(self, path: str, options: LogOptions, loop: Loop, pipe: int) -> None:
        super().__init__(path, options)
        given = options.given
        self._loop = loop
        self._pipe = pipe
        self._splitter = Splitter(LONG_LINES.get(options.forward, LONGEST))
        self._blocking = given.get("mode") != "non-blocking"
        self._limit = parse_bytes(given["max-buffer-size"]) if given.get("max-buffer-size") else DEFAULT_BUFFER
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.full = False
        self.on_room: Callable[[], None] | None = None

    def write(self, stream: int, data: bytes) -> None:
        """Log `data`, here and elsewhere."""
        super().write(stream, data)
        for message in self._splitter.feed(stream, data):
            self._hold(encode(message))
        self._send()

    def kept(self) -> None:
        """Nobody takes over from this process: another one holds the connection."""
        return

    def flush(self) -> None:
        """Log what waits for its line end: the process has ended."""
        super().flush()
        for message in self._splitter.end():
            self._hold(encode(message))
        self._send()

    def _hold(self, data: bytes) -> None:
        if self._pipe < 0 or (not self._blocking and self._held and self._held_bytes + len(data) > self._limit):
            return
        self._held.append(data)
        self._held_bytes += len(data)

    def _send(self, _events: int = 0) -> None:
        """Write what the pipe takes, and wait for room for the rest."""
        while self._held and self._pipe >= 0:
            try:
                written = os.write(self._pipe, self._held[0])
            except BlockingIOError:
                break
            except OSError:  # the process that sends is gone: the container goes on without it
                self._forget_pipe()
                break
            self._held_bytes -= written
            if written == len(self._held[0]):
                self._held.pop(0)
            else:
                self._held[0] = self._held[0][written:]
        if self._held:
            self._loop.watch(self._pipe, WRITE, self._send)
        elif self._pipe >= 0:
            self._loop.unwatch(self._pipe)
        was, self.full = self.full, self._blocking and self._held_bytes > HELD
        if was and not self.full and self.on_room is not None:
            self.on_room()

    def _forget_pipe(self) -> None:
        self._loop.unwatch(self._pipe)
        os.close(self._pipe)
        self._pipe, self._held, self._held_bytes = -1, [], 0

    def close(self) -> None:
        """The container has ended for good: a process of its own hands over what is still held, for ten seconds at most."""
        if self._pipe < 0:
            return
        if self._held and os.fork() == 0:
            try:
                process.leave_session({self._pipe})
                import signal

                signal.alarm(int(log_sinks.PATIENCE))
                os.set_blocking(self._pipe, True)
                for data in self._held:
                    files.write_all(self._pipe, data)
            finally:
                os._exit(0)
        self._forget_pipe()


def begin(container: Container, path: str, options: LogOptions, loop: Loop) -> ForwardingWriter:
    """Connect to where a container's output goes and return its log. Raises EngineError with docker's words."""
    sink = log_sinks.connect(container, options)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        try:
            serve(reader, sink)
        finally:
            os._exit(0)
    os.close(reader)
    sink.forget()
    os.set_blocking(writer, False)
    return ForwardingWriter(path, options, loop, writer)


def serve(reader: int, sink: log_sinks.Sink) -> None:
    """Be the process that sends: read messages until the pipe ends."""
    process.leave_session({reader, sink.fileno()} - {-1})
    syscalls.set_process_name("hyperbox-logger")
    sink.watch(reader)
    buffer = bytearray()
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    try:
        while True:
            if not poller.poll(sink.patience()):
                sink.flush()
                continue
            chunk = os.read(reader, 1 << 16)
            if not chunk:
                break
            buffer += chunk
            for message in decode(buffer):
                sink.log(message)
        sink.flush()
    except log_sinks.GaveUp:
        return
