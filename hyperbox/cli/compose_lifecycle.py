"""compose down, stop, start, restart, kill, pause, unpause, rm."""

from __future__ import annotations

import sys

from hyperbox.cli.compose_progress import is_true, step_progress
from hyperbox.cli.compose_project import Session, session_by_name, teller, timeout_of, warner
from hyperbox.cli.compose_up import carry_out, confirm, warn_of_orphans
from hyperbox.errors import ComposeError, EngineError
from hyperbox.plan.execute import StepEvent
from hyperbox.plan.operations import Builder, RemoveContainer, RemoveProvider
from hyperbox.plan.order import selected
from hyperbox.plan.removal import DownOptions, orphans, reconcile_down, resource
from hyperbox.plan.states import reconcile_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import Observed, ObservedContainer


def down(invocation: Invocation) -> int:
    """`docker compose down`."""
    images = str(invocation.flags.get("rmi") or "")
    if images not in ("", "all", "local"):
        raise ComposeError(f'invalid value for --rmi: "{images}"')
    found = session_by_name(invocation, invocation.arguments)
    found.check_known(invocation.arguments)
    services = [name for name in invocation.arguments if name in found.desired.known_services]
    if invocation.arguments and not services:
        names = " ".join(invocation.arguments)
        teller(invocation, "info")(f'Any of the services [{names}] not running in project "{found.desired.name}"')
        return 0
    invocation.arguments[:] = services
    bring_down(found, invocation)
    return 0


def present_images(found: Session, mode: str, services: Sequence[str]) -> list[str]:
    """Return the images that --rmi means, of those that are there: all, or those that are built or have no name of their own.

    `services` are those that the command names; none: all.
    """
    from hyperbox.cli.compose_images import image_id_of
    from hyperbox.image.reference import parse_reference

    if not mode:
        return []
    names = [
        wish.image
        for wish in found.desired.services.values()
        if (mode == "all" or wish.definition.get("build") or not wish.definition.get("image"))
        and (not services or wish.name in services)
    ]
    return [str(parse_reference(name).with_tag()) for name in names if image_id_of(found, name)]


def bring_down(found: Session, invocation: Invocation) -> None:
    """Remove a project's containers and networks, and what the flags name beside them."""
    flags = invocation.flags
    observed = found.observe()
    mode = str(flags.get("rmi") or "")
    images = tuple(dict.fromkeys(present_images(found, mode, invocation.arguments)))
    remove_orphans = bool(flags.get("remove-orphans") or is_true("COMPOSE_REMOVE_ORPHANS"))
    options = DownOptions(
        tuple(invocation.arguments), bool(flags.get("volumes")), remove_orphans, timeout_of(invocation), images
    )
    extra = [row for row in orphans(found.desired, observed) if not row.one_off] if found.desired.known_services else []
    ignored = is_true("COMPOSE_IGNORE_ORPHANS")
    if extra and not remove_orphans and not ignored and not invocation.arguments:
        warn_of_orphans(found, extra)
    plan = reconcile_down(found.desired, observed, options)
    carry_out(found, plan)
    if not invocation.arguments and not invocation.globals.get("dry-run"):
        from hyperbox.cli.compose_ports import release_ports

        release_ports(found)  # also where nothing was made: an `up` that failed may have claimed them
    networks = [wish for wish in found.desired.networks.values() if not wish.external]
    if all(isinstance(node.operation, RemoveProvider) for node in plan.nodes) and not networks:
        warner(found.invocation)(f'Warning: No resource found to remove for project "{found.desired.name}".')


def _states(invocation: Invocation, verb: str) -> int:
    services = tuple(invocation.arguments)
    found = session_by_name(invocation, services)
    observed = found.observe()
    services = _there(found, observed, services, verb)
    if invocation.arguments and not services:
        return 0
    if verb == "start" and all(row.one_off for row in observed.containers):
        for name in selected(found.desired, services):
            if found.desired.services[name].scale:
                raise ComposeError(f'service "{name}" has no container to start')
    no_deps = bool(invocation.flags.get("no-deps"))
    carry_out(found, reconcile_states(found.desired, observed, services, verb, timeout_of(invocation), no_deps=no_deps))
    return 0


def _there(found: Session, observed: Observed, names: tuple[str, ...], verb: str) -> tuple[str, ...]:
    """Return which of the services named are there. Raises ComposeError for the others: those that the files don't have, and
    without files, where `stop` takes any name, in the words of the verb.
    """
    found.check_known(names)
    if found.desired.project is not None:
        return names
    if verb == "start" and all(row.one_off for row in observed.containers):
        raise ComposeError(f'no container found for project "{found.desired.name}": not found')
    unknown = [name for name in names if name not in found.desired.known_services]
    if unknown and verb == "start":
        raise ComposeError(f'no such service: "{unknown[0]}": not found')
    if unknown and verb == "restart":
        raise ComposeError(f"no such service: {unknown[0]}")
    return tuple(name for name in names if name not in unknown)


