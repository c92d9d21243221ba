"""A folder as a layer's tar: whiteouts, links, attributes, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from hyperbox.image.layer import layer_chunks, measure_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="device nodes and attributes of overlayfs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    upper = tmp_path / "upper"
    (upper / "b" / "c").mkdir(parents=True)
    (upper / "a").write_text("content")
    os.link(upper / "a", upper / "b" / "hard")
    (upper / "b" / "soft").symlink_to("../a")
    os.mknod(upper / "gone", 0o020000, 0)
    os.mkfifo(upper / "pipe")
    return upper


def test_entries_are_sorted_and_marks_become_whiteouts(folder: Path) -> None:
    os.setxattr(folder / "b", "trusted.overlay.opaque", b"y")
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer_chunks(str(folder))))) as archive:
        members = {member.name: member for member in archive}
    assert list(members) == ["a", "b", "b/.wh..wh..opq", "b/c", "b/hard", "b/soft", ".wh.gone", "pipe"]
    assert members["b/hard"].linkname == "a"
    assert members["b/soft"].linkname == "../a"
    assert members["pipe"].isfifo()


def test_the_same_folder_gives_the_same_bytes_and_times_can_be_bounded(folder: Path) -> None:
    first = measure_layer(str(folder))
    assert measure_layer(str(folder)) == first
    assert first[2] == len("content") + len("../a")
    data = b"".join(layer_chunks(str(folder)))
    assert (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) == first[:2]
    bounded = measure_layer(str(folder), newest=1000)[0]
    for path in [*folder.rglob("*")]:
        if path.name != "gone":
            os.utime(path, (2000, 2000), follow_symlinks=False)
    assert measure_layer(str(folder), newest=1000)[0] == bounded
