"""Files that a command writes where the user said: what docker refuses, and never a device replaced by a file."""

from __future__ import annotations

import os
import stat

from hyperbox.errors import HyperBoxError

# what there may be instead of a file
OTHER = {
    stat.S_IFDIR: "directory",
    stat.S_IFCHR: "character device file",
    stat.S_IFBLK: "block device file",
    stat.S_IFIFO: "named pipe (FIFO)",
    stat.S_IFSOCK: "socket",
    stat.S_IFLNK: "symbolic link directly",
}


def check_target(target: str, lead: str) -> None:
    """Raise HyperBoxError, begun with `lead`, where a file can't take the place `target` in one step."""
    folder = os.path.dirname(target) or "."
    if not os.path.isdir(folder):
        reason = "not a directory" if os.path.exists(folder) else "no such file or directory"
        raise HyperBoxError(f"{lead}invalid output path: stat {folder}: {reason}")
    try:
        kind = stat.S_IFMT(os.lstat(target).st_mode)
    except FileNotFoundError:
        return
    if kind != stat.S_IFREG:
        raise HyperBoxError(f"{lead}cannot write to a {OTHER[kind]}")


def is_device(path: str) -> bool:
    """Return whether a path is a device, a pipe or a socket, to be written to and never to be replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def remove_old(path: str) -> None:
    """Remove what is at a path, a device excepted; nothing there is no error. Raises OSError."""
    if is_device(path):
        return
    try:
        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    except FileNotFoundError:
        pass
