"""Changing projects: adopt, remove, prune, limit; `project_rename` has the rest. Each leaves the machine and the record in accord."""

from __future__ import annotations

import os

from hyperbox.cli.compose_identity import projects_folder
from hyperbox.cli.project_place import hosts_owner, remove_names
from hyperbox.cli.project_view import LABEL, containers_by_project, effective_budget, required
from hyperbox.errors import HyperBoxError, NotFound
from hyperbox.project import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import Engine

    Json = dict[str, object]


def adopt(project_id: str, folder: str) -> None:
    """Tell a project that its folder is now `folder`. Raises HyperBoxError where that is another project's or none."""
    if not os.path.isdir(folder):
        raise HyperBoxError(f"{folder}: no such folder")
    record = required(project_id)
    real = identity.real_folder(folder)
    for other in identity.read_all(projects_folder()):
        if other["Id"] != project_id and other["Folder"] == real and other["Name"] == record["Name"]:
            raise HyperBoxError(
                f"{real} is the folder of the project {other['Id']}", hint=f"hyperbox project rm {other['Id']}"
            )
    identity.adopt(projects_folder(), project_id, folder)


def resources(engine: Engine, project_id: str) -> list[str]:
    """Return what carries a project's label: "container x", "network y", "volume z"."""
    label = {"label": [f"{LABEL}={project_id}"]}
    containers = containers_by_project(engine).get(project_id, [])
    found = [f"container {str(row['Names'][0]).lstrip('/')}" for row in containers]  # type: ignore[index]
    found += [f"network {row['Name']}" for row in engine.network_list(label)]
    volumes = engine.volume_list(label).get("Volumes")
    return found + [f"volume {row['Name']}" for row in (volumes if isinstance(volumes, list) else [])]


def remove(engine: Engine, project_id: str, *, force: bool, volumes: bool) -> list[str]:
    """Remove a project: its containers and networks (with `force`), its volumes (with `volumes`), its names, budget, lease and record.

    Returns the volumes that stay. Raises HyperBoxError while it has containers, unless `force`; may be done again after a kill.
    """
    known = identity.read(projects_folder(), project_id) is not None
    left = resources(engine, project_id)
    if not known and not left:
        required(project_id)
    containers = containers_by_project(engine).get(project_id, [])
    if containers and not force:
        raise HyperBoxError(
            f"the project {project_id} has containers", hint="bring it down first, or force it with --force"
        )
    for row in containers:
        _unless_gone(engine.container_remove, str(row["Id"]), force=True, volumes=True)
    kept = []
    for each in left:
        kind, _, name = each.partition(" ")
        if kind == "network":
            _unless_gone(engine.network_remove, name)
        elif kind == "volume" and volumes:
            _unless_gone(engine.volume_remove, name)
        elif kind == "volume":
            kept.append(name)
    remove_names(project_id)
    engine.project_remove(project_id)
    identity.forget(projects_folder(), project_id)
    return kept


def _unless_gone(action: object, name: str, **flags: bool) -> None:
    assert callable(action)
    try:
        action(name, **flags)
    except NotFound:
        return


def prunable(engine: Engine, *, down: bool) -> list[Json]:
    """Return the projects without containers whose folder is gone; with `down` all without containers."""
    busy = containers_by_project(engine)
    records = identity.read_all(projects_folder())
    return [
        record
        for record in records
        if str(record["Id"]) not in {*busy, "default"} and (down or not os.path.isdir(str(record["Folder"])))
    ]


def set_limit(engine: Engine, project_id: str, changes: Json, cleared: tuple[str, ...]) -> Json:
    """Change a project's own limits, put the whole budget in force, and return it. "default" is the project of plain `docker run`.

    Raises EngineError where the machine can't keep it; the record stays as it was then.
    """
    record = identity.read(projects_folder(), project_id)
    if record is None and project_id != "default":
        required(project_id)
    if record is None:  # plain `docker run`'s, recorded because it has a limit now
        identity.resolve(projects_folder(), project_id, "/", explicit=True)
        record = required(project_id)
    before = record.get("Limit")
    limit = {**(before if isinstance(before, dict) else {}), **changes}
    limit = {key: value for key, value in limit.items() if key not in cleared}
    whole = effective_budget({**record, "Limit": limit})
    engine.project_limit(project_id, whole)
    identity.change(projects_folder(), project_id, "Limit", limit)
    return whole


def stale_names(known: set[str]) -> list[str]:
    """Return the ids of projects that have a block in the hosts file and no record."""
    from hyperbox.cli import settings
    from hyperbox.project import hosts_file

    prefix = hosts_owner("")
    found = hosts_file.owners(hosts_file.read(str(settings.values()["hosts.file"])))
    return [owner[len(prefix) :] for owner in found if owner.startswith(prefix) and owner[len(prefix) :] not in known]
