"""`pull`: a manifest, the configuration and the layers from a registry into the store.

Layers are downloaded a few at a time and unpacked as they arrive, several at once. Every blob is checked by its digest, one that broke off is
continued where it stopped. What a failed or killed pull leaves is in the store's staging folder only.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import queue
import threading
import urllib.parse

from hyperbox import files
from hyperbox.errors import EngineError, InvalidParameter, NotFound
from hyperbox.image import ingest
from hyperbox.image.content_lock import ContentLock
from hyperbox.image.layer_workers import LayerWorkers, worker_count
from hyperbox.image.platform import checked_platform
from hyperbox.image.reference import DEFAULT_DOMAIN, Reference, is_digest, parse_reference
from hyperbox.image.registry import MANIFEST_TYPES, Connection, Registry, Unauthorized, read_manifest
from hyperbox.image.registry_errors import Refusal, go_document, pull_error, refusal_of
from hyperbox.image.registry_hosts import mirrors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    OnEvent = Callable[[Json], None]

AT_ONCE = 3
TAG_PAGES = 1000
CHUNK = 1 << 19
ATTEMPTS = 5
MAXIMUM_LAYERS = 127
MISSING = ("DENIED", "MANIFEST_UNKNOWN", "NAME_UNKNOWN")
GO_KINDS: dict[type, str] = {list: "array", str: "string", bool: "bool"}
MAXIMUM_BLOB = 1 << 40
CONFIG_TYPES = ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json")


class Pull:
    """One pull: its store, registry, and the queue through which the downloading threads tell what happens."""

    def __init__(self, store: ImageStore, registry: Registry, on_event: OnEvent | None) -> None:
        self.store = store
        self.registry = registry
        self.tell = on_event or (lambda event: None)
        self.events: queue.Queue[tuple[str, Json]] = queue.Queue()
        self.failed = threading.Event()

    def download(self, digest: str, size: int) -> None:
        """Fetch one blob into the store, in a thread; the outcome goes into the queue."""
        connection = Connection(self.registry)
        try:
            fetch_blob(
                self.store, connection, digest, size, lambda current: self._progress(digest, current, size), self.failed
            )
            self.events.put((digest, {"done": True}))
        except BaseException as error:
            self.failed.set()
            self.events.put((digest, {"error": error}))
        finally:
            connection.close()

    def _progress(self, digest: str, current: int, total: int) -> None:
        self.events.put((digest, {"status": "Downloading", "progressDetail": {"current": current, "total": total}}))


def fetch_blob(
    store: ImageStore,
    connection: Connection,
    digest: str,
    size: int,
    on_progress: Callable[[int], None],
    stop: threading.Event | None = None,
) -> None:
    """Fetch a blob of `size` bytes (-1: unknown) into the store, continuing after a broken connection; raises EngineError."""
    with ContentLock(store.path, f"fetch {digest}", stop):
        if not store.has_blob(digest):
            _fetch(store, connection, digest, size, on_progress, stop)


def _fetch(
    store: ImageStore,
    connection: Connection,
    digest: str,
    size: int,
    on_progress: Callable[[int], None],
    stop: threading.Event | None,
) -> None:
    path = store.staging(f"pull-{digest[7:23]}-{threading.get_ident()}")
    limit = size if size >= 0 else MAXIMUM_BLOB
    hasher = hashlib.sha256()
    received = 0
    try:
        with open(path, "wb") as file:
            for attempt in range(ATTEMPTS):
                headers = {"Range": f"bytes={received}-"} if received else {}
                response = connection.request(
                    "GET", connection.registry.url(f"{connection.registry.path}/blobs/{digest}"), headers
                )
                if response.status not in (200, 206):
                    raise EngineError("unknown blob" if response.status == 404 else refusal_of(response).words)
                if received and response.status == 200:
                    file.seek(0)
                    file.truncate()
                    hasher, received = hashlib.sha256(), 0
                for chunk in arriving(connection, response):
                    received += len(chunk)
                    if received > limit:
                        raise EngineError(f"blob {digest} is larger than the manifest says")
                    hasher.update(chunk)
                    file.write(chunk)
                    on_progress(received)
                    if stop is not None and stop.is_set():
                        raise EngineError("canceled")
                if size < 0 or received == size or attempt == ATTEMPTS - 1:
                    break
        if response.length:
            raise EngineError("unexpected EOF")
        if f"sha256:{hasher.hexdigest()}" != digest:
            raise EngineError(f"filesystem layer verification failed for digest {digest}")
        store.reached("blob-fetched")
        os.rename(path, store.blob(digest))
    except OSError as error:
        raise EngineError(f"write {store.path}: {(error.strerror or str(error)).lower()}") from None
    finally:
        files.remove_tree(path)


def arriving(connection: Connection, response: http.client.HTTPResponse) -> Iterator[memoryview]:
    """Yield a body in views that are valid until the next, up to its end or where the connection breaks, which is closed then."""
    buffer = memoryview(bytearray(CHUNK))
    while True:
        try:
            count = response.readinto(buffer)
        except (OSError, ValueError, http.client.HTTPException):
            connection.close()
            return
        if not count:
            return
        yield buffer[:count]


def fetch_manifest(connection: Connection, reference: Reference, tag: str) -> tuple[bytes, str]:
    """Return a manifest's bytes and media type. Raises NotFound or EngineError with docker's words."""
    registry = connection.registry
    address = registry.url(f"{registry.path}/manifests/{tag}")
    try:
        response = connection.request("GET", address, {"Accept": MANIFEST_TYPES})
    except Unauthorized as error:
        refusal = Refusal(error.first, "DENIED" if error.first.startswith("denied: ") else "")
    except EngineError as error:
        raise EngineError(headed(error.message, registry.url(""))) from None
    else:
        if 200 <= response.status < 400:
            return read_manifest(response, str(reference))
        refusal = refusal_of(response)
    # docker asks for the head of a manifest first
    message = pull_error(refusal, reference.familiar, str(reference))
    raise NotFound(message) if refusal.code in MISSING else EngineError(headed(message, registry.url("")))


def headed(message: str, base: str) -> str:
    """Return an error of the first request for a manifest, whose head docker asks for once the registry answers at `base`."""
    if message.startswith('Get "') and not message.startswith(f'Get "{base}"'):
        return message.replace("Get", "Head", 1)
    return message


def parse_manifest(data: bytes, kind: str) -> Json:
    """Return a manifest of a media type as a record. Raises EngineError with docker's words."""
    if not kind:
        raise EngineError("missing or empty Content-Type header")
    known = kind in MANIFEST_TYPES.split(", ")
    value = go_document(data, "" if known else "error unmarshalling content: ")
    if not known:
        raise EngineError("missing signature key")  # docker takes all others for manifests of the first schema
    if not isinstance(value, dict):
        raise EngineError(
            f"json: cannot unmarshal {GO_KINDS.get(type(value), 'number')} into Go value of type ocischema.unknownDocument"
        )
    return value


