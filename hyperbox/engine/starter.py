"""A small process that forks monitors on behalf of a command which grows large.

A compose command loads its files with modules that a monitor has no use for; forked from it, each monitor would keep tens of megabytes, and an
interpreter started anew takes 20 ms of CPU. So the command forks a starter first, while it is small, and `launch` asks that one: a message
with what the monitor is for, its descriptors along (SCM_RIGHTS, unix(7)). The starter ends when the command and its children have.

One starter belongs to one process, as its descriptors do: the module remembers its socket.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import os

from hyperbox import files, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 65536
MOST_DESCRIPTORS = 8
_asked: list[_socket.socket] = []


def prepare() -> None:
    """Fork the starter; to be called before this process loads what is large, and before it starts a thread. Once is enough."""
    if _asked:
        return
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    if process.fork_apart() == 0:
        try:
            ours.close()
            serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    _asked.append(ours)


def ask(arguments: Sequence[str], descriptors: Sequence[int]) -> bool:
    """Have a monitor forked with `monitor_entry.begin`'s arguments and descriptors (-1: none); False where there is no starter."""
    if not _asked:
        return False
    given = b"".join(descriptor.to_bytes(4, "little") for descriptor in descriptors if descriptor >= 0)
    message = files.dumps({"arguments": list(arguments), "given": [descriptor >= 0 for descriptor in descriptors]})
    try:
        _asked[0].sendmsg([message.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, given)])
    except OSError:
        return False
    return True


def serve(asked: _socket.socket) -> None:
    """Fork a monitor for each message until nobody can send one any more."""
    import gc

    from hyperbox.engine import monitor_entry

    monitor_entry.load()
    gc.collect()
    gc.freeze()  # what is there is never looked at again, so that monitors share its pages
    os.setsid()  # a key that interrupts the command must not end it before the command's own children
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    while True:
        data, ancillary, _flags, _address = asked.recvmsg(
            LONGEST, _socket.CMSG_SPACE(4 * MOST_DESCRIPTORS), _socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            return
        received = [
            int.from_bytes(rights[at : at + 4], "little")
            for level, kind, rights in ancillary
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS
            for at in range(0, len(rights), 4)
        ]
        if os.fork() == 0:
            _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
            asked.close()
            message = files.loads(data.decode())
            assert isinstance(message, dict)
            waiting = iter(received)
            monitor_entry.begin(message["arguments"], [next(waiting) if bit else -1 for bit in message["given"]])
            os._exit(0)
        for descriptor in received:
            os.close(descriptor)
