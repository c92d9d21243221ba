"""The image that `hyperbox bench` pulls and loads: 8 layers, 200 MB, the same bytes on every machine.

A layer is like those of real images: thousands of small files, some of middle size, one large, of bytes that gzip makes about three times
smaller. `make_image` writes it in the two forms that are measured: an archive for `load` and a folder that `bench_registry` serves.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import json
import os
import random
import tarfile
import zlib
from typing import NamedTuple

LAYERS = 8
# (how many, bytes of each): 25 MB a layer
CONTENT = ((1, 10 << 20), (40, 160 << 10), (400, 16 << 10), (800, 2 << 10))
REPOSITORY = "hyperbox-bench/layers"
# another image: nothing but small files, 100 in a folder
SMALL_FILES = "hyperbox-bench/small-files"
SMALL_COUNT = 20_000
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Layer(NamedTuple):
    """One layer: its plain tar, and the same compressed."""

    plain: bytes
    packed: bytes

    @property
    def diff_id(self) -> str:
        return digest_of(self.plain)


def digest_of(data: bytes) -> str:
    """Return the digest of a blob."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blocks(seed: int) -> list[bytes]:
    """Return pieces of which files are put together: bytes without any order, and words."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randint(2, 9)).hex().encode() for _ in range(400)]
    return [
        chance.randbytes(1024) if number % 4 == 0 else b" ".join(chance.choices(words, k=80)) for number in range(512)
    ]


def make_layer(number: int) -> Layer:
    """Return the layer `number`; its entries are in folders of its own."""
    chance = random.Random(1000 + number)
    pieces = blocks(number)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder, (count, size) in enumerate(CONTENT):
            for index in range(count):
                data = b"".join(chance.choices(pieces, k=size // 700 + 1))[:size]
                member = tarfile.TarInfo(f"usr/lib/bench-{number}/{folder}/{index % 16:02d}/file-{index:04d}")
                member.size, member.mode, member.mtime = len(data), 0o644, 1_700_000_000
                archive.addfile(member, io.BytesIO(data))
    plain = buffer.getvalue()
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return Layer(plain, packer.compress(plain) + packer.flush())


def configuration(diff_ids: list[str]) -> bytes:
    """Return the image's configuration."""
    return json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {"Cmd": ["true"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()


def make_image(folder: str) -> None:
    """Write the image into `folder`: image.tar for `load`, blobs/ and manifest.json for a registry. Does nothing where it is there."""
    if os.path.exists(f"{folder}/manifest.json"):
        return
    os.makedirs(f"{folder}/blobs", exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        layers = list(pool.map(make_layer, range(LAYERS)))
    config = configuration([layer.diff_id for layer in layers])
    described = []
    for layer in layers:
        digest = digest_of(layer.packed)
        described.append({"mediaType": LAYER_TYPE, "size": len(layer.packed), "digest": digest})
        _write(f"{folder}/blobs/{digest[7:]}", layer.packed)
    _write(f"{folder}/blobs/{digest_of(config)[7:]}", config)
    _archive(f"{folder}/image.tar", REPOSITORY, config, [layer.plain for layer in layers])
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": digest_of(config)},
        "layers": described,
    }
    _write(f"{folder}/manifest.json", json.dumps(manifest).encode())


def make_small_files(folder: str) -> None:
    """Write the image of small files to small-files.tar in `folder`, as `docker save` would. Does nothing where it is there."""
    path = f"{folder}/small-files.tar"
    if os.path.exists(path):
        return
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(SMALL_COUNT):
            data = b"small file %d\n" % number * (number % 40)
            member = tarfile.TarInfo(f"usr/share/many/{number // 100:04d}/file-{number:06d}")
            member.size, member.mode, member.mtime = len(data), 0o644, 1_700_000_000
            archive.addfile(member, io.BytesIO(data))
    layer = buffer.getvalue()
    _archive(path, SMALL_FILES, configuration([digest_of(layer)]), [layer])


def _archive(path: str, repository: str, config: bytes, layers: list[bytes]) -> None:
    """Write what `docker save` would."""
    names = [f"{digest_of(layer)[7:]}/layer.tar" for layer in layers]
    image = {"Config": "config.json", "RepoTags": [f"{repository}:loaded"], "Layers": names}
    members = [
        *zip(names, layers, strict=True),
        ("config.json", config),
        ("manifest.json", json.dumps([image]).encode()),
    ]
    with tarfile.open(f"{path}.new", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    os.rename(f"{path}.new", path)


def _write(path: str, data: bytes) -> None:
    with open(f"{path}.new", "wb") as file:
        file.write(data)
    os.rename(f"{path}.new", path)
