"""A monitor for which nothing happens, as small as a process can be: a shell that waits, in the place of the interpreter.

A Python process keeps 3 to 5 MB, and most monitors wait for days. So one that has been idle for a while writes what it remembers into a
memory file and becomes (execve(2): the same process, with its children, namespaces, folder and descriptors) busybox's shell, which waits on an
epoll(7) descriptor for whatever the monitor waited for: output, a connection, a question for a name, the container's end (a pidfd). Then the
shell becomes an interpreter again, which goes on where the other one left off (`monitor_wake`): 15 to 20 ms of CPU. There is no moment in which
nobody has the descriptors, so nothing that arrives meanwhile is lost; whoever kills the process kills the monitor, as ever.

The shell must not wait(2), or the container's exit code would be lost: it starts no process, and SIGCHLD is blocked, without which it does not
look for children that have ended. What it is to become it looks for first, and waits five seconds where that is not there, as while HyperBox is
installed anew.

A command that ends the container does what there is to do then in the monitor's place, and the shell only waits for it: see `monitor_end`.

Who is woken soon waits longer before the next sleep, so that what happens every few seconds costs no interpreter each time; one that is to probe
its container's health sleeps only where that is some time off.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys
import time

from hyperbox import files, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    from hyperbox.engine.monitor import Kept
    from hyperbox.engine.monitor_loop import Loop
    from hyperbox.engine.state import Roots

    class Left(TypedDict):
        """What a sleeping monitor has left in its memory file, for this version and later ones: nothing may be taken from it or change its meaning.

        `Own` are the descriptors of its sleep itself, `Gate` the one that wakes it, as time does after `Until` seconds; `Ignored` the signals that
        are ignored: the shell ignores some of its own accord.
        """

        Roots: list[str]
        Monitor: Kept
        Patience: float
        Since: float
        Until: int
        Gate: int
        Own: list[int]
        Ignored: list[int]


# seconds: idle before the first sleep, and at most; a sleep that was no longer than SHORT doubles it. None is begun that would be shorter than LEAST
FIRST = 1.0
LONGEST = 600.0
SHORT = 60.0
LEAST = 20
# the longest wait that every busybox knows, in seconds
UNTIL = 1_000_000
WAIT = (
    "echo hyperbox-monitor >/proc/self/comm; until=$1 gate=$2 never=$3; shift 3; "
    'while :; do read -r -t "$until" -u "$gate" line; turn=0; '
    'while [ -e ending ] && [ $turn -lt 100 ]; do turn=$((turn+1)); read -r -t 0.1 -u "$never" line; done; '
    '[ -x "$1" ] && exec "$@"; read -r -t 5 -u "$never" line; done'
)
# what can't be read yet, or is not whole, will be: the monitor must not go
BEGIN = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    from hyperbox.engine.monitor_wake import wake
    go_on = wake(int(sys.argv[2]))
except Exception:
    import os, time
    time.sleep(5)
    os.execv(sys.orig_argv[0], sys.orig_argv)
go_on()
"""


class Drowsiness:
    """Calls `sleep` with the present patience once nothing was ready for so many seconds; it returns where there can be no sleep now."""

    __slots__ = ("_loop", "_patience", "_sleep")

    def __init__(self, loop: Loop, patience: float, sleep: Callable[[float], None]) -> None:
        self._loop = loop
        self._patience = patience
        self._sleep = sleep

    def begin(self) -> None:
        """Look when it may be time."""
        idle = time.monotonic() - self._loop.touched
        self._loop.after(max(self._patience - idle, 0.1), self._look)

    def _look(self) -> None:
        if time.monotonic() - self._loop.touched >= self._patience:
            self._sleep(self._patience)
            self._patience = min(2 * self._patience, LONGEST)
        self.begin()


def next_patience(patience: float, slept: float, until: int) -> float:
    """Return how long a monitor is idle before its next sleep, after one of `slept` seconds that was to last `until` at most. Pure."""
    if slept >= until:
        return max(patience / 2, FIRST)
    return min(2 * patience, LONGEST) if slept <= SHORT else FIRST


def fall_asleep(roots: Roots, loop: Loop, kept: Kept, watched: set[int], patience: float) -> None:
    """Become the shell, to be woken by any of `watched` and by the container's end; returns where that is not possible."""
    shell = process.find_program("busybox")
    until = UNTIL if kept["Prober"] is None else min(int(kept["Prober"]["Due"] - time.monotonic()), UNTIL)
    if shell is None or not sys.executable or until < LEAST or process.threads() > 1:
        return
    inherited = process.open_descriptors() - loop.own_descriptors()
    made: list[int] = []
    try:
        made.append(os.pidfd_open(kept["Pid"]))
        gate = new_gate({*watched, made[0]})
        made.append(gate)
        made += os.pipe()
        never = made[-2]
        memory = os.memfd_create("monitor")
        made.append(memory)
        left: Left = {
            "Roots": [roots.data, roots.run, roots.cgroup, roots.test_step],
            "Monitor": kept,
            "Patience": patience,
            "Since": time.monotonic(),
            "Until": until,
            "Gate": gate,
            "Own": made,
            "Ignored": ignored_signals(),
        }
        os.write(memory, files.dumps(left).encode("utf-8", "surrogateescape"))
        roots.reached("asleep")
        _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGCHLD})
        awake = [sys.executable, "-I", "-S", "-c", BEGIN, package_folder(), str(memory)]
        asleep = [shell, "sh", "-c", WAIT, "hyperbox-monitor", str(until), str(gate), str(never)]
        process.replace([*asleep, *awake], inherited | set(made))
    except OSError:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGCHLD})
        for descriptor in made:
            os.close(descriptor)


def ignored_signals() -> list[int]:
    """Return the signals that this process ignores, which a program that it becomes does too. See signal(7)."""
    return [number for number in range(1, _signal.NSIG) if _signal.getsignal(number) == _signal.SIG_IGN]


def new_gate(watched: set[int]) -> int:
    """Return a new descriptor that is ready when one of `watched` is. Raises OSError. See epoll(7)."""
    import select

    poller = select.epoll()
    try:
        for descriptor in watched:
            poller.register(descriptor, select.EPOLLIN)
        return os.dup(poller.fileno())
    finally:
        poller.close()


def package_folder() -> str:
    """Return the folder in which the package `hyperbox` is."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
