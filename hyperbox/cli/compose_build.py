"""`docker compose build`, and the builds of up, create and run: several at once, each once, in the order of their contexts."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from hyperbox.build.api import BuildFailed, Finding, Log, Status, Vertex
from hyperbox.build.api import build as run_build
from hyperbox.cli.build import check_builder
from hyperbox.cli.build_inputs import build_arguments
from hyperbox.cli.build_order import build_in_order
from hyperbox.cli.build_progress import PlainProgress, RawProgress
from hyperbox.cli.compose_build_request import Options, build_of, request_of, services_in_contexts
from hyperbox.cli.compose_progress import MODES, step_progress
from hyperbox.cli.compose_project import Session, session, warn
from hyperbox.errors import ComposeError, EngineError, HyperBoxError, UnsupportedError
from hyperbox.grammar.values import words_of
from hyperbox.plan.execute import StepEvent
from hyperbox.project.desired import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.build.api import Event
    from hyperbox.cli.build_progress import Printer
    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.grammar.parse import Invocation
    from hyperbox.project.desired import ServiceWish

    Json = dict[str, object]

AT_ONCE = 16


def build(invocation: Invocation) -> int:
    """`docker compose build`."""
    flags = invocation.flags
    agent = str(flags["ssh"] or "")
    if agent and agent != "default" and agent.find("=") < 1:
        raise ComposeError(f'invalid ssh key "{agent}"')
    try:
        check_builder(invocation)
    except HyperBoxError as error:
        raise ComposeError(error.message.removeprefix("ERROR: ")) from None
    for name in ("provenance", "sbom") if not flags["print"] else ():
        if str(flags[name] or "false").lower() not in ("false", "0"):
            raise UnsupportedError(
                f"compose build: --{name}: HyperBox makes no attestations: leave it out or give false"
            )
    if invocation.given.get("memory") and not flags["print"]:
        warn("--memory has no effect: builds have no such limit (nor has BuildKit)")
    if flags["progress"]:
        invocation.globals["progress"] = flags["progress"]
    found = session(invocation, services=invocation.arguments, read_env_files=False)
    names = wanted(found, invocation.arguments, dependencies=bool(flags["with-dependencies"]))
    options = Options(
        arguments=build_arguments(words_of(flags["build-arg"]), os.environ),
        ssh=agent,
        no_cache=bool(flags["no-cache"]),
        pull=bool(flags["pull"]),
        push=bool(flags["push"]),
    )
    if flags["print"]:
        from hyperbox.cli.compose_build_print import document

        if names:
            print(document(found, names, options, check=bool(flags["check"])))
        return 0
    if flags["check"]:
        return _check(found, names, options)
    if names and not invocation.globals.get("dry-run"):
        with step_progress(invocation) as progress:
            build_services(found, names, options, progress, quiet=bool(flags["quiet"]))
    return 0


def wanted(found: Session, names: Sequence[str], *, dependencies: bool = False) -> list[str]:
    """Return the services that are built: those named (none: all) that have a `build`. Raises ComposeError "no such service: x"."""
    from hyperbox.plan.order import selected

    chosen = selected(found.desired, names, no_deps=not dependencies)
    return [name for name in chosen if found.desired.services[name].definition.get("build")]


def wish_of(found: Session, name: str) -> ServiceWish:
    """Return a service that is built; one that the command did not select may be the context of another."""
    from hyperbox.project.desired import ServiceWish, image_name

    known = found.desired.services.get(name)
    if known is not None:
        return known
    definition = found.desired.project.disabled_services[name] if found.desired.project is not None else {}
    image = image_name(found.desired.name, name, definition, found.desired.names, found.desired.separator)
    return ServiceWish(name, definition, 0, "", image, ())


def with_contexts(found: Session, names: Sequence[str]) -> dict[str, set[str]]:
    """Return the services to build, those included that others build on, each with what it waits for.

    Raises ComposeError for services that build on each other.
    """
    waits: dict[str, set[str]] = {}
    todo = list(names)
    while todo:
        name = todo.pop(0)
        if name in waits:
            continue
        waits[name] = set(services_in_contexts(wish_of(found, name)).values())
        todo.extend(waits[name])
    _check_loops(waits)
    first: dict[str, str] = {}
    for name in waits:  # the same build for another service takes the first one's steps from the cache
        build = {key: value for key, value in build_of(wish_of(found, name)).items() if key not in ("tags", "labels")}
        leader = first.setdefault(digest(build), name)
        if leader != name and name not in _all_behind(waits, leader):
            waits[name].add(leader)
    return waits


def _all_behind(waits: Mapping[str, set[str]], name: str) -> set[str]:
    """Return all that a service waits for, directly or not."""
    seen: set[str] = set()
    todo = list(waits[name])
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo.extend(waits[one])
    return seen


def _check_loops(waits: Mapping[str, set[str]]) -> None:
    for name in waits:
        behind = _all_behind(waits, name)
        if name in behind:
            other = next(one for one in waits[name] if one == name or name in _all_behind(waits, one))
            raise ComposeError(f"infinite loop from {name} to {other}")


def build_services(
    found: Session,
    names: Sequence[str],
    options: Options,
    progress: StepProgress | None,
    *,
    quiet: bool = False,
    mode: str = "",
) -> dict[str, str]:
    """Build services, and those that they build on; returns service -> image id. Raises ComposeError with the first failure's words.

    What has been built is told to `progress`, where there is one. `mode` is another form of the builds' own progress than the command line asks for.
    """
    waits = with_contexts(found, names)
    mode = mode or (progress or step_progress(found.invocation)).mode
    silent = quiet or mode == "quiet"
    shown = Shown(None if silent else printer(mode), several=len(waits) > 1)
    images: dict[str, str] = {}

    def build_one(name: str) -> str:
        return _build_one(found, wish_of(found, name), options, images, shown)

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                failure = build_in_order(pool, waits, build_one, images.__setitem__)
            except KeyboardInterrupt:
                shown.cancel()
                raise
    finally:
        shown.close()
    if failure is not None:
        raise failure
    if progress is not None and (not silent or found.invocation.path != "compose build"):
        for name in sorted({wish_of(found, name).image for name in waits}):
            progress.event(StepEvent(name, "Built", "done"))
    return images


def printer(mode: str) -> Printer:
    """Return what shows the builds' progress: on stdout, as docker compose does."""
    if mode in ("json", "rawjson"):
        return RawProgress(sys.stdout)
    if mode == "tty" and sys.stdout.isatty():
        from hyperbox.cli.build_progress_tty import TerminalProgress

        return TerminalProgress(sys.stdout, place="docker:default")
    assert mode in MODES
    return PlainProgress(sys.stdout, heading="")


