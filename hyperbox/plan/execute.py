"""Walks a plan: each step as soon as those before it are done, several at once, and decides nothing.

Every step runs in a child process of its own: a call to the engine may block (a grace period, a health check) and may fork a monitor, and a process
without threads can do both safely. A child tells its outcome through a pipe. When a step fails no new one is begun; those under way are awaited,
and the first failure is raised. What has been done stays: the next plan starts from there.

A container is made beside those that it depends on, for the time that takes, and yet never where one of them can't be made, as with docker
compose: a child that has made such a container waits until it is told to go on, which shows the step and lets it replace the container of
before, or to take it away again.
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
    NotFound,
    disk_error,
)
from hyperbox.files import dumps, loads
from hyperbox.plan import operations as op
from hyperbox.plan.making import Made, create, create_network, files_archive, recreate, rename
from hyperbox.plan.wait import wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.compose.model import Json
    from hyperbox.engine.api import Engine
    from hyperbox.plan.making import Wanted

    OnEvent = Callable[["StepEvent"], None]

AT_ONCE = 16
# what a step's process tells once it has made a container that depends on others, and what it is told then
WAITS, GO_ON, TAKE_BACK = b"+", b"+", b"-"
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
    "ResumeContainer": ("Restart", "Restarted"),
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


REVOCABLE = (op.CreateContainer, op.RecreateContainer)
MAKING = (*REVOCABLE, op.ResumeContainer)
STARTING = (op.StartContainer, op.RestartContainer, op.RunHooks, op.WaitFor)
ENDING = (op.StopContainer, op.RemoveContainer, op.RestartContainer, op.RecreateContainer)


class UnderWay:
    """A step under way: its process (0: none), and the descriptor by which that is told to go on (-1: it does not wait for that).

    `outcome` is how it failed, where that is not told yet; `withdrawn`: it is being taken back, and nothing is told of it.
    """

    __slots__ = ("go", "node", "outcome", "pid", "reader", "withdrawn")

    def __init__(self, node: op.Node, reader: int, pid: int, go: int) -> None:
        self.node, self.reader, self.pid, self.go = node, reader, pid, go
        self.outcome: HyperBoxError | None = None
        self.withdrawn = False

    def tell(self, word: bytes) -> None:
        """Tell the process to go on, or to take back what it has made."""
        if self.go < 0:
            return
        try:
            os.write(self.go, word)
        except BrokenPipeError:  # it has ended
            pass
        os.close(self.go)
        self.go = -1


def execute(plan: op.Plan, context: Context) -> None:
    """Carry out a plan. Raises the first failure, after the steps that were under way have ended."""
    context.engine.preload(ends=any(isinstance(node.operation, ENDING) for node in plan.nodes))
    gc.freeze()  # a collection in a step's process would touch, and so copy, every object of this one
    walk = Walk(plan, context)
    try:
        walk.run()
    except BaseException:
        walk.break_off()
        raise
    if walk.failure is not None:
        raise walk.failure


class Walk:
    """The walk through one plan.

    pending   the steps that have not begun
    running   those under way, by the descriptor on which they answer
    waiting   those that have made a container, or failed to, and whose dependencies' containers are not known to be there
    done      the numbers of those that are done; `there` has those too that have made their containers
    """

    def __init__(self, plan: op.Plan, context: Context) -> None:
        self.context = context
        self.pending = {node.number: node for node in plan.nodes}
        self.running: dict[int, UnderWay] = {}
        self.waiting: dict[int, UnderWay] = {}
        self.done: set[int] = set()
        self.there: set[int] = set()
        self.made: dict[tuple[str, int], str] = {}
        self.failure: HyperBoxError | None = None

    def run(self) -> None:
        """Take all steps, or those up to the first failure."""
        while self.pending or self.running or self.waiting:
            if self.failure is None:
                for node in self._ready():
                    del self.pending[node.number]
                    step = _begin(node, self)
                    self.running[step.reader] = step
            elif not (self.running or self.waiting):
                return
            for reader in _answered(self.running):
                self._hear(self.running[reader])
            for number in sorted(self.waiting):
                self._decide(self.waiting[number])

    def _ready(self) -> list[op.Node]:
        """Return the steps that can be begun. None is started before all are made: one that can't be made keeps all from starting."""
        under_way = (step.node for steps in (self.running, self.waiting) for step in steps.values())
        making = any(isinstance(node.operation, MAKING) for node in (*self.pending.values(), *under_way))
        ready = [
            node
            for node in self.pending.values()
            if self.done.issuperset(node.after)
            and not (making and isinstance(node.operation, STARTING))
            and (isinstance(node.operation, REVOCABLE) or self.there.issuperset(node.beside))
        ]
        return ready[: max(self.context.at_once - len(self.running), 0)]

    def _hear(self, step: UnderWay) -> None:
        """Take what a step's process tells: that it waits, or how it ended."""
        answer = os.read(step.reader, 1) if step.go >= 0 else b""
        if answer == WAITS:
            self.waiting[step.node.number] = self.running.pop(step.reader)
            return
        del self.running[step.reader]
        outcome, result = _finish(step.reader, step.pid, answer)
        if step.go >= 0:  # it could not even make its container
            step.outcome = outcome
            self.waiting[step.node.number] = step
        elif not step.withdrawn:
            self._end(step.node, outcome, result)

    def _decide(self, step: UnderWay) -> None:
        """Let a step go on once what its container depends on is there, and take it back where that never will be."""
        number, coming = step.node.number, {*self.waiting, *(each.node.number for each in self.running.values())}
        missing = set(step.node.beside) - self.there
        if missing and (self.failure is None or coming.issuperset(missing)):
            return
        del self.waiting[number]
        step.withdrawn = bool(missing)
        if step.outcome is None:
            self.running[step.reader] = step
        if not missing:
            _tell_begin(step.node, self.context)
            if step.outcome is None:
                self.there.add(number)
            else:
                self._end(step.node, step.outcome, Made())
        step.tell(GO_ON if step.outcome is None and not missing else TAKE_BACK)

    def _end(self, node: op.Node, outcome: HyperBoxError | None, result: Made) -> None:
        if isinstance(node.operation, REVOCABLE):
            self.made[node.operation.service, node.operation.ordinal] = result.container_id
            for warning in result.warnings:
                self.context.on_event(StepEvent(node.operation.service, "", "done", warning))
        told = _tell_end(node, outcome, self.context) if result.told else None
        if told is None:
            self.done.add(node.number)
            self.there.add(node.number)
        self.failure = self.failure or told

    def break_off(self) -> None:
        """End all that is under way, but what is over soon anyway, and wait for it."""
        for step in self.waiting.values():
            step.tell(TAKE_BACK)
        for step in self.running.values():
            if not _is_short(step.node):
                os.kill(step.pid, signal.SIGTERM)
            if isinstance(step.node.operation, op.StopContainer):
                self.context.on_event(StepEvent(step.node.name, "Error while Stopping", "error"))
        for step in (*self.running.values(), *self.waiting.values()):
            if step.pid and step.outcome is None:
                os.waitpid(step.pid, 0)


