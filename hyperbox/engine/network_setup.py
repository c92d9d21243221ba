"""A container's network from start to end: addresses, ports, links, rules; all of it recorded before it is made.

`RUN/networks/containers/ID.json` holds {"Owner", "Name", "Networks": {name: endpoint}, "Ports", "Published": [[address, port (0: the
container's own port is opened), protocol, container's address and port]], "Descriptors"}. Addresses and descriptors die with the owner,
links with the network namespace; what a kill leaves are this file, endpoint files and elements of maps, which `network_sweep` removes and
a next container's elements replace.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine import network_bridge, network_rules, network_store
from hyperbox.errors import EngineError, Forbidden, InvalidParameter, NotFound
from hyperbox.kernel import links, netlink, syscalls
from hyperbox.kernel.nftables import Element, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.network_ports import Published
    from hyperbox.engine.state import Container, Roots
    from hyperbox.kernel.netlink import Socket

    Json = dict[str, object]


def held_path(roots: Roots, container_id: str) -> str:
    """Return the path of the record of what a container holds."""
    return f"{roots.run}/networks/containers/{container_id}.json"


def read_held(roots: Roots, container_id: str) -> Json | None:
    """Return what a container holds, or None."""
    try:
        held = files.read_json(held_path(roots, container_id))
    except (OSError, ValueError):
        return None
    return held if isinstance(held, dict) else None


def all_held(roots: Roots) -> list[tuple[str, Json]]:
    """Return (container id, record) of all containers that hold something."""
    try:
        names = os.listdir(f"{roots.run}/networks/containers")
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        if name.endswith(".json"):
            held = read_held(roots, name[:-5])
            if held is not None:
                found.append((name[:-5], held))
    return found


def wanted_endpoints(container: Container) -> dict[str, Json]:
    """Return the networks that a container is to be on, by name, the one of its network mode first."""
    mode = str(container.host_config.get("NetworkMode") or "bridge")
    mode = "bridge" if mode == "default" else mode
    config = container.record.get("NetworkingConfig")
    given = config.get("EndpointsConfig") if isinstance(config, dict) else None
    endpoints = {
        ("bridge" if name == "default" else str(name)): dict(value or {}) for name, value in (given or {}).items()
    }
    if not endpoints:
        return {} if container.record.get("Networkless") else {mode: {}}
    if mode in endpoints:
        return {mode: endpoints.pop(mode), **endpoints}
    return endpoints


def setup(roots: Roots, container: Container, netns: int) -> Json:
    """Give the container in `netns` its links, addresses, routes and ports; returns the API's NetworkSettings.

    Called again, it begins anew. Raises EngineError, NotFound with docker's words; nothing is left then.
    """
    network_store.prepare(roots)
    if os.path.exists(held_path(roots, container.id)):
        teardown(roots, container.id)
    endpoints = wanted_endpoints(container)
    if not endpoints:  # it was taken off all of its networks
        return lonely(container, netns)
    if len(endpoints) > 1 and "none" in endpoints:
        raise InvalidParameter(
            "failed to set up container networking: container cannot be connected to multiple networks "
            "with one of the networks in private (none) mode"
        )
    try:
        wanted = [(name, network_store.find(roots, name), config) for name, config in endpoints.items()]
    except NotFound as error:
        raise NotFound(f"failed to set up container networking: {error.message}") from None
    inner = syscalls.in_netns(netns, netlink.Socket)
    assert isinstance(inner, netlink.Socket)
    with inner:
        inner.send([links.link_up("lo")])
        if wanted[0][1]["Driver"] == "null" and not wanted[0][1].get("ConfigOnly"):
            name, record, config = wanted[0]
            return {
                "SandboxID": container.id,
                "Ports": {},
                "Networks": {name: {**config, "NetworkID": record["Id"], "EndpointID": os.urandom(32).hex()}},
            }
        rules = Rules(network_rules.table_name(roots))
        if network_rules.ensure(roots, rules):
            restore(roots, rules)
        try:
            return _set_up(roots, container, wanted, netns, inner, rules)
        except BaseException:
            teardown(roots, container.id)
            network_store.release_all(roots, container.id)
            raise
        finally:
            rules.close()


def lonely(container: Container, netns: int) -> Json:
    """Give a container without any network its loopback; returns NetworkSettings."""
    inner = syscalls.in_netns(netns, netlink.Socket)
    assert isinstance(inner, netlink.Socket)
    with inner:
        inner.send([links.link_up("lo")])
    return {"Ports": {}, "Networks": {}}


def _set_up(
    roots: Roots, container: Container, wanted: list[tuple[str, Json, Json]], netns: int, inner: Socket, rules: Rules
) -> Json:
    owner = network_store.owner_text(container.id)
    held: Json = {
        "Owner": owner,
        "Name": container.name,
        "Networks": {},
        "Ports": {},
        "Published": [],
        "Descriptors": [],
    }
    endpoints: dict[str, Json] = {}
    held["Networks"] = endpoints
    for name, record, config in wanted:
        endpoint = new_endpoint(container, record, config)
        endpoints[name] = endpoint
        try:
            address_endpoint(roots, record, config, endpoint, owner)
        except NotFound as error:
            raise NotFound(f"failed to set up container networking: {error.message}") from None
    gateway = gateway_name(wanted, endpoints)
    publish(roots, container, held, gateway, {name: record for name, record, _ in wanted})
    files.write_json(held_path(roots, container.id), held)
    roots.reached("network-held")
    with netlink.Socket() as route:
        named = any(
            endpoints[name]["DriverOpts"] or network_bridge.option(record, "container_iface_prefix")
            for name, record, _ in wanted
        )
        for index, (name, record, _) in enumerate(wanted):
            inside = special_name(record, endpoints, name) if named else f"eth{index}"
            endpoints[name]["Interface"] = inside
            network_bridge.plug(roots, record, endpoints[name], (inside, 2 + index), netns, route, inner, rules)
            if named:
                set_on_link(endpoints[name], netns)
    roots.reached("network-plugged")
    set_default_route(inner, endpoints, gateway)
    rules.add(elements(held))
    roots.reached("network-published")
    files.write_json(held_path(roots, container.id), held)
    for name, record, _ in wanted:
        write_endpoint(roots, container.id, record, endpoints[name], owner, container.name)
    return settings(container, held)


def special_name(record: Json, endpoints: dict[str, Json], name: str) -> str:
    """See `network_interfaces.link_name`, which only such containers load."""
    from hyperbox.engine import network_interfaces

    network_interfaces.check(name, endpoints[name])
    taken = [each["Interface"] for each in endpoints.values() if "Interface" in each]
    return network_interfaces.link_name(record, endpoints[name], taken)


def set_on_link(endpoint: Json, netns: int) -> None:
    """See `network_interfaces.apply_settings`."""
    from hyperbox.engine import network_interfaces

    syscalls.in_netns(netns, lambda: network_interfaces.apply_settings(endpoint))


def settings(container: Container, held: Json) -> Json:
    """Return the API's NetworkSettings of a container that holds `held`."""
    ports = dict(exposed_ports(container))
    given = held["Ports"]
    assert isinstance(given, dict)
    ports.update(given)
    networks = held["Networks"]
    assert isinstance(networks, dict)
    return {
        "SandboxID": str(held["Owner"])[:64],
        "Ports": ports,
        "Networks": {
            name: {key: value for key, value in each.items() if key not in PRIVATE} for name, each in networks.items()
        },
    }


HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
ADDRESS_KEYS = ("IPv4Address", "IPv6Address")
PRIVATE = frozenset({"Interface", "Index", "Link", "Internal"})


def exposed_ports(container: Container) -> list[tuple[str, None]]:
    """Return the ports that the container exposes, as NetworkSettings.Ports shows them while unpublished."""
    exposed = container.config.get("ExposedPorts")
    names = [name if "/" in name else f"{name}/tcp" for name in (exposed if isinstance(exposed, dict) else ())]
    # docker shows a range, which `expose` of compose files may have, as port 0
    return [(name if name[0].isdigit() and "-" not in name else f"0/{name.partition('/')[2]}", None) for name in names]


def new_endpoint(container: Container, record: Json, config: Json) -> Json:
    """Return the API's EndpointSettings of a container on a network, without addresses yet. Raises Forbidden."""
    if record.get("ConfigOnly"):
        raise Forbidden("failed to set up container networking: cannot create endpoint on configuration-only network")
    aliases = [str(alias) for alias in (config.get("Aliases") or ())]  # type: ignore[attr-defined]
    names: list[str] = []
    if record["Name"] != "bridge":
        hostname = str(container.config.get("Hostname") or "")
        for name in (container.name, *aliases, container.id[:12], hostname):
            if name and name not in names:
                names.append(name)
    return {
        "IPAMConfig": config.get("IPAMConfig"),
        "Links": config.get("Links"),
        "Aliases": None if config.get("Aliases") is None else aliases,
        "DriverOpts": config.get("DriverOpts"),
        "GwPriority": config.get("GwPriority") or 0,
        "NetworkID": record["Id"],
        "EndpointID": os.urandom(32).hex(),
        "MacAddress": str(config.get("MacAddress") or ""),
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": names or None,
        "Internal": bool(record["Internal"]),
        **({} if record["Driver"] == "bridge" else {"Driver": record["Driver"]}),
    }


