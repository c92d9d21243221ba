"""The nftables table of one set of roots: its rules, laid once, and the elements that publish a port.

What a bridge is allowed stands in its link group, `GROUP | flags`, so the rules know a bridge without naming it and nothing is
left in them when it goes:

    bits 31-16  "HB"        bits 15-8  which roots (a hash of their cgroup's name)
    bit 0       INTERNAL: nothing goes in or out      bit 1  PLAIN: its traffic keeps its own source address
    bits 2, 3   ROUTED4, ROUTED6: so does that of a family, and published ports are reached at the container's own address, from anywhere
    bits 4, 5   OPEN4, OPEN6: all ports of its containers are reached at their own addresses, but not from other bridges of ours

Rules, in words: a packet to a local address whose port is published gets the container's address instead (on its way in, and when
it is made here); what leaves a bridge of ours for elsewhere gets the host's address; nothing crosses from one of our bridges to
another nor from outside to an unpublished port; 127.0.0.0/8 can't be reached from a bridge (which `route_localnet`, needed for
publishing on 127.0.0.1, would otherwise allow). The table goes through `nft` in 5 ms, once; whether it is there is asked for each
time in 0.03 ms, because firewalls may flush everything.
"""

from __future__ import annotations

import os

from hyperbox.kernel import links
from hyperbox.kernel.nftables import Element, Rules, concatenation, interface, load, port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.state import Roots

INTERNAL = 1
PLAIN = 2
ROUTED4, ROUTED6 = 4, 8
OPEN4, OPEN6 = 16, 32

VERSION = "version_3"
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
# The loopback addresses of projects lie here: what is not published on one of them is not published there at all.
ADDRESSES = "127.89.0.0/16"

_TABLE = """\
table inet {table}
delete table inet {table}
table inet {table} {{
  map published4 {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
  map published4_any {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
  map published6 {{ type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }}
  map published6_any {{ type inet_proto . inet_service : ipv6_addr . inet_service; }}
  set bridges {{ type ifname . ifname; }}
  set trusted {{ type ifname . ifname; }}
  set open4 {{ type ipv4_addr . inet_proto . inet_service; }}
  set open6 {{ type ipv6_addr . inet_proto . inet_service; }}
  chain published {{
    dnat ip to ip daddr . meta l4proto . th dport map @published4
    ip daddr {addresses} return
    dnat ip to meta l4proto . th dport map @published4_any
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6
    dnat ip6 to meta l4proto . th dport map @published6_any
  }}
  chain loopback {{
    type filter hook prerouting priority raw; policy accept;
    iifgroup & 0xffffff00 == {group} ip daddr 127.0.0.0/8 drop
  }}
  chain prerouting {{
    type nat hook prerouting priority -100; policy accept;
    meta l4proto {{ tcp, udp, sctp }} fib daddr type local jump published
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    meta l4proto {{ tcp, udp, sctp }} fib daddr type local jump published
  }}
  chain addresses {{
    type filter hook output priority 0; policy accept;
    ip daddr {addresses} meta l4proto tcp reject with tcp reset
    ip daddr {addresses} reject
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    oifgroup & 0xffffff00 == {group} ct status dnat iifgroup & 0xffffff00 == {group} masquerade
    oifgroup & 0xffffff00 == {group} ip saddr 127.0.0.0/8 masquerade
    meta nfproto ipv4 iifgroup & 0xffffff06 == {group} oifgroup & 0xffffff00 != {group} masquerade
    meta nfproto ipv6 iifgroup & 0xffffff0a == {group} oifgroup & 0xffffff00 != {group} masquerade
  }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifgroup & 0xffffff00 == {group} jump ours
    oifgroup & 0xffffff00 == {group} jump ours
  }}
  chain opened {{
    meta l4proto {{ icmp, ipv6-icmp }} accept
    ip daddr . meta l4proto . th dport @open4 accept
    ip6 daddr . meta l4proto . th dport @open6 accept
  }}
  chain ours {{
    iifname . oifname @bridges accept
    iifgroup & 0xffffff01 == {group_internal} drop
    oifgroup & 0xffffff01 == {group_internal} drop
    ct state established,related accept
    ct status dnat accept
    meta nfproto ipv4 oifgroup & 0xffffff04 == {group_routed4} jump opened
    meta nfproto ipv6 oifgroup & 0xffffff08 == {group_routed6} jump opened
    iifname . oifname @trusted jump opened
    meta nfproto ipv4 oifgroup & 0xffffff10 == {group_open4} iifgroup & 0xffffff00 != {group} accept
    meta nfproto ipv6 oifgroup & 0xffffff20 == {group_open6} iifgroup & 0xffffff00 != {group} accept
    oifgroup & 0xffffff00 == {group} drop
    accept
  }}
  chain {version} {{ }}
}}
"""


