"""What projects claim on the machine, given back when their last container is removed by `docker rm` or a prune in place of `down`.

Ports outside of the project's lease, the names that its file fixes, and its subnets are free for others then, as after `down`.
"""

from __future__ import annotations

import os

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.engine.api import Engine

FEW = 3  # looking at each costs less than listing all
LABEL = "com.docker.compose.project"


def _folder() -> str:
    from hyperbox.cli.connect import roots_from_environment

    return f"{roots_from_environment().data}/projects"


def projects_of(engine: Engine, containers: Iterable[str]) -> set[str]:
    """Return the recorded projects whose containers these are; what is no container is nobody's. Of many, all projects that have containers."""
    folder, found, names = _folder(), set(), list(containers)
    if not os.path.isdir(folder):
        return set()
    if len(names) > FEW:
        return projects_with_containers(engine)
    for name in names:
        try:
            config = engine.container_inspect(name.lstrip("/"))["Config"]
        except HyperBoxError:
            continue
        labels = config.get("Labels") if isinstance(config, dict) else None
        project = str(labels.get(LABEL) or "") if isinstance(labels, dict) else ""
        if project and os.path.exists(f"{folder}/{project}.json"):
            found.add(project)
    return found


def projects_with_containers(engine: Engine) -> set[str]:
    """Return the projects that have containers; none where none is recorded."""
    if not os.path.isdir(_folder()):
        return set()
    rows = engine.container_list(all=True, filters={"label": [LABEL]})
    labels = [row.get("Labels") for row in rows]
    return {str(each[LABEL]) for each in labels if isinstance(each, dict) and LABEL in each}


def give_back(engine: Engine, projects: set[str]) -> None:
    """Give back what these projects claim, of those that have no container any more."""
    if not projects:
        return
    from hyperbox.project import ports

    for project in projects - projects_with_containers(engine):
        ports.release(_folder(), project)
