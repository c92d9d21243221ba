"""Archives that are small and unpack to much: ten gigabytes of zeros, a million entries. Kept or refused, in little memory, with nothing left behind.

The full size runs with HYPERBOX_TEST_BOMB=full; docs/speed.md has what it took.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from conftest import Command
from test_hostile_archives import measured

from tests.fake_registry import MANIFEST, fake_registry

pytestmark = pytest.mark.system
FULL = pytest.param(
    True,
    id="full",
    marks=[
        pytest.mark.skipif(
            os.environ.get("HYPERBOX_TEST_BOMB") != "full",
            reason="ten gigabytes and a million entries take minutes: HYPERBOX_TEST_BOMB=full",
        ),
        pytest.mark.timeout(3600),
    ],
)
SIZES = [pytest.param(False, id="small"), FULL]
BLOCK = 1 << 26
KEPT = 32 << 20  # bytes of disk that zeros may take at most
Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "zstd": zstandard.ZstdCompressor(level=1).compress,
}
PATHS = ("import", "load", "cp", "pull", "ADD")


class Bomb:
    """A layer: its compressed bytes, and the digest of the plain ones."""

    def __init__(self, pack: Pack, pieces: Iterator[tuple[bytes, int]]) -> None:
        hasher = hashlib.sha256()
        packed = []
        self.size = 0
        for data, count in pieces:
            packed.append(pack(data) * count)
            self.size += len(data) * count
            for _ in range(count):
                hasher.update(data)
        self.packed = b"".join(packed)
        self.diff_id = f"sha256:{hasher.hexdigest()}"


def zeros(size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the pieces of a tar with one file of zeros, and how often each comes."""
    entry = tarfile.TarInfo("zeros")
    entry.size = size
    yield entry.tobuf(tarfile.GNU_FORMAT), 1
    yield bytes(BLOCK), size // BLOCK
    yield bytes(1024), 1


def sparse(size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the pieces of a tar with one file that is a hole, by GNU tar's old header."""
    entry = tarfile.TarInfo("zeros")
    entry.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 0)
    header[483:495] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    yield bytes(header), 1
    yield bytes(1024), 1


def many(count: int) -> Iterator[tuple[bytes, int]]:
    """Yield the pieces of a tar of that many empty files in a few folders."""
    for start in range(0, count, 1000):
        names = (f"d{number % 7}/f{number}" for number in range(start, start + 1000))
        yield b"".join(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT) for name in names), 1
    yield bytes(1024), 1


def used(folder: str) -> int:
    """Return the bytes that a folder takes on the disk."""
    return int(subprocess.run(["du", "-s", "-B1", folder], capture_output=True, check=True).stdout.split()[0])


def config_of(bomb: Bomb) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [bomb.diff_id]}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()


def saved(bomb: Bomb, pack: Pack, pieces: Iterator[tuple[bytes, int]]) -> Iterator[bytes]:
    """Yield an archive as `docker save` makes it, its plain layer in a compressed tar."""
    config = config_of(bomb)
    manifest = [{"Config": "config.json", "RepoTags": ["hb-bomb:x"], "Layers": ["layer.tar"]}]
    for name, data in (("config.json", config), ("manifest.json", json.dumps(manifest).encode())):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        yield pack(entry.tobuf() + data + bytes(-len(data) % 512))
    layer = tarfile.TarInfo("layer.tar")
    layer.size = bomb.size
    yield pack(layer.tobuf(tarfile.GNU_FORMAT))
    for data, count in pieces:
        yield pack(data) * count
    yield pack(bytes(1024 + -bomb.size % 512))


def pulled(hyperbox: Command, bomb: Bomb) -> int:
    """Pull an image of the layer from a registry on loopback; returns the code."""
    with fake_registry() as registry:
        config = config_of(bomb)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": registry.add_blob(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": registry.add_blob(bomb.packed),
                    "size": len(bomb.packed),
                }
            ],
        }
        registry.add_manifest("bomb", "x", MANIFEST, manifest)
        name = f"{registry.host}/bomb:x"
        code, _ = measured(hyperbox, "pull", "-q", name)
        hyperbox("tag", name, "hb-bomb:x", code=None)
        hyperbox("rmi", "-f", name, code=None)
    return code


def taken(hyperbox: Command, busybox: str, path: str, bomb: Bomb, archive: Iterator[bytes], folder: Path) -> int:
    """Take the archive in by one of the ways; returns the code."""
    if path == "import":
        return measured(hyperbox, "import", "-", "hb-bomb:x", stdin=bomb.packed)[0]
    if path == "load":
        return measured(hyperbox, "load", stdin=archive)[0]
    if path == "pull":
        return pulled(hyperbox, bomb)
    if path == "cp":
        hyperbox("create", "--name", "hb-bomb", busybox, "true")
        return measured(hyperbox, "cp", "-", "hb-bomb:/tmp", stdin=bomb.packed)[0]
    (folder / "bomb.tar").write_bytes(bomb.packed)
    (folder / "Dockerfile").write_text(f"FROM {busybox}\nADD bomb.tar /d/\n")
    return measured(hyperbox, "build", "-q", "-t", "hb-bomb:x", str(folder))[0]


def goes(hyperbox: Command) -> None:
    hyperbox("rm", "-f", "hb-bomb", code=None)
    hyperbox("rmi", "-f", "hb-bomb:x", code=None)
    hyperbox("builder", "prune", "-af")


@pytest.mark.parametrize("full", SIZES)
@pytest.mark.parametrize("form", ["gzip", "zstd", "sparse"])
@pytest.mark.parametrize("path", PATHS)
def test_zeros_take_neither_memory_nor_disk(
    hyperbox: Command, busybox: str, tmp_path: Path, path: str, form: str, full: bool
) -> None:
    size = (160 if full else 2) * BLOCK
    pieces, pack = sparse if form == "sparse" else zeros, PACKS["zstd" if form == "zstd" else "gzip"]
    bomb = Bomb(pack, pieces(size))
    data = os.environ["HYPERBOX_DATA"]
    before = used(data)
    try:
        assert taken(hyperbox, busybox, path, bomb, saved(bomb, pack, pieces(size)), tmp_path) == 0
        assert used(data) - before < KEPT + len(bomb.packed)
        place = "hb-bomb:/tmp/zeros"
        if path != "cp":
            hyperbox("create", "--name", "hb-bomb", "hb-bomb:x", "true")
            place = f"hb-bomb:/{'d/' if path == 'ADD' else ''}zeros"
        if not full:
            assert len(hyperbox("cp", place, "-").out_bytes) >= size
    finally:
        goes(hyperbox)
    assert used(data) - before < 4 << 20


@pytest.mark.parametrize("full", SIZES)
@pytest.mark.parametrize("path", PATHS)
def test_many_entries_take_little_memory(
    hyperbox: Command, busybox: str, tmp_path: Path, path: str, full: bool
) -> None:
    count = 1_000_000 if full else 20_000
    bomb = Bomb(PACKS["gzip"], many(count))
    try:
        assert taken(hyperbox, busybox, path, bomb, saved(bomb, PACKS["gzip"], many(count)), tmp_path) == 0
    finally:
        goes(hyperbox)
