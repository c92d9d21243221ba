"""Names given to and taken from images, images removed and pruned. What a container uses is never removed."""

from __future__ import annotations

import os

from hyperbox.errors import Conflict, InvalidParameter, NotFound, check_filters
from hyperbox.image.listing import image_list, names_by_image
from hyperbox.image.reference import HEX, Reference, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def image_remove(store: ImageStore, text: str, *, force: bool = False, prune: bool = True, users: Users) -> list[Json]:
    """Take a name away, or an image with all of its names; an image without a name goes with the layers that only it has.

    Raises Conflict with docker's reasons. `prune` false keeps what has become unused.
    """
    image_id = store.resolve(text)
    tags, digests = names_by_image(store).get(image_id, ([], []))
    by_id = _is_id(store, text, image_id)
    short = image_id[7:19]
    containers = users.get(image_id, [])
    removed: list[Json] = []
    if by_id:
        repositories = {name.partition("@")[0].rpartition(":")[0] or name for name in tags}
        if len(repositories) > 1 and not force:
            raise Conflict(
                f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
            )
        _refuse_used(containers, f"conflict: unable to delete {short} (must be forced) - image is being used by", force)
        doomed = [*tags, *digests]
    else:
        reference = parse_reference(text).with_tag()
        others = [name for name in tags if name != str(_plain(reference))]
        if not others and not reference.digest:
            _refuse_used(
                containers,
                f'conflict: unable to remove repository reference "{text}" (must force) -',
                force,
                f"its referenced image {short}",
            )
        doomed = [str(_plain(reference))]
        if not others:
            doomed.extend(digests if not reference.digest else list(tags))
        else:
            repository = reference.familiar
            if not any(name.rpartition(":")[0] == repository for name in others):
                doomed.extend(name for name in digests if name.partition("@")[0] == repository)
    for name in dict.fromkeys(doomed):
        store.remove_name(parse_reference(name))
        removed.append({"Untagged": name})
    if not names_by_image(store).get(image_id) and not containers:
        removed.extend(_delete(store, image_id, collect=prune))
    return removed


def _plain(reference: Reference) -> Reference:
    return Reference(reference.domain, reference.path, "", reference.digest) if reference.digest else reference


def _refuse_used(containers: list[str], start: str, force: bool, what: str = "") -> None:
    if containers and not force:
        holder = containers[0][:12]
        reason = f"container {holder} is using {what}" if what else f"stopped container {holder}"
        raise Conflict(f"{start} {reason}")


def _delete(store: ImageStore, image_id: str, *, collect: bool) -> list[Json]:
    record = store.record(image_id)
    diff_ids = [str(diff_id) for diff_id in record["DiffIds"]]  # type: ignore[attr-defined]
    os.unlink(store.record_path(image_id))
    removed: list[Json] = [{"Deleted": image_id}]
    if collect:
        store.collect_garbage()
        chain = chain_ids(diff_ids)
        for diff_id, chain_id in reversed(list(zip(diff_ids, chain, strict=True))):
            if not store.has_layer(diff_id):
                removed.append({"Deleted": chain_id})
    return removed


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
