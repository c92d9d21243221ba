"""Moves into v1 cgroups that wait for nothing: what the kernel does before one is begun long before there is one.

The first write to any `cgroup.procs` after a pause waits for an RCU grace period, 10 ms and more, and holds up all other changes of groups
meanwhile; while one write follows another none waits again (rcu_sync in cgroup_threadgroup_rwsem, kernel/cgroup/cgroup.c). On v2 there is
nothing to do: a runtime clones into the group, which waits for nothing.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _thread

ROOT = "/sys/fs/cgroup"
MOVES = 4  # writes: each lasts a grace period on an idle machine, and what it did lasts another one
INTERVAL = 0.006  # seconds
PATIENCE = 0.0005  # seconds


def hasten_moves() -> None:
    """Begin the wait now, so that it is over when the OCI runtime moves a process: a thread writes this process into the group in which
    it is already. To be called as soon as a command knows that it will start something; does nothing where that can't be done.

    Once only: a process can't end before all its threads have returned from the kernel.
    """
    try:
        file = own_group_file()
    except OSError:
        return
    import _thread

    runs = _thread.allocate_lock()
    runs.acquire()
    _thread.start_new_thread(_write, (file, 1, runs))
    # else this thread would keep the interpreter for the 5 ms that are its turn; where the processors are full they are not worth a wait
    runs.acquire(timeout=PATIENCE)


def keep_moves_fast() -> None:
    """Do the same again and again for a while, in a process whose end nobody waits for."""
    try:
        file = own_group_file()
    except OSError:
        return
    import _thread

    _thread.start_new_thread(_write, (file, MOVES, _thread.allocate_lock()))


def _write(file: str, times: int, runs: _thread.LockType) -> None:
    import time

    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    finally:
        if runs.locked():
            runs.release()
    try:
        for _ in range(times):
            os.write(descriptor, b"0")
            time.sleep(INTERVAL)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def own_group_file() -> str:
    """Return the path of the file of processes of a v1 group in which this process is. Raises OSError where none is found."""
    descriptor = os.open("/proc/self/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    try:
        lines = os.read(descriptor, 65536).decode().split("\n")
    finally:
        os.close(descriptor)
    for line in lines:
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        file = f"{ROOT}/{controllers.removeprefix('name=')}{path.rstrip('/')}/cgroup.procs"
        if controllers and "/.." not in path and os.path.exists(file):
            return file
    raise FileNotFoundError(2, os.strerror(2), "/proc/self/cgroup")
