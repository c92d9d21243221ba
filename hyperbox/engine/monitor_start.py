"""The first part of a monitor's life: from the call to the moment in which the OCI runtime works on its own.

What serves a container that runs is loaded only then, while the runtime is busy: see `monitor`.
"""

from __future__ import annotations

import os

from hyperbox import process
from hyperbox.engine import control, project_groups
from hyperbox.engine.ahead import become_daemon, described
from hyperbox.engine.monitor_setup import Prepared, set_up, take_down, unmount_root
from hyperbox.engine.state import Container, Roots, update_state
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from hyperbox.engine.monitor import Monitor
    from hyperbox.engine.monitor_setup import Ground

    Json = dict[str, object]


class Begun:
    """A container that its runtime is making, the socket on which its monitor listens, and what waits until the monitor has left the
    cgroup of the command (`project_groups.leave_caller`)."""

    __slots__ = ("listener", "outside", "prepared")

    def __init__(self, listener: _socket.socket, outside: Callable[[], object], prepared: Prepared) -> None:
        self.listener = listener
        self.outside = outside
        self.prepared = prepared


def run_monitor(
    roots: Roots, container: Container, starter: control.Channel, lock: int, data: _socket.socket | None, *, stdin: bool
) -> None:
    """Be the monitor of `container`, from just after the fork to the end; the caller then leaves with os._exit.

    `data` is the data socket of a command that is attached from the beginning.
    """
    keep = {starter.fileno(), lock, -1 if data is None else data.fileno()}
    become_daemon(keep - {-1})
    be_monitor(roots, container, starter, lock, data, stdin=stdin)


def be_monitor(
    roots: Roots,
    container: Container,
    starter: control.Channel,
    lock: int,
    data: _socket.socket | None,
    *,
    stdin: bool,
    ground: Ground | None = None,
) -> None:
    """Be the monitor of `container` in a process that is a daemon already; `ground` is what it has made so far."""
    try:
        begun = begin(roots, container, ground)
        monitor = new_monitor(roots, container, begun)
        if data is not None:
            monitor.add_client(data, stdin=stdin)
        monitor.start(starter, lock, begun)
        monitor.add_control(starter)
    except (HyperBoxError, OSError) as error:
        report_failure(roots, container, starter, error)
        return
    monitor.serve()


def new_monitor(roots: Roots, container: Container, begun: Begun) -> Monitor:
    """Return what serves the container. Raises EngineError where its log can't be begun; nothing but the container is left then."""
    from hyperbox.engine.monitor import Monitor

    try:
        return Monitor(roots, container, begun.listener)
    except BaseException:
        begun.prepared.starting.abandon()
        take_down(roots, container)
        raise


def begin(roots: Roots, container: Container, ground: Ground | None) -> Begun:
    """Set the container up and let its runtime start it. Raises HyperBoxError or OSError; nothing but the container is left then."""
    folder = roots.container_run(container.id)
    os.makedirs(folder, 0o700, exist_ok=True)
    os.chdir(folder)  # the console socket's path must be short: unix(7)
    me = os.getpid()
    update_state(container, {"Monitor": me, "MonitorStart": process.start_time(me), "RestartCount": 0, "Error": ""})
    roots.reached("monitor-recorded")
    try:
        listener = listen(folder)  # first: the socket says that something may be held, see `state.holds_something`
        outside = project_groups.leave_caller(roots)
        return Begun(listener, outside, set_up(roots, container, ground))
    except BaseException:
        take_down(roots, container)
        raise


def listen(folder: str) -> _socket.socket:
    """Serve the monitor's socket in the container's runtime folder."""
    try:
        os.unlink(f"{folder}/monitor.sock")
    except FileNotFoundError:
        pass
    return control.listen(folder, "monitor.sock")


def report_failure(roots: Roots, container: Container, starter: control.Channel, error: Exception) -> None:
    """The start failed: the state says why, the starter is told, and --rm removes the container."""
    from hyperbox.engine import removal

    message = described(error)
    removed = bool(container.host_config.get("AutoRemove")) and removal.set_aside(roots, container)
    if not removed:
        code = message["code"] if message["code"] in (126, 127) else 128
        ended: Json = {
            "Status": "created",
            "ExitCode": code,
            "Error": message["error"],
            "Monitor": 0,
            "MonitorStart": 0,
        }
        update_state(container, ended)
    starter.send(message)
    if removed:
        unmount_root(roots, container)
        removal.remove_rest(roots, container)
