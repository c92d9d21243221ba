"""--cache-from and --cache-to: the build cache in a folder (an OCI layout), in a registry, or inside an image's configuration.

What is carried are our own keys, so builders of other kinds can't use it. A cache manifest is an OCI image manifest whose configuration lists the
records (key, layers, times) and whose layers are the blobs; an inline cache lists the same in the key CONFIG_KEY of an image's configuration.
Everything that comes in is untrusted: sizes are bounded, blobs are checked by their digests and layers by their diff ids.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox import files
from hyperbox.build.api import BuildFailed
from hyperbox.build.cache import Snapshot
from hyperbox.build.jobs import JobFailed
from hyperbox.errors import HyperBoxError
from hyperbox.image import ingest
from hyperbox.image.reference import is_digest, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.build.api import Cache
    from hyperbox.build.jobs import Child
    from hyperbox.build.solver import Build
    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Fetch = Callable[[ImageStore, str, int], None]

CONFIG_KEY = "hyperbox.buildcache.v1"
MEDIA_TYPE = "application/vnd.hyperbox.buildcache.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
LIMIT = 64 << 20  # bytes of a manifest or a list of records
# kind -> the attributes that a source or a destination of a cache may have
SOURCES = {"local": {"src", "digest", "tag"}, "registry": {"ref"}, "inline": {"ref"}}
DESTINATIONS = {
    "local": {"dest", "mode", "tag", "ignore-error", "compression", "oci-mediatypes", "image-manifest"},
    "registry": {"ref", "mode", "ignore-error", "compression", "oci-mediatypes", "image-manifest"},
    "inline": {"mode", "ignore-error"},
}


class Blob(NamedTuple):
    """A layer's blob: its digest and size (-1: unknown)."""

    digest: str
    size: int


class Imported:
    """One cache that was read: records by key, keys by definition, blobs by diff id, and how a blob is fetched into the store."""

    __slots__ = ("aliases", "blobs", "fetch", "records")

    def __init__(
        self, records: dict[str, Snapshot], aliases: dict[str, str], blobs: dict[str, Blob], fetch: Fetch
    ) -> None:
        self.aliases = aliases
        self.records = records
        self.blobs = blobs
        self.fetch = fetch


def check(build: Build) -> None:
    """Raise BuildFailed for a cache of a kind, or with an attribute, that is not there."""
    for table, caches, what in (
        (SOURCES, build.request.cache_from, "importer"),
        (DESTINATIONS, build.request.cache_to, "exporter"),
    ):
        for cache in caches:
            if cache.kind not in table:
                raise BuildFailed(
                    f'failed to solve: failed to configure {cache.kind} cache {what}: unknown cache {what}: "{cache.kind}"'
                )
            for name, value in cache.attributes:
                fits = name in table[cache.kind] and (name != "compression" or value == "gzip")
                if not fits or (name == "mode" and value not in ("min", "max")):
                    raise BuildFailed(f"failed to solve: {name}={value} is not supported for {cache.kind} caches")
            needed = {"local": "src" if what == "importer" else "dest", "registry": "ref"}.get(cache.kind, "")
            if needed and not cache.get(needed):
                raise BuildFailed(f"failed to solve: {needed} is required for {cache.kind} cache {what}")


# --- in -----------------------------------------------------------------------------------------------------------------------
async def load_caches(build: Build) -> list[Imported]:
    """Read every --cache-from; one that can't be read is told of and left out, as BuildKit does."""
    found = []
    for cache in build.request.cache_from:
        name = cache.get("src") or cache.get("ref")
        vertex = f"import {cache.kind} {name}"
        build.progress.start(vertex, f"importing cache manifest from {name}")
        try:
            if cache.kind == "local":
                found.append(read_local(cache.get("src")))
            else:
                found.append(await read_registry(build, cache.get("ref")))
        except (HyperBoxError, OSError, ValueError, KeyError, TypeError) as error:
            text = error.message if isinstance(error, HyperBoxError) else str(error) or type(error).__name__
            build.progress.end(vertex, error=f"failed to configure {cache.kind} cache importer: {text}")
        else:
            build.progress.end(vertex)
    return found


def read_json(path: str) -> Json:
    """Return a bounded JSON object. Raises ValueError, OSError."""
    if os.path.getsize(path) > LIMIT:
        raise ValueError(f"{path} is larger than {LIMIT >> 20} MiB")
    value = files.read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path} is no JSON object")
    return value


def read_local(folder: str) -> Imported:
    """Read a cache from a folder."""
    index = read_json(f"{folder}/index.json")
    manifests = index["manifests"]
    assert isinstance(manifests, list)
    manifest = read_json(local_blob(folder, str(manifests[0]["digest"])))
    config = manifest["config"]
    assert isinstance(config, dict)
    document = read_json(local_blob(folder, str(config["digest"])))

    def fetch(store: ImageStore, digest: str, size: int) -> None:
        with open(local_blob(folder, digest), "rb") as file:
            ingest.add_stream(store, file, expected=digest)

    return parsed(document, _descriptors(manifest), fetch)


