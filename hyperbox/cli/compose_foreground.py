"""`up` in the foreground: the services' output, and their end when the user or a container ends it."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from functools import partial

from hyperbox.cli.compose_children import MESSAGE, Child, Lines, Teller, fork_child, message_of, tell_lines
from hyperbox.cli.compose_menu import CTRL_C, CTRL_Z, ENTER, NOT_CONFIGURED, Menu, is_wanted
from hyperbox.cli.compose_printer import Printer
from hyperbox.cli.compose_progress import step_progress, use_color
from hyperbox.cli.compose_project import Session, timeout_of, warner
from hyperbox.cli.compose_up import carry_out
from hyperbox.errors import ComposeError, EngineError, HyperBoxError, NotFound
from hyperbox.files import write_all
from hyperbox.grammar.values import words_of
from hyperbox.plan.order import selected
from hyperbox.plan.states import reconcile_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.cli.watch_rules import Rule
    from hyperbox.engine.api import Json
    from hyperbox.plan.observe import ObservedContainer

    OnHook = Callable[[str, bytes], None]

STARTING = 2.0  # seconds that the others have to start when one ends everything meanwhile
RESTART_SECONDS = 0.5  # between the end of a container that is being restarted and its start
OUTPUT_SECONDS = 2.0  # for which the rest of an ended container's output is waited for
ENDING_SECONDS = 5.0  # for which the ends of stopped containers are waited for
ABORTING = "\x1b[31m\x1b[1mAborting on container exit...\x1b[0m\n"
STOPPING = "Gracefully Stopping... press Ctrl+C again to force\n"
LABEL = "com.docker.compose."
HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)


class Death:
    """A container's end that has not been told yet."""

    __slots__ = ("code", "killed", "moment", "name", "restarting", "service", "since")

    def __init__(self, name: str, service: str, code: int, since: float, *, killed: bool) -> None:
        self.name, self.service, self.code, self.since, self.killed = name, service, code, since, killed
        self.moment = time.monotonic()
        self.restarting = False