def check_digest(data: bytes, digest: str) -> None:
    """Raise EngineError where a manifest is not the one that was asked for."""
    if is_digest(digest) and f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise EngineError(f"manifest verification failed for digest {digest}")


def acceptable_variants(architecture: str, variant: str) -> list[str]:
    """Return the variants that a machine of one variant ("" the architecture's usual one) runs, best first; the usual one is ""."""
    older = {"arm": ["v8", "v7", "v6", "v5"], "amd64": ["v4", "v3", "v2", "v1"]}.get(architecture, [variant])
    usual = {"arm": "v7", "arm64": "v8", "amd64": "v1"}.get(architecture, "")
    wanted = variant or usual
    found = older[older.index(wanted) :] if wanted in older else [wanted]
    return ["" if each == usual else each for each in found]


def choose_platform(index: Json, platform: str) -> str:
    """Return the digest of the index's manifest for a platform (default: this machine's). Raises NotFound with docker's words."""
    wanted = (platform or f"linux/{ingest.platform_architecture()}").split("/")
    manifests = index.get("manifests")
    usual = acceptable_variants(wanted[1], "")[0]
    offers: dict[str, object] = {}
    for descriptor in manifests if isinstance(manifests, list) else []:
        if isinstance(descriptor, dict) and descriptor.get("platform") is None:
            offers.setdefault("any", descriptor)
        offered = descriptor.get("platform") if isinstance(descriptor, dict) else None
        if isinstance(offered, dict) and [offered.get("os"), offered.get("architecture")] == wanted[:2]:
            (variant, *_) = acceptable_variants(wanted[1], str(offered.get("variant") or usual))
            offers.setdefault(variant, descriptor)
    for variant in (*acceptable_variants(wanted[1], wanted[2] if len(wanted) > 2 else ""), "any"):
        if variant in offers:
            return _digest(offers[variant])
    raise NotFound(f"no matching manifest for {'/'.join(wanted)} in the manifest list entries")


