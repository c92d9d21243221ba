"""Manifest lists that are made here: where docker's command line keeps them, and what of them goes to a registry.

    CONFIG/manifests/LIST/MANIFEST     one entry, in docker's own JSON: {"Ref", "Descriptor", "Raw", "SchemaV2Manifest" | "OCIManifest"}

LIST and MANIFEST are full references with "/" as "_" and ":" as "-", so that docker and HyperBox read each other's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import urllib.parse

from hyperbox import files
from hyperbox.errors import EngineError, HyperBoxError, InvalidParameter, NotFound
from hyperbox.go.text import quote
from hyperbox.image.ingest import MANIFEST_LIMIT, OCI_MANIFEST
from hyperbox.image.reference import Reference, is_digest, parse_reference
from hyperbox.image.registry import MANIFEST_TYPES, Connection, Registry, Unauthorized, check, read_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Json = dict[str, object]

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
PLATFORM_KEYS = ("architecture", "os", "os.version", "os.features", "variant")
LIST_LIMIT = 1000
# what docker lets a platform be, probed one by one
ARCHITECTURES = {
    "darwin": "386 amd64 arm arm64",
    "dragonfly": "amd64",
    "freebsd": "386 amd64 arm",
    "linux": "386 amd64 arm arm64 mips64 mips64le ppc64le riscv64 s390x",
    "netbsd": "386 amd64 arm",
    "openbsd": "386 amd64 arm",
    "plan9": "386 amd64",
    "solaris": "amd64",
    "windows": "386 amd64",
}


def is_platform(system: str, architecture: str) -> bool:
    """Return whether a manifest list may have an entry of this operating system and architecture."""
    return architecture in ARCHITECTURES.get(system, "").split()


def normalized(text: str) -> Reference:
    """Return the reference that a user typed, `latest` where it has no tag. Raises HyperBoxError with docker's words."""
    try:
        return parse_reference(text).with_tag()
    except InvalidParameter as error:
        raise HyperBoxError(error.message) from None


class ManifestLists:
    """The lists in one folder; see the module's docstring."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def _path(self, *references: Reference) -> str:
        return "/".join([self.folder, *(each.canonical.replace(":", "-").replace("/", "_") for each in references)])

    def entries(self, name: Reference) -> list[Json]:
        """Return the entries of a list, in the order of their files' names. Raises NotFound."""
        try:
            found = sorted(os.listdir(self._path(name)))
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"No such manifest: {name.canonical}") from None
        return [self._read(f"{self._path(name)}/{entry}") for entry in found if not entry.startswith(".")]

    def entry(self, name: Reference, manifest: Reference) -> Json:
        """Return one entry. Raises NotFound."""
        try:
            return self._read(self._path(name, manifest))
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"No such manifest: {manifest.canonical}") from None

    def _read(self, path: str) -> Json:
        try:
            value = files.read_json(path)
        except ValueError as error:
            raise HyperBoxError(f"{path}: {error}") from None
        if not isinstance(value, dict) or not isinstance(value.get("Descriptor"), dict):
            raise HyperBoxError(f"{path}: no entry of a manifest list")
        return value

    def save(self, name: Reference, manifest: Reference, entry: Json) -> None:
        """Keep an entry, in place of an older one."""
        os.makedirs(self._path(name), 0o700, exist_ok=True)
        files.write_atomic(self._path(name, manifest), json.dumps(entry, separators=(",", ":")), mode=0o644)

    def remove(self, name: Reference) -> None:
        """Forget a list. Raises NotFound."""
        self.entries(name)
        files.remove_tree(self._path(name))


def platform_of_entry(entry: Json) -> Json:
    """Return an entry's platform, {} where it has none."""
    descriptor = entry["Descriptor"]
    platform = descriptor.get("platform") if isinstance(descriptor, dict) else None
    return platform if isinstance(platform, dict) else {}


def with_platform(entry: Json, platform: Json) -> Json:
    """Return the entry with another platform, its keys in docker's order."""
    descriptor = entry["Descriptor"]
    assert isinstance(descriptor, dict)
    kept = {key: platform[key] for key in PLATFORM_KEYS if platform.get(key)}
    return {**entry, "Descriptor": {**descriptor, "platform": {"architecture": "", "os": "", **kept}}}


