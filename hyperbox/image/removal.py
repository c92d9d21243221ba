"""Names given to and taken from images, images removed and pruned. What a container uses is never removed from the disk."""

from __future__ import annotations

import os

from hyperbox.errors import Conflict, InvalidParameter, NotFound, check_filters
from hyperbox.image.listing import image_list, names_by_image
from hyperbox.image.reference import HEX, Reference, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Filters = dict[str, list[str]]
    Users = dict[str, list[str]]


def image_tag(store: ImageStore, reference: str, repository: str, tag: str) -> None:
    """Give an image one more name."""
    name = parse_reference(f"{repository}:{tag}" if tag else repository)
    if name.digest:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    store.set_name(name.with_tag(), store.resolve(reference))


def _is_id(store: ImageStore, text: str, image_id: str) -> bool:
    """Return whether `text` means the image by its id and not by a name."""
    plain = text.removeprefix("sha256:")
    if not HEX.issuperset(plain) or not image_id[7:].startswith(plain):
        return False
    if text.startswith("sha256:") or len(plain) == 64:
        return True
    name = parse_reference(text).with_tag()
    return all(full != name.canonical for full, _ in store.names())


class Usage:
    """Which containers hold images: `users` (image id -> container ids, see `engine.state.image_users`) and which of them run."""

    __slots__ = ("is_running", "users")

    def __init__(self, users: Users, is_running: Callable[[str], bool]) -> None:
        self.users = users
        self.is_running = is_running

    def of(self, image_id: str) -> tuple[list[str], list[str]]:
        """Return the ids of the running containers of an image, and of the others."""
        containers = self.users.get(image_id, [])
        running = [each for each in containers if self.is_running(each)]
        return running, [each for each in containers if each not in running]


def image_remove(store: ImageStore, text: str, *, force: bool = False, prune: bool = True, usage: Usage) -> list[Json]:
    """Take a name away, or an image with all of its names; an image without a name goes with the layers that only it has.

    What a running container uses stays, without a name; what only stopped ones use goes for everybody but them where `force` is given.
    Raises Conflict with docker's reasons. `prune` false keeps what has become unused.
    """
    image_id = store.resolve(text)
    tags, digests = names_by_image(store).get(image_id, ([], []))
    running, stopped = usage.of(image_id)
    if _is_id(store, text, image_id):
        _refuse_by_id(image_id, tags, running, stopped, force)
        doomed = [*tags, *digests]
    else:
        doomed = _named(text, image_id, tags, digests, [*running, *stopped], force)
    removed: list[Json] = []
    for name in dict.fromkeys(doomed):
        store.remove_name(parse_reference(name))
        removed.append({"Untagged": name})
    release_kept(store, usage.users)
    if not names_by_image(store).get(image_id) and not running:
        removed.extend(_delete(store, image_id, collect=prune, keep=bool(stopped)))
    return removed


def _refuse_by_id(image_id: str, tags: list[str], running: list[str], stopped: list[str], force: bool) -> None:
    """Raise Conflict where an image can't be removed by its id."""
    start, cause = f"conflict: unable to delete {image_id[7:19]}", "image is being used by"
    if running:
        raise Conflict(f"{start} (cannot be forced) - {cause} running container {running[0][:12]}")
    if len(tags) > 1 and not force:
        raise Conflict(f"{start} (must be forced) - image is referenced in multiple repositories")
    if stopped and not force:
        raise Conflict(f"{start} (must be forced) - {cause} stopped container {stopped[0][:12]}")


def _named(
    text: str, image_id: str, tags: list[str], digests: list[str], containers: list[str], force: bool
) -> list[str]:
    """Return the names that go with the name `text`. Raises Conflict where it is the last one of an image in use."""
    reference = parse_reference(text).with_tag()
    others = [name for name in tags if name != str(_plain(reference))]
    if not others and not reference.digest and containers and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{text}" (must force) - '
            f"container {containers[0][:12]} is using its referenced image {image_id[7:19]}"
        )
    doomed = [str(_plain(reference))]
    if not others:
        doomed.extend(digests if not reference.digest else list(tags))
    else:
        repository = reference.familiar
        if not any(name.rpartition(":")[0] == repository for name in others):
            doomed.extend(name for name in digests if name.partition("@")[0] == repository)
    return doomed


def _plain(reference: Reference) -> Reference:
    return Reference(reference.domain, reference.path, "", reference.digest) if reference.digest else reference


def _delete(store: ImageStore, image_id: str, *, collect: bool, keep: bool = False) -> list[Json]:
    """Remove an image, or keep what containers need of it (`keep`) until they are gone, too."""
    record = store.record(image_id)
    diff_ids = [str(diff_id) for diff_id in record["DiffIds"]]  # type: ignore[attr-defined]
    if keep:
        store.keep_record(image_id)
    else:
        os.unlink(store.record_path(image_id))
    removed: list[Json] = [{"Deleted": image_id}]
    if collect:
        store.collect_garbage()
        chain = chain_ids(diff_ids)
        for diff_id, chain_id in reversed(list(zip(diff_ids, chain, strict=True))):
            if not store.has_layer(diff_id):
                removed.append({"Deleted": chain_id})
    return removed


def release_kept(store: ImageStore, users: Users) -> bool:
    """Forget images that were removed for everybody but the containers that used them, once these are gone; returns whether any was."""
    released = False
    for image_id in store.kept_ids():
        if not users.get(image_id):
            store.forget_kept(image_id)
            released = True
    return released


def chain_ids(diff_ids: list[str]) -> list[str]:
    """Return the chain id of each layer (OCI image specification, "Layer ChainID")."""
    import hashlib

    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(
            diff_id if not chain else f"sha256:{hashlib.sha256(f'{chain[-1]} {diff_id}'.encode()).hexdigest()}"
        )
    return chain


def image_prune(store: ImageStore, filters: Filters | None = None, *, users: Users) -> Json:
    """Remove the images without a name (with the filter dangling=false: all that no container uses) and what only they need."""
    wanted = dict(filters or {})
    dangling = wanted.pop("dangling", ["true"])[0].lower() not in ("false", "0")
    check_filters(wanted, ("until", "label", "label!"))
    excluded = {
        str(row["Id"]) for text in wanted.pop("label!", []) for row in image_list(store, filters={"label": [text]})
    }
    deleted: list[Json] = []
    release_kept(store, users)
    for row in image_list(store, filters=wanted):
        image_id = str(row["Id"])
        named = bool(row["RepoTags"])  # one that only a digest names is dangling, as with docker
        if users.get(image_id) or image_id in excluded or (named and dangling):
            continue
        for name in [*row["RepoTags"], *row["RepoDigests"]]:  # type: ignore[misc]
            store.remove_name(parse_reference(str(name)))
            deleted.append({"Untagged": name})
        try:
            deleted.extend(_delete(store, image_id, collect=False))
        except NotFound:
            continue
    return {"ImagesDeleted": deleted or None, "SpaceReclaimed": store.collect_garbage()}
