"""What changes images, with the events that docker tells of it; the work is done in `hyperbox.image`."""

from __future__ import annotations

from hyperbox.engine import life_events
from hyperbox.errors import HyperBoxError, InvalidParameter, NotFound

NO_PAGE = "page not found"  # what docker's HTTP router says of a name of nothing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from hyperbox.engine.api import Filters, Json, OnEvent
    from hyperbox.engine.state import Roots
    from hyperbox.image.removal import Usage
    from hyperbox.image.store import ImageStore


def _labels(store: ImageStore, image_id: str) -> object:
    try:
        config = store.record(image_id)["Config"]
    except HyperBoxError:
        return None
    return config.get("Labels") if isinstance(config, dict) else None


def _tell(roots: Roots, store: ImageStore, action: str, image_id: str, name: str = "") -> None:
    life_events.images(roots, [(action, image_id, name or image_id)], _labels(store, image_id))


def _teller(roots: Roots, store: ImageStore) -> Callable[[str, str], None]:
    """Return what tells of an image's name or itself going away."""
    return lambda action, image_id: _tell(roots, store, action, image_id)


def _without_tag(reference: str) -> str:
    last = reference.rpartition("/")[2]
    return reference.partition("@")[0] if "@" in last else reference.rpartition(":")[0] if ":" in last else reference


def image_pull(
    roots: Roots, store: ImageStore, reference: str, *, platform: str, auth: Json | None, on_event: OnEvent | None
) -> str:
    """See `engine.api.Engine.image_pull`."""
    from hyperbox.image import pull
    from hyperbox.image.reference import parse_reference

    image_id = pull.image_pull(store, reference, platform=platform, auth=auth, on_event=on_event)
    name = str(parse_reference(reference).with_tag())
    life_events.images(roots, [("pull", name, _without_tag(name))], _labels(store, image_id))
    return image_id


def image_push(roots: Roots, store: ImageStore, reference: str, *, auth: Json | None, on_event: OnEvent | None) -> None:
    """See `engine.api.Engine.image_push`."""
    from hyperbox.image import push
    from hyperbox.image.reference import parse_reference

    push.image_push(store, reference, auth=auth, on_event=on_event)
    name = str(parse_reference(reference).with_tag())
    life_events.images(roots, [("push", name, _without_tag(name))], _labels(store, store.resolve(reference)))


def image_tag(roots: Roots, store: ImageStore, reference: str, repository: str, tag: str) -> None:
    """See `engine.api.Engine.image_tag`."""
    from hyperbox.image import removal
    from hyperbox.image.reference import parse_reference

    removal.image_tag(store, reference, repository, tag)
    name = str(parse_reference(f"{repository}:{tag}" if tag else repository).with_tag())
    _tell(roots, store, "tag", store.resolve(name), name)


def usage(roots: Roots) -> Usage:
    """Return which containers hold images, and how to learn whether they run."""
    from hyperbox.engine.state import image_users, read_container
    from hyperbox.image.removal import Usage

    def is_running(container_id: str) -> bool:
        try:
            return read_container(roots, container_id).running
        except (HyperBoxError, OSError):  # removed meanwhile
            return False

    return Usage(image_users(roots), is_running)


def image_remove(roots: Roots, store: ImageStore, reference: str, *, force: bool, prune: bool) -> list[Json]:
    """See `engine.api.Engine.image_remove`."""
    from hyperbox.image import removal

    if not reference:
        raise NotFound(NO_PAGE)
    if not reference.strip():
        raise InvalidParameter("image name cannot be blank")
    return removal.image_remove(
        store, reference, force=force, prune=prune, usage=usage(roots), tell=_teller(roots, store)
    )


def image_built(roots: Roots, store: ImageStore, image_id: str, names: Sequence[str]) -> None:
    """Tell of an image that a build has made, or made again, and of the names that it was given."""
    told = [*(("tag", image_id, name) for name in names), ("create", image_id, image_id)]
    life_events.images(roots, told, _labels(store, image_id))


def image_load(
    roots: Roots, store: ImageStore, source: BinaryIO, *, platform: str, on_event: OnEvent | None
) -> list[str]:
    """See `engine.api.Engine.image_load`."""
    from hyperbox.image import archive

    loaded = archive.image_load(store, source, platform=platform, on_event=on_event)
    names = (line.partition(": ")[2] for line in loaded)
    for image_id in dict.fromkeys(store.resolve(name) for name in names if name):
        _tell(roots, store, "load", image_id)
    return loaded


def image_save(roots: Roots, store: ImageStore, references: Sequence[str], *, platform: str) -> Iterator[bytes]:
    """See `engine.api.Engine.image_save`."""
    from hyperbox.image import saving

    yield from saving.image_save(store, references, platform=platform)
    for image_id in saving.named_images(store, references):
        _tell(roots, store, "save", image_id)


def image_import(
    roots: Roots,
    store: ImageStore,
    source: BinaryIO,
    *,
    repository: str,
    tag: str,
    message: str,
    changes: Sequence[str],
    platform: str,
) -> str:
    """See `engine.api.Engine.image_import`."""
    from hyperbox.image import archive
    from hyperbox.image.reference import parse_reference

    image_id = archive.image_import(
        store, source, repository=repository, tag=tag, message=message, changes=changes, platform=platform
    )
    if repository:
        name = str(parse_reference(f"{repository}:{tag}" if tag else repository).with_tag())
        _tell(roots, store, "tag", image_id, name)
    _tell(roots, store, "import", image_id)
    return image_id


def image_prune(roots: Roots, store: ImageStore, filters: Filters | None) -> Json:
    """See `engine.api.Engine.image_prune`."""
    from hyperbox.image import removal

    pruned = removal.image_prune(store, filters, usage=usage(roots), tell=_teller(roots, store))
    life_events.pruned(roots, "image", pruned["SpaceReclaimed"])
    return pruned
