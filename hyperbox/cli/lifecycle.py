"""start, stop, restart, kill, rm, pause, unpause, wait: one line on stdout for each that succeeded, the failures on stderr."""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for, expect_start
from hyperbox.errors import EmptyName, EngineError, ExitStatus, HyperBoxError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.api import Engine
    from hyperbox.grammar.parse import Invocation
    from hyperbox.process import Child

# so many containers are stopped at a time, as with docker
AT_ONCE = 50


def for_each(names: list[str], action: Callable[[str], object]) -> int:
    """Do `action` on each name; prints the names as they were typed as each succeeds, errors on stderr; 1 where any failed."""
    failed = False
    for name in names:
        try:
            action(name)
        except EngineError as error:
            report(error)
            failed = True
        else:
            sys.stdout.write(name + "\n")
            sys.stdout.flush()
    return 1 if failed else 0


def at_once(names: list[str], action: Callable[[str], object]) -> int:
    """Do what `for_each` does, to AT_ONCE containers at a time, each by a process of its own: one may take its time to end."""
    if len(names) < 2:
        return for_each(names, action)
    from hyperbox.process import Child

    def reason(error: BaseException) -> str:
        return described(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}\n"

    sys.stdout.flush()
    begun: list[tuple[str, Child]] = []
    left, failed = list(names), False
    while left or begun:
        while left and len(begun) < AT_ONCE:
            name = left.pop(0)
            begun.append((name, Child(lambda name=name: str(action(name) or ""), reason)))  # type: ignore[misc]
        name, child = begun.pop(0)
        done, text = child.result()
        if done:
            sys.stdout.write(name + "\n")
            sys.stdout.flush()
        else:
            sys.stderr.write(text)
            sys.stderr.flush()
            failed = True
    return 1 if failed else 0


def report(error: EngineError) -> None:
    """Print one error of the engine's as docker does."""
    sys.stdout.flush()
    sys.stderr.write(described(error))
    sys.stderr.flush()


def described(error: EngineError) -> str:
    """Return the lines that tell of an error of the engine's."""
    return f"{error.told}\n" + (f"hint: {error.hint}\n" if error.hint else "")


def timeout_of(invocation: Invocation) -> int | None:
    """Return --timeout in seconds where it was given."""
    value = invocation.flags["timeout"]
    assert isinstance(value, int)
    return value if invocation.given.get("timeout") else None


def start(invocation: Invocation) -> int:
    """`docker start`: several in the background, or one with its streams attached."""
    flags, names = invocation.flags, invocation.arguments
    for name in ("checkpoint", "checkpoint-dir"):
        if flags.get(name):
            raise HyperBoxError(f"--{name} is not supported yet", exit_code=125)
    engine = engine_for(invocation, expect_start("container"))
    if flags["attach"] or flags["interactive"]:
        if len(names) > 1:
            raise HyperBoxError("you cannot start and attach multiple containers at once")
        return start_attached(engine, invocation, names[0])
    failed: list[str] = []
    for name in names:
        try:
            engine.container_start(name)
        except EngineError as error:
            report(error)
            failed.append(name)
        else:
            sys.stdout.write(name + "\n")
            sys.stdout.flush()
    if failed:
        raise HyperBoxError(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def start_attached(engine: Engine, invocation: Invocation, name: str) -> int:
    """Attach, start, stay; returns the container's exit code."""
    from hyperbox.cli.attached import ENDS, forwarder, stay_attached
    from hyperbox.cli.configuration_file import detach_keys

    flags = invocation.flags
    described = engine.container_inspect(name)
    config = described["Config"]
    assert isinstance(config, dict)
    container_id = str(described["Id"])
    stdin = bool(flags["interactive"]) and bool(config["OpenStdin"])
    attach = bool(flags["attach"]) or bool(flags["interactive"])
    attachment = engine.container_attach(
        container_id, stdin=stdin, stdout=attach, stderr=attach, detach_keys=detach_keys(invocation)
    )
    try:
        engine.container_start(container_id)
    except EngineError as error:
        attachment.close()
        raise HyperBoxError(error.told, hint=error.hint) from None

    from hyperbox.engine.attach import StreamAttachment

    assert isinstance(attachment, StreamAttachment)
    return stay_attached(
        attachment, stdin=stdin, proxy=None if config["Tty"] else forwarder(engine, container_id), interrupted=ENDS
    )


def stop(invocation: Invocation) -> int:
    """`docker stop`."""
    engine, timeout, signal = engine_for(invocation), timeout_of(invocation), str(invocation.flags["signal"])
    return at_once(invocation.arguments, lambda name: engine.container_stop(name, timeout=timeout, signal=signal))


def restart(invocation: Invocation) -> int:
    """`docker restart`."""
    engine, timeout, signal = engine_for(invocation), timeout_of(invocation), str(invocation.flags["signal"])
    return for_each(invocation.arguments, lambda name: engine.container_restart(name, timeout=timeout, signal=signal))


def kill(invocation: Invocation) -> int:
    """`docker kill`."""
    engine = engine_for(invocation)
    signal = str(invocation.flags["signal"]) or "SIGKILL"
    return for_each(invocation.arguments, lambda name: engine.container_kill(name, signal))


def pause(invocation: Invocation) -> int:
    """`docker pause`."""
    return for_each(invocation.arguments, engine_for(invocation).container_pause)


def unpause(invocation: Invocation) -> int:
    """`docker unpause`."""
    return for_each(invocation.arguments, engine_for(invocation).container_unpause)


class NoName(EmptyName):
    """`rm` of a name of nothing."""

    def __init__(self) -> None:
        super().__init__("container")
        self.message = "container name cannot be empty"


def remove(invocation: Invocation) -> int:
    """`docker rm`: with --force what is not there is told and no failure."""
    from hyperbox.cli import project_claims

    engine, flags = engine_for(invocation), invocation.flags
    force, volumes, link = bool(flags["force"]), bool(flags["volumes"]), bool(flags["link"])
    failed = False
    projects = project_claims.projects_of(engine, invocation.arguments)
    for name in invocation.arguments:
        try:
            if not name.strip("/"):
                raise NoName
            engine.container_remove(name.lstrip("/"), force=force, volumes=volumes, link=link)
        except EngineError as error:
            report(error)
            failed = failed or not (force and isinstance(error, NotFound))
        else:
            sys.stdout.write(name + "\n")
            sys.stdout.flush()
    project_claims.give_back(engine, projects)
    return 1 if failed else 0


def wait(invocation: Invocation) -> int:
    """`docker wait`: prints each container's exit code, in order."""
    engine = engine_for(invocation)
    failed = False
    for name in invocation.arguments:
        try:
            code = engine.container_wait(name)
        except EngineError as error:
            report(error)
            failed = True
        else:
            sys.stdout.write(f"{code}\n")
            sys.stdout.flush()
    if failed:
        raise ExitStatus(1)
    return 0
