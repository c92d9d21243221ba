"""Walks a plan: each step as soon as those before it are done, several at once, and decides nothing.

Every step runs in a child process of its own: a call to the engine may block (a grace period, a health check) and may fork a monitor, and a process
without threads can do both safely. A child tells its outcome through a pipe. When a step fails no new one is begun; those under way are awaited,
and the first failure is raised. What has been done stays: the next plan starts from there.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from typing import NamedTuple, NoReturn

from hyperbox.errors import (
    ComposeError,
    Conflict,
    EngineError,
    Forbidden,
    HyperBoxError,
    InvalidParameter,
    NotFound,
    disk_error,
)
from hyperbox.files import dumps, loads
from hyperbox.plan import operations as op
from hyperbox.plan.wait import wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hyperbox.compose.model import Json
    from hyperbox.engine.api import Engine
    from hyperbox.project.desired_mounts import FileWish

    OnEvent = Callable[["StepEvent"], None]

AT_ONCE = 16
# what tells that another command of the same project has made the same
PROJECT_LABELS = ("com.docker.compose.project",)
CONTAINER_LABELS = (
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.compose.container-number",
    "com.docker.compose.config-hash",
)
IN_USE = "Resource is still in use"

# operation -> (what is shown when it begins, when it is done)
WORDS: dict[str, tuple[str, str]] = {
    "CreateNetwork": ("Creating", "Created"),
    "RemoveNetwork": ("Removing", "Removed"),
    "CreateVolume": ("Creating", "Created"),
    "RemoveVolume": ("Removing", "Removed"),
    "RemoveImage": ("Removing", "Removed"),
    "RemoveProvider": ("Removing", "Removed"),
    "CreateContainer": ("Creating", "Created"),
    "RecreateContainer": ("Recreate", "Recreated"),
    "DisconnectContainer": ("", ""),
    "ConnectContainer": ("", ""),
    "StartContainer": ("Starting", "Started"),
    "StopContainer": ("Stopping", "Stopped"),
    "RemoveContainer": ("Removing", "Removed"),
    "RenameContainer": ("Recreate", "Recreated"),
    "RunHooks": ("", ""),
    "RestartContainer": ("Restarting", "Started"),
    "KeepContainer": ("", "Running"),
    "WaitFor": ("Waiting", "Healthy"),
}


class StepEvent(NamedTuple):
    """What happened to a step: `text` and `status` are the words that are shown, `state` is "working", "done", "warning" or "error".

    A step that is part of another has its name as `parent`; `current` and `total` are bytes.
    """

    name: str
    status: str
    state: str
    text: str = ""
    parent: str = ""
    current: int = 0
    total: int = 0


class Made(NamedTuple):
    """A container that a step made ("" where it made none), and the engine's warnings of it; whether the step's end is told."""

    container_id: str = ""
    warnings: tuple[str, ...] = ()
    told: bool = True


class Context(NamedTuple):
    """What the steps need beside the plan: how to make a container, and who hears of what happens.

    prepare(service, ordinal, replaced container id or "") gives the spec and files of a container that is about to be made.
    container_id(service, ordinal) gives the id of one that is there; it is called before the step's process is forked, so it may remember.
    on_hook(container id, bytes) gets what hooks print, in the step's own process; on_warning what is said of dependencies that are not
    required. provider_down(service) has a service's provider do `down`, and tells what that says, in the step's own process.
    """

    engine: Engine
    prepare: Callable[[str, int, str], op.Prepared]
    container_id: Callable[[str, int], str]
    on_event: OnEvent
    at_once: int = AT_ONCE
    on_hook: Callable[[str, bytes], None] | None = None
    on_warning: Callable[[str], None] | None = None
    provider_down: Callable[[str], object] | None = None


MAKING = (op.CreateContainer, op.RecreateContainer)
STARTING = (op.StartContainer, op.RestartContainer, op.RunHooks, op.WaitFor)
ENDING = (op.StopContainer, op.RemoveContainer, op.RestartContainer, op.RecreateContainer)


def execute(plan: op.Plan, context: Context) -> None:
    """Carry out a plan. Raises the first failure, after the steps that were under way have ended."""
    pending = {node.number: node for node in plan.nodes}
    done: set[int] = set()
    running: dict[int, tuple[op.Node, int]] = {}
    failure: HyperBoxError | None = None
    made: dict[tuple[str, int], str] = {}
    context.engine.preload(ends=any(isinstance(node.operation, ENDING) for node in plan.nodes))
    gc.freeze()  # a collection in a step's process would touch, and so copy, every object of this one
    try:
        while pending or running:
            if failure is None:
                under_way = [node for node, _ in running.values()]
                for node in _ready(pending, under_way, done, context.at_once - len(running)):
                    del pending[node.number]
                    reader, pid = _begin(node, context, made)
                    running[reader] = (node, pid)
            elif not running:
                break
            for reader in _answered(running):
                node, pid = running.pop(reader)
                outcome, result = _finish(reader, pid)
                if isinstance(node.operation, (op.CreateContainer, op.RecreateContainer)):
                    made[node.operation.service, node.operation.ordinal] = result.container_id
                    for warning in result.warnings:
                        context.on_event(StepEvent(node.operation.service, "", "done", warning))
                done.add(node.number)
                told = _tell_end(node, outcome, context) if result.told else None
                failure = failure or told
    except BaseException:
        for node, pid in running.values():
            if not _is_short(node):
                os.kill(pid, signal.SIGTERM)
            if isinstance(node.operation, op.StopContainer):
                context.on_event(StepEvent(node.name, "Error while Stopping", "error"))
        for _, pid in running.values():
            os.waitpid(pid, 0)
        raise
    if failure is not None:
        raise failure


def _is_short(node: op.Node) -> bool:
    """Return whether a step ends soon by itself: a start that was broken off might come about after who stops the project has looked."""
    return isinstance(node.operation, op.StartContainer) and not node.operation.hooks


def _ready(pending: dict[int, op.Node], running: Iterable[op.Node], done: set[int], room: int) -> list[op.Node]:
    """Return the steps that can be begun. None is started before all are made: one that can't be made keeps all from starting."""
    making = any(isinstance(node.operation, MAKING) for node in (*pending.values(), *running))
    ready = [
        node
        for node in pending.values()
        if done.issuperset(node.after) and not (making and isinstance(node.operation, STARTING))
    ]
    return ready[: max(room, 0)]


