"""A registry on loopback that holds small images of a test's own and misbehaves as the test says."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Answer:
    """What the registry says to one request instead of its own answer.

    `cut`: how many bytes of the body are sent before the connection breaks; `stall`: seconds of silence before the body.
    """

    def __init__(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        cut: int = -1,
        stall: float = 0.0,
        ranges: bool = True,
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.body = body
        self.cut = cut
        self.stall = stall
        self.ranges = ranges


class Request:
    """One request as it came."""

    def __init__(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.path = path
        self.headers = {name.lower(): value for name, value in headers.items()}


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a tar with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


class FakeRegistry:
    """`blobs` and `manifests` (by "REPOSITORY:REFERENCE"), the requests that came, and `fault`, which may answer first."""

    def __init__(self, port: int = 0) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.requests: list[Request] = []
        self.fault: Callable[[Request], Answer | None] = lambda request: None
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler_of(self))
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def add_blob(self, data: bytes) -> str:
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def add_image(
        self,
        repository: str,
        layers: list[bytes],
        *,
        tag: str = "latest",
        config: Mapping[str, object] | None = None,
        architecture: str = "amd64",
    ) -> str:
        """Add an image of plain tars and return its manifest's digest."""
        document = {
            "os": "linux",
            "architecture": architecture,
            "config": {"Cmd": ["true"], **(config or {})},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
        config_bytes = json.dumps(document).encode()
        packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": self.add_blob(config_bytes), "size": len(config_bytes)},
            "layers": [{"mediaType": LAYER, "digest": self.add_blob(data), "size": len(data)} for data in packed],
        }
        return self.add_manifest(repository, tag, MANIFEST, manifest)

    def add_manifest(self, repository: str, tag: str, kind: str, manifest: object) -> str:
        data = json.dumps(manifest).encode()
        for reference in (tag, digest_of(data)):
            self.manifests[f"{repository}:{reference}"] = (kind, data)
        return digest_of(data)

    def answer(self, request: Request) -> Answer:
        """Return the registry's own answer."""
        path = request.path.partition("?")[0]
        if path == "/v2/":
            return Answer(body=b"{}")
        if "/manifests/" in path:
            repository, _, reference = path.removeprefix("/v2/").rpartition("/manifests/")
            found = self.manifests.get(f"{repository}:{reference}")
            if found is not None:
                return Answer(headers={"Content-Type": found[0]}, body=found[1])
        if "/blobs/" in path and path.rpartition("/")[2] in self.blobs:
            return Answer(body=self.blobs[path.rpartition("/")[2]])
        body = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        return Answer(404, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def seen(self, part: str) -> list[Request]:
        """Return the requests whose path has a part in it, in order."""
        return [request for request in self.requests if part in request.path]


def handler_of(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            request = Request(self.command, self.path, dict(self.headers.items()))
            registry.requests.append(request)
            own = registry.answer(request)
            answer = registry.fault(request) or own
            body = own.body if answer.body is None else answer.body
            assert body is not None
            status, wanted = answer.status, request.headers.get("range", "")
            if wanted and answer.ranges and status == 200:
                status, body = 206, body[int(wanted.removeprefix("bytes=").rstrip("-")) :]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **own.headers, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.flush()
            if self.command == "HEAD":
                return
            if answer.stall:
                time.sleep(answer.stall)
            self.wfile.write(body if answer.cut < 0 else body[: answer.cut])
            if answer.cut >= 0:
                self.close_connection = True
                self.connection.shutdown(2)

        do_POST = do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            del format, args

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError, OSError):
                return

    return Handler


@contextmanager
def fake_registry(port: int = 0) -> Iterator[FakeRegistry]:
    """Serve a registry for the time of a `with`."""
    registry = FakeRegistry(port)
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.server.shutdown()
        registry.server.server_close()
        thread.join()


def with_tls(registry: FakeRegistry, certificate: str, key: str) -> None:
    """Let a registry speak TLS from now on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    registry.server.socket = context.wrap_socket(
        registry.server.socket, server_side=True, do_handshake_on_connect=False
    )
