"""The project behind a compose file on this machine: its real name, the real names of fixed ones, its host ports."""

from __future__ import annotations

import os

from hyperbox.project.enrolment import Enrolment, Wishes, enrol, preview

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hyperbox.compose.model import Json, Project
    from hyperbox.engine.api import Engine
    from hyperbox.project.ports import Request

# the verbs that make something: the project is recorded then, with its folder
RECORDING = frozenset(
    {"compose up", "compose create", "compose run", "compose scale", "compose watch", "compose build", "hyperbox env"}
)
# those of them that publish ports
PUBLISHING = RECORDING - {"compose build"}


def projects_folder() -> str:
    """Return the folder of the projects' records."""
    from hyperbox.cli.connect import roots_from_environment

    return f"{roots_from_environment().data}/projects"


def port_request(service: str, ordinal: int, position: int, port: Json) -> Request:
    """Return the request for one published port of a service's container: the file's port number `position`."""
    from hyperbox.project.ports import Request

    target, protocol = int(str(port["target"])), str(port.get("protocol") or "tcp")
    address = str(port.get("host_ip") or "")
    first, _, last = str(port.get("published") or "0").partition("-")
    key = f"{service}/{ordinal}/{target}/{protocol}/{position}/{address}"
    return Request(key, target, int(first), protocol, address, int(last or 0))


def service_ports(definition: Mapping[str, object]) -> list[Json]:
    """Return the published ports of a canonical service."""
    ports = definition.get("ports")
    return [port for port in ports if isinstance(port, dict)] if isinstance(ports, list) else []


def port_requests(project: Project, scale: Mapping[str, int] | None = None) -> Iterator[Request]:
    """Yield the requests of all containers that a project's services want."""
    from hyperbox.project.desired import service_scale

    for name, definition in project.services.items():
        for ordinal in range(1, (scale or {}).get(name, service_scale(definition)) + 1):
            for position, port in enumerate(service_ports(definition)):
                yield port_request(name, ordinal, position, port)


def own_ports(project: Project) -> dict[str, list[tuple[int, str, int]]]:
    """Return (number on the project's own address, protocol, container port) of each service's ports, whether it is enabled or not."""
    from hyperbox.project.address import published_ports

    everything = {**project.services, **project.disabled_services}
    return published_ports({name: service_ports(everything[name]) for name in sorted(everything)})


def host_routes() -> list[str]:
    """Return the IPv4 networks to which the host has routes but by bridges of networks (proc(5), /proc/net/route)."""
    import socket

    try:
        with open("/proc/net/route", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return []
    found = []
    for device, target, *rest in rows:
        mask = int(rest[5], 16).bit_count()
        if mask and not device.startswith("br-"):
            found.append(f"{socket.inet_ntoa(int(target, 16).to_bytes(4, 'little'))}/{mask}")
    return found


def other_subnets(engine: Engine | None) -> Callable[[str], list[str]]:
    """Return the function that tells the subnets of all networks but a project's own, and of the host's routes."""

    def taken(project_id: str) -> list[str]:
        found = []
        for row in engine.network_list() if engine is not None else ():
            labels, ipam = row.get("Labels"), row.get("IPAM")
            if isinstance(labels, dict) and labels.get("com.docker.compose.project") == project_id:
                continue
            config = ipam.get("Config") if isinstance(ipam, dict) else None
            found += [str(each["Subnet"]) for each in (config or ())]
        return found + host_routes()

    return taken


def settle(
    project: Project,
    *,
    explicit: bool,
    path: str,
    scale: Mapping[str, int] | None = None,
    engine: Engine | None = None,
) -> Enrolment:
    """Return the project's place on this machine for the command `path`; one that makes something records it.

    `explicit`: the user gave the name on purpose. Raises HyperBoxError when ports run out, ComposeError for an `x-hyperbox` that is wrong.
    """
    from hyperbox.cli.project_settings import declared_budget, port_wishes
    from hyperbox.project import subnets
    from hyperbox.project.desired import fixed_names

    if engine is not None and os.path.lexists(f"{projects_folder()}/renaming"):  # somebody was killed
        from hyperbox.cli.project_rename import finish

        finish(engine)
    requests: list[Request] = []
    fields: Json = {}
    if path in PUBLISHING:
        if path != "compose run":  # what it publishes, if anything, is assigned as it makes a container
            requests = list(port_requests(project, scale))
        own = own_ports(project)
        known = sorted({*project.services, *project.disabled_services})
        fields["Declared"] = declared_budget(project)
        fields["Services"] = {name: [list(port) for port in own.get(name, ())] for name in known}
    nets = subnets.fixed(project) if path in PUBLISHING else {}
    wishes = Wishes(fixed_names(project), requests, *port_wishes(project), fields, nets, other_subnets(engine))
    if path in RECORDING:
        return enrol(projects_folder(), project.name, project.working_dir, wishes, explicit=explicit)
    return preview(projects_folder(), project.name, project.working_dir, wishes, explicit=explicit)
