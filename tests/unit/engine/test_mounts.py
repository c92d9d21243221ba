"""engine/mounts.py: each way to name a mount as a mount point, and docker's words for what is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperbox.engine import mounts, volumes
from hyperbox.engine.state import Roots
from hyperbox.engine.volume_copy import copy_folder
from hyperbox.errors import Conflict, EmptyName, InvalidParameter, NotFound


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    made = Roots(str(tmp_path / "data"), str(tmp_path / "run"), "hyperbox-test")
    made.prepare()
    return made


def test_a_path_is_a_bind_and_a_name_a_volume() -> None:
    bind, volume = mounts.bind_point("/srv/x:/data/:ro"), mounts.bind_point("name:/data")
    assert (bind["Type"], bind["Source"], bind["Destination"], bind["RW"], bind["Propagation"]) == (
        "bind", "/srv/x", "/data", False, "rprivate",
    )  # fmt: skip
    assert (volume["Type"], volume["Name"], volume["Mode"], volume["RW"]) == ("volume", "name", "z", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b:/x", 'create a b: "a b" includes invalid characters for a local volume name'),
        ("rel/path:/x", 'create rel/path: "rel/path" includes invalid characters'),
        ("name:relative", "invalid mount path: 'relative' mount path must be absolute"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/b:bogus", "invalid mode: bogus"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
    ],
)
def test_what_is_no_bind_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message.replace("(", "\\(")):
        mounts.bind_point(text)


def test_a_mount_of_a_missing_source_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="bind source path does not exist: /nonexistent/x"):
        mounts.mount_point({"Type": "bind", "Source": "/nonexistent/x", "Target": "/m"})
    with pytest.raises(InvalidParameter, match='for type "bogus": mount type unknown'):
        mounts.mount_point({"Type": "bogus", "Target": "/m"})


def test_tmpfs_has_dockers_defaults_unless_the_user_says_otherwise() -> None:
    assert mounts.tmpfs_options("") == ["noexec", "nosuid", "nodev"]
    assert mounts.tmpfs_options("exec,size=1m") == ["nosuid", "nodev", "exec", "size=1m"]


def test_volumes_are_made_listed_filtered_and_removed(roots: Roots) -> None:
    made = volumes.volume_create(roots, {"Name": "one", "Labels": {"a": "b"}})
    assert volumes.volume_create(roots, {"Name": "one"}) == made
    anonymous = volumes.volume_create(roots, {})
    assert len(str(anonymous["Name"])) == 64
    assert [one["Name"] for one in volumes.volume_list(roots, {"label": ["a=b"]})["Volumes"]] == ["one"]  # type: ignore[attr-defined]
    with pytest.raises(InvalidParameter, match="invalid filter 'bogus'"):
        volumes.volume_list(roots, {"bogus": ["1"]})
    assert volumes.volume_prune(roots)["VolumesDeleted"] == [anonymous["Name"]]
    volumes.volume_remove(roots, "one")
    with pytest.raises(NotFound, match="get one: no such volume"):
        volumes.volume_remove(roots, "one")
    volumes.volume_remove(roots, "one", force=True)
    assert volumes.volume_list(roots)["Volumes"] == []


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "x y"])
def test_no_name_leads_out_of_the_volumes_folder(roots: Roots, name: str) -> None:
    with pytest.raises((NotFound, EmptyName)):
        volumes.volume_inspect(roots, name)
    with pytest.raises((NotFound, EmptyName)):
        volumes.volume_remove(roots, name)
    if name:
        with pytest.raises((InvalidParameter, Conflict)):
            volumes.volume_create(roots, {"Name": name})


def test_copying_keeps_links_modes_and_hard_links(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep").mkdir(parents=True)
    (source / "deep/file").write_bytes(b"x" * 100000)
    (source / "deep/file").chmod(0o4755)
    os.link(source / "deep/file", source / "same")
    (source / "link").symlink_to("/etc/passwd")
    target.mkdir()
    copy_folder(str(source), str(target), {})
    assert (target / "same").read_bytes() == b"x" * 100000
    assert (target / "same").stat().st_ino == (target / "deep/file").stat().st_ino
    assert (target / "same").stat().st_mode & 0o7777 == 0o4755
    assert os.readlink(target / "link") == "/etc/passwd"
