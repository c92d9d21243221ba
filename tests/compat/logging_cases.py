"""What the logging drivers send, recorded from the real docker and compared with what HyperBox sends.

Receivers on loopback take the messages of one container for each case; golden/docker/logging.json has what docker sent:

    python3 tests/compat/logging_cases.py DOCKER…     records it (run where dockerd's loopback is this one's)

The image `busybox` must be there.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/logging.json"
NAME = "hb-logging"
SCRIPT = "echo one two; sleep 0.1; echo; sleep 0.1; echo 'e & <r>' >&2; sleep 0.1; echo '{\"a\": [1]}'; printf 'no end'; sleep 0.2"
# name -> (what receives, driver, options); ADDRESS is where it listens
CASES: dict[str, tuple[str, str, list[str]]] = {
    "syslog udp": ("udp", "syslog", ["syslog-address=udp://ADDRESS"]),
    "syslog tcp": ("tcp", "syslog", ["syslog-address=tcp://ADDRESS", "syslog-facility=local3", "tag={{.Name}}/{{.ID}}"]),
    "syslog unixgram": ("unixgram", "syslog", ["syslog-address=unixgram://ADDRESS"]),
    "syslog unix": ("unix", "syslog", ["syslog-address=unix://ADDRESS", "syslog-facility=17"]),
    "syslog 3164": ("tcp", "syslog", ["syslog-address=tcp://ADDRESS", "syslog-format=rfc3164", "labels=lab"]),
    "syslog 5424": ("tcp", "syslog", ["syslog-address=tcp://ADDRESS", "syslog-format=rfc5424", "env=VAR"]),
    "syslog 5424 micro": ("udp", "syslog", ["syslog-address=udp://ADDRESS", "syslog-format=rfc5424micro"]),
    "gelf udp": ("udp", "gelf", ["gelf-address=udp://ADDRESS", "labels=lab", "env=VAR"]),
    "gelf zlib": ("udp", "gelf", ["gelf-address=udp://ADDRESS", "gelf-compression-type=zlib", "tag=t"]),
    "gelf plain": ("udp", "gelf", ["gelf-address=udp://ADDRESS", "gelf-compression-type=none", "env-regex=^V"]),
    "gelf tcp": ("tcp", "gelf", ["gelf-address=tcp://ADDRESS", "labels-regex=^l"]),
    "fluentd": ("tcp", "fluentd", ["fluentd-address=ADDRESS", "labels=lab", "env=VAR"]),
    "fluentd precise": ("tcp", "fluentd", ["fluentd-address=tcp://ADDRESS", "fluentd-sub-second-precision=true", "tag=a.b"]),
    "fluentd unix": ("unix", "fluentd", ["fluentd-address=unix://ADDRESS", "mode=non-blocking"]),
    "splunk": ("http", "splunk", ["splunk-url=http://ADDRESS", "splunk-token=t", "labels=lab"]),
    "splunk raw": ("http", "splunk", ["splunk-url=http://ADDRESS", "splunk-token=t", "splunk-format=raw", "splunk-gzip=true"]),
    "splunk json": (
        "http",
        "splunk",
        ["splunk-url=http://ADDRESS", "splunk-token=t", "splunk-format=json", "splunk-index=i", "splunk-verify-connection=false"],
    ),
}  # fmt: skip
PATTERNS = (
    (re.compile(r"[0-9a-f]{64}"), "<ID>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<SHORT>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:]+\.\d{6}(Z|[+-]\d\d:\d\d)"), "<MICRO>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:]+(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<TIME>"),
    (re.compile(r"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d"), "<STAMP>"),
    (re.compile(r"\b1[0-9]{9}\.\d{6}\b"), "<EPOCH.6>"),
    (re.compile(r"\b1[0-9]{9}(\.\d{1,3})?\b"), "<EPOCH>"),
    (re.compile(r"\[\d+\]: "), "[<PID>]: "),
    (re.compile(r"(?<=<SHORT> )\d+ "), "<PID> "),
)


class Receiver:
    """Takes what comes on a socket of one kind, until `stop`: `data` has each piece, `address` is where it listens."""

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.data: list[bytes] = []
        family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
        self.server: http.server.ThreadingHTTPServer | None = None
        if kind == "http":
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), collector(self.data))
            self.address = f"127.0.0.1:{self.server.server_port}"
            threading.Thread(target=self.server.serve_forever, daemon=True).start()
            return
        self.socket = socket.socket(family, socket.SOCK_DGRAM if kind in ("udp", "unixgram") else socket.SOCK_STREAM)
        self.socket.bind(f"{folder}/{kind}" if family == socket.AF_UNIX else ("127.0.0.1", 0))
        name = self.socket.getsockname()
        self.address = name if isinstance(name, str) else f"127.0.0.1:{name[1]}"
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self) -> None:
        if self.kind in ("udp", "unixgram"):
            while True:
                self.data.append(self.socket.recv(1 << 16))
        self.socket.listen()
        while True:
            connection, _ = self.socket.accept()
            received = b""
            while piece := connection.recv(1 << 16):
                received += piece
            self.data.append(received)

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


def collector(data: list[bytes]) -> type[http.server.BaseHTTPRequestHandler]:
    """Return a handler of HTTP requests that keeps what is posted."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            head = f"{self.path} {self.headers['Authorization']} {self.headers.get('Content-Encoding', '-')}\n"
            data.append(head.encode() + (zlib.decompress(body, 31) if "gzip" in head else body))
            self.answer()

        def answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            return

    return Handler


