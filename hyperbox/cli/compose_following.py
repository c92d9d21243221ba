"""Following what a project's containers write and what becomes of them: an attached `up`, and `logs --follow`."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from hyperbox.cli.compose_children import MESSAGE, Child, fork_child, message_of, tell_lines
from hyperbox.cli.compose_logs import is_unreadable, log_name, warn_of_log
from hyperbox.errors import EngineError, NotFound
from hyperbox.files import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperbox.cli.compose_children import Teller
    from hyperbox.cli.compose_logs import LogOptions
    from hyperbox.cli.compose_printer import Printer
    from hyperbox.cli.compose_project import Session
    from hyperbox.engine.api import Attachment, Json
    from hyperbox.plan.observe import ObservedContainer

RESTART_SECONDS = 0.5  # between the end of a container that is being restarted and its start
OUTPUT_SECONDS = 2.0  # for which the rest of an ended container's output is waited for
EVENTS = ("create", "start", "kill", "die", "destroy")
LABEL = "com.docker.compose."


class Death:
    """A container's end that has not been told yet."""

    __slots__ = ("code", "killed", "moment", "name", "restarting", "service", "since")

    def __init__(self, name: str, service: str, code: int, since: float, *, killed: bool) -> None:
        self.name, self.service, self.code, self.since, self.killed = name, service, code, since, killed
        self.moment = time.monotonic()
        self.restarting = False


class Following:
    """Follows the events of a project's containers, and the output of those that are shown.

    What other commands do to them is shown as what this one does: containers that come are followed, and the end of the last one ends it.
    """

    def __init__(self, found: Session, printer: Printer, signals: int, options: LogOptions) -> None:
        self.found, self.printer, self.signals, self.options = found, printer, signals, options
        self.shown: set[str] = set()  # the services whose output is shown; none: all
        self.begun = time.time() - 0.001
        self.followers: dict[int, tuple[Child, str, str]] = {}  # by descriptor: process, container's id and name
        self.children: dict[int, tuple[Child, Callable[[Json], None]]] = {}
        self.alive: set[str] = set()  # the containers whose ends are waited for
        self.beside: set[str] = set()  # those that are shown until they end, and keep nobody waiting
        self.killed: set[str] = set()  # those that were sent a signal
        self.resting: set[str] = set()  # those that are to be restarted and have not been
        self.last: dict[str, float] = {}  # up to when a container's output has been shown
        self.deaths: dict[str, Death] = {}

    # --- what differs between those who follow ------------------------------------------------------------------------------------
    def watched(self, service: str) -> bool:
        """Return whether a service's containers keep this from ending, and their ends are told."""
        return not self.shown or service in self.shown

    def hurried(self) -> bool:
        """Return whether all is about to end, and nobody restarts a container that was killed."""
        return False

    def has_ended(self, death: Death) -> None:
        """Do what the end of a container means, after it has been told."""

    # --- containers ---------------------------------------------------------------------------------------------------------------
    def name(self, row: ObservedContainer) -> str:
        """Return a container's name as its lines show it."""
        return log_name(self.found, row.name, row.service, str(row.ordinal))

    def add(self, child: Child, take: Callable[[Json], None]) -> Child:
        """Have what a process tells taken."""
        self.children[child.reader] = (child, take)
        return child

    def follow_events(self) -> None:
        """Begin to follow what becomes of the project's containers."""
        project = f"{LABEL}project={self.found.desired.name}"
        filters = {"type": ["container"], "label": [project], "event": list(EVENTS)}

        def tell_events(teller: Teller) -> None:
            for event in self.found.engine.events(since=f"{self.begun:.9f}", filters=filters):
                teller.message(event=event)

        self.add(fork_child(tell_events), self._happened)

    def follow(self, container_id: str, name: str, since: float, *, attachment: Attachment | None = None) -> None:
        """Begin to show what a container writes: its log, or where that can't be read what comes through an `attachment`."""
        options = self.options

        def work(teller: Teller) -> None:
            engine = self.found.engine
            try:
                if attachment is not None:
                    tell_lines(pieces(attachment), teller)
                    return
                logs = engine.container_logs(
                    container_id,
                    follow=True,
                    since=since,
                    until=options.until,
                    tail=options.tail,
                    timestamps=options.timestamps,
                )
                tell_lines(logs, teller)
            except NotFound:
                pass
            except EngineError as error:
                if not is_unreadable(error):
                    raise
                self.unreadable(container_id, error, teller)

        child = fork_child(work)
        self.followers[child.reader] = (child, container_id, name)

    def unreadable(self, container_id: str, error: EngineError, teller: Teller) -> None:
        """Do, in a process of its own, what is left where a container has no log that can be read."""
        del teller
        warn_of_log(self.found, container_id, error)

    # --- what children tell -------------------------------------------------------------------------------------------------------
    def _happened(self, message: Json) -> None:
        event = message["event"]
        assert isinstance(event, dict)
        attributes, container_id = event["Actor"]["Attributes"], str(event["Actor"]["ID"])
        service = str(attributes.get(f"{LABEL}service", ""))
        action, moment = str(event["Action"]), int(event["timeNano"]) / 1e9
        number = str(attributes.get(f"{LABEL}container-number"))
        name = log_name(self.found, str(attributes.get("name", "")), service, number)
        if str(attributes.get(f"{LABEL}oneoff")) == "True":
            return
        if not self.watched(service):
            if action == "start" and container_id in self.beside:
                self.beside.discard(container_id)
                self.follow(container_id, name, self.begun)
        elif action == "create":
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
        self.resting.discard(container_id)
        death = self.deaths.get(container_id)
        if death is not None:
            death.restarting = True  # once this is told, the container is followed again
            return
        self.alive.add(container_id)
        if not self._is_followed(container_id) and (not self.shown or service in self.shown):
            self.follow(container_id, name, self.last.get(container_id, self.begun))

    def _is_followed(self, container_id: str) -> bool:
        return any(one == container_id for _, one, _ in self.followers.values())

    def tell_deaths(self) -> None:
        """Tell of the containers that have ended, each after its output; whether one is restarted at once is waited for."""
        for container_id, death in list(self.deaths.items()):
            passed = time.monotonic() - death.moment
            if passed < OUTPUT_SECONDS and self._is_followed(container_id):
                continue
            again, restarting = self._state(container_id), death.restarting
            if death.killed and not (restarting or again or self.hurried()) and passed < RESTART_SECONDS:
                continue
            del self.deaths[container_id]
            self.last[container_id] = death.since
            self._tell_death(container_id, death, restarting or again)
            if restarting and (not self.shown or death.service in self.shown):
                self.follow(container_id, death.name, death.since)

    def _tell_death(self, container_id: str, death: Death, restarting: bool) -> None:
        self.printer.status(death.name, f"exited with code {death.code}{' (restarting)' if restarting else ''}")
        if not restarting:
            self.alive.discard(container_id)
        elif not death.restarting:
            self.resting.add(container_id)
        self.has_ended(death)

    def _state(self, container_id: str) -> bool:
        """Return whether a container that ended is going to run again, or does."""
        try:
            state = self.found.engine.container_inspect(container_id)["State"]
        except NotFound:
            return False
        assert isinstance(state, dict)
        return state["Status"] in ("restarting", "running")

    # --- the loop -----------------------------------------------------------------------------------------------------------------
    def show(self, descriptor: int) -> None:
        """Show what has come of a container's output."""
        child, _, name = self.followers[descriptor]
        frames = child.read()
        if frames is None:
            child.forget()
            del self.followers[descriptor]
        for kind, data in frames or ():
            self.printer.output(name, kind, data)

    def take(self, descriptor: int) -> Child | None:
        """Take what a process tells; returns it where that was its end."""
        child, take = self.children[descriptor]
        frames = child.read()
        for kind, data in frames or ():
            if kind == MESSAGE:
                take(message_of(data))
            else:
                self.printer.write(kind, data)
        if frames is not None:
            return None
        child.forget()
        del self.children[descriptor]
        return child

    def end(self) -> None:
        """End all processes."""
        for child in (*(one[0] for one in self.followers.values()), *(one[0] for one in self.children.values())):
            child.end()


