"""A registry of one image, on loopback, read only: what `hyperbox bench` measures pulls from.

`python -m hyperbox.cli.bench_registry FOLDER PORT` serves it by hand, for a program whose loopback is another network namespace's.
"""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import sys
import threading

from hyperbox.cli.bench_image import MANIFEST_TYPE, REPOSITORY, make_image

BLOB = re.compile(rf"/v2/{REPOSITORY}/blobs/sha256:([0-9a-f]{{64}})")


class Handler(http.server.BaseHTTPRequestHandler):
    """The distribution API's reading half for one repository with one tag."""

    protocol_version = "HTTP/1.1"
    folder = ""

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.path == "/v2/":
            self._send("application/json", b"{}", body=body)
        elif self.path.startswith(f"/v2/{REPOSITORY}/manifests/"):
            with open(f"{self.folder}/manifest.json", "rb") as file:
                self._send(MANIFEST_TYPE, file.read(), body=body)
        elif found := BLOB.fullmatch(self.path):
            self._send_blob(found[1], body=body)
        else:
            self.send_error(404)

    def _send(self, kind: str, data: bytes, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(data).hexdigest()}")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _send_blob(self, name: str, *, body: bool) -> None:
        try:
            file = open(f"{self.folder}/blobs/{name}", "rb")
        except FileNotFoundError:
            self.send_error(404)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size))
            self.send_header("Docker-Content-Digest", f"sha256:{name}")
            self.end_headers()
            if body:
                self.wfile.flush()
                self.connection.sendfile(file)


def serve(folder: str, port: int = 0) -> http.server.ThreadingHTTPServer:
    """Serve the image in `folder` on 127.0.0.1 in a thread of its own; returns the server (`server_port`, `shutdown`). Raises OSError."""
    handler = type("BoundHandler", (Handler,), {"folder": folder})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Make the image where it is missing and serve it until killed."""
    folder, port = sys.argv[1], int(sys.argv[2])
    make_image(folder)
    serve(folder, port)
    threading.Event().wait()


if __name__ == "__main__":
    main()