def _answered(running: dict[int, tuple[op.Node, int]]) -> list[int]:
    poller = select.poll()
    for reader in running:
        poller.register(reader, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll()] if running else []


def _begin(node: op.Node, context: Context, made: dict[tuple[str, int], str]) -> tuple[int, int]:
    begun = step_words(node)[0]
    if begun:
        context.on_event(StepEvent(node.name, begun, "working"))
    reader, writer = os.pipe()
    if isinstance(node.operation, op.KeepContainer):
        os.write(writer, b"{}")
        os.close(writer)
        return reader, 0
    target, failure = "", None
    if isinstance(node.operation, (op.StartContainer, op.WaitFor)):
        service, ordinal = node.operation.service, node.operation.ordinal
        try:
            target = made.get((service, ordinal)) or context.container_id(service, ordinal)
        except HyperBoxError as error:
            failure = error
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    os.close(reader)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _child(node, context, writer, target, failure)


def _child(node: op.Node, context: Context, writer: int, target: str, failure: HyperBoxError | None) -> NoReturn:
    """Do one step in the child process and tell the outcome; never returns. `target` is the id of the container that it starts or waits for."""
    outcome: dict[str, object] = {}
    try:
        if failure is not None:
            raise failure
        made = perform(node, context, target)
        outcome = {"id": made.container_id, "warnings": list(made.warnings), "told": made.told}
    except HyperBoxError as error:
        outcome = {
            "error": error.message,
            "engine": isinstance(error, EngineError),
            # a start that fails is no more than that to compose
            "code": 1 if error.exit_code in (125, 126, 127) else error.exit_code,
            "hint": error.hint,
        }
    except OSError as error:
        failure = disk_error(error)
        outcome = {"error": failure.message, "engine": True, "code": failure.exit_code, "hint": ""}
    except BaseException as error:
        outcome = {"error": f"{type(error).__name__}: {error}", "engine": False, "code": 1, "hint": ""}
    finally:
        try:
            os.write(writer, dumps(outcome).encode("utf-8", "replace"))
        finally:
            os._exit(0)