def address_endpoint(roots: Roots, record: Json, config: Json, endpoint: Json, owner: str) -> None:
    """Claim the endpoint's addresses: those that the user gave, or the first that are free. Raises NotFound: it was just removed."""
    fixed = config.get("IPAMConfig")
    fixed = fixed if isinstance(fixed, dict) else {}
    if any(fixed.get(key) for key in ("IPv4Address", "IPv6Address")):
        check_fixed(record, fixed)
    done: set[bool] = set()
    for subnet in network_store.subnets(record):
        ipv6 = ":" in subnet[0]
        wanted = str(fixed.get("IPv6Address" if ipv6 else "IPv4Address") or "")
        if ipv6 in done or (wanted and not contains(subnet, wanted)):
            continue
        try:
            address = network_store.allocate(roots, record, subnet, wanted, owner)
        except FileNotFoundError:
            raise NotFound(f"network {record['Name']} not found") from None
        done.add(ipv6)
        gateway = "" if record["Internal"] or is_routed(record) else subnet[2]
        if ipv6:
            endpoint.update(GlobalIPv6Address=address, GlobalIPv6PrefixLen=subnet[1], IPv6Gateway=gateway)
        else:
            endpoint.update(IPAddress=address, IPPrefixLen=subnet[1], Gateway=gateway)
    if not endpoint["MacAddress"]:
        endpoint["MacAddress"] = network_bridge.mac_for(str(endpoint["IPAddress"]))
    network_store.confirm(roots, record)


def contains(subnet: tuple[str, int, str, Json], address: str) -> bool:
    """Return whether an address lies in a subnet."""
    ipv6 = ":" in subnet[0]
    if (":" in address) != ipv6:
        return False
    shift = (128 if ipv6 else 32) - subnet[1]
    return network_store.to_number(address) >> shift == network_store.to_number(subnet[0]) >> shift


def check_fixed(record: Json, fixed: Json) -> None:
    """Raise InvalidParameter where a fixed address is asked for that the network can't give."""
    if record["Name"] in network_store.PREDEFINED:
        raise InvalidParameter(
            "invalid endpoint settings:\nuser specified IP address is supported on user defined networks only"
        )
    for key in ("IPv4Address", "IPv6Address"):
        address = str(fixed.get(key) or "")
        if not address:
            continue
        try:
            links.packed(address)
        except OSError:
            raise InvalidParameter(f"invalid endpoint settings:\ninvalid IPv{key[3]} address: {address}") from None
        if not any(contains(subnet, address) for subnet in network_store.subnets(record)):
            raise InvalidParameter(
                f"invalid endpoint settings:\nno configured subnet or ip-range contain the IP address {address}"
            )


def check_wanted(roots: Roots, endpoints: dict[str, Json]) -> None:
    """Raise InvalidParameter with docker's words where a container that is made asks for addresses that its networks can't give.

    A network that is not there is told when the container starts.
    """
    for name, config in endpoints.items():
        check_hardware_address(name, str(config.get("MacAddress") or ""))
        fixed = config.get("IPAMConfig")
        if not isinstance(fixed, dict) or not any(fixed.get(key) for key in (*ADDRESS_KEYS, "LinkLocalIPs")):
            continue
        try:
            record = network_store.find(roots, name)
        except NotFound:
            continue
        refuse_addresses(record, fixed, f"invalid config for network {name}: ")


def refuse_addresses(record: Json, fixed: Json, lead: str = "") -> None:
    """Raise InvalidParameter, after `lead`, where an endpoint asks for addresses that the network can't give."""
    problems = address_problems(record, fixed)
    if problems:
        text = problems[0] if len(problems) == 1 else "\n".join(f"* {problem}" for problem in problems)
        raise InvalidParameter(f"{lead}invalid endpoint settings:\n{text}")


def check_hardware_address(network: str, address: str) -> None:
    """Raise InvalidParameter with docker's words for a hardware address that is none ("" asks for nothing)."""
    parts = address.replace("-", ":").split(":")
    if address and not (len(parts) == 6 and all(len(part) == 2 and set(part) <= HEXADECIMAL for part in parts)):
        raise InvalidParameter(f"invalid config for network {network}: invalid MAC address {address}")