def table_name(roots: Roots) -> str:
    """Return the name of the roots' table."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in roots.cgroup)


def group(roots: Roots, flags: int = 0) -> int:
    """Return the link group of a bridge of these roots."""
    total = 0
    for byte in roots.cgroup.encode():
        total = (total * 31 + byte) % 251
    return 0x48420000 | (total + 1) << 8 | flags


def table_text(roots: Roots) -> str:
    """Return the whole table as a script for nft(8) that replaces an older one."""
    own = group(roots)
    return _TABLE.format(
        table=table_name(roots),
        group=f"{own:#x}",
        group_internal=f"{own | INTERNAL:#x}",
        group_routed4=f"{own | ROUTED4:#x}",
        group_routed6=f"{own | ROUTED6:#x}",
        group_open4=f"{own | OPEN4:#x}",
        group_open6=f"{own | OPEN6:#x}",
        version=VERSION,
        addresses=ADDRESSES,
    )


def published(host_address: str, protocol: str, host_port: int, address: str, container_port: int) -> Element:
    """Return the element that publishes a port; "0.0.0.0" and "::" mean every address of the host."""
    target = concatenation(links.packed(address), port(container_port))
    version = "6" if ":" in host_address else "4"
    service = (bytes([PROTOCOLS[protocol]]), port(host_port))
    if host_address in ("0.0.0.0", "::"):
        return Element(f"published{version}_any", concatenation(*service), target)
    return Element(f"published{version}", concatenation(links.packed(host_address), *service), target)


def opened(protocol: str, address: str, container_port: int) -> Element:
    """Return the element that lets packets reach a port at the container's own address, on networks where that is done."""
    version = "6" if ":" in address else "4"
    return Element(
        f"open{version}", concatenation(links.packed(address), bytes([PROTOCOLS[protocol]]), port(container_port))
    )


def trusted(link: str, name: str) -> Element:
    """Return the element that lets packets from a link of the host's reach opened ports on a bridge."""
    return Element("trusted", concatenation(interface(link), interface(name)))


def bridge(name: str) -> Element:
    """Return the element that lets packets pass between ports of a bridge (seen by rules under br_netfilter only)."""
    return Element("bridges", concatenation(interface(name), interface(name)))


def ensure(roots: Roots, rules: Rules) -> bool:
    """Lay the table where it is missing or older; return whether that was needed (its elements are gone then).

    Concurrent calls are serialised by the lock RUN/networks.lock, which the caller must not hold.
    """
    if rules.has_chain(VERSION):
        return False
    from hyperbox import files
    from hyperbox.engine import network_firewalls

    with files.Lock(f"{roots.run}/networks.lock"):
        if rules.has_chain(VERSION):
            return False
        load(table_text(roots))
        switch_forwarding_on(roots)
        network_firewalls.accept(roots, group(roots))
    return True


def sysctl(path: str, value: str) -> bool:
    """Set /proc/sys/PATH; return whether it holds the value now."""
    try:
        with open(f"/proc/sys/{path}", "r+b", buffering=0) as file:
            if file.read(64).strip() == value.encode():
                return True
            file.seek(0)
            file.write(value.encode())
    except OSError:
        return False
    return True


def switch_forwarding_on(roots: Roots) -> None:
    """Let the host forward packets, and record in RUN/forwarding what we changed ("ipv4", "ipv6"), one a line."""
    changed = []
    for name, path in (("ipv4", "net/ipv4/ip_forward"), ("ipv6", "net/ipv6/conf/all/forwarding")):
        try:
            with open(f"/proc/sys/{path}", "rb") as file:
                before = file.read().strip()
        except OSError:
            continue
        if before == b"0" and sysctl(path, "1"):
            changed.append(name)
    if changed:
        with open(f"{roots.run}/forwarding", "a") as file:
            file.write("".join(f"{name}\n" for name in changed))


def remove_table(roots: Roots) -> None:
    """Take the table away, with everything in it."""
    name = table_name(roots)
    load(f"table inet {name}\ndelete table inet {name}\n")


def add(rules: Rules, elements: Sequence[Element]) -> None:
    """Add elements in one transaction."""
    rules.add(elements)


def route_localnet(name: str) -> None:
    """Let packets from 127.0.0.0/8 leave through a bridge, where they get its address as their source."""
    if not sysctl(f"net/ipv4/conf/{name}/route_localnet", "1"):
        raise OSError(1, os.strerror(1), f"/proc/sys/net/ipv4/conf/{name}/route_localnet")
