"""Names given to and taken from images, images removed and pruned. What a container uses is never removed from the disk."""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.errors import Conflict, InvalidParameter, NotFound, check_filters
from hyperbox.image.listing import image_list
from hyperbox.image.parents import children, forget, parent_of
from hyperbox.image.reference import HEX, Reference, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Filters = dict[str, list[str]]
    Users = dict[str, list[str]]
    Tell = Callable[[str, str], None]


def image_tag(store: ImageStore, reference: str, repository: str, tag: str) -> None:
    """Give an image one more name. Raises NotFound, InvalidParameter."""
    name = parse_reference(f"{repository}:{tag}" if tag else repository)
    if name.digest:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    store.set_name(name.as_name(), store.resolve(reference))


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


class Removal:
    """Images on their way out, in docker's order: `told` is what the API answers, `tell(action, image id)` is called as each thing happens.

    `finish` once at the end frees the disk.
    """

    __slots__ = ("deleted", "references", "store", "tell", "told", "usage")

    def __init__(self, store: ImageStore, usage: Usage, tell: Tell) -> None:
        self.store, self.usage, self.tell = store, usage, tell
        self.told: list[Json] = []
        self.deleted: dict[str, list[str]] = {}
        self.references: dict[str, list[Reference]] = {}
        for name, image_id in sorted(store.names()):
            self.references.setdefault(image_id, []).append(parse_reference(name))

    def remove(self, text: str, *, force: bool = False, prune: bool = True) -> None:
        """Take a name away, and with its last name, or by its id, the image. Raises NotFound, Conflict with docker's reasons."""
        image_id = self.store.resolve(text)
        references = self.references.setdefault(image_id, [])
        named = not _is_id(self.store, text, image_id)
        if named:
            self._refuse_last_name(text, image_id, force)
            self._untag_named(image_id, parse_reference(text).with_tag())
            if references:
                return
        elif len({each.familiar for each in references}) <= 1 and sum(not each.digest for each in references) <= 1:
            reason = self._conflict(image_id, references=False, stopped=not force)
            if reason:
                raise Conflict(reason.message)
            self._untag(image_id, list(references))
        self._delete(image_id, force=force, prune=prune, quiet=named)

    def _refuse_last_name(self, text: str, image_id: str, force: bool) -> None:
        """Raise Conflict where a name is the only one of an image that a container uses."""
        references = self.references[image_id]
        single = len({each.familiar for each in references}) <= 1 and sum(not each.digest for each in references) <= 1
        containers = self.usage.users.get(image_id)
        if containers and single and not force:
            raise Conflict(
                f'conflict: unable to remove repository reference "{text}" (must force) - '
                f"container {containers[0][:12]} is using its referenced image {image_id[7:19]}"
            )

    def _untag_named(self, image_id: str, name: Reference) -> None:
        """Take away a name, and its repository's digests with the last tag that the image has of it."""
        references = self.references[image_id]
        self._untag(image_id, [_plain(name)])
        same = [each for each in references if each.familiar == name.familiar]
        if not name.digest and all(each.digest for each in same):
            self._untag(image_id, same, silent=True)

    def _untag(self, image_id: str, names: list[Reference], *, silent: bool = False) -> None:
        references = self.references[image_id]
        for name in names:
            self.store.remove_name(name)
            self.references[image_id][:] = [each for each in references if str(each) != str(name)]
            self.told.append({"Untagged": str(name)})
            if not silent:
                self.tell("untag", image_id)

    def _conflict(self, image_id: str, *, references: bool, stopped: bool) -> Reason | None:
        """Return why an image can't go, or None; whether names and stopped containers are a reason is said."""
        running, others = self.usage.of(image_id)
        start, cause = f"conflict: unable to delete {image_id[7:19]}", "image is being used by"
        if children(self.store, self.store.image_ids()).get(image_id):
            return Reason(f"{start} (cannot be forced) - image has dependent child images", is_used=False)
        if running:
            return Reason(f"{start} (cannot be forced) - {cause} running container {running[0][:12]}", is_used=True)
        if references and self.references.get(image_id):
            return Reason(f"{start} (must be forced) - image is referenced in multiple repositories", is_used=False)
        if stopped and others:
            return Reason(f"{start} (must be forced) - {cause} stopped container {others[0][:12]}", is_used=True)
        return None

    def _delete(self, image_id: str, *, force: bool, prune: bool, quiet: bool) -> None:
        """Remove an image, then its parent where nobody needs that (`prune`). `quiet`: no error where the image must stay."""
        store = self.store
        reason = self._conflict(image_id, references=not force, stopped=not force)
        below = children(store, store.image_ids()).get(image_id, [])
        if reason:
            if quiet and (reason.is_used or below or self.references.get(image_id)):
                return
            raise Conflict(reason.message)
        parent = parent_of(store, image_id)
        self._untag(image_id, list(self.references.setdefault(image_id, [])))
        try:
            diff_ids = [str(diff_id) for diff_id in store.record(image_id)["DiffIds"]]  # type: ignore[attr-defined]
            if self.usage.users.get(image_id):
                store.keep_record(image_id)
            else:
                os.unlink(store.record_path(image_id))
        except FileNotFoundError:  # another command was faster
            raise NotFound(f"No such image: {image_id}") from None
        forget(store, image_id, below)
        self.tell("delete", image_id)
        self.told.append({"Deleted": image_id})
        self.deleted[image_id] = diff_ids
        if prune and parent:
            self._delete(parent, force=False, prune=True, quiet=True)

    def finish(self) -> int:
        """Free what nobody needs any more and tell which layers went with which image; returns their bytes."""
        store = self.store
        release_kept(store, self.usage.users)
        if not self.deleted:
            return 0
        others = _layer_lists(store)
        freed = 0
        after: dict[str, list[str]] = {}  # image -> chain ids that go with it
        for image_id, diff_ids in reversed(self.deleted.items()):
            shared = max((_common(diff_ids, other) for other in others), default=0)
            after[image_id] = chain_ids(diff_ids)[shared:][::-1]
            freed += sum(_size(store, diff_id) for diff_id in diff_ids[shared:])
            others.append(diff_ids)
        store.collect_garbage()
        told: list[Json] = []
        for entry in self.told:
            told.append(entry)
            told.extend({"Deleted": chain_id} for chain_id in after.get(str(entry.get("Deleted")), ()))
        self.told = told
        return freed


