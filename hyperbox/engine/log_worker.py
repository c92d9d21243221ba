"""A process that escapes half of a monitor's log, while there is so much that one processor is too slow.

It is forked from the monitor, knows nothing but how to encode, and ends when the monitor does or has had nothing for it for a while. The
monitor does without it whenever it does not answer.
"""

from __future__ import annotations

import _socket
import marshal
import os

from hyperbox.engine.log_records import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.log_records import Piece

# seconds without work after which it goes, and those after which the monitor gives it up
PATIENCE = 2.0
LIMIT = 20.0


class LogWorker:
    """The monitor's side: `give` one task, then `take` its outcome."""

    __slots__ = ("_socket",)

    def __init__(self, socket: _socket.socket) -> None:
        self._socket = socket

    def give(self, pieces: Sequence[Piece]) -> bool:
        """Let the worker encode pieces; returns False where it is gone."""
        try:
            send(self._socket, marshal.dumps(list(pieces)))
        except OSError:
            self.close()
            return False
        return True

    def take(self) -> bytes | None:
        """Return the records of what was given last; None where the worker is gone."""
        try:
            done = receive(self._socket)
        except OSError:
            done = None
        if done is None:
            self.close()
        return done

    def close(self) -> None:
        """Let the worker go."""
        self._socket.close()


def start_worker() -> LogWorker | None:
    """Fork a worker; None where there can be none, or only one processor."""
    if len(os.sched_getaffinity(0)) < 2:
        return None
    ours, theirs = _socket.socketpair()
    try:
        pid = os.fork()
    except OSError:
        return None
    if pid == 0:
        try:
            work(theirs)
        finally:
            os._exit(0)
    theirs.close()
    ours.settimeout(LIMIT)
    return LogWorker(ours)


def work(socket: _socket.socket) -> None:
    """Be a worker. All other descriptors are the monitor's, whose peers wait for their end.

    It has a session of its own, for with autogroups the processes of a session share what one gets: see sched(7).
    """
    os.setsid()
    os.closerange(0, socket.fileno())
    os.closerange(socket.fileno() + 1, 1 << 20)
    socket.settimeout(PATIENCE)
    try:
        while (task := receive(socket)) is not None:
            send(socket, encode(marshal.loads(task)))
    except OSError:
        return


def send(socket: _socket.socket, data: bytes) -> None:
    """Send a message. Raises OSError."""
    socket.sendall(len(data).to_bytes(4, "big"))
    socket.sendall(data)


def receive(socket: _socket.socket) -> bytes | None:
    """Return a message; None where the other side is gone. Raises OSError."""
    head = socket.recv(4, _socket.MSG_WAITALL)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = socket.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return bytes(data)
