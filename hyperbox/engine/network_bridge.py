"""The bridge of a network, and a container's link to it."""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine import network_rules, network_store
from hyperbox.kernel import links, netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Roots
    from hyperbox.kernel.netlink import Socket
    from hyperbox.kernel.nftables import Element, Rules

    Json = dict[str, object]

OPTION = "com.docker.network."


def option(record: Json, name: str, default: str = "") -> str:
    """Return one of a network's driver options by its name after "com.docker.network."."""
    options = record.get("Options")
    return str(options.get(OPTION + name, default)) if isinstance(options, dict) else default


def is_on(record: Json, name: str, default: bool) -> bool:
    """Return whether a boolean driver option is on."""
    return option(record, name, "true" if default else "false").lower() in ("true", "1", "t")


def has_gateway(record: Json, *, ipv6: bool) -> bool:
    """Return whether the bridge has an address of a family."""
    if not ipv6 and is_on(record, "bridge.inhibit_ipv4", False):
        return False
    return gateway_mode(record, ipv6=ipv6) != "isolated"


def gateway_mode(record: Json, *, ipv6: bool) -> str:
    """Return how a family leaves the network: "nat", "nat-unprotected", "routed" or "isolated"."""
    return option(record, f"bridge.gateway_mode_ipv{'6' if ipv6 else '4'}", "nat")


def trusted_links(record: Json) -> list[str]:
    """Return the host's links from which packets may reach published ports at the containers' own addresses."""
    return [name for name in option(record, "bridge.trusted_host_interfaces").split(":") if name]


def group_flags(record: Json) -> int:
    """Return the bits of the bridge's link group; see `network_rules`."""
    flags = network_rules.INTERNAL if record["Internal"] else 0
    if not is_on(record, "bridge.enable_ip_masquerade", True):
        flags |= network_rules.PLAIN
    for ipv6, routed, opened in (
        (False, network_rules.ROUTED4, network_rules.OPEN4),
        (True, network_rules.ROUTED6, network_rules.OPEN6),
    ):
        flags |= {"routed": routed, "nat-unprotected": opened}.get(gateway_mode(record, ipv6=ipv6), 0)
    return flags


def elements(record: Json) -> list[Element]:
    """Return the elements of sets that a bridge has in our table."""
    name = str(record["Bridge"])
    return [network_rules.bridge(name), *(network_rules.trusted(link, name) for link in trusted_links(record))]


def mtu(record: Json) -> int:
    """Return the network's MTU, 0 for the kernel's default."""
    text = option(record, "driver.mtu")
    return int(text) if text.isdigit() else 0


def find_link(route: Socket, name: str) -> links.Link | None:
    """Return a link by its name, or None."""
    payload = route.get(netlink.RTM_GETLINK, links._info() + netlink.text(netlink.IFLA_IFNAME, name))
    return None if payload is None else links.Link(payload)


def ensure(roots: Roots, record: Json, route: Socket, rules: Rules) -> int:
    """Return the index of the network's bridge, making the bridge where it is missing or half-made (it goes up last)."""
    name = str(record["Bridge"])
    link = find_link(route, name)
    if link is not None and link.flags & netlink.IFF_UP:
        return int(link.index)
    with files.Lock(f"{roots.run}/networks/lock"):
        link = find_link(route, name)
        if link is not None and link.flags & netlink.IFF_UP:
            return int(link.index)
        return _make(roots, record, route, rules, link)


def _make(roots: Roots, record: Json, route: Socket, rules: Rules, link: links.Link | None) -> int:
    name = str(record["Bridge"])
    flags = group_flags(record)
    if link is None:
        mac = "02:42:" + ":".join(f"{byte:02x}" for byte in bytes.fromhex(str(record["Id"])[:8]))
        route.send([links.bridge_add(name, group=network_rules.group(roots, flags), mtu=mtu(record), mac=mac)])
    roots.reached("bridge-made")
    index = links.link_index(name)
    ipv6 = bool(record["EnableIPv6"])
    if ipv6:
        # without an address of the link's own, which would be tentative for a second, nobody outside is led to a container
        network_rules.sysctl(f"net/ipv6/conf/{name}/accept_dad", "0")
    else:
        network_rules.sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "1")
    rules.add(elements(record))
    network_rules.route_localnet(name)
    addresses = [
        links.address_add(index, gateway, length)
        for network, length, gateway, _ in network_store.subnets(record)
        if gateway and has_gateway(record, ipv6=":" in network)
    ]
    route.send([*addresses, links.link_up(name)])
    return index


def remove(record: Json) -> None:
    """Take the network's bridge, or the parent that was made for it, away; none there is no error."""
    name = str(record.get("Bridge") or "")
    if record.get("MadeParent"):
        from hyperbox.engine import network_stacked

        network_stacked.remove_parent(record)
    if name:
        with netlink.Socket() as route:
            route.send([links.link_delete(name)], tolerate=(19,))


def mac_for(address: str) -> str:
    """Return the MAC address that goes with an IPv4 address: whoever gets the address again has the same, so no ARP entry is ever wrong."""
    if ":" in address or not address:
        return "02:42:" + ":".join(f"{byte:02x}" for byte in os.urandom(4))
    return "02:42:" + ":".join(f"{byte:02x}" for byte in links.packed(address))


def plug(
    roots: Roots,
    record: Json,
    endpoint: Json,
    interface: tuple[str, int],
    netns: int,
    route: Socket,
    inner: Socket,
    rules: Rules,
) -> None:
    """Make a container's link: `interface` is its name and index inside (0: not known). The addresses are the endpoint's; no default route yet."""
    inside, index = interface
    driver = str(record["Driver"])
    if driver == "bridge":
        _plug_bridge(roots, record, endpoint, interface, netns, route, rules)
    elif driver in ("macvlan", "ipvlan"):
        from hyperbox.engine import network_stacked

        network_stacked.plug(record, endpoint, inside, netns, route)
        found = find_link(inner, inside)
        index = found.index if found is not None else index
        endpoint["Index"] = index
    if not index:  # the kernel's choice: where a link was taken away before, it is not what one would guess
        found = find_link(inner, inside)
        index = found.index if found is not None else 0
    ipv6 = str(endpoint.get("GlobalIPv6Address") or "")
    requests = [] if ipv6 else [links.link_without_ipv6(inside)]
    for field, length in (("IPAddress", "IPPrefixLen"), ("GlobalIPv6Address", "GlobalIPv6PrefixLen")):
        address, prefix = str(endpoint.get(field) or ""), endpoint.get(length)
        if address:
            assert isinstance(prefix, int)
            requests.append(links.address_add(index, address, prefix))
    fixed = endpoint.get("IPAMConfig")
    local = fixed.get("LinkLocalIPs") if isinstance(fixed, dict) else None
    for address in local if isinstance(local, list) else ():
        requests.append(links.address_add(index, str(address), 64 if ":" in str(address) else 16))
    inner.send([*requests, links.link_up(inside)], tolerate=(95, 97))


def _plug_bridge(
    roots: Roots, record: Json, endpoint: Json, interface: tuple[str, int], netns: int, route: Socket, rules: Rules
) -> None:
    inside, index = interface
    name = f"veth{os.urandom(4).hex()[:7]}"
    bridge = ensure(roots, record, route, rules)
    add = links.veth_add(
        name, inside, index=index, master=bridge, netns=netns, mac=str(endpoint["MacAddress"]), mtu=mtu(record)
    )
    isolate = [] if is_on(record, "bridge.enable_icc", True) else [links.port_isolate(name)]
    route.send([add, *isolate])
    endpoint["Link"] = name
