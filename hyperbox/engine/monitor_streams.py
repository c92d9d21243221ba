"""A process's stdio and those who are attached to it: output goes to every client and to the log, a client's input to stdin.

Used by the monitor of a container and by that of an exec. Without a TTY each piece of output is framed as the Engine API does: the stream's
number, three zero bytes, the length (32 bits, big-endian), the bytes. Memory is bounded: while a client's unsent output exceeds
`HELD_BYTES` nothing more is read from the process, so that a slow reader slows the writer down, as a pipe would.
"""

from __future__ import annotations

import _socket
import os

from hyperbox.engine.control import LOST
from hyperbox.engine.monitor_loop import READ, WRITE, Loop
from hyperbox.engine.monitor_process import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    from hyperbox.engine.monitor_log import KeptLog, LogWriter

    class KeptStreams(TypedDict):
        Stdin: int
        Stdout: int
        Stderr: int
        Tty: bool
        Log: KeptLog


HELD_BYTES = 1 << 19
SMALL_READ = 65536
# pieces of a megabyte are no faster, and take 4 MB more of the monitor and its worker
LARGE_READ = 1 << 18
LARGE_PIPE = 1 << 20
F_SETPIPE_SZ = 1031


class Client:
    """One attached client: its data socket and what it has not taken yet."""

    __slots__ = ("events", "held", "held_bytes", "socket", "stdin", "wanted")

    def __init__(self, socket: _socket.socket, *, stdin: bool, stdout: bool, stderr: bool) -> None:
        socket.setblocking(False)
        self.socket = socket
        self.stdin = stdin
        self.wanted = (False, stdout, stderr)
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.events = READ


