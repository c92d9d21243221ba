"""The plans of `stop`, `start` and `restart`: containers that are there change their state, in order of dependency."""

from __future__ import annotations

from hyperbox.plan.operations import Builder, Plan, RestartContainer, StartContainer, StopContainer, WaitFor
from hyperbox.plan.order import hooks_of, restarted, selected, start_refusal
from hyperbox.plan.reconcile import WAITED
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
    post_start = hooks_of(desired, row.service, "post_start")
    pre_stop = hooks_of(desired, row.service, "pre_stop") if row.running else ()
    shown = f"Container {row.name}"
    if verb == "stop":
        stop = StopContainer(row.container_id, timeout, row.service, pre_stop)
        return builder.add(stop, resource(row), shown, "stop", before)
    if verb == "restart":
        restart = RestartContainer(row.container_id, timeout, row.service, pre_stop, post_start)
        return builder.add(restart, resource(row), shown, "restart", before)
    start = StartContainer(row.service, row.ordinal, post_start, start_refusal(desired, row.service))
    return builder.add(start, resource(row), shown, "not running", before)


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
        before.extend(steps.get(row.service, []))
        if verb == "start" and row.condition in WAITED and any(not item.running for item in observed.of(name)):
            for item in observed.of(row.service):
                wait = WaitFor(row.service, item.ordinal, row.condition, row.required)
                after = steps.get(row.service, [])
                before.append(builder.add(wait, resource(item), f"Container {item.name}", row.condition, after))
    return before