class Foreground:
    """The attached part of one `up`.

    It follows the events of the project's containers, so that what other commands do to them is shown as what this one does: containers
    that come are followed, and the end of the last one ends it.
    """

    def __init__(self, found: Session) -> None:
        self.found = found
        flags = found.invocation.flags
        self.exit_code_from = str(flags.get("exit-code-from") or "")
        self.stop_on_exit = bool(flags.get("abort-on-container-exit") or self.exit_code_from)
        self.stop_on_failure = bool(flags.get("abort-on-container-failure"))
        self.timestamps = bool(flags.get("timestamps"))
        self.signals, self.writer = os.pipe2(os.O_NONBLOCK)
        self.menu: Menu | None = None
        self.rules: list[Rule] = []
        color = not flags.get("no-color") and use_color(found.invocation, sys.stdout)
        self.printer = Printer(
            prefix=not flags.get("no-log-prefix"), color=color, marked=not flags.get("no-color"), signals=self.signals
        )
        self.shown = self._chosen()
        self.begun = time.time() - 0.001
        self.followers: dict[int, tuple[Child, str, str]] = {}  # by descriptor: process, container's id and name
        self.children: dict[int, tuple[Child, Callable[[Json], None]]] = {}
        self.alive: set[str] = set()  # the containers whose ends are waited for
        self.killed: set[str] = set()  # those that were sent a signal
        self.last: dict[str, float] = {}  # up to when a container's output has been shown
        self.deaths: dict[str, Death] = {}
        self.starter: Child | None = None
        self.watcher: Child | None = None
        self.stopper: Child | None = None
        self.watched = False
        self.failure: dict[str, object] = {}
        self.abort_at = 0.0
        self.aborted = False
        self.ending = 0.0  # when the ends of stopped containers are no longer waited for
        self.interrupts = 0
        self.by_key = False
        self.code = 0
        self.code_taken = False

    def _chosen(self) -> set[str]:
        """Return the services whose output is shown; none means all, as with docker compose."""
        found, flags = self.found, self.found.invocation.flags
        names = set(words_of(flags.get("attach")))
        if not names:
            wanted = found.invocation.arguments
            names = set(selected(found.desired, wanted, no_deps=not flags.get("attach-dependencies")))
            services = found.desired.services
            names = {name for name in names if services[name].definition.get("attach") is not False}
        return names - set(words_of(flags.get("no-attach")))

    def _watched(self, service: str) -> bool:
        """Return whether a service's containers keep `up` from ending, and their ends are told."""
        names = self.found.invocation.arguments or self.shown
        return not names or service in names

    def name_of(self, name: str, service: str, number: str) -> str:
        """Return a container's name as its lines show it: one that the user or chance gave is whole."""
        project = self.found.desired.name
        usual = f"{project}-{service}-{number}"
        if name.partition("_")[2] == usual:  # it is about to take another one's place
            name = usual
        return name.removeprefix(f"{project}-") if name == usual else name

    # --- the beginning ------------------------------------------------------------------------------------------------------------
    def begin(self, start: Callable[[OnHook], None]) -> None:
        """Start the project in a process of its own, and follow its containers: those that run at once, the others as they start."""
        rows = [row for row in self.found.containers() if not self.shown or row.service in self.shown]
        names = [self._name(row) for row in rows]
        self.printer.write(1, f"Attaching to {', '.join(names)}\n".encode())
        self.alive = {row.container_id for row in self.found.containers() if self._watched(row.service)}
        project = f"{LABEL}project={self.found.desired.name}"
        filters = {"type": ["container"], "label": [project], "event": ["create", "start", "kill", "die", "destroy"]}

        def tell_events(teller: Teller) -> None:
            for event in self.found.engine.events(since=f"{self.begun:.9f}", filters=filters):
                teller.message(event=event)

        self._add(fork_child(tell_events), self._happened)
        for row in rows:
            if row.running:
                self._follow(row.container_id, self._name(row), self.begun)

        def work(teller: Teller) -> None:
            names = {row.container_id: self._name(row) for row in rows}

            def on_hook(container_id: str, data: bytes) -> None:
                if container_id in names:
                    text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
                    teller.message(hook=names[container_id], text=f"{text}\n")

            _tell_outcome(lambda: start(on_hook), teller)

        self.starter = self._add(fork_child(work, mortal=False), self._started)

    def _name(self, row: ObservedContainer) -> str:
        return self.name_of(row.name, row.service, str(row.ordinal))

    def _add(self, child: Child, take: Callable[[Json], None]) -> Child:
        self.children[child.reader] = (child, take)
        return child

    def _follow(self, container_id: str, name: str, since: float) -> None:
        def work(teller: Teller) -> None:
            engine = self.found.engine
            try:
                logs = engine.container_logs(container_id, follow=True, since=since, timestamps=self.timestamps)
                tell_lines(logs, teller)
            except NotFound:
                pass

        child = fork_child(work)
        self.followers[child.reader] = (child, container_id, name)

    # --- what children tell -------------------------------------------------------------------------------------------------------
    def _started(self, message: Json) -> None:
        """Take what the process tells that starts the containers: what hooks print, and its failure."""
        if "hook" in message:
            self.printer.output(f"{message['hook']} ->", 1, str(message["text"]).encode("utf-8", "surrogateescape"))
        else:
            self.failure = message

    def _happened(self, message: Json) -> None:
        event = message["event"]
        assert isinstance(event, dict)
        attributes, container_id = event["Actor"]["Attributes"], str(event["Actor"]["ID"])
        service = str(attributes.get(f"{LABEL}service", ""))
        if not self._watched(service):
            return
        action, moment = str(event["Action"]), int(event["timeNano"]) / 1e9
        name = self.name_of(str(attributes.get("name", "")), service, str(attributes.get(f"{LABEL}container-number")))
        if action == "create":
            self.alive.add(container_id)
            if f"{LABEL}replace" in attributes:
                self.printer.status(name, "has been recreated")
        elif action == "start":
            self._has_started(container_id, name, service)
        elif action == "kill":
            self.killed.add(container_id)
        elif action == "die" and container_id in self.alive:
            killed = container_id in self.killed
            self.deaths[container_id] = Death(name, service, int(attributes.get("exitCode", 0)), moment, killed=killed)
        elif action == "destroy" and container_id in self.deaths:
            self.deaths[container_id].killed = False  # nobody restarts it
        elif action == "destroy":
            self.alive.discard(container_id)  # it had never been started

    def _has_started(self, container_id: str, name: str, service: str) -> None:
        self.killed.discard(container_id)
        death = self.deaths.get(container_id)
        if death is not None:
            death.restarting = True  # once this is told, the container is followed again
            return
        self.alive.add(container_id)
        followed = any(one == container_id for _, one, _ in self.followers.values())
        if not followed and (not self.shown or service in self.shown):
            self._follow(container_id, name, self.last.get(container_id, self.begun))

    def _tell_deaths(self) -> None:
        """Tell of the containers that have ended, each after its output; whether one is restarted at once is waited for."""
        for container_id, death in list(self.deaths.items()):
            passed = time.monotonic() - death.moment
            if passed < OUTPUT_SECONDS and any(one == container_id for _, one, _ in self.followers.values()):
                continue
            again, restarting = self._state(container_id), death.restarting
            if (
                death.killed
                and not (restarting or again or self.interrupts or self.stopper)
                and passed < RESTART_SECONDS
            ):
                continue
            del self.deaths[container_id]
            self.last[container_id] = death.since
            self._tell_death(container_id, death, restarting or again)
            if restarting and (not self.shown or death.service in self.shown):
                self._follow(container_id, death.name, death.since)

    def _tell_death(self, container_id: str, death: Death, restarting: bool) -> None:
        self.printer.status(death.name, f"exited with code {death.code}{' (restarting)' if restarting else ''}")
        if not restarting:
            self.alive.discard(container_id)
        if self.exit_code_from == death.service and not self.code_taken:
            self.code_taken = True
            self.code = death.code
        if self.abort_at or self.printer.muted or not (self.stop_on_exit or (self.stop_on_failure and death.code != 0)):
            return
        if not self.exit_code_from:
            self.code = death.code
        # the others are being started: they are let, so that an early end doesn't leave a random part of the project
        self.abort_at = time.monotonic() + (STARTING if self.starter else 0)

    def _state(self, container_id: str) -> bool:
        """Return whether a container that ended is going to run again, or does."""
        try:
            state = self.found.engine.container_inspect(container_id)["State"]
        except NotFound:
            return False
        assert isinstance(state, dict)
        return state["Status"] in ("restarting", "running")

    # --- the loop -----------------------------------------------------------------------------------------------------------------
    def run(self) -> int:
        """Show what is told until all containers have ended, one has ended everything, or the user has; returns the exit code.

        Raises what starting the containers raised.
        """
        while True:
            self._step()
            self._tell_deaths()
            if self.abort_at and not self.aborted and (not self.starter or time.monotonic() > self.abort_at):
                self.aborted = True
                self._abort()
            if self._is_over():
                return 130 if self.interrupts and not self.by_key else self.code

    def _abort(self) -> None:
        self.printer.write(2, ABORTING.encode())
        if not self.interrupts:
            self.stop()

    def _is_over(self) -> bool:
        if self.failure and not self.interrupts:
            _raise_outcome(self.failure)
        if self.stopper is not None:
            return False
        if self.interrupts and self.printer.muted:
            return True
        late = self.ending and time.monotonic() > self.ending
        return bool(late) or not (self.starter or self.alive or self.deaths)

    def _step(self) -> None:
        poller = select.poll()
        for descriptor in (self.signals, *self.followers, *self.children):
            poller.register(descriptor, select.POLLIN)
        if self.menu is not None and self.menu.shown:
            poller.register(0, select.POLLIN)
        patience = 50 if self.deaths or self.abort_at or self.ending else None
        for descriptor, _ in poller.poll(patience):
            if descriptor == self.signals:
                self._heed(os.read(self.signals, 64))
            elif descriptor == 0:
                self._typed()
            elif descriptor in self.followers:
                self._show(descriptor)
            elif descriptor in self.children:
                self._take(descriptor)

    def _show(self, descriptor: int) -> None:
        child, _, name = self.followers[descriptor]
        frames = child.read()
        if frames is None:
            child.forget()
            del self.followers[descriptor]
        for kind, data in frames or ():
            self.printer.output(name, kind, data)

    def _take(self, descriptor: int) -> None:
        child, take = self.children[descriptor]
        frames = child.read()
        for kind, data in frames or ():
            if kind == MESSAGE:
                take(message_of(data))
            else:
                self.printer.write(kind, data)
        if frames is None:
            child.forget()
            del self.children[descriptor]
            if child is self.starter:
                self.starter = None
                self._drop_idle()
            elif child is self.stopper:
                self.stopper = None
                self.ending = time.monotonic() + ENDING_SECONDS
            elif child is self.watcher:
                self.watcher = None

    def _drop_idle(self) -> None:
        """Forget the containers that nobody is going to start any more."""
        self.alive -= {row.container_id for row in self.found.containers() if row.state == "created"}

    def _heed(self, numbers: bytes) -> None:
        """Do what signals ask for."""
        for number in numbers:
            if number == signal.SIGWINCH:
                self.printer.redraw()
            elif number in (signal.SIGINT, signal.SIGTERM):
                self.printer.muted = True  # as docker compose shows no more of the containers then
                self.by_key = False
                self._interrupted()

    def _typed(self) -> None:
        """Do what keys ask for."""
        assert self.menu is not None
        typed = self.menu.keys()
        for key in typed or CTRL_C:
            if key == CTRL_C and self.menu.shown:
                self.by_key = True
                self._interrupted()
            elif key == ENTER:
                self.printer.write(1, b"\n")
            elif key == CTRL_Z:
                self.menu.suspend()
                self.printer.redraw()
            elif key == "w":
                self.toggle_watch()

    def _interrupted(self) -> None:
        self.interrupts += 1
        if self.interrupts == 1:
            if self.menu is not None:
                self.menu.close()
            self.printer.write(1, STOPPING.encode())
            self.stop()
            return
        if self.interrupts > 2 and self.stopper is not None:
            os.kill(self.stopper.pid, signal.SIGTERM)
        services = self.found.invocation.arguments
        for row in self.found.containers(all=False):
            if not services or row.service in services:
                try:
                    self.found.engine.container_kill(row.container_id)
                except EngineError:
                    continue

    # --- watched files ------------------------------------------------------------------------------------------------------------
    def toggle_watch(self) -> None:
        """Begin or cease to do what `develop.watch` says."""
        assert self.menu is not None
        if not self.rules:
            self.menu.tell_error(NOT_CONFIGURED)
            self.printer.redraw()
        elif self.watcher is None:
            self.watch_files()
        else:
            self.menu.watching = False
            self._end_watcher()
            self.printer.watch("Watch disabled")

    def watch_files(self) -> None:
        """Begin to do what `develop.watch` says, in a process of its own; returns once it watches."""
        from hyperbox.cli.compose_watch import Watching

        self.watched = False
        reader, writer = os.pipe()

        def work(teller: Teller) -> None:
            for stream in (1, 2):  # a build's progress
                os.dup2(writer, stream)

            def say(text: str) -> None:
                sys.stdout.flush()
                write_all(1, f"{text}\n".encode("utf-8", "replace"))

            watching = Watching(
                self.found,
                self.rules,
                say,
                teller.frame,
                lambda text: teller.message(warning=text),
            )
            watching.follow(patient=True)

        self.watcher = self._add(fork_child(work, mortal=False), self._has_watched)
        os.close(writer)
        said = self._add(Lines(reader, "watch"), self._has_watched)
        while not self.watched and said.reader in self.children:
            self._take(said.reader)
        if self.menu is not None:
            self.menu.watching = self.watched

    def _has_watched(self, message: Json) -> None:
        self.watched = True
        if "warning" in message:
            self.printer.aside(partial(warner(self.found.invocation), str(message["warning"])))
        else:
            self.printer.watch(str(message["watch"]))

    def _end_watcher(self) -> None:
        if self.watcher is not None:
            del self.children[self.watcher.reader]
            self.watcher.end(signal.SIGTERM)
            self.watcher = None

    # --- the end ------------------------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Begin to stop the services that `up` was called for, in a process of its own."""
        self._end_watcher()
        self._end_starter()
        found = self.found
        shown = step_progress(found.invocation, lines=True)

        def work(teller: Teller) -> None:
            shown.stream = _Told(teller)  # type: ignore[assignment]
            observed, services = found.observe(), tuple(found.invocation.arguments)
            plan = reconcile_states(found.desired, observed, services, "stop", timeout_of(found.invocation))
            carry_out(found, plan, progress=shown)

        stream = 1 if shown.stream is sys.stdout else 2
        self.stopper = self._add(
            fork_child(work, mortal=False), lambda said: self.printer.write(stream, str(said["step"]).encode())
        )

    def _end_starter(self) -> None:
        if self.starter is not None:
            del self.children[self.starter.reader]
            self.starter.end(signal.SIGTERM)
            self.starter = None

    def end(self) -> None:
        """End all processes, and leave the terminal as it was."""
        self._end_watcher()
        self._end_starter()
        for child in (*(one[0] for one in self.followers.values()), *(one[0] for one in self.children.values())):
            child.end()
        if self.menu is not None:
            self.menu.close()


