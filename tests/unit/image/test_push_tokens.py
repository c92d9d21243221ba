"""image/push.py: an upload whose token is over before its content has come."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hyperbox.image.push import push_blob
from hyperbox.image.registry import Connection, Registry, Unauthorized
from hyperbox.image.store import ImageStore

CONTENT = bytes(range(256)) * (16 << 10)  # more than fits into a socket's buffers


class Uploads(ThreadingHTTPServer):
    """A registry whose tokens T1, T2 … are good until the next one is given; the first `ends` uploads end the present one.

    `drains`: it reads what it refuses.
    """

    def __init__(self, *, drains: bool, ends: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.drains, self.ends = drains, ends
        self.given, self.tries = 0, 0
        self.kept = b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Uploads

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self) -> bool:
        place = f"http://127.0.0.1:{self.server.server_port}/token"
        if self.headers.get("Authorization") == f"Bearer T{self.server.given}":
            return False
        self._answer(401, WWW_Authenticate=f'Bearer realm="{place}",service="s",scope="repository:x:push"')
        return True

    def do_GET(self) -> None:
        if self.path.startswith("/token"):
            self.server.given += 1
            self._answer(200, json.dumps({"token": f"T{self.server.given}", "expires_in": 300}).encode())
        elif not self._refuse():
            self._answer(200, b"{}")

    def do_HEAD(self) -> None:
        if not self._refuse():
            self._answer(404)

    def do_POST(self) -> None:
        if not self._refuse():
            self._answer(202, Location="/upload")

    def do_PUT(self) -> None:
        self.server.tries += 1
        if self.server.tries <= self.server.ends:
            self.server.given += 1  # the token that the client has is over
        if self.server.drains or self.headers.get("Authorization") == f"Bearer T{self.server.given}":
            self.server.kept = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refuse():
            self.close_connection = True
        else:
            self._answer(201)


@pytest.fixture(params=[True, False], ids=["that reads all", "that closes at once"])
def drains(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def push(store: ImageStore, server: Uploads, told: list[int]) -> bool:
    store.prepare()
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    Path(store.blob(digest)).write_bytes(CONTENT)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        registry = Registry(f"127.0.0.1:{server.server_port}", "x", None, insecure=True)
        return push_blob(store, Connection(registry), digest, lambda done, size: told.append(done))
    finally:
        server.shutdown()
        server.server_close()


def test_a_token_that_ends_before_an_upload_is_got_anew_and_all_is_sent_again(tmp_path: Path, drains: bool) -> None:
    server, told = Uploads(drains=drains, ends=1), list[int]()
    assert push(ImageStore(str(tmp_path)), server, told)
    assert server.kept == CONTENT
    assert server.tries == 2
    assert told[-1] == len(CONTENT)


def test_a_token_that_always_ends_is_told_at_last(tmp_path: Path) -> None:
    server = Uploads(drains=True, ends=99)
    with pytest.raises(Unauthorized, match=r"^unauthorized: authentication required$"):
        push(ImageStore(str(tmp_path)), server, [])
    assert server.tries == 3
