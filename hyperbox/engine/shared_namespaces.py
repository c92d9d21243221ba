"""Another container's namespaces, for --pid container:… and --ipc container:…: their paths, and its /dev/shm."""

from __future__ import annotations

import os

from hyperbox.errors import EngineError
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container


def joined(container: Container) -> dict[str, str]:
    """Return type ("pid", "ipc") -> path of each namespace that HostConfig asks to join. Raises EngineError, NotFound."""
    return {
        kind: f"/proc/{other.pid}/ns/{kind}"
        for kind, key in (("pid", "PidMode"), ("ipc", "IpcMode"))
        if (other := _other(container, key, kind.upper())) is not None
    }


def _other(container: Container, key: str, word: str) -> Container | None:
    from hyperbox.engine.state import find_container

    mode = str(container.host_config.get(key) or "")
    if not mode.startswith("container:"):
        return None
    other = find_container(container.roots, mode[10:])
    if not other.running or not other.pid:
        raise EngineError(f"failed to join {word} namespace: container {other.id} is not running")
    own = str(other.host_config.get("IpcMode") or "private")
    if word == "IPC" and own in ("private", "none"):
        raise EngineError(
            f"failed to join IPC namespace: container {other.id}: non-shareable IPC "
            "(hint: use IpcMode:shareable for the donor container)"
        )
    return other


def mount_shared_memory(container: Container, target: str) -> str:
    """Mount the /dev/shm of the container whose IPC namespace is joined at the folder `target`, which is made; returns it, or "".

    Call it in the monitor's mount namespace. A forked child takes the mount in the other's mount namespace and puts it down in ours, since
    mount(2) binds nothing of another namespace. Raises EngineError, NotFound.
    """
    other = _other(container, "IpcMode", "IPC")
    if other is None:
        return ""
    os.makedirs(target, 0o700, exist_ok=True)
    theirs = os.open(f"/proc/{other.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    ours = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            syscalls.setns(theirs, syscalls.CLONE_NEWNS)
            tree = syscalls.open_tree("/dev/shm")
            syscalls.setns(ours, syscalls.CLONE_NEWNS)
            syscalls.move_mount(tree, target)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 1)
    _, status = os.waitpid(child, 0)
    os.close(theirs)
    os.close(ours)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise EngineError(f"failed to join IPC namespace: /dev/shm of container {other.id}: {os.strerror(code)}")
    return target