def _is_short(node: op.Node) -> bool:
    """Return whether a step ends soon by itself: a start that was broken off might come about after who stops the project has looked."""
    return isinstance(node.operation, op.StartContainer) and not node.operation.hooks


def _answered(running: dict[int, UnderWay]) -> list[int]:
    poller = select.poll()
    for reader in running:
        poller.register(reader, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll()] if running else []


def _tell_begin(node: op.Node, context: Context) -> None:
    begun = step_words(node)[0]
    if begun:
        context.on_event(StepEvent(node.name, begun, "working"))


def _begin(node: op.Node, walk: Walk) -> UnderWay:
    context = walk.context
    held = not walk.there.issuperset(node.beside)
    if not held:
        _tell_begin(node, context)
    reader, writer = os.pipe()
    if isinstance(node.operation, op.KeepContainer):
        os.write(writer, b"{}")
        os.close(writer)
        return UnderWay(node, reader, 0, -1)
    target, failure = "", None
    if isinstance(node.operation, (op.StartContainer, op.WaitFor)):
        service, ordinal = node.operation.service, node.operation.ordinal
        try:
            target = walk.made.get((service, ordinal)) or context.container_id(service, ordinal)
        except HyperBoxError as error:
            failure = error
    told, go = os.pipe() if held else (-1, -1)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        for descriptor in (writer, *((told,) if held else ())):
            os.close(descriptor)
        return UnderWay(node, reader, pid, go)
    others = [step.go for steps in (walk.running, walk.waiting) for step in steps.values()]
    for descriptor in (reader, go, *others):  # who waits is to see this command's end
        if descriptor >= 0:
            os.close(descriptor)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wanted() -> bool:
        os.write(writer, WAITS)
        return os.read(told, 1) == GO_ON

    _child(node, context, writer, target, failure, wanted if held else None)


def _child(
    node: op.Node, context: Context, writer: int, target: str, failure: HyperBoxError | None, wanted: Wanted
) -> NoReturn:
    """Do one step in the child process and tell the outcome; never returns. `target` is the id of the container that it starts or waits for."""
    outcome: dict[str, object] = {}
    try:
        if failure is not None:
            raise failure
        made = perform(node, context, target, wanted)
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


def _finish(reader: int, pid: int, answer: bytes) -> tuple[HyperBoxError | None, Made]:
    """Return how a step ended: its failure, or what it made. `answer` is what was read already."""
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
        case op.StartContainer() | op.RestartContainer() | op.RunHooks() | op.RemoveProvider() | op.ResumeContainer():
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


def perform(node: op.Node, context: Context, target: str, wanted: Wanted) -> Made:
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
            return create(context, context.prepare(service, ordinal, ""), wanted)
        case op.RecreateContainer() as operation:
            return recreate(context, operation, wanted)
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
        case op.ResumeContainer(container_id=container_id):
            engine.container_start(container_id)
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
