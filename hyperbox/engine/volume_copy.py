"""Copies what an image has at a volume's place into the volume, when that is empty: contents, owners, modes, times, links, attributes.

The source is the container's root before its process runs, opened inside the root so that no link in an image leads out of it.
"""

from __future__ import annotations

import os
import stat

from hyperbox import files
from hyperbox.engine import rootfs
from hyperbox.image.deep import Descent, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.image.deep import Entry


def copy_up(volume: str, root: str, target: str) -> None:
    """Fill the volume in the folder `volume` from `target` in `root`, once: under the volume's own lock, begun anew after a crash."""
    marker = f"{volume}/copying"
    data = f"{volume}/_data"
    if not os.path.exists(marker) and _has_entries(data):
        return
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = rootfs.open_in_root(descriptor, target, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # the image has nothing there, or a file
    finally:
        os.close(descriptor)
    try:
        with files.Lock(f"{volume}/lock"):
            if not os.path.exists(marker) and _has_entries(data):
                return
            os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            copy_folder(f"/proc/self/fd/{source}", data, {})
            os.unlink(marker)
    finally:
        os.close(source)


def _has_entries(path: str) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False


def copy_folder(source: str, target: str, links: dict[tuple[int, int], str]) -> None:
    """Copy a folder's entries, however deep, and its own metadata; `links` holds the files with several names that were copied already.

    What is there already from an earlier try is replaced.
    """
    place = Descent(target)
    try:
        for entry in Tree(source, both=True):
            if entry.left:
                place.up()
                copy_metadata(entry.path, f"/proc/self/fd/{place.descriptor}/{entry.last}", entry.status)
            elif entry.is_folder():
                there = f"/proc/self/fd/{place.descriptor}/{entry.last}"
                if not os.path.isdir(there) or os.path.islink(there):
                    os.mkdir(there, 0o700)
                place.down(entry.last)
            else:
                copy_entry(entry, target, place.descriptor, links)
    finally:
        place.close()
    copy_metadata(source, target, os.stat(source))


def copy_entry(entry: Entry, top: str, folder: int, links: dict[tuple[int, int], str]) -> None:
    """Copy one file, link or device into a folder below `top`."""
    source, found = entry.path, entry.status
    target = f"/proc/self/fd/{folder}/{entry.last}"
    kind = stat.S_IFMT(found.st_mode)
    if os.path.lexists(target):
        os.unlink(target)
    earlier = links.get((found.st_dev, found.st_ino))
    if earlier is not None:
        above, _, name = earlier.rpartition("/")
        place = Descent(top, kept=0)
        try:
            for part in above.split("/") if above else ():
                place.down(part)
            os.link(name, target, src_dir_fd=place.descriptor, follow_symlinks=False)
        finally:
            place.close()
        return
    if found.st_nlink > 1:
        links[found.st_dev, found.st_ino] = entry.name
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(source), target)
    elif kind == stat.S_IFREG:
        files.copy_content(source, target)
    else:
        os.mknod(target, found.st_mode, found.st_rdev)
    copy_metadata(source, target, found)


def copy_metadata(source: str, target: str, found: os.stat_result) -> None:
    """Give `target` the owner, mode, extended attributes and times that `source` has."""
    link = stat.S_ISLNK(found.st_mode)
    os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    if not link:
        os.chmod(target, stat.S_IMODE(found.st_mode))
        for name in os.listxattr(source):
            if name.startswith(("user.", "security.capability", "system.posix_acl")):
                os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