def pieces(attachment: Attachment) -> Iterator[tuple[int, bytes]]:
    """Yield what a container writes, as its log would be read."""
    while (chunks := attachment.read()) is not None:
        yield from chunks


class FollowedLogs(Following):
    """`logs --follow`: until the last container has ended and gone, or the user ends it."""

    def run(self, rows: list[ObservedContainer]) -> int:
        """Show the logs of containers, and of those that come; returns the exit code."""
        self.alive = {row.container_id for row in rows}
        self.follow_events()
        for row in rows:
            self.follow(row.container_id, self.name(row), self.options.since)
        while self.alive or self.deaths or self.followers:
            poller = select.poll()
            for descriptor in (self.signals, *self.followers, *self.children):
                poller.register(descriptor, select.POLLIN)
            for descriptor, _ in poller.poll(50 if self.deaths else None):
                if descriptor == self.signals:
                    write_all(2, b"\n")  # docker compose's error without words
                    return 130
                if descriptor in self.followers:
                    self.show(descriptor)
                elif descriptor in self.children:
                    self.take(descriptor)
            self.tell_deaths()
        return 0


def follow_logs(found: Session, rows: list[ObservedContainer], shown: set[str], options: LogOptions) -> int:
    """Show the logs of containers and go on with what they, and those of the services shown that come, write. Returns the exit code."""
    from hyperbox.cli.compose_printer import Printer

    reader, writer = os.pipe2(os.O_NONBLOCK)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _heeded)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    sys.stdout.flush()
    printer = Printer(prefix=options.prefix, color=options.color, signals=reader)
    logs = FollowedLogs(found, printer, reader, options)
    logs.shown = shown
    try:
        return logs.run(rows)
    finally:
        logs.end()


def _heeded(number: int, frame: object) -> None:
    """Do nothing: the loop reads of it."""
    del number, frame
