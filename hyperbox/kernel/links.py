"""Requests about network links, addresses and routes, and what the kernel answers about them. Used with `netlink.Socket`.

Every maker is pure and returns the bytes of one request. rtnetlink(7), linux/if_link.h.
"""

from __future__ import annotations

import _socket

from hyperbox.kernel import netlink
from hyperbox.kernel.netlink import attribute, nested, number, request, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.kernel.netlink import Socket


def packed(address: str) -> bytes:
    """Return the 4 or 16 bytes of an IPv4 or IPv6 address; raises OSError for anything else."""
    return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)


def unpacked(data: bytes) -> str:
    """Return the text of an address of 4 or 16 bytes."""
    return _socket.inet_ntop(_socket.AF_INET6 if len(data) == 16 else _socket.AF_INET, data)


def _info(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return netlink._link.pack(0, 0, index, flags, change)


def _hardware(mac: str) -> bytes:
    return attribute(netlink.IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "").replace("-", ""))) if mac else b""


def _optional(kind: int, value: int) -> bytes:
    return number(kind, value) if value else b""


def bridge_add(name: str, *, group: int = 0, mtu: int = 0, mac: str = "") -> bytes:
    """A bridge, not up yet, in a link group, without the delay of spanning tree."""
    data = nested(netlink.IFLA_INFO_DATA, number(netlink.IFLA_BR_FORWARD_DELAY, 0))
    payload = (
        _info()
        + text(netlink.IFLA_IFNAME, name)
        + _hardware(mac)
        + _optional(netlink.IFLA_MTU, mtu)
        + _optional(netlink.IFLA_GROUP, group)
        + nested(netlink.IFLA_LINKINFO, text(netlink.IFLA_INFO_KIND, "bridge"), data)
    )
    return request(netlink.RTM_NEWLINK, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, payload)


def veth_add(
    name: str, peer: str, *, index: int = 0, master: int = 0, netns: int = -1, mac: str = "", mtu: int = 0
) -> bytes:
    """A veth pair: `name` here, up, a port of the bridge with index `master`; `peer` in the namespace behind `netns`.

    `index` is the peer's index there; given, nobody has to ask for it. Each side has one queue from the beginning: without being told, the
    kernel makes one for each processor, and waits for two RCU grace periods to use one of them, while nobody can change any link.
    """
    queues = number(netlink.IFLA_NUM_TX_QUEUES, 1) + number(netlink.IFLA_NUM_RX_QUEUES, 1)
    inside = (
        _info(index)
        + text(netlink.IFLA_IFNAME, peer)
        + _hardware(mac)
        + _optional(netlink.IFLA_MTU, mtu)
        + queues
        + (number(netlink.IFLA_NET_NS_FD, netns) if netns >= 0 else b"")
    )
    data = nested(netlink.IFLA_INFO_DATA, attribute(netlink.VETH_INFO_PEER | netlink.NLA_F_NESTED, inside))
    payload = (
        _info(0, netlink.IFF_UP, netlink.IFF_UP)
        + text(netlink.IFLA_IFNAME, name)
        + _optional(netlink.IFLA_MTU, mtu)
        + _optional(netlink.IFLA_MASTER, master)
        + queues
        + nested(netlink.IFLA_LINKINFO, text(netlink.IFLA_INFO_KIND, "veth"), data)
    )
    return request(netlink.RTM_NEWLINK, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, payload)


def stacked_add(name: str, kind: str, parent: int, data: Sequence[bytes], *, netns: int = -1, mac: str = "") -> bytes:
    """A link of `kind` (macvlan, ipvlan, vlan) over the link with index `parent`; `data` are the kind's own attributes."""
    payload = (
        _info()
        + text(netlink.IFLA_IFNAME, name)
        + _hardware(mac)
        + number(netlink.IFLA_LINK, parent)
        + (number(netlink.IFLA_NET_NS_FD, netns) if netns >= 0 else b"")
        + nested(netlink.IFLA_LINKINFO, text(netlink.IFLA_INFO_KIND, kind), nested(netlink.IFLA_INFO_DATA, *data))
    )
    return request(netlink.RTM_NEWLINK, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, payload)


def dummy_add(name: str) -> bytes:
    """A link without a wire, up."""
    info = nested(netlink.IFLA_LINKINFO, text(netlink.IFLA_INFO_KIND, "dummy"))
    payload = _info(0, netlink.IFF_UP, netlink.IFF_UP) + text(netlink.IFLA_IFNAME, name) + info
    return request(netlink.RTM_NEWLINK, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, payload)


def link_up(name: str) -> bytes:
    """Switch a link on."""
    payload = _info(0, netlink.IFF_UP, netlink.IFF_UP) + text(netlink.IFLA_IFNAME, name)
    return request(netlink.RTM_NEWLINK, 0, payload)


