"""Walks of trees of any depth, and long paths made usable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperbox import files, process
from hyperbox.engine.differences import Below
from hyperbox.image import deep
from hyperbox.image.deep import Descent, Reach, Tree
from hyperbox.image.extract import FolderTimes

DEPTH = deep.KEPT_OPEN + 50


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    """A folder with some entries, one way down deeper than descriptors are kept, with long names."""
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    (top / "b" / "file").write_text("x")
    (top / "a").symlink_to("b")
    (top / "c").write_text("y")
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    yield top
    files.remove_tree(str(top))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_tree_is_walked_in_order_and_closes_what_it_opened(top: Path) -> None:
    before = descriptors()
    found = [(entry.name, entry.left) for entry in Tree(str(top), both=True)]
    assert descriptors() == before
    long = [("/".join(["d" * 200] * count), False) for count in range(1, DEPTH + 1)]
    leaf = ("/".join(["d" * 200] * DEPTH) + "/leaf", False)
    back = [(name, True) for name, _ in reversed(long)]
    start = [("a", False), ("b", False), ("b/file", False), ("b", True), ("c", False)]
    assert found == [*start, *long, leaf, *back]


def test_what_is_skipped_is_not_entered_and_paths_are_good_at_once(top: Path) -> None:
    tree, seen = Tree(str(top)), []
    for entry in tree:
        seen.append(entry.name)
        assert os.lstat(entry.path).st_ino == entry.status.st_ino
        if entry.name == "b":
            tree.skip()
    assert "b/file" not in seen
    assert len(seen) == 3 + DEPTH + 1


def test_names_longer_than_a_tar_holds_are_an_error(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "LONGEST_PATH", 5000)
    before = descriptors()
    with pytest.raises(OSError, match="File name too long") as caught:
        list(Tree(str(top)))
    assert len(str(caught.value)) < 300
    assert descriptors() == before


def test_a_folder_that_is_moved_away_leads_nowhere_else(top: Path, tmp_path: Path) -> None:
    place = Descent(str(top), kept=0)
    place.down("b")
    os.rename(top / "b", tmp_path / "moved")
    with pytest.raises(OSError, match="moved"):
        place.up()
    place.close()


def test_no_link_is_followed_on_the_way_down(top: Path) -> None:
    place = Descent(str(top))
    with pytest.raises(OSError, match="a"):
        place.down("a")
    place.close()


def test_long_paths_are_reached_links_on_the_way_included(top: Path) -> None:
    def work() -> str:
        os.chdir(top)
        reach = Reach()
        long = f"{top}/{'/'.join(['d' * 200] * DEPTH)}"
        with open(reach.near(f"{long}/leaf"), "w") as file:
            file.write("reached")
        os.symlink("leaf", reach.near(f"{long}/link"))
        reach.link(f"{long}/leaf", f"{top}/short")
        reach.link(f"{top}/short", f"{long}/second")
        reach.link(f"{long}/second", f"{long}/third")
        assert os.stat(reach.near(f"{long}/third")).st_nlink == 4
        assert reach.near(f"{top}/c") == f"{top}/c"
        with pytest.raises(OSError, match="too long"):
            reach.near(f"/{'x' * 2000}/y")
        return "done"

    assert process.in_child(work, str) == (True, "done")
    assert (top / "short").read_text() == "reached"


def test_times_of_folders_are_packed_and_the_later_one_counts(tmp_path: Path) -> None:
    names = ["a", "a/b", "a/b/c", "a/bc", "z"]
    times = FolderTimes()
    for number, name in enumerate([*names, "a/b"]):
        (tmp_path / name).mkdir(exist_ok=True)
        times.add(f"{tmp_path}/{name}", (number + 1) * 10**9)
    times.add(f"{tmp_path}/gone", 5)
    times.set(Reach())
    assert [int((tmp_path / name).stat().st_mtime) for name in names] == [1, 6, 3, 4, 5]


def test_layers_are_seen_as_overlayfs_shows_them(tmp_path: Path) -> None:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    for folder in ("same", "hidden", "file"):
        (lower / folder).mkdir(parents=True)
        (lower / folder / "old").write_text("old")
    (upper / "same").mkdir(parents=True)
    (upper / "same" / "new").write_text("new")
    (upper / "file").write_text("a file over a folder")
    os.symlink(str(lower / "same"), upper / "hidden")
    below = Below([str(upper), str(lower)])
    seen = {}
    for name in ("same", "hidden", "file", "nowhere"):
        below.down(name)
        seen[name] = below.names()
        below.up()
    assert seen == {"same": {"old", "new"}, "hidden": set(), "file": set(), "nowhere": set()}
    assert below.look("nowhere") is None
    below.close()
