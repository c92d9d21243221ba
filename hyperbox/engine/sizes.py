"""How much disk a container takes. Cold: it walks folders."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots


def folder_size(path: str) -> int:
    """Return the bytes of all files and symbolic links below a folder, a file with several names once; 0 where there is no folder."""
    total = 0
    seen: set[tuple[int, int]] = set()
    folders = [path]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                status = entry.stat(follow_symlinks=False)
                key = (status.st_dev, status.st_ino)
                if status.st_nlink == 1 or key not in seen:
                    seen.add(key)
                    total += status.st_size
    return total


def written_size(upper: str) -> int:
    """Return what a container has written, in bytes: all of its upper folder but the link that the engine makes, see `rootfs`."""
    total = folder_size(upper)
    try:
        return total - len(os.readlink(f"{upper}/etc/mtab"))
    except OSError:
        return total


def image_size(roots: Roots, container: Container) -> int:
    """Return the size of a container's image in bytes; 0 where the image is gone."""
    from hyperbox.errors import NotFound
    from hyperbox.image.store import ImageStore

    try:
        size = ImageStore(f"{roots.data}/images").record(str(container.record["ImageID"]))["Size"]
    except NotFound:
        return 0
    assert isinstance(size, int)
    return size