def link_without_ipv6(name: str) -> bytes:
    """Give a link no IPv6 link-local address; to be sent before it goes up."""
    mode = attribute(netlink.IFLA_INET6_ADDR_GEN_MODE, b"\1")
    family = nested(netlink.AF_INET6, mode)
    payload = _info() + text(netlink.IFLA_IFNAME, name) + nested(netlink.IFLA_AF_SPEC, family)
    return request(netlink.RTM_NEWLINK, 0, payload)


def port_isolate(name: str) -> bytes:
    """Let a bridge's port talk with no other isolated port of it."""
    data = nested(netlink.IFLA_INFO_SLAVE_DATA, attribute(netlink.IFLA_BRPORT_ISOLATED, b"\1"))
    info = nested(netlink.IFLA_LINKINFO, text(netlink.IFLA_INFO_SLAVE_KIND, "bridge"), data)
    return request(netlink.RTM_NEWLINK, 0, _info() + text(netlink.IFLA_IFNAME, name) + info)


def link_delete(name: str) -> bytes:
    """Take a link away."""
    return request(netlink.RTM_DELLINK, 0, _info() + text(netlink.IFLA_IFNAME, name))


def link_delete_index(index: int) -> bytes:
    """Take the link with an index away."""
    return request(netlink.RTM_DELLINK, 0, _info(index))


def address_add(index: int, address: str, prefix: int) -> bytes:
    """Give the link with `index` an address; an IPv6 one is usable at once (no duplicate address detection)."""
    data = packed(address)
    family, flags = (netlink.AF_INET6, netlink.IFA_F_NODAD) if len(data) == 16 else (netlink.AF_INET, 0)
    payload = (
        netlink._address.pack(family, prefix, flags, 0, index)
        + attribute(netlink.IFA_LOCAL, data)
        + attribute(netlink.IFA_ADDRESS, data)
    )
    if family == netlink.AF_INET and prefix < 31:
        host_bits = (1 << (32 - prefix)) - 1
        broadcast = (int.from_bytes(data, "big") | host_bits).to_bytes(4, "big")
        payload += attribute(netlink.IFA_BROADCAST, broadcast)
    return request(netlink.RTM_NEWADDR, netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE, payload)


def default_route_add(index: int, gateway: str = "", *, ipv6: bool = False, metric: int = 0) -> bytes:
    """The default route through `gateway`, or straight through the link with `index`."""
    family = netlink.AF_INET6 if ipv6 or ":" in gateway else netlink.AF_INET
    scope = 0 if gateway else 253
    payload = netlink._route.pack(
        family, 0, 0, 0, netlink.RT_TABLE_MAIN, netlink.RTPROT_BOOT, scope, netlink.RTN_UNICAST, 0
    )
    if gateway:
        payload += attribute(netlink.RTA_GATEWAY, packed(gateway))
    payload += number(netlink.RTA_OIF, index) + _optional(netlink.RTA_PRIORITY, metric)
    return request(netlink.RTM_NEWROUTE, netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE, payload)


def default_route_delete(*, ipv6: bool = False) -> bytes:
    """Take the default route away."""
    family = netlink.AF_INET6 if ipv6 else netlink.AF_INET
    payload = netlink._route.pack(family, 0, 0, 0, netlink.RT_TABLE_MAIN, 0, 255, 0, 0)
    return request(netlink.RTM_DELROUTE, 0, payload)


class Link:
    """What the kernel says of a link: index, name, group, flags, and its master's index (0: none)."""

    __slots__ = ("flags", "group", "index", "mac", "master", "name")

    def __init__(self, payload: bytes) -> None:
        found = netlink.attributes(payload, 16)
        _, _, self.index, self.flags, _ = netlink._link.unpack_from(payload)
        self.name = found.get(netlink.IFLA_IFNAME, b"").rstrip(b"\0").decode()
        self.group = int.from_bytes(found.get(netlink.IFLA_GROUP, b""), "little")
        self.master = int.from_bytes(found.get(netlink.IFLA_MASTER, b""), "little")
        self.mac = ":".join(f"{byte:02x}" for byte in found.get(netlink.IFLA_ADDRESS, b""))


def links(route: Socket) -> list[Link]:
    """Return all links of the socket's namespace."""
    return [Link(payload) for payload in route.dump(netlink.RTM_GETLINK, _info())]


def link_index(name: str) -> int:
    """Return the index of a link of this thread's namespace, or 0 when there is none."""
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        return 0


def routes(route: Socket) -> list[tuple[str, int]]:
    """Return (network, prefix length) of every route that says more than "default", in all tables but the local one."""
    found: list[tuple[str, int]] = []
    for family in (netlink.AF_INET, netlink.AF_INET6):
        payload = netlink._route.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        try:
            answers = route.dump(netlink.RTM_GETROUTE, payload)
        except OSError:  # no IPv6
            continue
        for answer in answers:
            _, length, _, _, table, _, _, kind, _ = netlink._route.unpack_from(answer)
            target = netlink.attributes(answer, 12).get(netlink.RTA_DST)
            if target is not None and length and table != 255 and kind == netlink.RTN_UNICAST:
                found.append((unpacked(target), length))
    return found
