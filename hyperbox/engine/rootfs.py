"""A container's root file system: the overlay over its image, and the folders that must be in it before it starts.

Paths inside a container are the container's own doing, so each is opened with openat2(2) inside the root: no link leads out of it.
"""

from __future__ import annotations

import os
import stat

from hyperbox.errors import EngineError, InvalidParameter
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MOUNT_DATA_LIMIT = 4000  # bytes: mount(2) copies one page


def mount_rootfs(lowerdirs: Sequence[str], upper: str, work: str, target: str, *, volatile: bool = False) -> None:
    """Mount the overlay of `lowerdirs` (top first) and `upper` at `target`; the folders are made where they are missing.

    `volatile` leaves out all syncing (for --rm: the upper folder goes with the container). Call it in a mount namespace of your own.
    Raises OSError.
    See the kernel's Documentation/filesystems/overlayfs.rst.
    """
    for path in (upper, work, target):
        if not os.path.isdir(path):
            os.makedirs(path, 0o755 if path == upper else 0o700)
    if not lowerdirs:
        syscalls.mount(upper, target, "", syscalls.MS_BIND)
        return
    # overlayfs refuses a folder that comes twice (images do repeat layers); all that the lower one shows, the upper one shows already
    lowerdirs = list(dict.fromkeys(lowerdirs))
    rest = f"upperdir={_escaped(upper)},workdir={_escaped(work)}" + (",volatile" if volatile else "")
    data = f"lowerdir={':'.join(map(_escaped, lowerdirs))},{rest}"
    if len(data) > MOUNT_DATA_LIMIT:
        _mount_relative(lowerdirs, rest, target)
        return
    _mount(target, data)


def mount_layers(lowerdirs: Sequence[str], target: str) -> None:
    """Mount layers (top first) at `target`, for reading alone. Raises OSError."""
    if len(lowerdirs) < 2:  # an overlay without an upper folder wants two
        source = lowerdirs[0] if lowerdirs else target
        syscalls.mount(source, target, "", syscalls.MS_BIND)
        syscalls.mount("", target, "", syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)
        return
    data = f"lowerdir={':'.join(map(_escaped, lowerdirs))}"
    if len(data) > MOUNT_DATA_LIMIT:
        raise EngineError(f"the image has too many layers to be mounted ({len(lowerdirs)})")
    syscalls.mount("overlay", target, "overlay", syscalls.MS_RDONLY, data)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _mount(target: str, data: str) -> None:
    try:
        syscalls.mount("overlay", target, "overlay", 0, data)
    except OSError as error:
        if "volatile" not in data or error.errno not in (22, 116):
            raise
        # volatile leaves a mark in the work folder after a crash, and such an overlay is refused until the mark is gone
        _forget_volatile(data)
        syscalls.mount("overlay", target, "overlay", 0, data.removesuffix(",volatile"))


def _forget_volatile(data: str) -> None:
    from hyperbox import files

    work = (
        data.partition("workdir=")[2]
        .removesuffix(",volatile")
        .replace("\\,", ",")
        .replace("\\:", ":")
        .replace("\\\\", "\\")
    )
    files.remove_tree(f"{work}/work/incompat")


def _mount_relative(lowerdirs: Sequence[str], rest: str, target: str) -> None:
    """Mount with paths relative to the folder that all layers share, for images of very many layers."""
    parent = os.path.commonpath(lowerdirs)
    before = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        os.chdir(parent)
        names = ":".join(_escaped(os.path.relpath(path, parent)) for path in lowerdirs)
        data = f"lowerdir={names},{rest}"
        if len(data) > MOUNT_DATA_LIMIT:
            raise EngineError(f"the image has too many layers for one overlay ({len(lowerdirs)})")
        _mount(target, data)
    finally:
        os.fchdir(before)
        os.close(before)


