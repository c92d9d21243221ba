"""The project behind a compose file on this machine: its real name and its host ports."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.compose.model import Project


def resolve_name(project: Project, explicit: bool) -> str:
    """Return the project's real name; `explicit` where the user gave the name on purpose."""
    del explicit
    return project.name
