"""Images of archives: `load`, `import`. Both docker's layout (manifest.json) and OCI's (index.json) are read; `saving` writes them.

An archive is untrusted: its members are copied one by one under names of our own, links in it are only looked up among its own members, sizes and
counts are bounded, and every digest that it states is checked.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import queue

from hyperbox import files
from hyperbox.errors import EngineError
from hyperbox.image import ingest
from hyperbox.image.decompress import Decompressed
from hyperbox.image.extract import is_hole
from hyperbox.image.layer_workers import LayerWorkers, worker_count
from hyperbox.image.parents import set_parent
from hyperbox.image.platform import checked_platform, is_exactly_for
from hyperbox.image.reference import is_digest, parse_reference
from hyperbox.image.registry_errors import go_document
from hyperbox.image.saving import FULL_NAME, OCI_TITLE
from hyperbox.image.tar_reader import BadArchive, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    OnEvent = Callable[[Json], None]

MAXIMUM_MEMBERS = 100_000
MAXIMUM_JSON = 16 << 20
MAXIMUM_LAYER = 1 << 40


class Unpacked:
    """An image archive copied into a folder: member names to files there with their digests, and the links among them."""

    __slots__ = ("digests", "folder", "links", "members")

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.members: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.links: dict[str, str] = {}

    def path(self, name: str) -> str:
        """Return the file of a member, following links inside the archive. Raises EngineError where there is none."""
        wanted = posixpath.normpath(name)
        for _ in range(16):
            if wanted in self.members:
                return self.members[wanted]
            if wanted not in self.links:
                break
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(wanted), self.links[wanted]))
        raise EngineError(f"open {self.folder}/{wanted}: no such file or directory")

    def json(self, name: str) -> object:
        """Return a member parsed as JSON. Raises EngineError where it is not there, too large or none."""
        path = self.path(name)
        if os.path.getsize(path) > MAXIMUM_JSON:
            raise EngineError(f"invalid archive: {name} is larger than {MAXIMUM_JSON >> 20} MiB")
        with open(path, "rb") as file:
            return go_document(file.read())


def unpack_archive(source: BinaryIO, folder: str) -> Unpacked:
    """Copy the members of an archive (plain, gzip or zstd) into `folder`, under names of our own. Raises EngineError for what is no archive."""
    free = os.statvfs(folder)
    stream = Decompressed(source, limit=free.f_bavail * free.f_frsize, hashed=False)
    unpacked = Unpacked(folder)
    reader = TarReader(stream.chunk)
    try:
        for count, entry in enumerate(reader):
            if count >= MAXIMUM_MEMBERS:
                raise EngineError(f"invalid archive: more than {MAXIMUM_MEMBERS} members")
            name = posixpath.normpath(entry.name)
            if entry.isreg() and entry.spans is None:
                path = f"{folder}/{count}"
                unpacked.digests[path] = copy_member(reader, path)
                unpacked.members[name] = path
            elif entry.isreg():
                raise EngineError(f"invalid archive: {name} is a sparse file")
            elif entry.issym():
                unpacked.links[name] = entry.linkname
            elif entry.islnk():
                unpacked.links[name] = posixpath.relpath(
                    posixpath.normpath(entry.linkname), posixpath.dirname(name) or "."
                )
    except BadArchive as error:
        raise EngineError(error.message) from None
    return unpacked


def copy_member(reader: TarReader, path: str) -> str:
    """Write the present entry's content to a file and return its digest."""
    hasher = hashlib.sha256()
    with open(path, "wb") as file:
        for piece in reader.content():
            hasher.update(piece)
            if is_hole(piece):
                file.seek(len(piece), os.SEEK_CUR)
            else:
                file.write(piece)
        file.truncate()
    return f"sha256:{hasher.hexdigest()}"


def image_load(
    store: ImageStore, source: BinaryIO, *, platform: str = "", on_event: OnEvent | None = None
) -> list[str]:
    """Load every image of an archive; returns docker's lines ("Loaded image: x:y"). Images before a bad one stay loaded."""
    with store.shared_lock():
        folder = store.staging("load")
        files.remove_tree(folder)
        os.mkdir(folder, 0o700)
        try:
            unpacked = unpack_archive(source, folder)
            loading = Loading(store, unpacked)
            if "manifest.json" in unpacked.members:
                return _load_docker(loading, platform)
            if "index.json" in unpacked.members:
                return _load_oci(loading, platform)
            from hyperbox.image.archive_old import load_old

            return load_old(loading)
        finally:
            files.remove_tree(folder)