def _digest(descriptor: object) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not is_digest(digest):
        raise EngineError(f"manifest has an unusable digest: {digest!r}")
    return digest


def _size(descriptor: object) -> int:
    size = descriptor.get("size") if isinstance(descriptor, dict) else None
    return size if isinstance(size, int) and 0 <= size <= MAXIMUM_BLOB else -1


def image_pull(
    store: ImageStore, text: str, *, platform: str = "", auth: Json | None = None, on_event: OnEvent | None = None
) -> str:
    """Pull a tag or a digest and return the image's id; see `Engine.image_pull`."""
    reference = parse_reference(text).with_tag()
    refuse_reserved(reference)
    if reference.digest:  # a tag beside it has no meaning, as with docker
        reference = Reference(reference.domain, reference.path, "", reference.digest)
    if platform:
        platform = "/".join(filter(None, checked_platform(platform)))
    for mirror in mirrors_of(reference):
        try:
            return _pull_from(store, mirror, reference, platform, on_event)
        except EngineError:
            continue  # Docker Hub itself is the last to be asked, and the one whose failure is told
    return _pull_from(store, Registry.of(reference, auth), reference, platform, on_event)


def refuse_reserved(reference: Reference) -> None:
    """Raise InvalidParameter for the name that means no image."""
    if reference.repository == f"{DEFAULT_DOMAIN}/library/scratch":
        raise InvalidParameter("'scratch' is a reserved name")


def mirrors_of(reference: Reference) -> list[Registry]:
    """Return the mirrors that are asked for an image of Docker Hub first. No credentials are for them."""
    if reference.domain != DEFAULT_DOMAIN:
        return []
    found = []
    for scheme, host in mirrors():
        registry = Registry(host, reference.path, None)
        registry.tls = scheme == "https"
        found.append(registry)
    return found


def _pull_from(
    store: ImageStore, registry: Registry, reference: Reference, platform: str, on_event: OnEvent | None
) -> str:
    connection = Connection(registry)
    pull = Pull(store, registry, on_event)
    try:
        with store.shared_lock():
            tag = reference.digest or reference.tag
            data, kind = fetch_manifest(connection, reference, tag)
            manifest = parse_manifest(data, kind)
            pull.tell({"status": f"Pulling from {reference.path}", "id": str(reference) if reference.digest else tag})
            check_digest(data, tag)
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            if "manifests" in manifest:
                chosen = choose_platform(manifest, platform)
                data, kind = fetch_manifest(connection, reference, chosen)
                check_digest(data, chosen)
                manifest = parse_manifest(data, kind)
            return _pull_manifest(pull, connection, reference, digest, data, manifest, platform)
    finally:
        connection.close()