def open_in_root(root: int, path: str, flags: int) -> int:
    """Open `path` inside the root folder descriptor as a process whose "/" it is would; returns a descriptor. Raises OSError."""
    return syscalls.openat2(
        root, path.lstrip("/") or ".", flags, syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
    )


def make_folder(root: int, path: str, mode: int = 0o755) -> int:
    """Make a folder and its parents inside the root where they are missing; returns an O_PATH descriptor of it.

    Raises NotADirectoryError where a file is in the way.
    """
    current = open_in_root(root, ".", os.O_PATH | os.O_DIRECTORY)
    walked = ""
    for name in path.split("/"):
        if name in ("", "."):
            continue
        walked += "/" + name
        try:
            following = open_in_root(root, walked, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            if name == "..":
                raise
            os.mkdir(name, mode, dir_fd=current)
            following = open_in_root(root, walked, os.O_PATH | os.O_DIRECTORY)
        finally:
            os.close(current)
        current = following
    return current


def prepare_mount_points(rootfs: str) -> None:
    """Make what docker puts into each container's root: /.dockerenv, /etc/mtab, and the files that mounts hide, where they are missing.

    An image whose /etc is a file gets none of these. Raises OSError.
    """
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _make_file(root, ".dockerenv"):
            return  # an earlier start has made them
        etc = make_folder(root, "/etc")
        try:
            for name in ("hosts", "hostname", "resolv.conf"):
                _make_file(etc, name)
            os.symlink("/proc/mounts", "mtab", dir_fd=etc)
        finally:
            os.close(etc)
    except (FileExistsError, NotADirectoryError):
        return
    finally:
        os.close(root)


def prepare_hidden_points(rootfs: str) -> None:
    """Make what docker puts into each root and nobody in the container sees, for other things are mounted there. Raises OSError."""
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in ("/dev/pts", "/dev/shm", "/proc", "/sys"):
            os.close(make_folder(root, path))
        device = make_folder(root, "/dev")
        try:
            _make_file(device, "console")
        finally:
            os.close(device)
    except NotADirectoryError:
        return
    finally:
        os.close(root)


def _make_file(folder: int, name: str) -> bool:
    """Make an empty file; returns False where something has that name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.close(os.open(name, flags, 0o755, dir_fd=folder))
    except FileExistsError:
        return False
    return True


def check_working_dir(lowerdirs: Sequence[str], path: str) -> None:
    """Raise EngineError with docker's words where a file of the image's (layers, top first) is where a working directory is to be."""
    walked = ""
    for name in os.path.normpath(path).split("/"):
        if not name:
            continue
        walked += "/" + name
        for layer in lowerdirs:
            try:
                mode = os.lstat(layer + walked).st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISREG(mode) and _is_shown(lowerdirs, walked):
                raise EngineError(f"Cannot mkdir: {path} is not a directory")
            if not stat.S_ISDIR(mode):  # where a link leads is seen at the start
                return
            break
        else:
            return


def _is_shown(lowerdirs: Sequence[str], path: str) -> bool:
    """Return whether what a layer has at a path is not hidden by one above, whose folder was made anew."""
    from hyperbox.engine.differences import Below

    below = Below(lowerdirs)
    try:
        names = path.strip("/").split("/")
        for name in names[:-1]:
            below.down(name)
        return below.look(names[-1]) is not None
    finally:
        below.close()


def prepare_working_dir(rootfs: str, path: str) -> None:
    """Make sure that a container's working directory is there. Raises InvalidParameter or EngineError with docker's words."""
    if not path or path == "/":
        return
    if not path.startswith("/"):
        raise InvalidParameter(f"the working directory '{path}' is invalid, it needs to be an absolute path")
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(make_folder(root, path))
    except NotADirectoryError:
        raise EngineError(f"Cannot mkdir: {path} is not a directory") from None
    except OSError as error:
        raise EngineError(f"Cannot mkdir {path}: {error.strerror}") from None
    finally:
        os.close(root)
