"""What comes to an IPv6 address of the host for a container that has an IPv4 address only, carried by the container's monitor.

nftables can't send a packet of one family to an address of the other, so here, and only here, a published port has a process behind it: the socket
that holds the port takes TCP connections, each is joined to one to the container; or UDP datagrams, each sender's have a socket of their own.
Everything is done in the monitor's loop and never blocks it.
"""

from __future__ import annotations

import _socket
import os

from hyperbox.engine.monitor_loop import READ, WRITE, Loop

MOST = 200  # connections at once; more wait in the socket's queue. Senders of datagrams: the one longest silent is forgotten
BURST = 64  # datagrams taken in one turn of the loop
QUEUE = 128
CHUNK = 65536


def begin_relay(loop: Loop, descriptor: int, protocol: str, address: str, port: int) -> None:
    """Carry what comes to the socket `descriptor` to a container's address and port, from now to the end of the process."""
    kind = Datagrams if protocol == "udp" else Relay
    kind(loop, descriptor, address, port)


class Datagrams:
    """One published UDP port; see udp(7)."""

    __slots__ = ("_loop", "_senders", "_socket", "_target")

    def __init__(self, loop: Loop, descriptor: int, address: str, port: int) -> None:
        self._loop = loop
        self._target = (address, port)
        self._senders: dict[tuple[object, ...], _socket.socket] = {}  # the one heard last is last
        self._socket = _socket.socket(fileno=os.dup(descriptor))
        self._socket.setblocking(False)
        loop.watch(self._socket.fileno(), READ, self._arrived)

    def _arrived(self, _events: int) -> None:
        for _ in range(BURST):
            try:
                data, sender = self._socket.recvfrom(CHUNK)
                self._outward(sender).send(data)
            except BlockingIOError:
                return
            except OSError:  # nobody listens in the container: datagrams may be lost
                continue

    def _outward(self, sender: tuple[object, ...]) -> _socket.socket:
        outward = self._senders.pop(sender, None)
        if outward is None:
            if len(self._senders) >= MOST:
                oldest = self._senders.pop(next(iter(self._senders)))
                self._loop.unwatch(oldest.fileno())
                oldest.close()
            outward = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
            outward.connect(self._target)
            self._loop.watch(outward.fileno(), READ, lambda _events: self._answered(outward, sender))
        self._senders[sender] = outward
        return outward

    def _answered(self, outward: _socket.socket, sender: tuple[object, ...]) -> None:
        try:
            self._socket.sendto(outward.recv(CHUNK), sender)
        except OSError:
            return


class Relay:
    """One published port: the listening descriptor that holds it, and where its connections go."""

    __slots__ = ("_listener", "_loop", "_pairs", "_target")

    def __init__(self, loop: Loop, descriptor: int, address: str, port: int) -> None:
        self._loop = loop
        self._target = (address, port)
        self._pairs = 0
        self._listener = _socket.socket(fileno=os.dup(descriptor))
        self._listener.setblocking(False)
        self._listener.listen(QUEUE)
        loop.watch(self._listener.fileno(), READ, self._accept)

    def _accept(self, _events: int) -> None:
        try:
            client, _ = self._listener._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        outward = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        os.set_blocking(client, False)
        try:
            outward.connect(self._target)
        except BlockingIOError:
            pass
        except OSError:
            outward.close()
            os.close(client)
            return
        Pair(self._loop, _socket.socket(fileno=client), outward, self._ended)
        self._pairs += 1
        if self._pairs >= MOST:
            self._loop.unwatch(self._listener.fileno())

    def _ended(self) -> None:
        self._pairs -= 1
        if self._pairs == MOST - 1:
            self._loop.watch(self._listener.fileno(), READ, self._accept)


class Side:
    """One end of a connection: what is still to be written to it, and whether the other end has said all."""

    __slots__ = ("closing", "open", "pending", "socket")

    def __init__(self, socket: _socket.socket) -> None:
        self.socket = socket
        self.pending = b""
        self.closing = False
        self.open = True  # may still say something


class Pair:
    """Two joined connections."""

    __slots__ = ("_ended", "_loop", "_sides")

    def __init__(self, loop: Loop, client: _socket.socket, outward: _socket.socket, ended: object) -> None:
        self._loop = loop
        self._ended = ended
        self._sides = (Side(client), Side(outward))
        self._watch()

    def _watch(self) -> None:
        """Watch each side for what is of use now; end where nothing is left to do."""
        one, other = self._sides
        if not (one.open or other.open or one.pending or other.pending):
            self._end()
            return
        for side, peer in ((one, other), (other, one)):
            events = (READ if side.open and not peer.pending else 0) | (WRITE if side.pending else 0)
            descriptor = side.socket.fileno()
            if not events:  # or else its hanging up would be told over and over
                self._loop.unwatch(descriptor)
                continue
            self._loop.watch(descriptor, events, lambda _events, side=side, peer=peer: self._ready(side, peer))  # type: ignore[misc]

    def _ready(self, side: Side, peer: Side) -> None:
        try:
            if side.pending:
                side.pending = side.pending[side.socket.send(side.pending, _socket.MSG_NOSIGNAL) :]
                if side.closing and not side.pending:
                    side.socket.shutdown(_socket.SHUT_WR)
            if side.open and not peer.pending:
                self._read(side, peer)
        except BlockingIOError:
            pass
        except OSError:
            self._end()
            return
        self._watch()

    def _read(self, side: Side, peer: Side) -> None:
        data = side.socket.recv(CHUNK)
        if data:
            peer.pending = data
            return
        side.open = False
        peer.closing = True
        if not peer.pending:
            peer.socket.shutdown(_socket.SHUT_WR)

    def _end(self) -> None:
        for side in self._sides:
            self._loop.unwatch(side.socket.fileno())
            side.socket.close()
        assert callable(self._ended)
        self._ended()