def step_words(node: op.Node) -> tuple[str, str]:
    """Return what is shown when a step begins ("": nothing) and when it is done."""
    begun, ended = WORDS[type(node.operation).__name__]
    if isinstance(node.operation, op.RemoveNetwork | op.RemoveVolume) and node.operation.replaced:
        return "", ended if isinstance(node.operation, op.RemoveNetwork) else ""
    if isinstance(node.operation, op.WaitFor) and node.operation.condition == "service_completed_successfully":
        return begun, "Exited"
    if isinstance(node.operation, op.StartContainer) and node.operation.refusal:
        return "", ""
    return begun, ended


def _finish(reader: int, pid: int) -> tuple[HyperBoxError | None, Made]:
    """Return how a step ended: its failure, or what it made."""
    answer = b""
    while chunk := os.read(reader, 65536):
        answer += chunk
    os.close(reader)
    if pid:
        os.waitpid(pid, 0)
    try:
        outcome = loads(answer.decode())
    except ValueError:
        return ComposeError("a step was killed"), Made()
    assert isinstance(outcome, dict)
    if "error" not in outcome:
        told = outcome.get("warnings")
        warnings = tuple(map(str, told if isinstance(told, list) else ()))
        return None, Made(str(outcome.get("id") or ""), warnings, bool(outcome.get("told", True)))
    family = EngineError if outcome["engine"] else ComposeError
    return family(str(outcome["error"]), hint=str(outcome["hint"]), exit_code=int(str(outcome["code"]))), Made()


def _tell_end(node: op.Node, error: HyperBoxError | None, context: Context) -> HyperBoxError | None:
    """Show how a step ended; returns its error where that is one for the whole plan."""
    if error is None:
        if ended := step_words(node)[1]:
            context.on_event(StepEvent(node.name, ended, "done"))
        return None
    if isinstance(node.operation, op.WaitFor) and not node.operation.required:
        _tell_optional(node.operation, node.name, error, context)
        return None
    if _left(node, error):
        context.on_event(StepEvent(node.name, IN_USE, "error"))
        return None
    shown = _shown(node, error)
    if shown:
        context.on_event(StepEvent(node.name, shown, "error"))
    return error


def _left(node: op.Node, error: HyperBoxError) -> bool:
    """Return whether a network or volume stays because somebody uses it: no failure of `down`."""
    operation = node.operation
    removal = isinstance(operation, op.RemoveNetwork | op.RemoveVolume) and not operation.replaced
    return removal and ("active endpoints" in error.message or "in use" in error.message)


def optional_warning(service: str, message: str) -> str:
    """Return what is said of a dependency that isn't required and failed with a message."""
    said = message.removeprefix("dependency ").removeprefix(f'service "{service}" ')
    return f'optional dependency "{service}" {said}'


def _tell_optional(wait: op.WaitFor, name: str, error: HyperBoxError, context: Context) -> None:
    """Say that a dependency which isn't required won't be there."""
    words = warning = optional_warning(wait.service, error.message)
    if wait.condition != "service_completed_successfully":
        words = f'optional dependency "{wait.service}" failed to start'
    context.on_event(StepEvent(name, f"Skipped: {words}", "done"))
    if context.on_warning:
        context.on_warning(warning)


