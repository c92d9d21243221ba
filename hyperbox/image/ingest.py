"""Content into the store: blobs checked by digest, layers unpacked, images recorded. Used by pull, load, import, commit and build."""

from __future__ import annotations

import errno
import hashlib
import os
import time

from hyperbox import files
from hyperbox.errors import EngineError
from hyperbox.go.times import timestamp
from hyperbox.image.content_lock import ContentLock
from hyperbox.image.extract import extract_layer
from hyperbox.image.reference import platform_architecture as platform_architecture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]

    class Readable(Protocol):
        """What can be read piece by piece."""

        def read(self, size: int = -1, /) -> bytes: ...


MANIFEST_LIMIT = 8 << 20
MISMATCH = "layers from manifest don't match image configuration"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def add_bytes(store: ImageStore, data: bytes) -> str:
    """Store bytes and return their digest."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if not store.has_blob(digest):
        files.write_atomic(store.blob(digest), data, mode=0o600)
    return digest


def add_stream(store: ImageStore, source: Readable, *, expected: str = "", limit: int = 1 << 40) -> tuple[str, int]:
    """Store a stream and return (digest, size). Raises EngineError for another digest than `expected`, or too many bytes."""
    path = store.staging(f"blob-{expected.removeprefix('sha256:')[:16] or id(source)}")
    hasher = hashlib.sha256()
    size = 0
    try:
        with open(path, "wb") as file:
            while chunk := source.read(1 << 20):
                size += len(chunk)
                if size > limit:
                    raise EngineError(f"blob is larger than {limit} bytes")
                hasher.update(chunk)
                file.write(chunk)
        store.reached("blob-written")
        digest = f"sha256:{hasher.hexdigest()}"
        if expected and digest != expected:
            raise EngineError(f"filesystem layer verification failed for digest {expected}")
        os.rename(path, store.blob(digest))
    except BaseException:
        files.remove_tree(path)
        raise
    return digest, size


def layer_tasks(digests: Sequence[str], diff_ids: Sequence[str]) -> dict[str, str]:
    """Return layer digest -> diff id. Raises EngineError where one layer is to have two diff ids."""
    tasks: dict[str, str] = {}
    for digest, diff_id in zip(digests, diff_ids, strict=True):
        if tasks.setdefault(digest, diff_id) != diff_id:
            raise EngineError(MISMATCH)
    return tasks


def add_layer(store: ImageStore, blob_digest: str, expected_diff_id: str = "") -> str:
    """Unpack the layer blob and return its diff id. Raises EngineError where it is not the expected one; nothing stays then."""
    if not expected_diff_id:
        return _unpack(store, blob_digest, "")
    with ContentLock(store.path, f"unpack {expected_diff_id}"):
        return expected_diff_id if store.has_layer(expected_diff_id) else _unpack(store, blob_digest, expected_diff_id)


def _unpack(store: ImageStore, blob_digest: str, expected_diff_id: str) -> str:
    staging = store.staging(f"layer-{blob_digest.removeprefix('sha256:')[:16]}")
    files.remove_tree(staging)
    os.mkdir(staging, 0o755)
    try:
        diff_id, size = extract_layer(store.blob(blob_digest), staging, digest=blob_digest)
        store.reached("layer-unpacked")
        if expected_diff_id and diff_id != expected_diff_id:
            raise EngineError(MISMATCH)
        keep_layer(store, staging, diff_id, size, blob_digest)
    except BaseException:
        files.remove_tree(staging)
        raise
    return diff_id


def keep_layer(
    store: ImageStore, staging: str, diff_id: str, size: int, blob_digest: str, *, tar_length: int | None = None
) -> None:
    """Move an unpacked layer into its place and record it; another command may have done the same meanwhile.

    `tar_length`  of a layer that has no blob yet, `blob_digest` being its diff id; see `ensure_blob`.
    """
    folder = store.layer_folder(diff_id)
    if not store.has_layer(diff_id):
        try:
            os.rename(staging, folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            # a leftover without a record, or another command's that is about to be recorded: the content is the same
            files.remove_tree(staging)
        store.reached("layer-placed")
        write_layer(store, diff_id, size, blob_digest, tar_length)
    else:
        files.remove_tree(staging)
        if tar_length is not None and not store.has_whole_layer(diff_id):
            write_layer(store, diff_id, size, blob_digest, tar_length)


def write_layer(store: ImageStore, diff_id: str, size: int, blob_digest: str, tar_length: int | None) -> None:
    """Record a layer whose folder is in its place; see `keep_layer`."""
    record: Json = {"diff_id": diff_id, "size": size, "blob": blob_digest}
    if tar_length is not None:
        record["tar"] = tar_length
    files.write_json(f"{store.layer_folder(diff_id)}.json", record)


def add_image(store: ImageStore, config: Json, layer_digests: list[str]) -> str:
    """Record an image of a new configuration over layer blobs that are unpacked; returns its id."""
    config_bytes = files.dumps(config).encode()
    image_id = add_bytes(store, config_bytes)
    manifest_digest = add_bytes(store, manifest_bytes(store, image_id, len(config_bytes), layer_digests))
    store.write_record(image_id, manifest_digest, layer_digests)
    return image_id


def manifest_bytes(store: ImageStore, config_digest: str, config_size: int, layer_digests: list[str]) -> bytes:
    """Return docker's manifest of a configuration and layer blobs that are in the store."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "size": config_size, "digest": config_digest},
        "layers": [
            {"mediaType": layer_type(store, digest), "size": blob_size(store, digest), "digest": digest}
            for digest in layer_digests
        ],
    }
    return files.dumps(manifest).encode()