def address_problems(record: Json, fixed: Json) -> list[str]:
    """Return what is wrong with the addresses that an endpoint asks of a network, in docker's words."""
    problems = []
    predefined = record["Name"] in network_store.PREDEFINED
    if predefined and any(fixed.get(key) for key in ADDRESS_KEYS):
        problems.append("user specified IP address is supported on user defined networks only")
    given = record.get("GivenSubnets")
    for key, family in (("IPv4Address", "4"), ("IPv6Address", "6")):
        address = str(fixed.get(key) or "")
        if not address:
            continue
        try:
            links.packed(address)
        except OSError:
            problems.append(f"invalid IPv{family} address: {address}")
        # docker's own bridge has a configured subnet where it was there before the daemon, as after its restart; here, as at first
        if predefined or (isinstance(given, str) and family not in given):
            problems.append(
                "user specified IP address is supported only when connecting to networks with user configured subnets"
            )
        elif len(problems) or not any(contains(subnet, address) for subnet in network_store.subnets(record)):
            problems.append(f"no configured subnet or ip-range contain the IP address {address}")
    for address in fixed.get("LinkLocalIPs") or ():  # type: ignore[attr-defined]
        try:
            wrong = not any(links.packed(str(address)))
        except OSError:
            wrong = True
        if wrong:
            problems.append(f"invalid link-local IP address: {address}")
    return problems


def is_routed(record: Json) -> bool:
    """See `network_stacked.is_routed`, which only ipvlan networks load."""
    if record["Driver"] != "ipvlan":
        return False
    from hyperbox.engine import network_stacked

    return network_stacked.is_routed(record)


def gateway_name(wanted: list[tuple[str, Json, Json]], endpoints: dict[str, Json]) -> str:
    """Return the network whose gateway is the container's: the highest GwPriority, then the first name, of those that lead out; or ""."""
    leading = [
        name
        for name, record, _ in wanted
        if not record["Internal"]
        and (endpoints[name]["Gateway"] or endpoints[name]["IPv6Gateway"] or is_routed(record))
    ]
    return min(leading, key=lambda name: (-int(str(endpoints[name]["GwPriority"])), name)) if leading else ""


def set_default_route(inner: Socket, endpoints: dict[str, Json], gateway: str) -> None:
    """Send what has no other way through a network's gateway."""
    if not gateway:
        return
    endpoint = endpoints[gateway]
    link = network_bridge.find_link(inner, str(endpoint["Interface"]))
    index = link.index if link is not None else 0
    requests = [
        links.default_route_add(index, str(endpoint[key])) for key in ("Gateway", "IPv6Gateway") if endpoint[key]
    ]
    if not requests:  # ipvlan in a mode without gateways
        addresses = (("IPAddress", False), ("GlobalIPv6Address", True))
        requests = [links.default_route_add(index, ipv6=ipv6) for key, ipv6 in addresses if endpoint[key]]
    inner.send(requests)


def publish(roots: Roots, container: Container, held: Json, gateway: str, records: dict[str, Json]) -> None:
    """Take the container's host ports and note them in `held`; on no network that leads out there are none."""
    record = records.get(gateway)
    networks = held["Networks"]
    assert isinstance(networks, dict)
    if record is None or record["Driver"] != "bridge":
        return
    endpoint = networks[gateway]
    default = network_bridge.option(record, "bridge.host_binding_ipv4") or "0.0.0.0"
    if not container.host_config.get("PortBindings") and not container.host_config.get("PublishAllPorts"):
        return
    from hyperbox.engine import network_ports

    wanted = network_ports.wishes(container, default)
    if not wanted:
        return
    routed = [
        bool(endpoint[key]) and network_bridge.gateway_mode(record, ipv6=ipv6) == "routed"
        for key, ipv6 in (("IPAddress", False), ("GlobalIPv6Address", True))
    ]
    wanted, opened = network_ports.without_routed(wanted, *routed)
    try:
        published, descriptors = network_ports.hold_all(
            wanted, lambda address, port, protocol: is_allocated(roots, port, protocol)
        )
    except EngineError as error:
        raise EngineError(
            f"failed to set up container networking: driver failed programming external connectivity on endpoint {container.name} "
            f"({endpoint['EndpointID']}): {error.message}"
        ) from error
    held["Descriptors"] = descriptors
    note_published([*opened, *published], held, endpoint, record)


