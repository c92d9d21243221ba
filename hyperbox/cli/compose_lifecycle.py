"""compose down, stop, start, restart, kill, pause, unpause, rm."""

from __future__ import annotations

import os
import sys

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import Session, session_by_name, timeout_of, warn
from hyperbox.cli.compose_up import carry_out
from hyperbox.errors import ComposeError
from hyperbox.plan.execute import StepEvent
from hyperbox.plan.operations import Builder
from hyperbox.plan.reconcile import DownOptions, orphans, reconcile_down, reconcile_states, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer


def down(invocation: Invocation) -> int:
    """`docker compose down`."""
    images = str(invocation.flags.get("rmi") or "")
    if images not in ("", "all", "local"):
        raise ComposeError(f'invalid value for --rmi: "{images}"')
    found = session_by_name(invocation)
    for name in invocation.arguments:
        if found.desired.known_services and name not in found.desired.known_services:
            raise ComposeError(f"no such service: {name}")
    bring_down(found, invocation)
    return 0


def bring_down(found: Session, invocation: Invocation) -> None:
    """Remove a project's containers and networks, and what the flags name beside them."""
    flags = invocation.flags
    observed = found.observe()
    mode = str(flags.get("rmi") or "")
    images = tuple(
        dict.fromkeys(
            wish.image
            for wish in found.desired.services.values()
            if mode == "all" or (mode and (wish.definition.get("build") or not wish.definition.get("image")))
        )
    )
    remove_orphans = bool(flags.get("remove-orphans") or os.environ.get("COMPOSE_REMOVE_ORPHANS") in ("1", "true"))
    options = DownOptions(
        tuple(invocation.arguments), bool(flags.get("volumes")), remove_orphans, timeout_of(invocation), images
    )
    extra = orphans(found.desired, observed) if found.desired.known_services else []
    if extra and not remove_orphans and not invocation.arguments:
        names = " ".join(row.name for row in extra)
        warn(
            f"Found orphan containers ([{names}]) for this project. If you removed or renamed this service in your compose file, "
            "you can run this command with the --remove-orphans flag to clean it up."
        )
    plan = reconcile_down(found.desired, observed, options)
    if not plan.nodes:
        warn(f'Warning: No resource found to remove for project "{found.desired.name}".')
        return
    carry_out(found, plan)
    if not invocation.arguments and not invocation.globals.get("dry-run"):
        from hyperbox.cli.compose_ports import release_ports

        release_ports(found)


def _states(invocation: Invocation, verb: str) -> int:
    found = session_by_name(invocation)
    services = tuple(invocation.arguments)
    for name in services:
        if found.desired.known_services and name not in found.desired.known_services:
            raise ComposeError(f"no such service: {name}")
    if not found.desired.services:  # by the project's name alone: the containers as they are
        return _states_by_label(found, verb, services, invocation)
    observed = found.observe()
    if verb in ("start", "restart"):
        for name in services or found.desired.services:
            if not observed.of(name) and (services or verb == "start"):
                raise ComposeError(f'service "{name}" has no container to {verb}')
    carry_out(found, reconcile_states(found.desired, observed, services, verb, timeout_of(invocation)))
    return 0


def _states_by_label(found: Session, verb: str, services: tuple[str, ...], invocation: Invocation) -> int:
    progress = step_progress(invocation)
    words = {"stop": ("Stopping", "Stopped"), "start": ("Starting", "Started"), "restart": ("Restarting", "Started")}[
        verb
    ]
    for row in found.containers(services):
        progress.event(StepEvent(f"Container {row.name}", words[0], "working"))
        if verb == "stop":
            found.engine.container_stop(row.container_id, timeout=timeout_of(invocation))
        elif verb == "start":
            found.engine.container_start(row.container_id)
        else:
            found.engine.container_restart(row.container_id, timeout=timeout_of(invocation))
        progress.event(StepEvent(f"Container {row.name}", words[1], "done"))
    return 0


def stop(invocation: Invocation) -> int:
    """`docker compose stop`."""
    return _states(invocation, "stop")


def start(invocation: Invocation) -> int:
    """`docker compose start`."""
    code = _states(invocation, "start")
    if invocation.flags.get("wait"):
        from hyperbox.cli.compose_wait import wait_until_up

        found = session_by_name(invocation)
        timeout = invocation.flags.get("wait-timeout")
        wait_until_up(found, invocation.arguments, timeout if isinstance(timeout, int) else 0)
    return code


def restart(invocation: Invocation) -> int:
    """`docker compose restart`."""
    return _states(invocation, "restart")


def _each(
    invocation: Invocation, rows: list[ObservedContainer], found: Session, begun: str, ended: str, action: object
) -> int:
    assert callable(action)
    progress = step_progress(invocation)
    dry = bool(invocation.globals.get("dry-run"))
    for row in rows:
        progress.event(StepEvent(f"Container {row.name}", begun, "working"))
        if not dry:
            action(row.container_id)
        progress.event(StepEvent(f"Container {row.name}", ended, "done"))
    del found
    return 0


def kill(invocation: Invocation) -> int:
    """`docker compose kill`."""
    found = session_by_name(invocation)
    signal = str(invocation.flags.get("signal") or "SIGKILL")
    rows = [row for row in found.containers(invocation.arguments) if row.running]
    if not rows:
        print("no container to kill", file=sys.stderr)
        return 1 if invocation.arguments else 0
    return _each(invocation, rows, found, "Killing", "Killed", lambda name: found.engine.container_kill(name, signal))


def pause(invocation: Invocation) -> int:
    """`docker compose pause`."""
    found = session_by_name(invocation)
    rows = [row for row in found.containers(invocation.arguments) if row.state == "running"]
    return _each(invocation, rows, found, "Pausing", "Paused", found.engine.container_pause)


def unpause(invocation: Invocation) -> int:
    """`docker compose unpause`."""
    found = session_by_name(invocation)
    rows = [row for row in found.containers(invocation.arguments) if row.state == "paused"]
    return _each(invocation, rows, found, "Unpausing", "Unpaused", found.engine.container_unpause)


def remove_stopped(invocation: Invocation) -> int:
    """`docker compose rm`."""
    found = session_by_name(invocation)
    flags = invocation.flags
    rows = found.containers(invocation.arguments, one_off=True)
    if flags.get("stop"):
        builder = Builder()
        for row in rows:
            remove(builder, row, "rm", None, volumes=bool(flags.get("volumes")))
        if flags.get("force") or _confirmed(rows):
            carry_out(found, builder.plan())
        return 0
    rows = [row for row in rows if not row.running]
    if not rows:
        print("No stopped containers", file=sys.stderr)
        return 0
    if not flags.get("force") and not _confirmed(rows):
        return 0
    builder = Builder()
    for row in rows:
        remove(builder, row, "rm", None, volumes=bool(flags.get("volumes")))
    carry_out(found, builder.plan())
    return 0


def _confirmed(rows: list[ObservedContainer]) -> bool:
    names = ", ".join(row.name for row in rows)
    print(f"? Going to remove {names} (y/N) ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