class Loading:
    """An archive's images on their way into the store."""

    def __init__(self, store: ImageStore, unpacked: Unpacked) -> None:
        self.store = store
        self.unpacked = unpacked
        self.brought: dict[str, list[str]] = {}  # image -> its layers' files

    def image(self, config_bytes: bytes, layers: Sequence[str]) -> str:
        """Store an image of a configuration and layer files; returns its id. Raises EngineError."""
        store = self.store
        diff_ids = layer_ids(config_bytes, len(layers))
        digests = [self._blob(path) for path in layers]
        self._unpack(ingest.layer_tasks(digests, diff_ids))
        image_id = ingest.add_bytes(store, config_bytes)
        manifest = ingest.manifest_bytes(store, image_id, len(config_bytes), digests)
        store.write_record(image_id, ingest.add_bytes(store, manifest), digests)
        self.brought[image_id] = list(layers)
        return image_id

    def _blob(self, path: str) -> str:
        """Move a layer's file among the blobs; returns its digest."""
        digest = self.unpacked.digests[path]
        try:
            os.link(path, self.store.blob(digest))
        except FileExistsError:
            pass
        return digest

    def layers_of(self, image_id: str) -> list[str]:
        """Return the files of the layers of an image that this archive brought."""
        return self.brought[image_id]

    def plain_digest(self, path: str) -> str:
        """Return the digest of a layer's tar, unpacked from gzip or zstd where need be."""
        hasher = hashlib.sha256()
        with open(path, "rb") as file:
            stream = Decompressed(file, limit=MAXIMUM_LAYER, hashed=False)
            while piece := stream.chunk():
                hasher.update(piece)
        return f"sha256:{hasher.hexdigest()}"

    def _unpack(self, layers: dict[str, str]) -> None:
        """Unpack the layers (digest -> diff id) that are not there. Raises the first failure."""
        missing = {digest: diff_id for digest, diff_id in layers.items() if not self.store.has_layer(diff_id)}
        if len(missing) < 2:
            for digest, diff_id in missing.items():
                ingest.add_layer(self.store, digest, diff_id)
            return
        outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        workers = LayerWorkers(self.store, worker_count(len(missing)), lambda _digest, error: outcomes.put(error))
        try:
            for digest, diff_id in missing.items():
                workers.submit(digest, diff_id)
            for _ in missing:
                if (error := outcomes.get()) is not None:
                    raise error
        finally:
            workers.close()


def layer_ids(config_bytes: bytes, count: int) -> list[str]:
    """Return the `count` diff ids that an image configuration states. Raises EngineError with docker's words."""
    config = go_document(config_bytes)
    rootfs = config.get("rootfs") if isinstance(config, dict) else None
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if isinstance(config, dict) and config.get("os") not in (None, "", "linux"):
        raise EngineError(f"cannot load {config['os']} image on linux")
    if not isinstance(config, dict) or not isinstance(diff_ids, list) or len(diff_ids) != count:
        stated = len(diff_ids) if isinstance(diff_ids, list) else 0
        raise EngineError(f"invalid manifest, layers length mismatch: expected {count}, got {stated}")
    for diff_id in diff_ids:
        if not isinstance(diff_id, str) or not is_digest(diff_id):
            raise EngineError(f"invalid archive: image configuration: unusable diff id {diff_id!r}")
    return diff_ids


def wanted(config_bytes: bytes, platform: str) -> bool:
    """Return whether an image, given by its configuration, is for the platform that was asked for; "" is any."""
    if not platform:
        return True
    config = go_document(config_bytes)
    return isinstance(config, dict) and is_exactly_for(config, platform)


def _load_docker(loading: Loading, platform: str) -> list[str]:
    unpacked = loading.unpacked
    manifest = unpacked.json("manifest.json")
    if not isinstance(manifest, list):
        raise EngineError("json: cannot unmarshal object into Go value of type []tarexport.manifestItem")
    lines = []
    parents: dict[str, object] = {}
    for entry in manifest:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("Config"), str)
            or not isinstance(entry.get("Layers"), list)
        ):
            raise EngineError("invalid archive: manifest.json has an entry without Config and Layers")
        with open(unpacked.path(entry["Config"]), "rb") as file:
            config_bytes = file.read(MAXIMUM_JSON)
        layers = [unpacked.path(str(name)) for name in entry["Layers"]]
        if not wanted(config_bytes, platform):
            continue
        image_id = loading.image(config_bytes, layers)
        parents[image_id] = entry.get("Parent")
        tags = [tag for tag in entry.get("RepoTags") or [] if isinstance(tag, str)]
        lines.extend(_name(loading.store, tags, image_id))
    for image_id, parent in parents.items():
        if isinstance(parent, str) and parent != image_id and parent in parents:
            _set_parent(loading.store, image_id, parent)
    return lines or [""]  # where none is for the platform docker ends its list of them all the same


