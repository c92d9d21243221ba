"""`up` in the foreground: the services' output, and their end when the user or a container ends it."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from functools import partial

from hyperbox.cli.compose_children import Child, Lines, Teller, fork_child, tell_lines
from hyperbox.cli.compose_following import Death, Following, pieces
from hyperbox.cli.compose_logs import LogOptions
from hyperbox.cli.compose_menu import CTRL_C, CTRL_Z, ENTER, NOT_CONFIGURED, Menu, is_wanted
from hyperbox.cli.compose_printer import Printer
from hyperbox.cli.compose_progress import step_progress, use_color
from hyperbox.cli.compose_project import Session, warner
from hyperbox.cli.compose_up import carry_out
from hyperbox.errors import ComposeError, EngineError, HyperBoxError
from hyperbox.files import write_all
from hyperbox.grammar.values import words_of
from hyperbox.plan.order import selected
from hyperbox.plan.states import reconcile_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.cli.watch_rules import Rule
    from hyperbox.engine.api import Attachment, Json
    from hyperbox.plan.observe import ObservedContainer

    OnHook = Callable[[str, bytes], None]

STARTING = 2.0  # seconds that the others have to start when one ends everything meanwhile
FAILING_SECONDS = 0.5  # for which the end of a container that made the start fail is waited for
ENDING_SECONDS = 5.0  # for which the ends of stopped containers are waited for
ABORTING = "\x1b[31m\x1b[1mAborting on container exit...\x1b[0m\n"
STOPPING = "Gracefully Stopping... press Ctrl+C again to force\n"
HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)


class Foreground(Following):
    """The attached part of one `up`."""

    def __init__(self, found: Session) -> None:
        flags = found.invocation.flags
        signals, self.writer = os.pipe2(os.O_NONBLOCK)
        color = not flags.get("no-color") and use_color(found.invocation, sys.stdout)
        printer = Printer(
            prefix=not flags.get("no-log-prefix"), color=color, marked=not flags.get("no-color"), signals=signals
        )
        super().__init__(found, printer, signals, LogOptions(timestamps=bool(flags.get("timestamps"))))
        self.exit_code_from = str(flags.get("exit-code-from") or "")
        self.stop_on_exit = bool(flags.get("abort-on-container-exit") or self.exit_code_from)
        self.stop_on_failure = bool(flags.get("abort-on-container-failure"))
        self.menu: Menu | None = None
        self.rules: list[Rule] = []
        self.shown = self._chosen()
        self.starter: Child | None = None
        self.watcher: Child | None = None
        self.stopper: Child | None = None
        self.watching = False
        self.failure: dict[str, object] = {}
        self.failed_at = 0.0
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

    def watched(self, service: str) -> bool:
        """Return whether a service's containers keep `up` from ending, and their ends are told."""
        names = self.found.invocation.arguments or self.shown
        return not names or service in names

    # --- the beginning ------------------------------------------------------------------------------------------------------------
    def begin(self, start: Callable[[OnHook], None]) -> None:
        """Start the project in a process of its own, and follow its containers: those that run at once, the others as they start."""
        everything = self.found.containers()
        rows = [row for row in everything if not self.shown or row.service in self.shown]
        self.printer.write(1, f"Attaching to {', '.join(map(self.name, rows))}\n".encode())
        self.alive = {row.container_id for row in everything if self.watched(row.service)}
        self.beside = {row.container_id for row in rows if not row.running} - self.alive
        self.follow_events()
        for row in rows:
            if row.running or self._has_no_log(row.service):
                self.follow(row.container_id, self.name(row), self.begun, attachment=self._attachment(row))

        def work(teller: Teller) -> None:
            names = {row.container_id: self.name(row) for row in everything}

            def on_hook(container_id: str, data: bytes) -> None:
                text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
                teller.message(hook=names[container_id], text=f"{text}\n")

            _tell_outcome(lambda: start(on_hook), teller)

        self.starter = self.add(fork_child(work, mortal=False), self._started)

    def _has_no_log(self, service: str) -> bool:
        """Return whether a service's containers keep no log, so that what they write is seen by who is attached alone."""
        wish = self.found.desired.services.get(service)
        logging = wish.definition.get("logging") if wish else None
        return isinstance(logging, dict) and logging.get("driver") == "none"

    def _attachment(self, row: ObservedContainer) -> Attachment | None:
        """Attach to a container that keeps no log, before it starts."""
        if not self._has_no_log(row.service):
            return None
        try:
            return self.found.engine.container_attach(row.container_id, stdin=False, stdout=True, stderr=True)
        except EngineError:  # it is paused, or has just ended
            return None

    def unreadable(self, container_id: str, error: EngineError, teller: Teller) -> None:
        """Show what a container that keeps no log writes from now on, though some of it may have been missed."""
        del error
        attachment = self.found.engine.container_attach(container_id, stdin=False, stdout=True, stderr=True)
        tell_lines(pieces(attachment), teller)

    # --- what children tell -------------------------------------------------------------------------------------------------------
    def _started(self, message: Json) -> None:
        """Take what the process tells that starts the containers: what hooks print, and its failure."""
        if "hook" in message:
            self.printer.output(f"{message['hook']} ->", 1, str(message["text"]).encode("utf-8", "surrogateescape"))
        else:
            self.failure, self.failed_at = message, time.monotonic()

    def hurried(self) -> bool:
        """Return whether all is about to end, and nobody restarts a container that was killed."""
        return bool(self.interrupts or self.stopper)

    def has_ended(self, death: Death) -> None:
        """Take a container's exit code, and end all the others where that is wanted."""
        if self.exit_code_from == death.service and not self.code_taken:
            self.code_taken = True
            self.code = death.code
        if self.abort_at or self.printer.muted or not (self.stop_on_exit or (self.stop_on_failure and death.code != 0)):
            return
        if not self.exit_code_from:
            self.code = death.code
        # the others are being started: they are let, so that an early end doesn't leave a random part of the project
        self.abort_at = time.monotonic() + (STARTING if self.starter else 0)

    # --- the loop -----------------------------------------------------------------------------------------------------------------
    def run(self) -> int:
        """Show what is told until all containers have ended, one has ended everything, or the user has; returns the exit code.

        Raises what starting the containers raised.
        """
        while True:
            self._step()
            self.tell_deaths()
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
        if self.stopper is not None:
            return False
        if self.failure and not self.interrupts and not self.abort_at and not self._may_abort():
            _raise_outcome(self.failure)
        if self.interrupts and self.printer.muted:
            return True
        late = self.ending and time.monotonic() > self.ending
        over = bool(late) or not (self.starter or self.alive or self.deaths)
        if over and self.failure and not self.interrupts:
            _raise_outcome(self.failure)
        return over

    def _may_abort(self) -> bool:
        """Return whether what made the start fail may yet be the end of a container that ends all the others."""
        wanted = self.stop_on_exit or self.stop_on_failure
        return wanted and time.monotonic() < self.failed_at + FAILING_SECONDS

    def _step(self) -> None:
        poller = select.poll()
        for descriptor in (self.signals, *self.followers, *self.children):
            poller.register(descriptor, select.POLLIN)
        if self.menu is not None and self.menu.shown:
            poller.register(0, select.POLLIN)
        patience = 50 if self.deaths or self.abort_at or self.ending or self.failure else None
        for descriptor, _ in poller.poll(patience):
            if descriptor == self.signals:
                self._heed(os.read(self.signals, 64))
            elif descriptor == 0:
                self._typed()
            elif descriptor in self.followers:
                self.show(descriptor)
            elif descriptor in self.children:
                self._take(descriptor)

    def _take(self, descriptor: int) -> None:
        child = self.take(descriptor)
        if child is None:
            return
        if child is self.starter:
            self.starter = None
            self._drop_idle()
        elif child is self.stopper:
            self.stopper = None
            self.ending = time.monotonic() + ENDING_SECONDS
            self.alive -= self.resting  # nobody restarts them, and they have ended before
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

        self.watching = False
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

        self.watcher = self.add(fork_child(work, mortal=False), self._has_watched)
        os.close(writer)
        said = self.add(Lines(reader, "watch"), self._has_watched)
        while not self.watching and said.reader in self.children:
            self._take(said.reader)
        if self.menu is not None:
            self.menu.watching = self.watching

    def _has_watched(self, message: Json) -> None:
        self.watching = True
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
            plan = reconcile_states(found.desired, observed, services, "stop", None)
            carry_out(found, plan, progress=shown)

        stream = 1 if shown.stream is sys.stdout else 2
        self.stopper = self.add(
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
        super().end()
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
