"""The project behind a compose file on this machine: its real name."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.compose.model import Project

# the verbs that make something: the project is recorded then, with its folder
RECORDING = frozenset({"compose up", "compose create", "compose run", "compose scale", "compose watch"})


def projects_folder() -> str:
    """Return the folder of the projects' records."""
    from hyperbox.cli.connect import roots_from_environment

    return f"{roots_from_environment().data}/projects"


def resolve_name(project: Project, explicit: bool, path: str = "compose up") -> str:
    """Return the project's id for the command `path`; `explicit` where the user gave the name on purpose."""
    from hyperbox.project import identity

    folder = projects_folder()
    if path not in RECORDING:
        return identity.predict(folder, project.name, project.working_dir, explicit=explicit)
    return identity.resolve(folder, project.name, project.working_dir, explicit=explicit).id
