"""nftables: whole tables as text through nft(8), once; elements of maps and sets, and one small table, as raw nfnetlink, for every container.

An element costs 0.1 ms this way and a call of `nft` 4 ms, so the rules are laid so that only elements come and go. Here belong
messages; which tables and maps there are is `engine/network_rules.py`'s matter. linux/netfilter/nf_tables.h. Linux only. Hot paths use it.
"""

from __future__ import annotations

import os
from _struct import Struct

from hyperbox.errors import EngineError
from hyperbox.kernel.netlink import NETLINK_NETFILTER, NLMSG_ERROR, Socket, attribute, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ENOENT, EEXIST = 2, 17

_NFNL_BATCH_BEGIN, _NFNL_BATCH_END = 16, 17
_NFT = 10 << 8
_NEWSETELEM, _DELSETELEM = _NFT | 12, _NFT | 14
_NEWTABLE, _NEWCHAIN, _GETCHAIN, _NEWRULE = _NFT, _NFT | 3, _NFT | 4, _NFT | 6
_REQUEST, _ACK, _CREATE, _APPEND = 1, 4, 0x400, 0x800
# nfgenmsg: the family (NFPROTO_INET, NFPROTO_IPV4), version 0, no resource
_INET, _IPV4 = b"\1\0\0\0", b"\2\0\0\0"

_header = Struct("=IHHII")


class Element:
    """One element: of a set (`value` is None) or a map. Keys and values as `field` and `concatenation` make them."""

    __slots__ = ("holder", "key", "value")

    def __init__(self, holder: str, key: bytes, value: bytes | None = None) -> None:
        self.holder = holder
        self.key = key
        self.value = value


def concatenation(*fields: bytes) -> bytes:
    """Return fields joined as nftables joins them: each padded to 4 bytes."""
    return b"".join(field + b"\0" * (-len(field) & 3) for field in fields)


def port(number: int) -> bytes:
    """Return a port as a field."""
    return number.to_bytes(2, "big")


def interface(name: str) -> bytes:
    """Return an interface's name as a field."""
    return name.encode().ljust(16, b"\0")


def _message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return _header.pack(16 + len(payload), kind, flags, sequence, 0) + payload


def _element_payload(table: str, element: Element, *, with_value: bool) -> bytes:
    parts = nested(1, attribute(1, element.key))
    if with_value and element.value is not None:
        parts += nested(2, attribute(1, element.value))
    return (
        _INET
        + attribute(1, table.encode() + b"\0")
        + attribute(2, element.holder.encode() + b"\0")
        + nested(3, nested(1, parts))
    )


class Rules:
    """The elements of one table of the family inet, through one socket of this thread's network namespace."""

    __slots__ = ("_sequence", "_socket", "table")

    def __init__(self, table: str) -> None:
        """Open the socket. Raises EngineError where the kernel has no netfilter."""
        self.table = table
        try:
            self._socket = Socket(NETLINK_NETFILTER)
        except OSError as error:
            raise EngineError(
                f"failed to set up networking: the kernel has no nftables: {os.strerror(error.errno or 0).lower()}",
                hint="load the kernel's module: modprobe nf_tables",
            ) from None
        self._sequence = 1

    def close(self) -> None:
        """Close the socket; right after a deletion the kernel may take 9 ms over it."""
        self._socket.close()

    def has_chain(self, name: str) -> bool:
        """Return whether the table has a chain of this name."""
        names = attribute(1, self.table.encode() + b"\0") + attribute(3, name.encode() + b"\0")
        return self._socket.get(_GETCHAIN, _INET + names) is not None

    def _commit(self, messages: Sequence[tuple[int, int, bytes]]) -> list[int]:
        """Do all `messages` in one transaction and return each one's errno; nothing was done unless all are 0."""
        first = self._sequence
        batch = [_message(_NFNL_BATCH_BEGIN, _REQUEST, first, b"\0\0\0\x0a")]
        for number, (kind, flags, payload) in enumerate(messages, first + 1):
            batch.append(_message(kind, _REQUEST | _ACK | flags, number, payload))
        last = first + len(messages) + 1
        batch.append(_message(_NFNL_BATCH_END, _REQUEST, last, b"\0\0\0\x0a"))
        self._sequence = last + 1
        self._socket.raw_send(b"".join(batch))
        results: dict[int, int] = {}
        while len(results) < len(messages):
            for kind, _, sequence, payload in self._socket.receive():
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                code = -int.from_bytes(payload[:4], "little", signed=True)
                if sequence in (first, last) and code:
                    raise OSError(code, os.strerror(code), "nftables")
                if first < sequence < last:
                    results[sequence] = results.get(sequence) or code
        return [results[number] for number in range(first + 1, last)]

    def add(self, elements: Sequence[Element]) -> None:
        """Add elements in one transaction; one whose key is there already with another value is replaced.

        Raises OSError; ENOENT means that the table is not there, and nothing was added.
        """
        if not elements:
            return
        adding = [(_NEWSETELEM, _CREATE, _element_payload(self.table, each, with_value=True)) for each in elements]
        results = self._commit(adding)
        if EEXIST in results:
            stale = [
                (_DELSETELEM, 0, _element_payload(self.table, each, with_value=False))
                for each, code in zip(elements, results, strict=True)
                if code == EEXIST
            ]
            results = self._commit([*stale, *adding])
        for code in results:
            if code:
                raise OSError(code, os.strerror(code), f"nftables table {self.table}")

    def remove(self, elements: Sequence[Element]) -> None:
        """Remove elements; those that are not there are no error."""
        for each in elements:  # one by one: a missing one would undo the whole transaction
            (code,) = self._commit([(_DELSETELEM, 0, _element_payload(self.table, each, with_value=False))])
            if code not in (0, ENOENT):
                raise OSError(code, os.strerror(code), f"nftables table {self.table}")


