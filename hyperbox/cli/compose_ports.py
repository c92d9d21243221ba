"""The host ports of a project's services: what the lease and the policy make of those that the file asks for."""

from __future__ import annotations

import os
import sys

from hyperbox.cli.compose_identity import projects_folder
from hyperbox.cli.compose_project import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.project.desired_spec import RealPort

    Json = dict[str, object]


def port_assigner(session: Session) -> RealPort:
    """Return the function that gives each published port its host port; it tells of a remap on stderr."""
    from hyperbox.project import identity, ports

    projects = projects_folder()
    project_id = session.desired.name
    policy = os.environ.get("HYPERBOX_PORTS", "auto")

    def assigned(service: str, ordinal: int, port: Json) -> str:
        published = str(port.get("published") or "")
        if published and not published.isdigit():  # a range: the engine takes any free one of it
            return published
        if identity.read(projects, project_id) is None or session.invocation.globals.get("dry-run"):
            return published
        definition = session.desired.services[service].definition.get("ports")
        position = definition.index(port) if isinstance(definition, list) and port in definition else 0
        protocol = str(port.get("protocol") or "tcp")
        target = int(str(port["target"]))
        request = ports.Request(
            f"{service}/{ordinal}/{target}/{protocol}/{position}",
            target,
            int(published or 0),
            protocol,
            str(port.get("host_ip") or ""),
        )
        (assignment,) = ports.assign(projects, project_id, [request], policy=policy, in_use=ports.host_in_use)
        if assignment.remapped:
            sys.stderr.write(assignment.sentence(project_id) + "\n")
        return str(assignment.port)

    return assigned


def add_address(session: Session, service: str, ordinal: int, spec: ContainerSpec) -> None:
    """Publish a service's ports on the project's own address too, at the numbers that the file asks for; the first replica has them."""
    from hyperbox.project import address, identity

    record = identity.read(projects_folder(), session.desired.name)
    bindings = spec.host_config.get("PortBindings")
    definition = session.desired.services[service].definition.get("ports")
    if record is None or ordinal != 1 or not isinstance(bindings, dict) or not isinstance(definition, list):
        return
    own = address.address(int(str(record["Number"])))
    for port in definition:
        published = str(port.get("published") or "")
        key = f"{port['target']}/{port.get('protocol') or 'tcp'}"
        if published.isdigit() and key in bindings:
            bindings[key].append({"HostIp": own, "HostPort": published})


def release_ports(session: Session) -> None:
    """Give the ports of a project that is down back to others; its lease stays."""
    from hyperbox.project import ports

    ports.release(projects_folder(), session.desired.name)
