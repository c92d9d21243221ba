"""macvlan and ipvlan networks: the link that theirs stand on, and a container's own.

The parent is the link that the option "parent" names. NAME.VLAN is made where it is missing, on the link NAME; without a parent, and for an
internal network, a dummy link is made. What was made goes with the network. See ip-link(8).
"""

from __future__ import annotations

from hyperbox.errors import EngineError, InvalidParameter
from hyperbox.kernel import links, netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.kernel.netlink import Socket

    Json = dict[str, object]

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}
EXISTS = 17
LARGEST_VLAN = 4094


def option(record: Json, name: str, default: str = "") -> str:
    """Return one of a network's driver options."""
    options = record.get("Options")
    return str(options.get(name) or default) if isinstance(options, dict) else default


def is_routed(record: Json) -> bool:
    """Return whether a network's containers reach each other by routes only, and have no gateway: ipvlan's modes l3 and l3s."""
    return record["Driver"] == "ipvlan" and option(record, "ipvlan_mode").startswith("l3")


def parent_name(record: Json) -> str:
    """Return the name of a network's parent link."""
    return option(record, "parent") or f"dm-{str(record['Id'])[:12]}"


def ensure_parent(record: Json, route: Socket) -> tuple[int, bool]:
    """Return the index of a network's parent, and whether it was made. Raises InvalidParameter, EngineError with docker's words."""
    parent = parent_name(record)
    index = links.link_index(parent)
    if index:
        return index, False
    if not option(record, "parent"):
        message = links.dummy_add(parent)
        failed = "{error}"
    else:
        message = vlan_add(parent)
        failed = f"failed to create {parent} vlan link: {{error}}"
    try:
        route.send([message], tolerate=(EXISTS,))
        route.send([links.link_up(parent)])
    except OSError as error:
        raise EngineError(failed.format(error=reason(error))) from None
    return links.link_index(parent), True


def vlan_add(parent: str) -> bytes:
    """Return the request that makes NAME.VLAN. Raises InvalidParameter with docker's words."""
    base, dot, tag = parent.partition(".")
    if not dot or "." in tag:
        raise InvalidParameter(f"invalid subinterface vlan name {parent}, example formatting is eth0.10")
    if not tag.isdigit() or not 0 < int(tag) <= LARGEST_VLAN:
        raise InvalidParameter(f"vlan id must be between 1-4094, received: {tag}")
    index = links.link_index(base)
    if not index:
        raise InvalidParameter(f"-o parent interface was not found on the host: {base}")
    vlan = netlink.attribute(netlink.IFLA_VLAN_ID, int(tag).to_bytes(2, "little"))
    return links.stacked_add(parent, "vlan", index, [vlan])


def reason(error: OSError) -> str:
    """Return the kernel's reason in Go's words."""
    return "operation not supported" if error.errno == 95 else (error.strerror or str(error)).lower()


def plug(record: Json, endpoint: Json, inside: str, netns: int, route: Socket) -> None:
    """Make a container's link, with the name `inside`, in its network namespace. Raises EngineError with docker's words."""
    driver = str(record["Driver"])
    index, _ = ensure_parent(record, route)
    if driver == "macvlan":
        mode = MACVLAN_MODES[option(record, "macvlan_mode", "bridge")]
        data = [netlink.number(netlink.IFLA_MACVLAN_MODE, mode)]
    else:
        mode = IPVLAN_MODES[option(record, "ipvlan_mode", "l2")]
        flag = IPVLAN_FLAGS[option(record, "ipvlan_flag", "bridge")]
        data = [netlink.attribute(netlink.IFLA_IPVLAN_MODE, mode.to_bytes(2, "little"))]
        if flag:
            data.append(netlink.attribute(netlink.IFLA_IPVLAN_FLAGS, flag.to_bytes(2, "little")))
    mac = str(endpoint["MacAddress"]) if driver == "macvlan" else ""
    try:
        route.send([links.stacked_add(inside, driver, index, data, netns=netns, mac=mac)])
    except OSError as error:
        raise EngineError(
            f"failed to set up container networking: failed to create the {driver} port: {reason(error)}"
        ) from None


def remove_parent(record: Json) -> None:
    """Take away the parent that was made for a network; one that others stand on too stays."""
    if record.get("MadeParent"):
        with netlink.Socket() as route:
            route.send([links.link_delete(parent_name(record))], tolerate=(19, 16))
