"""How much disk a container takes. Cold: it walks folders."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots


def folder_size(path: str) -> int:
    """Return the bytes of all files and symbolic links below a folder, a file with several names once; 0 where there is no folder."""
    from hyperbox.image.deep import Tree

    total = 0
    seen: set[tuple[int, int]] = set()
    try:
        for entry in Tree(path):
            status = entry.status
            if entry.is_folder():
                continue
            if status.st_nlink > 1:
                key = (status.st_dev, status.st_ino)
                if key in seen:
                    continue
                seen.add(key)
            total += status.st_size
    except OSError:
        return total
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
