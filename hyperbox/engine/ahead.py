"""A monitor that is forked before there is something to monitor, so that two processors share the work of a start.

As soon as a command knows that it will start a process, `send_ahead` forks. The child becomes a daemon, loads the modules of a monitor and
makes what every container begins with (`monitor_setup.Ground`), while the command reads its flags, finds the image and records the
container or exec. `Ahead.call` then tells the child which one it is. All that the child made until then dies with it, and a command that ends
without a call, or is killed, leaves it at the end of its channel: it goes too.
"""

from __future__ import annotations

import os

from hyperbox import bundle, files, process
from hyperbox.engine import control
from hyperbox.errors import EngineError, HyperBoxError, disk_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]

CONTAINER, EXEC = "container", "exec"


class Ahead:
    """The command's side: `channel` leads to the monitor's control connection, `data` to the streams of the process that it will start."""

    __slots__ = ("channel", "data")

    def __init__(self, channel: control.Channel, data: _socket.socket) -> None:
        self.channel = channel
        self.data = data

    def call(self, message: Json, descriptor: int = -1) -> tuple[control.Channel, _socket.socket]:
        """Tell the monitor what it is for, and return both connections. `descriptor` is the container's lock."""
        self.channel.send(message, descriptor)
        return self.channel, self.data


def send_ahead(roots: Roots, kind: str) -> Ahead | None:
    """Fork a monitor for a container (CONTAINER) or an exec (EXEC) to come; None where this process should not be forked."""
    if process.is_heavy():
        return None
    ours, theirs = control.pair()
    data, their_data = control.pair()
    if process.fork_apart() == 0:
        try:
            wait_for_call(roots, kind, control.Channel(theirs), their_data)
        finally:
            os._exit(0)
    theirs.close()
    their_data.close()
    return Ahead(control.Channel(ours), data)


def wait_for_call(roots: Roots, kind: str, starter: control.Channel, data: _socket.socket) -> None:
    """Be the monitor, from just after the fork to its end."""
    bundle.preload("monitor" if kind == CONTAINER else "exec-monitor")
    become_daemon({starter.fileno(), data.fileno()})
    ground = None
    if kind == CONTAINER:
        from hyperbox.engine import monitor_setup, monitor_start

        try:
            ground = monitor_setup.Ground(roots)
        except OSError:  # the container's own start will meet it again, and tell
            pass
        monitor_setup.load_modules()
    else:
        from hyperbox.engine import exec_monitor, spec, spec_host  # noqa: F401
    received = starter.receive()
    if received is None:
        return
    message, lock = received
    streams = data if message["attached"] else None
    if streams is None:
        data.close()
    from hyperbox.engine.state import read_container

    container = read_container(roots, str(message["container"]))
    if kind == CONTAINER:
        stdin = bool(message["stdin"])
        be_child(
            container,
            lambda: monitor_start.be_monitor(roots, container, starter, lock, streams, stdin=stdin, ground=ground),
        )
    else:
        be_child(container, lambda: exec_monitor.be_monitor(roots, container, str(message["exec"]), starter, streams))


def be_child(container: Container, action: Callable[[], None]) -> None:
    """Do `action` in a process of its own and leave; it never returns, whatever happens."""
    try:
        action()
    except BaseException as error:
        leave_trace(container, error)
    finally:
        os._exit(0)


def leave_trace(container: Container, error: BaseException) -> None:
    """Write down what a monitor died of, beside the container's log."""
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        files.write_atomic(f"{container.folder()}/monitor.error", text)
    except OSError:
        return


def become_daemon(keep: set[int]) -> None:
    """Leave the session and the descriptors of the command that forked us, but for `keep`."""
    from hyperbox.kernel import syscalls

    process.leave_session(keep)
    syscalls.become_subreaper()
    syscalls.set_process_name("hyperbox-monitor")


def described(error: Exception) -> Json:
    """Return an error as the message that tells another process of it; `launch.error_of` is the way back."""
    if not isinstance(error, HyperBoxError):
        reason = disk_error(error).message if isinstance(error, OSError) else str(error)
        return {"error": reason, "status": 500, "code": 1, "hint": ""}
    status = error.status if isinstance(error, EngineError) else 500
    return {"error": error.message, "status": status, "code": error.exit_code, "hint": error.hint}