def redirect(table: str, address: bytes, ports: Sequence[tuple[int, int, int]]) -> None:
    """Lead what this network namespace itself sends to an address to other ports of it; `ports`: protocol, port, the port instead.

    One table of the family ip in one transaction, as this script of nft(8) makes it in 4 ms more:

        table ip TABLE { chain output { type nat hook output priority -100;
          ip daddr ADDRESS udp dport PORT dnat to ADDRESS:INSTEAD } }

    Raises EngineError where the kernel has no netfilter, OSError for what it refuses; then nothing was done.
    """
    named, chain = attribute(1, table.encode() + b"\0"), b"output\0"
    hook = nested(4, _wide(1, 3), _wide(2, -100 & 0xFFFFFFFF))  # NF_INET_LOCAL_OUT
    messages = [
        (_NEWTABLE, _CREATE, _IPV4 + named + _wide(2, 0)),
        (_NEWCHAIN, _CREATE, _IPV4 + named + attribute(3, chain) + hook + _wide(5, 1) + attribute(7, b"nat\0")),
    ]
    for protocol, wanted, instead in ports:
        expressions = nested(4, *_redirecting(address, protocol, wanted, instead))
        messages.append((_NEWRULE, _CREATE | _APPEND, _IPV4 + named + attribute(2, chain) + expressions))
    rules = Rules(table)
    try:
        for code in rules._commit(messages):
            if code:
                raise OSError(code, os.strerror(code), f"nftables table {table}")
    finally:
        rules.close()


def _redirecting(address: bytes, protocol: int, wanted: int, instead: int) -> tuple[bytes, ...]:
    """Return the expressions of one rule of `redirect`; registers 1 and 2 hold 16 bytes each."""
    return (
        _expression(b"payload", _wide(1, 1), _wide(2, 1), _wide(3, 16), _wide(4, 4)),  # network header: the destination
        _equals(address),
        _expression(b"meta", _wide(1, 1), _wide(2, 16)),  # NFT_META_L4PROTO
        _equals(bytes([protocol])),
        _expression(b"payload", _wide(1, 1), _wide(2, 2), _wide(3, 2), _wide(4, 2)),  # transport header: the port
        _equals(port(wanted)),
        _expression(b"immediate", _wide(1, 1), nested(2, attribute(1, address))),
        _expression(b"immediate", _wide(1, 2), nested(2, attribute(1, port(instead)))),
        _expression(
            b"nat", _wide(1, 1), _wide(2, 2), _wide(3, 1), _wide(5, 2)
        ),  # NFT_NAT_DNAT, family, address and port from
    )


def _expression(name: bytes, *parts: bytes) -> bytes:
    return nested(1, attribute(1, name + b"\0"), nested(2, *parts))


def _equals(data: bytes) -> bytes:
    """Return what compares register 1 with a value."""
    return _expression(b"cmp", _wide(1, 1), _wide(2, 0), nested(3, attribute(1, data)))


def _wide(kind: int, value: int) -> bytes:
    """Return a number as nftables has it: four bytes, the highest first."""
    return attribute(kind, value.to_bytes(4, "big"))


def load(script: str) -> None:
    """Give nft(8) a script: all of it is done, or nothing. Raises EngineError with nft's own words."""
    from hyperbox import process

    try:
        done = process.run(["nft", "-f", "-"], input=script.encode(), timeout=30)
    except FileNotFoundError:
        raise EngineError(
            "failed to set up networking: the program nft is not installed", hint="install the package nftables"
        ) from None
    if done.code:
        raise EngineError(f"failed to set up networking: nft: {done.err.decode('utf-8', 'replace').strip()}")