# --- in registries --------------------------------------------------------------------------------------------------------------
def fetch(connection: Connection, reference: Reference) -> tuple[bytes, str]:
    """Return a manifest and its media type, by tag where there is one. Raises NotFound, EngineError with docker's words."""
    registry = connection.registry
    missing = f"no such manifest: {reference.canonical}"
    ping(connection, missing)
    address = registry.url(f"{registry.path}/manifests/{reference.tag or reference.digest}")
    try:
        response = connection.request("GET", address, {"Accept": MANIFEST_TYPES})
        if response.status in (401, 403):
            check(response, missing)
    except Unauthorized as error:
        if error.first.startswith("unauthorized"):  # what is denied, and what a token service says, docker tells
            raise NotFound(missing) from None
        raise
    if response.status != 200:
        response.read(1 << 16)
        raise NotFound(missing)
    return read_manifest(response, reference.canonical, reference.digest)


def ping(connection: Connection, missing: str) -> None:
    """Ask the registry whether it is there. Raises NotFound(missing) where it has no TLS and should, EngineError else."""
    try:
        connection.request("GET", connection.registry.url("")).read(1 << 16)
    except EngineError as error:
        if "server gave HTTP response to HTTPS client" in error.message:
            raise NotFound(missing) from None
        if isinstance(error, Unauthorized):
            return
        # docker tells of its first attempt, with TLS
        told = error.message.replace(
            quote(f"http://{connection.registry.host}/v2/"), quote(f"https://{connection.registry.host}/v2/")
        )
        raise EngineError(f"failed to configure transport: error pinging v2 registry: {told}") from None


def document_of(data: bytes, reference: Reference) -> Json:
    """Return a manifest as a record. Raises EngineError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise EngineError(f"{reference.canonical} is not a manifest")
    return value


def entry_of(connection: Connection, reference: Reference, data: bytes, media_type: str) -> Json:
    """Return a fetched manifest as an entry, its platform from its configuration. Raises EngineError."""
    document = document_of(data, reference)
    if "manifests" in document:
        raise EngineError(f"{reference.canonical} is a manifest list")
    config = document.get("config")
    if not isinstance(config, dict) or not isinstance(document.get("layers"), list):
        raise EngineError(f"{reference.canonical} is not a manifest")
    kind = str(document.get("mediaType") or media_type)
    entry: Json = {
        "Ref": reference.canonical,
        "Descriptor": {
            "mediaType": kind,
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            "size": len(data),
        },
        "Raw": base64.b64encode(data).decode(),
        "OCIManifest" if kind == OCI_MANIFEST else "SchemaV2Manifest": document,
    }
    return with_platform(entry, configuration(connection, str(config.get("digest"))))


def configuration(connection: Connection, digest: str) -> Json:
    """Return an image's configuration, checked. Raises EngineError."""
    if not is_digest(digest):
        raise EngineError(f"manifest has an unusable digest: {digest!r}")
    registry = connection.registry
    response = connection.request("GET", registry.url(f"{registry.path}/blobs/{digest}"))
    data = check(response, f"blob {digest}", 200).read(MANIFEST_LIMIT + 1)
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise EngineError(f"image config verification failed for digest {digest}")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"image config {digest} is no JSON: {error}") from None
    return value if isinstance(value, dict) else {}


def entries_of_list(connection: Connection, reference: Reference, data: bytes) -> list[Json]:
    """Return what a fetched manifest list names, each fetched too; the platforms are the list's. Raises EngineError."""
    manifests = document_of(data, reference).get("manifests")
    if not isinstance(manifests, list) or len(manifests) > LIST_LIMIT:
        raise EngineError("unsupported manifest format")
    found = []
    for descriptor in manifests:
        digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
        if not isinstance(digest, str) or not is_digest(digest):
            raise EngineError(f"manifest has an unusable digest: {digest!r}")
        by_digest = Reference(reference.domain, reference.path, "", digest)
        entry = entry_of(connection, by_digest, *fetch(connection, by_digest))
        entry["Ref"] = Reference(reference.domain, reference.path, reference.tag, digest).canonical
        platform = descriptor.get("platform")
        found.append(with_platform(entry, platform if isinstance(platform, dict) else {}))
    return found