def note_published(published: list[Published], held: Json, endpoint: Json, record: Json) -> None:
    """Note in `held` where ports lead: those of the host, and those opened at the container's own address (host port 0). Raises EngineError."""
    from hyperbox.engine import network_ports

    ports: dict[str, list[Json]] = {}
    listed: list[list[object]] = []
    relays: list[list[object]] = []
    is_routed_too = not all(each.host_port for each in published)
    for each in sorted(
        published, key=lambda each: (each.container_port, 0 if is_routed_too else each.host_port, ":" in each.address)
    ):
        target = endpoint["GlobalIPv6Address"] if ":" in each.address else endpoint["IPAddress"]
        if not target:  # no rule leads from one family to the other: the monitor carries it (`relay`)
            if each.protocol == "sctp" or not endpoint["IPAddress"]:
                raise EngineError(
                    f"the container has no address on the network {record['Name']} to which {each.address} could lead"
                )
            relays.append([each.descriptor, each.protocol, endpoint["IPAddress"], each.container_port])
        if not each.address.startswith(
            network_ports.PROJECT_ADDRESSES
        ):  # the project's own address is no port of the host
            ports.setdefault(f"{each.container_port}/{each.protocol}", []).append(
                {"HostIp": each.address, "HostPort": str(each.host_port) if each.host_port else ""}
            )
        listed.append([each.address, each.host_port, each.protocol, target, each.container_port])
        if target and each.host_port and network_bridge.trusted_links(record):
            listed.append([each.address, 0, each.protocol, target, each.container_port])
    held["Ports"] = ports
    held["Published"] = listed
    held["Relays"] = relays


def is_allocated(roots: Roots, port: int, protocol: str) -> bool:
    """Return whether a running container of these roots has a host port."""
    for _, held in all_held(roots):
        published = held.get("Published")
        for each in published if isinstance(published, list) else ():
            if each[1] == port and each[2] == protocol and network_store.owner_lives(str(held["Owner"])):
                return True
    return False


def elements(held: Json) -> list[Element]:
    """Return the elements of maps that publish what a container holds."""
    published = held["Published"]
    assert isinstance(published, list)
    found = []
    for address, port, protocol, target, container_port in published:
        if target and port:
            found.append(network_rules.published(address, protocol, port, target, container_port))
        elif target:
            found.append(network_rules.opened(protocol, target, container_port))
    return found


def restore(roots: Roots, rules: Rules) -> None:
    """Put back the elements of all that runs, into a table that was just laid."""
    found: list[Element] = []
    for record in network_store.all_networks(roots):
        if record.get("Bridge"):
            found += network_bridge.elements(record)
    for _, held in all_held(roots):
        if network_store.owner_lives(str(held["Owner"])):
            found += elements(held)
    rules.add(found)


def write_endpoint(roots: Roots, container_id: str, record: Json, endpoint: Json, owner: str, name: str) -> None:
    """Show an endpoint to DNS and to `network inspect`."""
    folder = network_store.run_folder(roots, str(record["Id"]))
    os.makedirs(folder, 0o711, exist_ok=True)
    files.write_json(f"{folder}/{container_id}.json", {**endpoint, "Owner": owner, "Container": name})


def teardown(roots: Roots, container_id: str) -> None:
    """Give back all that a container holds, its links excepted (they die with its network namespace). Idempotent."""
    held = read_held(roots, container_id)
    if held is None:
        return
    owner = str(held["Owner"])
    published = held["Published"]
    if published:
        mine = elements(held)
        if not network_store.owner_lives(owner):  # its ports were free in that moment: who has them now keeps them
            taken = {
                (each.holder, each.key)
                for other, theirs in all_held(roots)
                if other != container_id
                for each in elements(theirs)
            }
            mine = [each for each in mine if (each.holder, each.key) not in taken]
        rules = Rules(network_rules.table_name(roots))
        rules.remove(mine)
        rules.close()
    networks = held["Networks"]
    assert isinstance(networks, dict)
    for endpoint in networks.values():
        network_id = str(endpoint["NetworkID"])
        folder = network_store.run_folder(roots, network_id)
        files.remove_tree(f"{folder}/{container_id}.json")
        for key in ("IPAddress", "GlobalIPv6Address"):
            network_store.release(roots, network_id, str(endpoint[key]), container_id)
    descriptors = held["Descriptors"]
    assert isinstance(descriptors, list)
    if owner == network_store.owner_text(container_id):
        for descriptor in descriptors:
            try:
                os.close(descriptor)
            except OSError:
                pass
    files.remove_tree(held_path(roots, container_id))
