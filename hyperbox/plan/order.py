"""Which services a command is about, and in which order: each after those that it depends on."""

from __future__ import annotations

from hyperbox.errors import ComposeError
from hyperbox.plan.operations import StartContainer
from hyperbox.project.desired_mounts import given_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.plan.operations import Hooks
    from hyperbox.project.desired import Desired


WAITED = ("service_healthy", "service_completed_successfully")


def service_order(desired: Desired) -> list[str]:
    """Return the services so that each comes after those that it depends on. Raises ComposeError for a cycle."""
    order: list[str] = []
    state: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if state.get(name) == 2 or name not in desired.services:
            return
        if state.get(name) == 1:
            raise ComposeError(f"dependency cycle detected: {' -> '.join((*path[path.index(name) :], name))}")
        state[name] = 1
        for row in sorted(desired.services[name].depends_on):
            visit(row.service, (*path, name))
        state[name] = 2
        order.append(name)

    for name in sorted(desired.services):
        visit(name, ())
    return order


def selected(desired: Desired, names: Iterable[str], *, no_deps: bool = False) -> list[str]:
    """Return the services that a command is about, in order of dependency. Raises ComposeError "no such service: x"."""
    wanted = list(names)
    for name in wanted:
        if name not in desired.services:
            raise ComposeError(f"no such service: {name}")
    order = service_order(desired)
    if not wanted:
        return order
    found = set(wanted)
    if not no_deps:
        pending = list(wanted)
        while pending:
            for row in desired.services[pending.pop()].depends_on:
                if row.service in desired.services and row.service not in found:
                    found.add(row.service)
                    pending.append(row.service)
    return [name for name in order if name in found]


def restarted(desired: Desired, names: Iterable[str]) -> list[str]:
    """Return the services named and those that are restarted with them (depends_on with `restart: true`), in order of dependency."""
    found = set(selected(desired, names, no_deps=True))
    order = service_order(desired)
    for name in order:
        if any(row.restart and row.service in found for row in desired.services[name].depends_on):
            found.add(name)
    return [name for name in order if name in found]


def hooks_of(desired: Desired, service: str, kind: str) -> Hooks:
    """Return a service's hooks of a kind: "post_start" or "pre_stop"."""
    wish = desired.services.get(service)
    found = wish.definition.get(kind) if wish else None
    return tuple(found) if isinstance(found, list) else ()


def start_step(desired: Desired, service: str, ordinal: int) -> StartContainer:
    """Return the step that starts one of a service's containers."""
    wish = desired.services.get(service)
    hooks = hooks_of(desired, service, "post_start")
    files = given_files(desired, wish) if wish else ()
    return StartContainer(service, ordinal, hooks, start_refusal(desired, service), files)


def start_refusal(desired: Desired, service: str) -> str:
    """Return why a service is not started: the variable of a secret or config is not set, or its content, as it has no file, can't
    be put into a root that is read-only; "" for all others.
    """
    wish, project = desired.services.get(service), desired.project
    if wish is None or project is None:
        return ""
    for kind, defined in (("secret", project.secrets), ("config", project.configs)):
        rows = wish.definition.get(f"{kind}s")
        for row in rows if isinstance(rows, list) else []:
            found = defined.get(str(row.get("source"))) or {}
            if found.get("file") or found.get("external"):
                continue
            name, variable = found.get("name") or row.get("source"), str(found.get("environment") or "")
            if variable and variable not in project.environment:
                return f'environment variable "{variable}" required by {kind} "{name}" is not set'
            if found.get("content") and wish.definition.get("read_only"):
                return (
                    f'cannot create {kind} "{name}" in read-only service {service}: `file` is the sole supported option'
                )
    return ""
