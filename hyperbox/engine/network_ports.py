"""Host ports of a container: which ones, and holding them.

A published port is held by a socket that the container's monitor has bound, and for TCP listens on: taking it is atomic among all
processes, every other program sees that the port is in use, and it is free in the moment the monitor dies. No byte ever arrives there,
because packets are sent on to the container before they reach a socket (`network_rules`). So there is no claim to go stale and no proxy
process. A port of all addresses is the IPv6 addresses' as well, as with docker; for a container without one the monitor carries what comes
there (`relay`). Addresses in 127.89.0.0/16 are the projects' own: nothing is held there.
"""

from __future__ import annotations

import _socket
import os

from hyperbox.errors import EngineError, InvalidParameter
from hyperbox.kernel.links import packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.state import Container

    Json = dict[str, object]

PROJECT_ADDRESSES = "127.89."
ANY, ANY6 = "0.0.0.0", "::"
EPHEMERAL_TRIES = 16  # a port that is free on IPv4 may be taken on IPv6
NO_IPV6 = (97, 99)  # EAFNOSUPPORT, EADDRNOTAVAIL
KINDS = {"tcp": (_socket.SOCK_STREAM, 6), "udp": (_socket.SOCK_DGRAM, 17), "sctp": (_socket.SOCK_STREAM, 132)}


class Published:
    """One published port: host address and port, protocol, the port in the container, and the descriptor that holds it (-1: none)."""

    __slots__ = ("address", "container_port", "descriptor", "host_port", "protocol")

    def __init__(self, address: str, host_port: int, protocol: str, container_port: int, descriptor: int = -1) -> None:
        self.descriptor = descriptor
        self.address = address
        self.host_port = host_port
        self.protocol = protocol
        self.container_port = container_port


class Wish:
    """A port to publish: any of the host ports `first`..`last` (0: any that the kernel has free) on one address.

    `both`: the same port of all IPv6 addresses too, where the host has IPv6.
    """

    __slots__ = ("address", "both", "container_port", "first", "last", "protocol")

    def __init__(
        self, address: str, first: int, last: int, protocol: str, container_port: int, *, both: bool = False
    ) -> None:
        self.both = both and protocol != "sctp"
        self.address = address
        self.first = first
        self.last = last
        self.protocol = protocol
        self.container_port = container_port


def wishes(container: Container, default_address: str) -> list[Wish]:
    """Return what HostConfig.PortBindings and PublishAllPorts ask for; fixed ports come first, as they have no choice."""
    found: list[Wish] = []
    everywhere = default_address == ANY
    bindings = container.host_config.get("PortBindings")
    for name, entries in bindings.items() if isinstance(bindings, dict) else ():
        port, protocol = split(str(name))
        choices: list[dict[str, object]] = list(entries or [{}])
        for entry in choices:
            first, _, last = str(entry.get("HostPort") or "0").partition("-")
            given = str(entry.get("HostIp") or "")
            address = (given or default_address).strip("[]")
            found.append(Wish(address, int(first), int(last or first), protocol, port, both=everywhere and not given))
    if container.host_config.get("PublishAllPorts"):
        exposed = container.config.get("ExposedPorts")
        for name in exposed if isinstance(exposed, dict) else ():
            port, protocol = split(str(name))
            if not any(wish.container_port == port and wish.protocol == protocol for wish in found):
                found.append(Wish(default_address, 0, 0, protocol, port, both=everywhere))
    return sorted(found, key=lambda wish: (wish.first == 0 or wish.last > wish.first, wish.first))


def without_routed(wanted: list[Wish], routed4: bool, routed6: bool) -> tuple[list[Wish], list[Published]]:
    """Return the ports of the host that are still to be taken where a family is routed, and the ports of the container that are opened
    in the stead of the others, which have the host port 0."""
    kept: list[Wish] = []
    opened: list[Published] = []
    for wish in wanted:
        ipv6 = ":" in wish.address
        if wish.address.startswith(PROJECT_ADDRESSES) or not (routed6 if ipv6 else routed4 or (wish.both and routed6)):
            kept.append(wish)
            continue
        away = [wish.address] if (routed6 if ipv6 else routed4) else []
        if wish.both and routed6:
            away.append(ANY6)
        opened += [
            Published(ANY6 if ":" in address else ANY, 0, wish.protocol, wish.container_port) for address in away
        ]
        for address in (wish.address, *([ANY6] if wish.both else [])):
            if address not in away:
                kept.append(Wish(address, wish.first, wish.last, wish.protocol, wish.container_port))
    return kept, opened