def _shown(node: op.Node, error: HyperBoxError) -> str:
    """Return what the line of a step that failed says; "" for those that docker compose leaves as they are."""
    match node.operation:
        case op.StartContainer() | op.RestartContainer() | op.RunHooks() | op.RemoveProvider():
            return ""
        case op.StopContainer(hooks=hooks):
            return "" if hooks else "Error while Stopping"
        case op.RemoveContainer():
            return "Error while Removing"
        case op.CreateContainer() | op.RecreateContainer():
            return error.told
        case op.WaitFor(condition="service_completed_successfully"):
            return error.message
    return "Error"


def perform(node: op.Node, context: Context, target: str) -> Made:
    """Do what one step says; returns the container that it made. `target` is the id of the one to start or wait for."""
    engine = context.engine
    match node.operation:
        case op.CreateNetwork(body=body):
            create_network(engine, body)
        case op.RemoveNetwork(name=name):
            _unless_gone(lambda: engine.network_remove(name))
        case op.CreateVolume(body=body):
            engine.volume_create(body)
        case op.RemoveVolume(name=name):
            _unless_gone(lambda: engine.volume_remove(name))
        case op.RemoveImage(name=name):
            _unless_gone(lambda: engine.image_remove(name))
        case op.RemoveProvider(service=service):
            if context.provider_down:
                context.provider_down(service)
        case op.CreateContainer(service=service, ordinal=ordinal):
            return create(context, context.prepare(service, ordinal, ""))
        case op.RecreateContainer() as operation:
            return recreate(context, operation)
        case op.StartContainer() as operation:
            start(context, operation, target)
        case op.StopContainer() as operation:
            return stop(context, operation)
        case op.RemoveContainer(container_id=container_id, volumes=volumes):
            unless_taken(lambda: engine.container_remove(container_id, force=True, volumes=volumes))
        case op.RenameContainer(container_id=container_id, name=name):
            rename(engine, container_id, name)
        case op.RunHooks(container_id=container_id, service=service, hooks=hooks):
            _run_hooks(context, container_id, service, hooks)
        case op.RestartContainer(container_id=container_id, timeout=timeout):
            engine.container_restart(container_id, timeout=timeout)
        case op.DisconnectContainer(container_id=container_id, network=network):
            try:
                engine.network_disconnect(network, container_id, force=True)
            except (Forbidden, NotFound):  # it is on that network no more
                pass
        case op.ConnectContainer() as connect:
            endpoint = endpoint_of(context, connect)
            _unless_gone(lambda: engine.network_connect(connect.network, connect.container_id, endpoint))
        case op.WaitFor(condition=condition):
            wait_for(engine, target, condition)
        case op.KeepContainer():
            pass
    return Made()


def start(context: Context, operation: op.StartContainer, target: str) -> None:
    """Start a container with its files in it, as they are now, and run its hooks."""
    if operation.refusal:
        raise ComposeError(operation.refusal)
    if operation.files:
        from io import BytesIO

        context.engine.container_archive_put(target, "/", BytesIO(files_archive(operation.files)), copy_owner=True)
    context.engine.container_start(target)
    _run_hooks(context, target, operation.service, operation.hooks)


def stop(context: Context, operation: op.StopContainer) -> Made:
    """Stop a container after its hooks; one in which they can't run stays as it is, and nothing is said of it, as with docker compose."""
    try:
        _run_hooks(context, operation.container_id, operation.service, operation.hooks)
    except (Conflict, NotFound):
        return Made(told=False)
    _unless_gone(lambda: context.engine.container_stop(operation.container_id, timeout=operation.timeout))
    return Made()


def _run_hooks(context: Context, container_id: str, service: str, hooks: op.Hooks) -> None:
    if not hooks:
        return
    from hyperbox.plan.hooks import run_hooks

    told = context.on_hook
    show = (lambda data: told(container_id, data)) if told else None
    run_hooks(context.engine, container_id, service, hooks, show)


def endpoint_of(context: Context, connect: op.ConnectContainer) -> Json:
    """Return how a service's container is to be on a network: aliases, addresses."""
    prepared = context.prepare(connect.service, connect.ordinal, "")
    endpoints = prepared.spec.networking_config.get("EndpointsConfig")
    found = endpoints.get(connect.network) if isinstance(endpoints, dict) else None
    return found if isinstance(found, dict) else {}