def repository_tags(text: str, *, auth: Json | None = None) -> list[str]:
    """Return the tags that a registry has of a repository, sorted. Raises EngineError.

    See the distribution specification, "Listing Tags": the answer may come in pages.
    """
    refuse_reserved(parse_reference(text))
    registry = Registry.of(parse_reference(text).with_tag(), auth)
    connection = Connection(registry)
    found: set[str] = set()
    address = registry.url(f"{registry.path}/tags/list")
    try:
        for _ in range(TAG_PAGES):
            response = connection.request("GET", address)
            if response.status != 200:
                reference = parse_reference(text).with_tag()
                raise EngineError(pull_error(refusal_of(response), reference.familiar, str(reference)))
            value = go_document(response.read(ingest.MANIFEST_LIMIT))
            tags = value.get("tags") if isinstance(value, dict) else None
            found.update(str(tag) for tag in tags or ())
            link = response.headers.get("Link", "")
            if 'rel="next"' not in link or not link.startswith("<"):
                break
            address = urllib.parse.urljoin(address, link[1:].partition(">")[0])
            if urllib.parse.urlsplit(address).netloc != urllib.parse.urlsplit(registry.url("")).netloc:
                raise EngineError(f"registry {registry.host} leads to another host for the next tags")
    finally:
        connection.close()
    return sorted(found)


def _pull_manifest(
    pull: Pull, connection: Connection, reference: Reference, digest: str, data: bytes, manifest: Json, platform: str
) -> str:
    store = pull.store
    config, layers = manifest.get("config"), manifest.get("layers")
    if not isinstance(config, dict) or not isinstance(layers, list) or len(layers) > MAXIMUM_LAYERS:
        raise EngineError(ingest.MISMATCH)
    if config.get("mediaType") not in CONFIG_TYPES:
        raise EngineError(f"unsupported media type {config.get('mediaType')}")
    image_id = _digest(config)
    known = os.path.exists(store.record_path(image_id))
    name = Reference(reference.domain, reference.path, reference.tag, "") if reference.tag else reference
    before = store._by_name(name)
    if not known:
        diff_ids = _configured_layers(store, connection, config)
        if len(diff_ids) != len(layers):
            raise EngineError(ingest.MISMATCH)
        Layers(pull, layers, diff_ids).bring()
        manifest_digest = ingest.add_bytes(store, data)
        store.write_record(image_id, manifest_digest, [_digest(layer) for layer in layers])
    store.set_name(Reference(reference.domain, reference.path, "", digest), image_id)
    if reference.tag:
        store.set_name(name, image_id)
    pull.tell({"status": f"Digest: {digest}"})
    state = "Image is up to date" if before == image_id else "Downloaded newer image"
    pull.tell({"status": f"Status: {state} for {reference}"})
    offered = platform_text(store.read_blob_json(image_id))
    if platform and not acceptable(platform, offered):
        pull.tell(
            {
                "status": f"WARNING: image with reference {reference} was found but its platform ({offered}) does not match the "
                f"specified platform ({platform})"
            }
        )
    return image_id


def _configured_layers(store: ImageStore, connection: Connection, config: Json) -> list[str]:
    """Fetch an image's configuration and return the layers that it names. Raises EngineError with docker's words."""
    image_id = _digest(config)
    try:
        fetch_blob(store, connection, image_id, min(_size(config), ingest.MANIFEST_LIMIT), lambda current: None)
    except EngineError as error:
        words = error.message.replace("filesystem layer verification", "image config verification")
        attempts = "download failed after attempts=1: " if words == "unknown blob" else ""
        raise EngineError(f"error pulling image configuration: {attempts}{words}") from None
    document = go_document(files.read_text(store.blob(image_id)).encode())
    document = document if isinstance(document, dict) else {}
    system = document.get("os") or "linux"
    if system != "linux":
        words = f'image operating system "{system}" cannot be used on this platform'
        raise EngineError(f"{words}: operating system is not supported")
    rootfs = document.get("rootfs")
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
        raise EngineError("invalid rootfs in image configuration")
    return [str(diff_id) for diff_id in rootfs["diff_ids"]]


