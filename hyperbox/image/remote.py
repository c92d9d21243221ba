"""Images in registries, looked at and put together there without being pulled: what `docker buildx imagetools` does.

Descriptors, manifests and indexes are those of the OCI image specification and of docker's schema 2; all that a registry says is checked by
its digest and bounded in size.
"""

from __future__ import annotations

import hashlib
import json

from hyperbox.errors import EngineError, HyperBoxError, NotFound
from hyperbox.image.ingest import OCI_MANIFEST
from hyperbox.image.manifest_lists import (
    DOCKER_LIST,
    LIST_LIMIT,
    OCI_INDEX,
    configuration,
    document_of,
    mount_blob,
    put,
)
from hyperbox.image.reference import Reference, is_digest
from hyperbox.image.registry import MANIFEST_TYPES, Connection, Registry, Unauthorized, check, read_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Credentials = Callable[[str], Json | None]

DENIED = "{} access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials"
# what an index says of one of its manifests, in Go's order
DESCRIPTOR_KEYS = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")


class Manifest:
    """A manifest or an index as a registry has it."""

    __slots__ = ("data", "document", "media_type", "reference")

    def __init__(self, reference: Reference, data: bytes, media_type: str) -> None:
        self.reference = reference
        self.data = data
        self.document = document_of(data, reference)
        self.media_type = str(self.document.get("mediaType") or media_type)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of its bytes."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def descriptor(self) -> Json:
        """Return what an index would say of it, without a platform."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}

    @property
    def is_index(self) -> bool:
        """Return whether it names other manifests."""
        return "manifests" in self.document

    def manifests(self) -> list[Json]:
        """Return an index's descriptors. Raises EngineError for one that is not what the specification says."""
        found = self.document.get("manifests")
        if not isinstance(found, list) or len(found) > LIST_LIMIT:
            raise EngineError(f"{self.reference.canonical}: unusable index")
        kept = []
        for entry in found:
            digest = entry.get("digest") if isinstance(entry, dict) else None
            if not isinstance(digest, str) or not is_digest(digest):
                raise EngineError(f"{self.reference.canonical}: manifest has an unusable digest: {digest!r}")
            kept.append({key: entry[key] for key in DESCRIPTOR_KEYS if key in entry})
        return kept


class Remote:
    """Repositories of registries, with a connection to each for as long as the command lasts."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.connections: dict[tuple[str, str, str], Connection] = {}

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections.values():
            connection.close()

    def connection(self, reference: Reference, actions: str = "pull", source: Reference | None = None) -> Connection:
        """Return the connection to a repository; `source`: one of the same registry that blobs are mounted from."""
        sources = [source.path] if source is not None and source.domain == reference.domain else []
        key = (reference.repository, actions, "".join(sources))
        if key not in self.connections:
            auth = self.credentials(reference.domain)
            registry = Registry(reference.domain, reference.path, auth, actions, sources=sources)
            self.connections[key] = Connection(registry)
        return self.connections[key]

    def fetch(self, reference: Reference) -> Manifest:
        """Return what is under a reference, by digest where it has one. Raises NotFound, EngineError with buildx's words."""
        connection = self.connection(reference)
        registry = connection.registry
        address = registry.url(f"{registry.path}/manifests/{reference.digest or reference.tag}")
        missing = f"{reference.canonical}: not found"
        try:
            response = connection.request("GET", address, {"Accept": MANIFEST_TYPES})
            if response.status == 404:
                response.read(1 << 16)
                raise NotFound(missing)
            check(response, missing, 200)
        except Unauthorized as error:
            raise self.denied(reference, "pull", error) from None
        return Manifest(reference, *read_manifest(response, reference.canonical, reference.digest))

    def denied(self, reference: Reference, what: str, error: Unauthorized) -> EngineError:
        """Return the error of a registry that wants to know who asks."""
        return EngineError(error.first if self.credentials(reference.domain) else DENIED.format(what))

    def configuration(self, manifest: Manifest) -> Json:
        """Return the configuration of an image's manifest. Raises EngineError."""
        config = manifest.document.get("config")
        digest = config.get("digest") if isinstance(config, dict) else None
        return configuration(self.connection(manifest.reference), str(digest))

    def images(self, manifest: Manifest) -> list[tuple[Json, Manifest]]:
        """Return an index's manifests, or one manifest alone, each with its descriptor, the platform in it. Raises EngineError."""
        if manifest.is_index:
            return [(entry, self.fetch(child(manifest.reference, entry))) for entry in manifest.manifests()]
        config = self.configuration(manifest)
        return [({**manifest.descriptor, "platform": platform_of(config)}, manifest)]

    # --- copies ---
    def copy(self, store: ImageStore, image: Manifest, target: Reference) -> None:
        """Bring an image's blobs and its manifest into the target's repository. Raises EngineError, HyperBoxError."""
        source = image.reference
        config, layers = image.document.get("config"), image.document.get("layers")
        for descriptor in [config, *(layers if isinstance(layers, list) else [])]:
            digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
            if not isinstance(digest, str) or not is_digest(digest):
                raise EngineError(f"{source.canonical}: manifest has an unusable digest: {digest!r}")
            self._copy_blob(store, digest, source, target)
        by_digest = Reference(target.domain, target.path, "", image.digest)
        put(self.connection(target, "pull,push", source), by_digest, image.data, image.media_type)

    def _copy_blob(self, store: ImageStore, digest: str, source: Reference, target: Reference) -> None:
        from hyperbox.image.pull import fetch_blob
        from hyperbox.image.push import push_blob

        there = self.connection(target, "pull,push", source)
        try:
            if source.domain == target.domain and mount_blob(there, digest, source.path) == 201:
                return
            fetch_blob(store, self.connection(source), digest, -1, lambda received: None)
            push_blob(store, there, digest, lambda done, size: None)
        except Unauthorized as error:
            raise self.denied(target, "push", error) from None

    def put(self, target: Reference, data: bytes, media_type: str, source: Reference | None = None) -> None:
        """Send a manifest or an index under the target's tag. Raises HyperBoxError."""
        put(self.connection(target, "pull,push", source), target, data, media_type)