def stop(invocation: Invocation) -> int:
    """`docker compose stop`."""
    return _states(invocation, "stop")


def start(invocation: Invocation) -> int:
    """`docker compose start`."""
    code = _states(invocation, "start")
    if invocation.flags.get("wait"):
        from hyperbox.cli.compose_wait import wait_until_up

        found = session_by_name(invocation, invocation.arguments)
        timeout = invocation.flags.get("wait-timeout")
        with step_progress(invocation) as progress:
            wait_until_up(found, invocation.arguments, timeout if isinstance(timeout, int) else 0, progress)
    return code


def restart(invocation: Invocation) -> int:
    """`docker compose restart`."""
    return _states(invocation, "restart")


def _each(
    invocation: Invocation, rows: list[ObservedContainer], begun: str, ended: str, action: Callable[[str], object]
) -> int:
    with step_progress(invocation) as progress:
        failure = _each_of(rows, begun, ended, action, progress)
    if failure:
        raise failure
    return 0


def _each_of(
    rows: list[ObservedContainer], begun: str, ended: str, action: Callable[[str], object], progress: StepProgress
) -> EngineError | None:
    """Act on containers one after the other; returns the first failure."""
    failure: EngineError | None = None
    for row in rows:
        if begun:
            progress.event(StepEvent(f"Container {row.name}", begun, "working"))
        try:
            if not progress.dry_run:
                action(row.container_id)
        except EngineError as error:  # the others have their turn all the same
            failure = failure or error
            if begun:
                progress.event(StepEvent(f"Container {row.name}", f"Error while {begun}", "error"))
            continue
        progress.event(StepEvent(f"Container {row.name}", ended, "done"))
    return failure


def kill(invocation: Invocation) -> int:
    """`docker compose kill`."""
    found = session_by_name(invocation)
    signal = str(invocation.flags.get("signal") or "SIGKILL")
    rows = [row for row in found.containers(invocation.arguments, one_off=True) if row.running]
    if not invocation.flags.get("remove-orphans"):
        rows = [row for row in rows if not found.desired.known_services or row.service in found.desired.known_services]
    if not rows:
        sys.stderr.write("no container to kill")  # as docker compose leaves it: no newline, and no failure
        return 0
    return _each(invocation, rows, "Killing", "Killed", lambda name: found.engine.container_kill(name, signal))


def pause(invocation: Invocation) -> int:
    """`docker compose pause`."""
    found = session_by_name(invocation)
    rows = [row for row in found.containers(invocation.arguments) if row.running]
    return _each(invocation, rows, "", "Paused", found.engine.container_pause)


def unpause(invocation: Invocation) -> int:
    """`docker compose unpause`."""
    found = session_by_name(invocation)
    rows = [row for row in found.containers(invocation.arguments) if row.running]
    return _each(invocation, rows, "", "Unpaused", found.engine.container_unpause)


def _enabled(found: Session, rows: list[ObservedContainer]) -> list[ObservedContainer]:
    """Return the containers of services that an active profile has; without files all."""
    return rows if found.desired.project is None else [row for row in rows if row.service in found.desired.services]


def remove_stopped(invocation: Invocation) -> int:
    """`docker compose rm`: stopped containers; with --stop those that run too, once they are stopped."""
    found = session_by_name(invocation)
    flags = invocation.flags
    rows = _enabled(found, found.containers(invocation.arguments))
    if flags.get("stop"):
        services = tuple(name for name in {row.service for row in rows} if name in found.desired.services)
        if services:
            plan = reconcile_states(found.desired, found.observe(), services, "stop", None)
            with step_progress(invocation, "Stopping") as progress:
                carry_out(found, plan, progress=progress)
            rows = _enabled(found, found.containers(invocation.arguments))
    if not (flags.get("stop") and invocation.globals.get("dry-run")):
        rows = [row for row in rows if not row.running]
    rows = found.newest_first(rows)
    if not rows:
        print("No stopped containers", file=sys.stderr)
        return 0
    question = f"Going to remove {', '.join(row.name for row in rows)}"
    if flags.get("force"):
        print(question, flush=True)
    elif not confirm(question):
        return 0
    builder = Builder()
    for row in rows:
        operation = RemoveContainer(row.container_id, bool(flags.get("volumes")))
        builder.add(operation, resource(row), f"Container {row.name}", "rm")
    carry_out(found, builder.plan())
    return 0
