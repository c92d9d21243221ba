"""Folders nested so deep that their paths are longer than the kernel takes: copied, exported, committed, compared, saved and removed whole."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Command

from hyperbox import files

pytestmark = pytest.mark.system
DEPTH = 3000
NAME = "deep"  # a path of 15,000 bytes
DEEPEST = "/".join(["top", *[NAME] * DEPTH])


def make(folder: int) -> None:
    """Make the tree in a folder: at its end a file with two names and a link."""
    os.mkdir("top", dir_fd=folder)
    here = os.open("top", os.O_RDONLY, dir_fd=folder)
    for _ in range(DEPTH):
        os.mkdir(NAME, dir_fd=here)
        below = os.open(NAME, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with os.fdopen(os.open("leaf", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=here), "wb") as file:
        file.write(b"content")
    os.link("leaf", "second", src_dir_fd=here, dst_dir_fd=here)
    os.symlink("leaf", "link", dir_fd=here)
    os.close(here)


def check(data: bytes, top: str = "top") -> None:
    """Check that a tar holds the whole tree."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        entries = {entry.name: entry for entry in archive if entry.name.startswith(top)}
        place = DEEPEST.replace("top", top, 1)
        assert len(entries) == DEPTH + 4
        assert entries[f"{place}/link"].linkname == "leaf"
        assert entries[f"{place}/second"].linkname == f"{place}/leaf"
        leaf = archive.extractfile(entries[f"{place}/leaf"])
        assert leaf is not None
        assert leaf.read() == b"content"


@pytest.fixture(params=["stopped", "running"])
def container(request: pytest.FixtureRequest, hyperbox: Command, busybox: str) -> Iterator[str]:
    name = f"deep-{request.param}"
    hyperbox("run", "-d", "--name", name, busybox, "sleep", "600")
    pid = hyperbox("inspect", "-f", "{{.State.Pid}}", name).out.strip()
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY)
    make(root)
    os.close(root)
    if request.param == "stopped":
        hyperbox("stop", "-t", "0", name)
    yield name
    hyperbox("rm", "-f", name)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is emptied in a way that knows deep trees."""
    yield tmp_path
    files.remove_tree(str(tmp_path / "top"))


def test_it_is_exported_copied_and_compared(hyperbox: Command, container: str, folder: Path) -> None:
    check(hyperbox("export", container).out_bytes)
    check(hyperbox("cp", f"{container}:/top", "-").out_bytes)
    differences = set(hyperbox("diff", container).out.split("\n"))
    assert {f"A /{DEEPEST}/leaf", f"A /{DEEPEST}/link", "A /top"} <= differences
    assert len([line for line in differences if line.startswith("A /top")]) == DEPTH + 4
    hyperbox("cp", f"{container}:/top", str(folder))
    packed = subprocess.run(["tar", "-C", folder, "-c", "top"], capture_output=True, check=True).stdout
    check(packed)
    hyperbox("cp", str(folder / "top"), f"{container}:/tmp/copied")
    check(hyperbox("cp", f"{container}:/tmp/copied", "-").out_bytes, "copied")
    hyperbox("cp", "-", f"{container}:/var", input=packed)
    check(hyperbox("cp", f"{container}:/var/top", "-").out_bytes)
    size = hyperbox("ps", "-as", "--filter", f"name={container}", "--format", "{{.Size}}").out
    assert size.startswith(f"{3 * (7 + 4)}B (virtual "), size


def test_its_image_is_whole_and_goes(hyperbox: Command, container: str) -> None:
    image = hyperbox("commit", container, "hb-deep:one").out.strip()
    try:
        assert hyperbox("run", "--rm", image, "sh", "-c", "ls /top | wc -c").out == f"{len(NAME) + 1}\n"
        saved = hyperbox("save", "hb-deep:one").out_bytes
        hyperbox("rmi", "hb-deep:one")
        hyperbox("load", input=saved)
        hyperbox("run", "--name", "deep-volume", "-v", "/top", "hb-deep:one", "true")
        exported = hyperbox("export", container).out_bytes
        hyperbox("import", "-c", "CMD true", "-", "hb-deep:two", input=exported)
        hyperbox("run", "--name", "deep-imported", "hb-deep:two")
        check(hyperbox("export", "deep-imported").out_bytes)
        check(hyperbox("cp", "deep-volume:/top", "-").out_bytes)
    finally:
        hyperbox("rm", "-fv", "deep-volume", "deep-imported")
        hyperbox("rmi", "-f", "hb-deep:one", "hb-deep:two")
    store = Path(os.environ["HYPERBOX_DATA"]) / "images"
    assert not list((store / "staging").iterdir())
