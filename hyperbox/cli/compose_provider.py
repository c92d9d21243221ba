"""Services with a `provider`: a program that brings something up or down in place of containers, and says what those who depend on it get.

It is called as docker compose calls it: PROGRAM compose --project-name=NAME up|down --OPTION=VALUE… SERVICE, and answers in lines of
JSON. https://docs.docker.com/compose/how-tos/provider-services/
"""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox.cli.client_plugins import SYSTEM
from hyperbox.cli.compose_project import given_environment
from hyperbox.cli.configuration_file import folder
from hyperbox.compose.hash import service_hash
from hyperbox.errors import ComposeError
from hyperbox.files import loads
from hyperbox.plan.execute import StepEvent
from hyperbox.process import find_program, run, spawn, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hyperbox.cli.compose_project import Session
    from hyperbox.compose.model import Json
    from hyperbox.project.desired import ServiceWish

    OnEvent = Callable[[StepEvent], None]

# a line of a provider's answer may have so many bytes, and its description of itself
LINE_LIMIT = 1 << 20
METADATA_SECONDS = 60


class Parameters(NamedTuple):
    """What a provider says that a command of it takes; no names: any."""

    names: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()


def provider_program(kind: str) -> str:
    """Return the path of a provider of a type: the plugin docker-TYPE, or a program TYPE on PATH. Raises ComposeError."""
    if kind == "compose":
        raise ComposeError("'compose' is not a valid provider type")
    for place in (os.path.join(folder(), "cli-plugins"), *SYSTEM) if "/" not in kind else ():
        candidate = f"{place}/docker-{kind}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    found = find_program(kind)
    if found is None or not os.path.isfile(found):
        raise ComposeError(f'exec: "{kind}": executable file not found in $PATH')
    return os.path.abspath(found)


def parameters_of(program: str, command: str) -> Parameters:
    """Return what a provider tells of the parameters of `up` or `down`; one that tells nothing takes any."""
    try:
        told = run(
            [program, "compose", "metadata"], env=given_environment(), timeout=METADATA_SECONDS, limit=LINE_LIMIT
        )
        answer = loads(told.out.decode()) if told.code == 0 else None
    except (OSError, ValueError, RecursionError):
        return Parameters()
    part = answer.get(command) if isinstance(answer, dict) else None
    rows = part.get("parameters") if isinstance(part, dict) else None
    found = [row for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict) and row.get("name")]
    names = [str(row["name"]) for row in found]
    return Parameters(frozenset(names), tuple(str(row["name"]) for row in found if row.get("required") is True))


def command_line(project: str, wish: ServiceWish, command: str) -> list[str]:
    """Return the call of a service's provider. Raises ComposeError for one that is not there or lacks a parameter."""
    provider = wish.definition["provider"]
    assert isinstance(provider, dict)
    kind, given = str(provider.get("type") or ""), provider.get("options")
    options = given if isinstance(given, dict) else {}
    program = provider_program(kind)
    known = parameters_of(program, command)
    for name in known.required:
        if name not in options:
            raise ComposeError(f'required parameter "{name}" is missing from provider "{kind}" definition')
    argv = [program, "compose", f"--project-name={project}", command]
    for name, values in options.items():
        if not known.names or name in known.names:
            argv += [f"--{name}={value}" for value in (values if isinstance(values, list) else [values])]
    return [*argv, wish.name]


def _lines(reader: int) -> Iterator[bytes]:
    """Give the lines that come through a pipe. Raises ComposeError for one that is too long."""
    rest = b""
    while chunk := os.read(reader, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > LINE_LIMIT:
            raise ComposeError(f"invalid response from plugin: a line of more than {LINE_LIMIT} bytes")
    if rest:
        yield rest


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:4096])


def _answer(line: bytes) -> tuple[str, str]:
    """Return the type and message of a line. Raises ComposeError where it is not what a provider says."""
    try:
        found = loads(line.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        shown = _printable(line[:200].decode("utf-8", "replace"))
        raise ComposeError(f"invalid response from plugin: not an object of JSON: {shown}")
    return str(found.get("type") or ""), str(found.get("message") or "")


def run_provider(project: str, wish: ServiceWish, command: str, on_event: OnEvent) -> dict[str, str]:
    """Have a service's provider do `up` or `down`; returns the variables that it sets. Raises ComposeError with its own words."""
    argv = command_line(project, wish, command)
    failed = f"failed to {'create' if command == 'up' else 'remove'} service provider"
    if command == "up":
        on_event(StepEvent(wish.name, "Creating", "working"))
    reader, writer = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        pid = spawn(argv, env=given_environment(), stdin=null, stdout=writer, stderr=null)
    except OSError as error:
        os.close(reader)
        raise ComposeError(f"{failed}: {argv[0]}: {error.strerror}") from None
    finally:
        os.close(writer)
        os.close(null)
    variables: dict[str, str] = {}
    try:
        for line in _lines(reader):
            if line.strip():
                _take(wish.name, *_answer(line), variables, on_event)
    except BaseException:
        os.close(reader)
        os.kill(pid, 15)
        wait(pid)
        raise
    os.close(reader)
    code = wait(pid)
    if code:
        on_event(StepEvent(wish.name, f"exit status {code}", "error"))
        raise ComposeError(f"{failed}: exit status {code}")
    if command == "up":
        on_event(StepEvent(wish.name, "Created", "done"))
    return variables


def _take(service: str, kind: str, message: str, variables: dict[str, str], on_event: OnEvent) -> None:
    if kind == "info":
        on_event(StepEvent(service, _printable(message), "working"))
    elif kind == "error":
        on_event(StepEvent(service, _printable(message), "error"))
        raise ComposeError(_printable(message))
    elif kind == "setenv":
        name, equals, value = message.partition("=")
        if not equals or not name or "\0" in message:
            raise ComposeError(f"invalid response from plugin: {_printable(message)}")
        variables[name] = value
    elif kind != "debug":
        raise ComposeError(f"invalid response from plugin: {_printable(kind)}")


def bring_up(found: Session, services: Sequence[str], on_event: OnEvent) -> Session:
    """Have the providers among the services (in order of dependency) do `up`; returns the session in which dependents know what they set.

    With --dry-run they are shown and not called. Raises ComposeError.
    """
    for name in services:
        wish = found.desired.services[name]
        if not wish.definition.get("provider"):
            continue
        if found.invocation.globals.get("dry-run"):
            on_event(StepEvent(name, "Creating", "working"))
            on_event(StepEvent(name, "Created", "done"))
            continue
        set_by_it = run_provider(found.desired.name, wish, "up", on_event)
        given: Json = {f"{name.upper()}_{key}": value for key, value in set_by_it.items()}
        found = _with_environment(found, name, given) if given else found
    return found


def _with_environment(found: Session, provider: str, given: Json) -> Session:
    services = dict(found.desired.services)
    for name, wish in services.items():
        if any(row.service == provider for row in wish.depends_on):
            present = wish.definition.get("environment")
            environment = {**(present if isinstance(present, dict) else {}), **given}
            definition: Json = {**wish.definition, "environment": environment}
            services[name] = wish._replace(definition=definition, config_hash=service_hash(definition))
    return found._replace(desired=found.desired._replace(services=services))
