"""The host ports of a project's services."""

from __future__ import annotations

from hyperbox.cli.compose_project import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.project.desired_spec import RealPort


def port_assigner(session: Session) -> RealPort:
    """Return the function that gives each published port its host port."""
    from hyperbox.cli.compose_up import asked_port

    del session
    return asked_port
