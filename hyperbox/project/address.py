"""A project's own loopback address, its names in /etc/hosts, and the variables that tell of both.

Every project has one address in 127.89.0.0/16, made from its number, on which its published ports have the numbers that the file asks
for, whatever they were remapped to on the host's other addresses. `PROJECT.hyperbox` and `SERVICE.PROJECT.hyperbox` stand in a block of
/etc/hosts that is ours (`hosts_file`). The rules that lead the address to containers are the engine's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "127.89"
SUFFIX = "hyperbox"


def address(number: int) -> str:
    """Return the loopback address of the project with this number (from 1). Pure."""
    high, low = divmod((number - 1) % 65024, 254)
    return f"{PREFIX}.{high}.{low + 1}"


def names(project_id: str, services: Sequence[str]) -> list[str]:
    """Return the names that stand for a project's address: PROJECT.hyperbox, then SERVICE.PROJECT.hyperbox. Pure."""
    project = host_label(project_id)
    return [f"{project}.{SUFFIX}", *(f"{host_label(service)}.{project}.{SUFFIX}" for service in services)]


def host_label(text: str) -> str:
    """Return a project's or service's name as a part of a host's name; different projects' stay different. Pure."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "-" for each in text.lower())


def host_lines(number: int, project_id: str, services: Sequence[str]) -> list[str]:
    """Return the lines of a hosts file that name a project and its services, one name each. Pure."""
    return [f"{address(number)} {name}" for name in names(project_id, services)]


def published_ports(services: Mapping[str, Sequence[Mapping[str, object]]]) -> dict[str, list[tuple[int, str, int]]]:
    """Return (number on the project's address, protocol, container port) of each service's published ports. Pure.

    `services` has the canonical `ports` of each service. A number is what the file asks for; a range, or a port that asks for none, has the
    container port's number unless it is another one's. Of two that ask for the same number the first has it.
    """
    taken: set[tuple[int, str]] = set()
    found: dict[str, list[tuple[int, str, int]]] = {}
    for fixed in (True, False):
        for service, ports in services.items():
            for port in ports:
                published, protocol = str(port.get("published") or ""), str(port.get("protocol") or "tcp")
                target = int(str(port["target"]))
                number = int(published) if published.isdigit() else target
                if published.isdigit() == fixed and (number, protocol) not in taken:
                    taken.add((number, protocol))
                    found.setdefault(service, []).append((number, protocol, target))
    return found


def environment(number: int, ports: Mapping[tuple[str, int, str], int], project_id: str) -> dict[str, str]:
    """Return HYPERBOX_PROJECT, HYPERBOX_HOST, HYPERBOX_ADDRESS and HYPERBOX_PORT_<SERVICE>_<PORT>. Pure.

    `ports` is (service, container port, protocol) -> host port; a port that is not TCP has _UDP or _SCTP behind it.
    """
    result = {
        "HYPERBOX_PROJECT": project_id,
        "HYPERBOX_HOST": names(project_id, [])[0],
        "HYPERBOX_ADDRESS": address(number),
    }
    for (service, port, protocol), host_port in sorted(ports.items()):
        name = "".join(each if each.isascii() and each.isalnum() else "_" for each in service.upper())
        suffix = "" if protocol == "tcp" else f"_{protocol.upper()}"
        result[f"HYPERBOX_PORT_{name}_{port}{suffix}"] = str(host_port)
    return result