class Reason:
    """Why an image can't be removed; `is_used`: a container needs it."""

    __slots__ = ("is_used", "message")

    def __init__(self, message: str, *, is_used: bool) -> None:
        self.message, self.is_used = message, is_used


def _common(one: list[str], other: list[str]) -> int:
    """Return how many of their first items two lists have in common."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _size(store: ImageStore, diff_id: str) -> int:
    try:
        return int(str(store.layer_record(diff_id)["size"]))
    except (OSError, ValueError):
        return 0


def _layer_lists(store: ImageStore) -> list[list[str]]:
    """Return the layers, lowest first, of each image and each result of the build cache."""
    found: list[list[str]] = []
    for folder in ("records", "kept", "cache"):
        try:
            names = os.listdir(f"{store.path}/{folder}")
        except FileNotFoundError:
            continue
        for name in names:
            try:
                record = files.read_json(f"{store.path}/{folder}/{name}") if name.endswith(".json") else None
            except (OSError, ValueError):  # removed meanwhile
                continue
            diff_ids = record.get("DiffIds") if isinstance(record, dict) else None
            if isinstance(diff_ids, list):
                found.append([str(diff_id) for diff_id in diff_ids])
    return found


def image_remove(
    store: ImageStore, text: str, *, force: bool = False, prune: bool = True, usage: Usage, tell: Tell
) -> list[Json]:
    """Take a name away, or an image with all of its names; an image without a name goes with the layers that only it has.

    What a running container uses stays, without a name; what only stopped ones use goes for everybody but them where `force` is given.
    Raises Conflict with docker's reasons. `prune` false keeps parents that have become unused. `tell`: see `Removal`.
    """
    removal = Removal(store, usage, tell)
    removal.remove(text, force=force, prune=prune)
    removal.finish()
    return removal.told


def _plain(reference: Reference) -> Reference:
    return Reference(reference.domain, reference.path, "", reference.digest) if reference.digest else reference


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


def image_prune(store: ImageStore, filters: Filters | None = None, *, usage: Usage, tell: Tell) -> Json:
    """Remove the images without a tag (with the filter dangling=false: all that no container uses) and what only they need."""
    wanted = dict(filters or {})
    dangling = wanted.pop("dangling", ["true"])[0].lower() not in ("false", "0")
    check_filters(wanted, ("until", "label", "label!"))
    excluded = {
        str(row["Id"]) for text in wanted.pop("label!", []) for row in image_list(store, filters={"label": [text]})
    }
    removal = Removal(store, usage, tell)
    for row in image_list(store, filters=wanted):
        image_id = str(row["Id"])
        if image_id in excluded or (row["RepoTags"] and dangling):
            continue
        # an image that only a digest names is dangling, as with docker
        for name in [str(each) for each in removal.references.get(image_id, ())] or [image_id]:
            try:
                removal.remove(name)
            except (Conflict, NotFound):
                continue
    freed = removal.finish()
    return {"ImagesDeleted": removal.told or None, "SpaceReclaimed": freed}