class _Told:
    """Takes for a stream, in a child, what its progress writes."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller

    def write(self, text: str) -> None:
        """Tell a line."""
        self.teller.message(step=text)

    def flush(self) -> None:
        """Do nothing: all is told at once."""


def _tell_outcome(start: Callable[[], None], teller: Teller) -> None:
    try:
        start()
    except HyperBoxError as error:
        engine = isinstance(error, EngineError)
        teller.message(error=error.message, engine=engine, code=error.exit_code, hint=error.hint)


def _raise_outcome(outcome: dict[str, object]) -> None:
    family = EngineError if outcome["engine"] else ComposeError
    raise family(str(outcome["error"]), hint=str(outcome["hint"]), exit_code=int(str(outcome["code"])))


def foreground(found: Session, *, start: Callable[[OnHook], None]) -> int:
    """Start the project, show its output, and stop it at the end; Ctrl-C stops, a second one kills. Returns the exit code.

    `start` gets what to call with a hook's container and output.
    """
    shown = Foreground(found)
    for number in HEEDED:
        signal.signal(number, _heeded)
    signal.set_wakeup_fd(shown.writer, warn_on_full_buffer=False)
    try:
        open_menu(shown)
        if found.invocation.flags.get("watch"):
            shown.watch_files()
        shown.begin(start)
        code = shown.run()
        if code and found.invocation.globals.get("progress") != "json":
            sys.stderr.write("\n")  # docker compose's error without words
        return code
    finally:
        shown.end()


def _heeded(number: int, frame: object) -> None:
    """Do nothing: the loop reads of it."""
    del number, frame


def open_menu(shown: Foreground) -> None:
    """Read what is to be watched, and show the menu where there is one. Raises ComposeError where --watch has nothing to do."""
    invocation = shown.found.invocation
    wanted = is_wanted(invocation)
    if invocation.flags.get("watch"):
        shown.rules = watch_rules(shown.found)
    elif wanted:
        try:
            shown.rules = watch_rules(shown.found)
        except ComposeError:
            shown.rules = []
    if not wanted:
        return
    menu = Menu()
    try:
        menu.open()
    except HyperBoxError as error:
        warner(invocation)(error.message)
        return
    shown.menu = menu
    shown.printer.show(menu)


def watch_rules(found: Session) -> list[Rule]:
    """Return what `up --watch` is to do. Raises ComposeError where that is nothing."""
    from hyperbox.cli.watch_rules import load_rules

    names = selected(found.desired, found.invocation.arguments)
    return load_rules(found.desired, names, "see https://docs.docker.com/compose/how-tos/file-watch/")
