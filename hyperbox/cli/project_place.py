"""What a project's place on this machine brings about beside its containers: its budget in force, its names in the hosts file."""

from __future__ import annotations

import sys

from hyperbox.cli import settings
from hyperbox.cli.compose_identity import PUBLISHING, projects_folder
from hyperbox.cli.project_settings import budget, declared_budget
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.compose.model import Project
    from hyperbox.engine.api import Engine
    from hyperbox.project.enrolment import Enrolment


def take_effect(engine: Engine, project: Project, place: Enrolment, path: str) -> None:
    """Put a project's budget in force and its names into the hosts file, for the commands that make containers.

    Raises HyperBoxError for a budget that can't be kept; a hosts file that can't be written is told on stderr.
    """
    if path not in PUBLISHING:
        return
    from hyperbox.project import identity

    sys.stderr.write("".join(f"{line}\n" for line in place.told))
    record = identity.read(projects_folder(), place.identity.id)
    limit = record.get("Limit") if record is not None else None
    engine.project_limit(place.identity.id, budget(declared_budget(project), limit))
    services = [*project.services, *project.disabled_services]
    try:
        write_names(place.identity.number, place.identity.id, services)
    except OSError as error:
        sys.stderr.write(f"{place.identity.id}: its names are not in {error.filename}: {error.strerror}\n")


def hosts_owner(project_id: str) -> str:
    """Return the name of a project's block in the hosts file; it tells projects of different roots apart."""
    from hyperbox.cli.connect import roots_from_environment

    return f"{roots_from_environment().cgroup}/{project_id}"


def write_names(number: int, project_id: str, services: Sequence[str]) -> bool:
    """Write a project's block of the hosts file, or take it away where the settings don't want one. Raises OSError."""
    from hyperbox.project import address, hosts_file

    found = settings.values()
    lines = address.host_lines(number, project_id, services) if found["hosts.write"] else []
    return hosts_file.write_block(str(found["hosts.file"]), hosts_owner(project_id), lines)


def remove_names(project_id: str) -> bool:
    """Take a project's block out of the hosts file; returns whether there was one. Raises HyperBoxError where that can't be done."""
    from hyperbox.project import hosts_file

    path = str(settings.values()["hosts.file"])
    try:
        return hosts_file.write_block(path, hosts_owner(project_id), [])
    except OSError as error:
        raise HyperBoxError(f"{path}: {error.strerror}") from None
