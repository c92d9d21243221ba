"""Joining a container, running or not, to a network, and taking it off again."""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine import (
    control,
    network_bridge,
    network_files,
    network_interfaces,
    network_rules,
    network_setup,
    network_store,
)
from hyperbox.engine.events import emit_any
from hyperbox.engine.state import Container, find_container, update_state
from hyperbox.errors import Conflict, EngineError, Forbidden, NotFound
from hyperbox.kernel import links, netlink, syscalls
from hyperbox.kernel.nftables import Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Roots

    Json = dict[str, object]


def network_connect(roots: Roots, reference: str, container: str, endpoint: Json) -> None:
    """See `engine.api.Engine.network_connect`."""
    network_store.refuse_empty(reference)
    target = find_container(roots, container)
    try:
        record = network_store.find(roots, reference)
    except NotFound:
        if target.running:
            raise
        change_later(target, reference, dict(endpoint or {}))
        return
    name = str(record["Name"])
    with target.lock():
        target = find_container(roots, target.id)
        wanted = network_setup.wanted_endpoints(target)
        check_connect(target, name, wanted)
        config = dict(endpoint or {})
        fixed = config.get("IPAMConfig")
        if isinstance(fixed, dict) and any(fixed.values()):
            network_setup.refuse_addresses(record, fixed)
        network_interfaces.check(name, config)
        if target.running and record.get("ConfigOnly"):
            raise Forbidden("cannot create endpoint on configuration-only network")
        if target.running and target.pid:
            _plug(roots, target, record, config)
            if name not in network_store.PREDEFINED and not any(
                each not in network_store.PREDEFINED for each in wanted
            ):
                answer_names(roots, target)
        record_endpoints(target, {**wanted, name: config})
    tell(target, record, "connect")


def tell(target: Container, record: Json, action: str) -> None:
    """Record that a container that runs was plugged into a network or out of it; one that does not run is on none."""
    if target.running:
        attributes = {"container": target.id, "name": str(record["Name"]), "type": str(record["Driver"])}
        emit_any(target.roots, "network", action, str(record["Id"]), attributes)


def change_later(target: Container, name: str, config: Json | None) -> None:
    """Note that a container is to be on a network that is not there (config None: no longer); it is looked for when the container starts.

    Raises Forbidden where it is to leave one that it was not to be on.
    """
    with target.lock():
        target = find_container(target.roots, target.id)
        wanted = {key: value for key, value in network_setup.wanted_endpoints(target).items() if key != name}
        if config is not None:
            wanted[name] = config
        elif name not in network_setup.wanted_endpoints(target):
            raise Forbidden(f"container {target.id} is not connected to the network {name}")
        record_endpoints(target, wanted)


def check_connect(target: Container, name: str, wanted: dict[str, Json]) -> None:
    """Raise where a container can't be joined to a network."""
    mode = str(target.host_config.get("NetworkMode") or "")
    if mode == "host" or name == "host":
        raise Forbidden("cannot connect container to host network - container must be created in host network mode")
    if mode.startswith("container:"):
        raise Conflict(
            "container sharing network namespace with another container or host cannot be connected to any other network"
        )
    if mode == "none" or name == "none":
        raise Forbidden(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode"
        )
    if name in wanted:
        raise Forbidden(f"endpoint with name {target.name} already exists in network {name}")


def record_endpoints(target: Container, wanted: dict[str, Json]) -> None:
    """Write which networks a container is on."""
    target.record = {**target.record, "NetworkingConfig": {"EndpointsConfig": wanted}, "Networkless": not wanted}
    files.write_json(f"{target.folder()}/container.json", target.record)