class Shown:
    """One printer for several builds: their steps are named after the services."""

    def __init__(self, printer: Printer | None, *, several: bool) -> None:
        self.printer = printer
        self.lock = threading.Lock()
        self.several = several
        self.lifeline, self.end = os.pipe()

    def cancel(self) -> None:
        """End all builds: a signal interrupts this thread only, and theirs wait for their steps."""
        os.write(self.end, b".")

    def close(self) -> None:
        """End the display."""
        os.close(self.lifeline)
        os.close(self.end)
        if self.printer is not None:
            self.printer.close()

    def event(self, service: str, event: Event) -> None:
        """Show an event of one service's build."""
        if self.printer is None or (isinstance(event, Finding) and not isinstance(self.printer, RawProgress)):
            return  # what the checks find stands among the steps; docker compose does not sum it up
        named = renamed(service, event, several=self.several)
        with self.lock:
            self.printer.event(named)


def renamed(service: str, event: Event, *, several: bool) -> Event:
    """Return an event with its step named after the service, as docker compose names them where it builds several."""
    if not several:
        return event
    if isinstance(event, Vertex):
        name = f"[{service} {event.name[1:]}" if event.name.startswith("[") else f"[{service}] {event.name}"
        inputs = tuple(f"{service}/{one}" for one in event.inputs)
        return event._replace(digest=f"{service}/{event.digest}", name=name, inputs=inputs)
    if isinstance(event, (Status, Log, Finding)):
        return event._replace(vertex=f"{service}/{event.vertex}")
    return event


def _build_one(found: Session, wish: ServiceWish, options: Options, images: Mapping[str, str], shown: Shown) -> str:
    """Build one service's image and return its id. Raises ComposeError with docker's closing lines."""
    from hyperbox.cli.connect import roots_from_environment

    request = request_of(found, wish, options, images)
    try:
        roots = roots_from_environment()
        result = run_build(roots, request, lambda event: shown.event(wish.name, event), lifeline=shown.lifeline)
    except BuildFailed as error:
        excerpt = error.excerpt.rstrip("\n") + "\n" if error.excerpt else ""
        raise ComposeError(f"{excerpt}{error.message}") from None
    except EngineError as error:
        raise ComposeError(error.message) from None
    return result.image_id


def _check(found: Session, names: Sequence[str], options: Options) -> int:
    """`compose build --check`: what the build checks find."""
    from hyperbox.cli.build_call import Call, call
    from hyperbox.cli.build_progress import NoProgress
    from hyperbox.errors import ExitStatus

    code = 0
    for name in names:
        print(name + "\n", flush=True)
        images = dict.fromkeys(found.desired.services, "")
        try:
            code = call(Call("check"), request_of(found, wish_of(found, name), options, images), NoProgress()) or code
        except ExitStatus as status:
            code = status.exit_code
        print(flush=True)
    return code