def local_blob(folder: str, digest: str) -> str:
    """Return the path of a blob in a cache's folder. Raises ValueError for what is no digest."""
    if not is_digest(digest):
        raise ValueError(f"{digest!r} is not a digest")
    return f"{folder}/blobs/sha256/{digest[7:]}"


def _descriptors(manifest: Json) -> list[Blob]:
    layers = manifest.get("layers")
    return [Blob(str(each["digest"]), int(each["size"])) for each in layers] if isinstance(layers, list) else []


def parsed(document: Json, blobs: Sequence[Blob], fetch: Fetch) -> Imported:
    """Return the cache that a list of records describes, or an image whose configuration holds one. Raises KeyError, ValueError."""
    inline = document.get(CONFIG_KEY)
    listed = inline if isinstance(inline, dict) else document
    diff_ids = listed.get("diff_ids")
    if diff_ids is None:
        rootfs = document["rootfs"]
        assert isinstance(rootfs, dict)
        diff_ids = rootfs["diff_ids"]
    if (
        not isinstance(diff_ids, list)
        or len(diff_ids) != len(blobs)
        or not all(is_digest(str(each)) for each in diff_ids)
    ):
        raise ValueError("the cache's layers are not those of its manifest")
    records = {}
    rows = listed["records"]
    if not isinstance(rows, list):
        raise ValueError("the cache has no records")
    for row in rows:
        key, numbers, times = str(row["key"]), row["layers"], row["times"]
        if not is_digest(key) or len(numbers) != len(times):
            raise ValueError("the cache has a malformed record")
        records[key] = Snapshot(tuple(str(diff_ids[int(number)]) for number in numbers), tuple(map(str, times)))
    named = listed.get("aliases")
    aliases = {
        str(definition): str(key)
        for definition, key in (named.items() if isinstance(named, dict) else ())
        if is_digest(str(definition)) and str(key) in records
    }
    return Imported(records, aliases, dict(zip(map(str, diff_ids), blobs, strict=True)), fetch)


async def read_registry(build: Build, text: str) -> Imported:
    """Read a cache from a registry: a cache's own manifest, or an image with an inline cache."""
    reference = parse_reference(text).with_tag()
    auth = build.request.credentials(reference.domain)
    store = build.store

    def action(child: Child) -> Json:
        from hyperbox.image.pull import choose_platform, fetch_blob, fetch_manifest, parse_manifest
        from hyperbox.image.registry import Connection, Registry

        connection = Connection(Registry.of(reference, auth))
        try:
            manifest = parse_manifest(*fetch_manifest(connection, reference, reference.digest or reference.tag))
            if "manifests" in manifest:
                manifest = parse_manifest(*fetch_manifest(connection, reference, choose_platform(manifest, "")))
            config = manifest["config"]
            assert isinstance(config, dict)
            digest, size = str(config["digest"]), int(config["size"])
            if not is_digest(digest) or size > LIMIT:
                raise JobFailed("the cache's configuration is not usable")
            with store.shared_lock():
                fetch_blob(store, connection, digest, size, lambda current: None)
                return {"Manifest": manifest, "Document": read_json(store.blob(digest))}
        finally:
            connection.close()

    def fetch(store: ImageStore, digest: str, size: int) -> None:
        from hyperbox.image.pull import fetch_blob
        from hyperbox.image.registry import Connection, Registry

        connection = Connection(Registry.of(reference, auth))
        try:
            fetch_blob(store, connection, digest, size, lambda current: None)
        finally:
            connection.close()

    answer = await build.runner.start(action, lambda message: None)
    document, manifest = answer["Document"], answer["Manifest"]
    assert isinstance(document, dict)
    assert isinstance(manifest, dict)
    return parsed(document, _descriptors(manifest), fetch)


async def bring(build: Build, cache: Imported, snapshot: Snapshot) -> bool:
    """Bring the layers of an imported record into the store; returns whether that was possible."""
    store = build.store

    def action(child: Child) -> Json:
        with store.shared_lock():
            for diff_id in snapshot.diff_ids:
                build.cache.lease.hold(diff_id)
                if not store.has_layer(diff_id):
                    blob = cache.blobs[diff_id]
                    cache.fetch(store, blob.digest, blob.size)
                    ingest.add_layer(store, blob.digest, diff_id)
        return {}

    try:
        await build.runner.start(action, lambda message: None)
    except JobFailed:
        return False
    return True


# --- out ----------------------------------------------------------------------------------------------------------------------
def wanted_records(build: Build, mode: str) -> list[tuple[str, Snapshot]]:
    """Return the (key, layers) to carry: those of the result's own chain, or of every step for mode=max."""
    solved = build.solved
    if mode == "max":
        return list(solved.items())
    final = build.final.diff_ids
    return [(key, snapshot) for key, snapshot in solved.items() if final[: len(snapshot.diff_ids)] == snapshot.diff_ids]


