"""The project behind a compose file on this machine: its real name, the real names of fixed ones, its host ports."""

from __future__ import annotations

from hyperbox.project.enrolment import Enrolment, Wishes, enrol, preview

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hyperbox.compose.model import Json, Project
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


def settle(project: Project, *, explicit: bool, path: str, scale: Mapping[str, int] | None = None) -> Enrolment:
    """Return the project's place on this machine for the command `path`; one that makes something records it.

    `explicit`: the user gave the name on purpose. Raises HyperBoxError when ports run out, ComposeError for an `x-hyperbox` that is wrong.
    """
    from hyperbox.cli.project_settings import declared_budget, port_wishes
    from hyperbox.project.desired import fixed_names

    requests: list[Request] = []
    fields: Json = {}
    if path in PUBLISHING:
        requests = list(port_requests(project, scale))
        own = own_ports(project)
        known = sorted({*project.services, *project.disabled_services})
        fields["Declared"] = declared_budget(project)
        fields["Services"] = {name: [list(port) for port in own.get(name, ())] for name in known}
    wishes = Wishes(fixed_names(project), requests, *port_wishes(project), fields)
    if path in RECORDING:
        return enrol(projects_folder(), project.name, project.working_dir, wishes, explicit=explicit)
    return preview(projects_folder(), project.name, project.working_dir, wishes, explicit=explicit)
