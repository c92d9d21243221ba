"""Giving a project another id: its volumes with their data, record, names and budget go along.

DATA/projects/renaming      symbolic link to "OLD/NEW", there while a project is renamed. Whoever finds it finishes the renaming first, so
                            that a kill between any two steps loses nothing: the next command about projects goes on where it was.
"""

from __future__ import annotations

import os
import sys

from hyperbox import files
from hyperbox.cli.compose_identity import projects_folder
from hyperbox.cli.project_place import remove_names, write_names
from hyperbox.cli.project_view import LABEL, effective_budget, required
from hyperbox.errors import HyperBoxError
from hyperbox.project import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import Engine

    Json = dict[str, object]

KEY = "com.docker.compose.volume"
HASH = "com.docker.compose.config-hash"


def rename(engine: Engine, project_id: str, name: str) -> None:
    """Give a project that is down another id. Raises HyperBoxError while containers or networks are named after the old one, for a name that
    can't be or is taken, and where a volume of the new name is there or one of the old name is in use; nothing has changed then."""
    from hyperbox.cli.project_change import resources
    from hyperbox.compose.discover import normalize_name

    required(project_id)
    if not name or normalize_name(name) != name:
        raise HyperBoxError(
            f'invalid project name "{name}": lower case letters, digits, "-" and "_", a letter or digit first'
        )
    folder = projects_folder()
    with identity.lock(folder):
        required(project_id)
        if identity.read(folder, name) is not None:
            raise HyperBoxError(f"there is a project {name} already")
        left = [each for each in resources(engine, project_id) if not each.startswith("volume ")]
        if left:
            raise HyperBoxError(
                f"{left[0]} is named after the project {project_id}", hint=f"hyperbox compose -p {project_id} down"
            )
        check_volumes(engine, project_id, name)
        files.claim(f"{folder}/renaming", f"{project_id}/{name}")
        files.sync_folder(folder)
        step("rename-begun")
        carry_out(engine, project_id, name)


def step(name: str) -> None:
    """Tell tests of crashes what has been done."""
    from hyperbox.cli.connect import roots_from_environment

    roots_from_environment().reached(name)


def finish(engine: Engine) -> None:
    """Finish the renaming that a killed command has begun, if there is one."""
    folder = projects_folder()
    if files.claim_owner(f"{folder}/renaming") is None:
        return
    with identity.lock(folder):
        begun = files.claim_owner(f"{folder}/renaming")
        if begun is not None:
            old, _, new = begun.partition("/")
            carry_out(engine, old, new)


def volumes_of(engine: Engine, project_id: str) -> list[Json]:
    """Return a project's volumes."""
    found = engine.volume_list({"label": [f"{LABEL}={project_id}"]}).get("Volumes")
    return found if isinstance(found, list) else []


def moved(volume: Json, old: str, new: str) -> tuple[str, dict[str, str]]:
    """Return a volume's name and labels in the project's new id. Pure.

    A name that the compose file fixes stays. Of one that is made of the id the hash over its definition goes, in which the name is.
    """
    name, labels = str(volume["Name"]), volume["Labels"]
    labels = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    key = labels.get(KEY)
    if key is not None and name == f"{old}_{key}":
        name = f"{new}_{key}"
        labels.pop(HASH, None)
    return name, {**labels, LABEL: new}


def check_volumes(engine: Engine, old: str, new: str) -> None:
    """Raise HyperBoxError where a volume can't have its new name."""
    everything = engine.volume_list().get("Volumes")
    there = {str(row["Name"]) for row in everything} if isinstance(everything, list) else set()
    for volume in volumes_of(engine, old):
        name, target = str(volume["Name"]), moved(volume, old, new)[0]
        if target != name and target in there:
            raise HyperBoxError(f"volume {name} can't become {target}: there is a volume {target} already")
        users = engine.container_list(all=True, filters={"volume": [name]})
        if target != name and users:
            names = users[0]["Names"]
            holder = str(names[0]).lstrip("/") if isinstance(names, list) else ""
            raise HyperBoxError(f"volume {name} can't become {target}: the container {holder} uses it")


def carry_out(engine: Engine, old: str, new: str) -> None:
    """Do what is left of a renaming; the caller holds the lock. May be done again after a kill at any place."""
    folder = projects_folder()
    for volume in volumes_of(engine, old):
        engine.volume_move(str(volume["Name"]), *moved(volume, old, new))
    step("rename-volumes")
    record = identity.read(folder, old)
    if record is not None:
        services = record.get("Services")
        try:
            remove_names(old)
            write_names(int(str(record["Number"])), new, list(services) if isinstance(services, dict) else [])
        except (HyperBoxError, OSError) as error:  # the next `up` writes them
            sys.stderr.write(f"{new}: its names are not in the hosts file: {error}\n")
        engine.project_remove(old)
        engine.project_limit(new, effective_budget(record))
        step("rename-names")
        if identity.read(folder, new) is None:
            identity.write(folder, {**record, "Id": new})
        step("rename-recorded")
        os.unlink(f"{folder}/{old}.json")
    step("rename-forgotten")
    os.unlink(f"{folder}/renaming")
    files.sync_folder(folder)
