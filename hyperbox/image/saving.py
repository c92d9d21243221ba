"""`docker save`: images as an archive in docker's layout, which is an OCI layout as well, member for member as docker writes it."""

from __future__ import annotations

import hashlib
import os
import tarfile

from hyperbox import files
from hyperbox.errors import EngineError, NotFound
from hyperbox.image import ingest
from hyperbox.image.decompress import Decompressed
from hyperbox.image.legacy_config import go_bytes, legacy_configs
from hyperbox.image.listing import epoch, familiar
from hyperbox.image.parents import parent_of
from hyperbox.image.platform import is_exactly_for
from hyperbox.image.reference import HEX, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hyperbox.image.reference import Reference
    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Content = Callable[[], Iterable[bytes]]

OCI_TITLE = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'  # with docker's space
DEVICE = slice(329, 345)  # the numbers of a device in a header, which Go writes for every kind of member


def named_images(store: ImageStore, references: Sequence[str]) -> dict[str, list[str]]:
    """Return the images that words of `save` mean, each with the tags that it is saved under; a repository means all of its tags.

    Raises NotFound, EngineError with docker's words.
    """
    named: dict[str, list[str]] = {}
    for text in references:
        for image_id, reference in _meant(store, text):
            tags = named.setdefault(image_id, [])
            if reference is not None and not reference.digest and str(reference) not in tags:
                tags.append(str(reference))
    return named


def _meant(store: ImageStore, text: str) -> Iterator[tuple[str, Reference | None]]:
    hexadecimal = text.removeprefix("sha256:")
    if len(hexadecimal) == 64 and HEX.issuperset(hexadecimal):
        path = store.record_path(hexadecimal)
        if not os.path.exists(path):
            raise EngineError(f"failed to get digest sha256:{hexadecimal}: open {path}: no such file or directory")
        yield f"sha256:{hexadecimal}", None
        return
    try:
        reference = None if text.startswith("sha256:") else parse_reference(text)
    except EngineError:
        reference = None
    if reference is None or not (reference.tag or reference.digest):
        found = False
        for full, image_id in sorted(store.names()) if reference else ():
            name = parse_reference(full)
            if name.familiar == reference.familiar:  # type: ignore[union-attr]
                found = True
                yield image_id, name
        if not found:
            yield _searched(store, text), None
        return
    try:
        yield store.resolve(text), reference
    except NotFound:
        raise EngineError("reference does not exist") from None


def _searched(store: ImageStore, text: str) -> str:
    try:
        return store.resolve(text)
    except NotFound:
        raise NotFound(f"No such image: {text}") from None


def image_save(store: ImageStore, references: Sequence[str], *, platform: str = "") -> Iterator[bytes]:
    """Yield an archive of images; see `named_images`. Layers are plain tars. Raises NotFound, EngineError before anything is yielded."""
    named = named_images(store, references)
    archive = Archive(store)
    for image_id in named:
        if platform and not is_exactly_for(store.config(image_id), platform):
            raise EngineError(f"no suitable export target found for platform {platform}")
        if not store.record(image_id)["DiffIds"]:
            raise EngineError("empty export - not implemented")
    for image_id, tags in named.items():
        archive.add(image_id, tags)
    archive.add_documents(named)
    return archive.chunks()


