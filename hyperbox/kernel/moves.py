"""Moves into v1 cgroups that wait for nothing.

The first write to any `cgroup.procs` after a pause waits for an RCU grace period, 5 to 20 ms, and holds up all other changes of groups
meanwhile; until the next one has passed, and while one write follows another, none waits again (rcu_sync in cgroup_threadgroup_rwsem,
kernel/cgroup/cgroup.c). An expedited grace period takes 0.05 ms, and all are expedited while /sys/kernel/rcu_expedited is 1 (the kernel's
Documentation/RCU): here it is, for one write. On v2 there is nothing to do: a runtime clones into the group, which waits for nothing.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/sys/fs/cgroup"
EXPEDITED = "/sys/kernel/rcu_expedited"
RECORD = "expedited"  # the usual name of a `record`


def open_moves(record: str, reached: Callable[[str], None] = lambda step: None) -> None:
    """Have the wait over with before an OCI runtime moves a process: this process is written into the group in which it is already.

    `record` is a file that holds something while the kernel's setting is changed; one process at a time does that. `reached` hears of the
    step. Does nothing where the setting can't be written (a /sys that is read-only) or is 1 already; where rcu_normal is set, which goes
    before it, the write waits.
    """
    try:
        setting = os.open(EXPEDITED, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        group = os.open(own_group_file(), os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.pread(setting, 8, 0) == b"0\n":
                _move_expedited(setting, group, record, reached)
            else:
                mend(record)
        finally:
            os.close(group)
    except OSError:
        return
    finally:
        os.close(setting)


def _move_expedited(setting: int, group: int, record: str, reached: Callable[[str], None]) -> None:
    lock = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.lockf(lock, os.F_TLOCK, 0)  # raises where another process has it: its grace period is ours, too
        os.write(lock, b"0")
        os.write(setting, b"1")
        try:
            reached("expedited")
            os.write(group, b"0")
        finally:
            os.write(setting, b"0")
        os.ftruncate(lock, 0)
    finally:
        os.close(lock)


def mend(record: str) -> None:
    """Put the kernel's setting back where a process was killed before it did so itself, as its `record` says."""
    try:
        if not os.stat(record).st_size:
            return
        lock = os.open(record, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.lockf(lock, os.F_TLOCK, 0)
        if os.fstat(lock).st_size:
            setting = os.open(EXPEDITED, os.O_WRONLY | os.O_CLOEXEC)
            os.write(setting, b"0")
            os.close(setting)
            os.ftruncate(lock, 0)
    except OSError:  # somebody has it
        return
    finally:
        os.close(lock)


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