def split(name: str) -> tuple[int, str]:
    """Return port and protocol of "80/tcp". Raises InvalidParameter."""
    port, _, protocol = name.partition("/")
    if not port.isdigit() or (protocol or "tcp") not in KINDS:
        raise InvalidParameter(f"invalid port specification: {name}")
    return int(port), protocol or "tcp"


def hold(address: str, protocol: str, port: int) -> tuple[int, int]:
    """Take a port for this process; returns the descriptor that holds it (-1 where nothing need be held) and the port.

    Port 0 takes one that the kernel has free. Raises OSError, EADDRINUSE where somebody has it.
    """
    if port and address.startswith(PROJECT_ADDRESSES):
        return -1, port
    ipv6 = ":" in address
    packed(address)
    kind, number = KINDS[protocol]
    try:
        holder = _socket.socket(_socket.AF_INET6 if ipv6 else _socket.AF_INET, kind | _socket.SOCK_CLOEXEC, number)
    except OSError as error:
        if (
            protocol == "sctp" and error.errno == 93 and port
        ):  # the host itself has no SCTP; its packets can be sent on all the same
            return -1, port
        raise
    try:
        if ipv6:
            holder.setsockopt(41, 26, 1)  # IPPROTO_IPV6, IPV6_V6ONLY
        if protocol == "tcp":
            holder.setsockopt(
                _socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1
            )  # connections in TIME_WAIT are no reason to refuse
        holder.bind((address, port))
        if protocol != "udp":
            holder.listen(0)  # with SO_REUSEADDR the second of two that were bound fails here
        port = holder.getsockname()[1]
    except BaseException:
        holder.close()
        raise
    return holder.detach(), port


def hold_all(wanted: list[Wish], allocated: Callable[[str, int, str], bool]) -> tuple[list[Published], list[int]]:
    """Take all ports, or none: returns what is published and the descriptors that hold it.

    `allocated(address, port, protocol)` says whether it is a container of ours that has a port. Raises EngineError with docker's words.
    """
    published: list[Published] = []
    try:
        for wish in wanted:
            published += _hold_one(wish, allocated)
    except BaseException:
        release(published)
        raise
    return published, [each.descriptor for each in published if each.descriptor >= 0]


def release(published: list[Published]) -> None:
    """Let go of what holds ports."""
    for each in published:
        if each.descriptor >= 0:
            os.close(each.descriptor)


def _hold_one(wish: Wish, allocated: Callable[[str, int, str], bool]) -> list[Published]:
    """Take one port that the wish allows, on its address and, where it wants both, on all IPv6 addresses."""
    refused: OSError | None = None
    address = wish.address
    for candidate in range(wish.first, wish.last + 1) if wish.first else [0] * EPHEMERAL_TRIES:
        held: list[Published] = []
        try:
            for address in (wish.address, ANY6) if wish.both else (wish.address,):
                descriptor, port = hold(address, wish.protocol, held[0].host_port if held else candidate)
                held.append(Published(address, port, wish.protocol, wish.container_port, descriptor))
        except OSError as error:
            if held and error.errno in NO_IPV6:
                return held
            release(held)
            refused = error
            continue
        return held
    assert refused is not None
    shown = f"[{address}]" if ":" in address else address
    if wish.last > wish.first:
        raise EngineError("all ports are allocated")
    if refused.errno == 98 and allocated(address, wish.first, wish.protocol):
        raise EngineError(f"Bind for {shown}:{wish.first} failed: port is already allocated")
    words = os.strerror(refused.errno or 0).lower()
    raise EngineError(f"failed to bind host port {shown}:{wish.first}/{wish.protocol}: {words}")
