"""`up` in the foreground: the services' output, and their end when the user or a container ends it."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import NoReturn

from hyperbox.cli.compose_logs import LogOptions, Prefixes, fork_follower, short_name, write_line
from hyperbox.cli.compose_progress import step_progress, use_color
from hyperbox.cli.compose_project import Session, timeout_of
from hyperbox.cli.compose_up import carry_out
from hyperbox.errors import ComposeError, EngineError, HyperBoxError, NotFound
from hyperbox.files import dumps, loads
from hyperbox.grammar.values import words_of
from hyperbox.image.timestamps import timestamp_seconds
from hyperbox.plan.observe import ObservedContainer
from hyperbox.plan.order import selected
from hyperbox.plan.states import reconcile_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.cli.watch_rules import Rule

STARTING = 2000  # milliseconds
RESTART_SECONDS = 0.5  # between the end of a container that is being restarted and its start
ABORTING = "\x1b[31m\x1b[1mAborting on container exit...\x1b[0m"
STOPPING = "Gracefully Stopping... press Ctrl+C again to force"


class Interrupted(Exception):
    """The user asked for the end."""


class Foreground:
    """The attached part of one `up`: a process that starts the containers, one that follows each of them, and `up`'s exit code."""

    def __init__(self, found: Session) -> None:
        self.found = found
        flags = found.invocation.flags
        self.exit_code_from = str(flags.get("exit-code-from") or "")
        self.stop_on_exit = bool(flags.get("abort-on-container-exit") or self.exit_code_from)
        self.stop_on_failure = bool(flags.get("abort-on-container-failure"))
        self.color = not flags.get("no-color") and use_color(found.invocation, sys.stdout)
        self.options = LogOptions(
            apart=True,
            follow=True,
            timestamps=bool(flags.get("timestamps")),
            prefix=not flags.get("no-log-prefix"),
            color=self.color,
        )
        self.rows = self.attached()
        self.prefixes = Prefixes(found, self.rows, self.options)
        self.followers: dict[int, ObservedContainer] = {}
        self.starter, self.outcome = 0, -1
        self.watcher = 0
        self.code = 0
        self.ending = False

    def attached(self) -> list[ObservedContainer]:
        """Return the containers whose output is shown."""
        found, flags = self.found, self.found.invocation.flags
        chosen = words_of(flags.get("attach"))
        names = set(chosen)
        if not chosen:
            wanted = found.invocation.arguments
            names = set(selected(found.desired, wanted, no_deps=not flags.get("attach-dependencies")))
            services = found.desired.services
            names = {name for name in names if services[name].definition.get("attach") is not False}
            names -= set(words_of(flags.get("no-attach")))
        # as with docker compose, nobody chosen means everybody
        return [row for row in found.containers() if not names or row.service in names]

    def begin(self, start: Callable[[], None]) -> None:
        """Start the project in a process of its own and begin to follow its containers, each as it starts."""
        print(f"Attaching to {', '.join(short_name(self.found, row) for row in self.rows)}", flush=True)
        since = time.time() - 0.001
        for row in self.rows:
            options = self.options._replace(since=since)
            self.followers[fork_follower(self.found, row, self.prefixes.of(row), options, wait=not row.running)] = row
        self.outcome, writer = os.pipe()
        self.starter = os.fork()
        if self.starter == 0:
            _start_in_child(start, writer)
        os.close(writer)

    def watch(self) -> None:
        """Return when all containers that are followed have ended, or one whose end ends all. Raises what starting them raised."""
        expected = set(selected(self.found.desired, self.found.invocation.arguments))
        while self.starter or any(row.service in expected for row in self.followers.values()):
            pid, _ = os.waitpid(-1, 0)
            if pid == self.starter:
                self.starter = 0
                _raise_outcome(self.outcome)
                self._drop_idle()  # nobody is going to start these
            row = self.followers.pop(pid, None)
            if row is not None and self._ended(row):
                return

    def _ended(self, row: ObservedContainer) -> bool:
        """Tell of a container's end; returns whether it ends everything."""
        if not self.ending and self._succeeded(row):
            return False
        try:
            state = self.found.engine.container_inspect(row.container_id)["State"]
        except NotFound:
            return False
        assert isinstance(state, dict)
        code, again = int(state["ExitCode"]), state["Status"] in ("restarting", "running")
        if code > 128 and not again and not self.ending and self._restarted(row, str(state["FinishedAt"])):
            self._tell(row, f"exited with code {code} (restarting)")
            options = self.options._replace(since=timestamp_seconds(str(state["FinishedAt"])))
            self.followers[fork_follower(self.found, row, self.prefixes.of(row), options, wait=True)] = row
            return False
        if not again or state["Status"] == "restarting":
            self._tell(row, f"exited with code {code}{' (restarting)' if again else ''}")
        if again:
            if not self.ending:
                options = self.options._replace(since=time.time())
                self.followers[fork_follower(self.found, row, self.prefixes.of(row), options)] = row
            return False
        if self.exit_code_from == row.service:
            self.code = code
        if self.ending or not (self.stop_on_exit or (self.stop_on_failure and code != 0)):
            return False
        if not self.exit_code_from:
            self.code = code
        if self.starter:  # the others are being started: they are let, so that an early end doesn't leave a random part of the project
            poller = select.poll()
            poller.register(self.outcome, select.POLLIN)
            poller.poll(STARTING)
        return True

    def _restarted(self, row: ObservedContainer, since: str) -> bool:
        """Return whether a container that a signal ended is started again at once: by `restart`, or as a changed file asks for."""
        filters = {"type": ["container"], "event": ["start"], "container": [row.container_id]}
        until = f"{time.time() + RESTART_SECONDS:.9f}"
        return any(True for _ in self.found.engine.events(since=since, until=until, filters=filters))

    def _succeeded(self, row: ObservedContainer) -> bool:
        """Follow the container that takes this one's place, where there is one; returns whether there is."""
        for other in self.found.containers([row.service]):
            if other.ordinal == row.ordinal and other.container_id != row.container_id:
                heir = row._replace(container_id=other.container_id)
                self.prefixes.inherit(row, heir)
                options = self.options._replace(since=time.time() - 1 if other.running else time.time())
                prefix = self.prefixes.of(heir)
                self.followers[fork_follower(self.found, heir, prefix, options, wait=not other.running)] = heir
                return True
        return False

    def watch_files(self, rules: list[Rule]) -> None:
        """Begin to do what `develop.watch` says, in a process of its own."""
        from hyperbox.cli.compose_watch import MARK, follow

        sys.stdout.flush()
        self.watcher = os.fork()
        if self.watcher == 0:
            try:
                os.setpgid(0, 0)  # the terminal's Ctrl-C is for the parent
                signal.signal(signal.SIGTERM, signal.default_int_handler)
                follow(self.found, rules, lambda text: write_line(f"{MARK}{text}\n".encode()))
            except KeyboardInterrupt:
                pass
            except HyperBoxError as error:
                os.write(2, f"{error.message}\n".encode())
            finally:
                os._exit(0)

    def _tell(self, row: ObservedContainer, said: str) -> None:
        # the line is cleared first, as docker compose does, whether it is a terminal's or not
        line = f"\r\x1b[K{short_name(self.found, row)} {said}\n"
        sys.stdout.write(self.prefixes.colored(row, line))
        sys.stdout.flush()

    def stop(self, *, forced: bool) -> None:
        """Stop the project, and tell how its containers end meanwhile; `forced` kills them."""
        self.ending = True
        self.kill_starter()
        found = self.found
        if forced:
            for row in found.containers(all=False):
                try:
                    found.engine.container_kill(row.container_id)
                except EngineError:
                    continue
        else:
            observed = found.observe()
            plan = reconcile_states(found.desired, observed, (), "stop", timeout_of(found.invocation))
            carry_out(found, plan, progress=step_progress(found.invocation, lines=True))
        deadline = time.monotonic() + 5
        while self.followers and time.monotonic() < deadline:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                if not any(row.running for row in self._now()):
                    self._drop_idle()
                time.sleep(0.01)
                continue
            ended = self.followers.pop(pid, None)
            if ended is not None:
                self._ended(ended)

    def _now(self) -> list[ObservedContainer]:
        ids = {row.container_id for row in self.followers.values()}
        return [row for row in self.found.containers() if row.container_id in ids]

    def _drop_idle(self) -> None:
        """End the followers of containers that were never started."""
        for row in self._now():
            for pid in [pid for pid, other in self.followers.items() if other.container_id == row.container_id]:
                if row.state == "created":
                    _end(pid)
                    del self.followers[pid]

    def kill_starter(self) -> None:
        """End the processes that start the containers and that watch files."""
        if self.watcher:
            _end(self.watcher)
            self.watcher = 0
        if self.starter:
            _end(self.starter)
            self.starter = 0

    def end(self) -> None:
        """Stop following."""
        self.kill_starter()
        for pid in self.followers:
            _end(pid)
        self.followers.clear()


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _start_in_child(start: Callable[[], None], writer: int) -> NoReturn:
    """Start the containers in a child process and tell the outcome; never returns."""
    outcome: dict[str, object] = {}
    try:
        start()
    except HyperBoxError as error:
        engine = isinstance(error, EngineError)
        outcome = {"error": error.message, "engine": engine, "code": error.exit_code, "hint": error.hint}
    except BaseException:
        outcome = {}
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(writer, dumps(outcome).encode("utf-8", "replace"))
        finally:
            os._exit(0)