def _plug(roots: Roots, target: Container, record: Json, config: Json) -> None:
    held = network_setup.read_held(roots, target.id)
    if held is None:
        raise EngineError(f"container {target.id} has no network of its own")
    networks = held["Networks"]
    assert isinstance(networks, dict)
    owner = str(held["Owner"])
    endpoint = network_setup.new_endpoint(target, record, config)
    network_setup.address_endpoint(roots, record, config, endpoint, owner)
    taken = [each["Interface"] for each in networks.values()]
    inside = network_interfaces.link_name(record, endpoint, taken)
    netns = os.open(f"/proc/{target.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    rules = Rules(network_rules.table_name(roots))
    try:
        if network_rules.ensure(roots, rules):
            network_setup.restore(roots, rules)
        inner = syscalls.in_netns(netns, netlink.Socket)
        assert isinstance(inner, netlink.Socket)
        with inner, netlink.Socket() as route:
            endpoint["Interface"] = inside
            try:
                network_bridge.plug(roots, record, endpoint, (inside, 0), netns, route, inner, rules)
                network_setup.set_on_link(endpoint, netns)
            except BaseException:
                inner.send([links.link_delete(inside)], tolerate=(19,))
                _release(roots, target, record, endpoint)
                raise
            networks[record["Name"]] = endpoint
            _route_again(roots, inner, networks)
    finally:
        rules.close()
        os.close(netns)
    files.write_json(network_setup.held_path(roots, target.id), held)
    network_setup.write_endpoint(roots, target.id, record, endpoint, owner, target.name)
    update_state(target, {"NetworkSettings": network_setup.settings(target, held)})


def answer_names(roots: Roots, target: Container) -> None:
    """Let a running container that is on its first network with names ask for them."""
    channel = control.connect(roots.container_run(target.id), "monitor.sock")
    if channel is None:
        return
    channel.send({"op": "resolve"})
    if channel.receive() is not None:
        network_files.turn_to_embedded(target)
    channel.close()


def _route_again(roots: Roots, inner: netlink.Socket, networks: dict[str, Json]) -> None:
    """Lead the default route through the network that is first among those that the container is on now."""
    wanted = [(name, network_store.read(roots, str(each["NetworkID"])), each) for name, each in networks.items()]
    network_setup.set_default_route(inner, networks, network_setup.gateway_name(wanted, networks))


def network_disconnect(roots: Roots, reference: str, container: str, *, force: bool = False) -> None:
    """See `engine.api.Engine.network_disconnect`. `force` only words an error: there is no endpoint without its container."""
    network_store.refuse_empty(reference)
    try:
        target = find_container(roots, container)
    except NotFound:
        if force:
            network_store.find(roots, reference)
            raise NotFound(f"endpoint {container} not found") from None
        raise
    try:
        record = network_store.find(roots, reference)
    except NotFound:
        if target.running and not force:
            raise
        change_later(target, reference, None)
        return
    name = str(record["Name"])
    with target.lock():
        target = find_container(roots, target.id)
        wanted = network_setup.wanted_endpoints(target)
        if name == "host" or str(target.host_config.get("NetworkMode")) == "host":
            raise Forbidden(
                "cannot disconnect container from host network - container was created in host network mode"
            )
        if name not in wanted:
            which = "network" if target.running else "the network"
            raise Forbidden(f"container {target.id} is not connected to {which} {name}")
        if target.running and target.pid:
            _unplug(roots, target, record)
        record_endpoints(target, {key: value for key, value in wanted.items() if key != name})
    tell(target, record, "disconnect")


def _unplug(roots: Roots, target: Container, record: Json) -> None:
    held = network_setup.read_held(roots, target.id)
    networks = held["Networks"] if held is not None else {}
    assert isinstance(networks, dict)
    endpoint = networks.pop(record["Name"], None)
    if held is None or endpoint is None:
        return
    netns = os.open(f"/proc/{target.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        inner = syscalls.in_netns(netns, netlink.Socket)
        assert isinstance(inner, netlink.Socket)
        with inner:
            inner.send([links.link_delete(str(endpoint["Interface"]))], tolerate=(19,))
            _route_again(roots, inner, networks)
    finally:
        os.close(netns)
    _withdraw_ports(roots, held, endpoint)
    folder = network_store.run_folder(roots, str(record["Id"]))
    files.write_json(network_setup.held_path(roots, target.id), held)
    files.remove_tree(f"{folder}/{target.id}.json")
    _release(roots, target, record, endpoint)
    update_state(target, {"NetworkSettings": network_setup.settings(target, held)})


def _release(roots: Roots, target: Container, record: Json, endpoint: Json) -> None:
    """Give an endpoint's addresses back."""
    for key in ("IPAddress", "GlobalIPv6Address"):
        network_store.release(roots, str(record["Id"]), str(endpoint[key]), target.id)


def _withdraw_ports(roots: Roots, held: Json, endpoint: Json) -> None:
    """Take away the ports that lead to an endpoint that is no more."""
    published = held["Published"]
    assert isinstance(published, list)
    gone = [each for each in published if each[3] and each[3] in (endpoint["IPAddress"], endpoint["GlobalIPv6Address"])]
    if gone:
        rules = Rules(network_rules.table_name(roots))
        rules.remove(network_setup.elements({"Published": gone}))
        rules.close()
        held["Published"] = [each for each in published if each not in gone]
        held["Ports"] = {}
