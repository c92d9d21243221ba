"""The plans of `stop`, `start` and `restart`: containers that are there change their state, in order of dependency."""

from __future__ import annotations

from hyperbox.plan.operations import (
    Builder,
    Plan,
    RestartContainer,
    RunHooks,
    StopContainer,
    WaitFor,
)
from hyperbox.plan.order import WAITED, hooks_of, restarted, selected, start_step
from hyperbox.plan.removal import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.plan.observe import Observed, ObservedContainer
    from hyperbox.project.desired import Desired


def reconcile_states(
    desired: Desired,
    observed: Observed,
    services: tuple[str, ...],
    verb: str,
    timeout: int | None,
    *,
    no_deps: bool = False,
) -> Plan:
    """Return the plan of `stop`, `start` or `restart` for existing containers. `no_deps`: dependents are not restarted along."""
    builder = Builder()
    along = verb == "restart" and services and not no_deps
    order = restarted(desired, services) if along else selected(desired, services, no_deps=verb != "start")
    steps: dict[str, list[int]] = {}
    for name in reversed(order) if verb == "stop" else order:
        before = _before(desired, observed, builder, name, steps, verb)
        steps[name] = [
            _step(builder, desired, row, verb, timeout, before)
            for row in observed.of(name)
            if verb != "start" or not row.running
        ]
    return builder.plan()


def _step(
    builder: Builder, desired: Desired, row: ObservedContainer, verb: str, timeout: int | None, before: list[int]
) -> int:
    pre_stop = hooks_of(desired, row.service, "pre_stop")
    shown = f"Container {row.name}"
    if verb == "stop":
        stop = StopContainer(row.container_id, timeout, row.service, pre_stop)
        return builder.add(stop, resource(row), shown, "stop", before)
    if verb == "restart":
        return restart_steps(builder, desired, row, timeout, "restart", before)
    return builder.add(start_step(desired, row.service, row.ordinal), resource(row), shown, "not running", before)


def restart_steps(
    builder: Builder, desired: Desired, row: ObservedContainer, timeout: int | None, cause: str, before: list[int]
) -> int:
    """Add the steps that restart a container, with its service's hooks before and after; returns the last one."""
    shown = f"Container {row.name}"
    pre_stop, post_start = (hooks_of(desired, row.service, kind) for kind in ("pre_stop", "post_start"))
    if pre_stop:
        before = [builder.add(RunHooks(row.container_id, row.service, pre_stop), resource(row), shown, cause, before)]
    last = builder.add(RestartContainer(row.container_id, timeout), resource(row), shown, cause, before)
    if post_start:
        last = builder.add(RunHooks(row.container_id, row.service, post_start), resource(row), shown, cause, [last])
    return last


def _before(
    desired: Desired, observed: Observed, builder: Builder, name: str, steps: dict[str, list[int]], verb: str
) -> list[int]:
    """Return the steps that a service's steps come after: dependents when stopping, dependencies and their conditions when starting."""
    if verb == "stop":
        return [
            step
            for other, rows in steps.items()
            for step in rows
            if any(row.service == name for row in desired.services[other].depends_on)
        ]
    before: list[int] = []
    for row in desired.services[name].depends_on:
        if verb == "restart" and not row.restart:
            continue  # a restart of that one is nothing to this one
        before.extend(steps.get(row.service, []))
        if verb == "start" and row.condition in WAITED and any(not item.running for item in observed.of(name)):
            for item in observed.of(row.service):
                wait = WaitFor(row.service, item.ordinal, row.condition, row.required)
                after = steps.get(row.service, [])
                before.append(builder.add(wait, resource(item), f"Container {item.name}", row.condition, after))
    return before
