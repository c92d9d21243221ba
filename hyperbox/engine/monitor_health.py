"""Running a container's health checks on its monitor's loop; the rules are in `health`."""

from __future__ import annotations

import os
import time

from hyperbox import process
from hyperbox.engine import health
from hyperbox.engine.events import emit
from hyperbox.engine.monitor_loop import READ, Loop, Timer
from hyperbox.engine.state import Container, Roots, now, update_state
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]


class Prober:
    """Probes one container again and again, from `begin` to `stop`. `health` is the API's Health object as it stands."""

    __slots__ = (
        "_begun",
        "_check",
        "_child",
        "_container",
        "_exit_code",
        "_loop",
        "_next",
        "_output",
        "_pipe",
        "_roots",
        "_started",
        "_timeout",
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
        self._child = 0
        self._pipe = -1
        self._output = b""
        self._exit_code: int | None = None
        self.health = health.starting()

    @staticmethod
    def for_container(roots: Roots, container: Container, loop: Loop) -> Prober | None:
        """Return a prober where the container has a health check."""
        check = health.health_check(container.config)
        return None if check is None else Prober(roots, container, loop, check)

    def begin(self) -> None:
        """Plan the first probe."""
        self._plan()

    def stop(self) -> None:
        """Probe no more: the container has ended."""
        if self._next is not None:
            self._next.cancel()
        self._end_probe()

    def _age(self) -> float:
        return time.monotonic() - self._started

    def _plan(self) -> None:
        self._next = self._loop.after(health.next_probe(self.health, self._check, self._age()), self._probe)

    def _probe(self) -> None:
        """Start one probe; its output and its end come through the loop."""
        from hyperbox.engine.exec import probe_command

        self._begun, self._output, self._exit_code = now(), b"", None
        reading, writing = os.pipe()
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        try:
            argv = probe_command(self._roots, self._container, self._check.command)
            self._child = process.spawn(argv, stdin=null, stdout=writing, stderr=writing)
        except (OSError, HyperBoxError) as error:
            os.close(reading)
            self._record(-1, str(error).encode())
            return
        finally:
            os.close(null)
            os.close(writing)
        self._pipe = reading
        os.set_blocking(reading, False)
        self._loop.watch(reading, READ, lambda _events: self._readable())
        self._loop.on_exit(self._child, self._child_ended)
        self._timeout = self._loop.after(self._check.timeout, self._timed_out)

    def _readable(self) -> None:
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return
        if not data:
            self._close_pipe()
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
            self._close_pipe()
            self._complete()

    def _complete(self) -> None:
        if self._exit_code is None or self._pipe >= 0:
            return
        code, self._exit_code = self._exit_code, None
        self._end_probe()
        self._record(code, self._output)

    def _timed_out(self) -> None:
        child = self._child
        self._end_probe()
        if child:
            self._record(-1, f"Health check exceeded timeout ({duration(self._check.timeout)})".encode())

    def _end_probe(self) -> None:
        """Kill what still runs of the present probe and forget it."""
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        self._close_pipe()
        self._exit_code = None
        if self._child:
            from hyperbox.engine.exec import kill_probe

            kill_probe(self._roots, self._container, self._child)
            self._loop.on_exit(self._child, lambda _status: None)
            self._child = 0

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            self._loop.unwatch(self._pipe)
            os.close(self._pipe)
            self._pipe = -1

    def _record(self, code: int, output: bytes) -> None:
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


def duration(seconds: float) -> str:
    """Return a duration as Go writes it ("3s", "1m0s", "500ms")."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
