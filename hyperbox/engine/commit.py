"""Makes an image of a container: what its upper folder holds becomes a layer over the container's image."""

from __future__ import annotations

import os

from hyperbox.engine import life_events
from hyperbox.engine.differences import MADE, differs, in_image
from hyperbox.engine.events import emit
from hyperbox.engine.merge_config import merged_health
from hyperbox.engine.tree_tar import TarStream, header
from hyperbox.errors import EngineError
from hyperbox.image import ingest
from hyperbox.image.changes import apply_changes
from hyperbox.image.deep import Tree
from hyperbox.image.layer import is_opaque, is_whiteout
from hyperbox.image.parents import set_parent
from hyperbox.image.reference import parse_reference
from hyperbox.image.store import ImageStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.state import Container, Roots
    from hyperbox.image.deep import Entry

    Json = dict[str, object]

# the diff id of a tar without entries
EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
EMPTY_LENGTH = 1024  # bytes of such a tar
# what belongs to this one container and not to images made of it
OWN = frozenset(
    {"Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce", "Image"}
)


def write_layer(writer: int, upper: str, layers: Sequence[str] = ()) -> None:
    """Write a layer tar of an overlay's upper folder: its marks of removed files become whiteouts. `layers`: what lies below, top first."""
    tar = TarStream(writer)
    if os.path.isdir(upper):  # a container that was never started has none
        _write_upper(tar, Tree(upper), layers)
    tar.end()


def _write_upper(tar: TarStream, tree: Tree, layers: Sequence[str]) -> None:
    links: dict[tuple[int, int], str] = {}
    for entry in tree:
        name = entry.name
        if is_whiteout(entry.status):
            _write_mark(tar, f"{name[: len(name) - len(entry.last)]}.wh.{entry.last}")
            continue
        if _is_made(entry, layers):
            tree.skip()
            continue
        member = header(entry.path, name, entry.status, links)
        if member is not None:
            tar.entry(member)
            if member.isreg():
                tar.content(entry.path, member.size)
        if entry.is_folder() and is_opaque(entry.path):
            _write_mark(tar, f"{name}/.wh..wh..opq")


def _is_made(entry: Entry, layers: Sequence[str]) -> bool:
    """Return whether it is there only for what the engine puts into every root."""
    path = f"/{entry.name}"
    if path not in MADE and path != "/etc":
        return False
    entries = os.listdir(entry.path) if entry.is_folder() else []
    if not all(f"{path}/{name}" in MADE for name in entries):
        return False
    if path in MADE:
        return True
    below = in_image(layers, "etc")
    return below is None or not differs(entry.status, below)


def _write_mark(tar: TarStream, name: str) -> None:
    import tarfile

    tar.entry(tarfile.TarInfo(name))


def add_layer(store: ImageStore, upper: str, layers: Sequence[str]) -> tuple[str, str]:
    """Store an upper folder as a layer and return (blob digest, diff id); nothing in it gives ("", EMPTY_LAYER)."""
    path = store.staging(f"commit-{os.getpid()}")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_layer(descriptor, upper, layers)
        finally:
            os.close(descriptor)
        if os.path.getsize(path) == EMPTY_LENGTH:
            return "", EMPTY_LAYER
        with open(path, "rb") as file:
            digest = ingest.compress(store, file)
    finally:
        if os.path.exists(path):
            os.unlink(path)
    return digest, ingest.add_layer(store, digest)


def image_document(
    store: ImageStore, container: Container, config: Json, diff_id: str, comment: str, author: str
) -> Json:
    """Return the new image's configuration document."""
    base = store.config(str(container.record["ImageID"]))
    created = ingest.now()
    rootfs, history = base.get("rootfs"), base.get("history")
    diff_ids = list(rootfs.get("diff_ids", [])) if isinstance(rootfs, dict) else []
    words = [str(container.record["Path"]), *map(str, container.record["Args"])]  # type: ignore[call-overload]
    step: Json = {"created": created, "created_by": " ".join(words)}
    if diff_id == EMPTY_LAYER:  # a container that has written nothing: docker gives its image no layer for that
        step["empty_layer"] = True
    if comment:
        step["comment"] = comment
    if author:
        step["author"] = author
    document: Json = {
        "architecture": base.get("architecture", ""),
        "os": base.get("os", "linux"),
        "config": config,
        "container": container.id,
        "created": created,
        "history": [*(history if isinstance(history, list) else []), step],
        "rootfs": {"type": "layers", "diff_ids": diff_ids if diff_id == EMPTY_LAYER else [*diff_ids, diff_id]},
    }
    for key, value in (("author", author), ("comment", comment), ("variant", base.get("variant"))):
        if value:
            document[key] = value
    return document


def filled_up(config: Json, own: Json) -> Json:
    """Return a changed configuration with the command and the health check's fields that the container has where the changes left them out."""
    config = dict(config)
    health = merged_health(config.get("Healthcheck"), own.get("Healthcheck"))
    if health is not None:
        config["Healthcheck"] = health
    if not config.get("Entrypoint"):
        if not config.get("Cmd"):
            config["Cmd"] = own.get("Cmd")
        config["Entrypoint"] = own.get("Entrypoint")
    return config


def refuse_without_image(roots: Roots, container: Container) -> None:
    """Raise EngineError in docker's words where the container's image was removed."""
    image_id = str(container.record["ImageID"])
    path = ImageStore(f"{roots.data}/images").record_path(image_id)
    if not os.path.exists(path):
        raise EngineError(f"failed to get digest {image_id}: open {path}: no such file or directory")


def commit(
    roots: Roots,
    container: Container,
    *,
    repository: str,
    tag: str,
    comment: str,
    author: str,
    pause: bool,
    changes: Sequence[str],
) -> str:
    """Make the image and return its id. A running container is frozen meanwhile (`pause`)."""
    refuse_without_image(roots, container)
    name = parse_reference(f"{repository}:{tag}" if tag else repository).as_name() if repository else None
    own = {key: value for key, value in container.config.items() if key not in OWN}
    config = filled_up(apply_changes(own, changes), own) if changes else own
    store = ImageStore(f"{roots.data}/images")
    frozen = pause and container.status == "running"
    layers = [str(layer) for layer in container.record["Layers"]]  # type: ignore[attr-defined]
    with store.shared_lock():
        if frozen:
            from hyperbox.engine import freezing

            entry = freezing.freeze_while_reading(roots, container)
            emit(roots, "pause", container)
        try:
            digest, diff_id = add_layer(store, f"{container.folder()}/upper", layers)
        finally:
            if frozen:
                freezing.thaw_after_reading(roots, entry)
        record = store.record(str(container.record["ImageID"]))
        digests = record["LayerDigests"]
        assert isinstance(digests, list)
        document = image_document(store, container, config, diff_id, comment, author)
        layers = [*map(str, digests), *([] if diff_id == EMPTY_LAYER else [digest])]
        image_id = ingest.add_image(store, document, layers)
        set_parent(store, image_id, str(container.record["ImageID"]))
        if name is not None:
            store.set_name(name, image_id)
    life_events.images(roots, [("create", image_id, image_id)], config.get("Labels"))
    if name is not None:
        life_events.images(roots, [("tag", image_id, str(name))], config.get("Labels"))
    about = {"comment": comment, "imageID": image_id, "imageRef": str(name or "")}
    emit(roots, "commit", container, about)
    if frozen:  # docker's is frozen, and tells so, until here
        emit(roots, "unpause", container)
    return image_id
