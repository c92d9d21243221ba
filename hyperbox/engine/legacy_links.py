"""--link on the default bridge: lines of the hosts file and variables about the other container, as docker gives them.

On a network of the user's a link is an alias that its DNS answers (`engine.dns`), and nothing here is used.
"""

from __future__ import annotations

from hyperbox import files
from hyperbox.errors import EngineError, InvalidParameter, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots

# variables of the other container that say nothing to this one
OWN_VARIABLES = frozenset({"HOME", "PATH"})


def parsed(container: Container) -> list[tuple[str, str]]:
    """Return (container, alias) of each of HostConfig.Links."""
    links = container.host_config.get("Links")
    return [split(str(link)) for link in links] if isinstance(links, list) else []


def split(link: str) -> tuple[str, str]:
    """Return (container, alias) of CONTAINER[:ALIAS]; the alias may be written as a path, whose end counts."""
    target, colon, alias = link.rpartition(":")
    if not colon:
        target = alias = link
    return target.lstrip("/"), alias.rpartition("/")[2]


def check(roots: Roots, links: object) -> None:
    """Raise InvalidParameter where a link names a container that is not there."""
    from hyperbox.engine.state import find_id

    for link in links if isinstance(links, list) else ():
        target, _ = split(str(link))
        try:
            find_id(roots, target)
        except NotFound as error:
            raise InvalidParameter(f"could not get container for {target}: {error.message}") from None


def remove_link(roots: Roots, name: str) -> None:
    """Take the link NAME (CONTAINER/ALIAS) from a container (`rm --link`). Raises NotFound, EngineError with docker's words."""
    from hyperbox.engine.state import find_container, read_container

    owner, slash, alias = name.strip("/").rpartition("/")
    if not slash:
        find_container(roots, name)
        raise EngineError("Conflict, cannot remove the default link name of the container")
    try:
        container = find_container(roots, owner)
        with container.lock():
            container = read_container(roots, container.id)
            kept = [f"{target}:{other}" for target, other in parsed(container) if other != alias]
            if len(kept) == len(parsed(container)):
                raise NotFound(f"No such container: {name}")
            container.record["HostConfig"] = {**container.host_config, "Links": kept or None}
            files.write_json(f"{container.folder()}/container.json", container.record)
    except NotFound:
        raise NotFound(f"No such container: {name}") from None


def shown(roots: Roots, container: Container) -> list[str] | None:
    """Return HostConfig.Links as inspect shows it, "/OTHER:/OWN/ALIAS"; None without any."""
    from hyperbox.engine.state import find_container

    found = []
    for target, alias in parsed(container):
        try:
            found.append(f"/{find_container(roots, target).name}:/{container.name}/{alias}")
        except NotFound:
            continue
    return found or None


def linked(roots: Roots, container: Container) -> list[tuple[str, Container, str]]:
    """Return (alias, container, its address) of each link. Raises NotFound, InvalidParameter with docker's words."""
    from hyperbox.engine.network_setup import read_held
    from hyperbox.engine.state import find_container

    found = []
    for target, alias in parsed(container):
        other = find_container(roots, target)
        if not other.running:
            raise InvalidParameter(
                f"Cannot link to a non running container: /{other.name} AS /{container.name}/{alias}"
            )
        held = read_held(roots, other.id)
        networks = held["Networks"] if held is not None else {}
        assert isinstance(networks, dict)
        address = next((str(each["IPAddress"]) for each in networks.values() if each["IPAddress"]), "")
        found.append((alias, other, address))
    return found


def hosts(roots: Roots, container: Container) -> list[tuple[str, str]]:
    """Return (address, names) of the lines for the hosts file."""
    lines = []
    for alias, other, address in linked(roots, container):
        names = dict.fromkeys([alias, str(other.config.get("Hostname") or other.id[:12]), other.name])
        if address:
            lines.append((address, " ".join(names)))
    return lines


def environment(roots: Roots, container: Container) -> list[str]:
    """Return the variables that tell of the linked containers: name, ports, and their own variables."""
    output: list[str] = []
    for alias, other, address in linked(roots, container):
        prefix = alias.replace("-", "_").upper()
        exposed = other.config.get("ExposedPorts")
        ports = sorted(
            (int(number), protocol or "tcp")
            for number, _, protocol in (
                str(port).partition("/") for port in (exposed if isinstance(exposed, dict) else ())
            )
            if number.isdigit()
        )
        for index, (number, protocol) in enumerate(ports):
            address_of_port = f"{protocol}://{address}:{number}"
            if index == 0:
                output.append(f"{prefix}_PORT={address_of_port}")
            name = f"{prefix}_PORT_{number}_{protocol.upper()}"
            output += [
                f"{name}={address_of_port}",
                f"{name}_ADDR={address}",
                f"{name}_PORT={number}",
                f"{name}_PROTO={protocol}",
            ]
        output.append(f"{prefix}_NAME=/{container.name}/{alias}")
        own = other.config.get("Env")
        for item in own if isinstance(own, list) else ():
            name, equals, _ = str(item).partition("=")
            if equals and name not in OWN_VARIABLES:
                output.append(f"{prefix}_ENV_{item}")
    return output
