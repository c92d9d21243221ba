"""The system calls that Python's `os` lacks: mounts, namespaces, a few of prctl.

Each is a thin function named like the call; a failure is an OSError with the path it was about. Linux only: import it inside functions.
Hot paths use it, so it loads libc through `_ctypes` once and nothing else (the `ctypes` package costs some 3 ms).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

# the same on every architecture
SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_OPENAT2 = 437
SYS_PIDFD_GETFD = 438
SYS_MOUNT_SETATTR = 442
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
AT_EMPTY_PATH = 0x1000
OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_RDONLY = 1
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10


def _functions() -> dict[str, Callable[..., int]]:
    """Return libc's functions that this module calls, each returning a C int and keeping errno."""
    import _ctypes

    class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "i"

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = Int

    libc = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]
    names = (
        "mount",
        "umount2",
        "unshare",
        "setns",
        "prctl",
        "syscall",
        "pivot_root",
        "inotify_init1",
        "inotify_add_watch",
    )
    return {name: Function(_ctypes.dlsym(libc, name)) for name in names}


class Libc:
    """libc, loaded when it is first called. `call` raises OSError from errno, with the path it was about."""

    __slots__ = ("_errno", "_functions")

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., int]] | None = None
        self._errno: Callable[[], int] = int

    def call(self, name: str, *arguments: int | bytes | None, path: str = "") -> int:
        """Call `name` with ints, bytes (passed as pointers) or None (a null pointer) and return its result. Raises OSError with `path`."""
        if self._functions is None:
            import _ctypes

            self._functions = _functions()
            self._errno = _ctypes.get_errno
        result = self._functions[name](*arguments)
        if result == -1:
            code = self._errno()
            raise OSError(code, os.strerror(code), path or None)
        return result


_libc = Libc()


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount `source` at `target`; see mount(2). Raises OSError with the target."""
    _libc.call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode(),
        flags,
        os.fsencode(data) if data else None,
        path=target,
    )


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """Take a mount away, lazily by default; see umount2(2). Raises OSError with the target."""
    _libc.call("umount2", os.fsencode(target), flags, path=target)


def unshare(flags: int) -> None:
    """Give this thread namespaces of its own; see unshare(2)."""
    _libc.call("unshare", flags)


def setns(descriptor: int, kind: int = 0) -> None:
    """Move this thread into the namespace behind `descriptor`; see setns(2)."""
    _libc.call("setns", descriptor, kind)


def prctl(option: int, argument: int | bytes = 0) -> int:
    """See prctl(2)."""
    return _libc.call("prctl", option, argument, 0, 0, 0)


def become_subreaper() -> None:
    """Make orphans among this process's descendants its own children; see PR_SET_CHILD_SUBREAPER(2const)."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_process_name(name: str) -> None:
    """Set what ps shows as the command's name (15 bytes at most)."""
    prctl(PR_SET_NAME, name.encode()[:15])


def change_root(descriptor: int) -> None:
    """Take the folder behind a descriptor as root and as working directory; see chroot(2)."""
    os.fchdir(descriptor)
    os.chroot(".")


def pivot_root(new_root: str, put_old: str) -> None:
    """See pivot_root(2)."""
    _libc.call("pivot_root", os.fsencode(new_root), os.fsencode(put_old), path=new_root)


def private_mounts() -> None:
    """Give this process a mount namespace of its own from which nothing propagates back, whose root is the one that the process has.

    The root can be a folder somewhere in the namespace, by chroot(2): an OCI runtime can't pivot away from such a root, and setns(2) would
    leave it. It becomes the namespace's root then, and what lies outside of it is not there.
    """
    folder = os.getcwd()
    unshare(CLONE_NEWNS)
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    setns(namespace, CLONE_NEWNS)
    os.close(namespace)
    mount("", "/", "", MS_REC | MS_SLAVE)
    if not os.path.samestat(os.fstat(root), os.stat("/")):
        tree = open_tree("", recursive=True, folder=root)
        move_mount(tree, "/")
        os.fchdir(tree)
        os.close(tree)
        pivot_root(".", ".")
        umount(".")
    os.close(root)
    os.chdir(folder)


def inotify_init() -> int:
    """Return a new inotify descriptor, closed on exec; see inotify_init1(2)."""
    return _libc.call("inotify_init1", os.O_CLOEXEC)


def inotify_add_watch(descriptor: int, path: str, mask: int) -> int:
    """See inotify_add_watch(2)."""
    return _libc.call("inotify_add_watch", descriptor, os.fsencode(path), mask, path=path)


def openat2(folder: int, path: str, flags: int, resolve: int) -> int:
    """Open `path` below the folder descriptor with `resolve` rules (RESOLVE_IN_ROOT …); returns a descriptor. See openat2(2)."""
    how = b"".join(value.to_bytes(8, "little") for value in (flags | os.O_CLOEXEC, 0, resolve))
    return _libc.call("syscall", SYS_OPENAT2, folder, os.fsencode(path), how, len(how), path=path)


def pidfd_getfd(process: int, number: int) -> int:
    """Return a copy, closed on exec, of the descriptor `number` of the process behind the descriptor `process`; see pidfd_getfd(2)."""
    return _libc.call("syscall", SYS_PIDFD_GETFD, process, number, 0)


def open_tree(path: str, *, recursive: bool = False, folder: int = AT_FDCWD) -> int:
    """Return a descriptor of a copy of the mount at `path`, from the folder descriptor on (`recursive`: with those below), attached nowhere.

    An empty path means the folder itself. See open_tree(2).
    """
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    return _libc.call("syscall", SYS_OPEN_TREE, folder, os.fsencode(path), flags, path=path)


def move_mount(descriptor: int, target: str) -> None:
    """Attach the mount behind a descriptor of `open_tree` at `target`; see move_mount(2)."""
    _libc.call(
        "syscall", SYS_MOVE_MOUNT, descriptor, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH, path=target
    )


def make_read_only(descriptor: int) -> None:
    """Make the mount behind a descriptor of `open_tree` read-only; see mount_setattr(2), since Linux 5.12."""
    attributes = b"".join(value.to_bytes(8, "little") for value in (MOUNT_ATTR_RDONLY, 0, 0, 0))
    _libc.call("syscall", SYS_MOUNT_SETATTR, descriptor, b"", AT_EMPTY_PATH, attributes, len(attributes))


def new_netns() -> int:
    """Make a network namespace and return a descriptor that keeps it; this thread is in its own again afterwards."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)


def in_netns(descriptor: int, action: Callable[[], object]) -> object:
    """Run `action` in the network namespace behind `descriptor` and return what it does; only this thread goes there, and comes back."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(descriptor, CLONE_NEWNET)
        return action()
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