def index_of(entries: Iterable[Json], target: Reference) -> Json:
    """Return the manifest list that holds the entries. Raises HyperBoxError where one is in another registry than the list."""
    manifests: list[Json] = []
    for entry in entries:
        source = parse_reference(str(entry["Ref"]))
        if source.domain != target.domain:
            raise HyperBoxError(
                "cannot use source images from a different registry than the target image: "
                f"{source.domain} != {target.domain}"
            )
        descriptor = entry["Descriptor"]
        assert isinstance(descriptor, dict)
        plain = {key: descriptor.get(key) for key in ("mediaType", "size", "digest")}
        manifests.append({**plain, "platform": platform_of_entry(entry)})
    oci = bool(manifests) and manifests[0]["mediaType"] == OCI_MANIFEST
    return {"schemaVersion": 2, "mediaType": OCI_INDEX if oci else DOCKER_LIST, "manifests": manifests}


def push(connection: Connection, target: Reference, entries: list[Json], tell: Callable[[str], None]) -> str:
    """Send a list with what it names of other repositories of the registry; returns its digest. Raises HyperBoxError, EngineError."""
    for entry in entries:
        platform = platform_of_entry(entry)
        if not platform.get("architecture") or not platform.get("os"):
            raise HyperBoxError(f"manifest {entry['Ref']} must have an OS and Architecture to be pushed to a registry")
    data = (json.dumps(index_of(entries, target), indent=3, ensure_ascii=False)).encode()
    ping(connection, f"no such manifest: {target.canonical}")
    others = [entry for entry in entries if parse_reference(str(entry["Ref"])).path != target.path]
    for entry in others:
        _mount_blobs(connection, target, entry)
    for entry in others:
        descriptor = entry["Descriptor"]
        assert isinstance(descriptor, dict)
        raw = base64.b64decode(str(entry.get("Raw", "")))
        reference = Reference(target.domain, target.path, "", str(descriptor["digest"]))
        digest = put(connection, reference, raw, str(descriptor["mediaType"]))
        tell(f"Pushed ref {reference.canonical} with digest: {digest}")
    return put(connection, target, data, str(json.loads(data)["mediaType"]))


def sources_of(entries: Iterable[Json], target: Reference) -> list[str]:
    """Return the repositories, other than the list's own, whose blobs a push mounts."""
    paths = {parse_reference(str(entry["Ref"])).path for entry in entries}
    return sorted(paths - {target.path})


def _mount_blobs(connection: Connection, target: Reference, entry: Json) -> None:
    document = entry.get("SchemaV2Manifest") or entry.get("OCIManifest")
    assert isinstance(document, dict)
    source = parse_reference(str(entry["Ref"]))
    for descriptor in [document["config"], *document["layers"]]:
        digest = str(descriptor["digest"])
        status = mount_blob(connection, digest, source.path)
        if status == 201:
            continue
        where = f"{source.repository}@{digest}"
        if status != 202:
            raise HyperBoxError(f"failed to mount blob {where} to {target.canonical}: HTTP status {status}")
        if platform_of_entry(entry).get("os") != "windows":
            raise HyperBoxError(f"error mounting {where} to {target.canonical}")


def mount_blob(connection: Connection, digest: str, source: str) -> int:
    """Have a registry take a blob from another repository of its own; returns 201 where it did, 202 where it did not, or an error's status."""
    registry = connection.registry
    query = urllib.parse.urlencode({"mount": digest, "from": source})
    address = registry.url(f"{registry.path}/blobs/uploads/?{query}")
    response = connection.request("POST", address, {"Content-Length": "0"})
    response.read(1 << 16)
    if response.status == 202:  # an upload was begun in its place
        location = urllib.parse.urljoin(registry.url(""), response.headers.get("Location", ""))
        connection.request("DELETE", location).read(1 << 16)
    return response.status


def put(connection: Connection, reference: Reference, data: bytes, media_type: str) -> str:
    """Send a manifest under its reference's tag or digest; returns its digest. Raises HyperBoxError."""
    registry = connection.registry
    address = registry.url(f"{registry.path}/manifests/{reference.tag or reference.digest}")
    headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
    try:
        check(connection.request("PUT", address, headers, data), "", 201).read()
    except EngineError as error:
        raise HyperBoxError(
            f"failed to put manifest {reference.canonical}: {error.message.removeprefix(': ')}"
        ) from None
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def registry_for(
    reference: Reference, auth: Json | None, *, insecure: bool, sources: Iterable[str] | None = None
) -> Registry:
    """Return the registry of a reference as `docker manifest` reaches it: without TLS only where `insecure` says so.

    `sources`: repositories to mount from, where a list is pushed.
    """
    return Registry(
        reference.domain,
        reference.path,
        auth,
        "pull" if sources is None else "pull,push",
        insecure=insecure,
        sources=tuple(sources or ()),
    )