def _set_parent(store: ImageStore, image_id: str, parent: str) -> None:
    """Make an image of the archive another's child. Raises EngineError where it was not made of it by one step."""
    own, above = (_history(store.config(each)) for each in (image_id, parent))
    if (own or above) and own[:-1] != above:
        raise EngineError(f"image {parent} is not a valid parent for {image_id}")
    set_parent(store, image_id, parent)


def _history(document: Json) -> list[object]:
    history = document.get("history")
    return history if isinstance(history, list) else []


def _name(store: ImageStore, tags: Sequence[str], image_id: str) -> list[str]:
    for tag in tags:
        if parse_reference(tag).digest:
            raise EngineError(f'invalid tag "{tag}"')
        store.set_name(parse_reference(tag).with_tag(), image_id)
    return [f"Loaded image: {parse_reference(tag).with_tag()}" for tag in tags] or [f"Loaded image ID: {image_id}"]


def _load_oci(loading: Loading, platform: str) -> list[str]:
    unpacked = loading.unpacked
    index = unpacked.json("index.json")
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not manifests:
        unpacked.path("repositories")  # what docker looks for where there is no other list
    if not isinstance(manifests, list):
        raise EngineError("invalid archive: index.json has no manifests")
    lines = []
    for descriptor in manifests:
        if not isinstance(descriptor, dict):
            raise EngineError("invalid archive: index.json has a descriptor that is no object")
        annotations = descriptor.get("annotations")
        names = annotations if isinstance(annotations, dict) else {}
        manifest = _oci_manifest(unpacked, descriptor, platform, 0)
        config = manifest.get("config")
        layers = manifest.get("layers")
        if not isinstance(config, dict) or not isinstance(layers, list):
            raise EngineError("invalid archive: a manifest has no config or layers")
        with open(unpacked.path(_blob(config)), "rb") as file:
            config_bytes = file.read(MAXIMUM_JSON)
        if not wanted(config_bytes, platform):
            continue
        image_id = loading.image(config_bytes, [unpacked.path(_blob(layer)) for layer in layers])
        name = names.get(FULL_NAME) or names.get(OCI_TITLE)
        lines.extend(
            _name(loading.store, [name] if isinstance(name, str) and (":" in name or "/" in name) else [], image_id)
        )
    return lines


def _blob(descriptor: object) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not digest.startswith("sha256:") or "/" in digest:
        raise EngineError(f"invalid archive: {digest!r} is not a digest")
    return f"blobs/sha256/{digest[7:]}"


def _oci_manifest(unpacked: Unpacked, descriptor: Json, platform: str, depth: int) -> Json:
    value = unpacked.json(_blob(descriptor))
    if not isinstance(value, dict) or depth > 3:
        raise EngineError("invalid archive: a manifest is no object")
    if "manifests" not in value:
        return value
    wanted = (platform or f"linux/{ingest.platform_architecture()}").split("/")
    choices = value["manifests"]
    for choice in choices if isinstance(choices, list) else []:
        offered = choice.get("platform") if isinstance(choice, dict) else None
        if isinstance(offered, dict) and [offered.get("os"), offered.get("architecture")] == wanted[:2]:
            return _oci_manifest(unpacked, choice, platform, depth + 1)
    raise EngineError(f"image does not provide the specified platform ({'/'.join(wanted)})")


def image_import(
    store: ImageStore,
    source: BinaryIO,
    *,
    repository: str,
    tag: str,
    message: str,
    changes: Sequence[str],
    platform: str = "",
) -> str:
    """Make an image of one root file system tar (plain, gzip or zstd) and return its id. Raises InvalidParameter, EngineError."""
    from hyperbox.image.changes import apply_changes

    name = parse_reference(f"{repository}:{tag}" if tag else repository).as_name() if repository else None
    system, architecture, variant = checked_platform(platform or "linux")
    created = ingest.now()
    config: Json = apply_changes({}, changes)
    with store.shared_lock():
        digest, _ = ingest.add_stream(store, source)
        try:
            diff_id = ingest.add_layer(store, digest)
        except EngineError as error:
            os.unlink(store.blob(digest))  # it is no layer, so nobody has it
            raise EngineError(error.message.removeprefix("failed to register layer: ")) from None
        document: Json = {
            "architecture": architecture,
            "comment": message or "Imported from -",
            "config": config,
            "created": created,
            "history": [{"created": created, "comment": message or "Imported from -"}],
            "os": system,
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
        if variant:
            document["variant"] = variant
        image_id = ingest.add_image(store, document, [digest])
        if name is not None:
            store.set_name(name, image_id)
    return image_id
