"""Making, showing and removing networks; the API's requests about them, but for those that move a container (`network_move`)."""

from __future__ import annotations

import os
from itertools import chain

from hyperbox import files
from hyperbox.engine import network_bridge, network_options, network_store
from hyperbox.engine.events import emit_any
from hyperbox.engine.network_setup import contains
from hyperbox.engine.state import read_container
from hyperbox.errors import Conflict, EngineError, Forbidden, InvalidParameter, NotFound, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hyperbox.engine.state import Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]

SMALL_POOL, SMALL = ("10.90.0.0", 16), 28
DRIVERS = ("bridge", "macvlan", "ipvlan")
LONGEST_NAME = 250  # bytes: names are names of files


def make_predefined(roots: Roots) -> None:
    """Make bridge, host and none where they are missing."""
    with files.Lock(f"{network_store.folder(roots)}/lock"):
        for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            if os.path.islink(f"{network_store.folder(roots)}/names/{name}"):
                continue
            record = network_store.new_record(name, driver)
            if driver == "bridge":
                link = "hyperbox0" if roots.cgroup == "hyperbox" else f"br-{str(record['Id'])[:12]}"
                network, length = free_subnet(roots, chain([network_store.DEFAULT_BRIDGE_SUBNET], candidates(roots)))
                record["IPAM"] = ipam([{"Subnet": f"{network}/{length}", "Gateway": first_address(network)}], None)
                record["Bridge"] = link
                prefix = network_bridge.OPTION
                record["Options"] = {
                    f"{prefix}bridge.default_bridge": "true",
                    f"{prefix}bridge.enable_icc": "true",
                    f"{prefix}bridge.enable_ip_masquerade": "true",
                    f"{prefix}bridge.host_binding_ipv4": "0.0.0.0",
                    f"{prefix}bridge.name": link,
                    f"{prefix}driver.mtu": "1500",
                }
            else:
                record["IPAM"] = {"Driver": "default", "Options": None, "Config": None}
            network_store.write(roots, record)


def ipam(config: list[Json], options: object) -> Json:
    """Return the API's IPAM."""
    return {"Driver": "default", "Options": options, "Config": config}


def pools(roots: Roots) -> list[tuple[str, int]]:
    """Return where networks get their subnets from: the pool, and behind the usual one another for small networks."""
    address, length, _ = roots.pool()
    return [(address, length), *([SMALL_POOL] if (address, length) == network_store.POOL else [])]


def candidates(roots: Roots) -> Iterator[tuple[str, int]]:
    """Yield the subnets that a network may have, in order: those of the usual size, then /28s of what is left, then of the second pool."""
    address, length, size = roots.pool()
    yield from _parts(address, length, size)
    for base, bits in pools(roots):
        if size < SMALL or (base, bits) == SMALL_POOL:
            yield from _parts(base, bits, SMALL)


def _parts(address: str, length: int, size: int) -> Iterator[tuple[str, int]]:
    """Yield the networks of prefix length `size` in a larger one; itself where that is not larger."""
    base, size = network_store.to_number(address), max(size, length)
    for index in range(1 << (size - length)):
        yield network_store.to_text(base + (index << (32 - size)), False), size


def first_address(network: str) -> str:
    """Return the address after a network's own, which is the gateway by default."""
    return network_store.to_text(network_store.to_number(network) + 1, ":" in network)


def used_subnets(roots: Roots, *, hosts: bool = True) -> list[tuple[str, int]]:
    """Return the subnets of all networks and, with `hosts`, of the host's routes."""
    from hyperbox.kernel import links, netlink

    found: list[tuple[str, int]] = []
    if hosts:
        with netlink.Socket() as route:
            found = links.routes(route)
    for network_id in network_store.identifiers(roots):
        record = network_store.read(roots, network_id)
        if record.get("ConfigOnly"):
            continue
        found += [(network, length) for network, length, _, _ in network_store.subnets(record)]
    return found


