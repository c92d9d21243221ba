"""How commands talk to a monitor: one JSON object a line over a unix socket, and the streams' own socket passed along.

    command -> monitor   {"op": "attach", "stdin", "stdout", "stderr", "logs"}, {"op": "resize", "rows", "columns"}, {"op": "wait"},
                         {"op": "hurry"}: check health often while this connection lasts,
                         {"op": "resolve"}: the container is on a network now whose names it may ask for
    monitor -> command   {"attached": true} with the data socket (SCM_RIGHTS, unix(7)), {"started": true},
                         {"resolving": true}, {"error", "status"}, {"exit": code}

Both sides use `Channel`. A socket's path may be longer than the 107 bytes that unix(7) allows, so it is reached through a descriptor
of its folder.
"""

from __future__ import annotations

import _socket
import os

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

CHUNK = 65536
DONT_WAIT = _socket.MSG_DONTWAIT
# what poll and recv tell of a peer that is gone
LOST = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


class Channel:
    """One end of a control connection. Blocking unless `socket` was made otherwise."""

    __slots__ = ("_held", "socket")

    def __init__(self, socket: _socket.socket) -> None:
        self.socket = socket
        self._held = b""

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Json, descriptor: int = -1) -> bool:
        """Send one message, with a descriptor along where it is not -1; returns False where the peer is gone."""
        data = files.dumps(message).encode("utf-8", "surrogateescape") + b"\n"
        try:
            if descriptor >= 0:
                rights = descriptor.to_bytes(4, "little")
                self.socket.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
            else:
                self.socket.sendall(data)
        except (*LOST, BlockingIOError):
            return False
        return True

    def receive(self) -> tuple[Json, int] | None:
        """Return the next message and the descriptor that came with it (or -1); None when the peer is gone. Blocks."""
        descriptor = -1
        while b"\n" not in self._held:
            data, descriptor = self._receive_some(descriptor)
            if not data:
                return None
        line, _, self._held = self._held.partition(b"\n")
        message = files.loads(line.decode("utf-8", "surrogateescape"))
        assert isinstance(message, dict)
        return message, descriptor

    def _receive_some(self, descriptor: int) -> tuple[bytes, int]:
        try:
            data, ancillary, _flags, _address = self.socket.recvmsg(
                CHUNK, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC
            )
        except LOST:
            return b"", descriptor
        for level, kind, rights in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                descriptor = int.from_bytes(rights[:4], "little")
        self._held += data
        return data, descriptor

    def receive_ready(self) -> list[Json] | None:
        """Read what is there without blocking and return the whole messages; None when the peer is gone."""
        try:
            data = self.socket.recv(CHUNK, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except LOST:
            return None
        if not data:
            return None
        *lines, self._held = (self._held + data).split(b"\n")
        messages = []
        for line in lines:
            message = files.loads(line.decode("utf-8", "surrogateescape"))
            if isinstance(message, dict):
                messages.append(message)
        return messages

    def close(self) -> None:
        self.socket.close()


def listen(folder: str, name: str, *, backlog: int = 64) -> _socket.socket:
    """Serve the socket `name` in `folder` and return it. Raises OSError."""
    parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        socket.bind(f"/proc/self/fd/{parent}/{name}")
    finally:
        os.close(parent)
    socket.listen(backlog)
    return socket


def connect(folder: str, name: str) -> Channel | None:
    """Connect to the socket `name` in `folder`; None where nobody serves it."""
    try:
        parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        socket.connect(f"/proc/self/fd/{parent}/{name}")
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    finally:
        os.close(parent)
    return Channel(socket)


def accept(listener: _socket.socket) -> _socket.socket:
    """Return the next connection to a listening socket."""
    descriptor, _address = listener._accept()  # type: ignore[attr-defined]
    return _socket.socket(fileno=descriptor)


def pair() -> tuple[_socket.socket, _socket.socket]:
    """Return two connected stream sockets."""
    return _socket.socketpair()
