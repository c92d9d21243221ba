"""What a project's files, its record and the settings say about it together: port policy, leases, budget."""

from __future__ import annotations

from hyperbox.cli import settings
from hyperbox.errors import ComposeError, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.compose.model import Json, Project
    from hyperbox.project.ports import Bounds, InUse

EXTENSION = "x-hyperbox"


def extension(project: Project) -> Json:
    """Return the checked `x-hyperbox` of a project's files: a budget's keys and "ports", a policy. Raises ComposeError."""
    from hyperbox.project.ports import check_policy

    value = project.extensions.get(EXTENSION)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ComposeError(f"{EXTENSION} must be a mapping")
    try:
        found = settings.budget({key: each for key, each in value.items() if key != "ports"}, EXTENSION)
        if "ports" in value:
            found["ports"] = check_policy(str(value["ports"]))
    except HyperBoxError as error:
        raise ComposeError(error.message) from None
    return found


def bounds() -> Bounds:
    """Return where leases of ports may lie."""
    from hyperbox.project.ports import Bounds

    found = settings.values()
    numbers = [found[f"ports.{name}"] for name in ("first", "last", "size")]
    first, last, size = (int(str(number)) for number in numbers)
    return Bounds(first, last, size)


def port_wishes(project: Project) -> tuple[str, InUse, Bounds]:
    """Return the policy that a project's files or the settings give, the question whether a port is in use, and where leases lie."""
    from hyperbox.project.ports import host_in_use

    policy = str(extension(project).get("ports") or settings.values()["ports.policy"])
    return policy, host_in_use, bounds()


def declared_budget(project: Project) -> Json:
    """Return the budget that a project's files declare. Raises ComposeError."""
    return {key: value for key, value in extension(project).items() if key != "ports"}


def budget(declared: object, limit: object) -> Json:
    """Return a project's budget: the settings', over it what its files declare, over it what `hyperbox project limit` set."""
    found = settings.values()
    wanted: Json = {name: value for name in settings.BUDGET if (value := found[f"budget.{name}"]) is not None}
    for each in (declared, limit):
        if isinstance(each, dict):
            wanted.update(each)
    return wanted
