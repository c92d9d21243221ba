"""Running a container's health checks on its monitor's loop; the rules are in `health`."""

from __future__ import annotations

import os
import time

from hyperbox import files, process
from hyperbox.engine import health
from hyperbox.engine.events import emit, emit_all, of_container
from hyperbox.engine.monitor_loop import READ, Loop, Timer
from hyperbox.engine.monitor_process import start_exec
from hyperbox.engine.state import Container, Roots, new_id, now, update_state
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    Json = dict[str, object]

    class KeptProber(TypedDict):
        """By the monotonic clock: when the container's process started, and when the next probe is due."""

        Started: float
        Due: float


NEVER = float("-inf")


class Prober:
    """Probes one container again and again, from `begin` to `stop`. `health` is the API's Health object as it stands."""

    __slots__ = (
        "_begun",
        "_check",
        "_child",
        "_container",
        "_early",
        "_early_failed",
        "_exec",
        "_exit_code",
        "_hurried",
        "_loop",
        "_next",
        "_output",
        "_pipes",
        "_roots",
        "_started",
        "_timeout",
        "_unofficial",
        "_went_on",
        "health",
    )

    def __init__(self, roots: Roots, container: Container, loop: Loop, check: health.HealthCheck) -> None:
        self._roots = roots
        self._container = container
        self._loop = loop
        self._check = check
        self._started = time.monotonic()
        self._next: Timer | None = None
        self._timeout: Timer | None = None
        self._begun = ""
        self._exec = ""
        self._child = 0
        self._pipes: list[int] = []
        self._output = b""
        self._exit_code: int | None = None
        # while somebody waits: probes beside the regular ones, of which only a success counts
        self._hurried = False
        self._early: Timer | None = None
        self._early_failed = 0
        self._unofficial = False
        self._went_on = NEVER  # when it was last unpaused
        self.health = health.starting(container.state.get("Health"))

    @staticmethod
    def for_container(roots: Roots, container: Container, loop: Loop) -> Prober | None:
        """Return a prober where the container has a health check."""
        check = health.health_check(container.config)
        return None if check is None else Prober(roots, container, loop, check)

    def begin(self) -> None:
        """Plan the first probe."""
        self._plan()

    def next_timer(self) -> Timer | None:
        """Return the timer of the next regular probe."""
        return self._next

    def kept(self) -> KeptProber | None:
        """Return what a process that takes over from this one needs to know beside the state; None while a probe runs or somebody waits."""
        if self._child or self._pipes or self._early is not None or self._hurried or self._next is None:
            return None
        return {"Started": self._started, "Due": self._next.when}

    def resume(self, kept: KeptProber) -> None:
        """Go on where another process left off, instead of `begin`."""
        self._started = kept["Started"]
        recorded = self._container.state.get("Health")
        if isinstance(recorded, dict):
            self.health = recorded
        self._next = self._loop.after(kept["Due"] - time.monotonic(), self._probe)

    def stop(self) -> None:
        """Probe no more: the container has ended."""
        if self._next is not None:
            self._next.cancel()
        if self._early is not None:
            self._early.cancel()
        self._end_probe()

    def hurry(self, wanted: bool) -> None:
        """Probe early and often while the container is starting, for somebody waits for it; or no more."""
        if wanted and not self._hurried and not self._child:
            self._early_failed = 0
            self._hurried = True
            self._plan_early()
        self._hurried = wanted

    def _plan_early(self) -> None:
        if self._early is not None:
            self._early.cancel()
            self._early = None
        if self._hurried and self.health["Status"] == "starting":
            self._early = self._loop.after(health.early_probe(self._check, self._early_failed), self._probe_early)

    def _probe_early(self) -> None:
        self._early = None
        if not self._child and self._hurried:
            self._start_probe(unofficial=True)

    def _age(self) -> float:
        return time.monotonic() - self._started

    def _plan(self) -> None:
        self._next = self._loop.after(health.next_probe(self.health, self._check, self._age()), self._probe)

    def _probe(self) -> None:
        """Do a regular probe; one beside them that is under way becomes it."""
        self._next = None
        if self._child:
            self._unofficial = False
        else:
            self._start_probe(unofficial=False)

    def _start_probe(self, *, unofficial: bool) -> None:
        """Start one probe; its output and its end come through the loop."""
        if self._is_paused():
            self._plan()
            return
        rest = health.rest_after_pause(self._check, time.monotonic() - self._went_on)
        if rest > 0 and self._went_on > self._started:
            if not unofficial:
                self._next = self._loop.after(rest, self._probe)
            return
        take_name(self._container)
        self._unofficial = unofficial
        self._begun, self._output, self._exit_code = now(), b"", None
        self._exec = new_id()
        command = " ".join(self._check.command)
        self._tell(f"exec_create: {command}", f"exec_start: {command}")
        try:
            self._child, stdio = start_exec(self._roots, self._container, self._described(), stdin=False)
        # OSError: the container has just ended, of which the loop is about to learn
        except (HyperBoxError, OSError) as error:
            self._record(-1, (error.message if isinstance(error, HyperBoxError) else str(error)).encode())
            return
        for descriptor in (stdio.stdout, stdio.stderr):
            os.set_blocking(descriptor, False)
            self._pipes.append(descriptor)
            self._loop.watch(descriptor, READ, lambda _events, source=descriptor: self._readable(source))  # type: ignore[misc]
        self._loop.on_exit(self._child, self._child_ended)
        self._timeout = self._loop.after(self._check.timeout, self._timed_out)

    def _tell(self, *actions: str, **attributes: str) -> None:
        """Record events of the present probe, which is an exec."""
        about = {"execID": self._exec, **attributes}
        emit_all(self._roots, [of_container(action, self._container, about) for action in actions])

    def _described(self) -> str:
        """Return the path of the OCI process of a probe; the same for all probes of one run."""
        path = f"{self._roots.container_run(self._container.id)}/probe.json"
        if not os.path.exists(path):
            from hyperbox.engine import spec, spec_host

            host = spec_host.exec_host(self._container, f"/proc/{self._container.pid}/root", "")
            files.write_json(path, spec.exec_process(self._container, {"Cmd": self._check.command}, host))
        return path

    def _readable(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        if not data:
            self._close_pipe(descriptor)
            self._complete()
        elif len(self._output) < health.KEPT_OUTPUT:
            self._output += data[: health.KEPT_OUTPUT]

    def _child_ended(self, status: int) -> None:
        self._child = 0
        self._exit_code = process.exit_code(status)
        # the output usually ends at once; something the probe left running must not hold the result back
        self._loop.after(0.05, self._complete_anyway)
        self._complete()

    def _complete_anyway(self) -> None:
        if self._exit_code is not None:
            self._close_pipes()
            self._complete()

    def _complete(self) -> None:
        if self._exit_code is None or self._pipes:
            return
        code, self._exit_code = self._exit_code, None
        self._tell("exec_die", exitCode=str(code))
        self._end_probe()
        self._record(code, self._output)

    def _timed_out(self) -> None:
        child = self._child
        self._end_probe()
        if child:
            from hyperbox.go.durations import format_duration

            limit = format_duration(round(self._check.timeout * 1e9))
            self._record(-1, f"Health check exceeded timeout ({limit})".encode())

    def _end_probe(self) -> None:
        """Kill what still runs of the present probe and forget it."""
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        self._close_pipes()
        self._exit_code = None
        if self._child:
            os.kill(self._child, 9)  # not reaped yet, so the pid is still its own
            self._tell("exec_die", exitCode="137")
            self._loop.on_exit(self._child, lambda _status: None)
            self._child = 0

    def _close_pipe(self, descriptor: int) -> None:
        self._loop.unwatch(descriptor)
        self._pipes.remove(descriptor)
        os.close(descriptor)

    def _close_pipes(self) -> None:
        for descriptor in list(self._pipes):
            self._close_pipe(descriptor)

    def _record(self, code: int, output: bytes) -> None:
        if self._unofficial and code != 0:
            self._early_failed += 1
            self._plan_early()
            return
        if self._next is not None:
            self._next.cancel()
        if self._is_paused():  # a probe that is frozen with its container says nothing
            self._plan()
            return
        before = self.health["Status"]
        result = health.probe_result(self._begun, now(), code, output)
        self.health = health.with_result(self.health, result, self._check, self._age())
        try:
            update_state(self._container, {"Health": self.health})
        except HyperBoxError:
            return
        if self.health["Status"] != before:
            emit(self._roots, f"health_status: {self.health['Status']}", self._container)
        self._plan()
        self._plan_early()

    def _is_paused(self) -> bool:
        """Return whether the container is paused now, and learn whether pausing has made it unhealthy meanwhile."""
        try:
            state = files.read_json(f"{self._container.folder()}/state.json")
        except (OSError, ValueError):
            return False
        assert isinstance(state, dict)
        recorded = state.get("Health")
        if isinstance(recorded, dict):
            self.health = {**self.health, "Status": recorded["Status"]}
        self._went_on = state.get("WentOn") or NEVER
        return state.get("Status") == "paused"


def take_name(container: Container) -> None:
    """Learn of a new name that `rename` has given the container."""
    try:
        record = files.read_json(f"{container.folder()}/container.json")
    except (OSError, ValueError):
        return
    if isinstance(record, dict):
        container.record["Name"] = record["Name"]