def listing(records: Sequence[tuple[str, Snapshot]], diff_ids: Sequence[str]) -> list[Json]:
    """Return records as they are written: layers by their positions."""
    position = {diff_id: number for number, diff_id in enumerate(diff_ids)}
    return [
        {"key": key, "layers": [position[each] for each in snapshot.diff_ids], "times": list(snapshot.times)}
        for key, snapshot in records
        if all(each in position for each in snapshot.diff_ids)
    ]


def inline_cache(build: Build, diff_ids: Sequence[str]) -> Json:
    """Return what an image's configuration holds where --cache-to type=inline (or BUILDKIT_INLINE_CACHE=1) was asked for, else {}."""
    asked = any(cache.kind == "inline" for cache in build.request.cache_to)
    if not asked and dict(build.request.build_args).get("BUILDKIT_INLINE_CACHE") not in ("1", "true"):
        return {}
    records = wanted_records(build, "min")
    keys = {key for key, _ in records}
    aliases = {definition: key for definition, key in build.aliases.items() if key in keys}
    return {CONFIG_KEY: {"records": listing(records, diff_ids), "aliases": aliases}}


async def save_caches(build: Build) -> None:
    """Write every --cache-to but inline ones. Raises BuildFailed, unless ignore-error says not to."""
    for cache in build.request.cache_to:
        if cache.kind == "inline":
            continue
        vertex = f"export {cache.kind} {cache.get('dest') or cache.get('ref')}"
        build.progress.start(
            vertex, f"exporting cache to {'client directory' if cache.kind == 'local' else cache.kind}"
        )

        def action(child: Child, cache: Cache = cache) -> Json:
            save(build, cache)
            return {}

        try:
            await build.runner.start(action, lambda message: None)
        except JobFailed as error:
            build.progress.end(vertex, error=error.message)
            if cache.get("ignore-error") != "true":
                raise BuildFailed(f"failed to solve: error writing cache: {error.message}", vertex=vertex) from None
        else:
            build.progress.end(vertex)


def save(build: Build, cache: Cache) -> None:
    """Write one cache. Only for a job."""
    store = build.store
    records = wanted_records(build, cache.get("mode", "min"))
    diff_ids = list(dict.fromkeys(each for _, snapshot in records for each in snapshot.diff_ids))
    with store.shared_lock():
        digests = [packed(store, diff_id) for diff_id in diff_ids]
        keys = {key for key, _ in records}
        aliases = {definition: key for definition, key in build.aliases.items() if key in keys}
        document = {"diff_ids": diff_ids, "records": listing(records, diff_ids), "aliases": aliases}
        config = files.dumps(document).encode()
        config_digest = ingest.add_bytes(store, config)
        manifest = files.dumps(
            {
                "schemaVersion": 2,
                "mediaType": ingest.OCI_MANIFEST,
                "config": {"mediaType": MEDIA_TYPE, "digest": config_digest, "size": len(config)},
                "layers": [
                    {"mediaType": LAYER_TYPE, "digest": digest, "size": os.path.getsize(store.blob(digest))}
                    for digest in digests
                ],
            }
        ).encode()
        if cache.kind == "local":
            save_local(store, cache.get("dest"), [*digests, config_digest], manifest)
        else:
            save_registry(build, cache.get("ref"), [*digests, config_digest], manifest)


def packed(store: ImageStore, diff_id: str) -> str:
    """Return the digest of a layer's compressed blob, made where the store does not have it."""
    blob = str(store.layer_record(diff_id)["blob"])
    if ingest.is_virtual(store, blob):
        return ingest.compress(store, ingest.Chunks(ingest.layer_tar(store, blob)))
    if not store.has_blob(blob):
        raise JobFailed(f"the blob of layer {diff_id} is not there any more")
    return blob


def save_local(store: ImageStore, folder: str, digests: Sequence[str], manifest: bytes) -> None:
    """Write a cache into a folder: blobs first, the index last."""
    import hashlib
    import shutil

    os.makedirs(f"{folder}/blobs/sha256", exist_ok=True)
    for digest in digests:
        target = local_blob(folder, digest)
        if not os.path.exists(target):
            shutil.copyfile(store.blob(digest), f"{target}.tmp.{os.getpid()}")
            os.rename(f"{target}.tmp.{os.getpid()}", target)
    name = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    files.write_atomic(local_blob(folder, name), manifest, mode=0o644)
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": ingest.OCI_MANIFEST, "digest": name, "size": len(manifest)}],
    }
    files.write_atomic(f"{folder}/oci-layout", '{"imageLayoutVersion":"1.0.0"}', mode=0o644)
    files.write_json(f"{folder}/index.json", index, mode=0o644)


def save_registry(build: Build, text: str, digests: Sequence[str], manifest: bytes) -> None:
    """Push a cache."""
    from hyperbox.image.push import _put_manifest, push_blob
    from hyperbox.image.registry import Connection, Registry

    reference = parse_reference(text).with_tag()
    connection = Connection(Registry.of(reference, build.request.credentials(reference.domain), "pull,push"))
    try:
        for digest in digests:
            push_blob(build.store, connection, digest, lambda current, total: None)
        _put_manifest(connection, reference, manifest, ingest.OCI_MANIFEST)
    finally:
        connection.close()