def unpacked(data: bytes) -> Iterator[object]:
    """Yield the MessagePack values in `data`."""
    position = 0

    def take(count: int) -> bytes:
        nonlocal position
        position += count
        return data[position - count : position]

    def value() -> object:
        first = take(1)[0]
        if first >> 5 == 5:
            return take(first & 31).decode()
        if first in (0xD9, 0xDA):
            return take(int.from_bytes(take(first - 0xD8), "big")).decode()
        if first >> 4 == 9:
            return [value() for _ in range(first & 15)]
        if first >> 4 == 8:
            return dict(sorted((str(value()), value()) for _ in range(first & 15)))
        if first == 0xD2:
            return f"int32 {int.from_bytes(take(4), 'big')}"
        assert first == 0xD7, first
        kind, seconds, _ = take(1)[0], int.from_bytes(take(4), "big"), take(4)
        return f"ext{kind} {seconds}.000000"

    while position < len(data):
        yield value()


def messages(kind: str, driver: str, data: list[bytes]) -> list[str]:
    """Return what was received as comparable lines."""
    found: list[str] = []
    for piece in data:
        if driver == "fluentd":
            found += [json.dumps(each) for each in unpacked(piece)]
        elif piece[:2] in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c"):
            found.append(f"{piece[:2].hex()[:3]} {zlib.decompressobj(47).decompress(piece).decode()}")
        elif kind == "http":
            found.append(piece.decode())
        else:
            found += piece.decode().replace("\0", "\\0\n").splitlines()
    host = os.uname().nodename
    lines = []
    for line in found:
        text = re.sub(rf"\b{re.escape(host)}\b", "<HOST>", line)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        lines.append(text)
    return lines


def sent(docker: Sequence[str], name: str, environment: dict[str, str] | None = None) -> list[str]:
    """Run one case and return what its receiver got."""
    kind, driver, options = CASES[name]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        receiver = Receiver(kind, folder)
        flags = [word for option in options for word in ("--log-opt", option.replace("ADDRESS", receiver.address))]
        command = ["run", "--rm", "--name", NAME, "-l", "lab=v", "-e", "VAR=w", "--log-driver", driver, *flags]
        subprocess.run(
            [*docker, *command, "busybox", "sh", "-c", SCRIPT],
            check=True,
            capture_output=True,
            timeout=60,
            env=environment,
        )
        until = time.monotonic() + 10
        while time.monotonic() < until and "no end" not in "".join(messages(kind, driver, list(receiver.data))):
            time.sleep(0.05)
        receiver.stop()
        return messages(kind, driver, receiver.data)


def in_order(lines: list[str]) -> list[str]:
    """Return messages in an order that does not depend on which of two streams is read first."""
    return sorted(event for line in lines for event in line.replace("}{", "}\n{").splitlines())


def recorded() -> dict[str, list[str]]:
    """Return what docker sent."""
    value = json.loads(GOLDEN.read_text())
    assert isinstance(value, dict)
    return value


def main(docker: list[str]) -> None:
    GOLDEN.write_text(json.dumps({name: sent(docker, name) for name in CASES}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
