"""The end of a container whose monitor sleeps, for the command that brings it about: waking the monitor would cost an interpreter.

A monitor that sleeps (`monitor_sleep`) is a shell: it can neither log what the container printed last nor record its end. A command that
ends the container has all the modules for that, and can have the rest: the monitor's descriptors by pidfd_getfd(2), what it remembers from
its memory file, the exit code from proc(5). So it takes the monitor's place for that moment, 3 ms of CPU where a monitor that wakes takes 15:

* It holds the lock RUN/containers/ID/ending.lock, which a monitor that wakes takes too before it becomes one: never do both work. The
  lock goes with the command, so that whenever this is killed the monitor goes on with what was not recorded yet.
* It makes the link RUN/containers/ID/ending, which leads to its own program as long as it lives: the shell looks whether there is something,
  and waits for a while. If that were wrong, it would cost an interpreter, no more.
* The monitor is killed last. As long as it lives all others see an end that is under way.

A container that does not end within PATIENCE may have questions and output meanwhile, so its monitor is let wake then.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from hyperbox import files, process
from hyperbox.engine import monitor_wake, removal
from hyperbox.engine.containers import SIGKILL, is_asleep, wait_readable
from hyperbox.engine.events import emit
from hyperbox.engine.log_options import log_options
from hyperbox.engine.monitor_log import LogWriter
from hyperbox.engine.monitor_process import forget
from hyperbox.engine.monitor_setup import cgroup_path, take_down
from hyperbox.engine.state import Container, monitor_is_alive, now
from hyperbox.kernel import cgroups, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from hyperbox.engine.monitor_sleep import Left
    from hyperbox.engine.monitor_streams import KeptStreams

    Json = dict[str, object]

# seconds
PATIENCE = 0.25
LINK = "ending"
READ = 1 << 18


class Sleeper:
    """A monitor that sleeps, held asleep inside `with` by the one who ends its container; nothing is done about one that is awake."""

    __slots__ = ("_container", "_left", "_lock", "_monitor", "_process")

    def __init__(self, container: Container) -> None:
        self._container = container
        self._lock: files.Lock | None = None
        self._left: Left | None = None
        # descriptors of the two processes, see pidfd_open(2)
        self._monitor = self._process = -1

    def __enter__(self) -> Sleeper:
        if is_asleep(self._container):
            try:
                self._left = self._hold()
            except (OSError, ValueError):  # it wakes or ends, or is of another version
                self._left = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left is not None:
            forget(self._path(LINK))
        for descriptor in (self._monitor, self._process):
            if descriptor >= 0:
                os.close(descriptor)
        if self._lock is not None:
            self._lock.__exit__(None, None, None)

    def _path(self, name: str) -> str:
        return f"{self._container.roots.container_run(self._container.id)}/{name}"

    def _hold(self) -> Left | None:
        """Return what the monitor has left, once it can't wake; None where it has. Raises OSError, ValueError."""
        container = self._container
        monitor = container.state["Monitor"]
        assert isinstance(monitor, int)
        lock = self._lock = files.Lock(self._path(monitor_wake.LOCK), wait=False)
        lock.__enter__()
        self._monitor, self._process = os.pidfd_open(monitor), os.pidfd_open(container.pid)
        there = monitor_is_alive(container) and process.is_alive(container.pid, container.state["PidStart"])  # type: ignore[arg-type]
        if lock.descriptor < 0 or not there or not is_asleep(container):
            return None
        left = read_left(monitor)
        kept = left["Monitor"]
        if kept["Container"] != container.id or kept["Pid"] != container.pid:
            return None
        forget(self._path(LINK))  # of a command that was killed
        os.symlink(f"/proc/{os.getpid()}/exe", self._path(LINK))
        container.roots.reached("sleeper-held")
        return left

    def end(self, seconds: float) -> bool:
        """Wait for `seconds` at most until the container, which is not wanted any more, has ended, and do all that its monitor owes it then.

        Returns False where that is the monitor's own matter: it sleeps no more, or the container goes on.
        """
        if self._left is None or not wait_readable(self._process, seconds):
            return False
        container, kept = self._container, self._left["Monitor"]
        status = process.ended_status(container.pid)
        if status is None:
            return False
        container.roots.reached("reaped")
        try:
            self._log_rest(kept["Streams"])
        except OSError:
            return False
        removed = removal.record_end(container, changes_of_end(container, status), kept["Started"])
        take_down(container.roots, container)
        container.roots.reached("taken-down")
        if removed:
            removal.remove_rest(container.roots, container)
        _signal.pidfd_send_signal(self._monitor, SIGKILL)
        return True

    def _log_rest(self, streams: KeptStreams) -> None:
        """Log what the process has printed and nobody has read so far. Raises OSError before anything is read."""
        container, kept = self._container, streams["Log"]
        options = log_options(container)
        numbers = ((1, streams["Stdout"]), (2, streams["Stderr"]))
        taken = [(stream, syscalls.pidfd_getfd(self._monitor, number)) for stream, number in numbers if number >= 0]
        if kept["Descriptor"] >= 0:
            kept = {**kept, "Descriptor": syscalls.pidfd_getfd(self._monitor, kept["Descriptor"])}
        log = LogWriter(container.roots.log(container.id), options, kept)
        for stream, descriptor in taken:
            for data in what_is_left(descriptor):
                log.write(stream, data)
            os.close(descriptor)
        log.flush()
        log.close()


def what_is_left(descriptor: int) -> Iterator[bytes]:
    """Yield what a pipe or TTY holds whose writers are gone; what a writer elsewhere still prints is not waited for."""
    while True:
        try:
            data = os.read(descriptor, READ)
        except OSError:  # nothing is there now, or a TTY that nobody holds open any more
            return
        if not data:
            return
        yield data


def changes_of_end(container: Container, status: int) -> Json:
    """Return the state of a container that has ended with a wait(2) status, as far as it is another than before."""
    changes: Json = {"Pid": 0, "PidStart": 0, "ExitCode": process.exit_code(status), "FinishedAt": now()}
    changes["OOMKilled"] = cgroups.killed_for_memory(cgroup_path(container.roots, container))
    if changes["OOMKilled"]:
        emit(container.roots, "oom", container)
    health = container.state.get("Health")
    if isinstance(health, dict):
        changes["Health"] = {**health, "Status": "unhealthy"}  # as docker has it of what has ended
    return changes


def read_left(monitor: int) -> Left:
    """Return what a monitor that sleeps has left in its memory file, whose descriptor is its last word. Raises OSError, ValueError."""
    words = files.read_text(f"/proc/{monitor}/cmdline").split("\0")
    memory = os.open(f"/proc/{monitor}/fd/{int(words[-2])}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return monitor_wake.read_left(memory)
    finally:
        os.close(memory)
