"""attach, exec, logs, events: what comes out of containers while they run."""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for, expect_start
from hyperbox.errors import EngineError, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import Engine, Json
    from hyperbox.engine.attach import StreamAttachment
    from hyperbox.grammar.parse import Invocation


def attach(invocation: Invocation) -> int:
    """`docker attach`: returns the container's exit code, 0 where the user detached."""
    from hyperbox.cli.attached import STAYS, check_terminal, stay_attached
    from hyperbox.cli.configuration_file import detach_keys
    from hyperbox.engine.attach import StreamAttachment

    engine, flags, name = engine_for(invocation), invocation.flags, invocation.arguments[0]
    described = engine.container_inspect(name)
    state, config = described["State"], described["Config"]
    assert isinstance(state, dict)
    assert isinstance(config, dict)
    if not state["Running"]:
        raise HyperBoxError("You cannot attach to a stopped container, start it first")
    if state["Paused"]:
        raise HyperBoxError("You cannot attach to a paused container, unpause it first")
    if state["Restarting"]:
        raise HyperBoxError("You cannot attach to a restarting container, wait until it is running")
    stdin = bool(config["OpenStdin"]) and not flags["no-stdin"]
    check_terminal(interactive=stdin, tty=bool(config["Tty"]))
    container_id = str(described["Id"])
    attachment = engine.container_attach(
        container_id, stdin=stdin, stdout=True, stderr=True, detach_keys=detach_keys(invocation)
    )
    assert isinstance(attachment, StreamAttachment)

    def forward(signal: str) -> None:
        try:
            engine.container_kill(container_id, signal)
        except EngineError:
            return

    proxy = forward if flags["sig-proxy"] and not config["Tty"] else None
    code = stay_attached(attachment, stdin=stdin, proxy=proxy, interrupted=STAYS, redraw=bool(config["Tty"]))
    return told_of_detaching(code, attachment)


def execute(invocation: Invocation) -> int:
    """`docker exec`: returns the process's exit code; 126 or 127 where it could not be started."""
    ahead = expect_start("exec")
    from hyperbox.cli.configuration_file import detach_keys

    flags = invocation.flags
    name, *words = invocation.arguments
    engine = engine_for(invocation, ahead)
    interactive, tty, detach = bool(flags["interactive"]), bool(flags["tty"]), bool(flags["detach"])
    config: Json = {
        "Cmd": words,
        "User": str(flags["user"]),
        "Privileged": bool(flags["privileged"]),
        "Tty": tty,
        "AttachStdin": interactive and not detach,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "Env": environment(invocation),
        "WorkingDir": str(flags["workdir"]),
        "DetachKeys": detach_keys(invocation),
    }
    if tty:
        from hyperbox.cli.attached import window_size

        config["ConsoleSize"] = list(window_size() or (0, 0))
    if interactive and tty and not detach:
        from hyperbox.cli.attached import check_terminal

        engine.container_inspect(name)
        check_terminal(interactive=True, tty=True)
    exec_id = engine.exec_create(name, config)
    if detach:
        try:
            engine.exec_start(exec_id, detach=True)
        except EngineError as error:
            raise HyperBoxError(error.told) from None
        return 0
    return stay_with_exec(engine, exec_id, stdin=interactive, tty=tty)


def environment(invocation: Invocation) -> list[str]:
    """Return the variables of --env and --env-file, those without a value taken from our own environment."""
    flags = invocation.flags
    given, env_files = flags["env"], flags["env-file"]
    assert isinstance(given, list)
    assert isinstance(env_files, list)
    if not given and not env_files:
        return []
    from hyperbox.cli.container_spec import environment_list

    return environment_list(given, env_files)


def stay_with_exec(engine: Engine, exec_id: str, *, stdin: bool, tty: bool, compose: bool = False) -> int:
    """Start an exec and stay to its end. docker tells of a failed start on stdout, in the process's stead."""
    try:
        attachment = engine.exec_start(exec_id)
    except EngineError as error:
        if error.exit_code not in (126, 127, 128):
            raise
        from hyperbox.cli.attached import Terminal

        with Terminal(wanted=tty and stdin):
            sys.stdout.write(f"{error.message}\r\n")
            sys.stdout.flush()
        return error.exit_code
    from hyperbox.cli.attached import COMPOSE, ENDS_WELL, stay_attached
    from hyperbox.engine.attach import StreamAttachment

    assert isinstance(attachment, StreamAttachment)
    code = stay_attached(attachment, stdin=stdin, interrupted=COMPOSE if compose else ENDS_WELL)
    return told_of_detaching(code, attachment)


def told_of_detaching(code: int, attachment: StreamAttachment) -> int:
    """Return the exit code of `attach` and `exec`, for which docker takes detaching for an error (for `run` and `start` it is none)."""
    if attachment.detached:
        raise HyperBoxError("read escape sequence")
    return code


def logs(invocation: Invocation) -> int:
    """`docker logs`: the container's stdout on stdout, its stderr on stderr."""
    from hyperbox.cli.attached import write_all
    from hyperbox.cli.moments import moment

    flags = invocation.flags
    engine = engine_for(invocation)
    try:
        since, until = moment("since", str(flags["since"])), moment("until", str(flags["until"]))
    except HyperBoxError:
        engine.container_inspect(invocation.arguments[0])  # that it is not there is told first
        raise
    tail = str(flags["tail"])
    stream = engine.container_logs(
        invocation.arguments[0],
        follow=bool(flags["follow"]),
        since=since,
        until=until,
        tail=int(tail) if tail.isdigit() else -1,
        timestamps=bool(flags["timestamps"]),
        details=bool(flags["details"]),
    )
    for number, data in stream:
        write_all(number, data)
    return 0


def events(invocation: Invocation) -> int:
    """`docker events`: one line an event, for ever or until --until."""
    from hyperbox.cli.event_lines import event_printer

    flags = invocation.flags
    filters = parse_filters(flags["filter"])
    show = event_printer(str(flags["format"]))
    check_moments(str(flags["since"]), str(flags["until"]))
    for event in engine_for(invocation).events(str(flags["since"]), str(flags["until"]), filters):
        sys.stdout.write(show(event) + "\n")
        sys.stdout.flush()
    return 0


def check_moments(*texts: str) -> None:
    """Raise HyperBoxError for what is no moment: docker's command line says it, not its engine."""
    from hyperbox.image.moments import to_moment

    for text in texts:
        try:
            to_moment(text, 0.0) if text else None
        except ValueError as error:
            raise HyperBoxError(str(error)) from None


def parse_filters(values: object) -> dict[str, list[str]]:
    """Return --filter values (KEY=VALUE, checked by the grammar) as the API's filters."""
    assert isinstance(values, list)
    filters: dict[str, list[str]] = {}
    for value in values:
        key, _, text = str(value).partition("=")
        filters.setdefault(key.strip().lower(), []).append(text.strip())
    return filters