def layer_type(store: ImageStore, digest: str) -> str:
    """Return the docker or OCI media type of a layer blob, by its first bytes."""
    if is_virtual(store, digest):
        return "application/vnd.docker.image.rootfs.diff.tar"
    with open(store.blob(digest), "rb") as file:
        head = file.read(4)
    if head[:2] == b"\x1f\x8b":
        return DOCKER_LAYER
    return (
        "application/vnd.oci.image.layer.v1.tar+zstd"
        if head == b"\x28\xb5\x2f\xfd"
        else "application/vnd.docker.image.rootfs.diff.tar"
    )


def is_virtual(store: ImageStore, digest: str) -> bool:
    """Return whether a layer blob can be made from the unpacked layer, and has not been yet."""
    return not store.has_blob(digest) and store.has_layer(digest)


def blob_size(store: ImageStore, digest: str) -> int:
    """Return the bytes of a layer blob, made yet or not."""
    if is_virtual(store, digest):
        size = store.layer_record(digest).get("tar")
        if isinstance(size, int):
            return size
    return os.path.getsize(store.blob(digest))


def layer_tar(store: ImageStore, diff_id: str) -> Iterator[bytes]:
    """Yield the plain tar of a layer that has no blob. Raises EngineError where the folder does not give the same bytes any more."""
    from hyperbox.image.layer import layer_chunks

    newest = store.layer_record(diff_id).get("newest")
    hasher = hashlib.sha256()
    for chunk in layer_chunks(store.layer_folder(diff_id), newest=newest if isinstance(newest, int) else None):
        hasher.update(chunk)
        yield chunk
    if f"sha256:{hasher.hexdigest()}" != diff_id:
        raise EngineError(f"layer {diff_id} was changed in {store.layer_folder(diff_id)}")


class Chunks:
    """An iterator of bytes that is read like a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, of any length; b"" at the end."""
        del size
        for chunk in self.chunks:
            if chunk:
                return chunk
        return b""


def ensure_blob(store: ImageStore, digest: str) -> str:
    """Make sure that a layer's blob is there and return its path."""
    if is_virtual(store, digest):
        add_stream(store, Chunks(layer_tar(store, digest)), expected=digest)
    return store.blob(digest)


def compress(store: ImageStore, source: Readable) -> str:
    """Store a plain tar stream as a gzip blob (the same bytes for the same tar) and return its digest."""
    import zlib

    path = store.staging(f"gzip-{id(source)}-{os.urandom(4).hex()}")
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    hasher = hashlib.sha256()
    try:
        with open(path, "wb") as file:
            while chunk := source.read(1 << 20):
                packed = packer.compress(chunk)
                hasher.update(packed)
                file.write(packed)
            packed = packer.flush()
            hasher.update(packed)
            file.write(packed)
        digest = f"sha256:{hasher.hexdigest()}"
        os.rename(path, store.blob(digest))
    except BaseException:
        files.remove_tree(path)
        raise
    return digest


def now() -> str:
    """The present time as image configurations write it."""
    return timestamp(time.time_ns())
