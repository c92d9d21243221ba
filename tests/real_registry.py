"""Debian's docker-registry on loopback for the time of a `with`, and small images put into it without any docker."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fake_registry import CONFIG as OCI_CONFIG
from tests.fake_registry import LAYER as OCI_LAYER
from tests.fake_registry import MANIFEST as OCI_MANIFEST
from tests.fake_registry import tar_of

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
USER, PASSWORD = "ada", "secret"
# `htpasswd -nbB ada secret`
HTPASSWD = "ada:$2y$05$U1hgn5JgNPB3dLDZ8wHnNO0YnRjWFrTdsZoFTdzxvdL9QT7p2VWT.\n"


@contextmanager
def real_registry(folder: Path, port: int, *, accounts: str = "", more: Sequence[str] = ()) -> Iterator[str]:
    """Serve a registry that keeps its content in `folder`; gives its "127.0.0.1:PORT".

    `accounts`: the htpasswd file that it asks by; `more`: lines of its configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "version: 0.1",
        "log: {level: error, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: '{folder}/content'}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '127.0.0.1:{port}'}}",
    ]
    if accounts:
        (folder / "accounts").write_text(accounts)
        lines.append(f"auth: {{htpasswd: {{realm: test, path: '{folder}/accounts'}}}}")
    lines.extend(more)
    (folder / "config.yml").write_text("\n".join(lines) + "\n")
    with subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
                    break
                except urllib.error.HTTPError:
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def send(method: str, address: str, data: bytes = b"", **headers: str) -> str:
    """Send a request and return the Location of the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, data=data, method=method, headers=named)
    with urllib.request.urlopen(request, timeout=20) as response:
        return str(response.headers.get("Location", ""))


def put_blob(host: str, repository: str, data: bytes) -> str:
    """Put a blob into a registry and return its digest."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = urllib.parse.urljoin(
        f"http://{host}/", send("POST", f"http://{host}/v2/{repository}/blobs/uploads/", Content_Length="0")
    )
    mark = "&" if "?" in place else "?"
    send("PUT", f"{place}{mark}digest={digest}", data, Content_Type="application/octet-stream")
    return digest


def packed(data: bytes) -> bytes:
    """Return gzip's form of some bytes, uncompressed, so that it is the same with each zlib."""
    stored = zlib.compressobj(0, zlib.DEFLATED, -15)
    body = stored.compress(data) + stored.flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", zlib.crc32(data), len(data))


def put_image(host: str, name: str, files: dict[str, bytes], *, oci: bool = False, **platform: str) -> str:
    """Put an image of one layer into a registry, the same bytes each time; returns its manifest's digest."""
    repository, _, tag = name.rpartition(":")
    layer = tar_of(files)
    document = {
        "architecture": "amd64",
        "config": {"Cmd": ["/a"]},
        "created": "2024-01-02T03:04:05Z",
        "os": "linux",
        **platform,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    config, blob = json.dumps(document).encode(), packed(layer)
    kinds = (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER) if oci else (MANIFEST, CONFIG, LAYER)
    manifest = {
        "schemaVersion": 2,
        "mediaType": kinds[0],
        "config": {"mediaType": kinds[1], "size": len(config), "digest": put_blob(host, repository, config)},
        "layers": [{"mediaType": kinds[2], "size": len(blob), "digest": put_blob(host, repository, blob)}],
    }
    data = json.dumps(manifest, indent=2 if oci else 3).encode()
    send("PUT", f"http://{host}/v2/{repository}/manifests/{tag}", data, Content_Type=kinds[0])
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
