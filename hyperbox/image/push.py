"""`push`: an image's layers, configuration and manifest into a registry; what the registry has already is not sent again."""

from __future__ import annotations

import os
import urllib.parse

from hyperbox.errors import EngineError, InvalidParameter, NotFound
from hyperbox.image import ingest
from hyperbox.image.reference import Reference, parse_reference
from hyperbox.image.registry import Connection, Registry, Unauthorized, check
from hyperbox.image.registry_errors import refusal_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable

    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    OnEvent = Callable[[Json], None]


def image_push(store: ImageStore, text: str, *, auth: Json | None = None, on_event: OnEvent | None = None) -> None:
    """Push one tag; see `Engine.image_push`. Raises NotFound with docker's words where there is no such tag."""
    reference = parse_reference(text).with_tag()
    if reference.digest:
        raise InvalidParameter("cannot push a digest reference")
    tell = on_event or (lambda event: None)
    image_id = store._by_name(reference)
    tell({"status": f"The push refers to repository [{reference.repository}]"})
    if image_id is None:
        start = f"{reference.repository}:"
        if any(name.startswith(start) for name, _ in store.names()):
            raise NotFound(f"tag does not exist: {reference}")
        raise NotFound(f"An image does not exist locally with the tag: {reference.familiar}")
    registry = Registry.of(reference, auth, "push,pull")
    connection = Connection(registry)
    try:
        data, media_type = _push_content(store, connection, image_id, tell)
        digest = _put_manifest(connection, reference, data, media_type)
        store.set_name(Reference(reference.domain, reference.path, "", digest), image_id)
        tell({"status": f"{reference.tag}: digest: {digest} size: {len(data)}"})
        tell({"progressDetail": {}, "aux": {"Tag": reference.tag, "Digest": digest, "Size": len(data)}})
    except Unauthorized as error:
        message = error.message.rpartition('": ')[2]  # without the address, as docker tells it
        raise EngineError(message or "denied: requested access to the resource is denied") from None
    finally:
        connection.close()


def _push_content(store: ImageStore, connection: Connection, image_id: str, tell: OnEvent) -> tuple[bytes, str]:
    record = store.record(image_id)
    diff_ids = [str(diff_id) for diff_id in record["DiffIds"]]  # type: ignore[attr-defined]
    blobs = [str(digest) for digest in record["LayerDigests"]]  # type: ignore[attr-defined]
    connection.simple("GET", connection.registry.url(""), {}, None)  # that nobody answers is told before all else
    for diff_id in diff_ids:
        tell({"status": "Preparing", "progressDetail": {}, "id": diff_id[7:19]})
    sent = []
    for diff_id, blob in zip(diff_ids, blobs, strict=True):
        packed = _packed(store, blob)
        sent.append(packed)
        new = push_blob(store, connection, packed, progress_of(tell, diff_id[7:19]))
        tell({"status": "Pushed" if new else "Layer already exists", "progressDetail": {}, "id": diff_id[7:19]})
    push_blob(store, connection, image_id, lambda current, total: None)
    if sent == blobs:
        with open(store.blob(str(record["Manifest"])), "rb") as file:
            data = file.read()
        media_type = str(store.read_blob_json(str(record["Manifest"])).get("mediaType") or ingest.OCI_MANIFEST)
        return data, media_type
    data = ingest.manifest_bytes(store, image_id, os.path.getsize(store.blob(image_id)), sent)
    # from now on the image is made of what the registry has, so that its digest stays the same
    store.write_record(image_id, ingest.add_bytes(store, data), sent)
    return data, ingest.DOCKER_MANIFEST


def progress_of(tell: OnEvent, short: str) -> Callable[[int, int], None]:
    """Return the function that tells how much of one layer has been sent."""

    def progress(current: int, total: int) -> None:
        tell({"status": "Pushing", "progressDetail": {"current": current, "total": total}, "id": short})

    return progress


def _packed(store: ImageStore, blob: str) -> str:
    """Return the layer blob to send: a plain tar is packed first (the same bytes every time)."""
    if not ingest.layer_type(store, blob).endswith(".tar"):
        return blob
    if ingest.is_virtual(store, blob):
        return ingest.compress(store, ingest.Chunks(ingest.layer_tar(store, blob)))
    with open(store.blob(blob), "rb") as file:
        return ingest.compress(store, file)


class Counted:
    """A file that tells how much of it has been read."""

    def __init__(self, path: str, tell: Callable[[int, int], None]) -> None:
        self.file = open(path, "rb")
        self.size = os.path.getsize(path)
        self.tell = tell
        self.done = 0

    def rewind(self) -> None:
        """Begin anew: what was sent was refused unread."""
        self.file.seek(0)
        self.done = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, 256 KiB or more at once, and tell of them."""
        chunk = self.file.read(max(size, 1 << 18))
        self.done += len(chunk)
        self.tell(self.done, self.size)
        return chunk


def _taken(response: http.client.HTTPResponse, wanted: int) -> http.client.HTTPResponse:
    """Return the response if its status is the wanted one. Raises EngineError with docker's words."""
    if response.status in (wanted, 401, 403):
        return check(response, "", wanted)
    raise EngineError(refusal_of(response).words)


def push_blob(store: ImageStore, connection: Connection, digest: str, tell: Callable[[int, int], None]) -> bool:
    """Send one blob in one request; returns False where the registry had it. Raises EngineError."""
    registry = connection.registry
    response = connection.request("HEAD", registry.url(f"{registry.path}/blobs/{digest}"))
    response.read()
    if response.status == 200:
        return False
    response = _taken(
        connection.request("POST", registry.url(f"{registry.path}/blobs/uploads/"), {"Content-Length": "0"}), 202
    )
    location = urllib.parse.urljoin(registry.url(""), response.headers["Location"])
    response.read()
    if urllib.parse.urlsplit(location).scheme not in ("https", "http" if not registry.secure else "https"):
        raise EngineError(f"registry {registry.host} names an upload place that is not secure")
    location += ("&" if "?" in location else "?") + urllib.parse.urlencode({"digest": digest})
    source = Counted(store.blob(digest), tell)
    try:
        headers = {"Content-Length": str(source.size), "Content-Type": "application/octet-stream"}
        response = connection.request("PUT", location, headers, source)
        _taken(response, 201).read()
    finally:
        source.file.close()
    return True


def _put_manifest(connection: Connection, reference: Reference, data: bytes, media_type: str) -> str:
    import hashlib

    registry = connection.registry
    headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
    response = connection.request("PUT", registry.url(f"{registry.path}/manifests/{reference.tag}"), headers, data)
    _taken(response, 201).read()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