def _unless_gone(action: Callable[[], object]) -> None:
    try:
        action()
    except NotFound:
        pass


def unless_taken(remove: Callable[[], object]) -> None:
    """Call `remove` for a container that another command may be removing, or has."""
    try:
        remove()
    except (Conflict, NotFound):
        pass


def create(context: Context, prepared: op.Prepared) -> Made:
    """Make a container, with the files in it that do not wait for its start."""
    if context.on_warning:
        for text in prepared.warnings:
            context.on_warning(text)
    spec = prepared.spec
    if prepared.files and not spec.host_config.get("ReadonlyRootfs"):  # such a container is made, but not started
        spec.archive = files_archive(prepared.files)
    try:
        answer = context.engine.container_create(spec)
    except Conflict:
        return Made(made_by_another(context.engine, prepared))
    told = answer.get("Warnings")
    return Made(str(answer["Id"]), tuple(str(text) for text in (told if isinstance(told, list) else ())))


def create_network(engine: Engine, body: dict[str, object]) -> None:
    """Make a network; one that another command of the same project has just made is as good."""
    try:
        engine.network_create(body)
    except Conflict:
        present = engine.network_inspect(str(body["Name"]))["Labels"]
        if not has_all(present, body.get("Labels"), PROJECT_LABELS):
            raise
    except EngineError as error:
        raise ComposeError(f"failed to create network {body['Name']}: {error.told}", hint=error.hint) from None


def made_by_another(engine: Engine, prepared: op.Prepared) -> str:
    """Return the id of the container that another command of the same project has just made alike. Raises Conflict where it is none."""
    spec = prepared.spec
    try:
        present = engine.container_inspect(spec.name)
    except NotFound:
        return str(engine.container_create(spec)["Id"])
    config = present["Config"]
    assert isinstance(config, dict)
    if not has_all(config.get("Labels"), spec.config.get("Labels"), CONTAINER_LABELS):
        engine.container_create(spec)  # raises docker's words again
    return str(present["Id"])


def has_all(present: object, wanted: object, names: tuple[str, ...]) -> bool:
    """Return whether labels agree in what they say of a project, as far as it is said at all."""
    if not isinstance(present, dict) or not isinstance(wanted, dict):
        return False
    return all(name in wanted and present.get(name) == wanted[name] for name in names)


def files_archive(wishes: tuple[FileWish, ...]) -> bytes:
    """Return a tar of the configs and secrets whose content is given."""
    import io
    import tarfile
    import time

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for wish in wishes:
            data = wish.content.encode()
            member = tarfile.TarInfo(wish.target.lstrip("/"))
            member.size, member.mode, member.mtime = len(data), wish.mode, int(time.time())
            member.uid, member.gid = wish.uid, wish.gid
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def recreate(context: Context, operation: op.RecreateContainer) -> Made:
    """Replace a container and return the new one.

    That one is made under another name first, so that a failure or a kill leaves the old one.
    """
    engine = context.engine
    replaced = operation.container_id if operation.inherit else ""
    prepared = context.prepare(operation.service, operation.ordinal, replaced)
    spec = prepared.spec
    name = spec.name
    old_name = str(engine.container_inspect(operation.container_id)["Name"]).lstrip("/")
    spec.name = f"{operation.container_id[:12]}_{name}"
    labels = spec.config["Labels"]
    assert isinstance(labels, dict)
    labels["com.docker.compose.replace"] = old_name
    made = create(context, prepared)
    engine.container_stop(operation.container_id, timeout=operation.timeout)
    engine.container_remove(operation.container_id, force=True, volumes=not operation.inherit)
    rename(engine, made.container_id, name)
    return made


def rename(engine: Engine, container_id: str, name: str) -> None:
    """Give a container its name, unless another command, which ends what it takes for interrupted, has just done so."""
    try:
        engine.container_rename(container_id, name)
    except InvalidParameter:
        if engine.container_inspect(container_id)["Name"] != f"/{name}":
            raise