class Streams:
    """Carries a process's streams between its pipes (or TTY), the log and the clients, on the monitor's loop."""

    __slots__ = (
        "_clients",
        "_input",
        "_input_grown",
        "_loop",
        "_on_delivered",
        "_on_end",
        "_outputs",
        "_paused",
        "_read_size",
        "_stdin_once",
        "log",
        "stdio",
    )

    def __init__(self, loop: Loop, log: LogWriter | None, *, stdin_once: bool) -> None:
        self._loop = loop
        self.log = log
        if log is not None and hasattr(log, "on_room"):
            log.on_room = self._room
        self._stdin_once = stdin_once
        self._clients: list[Client] = []
        self._outputs: dict[int, int] = {}
        self._input = b""
        self._input_grown = False
        self._paused = False
        self._read_size = SMALL_READ
        self._on_end: Callable[[], None] | None = None
        self._on_delivered: Callable[[], None] | None = None
        self.stdio = Stdio(-1, -1, -1, tty=False)

    # --- the process ---
    def begin(self, stdio: Stdio) -> None:
        """Carry the streams of a process that was just started."""
        self.stdio = stdio
        self._outputs = {stdio.stdout: 1} if stdio.tty else {stdio.stdout: 1, stdio.stderr: 2}
        self._outputs.pop(-1, None)
        self._paused = False
        self._input_grown = stdio.tty
        for descriptor in self._outputs:
            os.set_blocking(descriptor, False)
            self._loop.watch(descriptor, READ, lambda _events, source=descriptor: self._readable(source))  # type: ignore[misc]
        if stdio.stdin >= 0:
            os.set_blocking(stdio.stdin, False)
            for client in self._clients:
                self._rewatch(client)

    def finish(self, on_end: Callable[[], None], *, patience: float = 2.0) -> None:
        """The process has ended: call `on_end` once all its output was read.

        Where others still hold its pipes, that is after `patience` seconds.
        """
        self._on_end = on_end
        self._loop.after(patience, self._end)
        if not self._outputs:
            self._end()

    def _end(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is None:
            return
        for descriptor in list(self._outputs):
            if self._paused:
                self._drain(descriptor)
            self._close_output(descriptor)
        self.close_stdin()
        if self.log is not None:
            self.log.flush()
        on_end()

    def _readable(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, self._read_size)
        except BlockingIOError:
            return
        except OSError:  # EIO: a TTY that nobody holds open any more
            data = b""
        if not data:
            self._close_output(descriptor)
            if not self._outputs and self._on_end is not None:
                self._end()
            return
        if len(data) == SMALL_READ == self._read_size:
            self._grow(descriptor)
        stream = self._outputs[descriptor]
        self._send(stream, data)
        if self.log is not None:
            self.log.write(stream, data)
            if self.log.full:
                self._pause()

    def _drain(self, descriptor: int) -> None:
        """Take what a pipe still holds of a process that has ended, though somebody takes its output slowly."""
        stream = self._outputs[descriptor]
        while True:
            try:
                data = os.read(descriptor, LARGE_READ)
            except OSError:
                return
            if not data:
                return
            self._send(stream, data)
            if self.log is not None:
                self.log.write(stream, data)

    def _grow(self, descriptor: int) -> None:
        """Much output: fewer, larger reads."""
        self._read_size = LARGE_READ if enlarge(descriptor) else SMALL_READ + 1

    def _close_output(self, descriptor: int) -> None:
        self._loop.unwatch(descriptor)
        del self._outputs[descriptor]
        os.close(descriptor)

    def outputs(self) -> set[int]:
        """Return the descriptors of the process's output that are open."""
        return set(self._outputs)

    def kept(self) -> KeptStreams | None:
        """Return what a process that takes over from this one needs to know (-1: closed); None while something is under way."""
        log = (
            None
            if self.log is None or self._clients or self._paused or self._input or self._on_end
            else self.log.kept()
        )
        if log is None:
            return None
        stdio = self.stdio
        out, error = (each if each in self._outputs else -1 for each in (stdio.stdout, stdio.stderr))
        return {"Stdin": stdio.stdin, "Stdout": out, "Stderr": error, "Tty": stdio.tty, "Log": log}

    # --- output to clients ---
    def _send(self, stream: int, data: bytes) -> None:
        if not self._clients:
            return
        header = b"" if self.stdio.tty else bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big")
        for client in list(self._clients):
            if client.wanted[stream]:
                self._send_to(client, header, data)

    def _send_to(self, client: Client, header: bytes, data: bytes) -> None:
        sent = 0
        if not client.held:
            try:
                sent = client.socket.sendmsg([header, data])
            except BlockingIOError:
                sent = 0
            except LOST:
                self.drop(client)
                return
        total = len(header) + len(data)
        if sent == total:
            return
        rest = header[sent:] + data if sent < len(header) else data[sent - len(header) :]
        client.held.append(rest)
        client.held_bytes += len(rest)
        self._rewatch(client)
        if client.held_bytes > HELD_BYTES:
            self._pause()

    def _flush(self, client: Client) -> None:
        while client.held:
            try:
                sent = client.socket.send(client.held[0])
            except BlockingIOError:
                break
            except LOST:
                self.drop(client)
                return
            client.held_bytes -= sent
            if sent == len(client.held[0]):
                client.held.pop(0)
            else:
                client.held[0] = client.held[0][sent:]
        if self._on_delivered is not None and not client.held:
            self.drop(client)
            return
        self._rewatch(client)
        if self._paused and client.held_bytes <= HELD_BYTES // 2:
            self._resume()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            for descriptor in self._outputs:
                self._loop.unwatch(descriptor)

    def _resume(self) -> None:
        if any(client.held_bytes > HELD_BYTES // 2 for client in self._clients):
            return
        if self.log is not None and self.log.full:
            return
        self._paused = False
        for descriptor in self._outputs:
            self._loop.watch(descriptor, READ, lambda _events, source=descriptor: self._readable(source))  # type: ignore[misc]

    def _room(self) -> None:
        """The log takes output again."""
        if self._paused:
            self._resume()

    # --- clients ---
    def add(self, client: Client, history: bytes = b"") -> None:
        """Attach a client; `history`, already framed, is sent to it first."""
        self._clients.append(client)
        if history:
            client.held.append(history)
            client.held_bytes = len(history)
        self._rewatch(client)

    def drop(self, client: Client) -> None:
        """Let a client go."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._loop.unwatch(client.socket.fileno())
        client.socket.close()
        if self._paused:
            self._resume()
        self._check_delivered()

    def _rewatch(self, client: Client) -> None:
        """Watch a client for what matters now: input while stdin can take it, room for output while some is held."""
        events = client.events if not self._input else 0
        if client.held:
            events |= WRITE
        self._loop.watch(client.socket.fileno(), events, lambda ready: self._client_ready(client, ready))

    def _client_ready(self, client: Client, ready: int) -> None:
        if ready & WRITE:
            self._flush(client)
        if client in self._clients and ready & ~WRITE:
            self._client_input(client)

    def _client_input(self, client: Client) -> None:
        if self._input and client.events:  # gone, while its earlier input still waits
            self.drop(client)
            return
        try:
            data = client.socket.recv(SMALL_READ)
        except BlockingIOError:
            return
        except LOST:
            data = b""
            client.events = 0
        if data:
            if client.stdin and self.stdio.stdin >= 0:
                self._write_input(data)
            return
        if client.events == 0:  # it had half-closed before, so now it is gone
            self.drop(client)
        else:
            client.events = 0
            self._rewatch(client)
        if client.stdin and self._stdin_once and not self.stdio.tty:
            self._end_input()

    # --- stdin ---
    def _write_input(self, data: bytes) -> None:
        try:
            written = os.write(self.stdio.stdin, data)
        except BlockingIOError:
            written = 0
        except OSError:  # the process closed its stdin
            return
        if written < len(data):
            if not self._input_grown:  # much input, for a process that takes it in pieces of its own size: fewer turns
                self._input_grown = True
                enlarge(self.stdio.stdin)
            self._input = data[written:]
            self._loop.watch(self.stdio.stdin, WRITE, self._input_ready)
            for client in self._clients:
                self._rewatch(client)

    def _input_ready(self, _events: int) -> None:
        try:
            written = os.write(self.stdio.stdin, self._input)
        except BlockingIOError:
            return
        except OSError:
            written = len(self._input)
        self._input = self._input[written:]
        if not self._input:
            self._loop.unwatch(self.stdio.stdin)
            for client in self._clients:
                self._rewatch(client)

    def _end_input(self) -> None:
        """Close stdin once what waits for it has been written."""
        if self._input:
            self._loop.after(0.01, self._end_input)
        else:
            self.close_stdin()

    def close_stdin(self) -> None:
        """Close the process's stdin."""
        descriptor = self.stdio.stdin
        if descriptor >= 0:
            self._loop.unwatch(descriptor)
            self.stdio.stdin = -1
            self._input = b""
            os.close(descriptor)

    def resize(self, rows: int, columns: int) -> None:
        """Set the TTY's window size. See TIOCSWINSZ(2const)."""
        if self.stdio.tty and self.stdio.stdout in self._outputs:
            set_window_size(self.stdio.stdout, rows, columns)

    def when_delivered(self, action: Callable[[], None]) -> None:
        """Close every client once it has taken all output, then call `action`. A client that is gone is not waited for."""
        self._on_delivered = action
        for client in list(self._clients):
            if not client.held:
                self.drop(client)
        self._check_delivered()

    def _check_delivered(self) -> None:
        action = self._on_delivered
        if action is not None and not self._clients:
            self._on_delivered = None
            action()


def enlarge(descriptor: int) -> bool:
    """Let a pipe hold LARGE_PIPE bytes; returns False where it may not. See F_SETPIPE_SZ(2const)."""
    import fcntl

    try:
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, LARGE_PIPE)
    except OSError:
        return False
    return True


def set_window_size(descriptor: int, rows: int, columns: int) -> None:
    """Set the window size (characters) of the TTY behind `descriptor`; a TTY that is gone is no error."""
    import fcntl
    import termios

    size = rows.to_bytes(2, "little") + columns.to_bytes(2, "little") + bytes(4)
    try:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, size)
    except OSError:
        return
