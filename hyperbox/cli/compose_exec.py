"""`docker compose exec`, `attach` and `cp`: one container of a service."""

from __future__ import annotations

import os

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import containers_named, session_of_name
from hyperbox.compose.discover import invalid_name, normalize_name
from hyperbox.errors import ComposeError, EngineError
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.cli.compose_project import Session
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer

    Json = dict[str, object]


def _index(invocation: Invocation) -> int:
    index = invocation.flags.get("index")
    return max(index, 0) if isinstance(index, int) else 0


def environment(words: object) -> list[str]:
    """Return --env's words; a name without a value takes our own variable's."""
    from hyperbox.cli.container_spec import environment_list

    return environment_list(words_of(words), ())


def wants_tty(invocation: Invocation) -> bool:
    """Return whether `exec` gives its process a pseudo-terminal: by default where stdout is a terminal; --tty changes nothing."""
    return not invocation.flags["no-tty"] if "no-tty" in invocation.given else os.isatty(1)


# --- exec and attach ----------------------------------------------------------------------------------------------------------
def execute(invocation: Invocation) -> int:
    """docker compose exec SERVICE COMMAND…"""
    from hyperbox.cli.attached import check_terminal, window_size
    from hyperbox.cli.streams import stay_with_exec

    flags = invocation.flags
    service, *words = invocation.arguments
    found = session_of_name(invocation)
    given = str(invocation.globals.get("project-name") or "")
    if normalize_name(given) != given:
        raise invalid_name(given)
    if found.desired.known_services and service not in found.desired.known_services:
        raise ComposeError(f'service "{service}" is not running')
    row = found.container(service, _index(invocation))
    detach = bool(flags["detach"])
    if invocation.globals.get("dry-run") and detach:
        from hyperbox.cli.compose_up import tell_command

        tell_command(words, row.container_id)
        return 0
    if invocation.globals.get("dry-run"):
        raise ComposeError("interactive exec is not supported in dry-run mode")
    tty = wants_tty(invocation) and not detach
    interactive = bool(flags["interactive"]) and not detach
    config: Json = {
        "Cmd": words,
        "User": str(flags["user"]),
        "Privileged": bool(flags["privileged"]),
        "Tty": tty,
        "AttachStdin": interactive,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "Env": environment(flags["env"]),
        "WorkingDir": str(flags["workdir"]),
    }
    if tty:
        config["ConsoleSize"] = list(window_size() or (0, 0))
        check_terminal(interactive=interactive, tty=True)
    exec_id = found.engine.exec_create(row.container_id, config)
    if detach:
        try:
            found.engine.exec_start(exec_id, detach=True)
        except EngineError as error:
            error.exit_code = 1  # nobody waits for it, so no code of its own
            raise
        return 0
    return stay_with_exec(found.engine, exec_id, stdin=interactive, tty=tty, compose=True)


def attach(invocation: Invocation) -> int:
    """docker compose attach SERVICE"""
    from hyperbox.cli import streams

    row = session_of_name(invocation).container(invocation.arguments[0], _index(invocation))
    if invocation.globals.get("dry-run"):
        raise ComposeError("interactive run is not supported in dry-run mode")
    invocation.arguments[:] = [row.container_id]
    return streams.attach(invocation)


# --- cp -----------------------------------------------------------------------------------------------------------------------
def copy(invocation: Invocation) -> int:
    """docker compose cp SERVICE:SRC DEST|-  or  SRC|- SERVICE:DEST"""
    from hyperbox.cli import copy as containers

    source, target = invocation.arguments
    found = session_of_name(invocation)
    from_service, from_path = containers.split_place(source)
    to_service, to_path = containers.split_place(target)
    if from_service and to_service:
        raise ComposeError("copying between services is not supported")
    if not from_service and not to_service:
        raise ComposeError("unknown copy direction")
    service, number, everything = from_service or to_service, _index(invocation), bool(invocation.flags["all"])
    rows = [
        row
        for row in found.newest_first(containers_named(found, [service]))
        if (everything or not row.one_off) and (not number or row.ordinal == number)
    ]
    if not rows and number:
        raise ComposeError(f'service "{service}" is not running container #{number}')
    if not rows:
        raise ComposeError(f'no container found for service "{service}"')
    if from_service:
        rows = rows[:1]
    from hyperbox.plan.execute import StepEvent

    invocation.flags["quiet"] = invocation.given["quiet"] = True
    with step_progress(invocation) as progress:
        said = {row.name: _said(row, source, target, from_path, to_path, out=bool(from_service)) for row in rows}
        for name, text in said.items():
            progress.event(StepEvent(name, "Copying", "working", text))
        for row in rows:
            if progress.dry_run:
                _check_source(found, row, from_service, from_path)
            elif from_service:
                containers.copy_out(found.engine, invocation, row.container_id, from_path, to_path)
            else:
                containers.copy_in(found.engine, invocation, from_path, row.container_id, to_path)
            progress.event(StepEvent(row.name, "Copied", "done", said[row.name]))
    return 0


def _said(row: ObservedContainer, source: str, target: str, from_path: str, to_path: str, *, out: bool) -> str:
    """Return what is shown of a copy out of a container or into it."""
    words = (f"{row.name}:{from_path}", target) if out else (source, f"{row.name}:{to_path}")
    return f"copy {words[0]} to {words[1]}"


def _check_source(found: Session, row: ObservedContainer, service: str, path: str) -> None:
    """Raise what a copy that is only pretended would meet where its source is not there."""
    from hyperbox.cli.copy import container_stat

    if service and container_stat(found.engine, row.container_id, path) is None:
        raise ComposeError(f"  DRY-RUN MODE -  Could not find the file {path} in container {row.container_id}")
    if not service and path != "-" and not os.path.lexists(path):
        raise ComposeError(f"lstat {os.path.abspath(path)}: no such file or directory")
