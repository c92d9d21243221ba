"""A monitor that wakes: an interpreter takes over from the shell as which it slept; see `monitor_sleep`."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from hyperbox import bundle, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from hyperbox.engine.monitor_sleep import Left
    from hyperbox.engine.state import Container, Roots

# in a container's runtime folder: held by who does a monitor's work
LOCK = "ending.lock"


def wake(memory: int) -> Callable[[], None]:
    """Return what goes on as the monitor that left its state in the memory file behind the descriptor, to the end of the process.

    Nothing has changed where an error is raised: it may be tried again.
    """
    import gc

    gc.set_threshold(20_000, 20, 20)
    bundle.install_beside(os.path.dirname(os.path.dirname(__file__)))
    bundle.preload("monitor-wake")
    from hyperbox import process
    from hyperbox.engine import ahead, monitor, removal  # noqa: F401
    from hyperbox.engine.state import Roots, read_container
    from hyperbox.errors import NotFound

    name_process()
    left = read_left(memory)
    data, run, cgroup, test_step = left["Roots"]
    roots = Roots(data, run, cgroup, test_step)
    let_ender_go(roots.container_run(left["Monitor"]["Container"]))
    try:
        container = read_container(roots, left["Monitor"]["Container"])
    except NotFound:  # removed meanwhile, by force; or set aside in our place, by a command that was killed then
        return lambda: finish(roots, left["Monitor"]["Container"])
    patience = next_patience(left)
    for descriptor in process.open_descriptors():
        os.set_inheritable(descriptor, False)
    return lambda: ahead.be_child(container, lambda: go_on(roots, container, left, patience))


def let_ender_go(folder: str) -> None:
    """Wait until nobody ends the container in our place, see `monitor_end`; nobody begins to once this process is no shell any more."""
    try:
        with files.Lock(f"{folder}/{LOCK}"):
            return
    except FileNotFoundError:  # the folder has gone
        return


def finish(roots: Roots, container_id: str) -> NoReturn:
    """Remove the rest of a container that was set aside in our place, if there is any, and end. Others leave it to its monitor."""
    from hyperbox.engine import recovery

    container = recovery.read_set_aside(roots, container_id)
    if container is not None:
        from hyperbox.engine import removal
        from hyperbox.engine.monitor_setup import unmount_root

        unmount_root(roots, container)
        removal.remove_rest(roots, container)
    os._exit(0)


def next_patience(left: Left) -> float:
    """Return for how long this monitor is to be idle before it sleeps again."""
    import select
    import time

    from hyperbox.engine import monitor_sleep

    slept = time.monotonic() - left["Since"]
    if not select.epoll.fromfd(os.dup(left["Gate"])).poll(0) and slept < left["Until"]:
        return monitor_sleep.UNTIL  # woken by nothing: this shell does not wait
    return monitor_sleep.next_patience(left["Patience"], slept, left["Until"])


def go_on(roots: Roots, container: Container, left: Left, patience: float) -> None:
    """Be the monitor, from the moment in which nobody else can be to its end."""
    import _socket

    from hyperbox.engine import monitor, monitor_sleep, removal

    kept = left["Monitor"]
    for descriptor in left["Own"]:
        os.close(descriptor)
    for number in monitor_sleep.ignored_signals():
        if number not in left["Ignored"]:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGCHLD})
    roots.reached("awake")
    listener = _socket.socket(fileno=kept["Listener"])
    woken = monitor.Monitor(roots, container, listener, kept["Streams"]["Log"])
    if not container.running:  # who ended it in our place was killed before all was given back
        woken.leave(removed=removal.goes_by_itself(container))
        return
    woken.resume(kept, lost=not is_child(kept["Pid"]))
    woken.serve(patience)


def is_child(pid: int) -> bool:
    """Return whether a process is our child, be it one that has ended and was not waited for."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # against what is written there, this shell has waited for it
        return False
    return True


def read_left(memory: int) -> Left:
    """Return what `monitor_sleep.fall_asleep` wrote. Raises OSError, ValueError."""
    text = os.pread(memory, os.fstat(memory).st_size, 0)
    left: Left = files.loads(text.decode("utf-8", "surrogateescape"))  # type: ignore[assignment]
    return left


def name_process() -> None:
    """Be called what every monitor is."""
    with open("/proc/self/comm", "w") as file:
        file.write("hyperbox-monitor")
