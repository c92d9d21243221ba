"""A Docker Engine API made of fixed objects, so that the real docker command line formats the very objects that our tests format.

    python3 tests/compat/stub_engine.py SOCKET     serves golden/docker/formats/objects.json until it is killed

`{"$ago": N}` in an object stands for the time N seconds before now, in seconds of the epoch.
"""

from __future__ import annotations

import json
import re
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

OBJECTS = Path(__file__).resolve().parents[2] / "golden/docker/formats/objects.json"


def resolve(value: object, now: float) -> object:
    """Return `value` with all {"$ago": N} replaced by times."""
    if isinstance(value, dict):
        if set(value) == {"$ago"}:
            return int(now - float(value["$ago"]))
        return {key: resolve(item, now) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, now) for item in value]
    return value


def objects(now: float | None = None) -> dict[str, object]:
    """Return the fixed objects at a time."""
    value = resolve(json.loads(OBJECTS.read_text()), time.time() if now is None else now)
    assert isinstance(value, dict)
    return value


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of the listing and inspecting commands."""

    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def answer(self, value: object, status: int = 200) -> None:
        body = b"OK" if value == "OK" else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.51")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.answer("OK")

    def do_GET(self) -> None:
        path = re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])
        held = objects()
        routes = {
            "/_ping": "OK",
            "/containers/json": held["containers"],
            "/images/json": held["images"],
            "/containers/one/json": held["container"],
            "/containers/c1/json": held["container"],
            "/images/one/json": held["image"],
            "/images/busybox/json": held["image"],
            "/networks/one": held["network"],
            "/networks/bridge": held["network"],
            "/volumes/vol": held["volume"],
            "/version": held["version"],
            "/info": held["info"],
            "/system/df": held["disk_usage"],
            "/containers/c1/top": held["top"],
            "/containers/c1/stats": held["stats"],
        }
        if path in routes:
            self.answer(routes[path])
            return
        kind, _, name = path.strip("/").partition("/")
        name = name.removesuffix("/json").removesuffix("/stats")
        message = {
            "containers": f"No such container: {name}",
            "images": f"No such image: {name}:latest",
            "networks": f"network {name} not found",
            "volumes": f"get {name}: no such volume",
        }.get(kind, "page not found")
        self.answer({"message": message}, 404)


class Server(socketserver.ThreadingUnixStreamServer):
    """A server on a unix socket."""

    daemon_threads = True


if __name__ == "__main__":
    with Server(sys.argv[1], Handler) as server:
        server.serve_forever()