def platform_text(document: Json) -> str:
    """Return the platform of an image's configuration as OS/ARCH[/VARIANT]."""
    parts = (document.get("os"), document.get("architecture"), document.get("variant"))
    return "/".join(str(part) for part in parts if part)


def acceptable(wanted: str, offered: str) -> bool:
    """Return whether an image of the platform `offered` is one for `wanted`."""
    system, architecture, variant, *_ = [*wanted.split("/"), "", "", ""]
    other_system, other_architecture, other_variant, *_ = [*offered.split("/"), "", "", ""]
    (found, *_) = acceptable_variants(architecture, other_variant)
    same = (system, architecture) == (other_system, other_architecture)
    return same and found in acceptable_variants(architecture, variant)


class Layers:
    """The layers of one pull on their way: which arrive, are unpacked, are done. Told of in the image's order, as docker does."""

    def __init__(self, pull: Pull, layers: list[object], diff_ids: list[str]) -> None:
        self.pull = pull
        self.sizes = {_digest(layer): _size(layer) for layer in layers}
        self.wanted = ingest.layer_tasks([_digest(layer) for layer in layers], diff_ids)
        store = pull.store
        self.missing = [
            digest
            for digest, diff_id in self.wanted.items()
            if not (store.has_layer(diff_id) and store.has_blob(digest))
        ]
        self.workers = LayerWorkers(store, worker_count(len(self.missing)), self._unpacked) if self.missing else None
        self.unpacked: set[str] = set()

    def _unpacked(self, digest: str, error: BaseException | None) -> None:
        self.pull.events.put((digest, {"unpacked": True} if error is None else {"error": error}))

    def bring(self) -> None:
        """Download and unpack what is missing. Raises the first failure of any thread or worker."""
        for digest in self.wanted:
            status = "Pulling fs layer" if digest in self.missing else "Already exists"
            self.pull.tell({"status": status, "progressDetail": {}, "id": digest[7:19]})
        threads = _start_threads(self.pull, [(digest, self.sizes[digest]) for digest in self.missing])
        try:
            for digest in self.missing:
                while digest not in self.unpacked:
                    self._one_event()
                self.pull.tell({"status": "Pull complete", "progressDetail": {}, "id": digest[7:19]})
        except KeyboardInterrupt:
            self.pull.failed.set()  # a thread may wait for the registry long: nobody waits for it
            threads.clear()
            raise
        except BaseException:
            self.pull.failed.set()
            raise
        finally:
            for thread in threads:
                thread.join()
            if self.workers is not None:
                self.workers.close()

    def _one_event(self) -> None:
        digest, event = self.pull.events.get()
        if "error" in event:
            error = event["error"]
            assert isinstance(error, BaseException)
            raise error
        if "unpacked" in event:
            self.unpacked.add(digest)
        elif "done" in event:
            self._arrived(digest)
        else:
            self.pull.tell({**event, "id": digest[7:19]})

    def _arrived(self, digest: str) -> None:
        """Have a downloaded layer unpacked, unless another image brought its content."""
        tell, size = self.pull.tell, self.sizes[digest]
        for status in ("Verifying Checksum", "Download complete"):
            tell({"status": status, "progressDetail": {}, "id": digest[7:19]})
        if self.pull.store.has_layer(self.wanted[digest]):
            self.unpacked.add(digest)
            return
        tell({"status": "Extracting", "progressDetail": {"current": size, "total": size}, "id": digest[7:19]})
        assert self.workers is not None
        self.workers.submit(digest, self.wanted[digest])


def _start_threads(pull: Pull, waiting: list[tuple[str, int]]) -> list[threading.Thread]:
    work: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    for item in waiting:
        work.put(item)

    def run() -> None:
        while not pull.failed.is_set():
            try:
                digest, size = work.get_nowait()
            except queue.Empty:
                return
            pull.download(digest, size)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(AT_ONCE, len(waiting)))]
    for thread in threads:
        thread.start()
    return threads
