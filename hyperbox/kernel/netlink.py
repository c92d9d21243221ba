"""rtnetlink: links, addresses and routes, without a library (pyroute2 costs 114 ms to import). rtnetlink(7), netlink(7).

A request is bytes, made by a pure function; `Socket.send` passes any number of them to the kernel in one system call, in order, and
raises the first refusal. Here belong messages and their answers; what networks look like is `engine/network*.py`'s matter. Linux only.
Hot paths use it: `_socket` and `_struct` only.
"""

from __future__ import annotations

import _socket
import os
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 1
NLM_F_ACK = 4
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800
NLA_F_NESTED = 0x8000

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26

IFF_UP = 1

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_AF_SPEC, IFLA_GROUP, IFLA_NET_NS_FD, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 26, 27, 28, 31, 32
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_INET6_ADDR_GEN_MODE = 8
IFLA_BRPORT_ISOLATED = 33
VETH_INFO_PEER = 1
IFLA_MACVLAN_MODE = 1
IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS = 1, 2
IFLA_VLAN_ID = 1
IFLA_BR_FORWARD_DELAY = 1

IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
IFA_F_NODAD = 2

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_TABLE = 1, 4, 5, 6, 15
RT_TABLE_MAIN = 254
RTPROT_BOOT, RTPROT_STATIC = 3, 4
RTN_UNICAST = 1

AF_INET, AF_INET6 = 2, 10

_header = Struct("=IHHII")
_attribute = Struct("=HH")
_link = Struct("=BxHiII")
_address = Struct("=BBBBi")
_route = Struct("=BBBBBBBBI")
_word = Struct("=I")


def attribute(kind: int, data: bytes) -> bytes:
    """Return one attribute: length, type, data, padding to 4 bytes."""
    size = len(data) + 4
    return _attribute.pack(size, kind) + data + b"\0" * (-size & 3)


def number(kind: int, value: int) -> bytes:
    """Return an attribute that holds 32 bits."""
    return _attribute.pack(8, kind) + _word.pack(value)


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds a string with its end."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def request(kind: int, flags: int, payload: bytes) -> bytes:
    """Return a message that asks for an acknowledgement; `Socket.send` fills in its sequence number."""
    return _header.pack(16 + len(payload), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 0, 0) + payload


def attributes(data: bytes, position: int = 0) -> dict[int, bytes]:
    """Return the attributes in `data` from `position` on by their type; of several of one type the last."""
    found: dict[int, bytes] = {}
    end = len(data)
    while position + 4 <= end:
        size, kind = _attribute.unpack_from(data, position)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[position + 4 : position + size]
        position += (size + 3) & ~3
    return found


class Socket:
    """A netlink socket of the network namespace that the calling thread is in; it may be used from any thread then.

    Errors are OSError with the kernel's errno and, as its file name, what was refused.
    """

    __slots__ = ("_sequence", "_socket")

    def __init__(self, family: int = NETLINK_ROUTE) -> None:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, family)
        self._socket.bind((0, 0))
        self._socket.setsockopt(270, 11, 1)  # SOL_NETLINK, NETLINK_EXT_ACK: the kernel's own words in a refusal
        self._sequence = 1

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, requests: Sequence[bytes], *, tolerate: tuple[int, ...] = ()) -> list[int]:
        """Do `requests` in order and return each one's errno (0: done), raising those that `tolerate` does not name.

        A refused one does not stop those after it. Raises OSError for the first that is refused.
        """
        first = self._sequence
        parts: list[bytes] = []
        for message in requests:
            parts += (message[:8], _word.pack(self._sequence), message[12:])
            self._sequence += 1
        self._socket.send(b"".join(parts))
        results: list[int] = []
        refused: OSError | None = None
        while len(results) < len(requests):
            for kind, flags, sequence, payload in self._receive():
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                code = -int.from_bytes(payload[:4], "little", signed=True)
                results.append(code)
                if code and code not in tolerate and refused is None:
                    refused = OSError(code, _reason(code, flags, payload), describe(requests[sequence - first]))
        if refused is not None:
            raise refused
        return results

    def dump(self, kind: int, payload: bytes) -> list[bytes]:
        """Ask for all objects of a kind and return their payloads (without the netlink header). Raises OSError."""
        self._sequence += 1
        flags = NLM_F_REQUEST | NLM_F_DUMP
        self._socket.send(_header.pack(16 + len(payload), kind, flags, self._sequence, 0) + payload)
        found: list[bytes] = []
        while True:
            for answer, _, sequence, data in self._receive():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return found
                if answer == NLMSG_ERROR:
                    code = -int.from_bytes(data[:4], "little", signed=True)
                    raise OSError(code, os.strerror(code))
                found.append(data)

    def get(self, kind: int, payload: bytes) -> bytes | None:
        """Ask for one object and return its payload, or None where there is none (ENOENT, ENODEV). Raises OSError for any other refusal."""
        self._sequence += 1
        self._socket.send(_header.pack(16 + len(payload), kind, NLM_F_REQUEST, self._sequence, 0) + payload)
        while True:
            for answer, _, sequence, data in self._receive():
                if sequence != self._sequence:
                    continue
                if answer != NLMSG_ERROR:
                    return data
                code = -int.from_bytes(data[:4], "little", signed=True)
                if code in (2, 19):
                    return None
                raise OSError(code, os.strerror(code))

    def raw_send(self, data: bytes) -> None:
        """Send bytes that hold whole messages, their sequence numbers set."""
        self._socket.send(data)

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield (type, flags, sequence, payload) of the messages in the next datagram."""
        data = self._socket.recv(1 << 16)
        position = 0
        while position + 16 <= len(data):
            size, kind, flags, sequence, _ = _header.unpack_from(data, position)
            if size < 16:
                return
            yield kind, flags, sequence, data[position + 16 : position + size]
            position += (size + 3) & ~3

    def receive(self) -> list[tuple[int, int, int, bytes]]:
        """Return the messages of the next datagram as (type, flags, sequence, payload)."""
        return list(self._receive())


def _reason(code: int, flags: int, payload: bytes) -> str:
    """Return the kernel's explanation of a refusal (extended acknowledgement), or what errno says."""
    said = ""
    if flags & 0x200:  # NLM_F_ACK_TLVS: attributes follow the request's header (or the whole request)
        start = 20 if flags & 0x100 else 4 + int.from_bytes(payload[4:8], "little")
        message = attributes(payload, (start + 3) & ~3).get(1, b"")
        said = message.rstrip(b"\0").decode("utf-8", "replace")
    return f"{os.strerror(code)} ({said})" if said else os.strerror(code)


def describe(message: bytes) -> str:
    """Return what a request is, in a few words, for errors."""
    kind = int.from_bytes(message[4:6], "little")
    names = {16: "link add", 17: "link delete", 19: "link set", 20: "address add", 24: "route add", 25: "route delete"}
    name = names.get(kind, f"netlink request {kind}")
    if kind in (16, 17, 19):
        found = attributes(message, 32).get(IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "replace")
        return f"{name} {found}".rstrip()
    return name