def child(reference: Reference, descriptor: Json) -> Reference:
    """Return the reference of a manifest that an index names, by its digest alone."""
    return Reference(reference.domain, reference.path, "", str(descriptor["digest"]))


def platform_of(config: Json) -> Json:
    """Return an image's platform, its variant left out where it is the architecture's usual one (containerd's Normalize)."""
    architecture, variant = str(config.get("architecture") or ""), str(config.get("variant") or "")
    platform: Json = {"architecture": architecture, "os": str(config.get("os") or "linux")}
    if config.get("os.version"):
        platform["os.version"] = config["os.version"]
    if architecture == "arm" and not variant:
        variant = "v7"
    usual = {"arm64": "v8", "amd64": "v1"}.get(architecture)
    return {**platform, "variant": variant} if variant and variant != usual else platform


def platform_text(platform: object) -> str:
    """Return a platform as os/architecture[/variant]."""
    if not isinstance(platform, dict):
        return ""
    return "/".join(str(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key))


def combined(descriptors: Sequence[Json], annotations: Sequence[tuple[str, str, str]]) -> tuple[bytes, str]:
    """Return an index of manifests, each once, and its media type; docker's own kind of list has no annotations.

    `annotations`: (kind, key, value), the kind "index", "manifest-descriptor" or "manifest-descriptor[PLATFORM]". Raises HyperBoxError for
    another, and where two entries of one manifest are of different platforms.
    """
    found: dict[str, Json] = {}
    for descriptor in descriptors:
        known = found.setdefault(str(descriptor["digest"]), dict(descriptor))
        if platform_text(known.get("platform")) != platform_text(descriptor.get("platform")):
            raise HyperBoxError(f"ERROR: {descriptor['digest']} is there for two platforms")
    manifests = list(found.values())
    oci = any(entry["mediaType"] == OCI_MANIFEST for entry in manifests)
    index: Json = {"schemaVersion": 2, "mediaType": OCI_INDEX if oci else DOCKER_LIST, "manifests": manifests}
    for kind, key, value in annotations if oci else ():
        name, _, platform = kind.partition("[")
        if name not in ("index", "manifest-descriptor"):
            raise HyperBoxError(f'ERROR: "{name}" annotations are not supported yet')
        for record in [index] if name == "index" else manifests:
            if not platform or platform_text(record.get("platform")) == platform.removesuffix("]"):
                before = record.get("annotations")
                pairs = {**(before if isinstance(before, dict) else {}), key: value}
                record["annotations"] = {name: pairs[name] for name in sorted(pairs)}
    index["manifests"] = [{key: entry[key] for key in DESCRIPTOR_KEYS if key in entry} for entry in manifests]
    return json.dumps(index, indent=2, ensure_ascii=False).encode(), str(index["mediaType"])