def overlaps(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Return whether two subnets share an address."""
    if (":" in one[0]) != (":" in other[0]):
        return False
    shift = (128 if ":" in one[0] else 32) - min(one[1], other[1])
    return network_store.to_number(one[0]) >> shift == network_store.to_number(other[0]) >> shift


def free_subnet(roots: Roots, wanted: Iterable[tuple[str, int]]) -> tuple[str, int]:
    """Return the first IPv4 candidate that overlaps nothing; the caller holds the lock. Raises EngineError with docker's words."""
    from bisect import bisect_right

    used = sorted(_span(other) for other in used_subnets(roots) if ":" not in other[0])
    starts = [start for start, _ in used]
    reach = 0
    ends = [reach := max(reach, end) for _, end in used]  # the furthest end of all that begin no later
    for candidate in wanted:
        start, end = _span(candidate)
        before = bisect_right(starts, end)
        if before == 0 or ends[before - 1] < start:
            return candidate
    raise EngineError("all predefined address pools have been fully subnetted")


def _span(subnet: tuple[str, int]) -> tuple[int, int]:
    """Return the first and last address of an IPv4 subnet as numbers."""
    shift = 32 - subnet[1]
    start = network_store.to_number(subnet[0]) >> shift << shift
    return start, start + (1 << shift) - 1


def check_name(name: str) -> None:
    """Raise InvalidParameter or Forbidden for a name that no network can have."""
    if not name.strip():
        raise InvalidParameter("invalid name: name is empty")
    if "/" in name or not name.isprintable() or name in (".", "..") or len(name.encode()) > LONGEST_NAME:
        raise InvalidParameter(f"invalid network name: {name!r}")
    if name in (*network_store.PREDEFINED, "default", "container"):
        raise Forbidden(f"operation is not permitted on predefined {name} network")


def network_create(roots: Roots, config: Json) -> Json:
    """See `engine.api.Engine.network_create`."""
    network_store.prepare(roots)
    name, driver = str(config.get("Name") or ""), str(config.get("Driver") or "bridge")
    check_name(name)
    check_scope(driver, config)
    if os.path.islink(f"{network_store.folder(roots)}/names/{name}"):
        raise Conflict(f"network with name {name} already exists")
    check_configuration(config)
    config = with_configuration(roots, config)
    options = {str(key): str(value) for key, value in dict(config.get("Options") or {}).items()}  # type: ignore[call-overload]
    ipv4, ipv6 = (network_options.family_enabled(config, options, family) for family in (4, 6))
    if config.get("ConfigOnly"):
        driver = "null"
    else:
        network_options.check(driver, options, internal=bool(config.get("Internal")))
    if not ipv4 and not ipv6:
        raise InvalidParameter("IPv4 or IPv6 must be enabled")
    with files.Lock(f"{network_store.folder(roots)}/lock"):
        network_store.forget_nameless(roots)
        if os.path.islink(f"{network_store.folder(roots)}/names/{name}"):
            raise Conflict(f"network with name {name} already exists")
        record = network_store.new_record(
            name,
            driver,
            EnableIPv4=ipv4,
            EnableIPv6=ipv6,
            Internal=bool(config.get("Internal")),
            Attachable=bool(config.get("Attachable")),
            Scope=str(config.get("Scope") or "local"),
            Options=options,
            Labels=config.get("Labels") or {},
            ConfigFrom=config.get("ConfigFrom") or {"Network": ""},
            ConfigOnly=bool(config.get("ConfigOnly")),
        )
        if not config.get("ConfigOnly"):
            record["IPAM"] = choose_ipam(roots, record, config.get("IPAM"))
        else:
            ipam = dict(config.get("IPAM") or {})  # type: ignore[call-overload]
            record["IPAM"] = {"Driver": ipam.pop("Driver", "default"), "Options": ipam.pop("Options", {}), **ipam}
        if driver == "bridge":
            link = options.get(f"{network_bridge.OPTION}bridge.name", "") or f"br-{str(record['Id'])[:12]}"
            check_link(roots, link)
            record["Bridge"] = link
        if driver in network_options.MODES:
            write_stacked(roots, record, options)
        else:
            network_store.write(roots, record)
    emit_any(roots, "network", "create", str(record["Id"]), {"name": name, "type": driver})
    return {"Id": record["Id"], "Warning": ""}


def check_configuration(config: Json) -> None:
    """Raise Forbidden for a configuration network with more in it than a network's own fields."""
    if config.get("ConfigOnly") and any(config.get(key) for key in ("Internal", "Attachable", "Ingress")):
        raise Forbidden(
            "configuration network can only contain network specific fields. Network operator fields like "
            "[ ingress | internal | attachable | scope ] are not supported."
        )


def check_scope(driver: str, config: Json) -> None:
    """Raise for networks that only a swarm has, and drivers that there are not, in docker's words."""
    if driver in ("host", "null", "none"):
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if config.get("Ingress"):
        raise Forbidden("Ingress network can only be global scope network")
    if str(config.get("Scope") or "local") == "swarm":
        raise Unavailable("cannot create a swarm scoped network when swarm is not active")
    if driver == "overlay":
        raise Unavailable(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
        )
    if driver not in DRIVERS:
        raise NotFound(f'plugin "{driver}" not found')


def with_configuration(roots: Roots, config: Json) -> Json:
    """Return a request with what its configuration network says. Raises NotFound, Forbidden with docker's words."""
    reference = config.get("ConfigFrom")
    name = str(reference.get("Network") or "") if isinstance(reference, dict) else ""
    if not name:
        return config
    plan = config.get("IPAM")
    if config.get("Options"):
        raise Forbidden("network driver options are not supported if the network depends on a configuration network")
    if isinstance(plan, dict) and (plan.get("Config") or plan.get("Options")):
        raise Forbidden(
            "user specified configurations are not supported if the network depends on a configuration network"
        )
    try:
        record = network_store.find(roots, name)
    except NotFound:
        record = {}
    if not record.get("ConfigOnly"):
        raise NotFound(f'configuration network "{name}" does not exist')
    copied = {key: record[key] for key in ("IPAM", "Options", "EnableIPv4", "EnableIPv6")}
    labels = {**dict(record["Labels"]), **dict(config.get("Labels") or {})}  # type: ignore[call-overload]
    return {**config, **copied, "Labels": labels, "ConfigFrom": {"Network": str(record["Name"])}}


def write_stacked(roots: Roots, record: Json, options: dict[str, str]) -> None:
    """Write a macvlan or ipvlan network and make its parent; where that can't be, there is no network."""
    from hyperbox.engine import network_stacked
    from hyperbox.kernel import links, netlink

    network_options.check_parent(str(record["Driver"]), options, network_store.all_networks(roots))
    record["MadeParent"] = not links.link_index(network_stacked.parent_name(record))
    network_store.write(roots, record)
    try:
        with netlink.Socket() as route:
            network_stacked.ensure_parent(record, route)
    except BaseException:
        network_store.forget(roots, record)
        raise


def check_link(roots: Roots, link: str) -> None:
    """Raise for a bridge name that the kernel would refuse or that another network has."""
    if not 0 < len(link.encode()) <= 15 or "/" in link or any(letter.isspace() for letter in link):
        raise InvalidParameter(f"invalid interface name: {link}")
    for other in network_store.all_networks(roots):
        if other.get("Bridge") == link:
            raise Forbidden(f"networks have same bridge name: {link}")


def choose_ipam(roots: Roots, record: Json, given: object) -> Json:
    """Return the network's IPAM: what the user gave, checked, and free subnets for the families that he left open."""
    ipam_config = given if isinstance(given, dict) else {}
    driver = str(ipam_config.get("Driver") or "default")
    if driver not in ("default", "null"):
        raise NotFound(f'plugin "{driver}" not found')
    chosen: list[Json] = []
    for entry in ipam_config.get("Config") or ():
        if entry.get("Subnet"):
            # macvlan's and ipvlan's containers are in the host's own network, as a rule
            chosen.append(checked_subnet(entry, used_subnets(roots, hosts=record["Driver"] == "bridge")))
        elif any(entry.get(key) for key in ("Gateway", "IPRange", "AuxiliaryAddresses")):
            raise InvalidParameter("invalid network config:\ninvalid subnet : an address pool needs one")
    families = {":" in str(entry["Subnet"]) for entry in chosen}
    given = ipam_config.get("Config") or ()
    record["ChosenGateways"] = [entry["Subnet"] for entry in given if entry.get("Subnet") and not entry.get("Gateway")]
    record["GivenSubnets"] = "".join("6" if ipv6 else "4" for ipv6 in sorted(families))
    if record["Driver"] == "bridge" and sum(":" not in str(entry["Subnet"]) for entry in chosen) > 1:
        raise InvalidParameter("bridge driver doesn't support multiple subnets")
    if True in families:
        record["EnableIPv6"] = True
    if False not in families and record["EnableIPv4"]:
        network, length = free_subnet(roots, candidates(roots))
        chosen.insert(0, {"Subnet": f"{network}/{length}", "Gateway": first_address(network)})
    if record["EnableIPv6"] and True not in families:
        network = local_subnet(str(record["Id"]))
        chosen.append({"Subnet": f"{network}/64", "Gateway": first_address(network)})
    return ipam(chosen, ipam_config.get("Options", {}))


def local_subnet(network_id: str) -> str:
    """Return a unique local IPv6 /64 for a network: fd, 40 bits of its id, subnet 0. RFC 4193."""
    return network_store.to_text(int("fd" + network_id[:10] + "0" * 20, 16), True)


def checked_subnet(entry: Json, used: list[tuple[str, int]]) -> Json:
    """Return one entry of IPAM.Config with its gateway filled in; `used` are the subnets it may not share. Raises InvalidParameter, Forbidden."""
    text = str(entry["Subnet"])
    address, slash, length = text.partition("/")
    ipv6 = ":" in address
    try:
        value, bits = network_store.to_number(address), 128 if ipv6 else 32
        if not slash or not length.isdigit() or int(length) > bits:
            raise OSError
    except OSError:
        raise InvalidParameter(f"invalid network config:\ninvalid subnet {text}: invalid CIDR block notation") from None
    shift = bits - int(length)
    if value >> shift << shift != value:
        masked = network_store.to_text(value >> shift << shift, ipv6)
        raise InvalidParameter(f"invalid network config:\ninvalid subnet {text}: it should be {masked}/{length}")
    subnet = (address, int(length))
    for other in used:
        if overlaps(subnet, other):
            raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
    whole = (*subnet, "", entry)
    gateway = str(entry.get("Gateway") or "") or first_address(address)
    auxiliary = entry.get("AuxiliaryAddresses")
    outside = [gateway, *(str(value) for value in (auxiliary.values() if isinstance(auxiliary, dict) else ()))]
    for each in outside:
        if not contains(whole, each):
            raise InvalidParameter(f"invalid network config:\ninvalid gateway {each}: parent subnet is {text}")
    ip_range = str(entry.get("IPRange") or "")
    if ip_range and not contains(whole, ip_range.partition("/")[0]):
        raise InvalidParameter(f"invalid network config:\ninvalid ip-range {ip_range}: parent subnet is {text}")
    return {**{key: value for key, value in entry.items() if value}, "Gateway": gateway}


# what a network's record has beside the API's fields: its bridge, whether its parent link was made for it, the families whose subnets the
# user gave, the subnets of the user's whose gateway we chose (docker does not show it)
PRIVATE = frozenset({"Bridge", "GivenSubnets", "ChosenGateways", "MadeParent"})


def shown(record: Json) -> Json:
    """Return a network as the API shows it."""
    shown_record = {key: value for key, value in record.items() if key not in PRIVATE}
    chosen = record.get("ChosenGateways")
    plan = record.get("IPAM")
    if isinstance(chosen, list) and chosen and isinstance(plan, dict):
        config = [
            {key: value for key, value in entry.items() if key != "Gateway" or entry["Subnet"] not in chosen}
            for entry in plan.get("Config") or ()
        ]
        shown_record["IPAM"] = {**plan, "Config": config}
    return shown_record


def endpoints(roots: Roots, record: Json) -> dict[str, Json]:
    """Return what runs on a network: endpoint files by container id; those whose owner is gone are left out."""
    folder = network_store.run_folder(roots, str(record["Id"]))
    found = {}
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return {}
    for name in names:
        if not name.endswith(".json"):
            continue
        try:
            endpoint = files.read_json(f"{folder}/{name}")
        except (OSError, ValueError):
            continue
        if isinstance(endpoint, dict) and network_store.owner_lives(str(endpoint["Owner"])):
            found[name[:-5]] = endpoint
    return found


def network_inspect(roots: Roots, reference: str, *, verbose: bool = False) -> Json:
    """See `engine.api.Engine.network_inspect`; `verbose` adds what only a swarm has."""
    del verbose
    record = network_store.find(roots, reference)
    containers: Json = {}
    for container_id, endpoint in endpoints(roots, record).items():
        containers[container_id] = {
            "Name": endpoint["Container"],
            "EndpointID": endpoint["EndpointID"],
            "MacAddress": endpoint["MacAddress"],
            "IPv4Address": f"{endpoint['IPAddress']}/{endpoint['IPPrefixLen']}" if endpoint["IPAddress"] else "",
            "IPv6Address": f"{endpoint['GlobalIPv6Address']}/{endpoint['GlobalIPv6PrefixLen']}" if endpoint["GlobalIPv6Address"] else "",
        }  # fmt: skip
    result: Json = {}
    for key, value in shown(record).items():  # Containers stand between ConfigOnly and Options
        if key == "Options":
            result["Containers"] = containers
        result[key] = value
    return result


def forget_bridge(roots: Roots, record: Json) -> None:
    """Take a removed bridge out of the table's set, where the table is there."""
    from hyperbox.engine import network_bridge, network_rules
    from hyperbox.kernel.nftables import Rules

    if record.get("Bridge"):
        rules = Rules(network_rules.table_name(roots))
        rules.remove(network_bridge.elements(record))
        rules.close()


def refuse_active(roots: Roots, record: Json) -> None:
    """Raise Forbidden where containers are on a network, or are just being connected to it; else nobody will be from now on, until this
    process ends or takes the file REMOVING away."""
    place = network_store.run_folder(roots, str(record["Id"]))
    os.makedirs(place, 0o711, exist_ok=True)
    network_store.take(f"{place}/{network_store.REMOVING}", network_store.owner_text("-"))
    found = endpoints(roots, record)
    # docker names each endpoint: the container's name and the endpoint's id, which one to come has not yet
    named = [f'name:"{each["Container"]}" id:"{str(each["EndpointID"])[:12]}"' for each in found.values()]
    for container_id in network_store.claimants(roots, record):
        if container_id not in found:
            named.append(f'name:"{container_name(roots, container_id)}" id:"{container_id[:12]}"')
    if named:
        os.unlink(f"{place}/{network_store.REMOVING}")
        raise Forbidden(
            f"error while removing network: network {record['Name']} has active endpoints ({' '.join(named)})"
        )


def container_name(roots: Roots, container_id: str) -> str:
    """Return a container's name, its id where it has just gone."""
    try:
        return read_container(roots, container_id).name
    except NotFound:
        return container_id


def network_remove(roots: Roots, reference: str) -> None:
    """See `engine.api.Engine.network_remove`."""
    from hyperbox.engine import recovery
    from hyperbox.engine.network_sweep import sweep_network

    recovery.sweep(roots)
    record = network_store.find(roots, reference)
    if record["Name"] in network_store.PREDEFINED:
        raise Forbidden(f"{record['Name']} is a pre-defined network and cannot be removed")
    with files.Lock(f"{network_store.folder(roots)}/lock"):
        network_store.forget_nameless(roots)
        if str(record["Id"]) not in network_store.identifiers(roots):
            raise NotFound(f"network {reference} not found")
        sweep_network(roots, record)
        users = [
            each for each in network_store.all_networks(roots) if each["ConfigFrom"] == {"Network": record["Name"]}
        ]
        if record["ConfigOnly"] and users:
            raise Forbidden(f'error while removing network: configuration network "{record["Name"]}" is in use')
        refuse_active(roots, record)
        network_bridge.remove(record)
        forget_bridge(roots, record)
        roots.reached("bridge-removed")
        network_store.forget(roots, record)
    emit_any(
        roots, "network", "destroy", str(record["Id"]), {"name": str(record["Name"]), "type": str(record["Driver"])}
    )
