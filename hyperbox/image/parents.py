"""Which image an image was made of, as docker keeps it: of committed and loaded images, not of built and pulled ones.

    DATA/images/parents/HEX   a symbolic link to the id of the parent of the image with the id HEX

A link that leads to an image, or is of one, that is not there (any more) means nothing; so a killed command leaves nothing wrong.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.image.store import ImageStore


def _path(store: ImageStore, image_id: str) -> str:
    return f"{store.path}/parents/{image_id.removeprefix('sha256:')}"


def parent_of(store: ImageStore, image_id: str) -> str:
    """Return the id of an image's parent, "" where it has none that is there."""
    try:
        parent = os.readlink(_path(store, image_id))
    except OSError:
        return ""
    return parent if os.path.exists(store.record_path(parent)) else ""


def set_parent(store: ImageStore, image_id: str, parent: str) -> None:
    """Say which image an image was made of; replaces what was said before, in one step."""
    os.makedirs(f"{store.path}/parents", 0o700, exist_ok=True)
    path = _path(store, image_id)
    temporary = f"{path}.{os.getpid()}"
    os.symlink(parent, temporary)
    os.rename(temporary, path)


def children(store: ImageStore, ids: Iterable[str]) -> dict[str, list[str]]:
    """Return parent -> children for the images `ids`."""
    try:
        known = set(os.listdir(f"{store.path}/parents"))
    except FileNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for image_id in ids:
        if image_id[7:] in known and (parent := parent_of(store, image_id)):
            found.setdefault(parent, []).append(image_id)
    return found


def forget(store: ImageStore, image_id: str, children_of_it: Iterable[str]) -> None:
    """Take an image that goes away out of the tree: its children have no parent any more."""
    for each in (image_id, *children_of_it):
        try:
            os.unlink(_path(store, each))
        except FileNotFoundError:
            pass


def descendants(store: ImageStore, image_id: str) -> set[str]:
    """Return the ids of an image and of all that were made of it."""
    below = children(store, store.image_ids())
    found, left = set[str](), [image_id]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += below.get(each, ())
    return found
