"""`up` in the foreground: the services' output, and their end when the user or a container ends it."""

from __future__ import annotations

import os
import signal
import sys
import time

from hyperbox.cli.compose_logs import LogOptions, fork_follower, prefixes, short_name
from hyperbox.cli.compose_progress import use_color
from hyperbox.cli.compose_project import Session, strings, timeout_of
from hyperbox.cli.compose_up import carry_out
from hyperbox.errors import ComposeError, NotFound
from hyperbox.plan.observe import ObservedContainer
from hyperbox.plan.reconcile import reconcile_states, selected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Interrupted(Exception):
    """The user asked for the end."""


class Foreground:
    """The attached part of one `up`: follower processes by container, and the code that `up` will return."""

    def __init__(self, found: Session) -> None:
        self.found = found
        flags = found.invocation.flags
        self.exit_code_from = str(flags.get("exit-code-from") or "")
        self.stop_on_exit = bool(flags.get("abort-on-container-exit") or self.exit_code_from)
        self.stop_on_failure = bool(flags.get("abort-on-container-failure"))
        self.followers: dict[int, ObservedContainer] = {}
        self.code = 0

    def attached(self) -> list[ObservedContainer]:
        """Return the containers whose output is shown. Raises ComposeError for an unknown service."""
        found, flags = self.found, self.found.invocation.flags
        chosen = strings(flags.get("attach"))
        without = set(strings(flags.get("no-attach")))
        for name in (*chosen, *without):
            if name not in found.desired.services:
                raise ComposeError(f"no such service: {name}")
        names = set(chosen) or set(found.invocation.arguments) or set(found.desired.services)
        if flags.get("attach-dependencies"):
            names |= set(selected(found.desired, found.invocation.arguments))
        silent = {name for name, wish in found.desired.services.items() if wish.definition.get("attach") is False}
        return [
            row
            for row in found.containers()
            if row.service in names - without and (row.service not in silent or row.service in chosen)
        ]

    def follow(self, since: float) -> None:
        """Begin to copy the output of the containers."""
        flags = self.found.invocation.flags
        options = LogOptions(
            follow=True,
            since=since,
            timestamps=bool(flags.get("timestamps")),
            prefix=not flags.get("no-log-prefix"),
            color=not flags.get("no-color") and use_color(self.found.invocation, sys.stdout),
        )
        rows = self.attached()
        names = ", ".join(short_name(self.found, row) for row in rows)
        print(f"Attaching to {names}", flush=True)
        shown = prefixes(self.found, rows, options)
        for row in rows:
            self.followers[fork_follower(self.found, row, shown[row.container_id], options)] = row

    def watch(self) -> None:
        """Return when all followed containers have ended, or one whose end ends all."""
        while self.followers:
            pid, _ = os.waitpid(-1, 0)
            row = self.followers.pop(pid, None)
            if row is None:
                continue
            code = self._exit_code(row)
            if code is None:
                continue
            print(f"{short_name(self.found, row)} exited with code {code}", flush=True)
            failed = self.stop_on_failure and code != 0
            if (self.stop_on_exit or failed) and (
                not self.exit_code_from or row.service == self.exit_code_from or not self.code
            ):
                if not self.exit_code_from or row.service == self.exit_code_from:
                    self.code = code
                print("Aborting on container exit...", flush=True)
                return

    def _exit_code(self, row: ObservedContainer) -> int | None:
        """Return a container's exit code once it has ended for good, or None where it was removed or starts again."""
        try:
            state = self.found.engine.container_inspect(row.container_id)["State"]
        except NotFound:
            return None
        assert isinstance(state, dict)
        if state["Status"] in ("restarting", "running"):
            options = LogOptions(follow=True, since=time.time())
            self.followers[
                fork_follower(self.found, row, prefixes(self.found, [row], options)[row.container_id], options)
            ] = row
            return None
        return int(state["ExitCode"])

    def end(self) -> None:
        """Stop following."""
        for pid in self.followers:
            try:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue
        self.followers.clear()


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise Interrupted


def foreground(found: Session, *, start: Callable[[], None]) -> int:
    """Start the project, show its output, and stop it at the end; Ctrl-C stops, a second one kills. Returns the exit code."""
    shown = Foreground(found)
    if shown.exit_code_from and shown.exit_code_from not in found.desired.services:
        raise ComposeError(f"no such service: {shown.exit_code_from}")
    since = time.time()
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    interrupted = False
    try:
        start()
        shown.follow(since - 0.001)
        shown.watch()
    except Interrupted:
        interrupted = True
    signal.signal(signal.SIGINT, _interrupt)
    try:
        if interrupted:
            print("Gracefully stopping... (press Ctrl+C again to force)", flush=True)
        if interrupted or shown.stop_on_exit or shown.stop_on_failure:
            carry_out(found, reconcile_states(found.desired, found.observe(), (), "stop", timeout_of(found.invocation)))
    except Interrupted:
        for row in found.containers(all=False):
            found.engine.container_kill(row.container_id)
    finally:
        shown.end()
    return 130 if interrupted else shown.code