class Archive:
    """What an archive is to hold: member -> (bytes, time, how to get them), written in the order of names as docker's is."""

    def __init__(self, store: ImageStore) -> None:
        self.store = store
        self.members: dict[str, tuple[int, int, Content]] = {}
        self.entries: list[Json] = []
        self.descriptors: list[Json] = []
        self.created = 0

    def _put(self, name: str, data: bytes, moment: int) -> None:
        self.members.setdefault(name, (len(data), moment, lambda: (data,)))

    def _blob(self, data: bytes, moment: int) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._put(f"blobs/sha256/{digest}", data, moment)
        return f"sha256:{digest}"

    def add(self, image_id: str, tags: list[str]) -> None:
        """Add an image with its layers and its configurations."""
        store = self.store
        record, config = store.record(image_id), _read(store.blob(image_id))
        document = store.config(image_id)
        self.created = moment = epoch(str(document.get("created") or ""))
        diff_ids = [str(diff_id) for diff_id in record["DiffIds"]]  # type: ignore[attr-defined]
        sizes: dict[str, int] = {}
        for diff_id, blob in zip(diff_ids, record["LayerDigests"], strict=True):  # type: ignore[call-overload]
            sizes[diff_id] = self._layer(diff_id, str(blob), moment)
        for legacy in legacy_configs(document, diff_ids):
            self._blob(legacy, moment)
        self._blob(config, moment)
        manifest = oci_manifest(image_id, len(config), [(diff_id, sizes[diff_id]) for diff_id in diff_ids])
        self.descriptors.extend(_descriptors(self._blob(manifest, 0), len(manifest), tags))
        self.entries.append(_docker_entry(image_id, tags, sizes, diff_ids))

    def _layer(self, diff_id: str, blob: str, moment: int) -> int:
        name = f"blobs/sha256/{diff_id[7:]}"
        if name not in self.members:
            size = plain_size(self.store, blob)
            self.members[name] = (size, moment, lambda: plain_chunks(self.store, blob))
        return self.members[name][0]

    def add_documents(self, images: Mapping[str, list[str]]) -> None:
        """Add the members that say what the archive holds: OCI's index and docker's two tables."""
        repositories: dict[str, dict[str, str]] = {}
        for entry, (image_id, tags) in zip(self.entries, images.items(), strict=True):
            layers = entry["Layers"]
            assert isinstance(layers, list)
            for tag in tags:
                name = parse_reference(tag)
                repositories.setdefault(familiar(name.repository), {})[name.tag] = layers[-1].rpartition("/")[2]
            if (parent := parent_of(self.store, image_id)) in images:
                sources = entry.pop("LayerSources")
                entry.update(Parent=parent, LayerSources=sources)
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": self.descriptors,
        }
        self._put("index.json", go_bytes(index), 0)
        self._put("manifest.json", go_bytes(self.entries) + b"\n", 0)
        self._put("oci-layout", LAYOUT, 0)
        if repositories:
            self._put("repositories", files.dumps(repositories, sort_keys=True).encode() + b"\n", 0)

    def chunks(self) -> Iterator[bytes]:
        """Yield the archive."""
        yield folder_header("blobs", self.created) + folder_header("blobs/sha256", self.created)
        for name, (size, moment, content) in sorted(self.members.items()):
            yield file_header(name, size, moment)
            yield from content()
            if size % 512:
                yield b"\0" * (512 - size % 512)
        yield b"\0" * 1024


def _docker_entry(image_id: str, tags: list[str], sizes: dict[str, int], diff_ids: list[str]) -> Json:
    """Return an image's entry in docker's manifest.json."""
    return {
        "Config": f"blobs/sha256/{image_id[7:]}",
        "RepoTags": tags or None,
        "Layers": [f"blobs/sha256/{diff_id[7:]}" for diff_id in diff_ids],
        "LayerSources": {
            diff_id: {"mediaType": OCI_LAYER, "size": sizes[diff_id], "digest": diff_id} for diff_id in sorted(sizes)
        },
    }


def _descriptors(digest: str, size: int, tags: Sequence[str]) -> list[Json]:
    plain: Json = {"mediaType": ingest.OCI_MANIFEST, "digest": digest, "size": size}
    if not tags:
        return [plain]
    described = []
    for tag in tags:
        reference = parse_reference(tag)
        described.append({**plain, "annotations": {FULL_NAME: reference.canonical, OCI_TITLE: reference.tag}})
    return described


def oci_manifest(config_digest: str, config_size: int, layers: Sequence[tuple[str, int]]) -> bytes:
    """Return the OCI manifest of an image whose layers are plain tars named by their diff ids."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": ingest.OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest,
            "size": config_size,
        },
        "layers": [{"mediaType": OCI_LAYER, "digest": digest, "size": size} for digest, size in layers],
    }
    return files.dumps(manifest).encode()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def plain_chunks(store: ImageStore, blob: str) -> Iterator[bytes]:
    """Yield a layer blob as the plain tar that it holds."""
    if ingest.is_virtual(store, blob):
        yield from ingest.layer_tar(store, blob)
        return
    with open(store.blob(blob), "rb") as file:
        stream = Decompressed(file, limit=1 << 42)
        while chunk := stream.read(1 << 20):
            yield chunk


def plain_size(store: ImageStore, blob: str) -> int:
    """Return how many bytes the plain tar of a layer blob has."""
    if ingest.is_virtual(store, blob):
        return ingest.blob_size(store, blob)
    return sum(len(chunk) for chunk in plain_chunks(store, blob))


def folder_header(name: str, moment: int) -> bytes:
    """Return the tar header of a folder."""
    member = tarfile.TarInfo(name + "/")
    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, moment
    return _header(member)


def file_header(name: str, size: int, moment: int) -> bytes:
    """Return the tar header of a file, with what comes before it where it is of 8 GiB or more."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, moment
    return _header(member)


def _header(member: tarfile.TarInfo) -> bytes:
    """Return a header as Go's archive/tar writes it, which has device numbers for all kinds."""
    data = bytearray(member.tobuf(tarfile.PAX_FORMAT))
    own = memoryview(data)[-512:]
    own[DEVICE] = b"0000000\0" * 2
    own[148:156] = b" " * 8
    own[148:156] = b"%06o\0 " % sum(own)
    return bytes(data)