def _raise_outcome(reader: int) -> None:
    answer = b""
    while chunk := os.read(reader, 65536):
        answer += chunk
    os.close(reader)
    outcome = loads(answer.decode()) if answer else {}
    assert isinstance(outcome, dict)
    if "error" in outcome:
        family = EngineError if outcome["engine"] else ComposeError
        raise family(str(outcome["error"]), hint=str(outcome["hint"]), exit_code=int(str(outcome["code"])))


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise Interrupted


def foreground(found: Session, *, start: Callable[[Foreground], None]) -> int:
    """Start the project, show its output, and stop it at the end; Ctrl-C stops, a second one kills. Returns the exit code."""
    rules = watch_rules(found) if found.invocation.flags.get("watch") else []
    shown = Foreground(found)
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        try:
            shown.begin(lambda: start(shown))
            if rules:
                shown.watch_files(rules)
            shown.watch()
            if shown.stop_on_exit or shown.stop_on_failure:
                print(ABORTING, file=sys.stderr, flush=True)
                shown.stop(forced=False)
            return shown.code
        except Interrupted:
            print(STOPPING, flush=True)
        try:
            shown.stop(forced=False)
        except Interrupted:
            shown.stop(forced=True)
        return 130
    finally:
        shown.end()


def watch_rules(found: Session) -> list[Rule]:
    """Return what `up --watch` is to do. Raises ComposeError where that is nothing."""
    from hyperbox.cli.watch_rules import load_rules

    names = selected(found.desired, found.invocation.arguments)
    return load_rules(found.desired, names, "see https://docs.docker.com/compose/how-tos/file-watch/")


def show_hook(shown: Foreground, container_id: str, data: bytes) -> None:
    """Write what a hook prints as lines of its container."""
    for row in shown.rows:
        if row.container_id == container_id:
            prefix = shown.prefixes.of_hook(row)
            for line in data.splitlines():
                write_line(prefix + line + b"\n")
