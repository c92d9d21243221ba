"""Freezing a container's processes: `pause`, and `commit` while it reads what they write.

DATA/making/frozen.ID-PID-START     an empty file: the process PID has frozen the container ID for as long as it reads; where that
                                    process is dead, the next command thaws the container (`recovery.sweep`)
"""

from __future__ import annotations

import os
import time

from hyperbox import process
from hyperbox.errors import EngineError, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots

MARK = "frozen."


def container_of(entry: str) -> str:
    """Return the id of the container that an entry of making/ is about, "" where the entry tells of no freezing."""
    return entry.removeprefix(MARK).partition("-")[0] if entry.startswith(MARK) else ""


def freeze(roots: Roots, container: Container, *, frozen: bool) -> None:
    """Freeze or thaw all of a container's processes. Raises EngineError."""
    from hyperbox.engine.monitor_setup import cgroup_path
    from hyperbox.kernel import cgroups

    path = cgroup_path(roots, container)
    if cgroups.is_v2():
        control_file, value = f"{cgroups.ROOT}{path}/cgroup.freeze", "1" if frozen else "0"
    else:
        control_file, value = f"{cgroups.ROOT}/freezer{path}/freezer.state", "FROZEN" if frozen else "THAWED"
    try:
        cgroups.write(control_file, value)
        while cgroups.read(control_file) == "FREEZING":
            time.sleep(0.002)
    except OSError as error:
        raise EngineError(f"cannot {'pause' if frozen else 'unpause'} container {container.id}: {error}") from None


def freeze_while_reading(roots: Roots, container: Container) -> str:
    """Freeze a container and return what `thaw_after_reading` needs. Raises EngineError."""
    pid = os.getpid()
    entry = f"{MARK}{container.id}-{pid}-{process.start_time(pid)}"
    os.close(os.open(f"{roots.data}/making/{entry}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    roots.reached("freeze-recorded")
    try:
        freeze(roots, container, frozen=True)
    except EngineError:
        os.unlink(f"{roots.data}/making/{entry}")
        raise
    roots.reached("frozen")
    return entry


def thaw_after_reading(roots: Roots, entry: str) -> None:
    """Thaw the container of an entry, unless it is paused or not there any more, and forget the entry. Idempotent."""
    from hyperbox.engine.state import read_container

    try:
        container = read_container(roots, container_of(entry))
        if container.status == "running":
            freeze(roots, container, frozen=False)
    except HyperBoxError:  # gone, or ended meanwhile
        pass
    try:
        os.unlink(f"{roots.data}/making/{entry}")
    except FileNotFoundError:
        return
