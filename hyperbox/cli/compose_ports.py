"""The host ports of a project's services: what the lease and the policy make of those that the file asks for."""

from __future__ import annotations

import sys

from hyperbox.cli.compose_identity import own_ports, port_request, projects_folder, service_ports
from hyperbox.cli.compose_project import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.project.desired_spec import RealPort
    from hyperbox.project.ports import Assignment, Request

    Json = dict[str, object]


def port_assigner(session: Session) -> RealPort:
    """Return the function that gives each published port its host port; it tells of a remap on stderr.

    Without a place of its own (a project without files) or with --dry-run a port stays what the file asks for.
    """
    place = session.place
    dry = bool(session.invocation.globals.get("dry-run"))

    def assigned(service: str, ordinal: int, port: Json) -> str:
        published = str(port.get("published") or "")
        if place is None or dry:
            return published
        definition = service_ports(session.desired.services[service].definition)
        request = port_request(service, ordinal, definition.index(port) if port in definition else 0, port)
        assignment = place.assignments.get(request.key) or _later(session, place.identity.id, request)
        if assignment.remapped:
            sys.stderr.write(assignment.sentence(place.identity.id) + "\n")
        return str(assignment.port)

    return assigned


def _later(session: Session, project_id: str, request: Request) -> Assignment:
    """Assign a port of a container whose number nobody foresaw (an older one that is recreated)."""
    from hyperbox.cli.project_settings import port_wishes
    from hyperbox.project import identity, ports

    assert session.desired.project is not None
    policy, in_use, bounds = port_wishes(session.desired.project)
    record = identity.read(projects_folder(), project_id)
    own = str(record.get("Policy") or "") if record is not None else ""
    (assignment,) = ports.assign(
        projects_folder(), project_id, [request], policy=own or policy, in_use=in_use, bounds=bounds
    )
    return assignment


def add_address(session: Session, service: str, ordinal: int, spec: ContainerSpec) -> None:
    """Publish a service's ports on the project's own address too, at the numbers that the file asks for; the first replica has them.

    A port for which any host port will do has its own number there, unless another one of the project asks for that.
    """
    from hyperbox.project import address

    bindings = spec.host_config.get("PortBindings")
    if session.place is None or ordinal != 1 or not isinstance(bindings, dict):
        return
    if spec.host_config.get("NetworkMode") == "host":  # its ports are the machine's
        return
    assert session.desired.project is not None
    wanted = own_ports(session.desired.project)
    own = address.address(session.place.identity.number)
    for number, protocol, target in wanted.get(service, ()):
        key = f"{target}/{protocol}"
        if key in bindings:
            bindings[key].append({"HostIp": own, "HostPort": str(number)})


def release_ports(session: Session) -> None:
    """Give back what a project that is down need not keep: its lease stays."""
    from hyperbox.project import ports

    ports.release(projects_folder(), session.desired.name)
