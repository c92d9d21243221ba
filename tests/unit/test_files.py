"""hyperbox.files: atomic writes, claims, locks and JSON."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from hyperbox import files


def test_json_comes_back_as_it_was() -> None:
    value = {"a": [1, 2.5, None, True, "é\n\x01", {"": []}]}
    assert files.loads(files.dumps(value)) == value


def test_json_can_be_sorted() -> None:
    assert files.dumps({"b": 1, "a": 2}, sort_keys=True) == '{"a":2,"b":1}'


@pytest.mark.parametrize("text", ["", "{", '{"a":1} x', "[1,]", "nul", '"\x01"'])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        files.loads(text)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"x\.json"):
        files.read_json(str(path))


def test_an_atomic_write_replaces_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_atomic(str(path), "one", durable=True)
    files.write_atomic(str(path), "two")
    assert path.read_text() == "two"
    assert os.listdir(tmp_path) == ["x"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match=r"\S"):
        files.write_atomic(str(path), "x")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_claim_is_taken_once(tmp_path: Path) -> None:
    path = str(tmp_path / "name")
    assert files.claim(path, "one") is None
    assert files.claim(path, "two") == "one"
    assert files.claim_owner(path) == "one"
    assert files.claim_owner(str(tmp_path / "other")) is None


def test_read_text_reads_files_that_tell_no_size() -> None:
    assert "Name:" in files.read_text("/proc/self/status")


def test_removing_a_tree_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")
    files.remove_tree(str(tmp_path / "tree"))
    files.remove_tree(str(tmp_path / "tree"))
    assert sorted(os.listdir(tmp_path)) == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.parametrize("name", ["d", "n" * 255, "\U0001f600" * 63])
def test_a_tree_of_any_depth_is_removed(tmp_path: Path, name: str) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    (tmp_path / "outside").mkdir()
    folder = os.open(top, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir(name, dir_fd=folder)
        os.symlink("/../../outside", "link", dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    files.remove_tree(str(top))
    assert os.listdir(tmp_path) == ["outside"]


def make_wide_tree(top: Path) -> None:
    """20 folders of 100 files and of 10 folders with 5 files each."""
    for number in range(20):
        for inner in range(10):
            (top / f"{number}" / f"{inner}").mkdir(parents=True)
            for file in range(5):
                (top / f"{number}" / f"{inner}" / f"f{file}").touch()
        for file in range(100):
            (top / f"{number}" / f"f{file}").touch()


@pytest.mark.parametrize("name", ["d", "n" * 255])
def test_a_tree_on_a_slow_disk_is_removed_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_wide_tree(tmp_path / "tree")
    deep = os.path.join(str(tmp_path / "tree"), *[name] * 3)
    os.makedirs(deep)
    threads: set[int] = set()

    def slowly(path: str) -> None:
        threads.add(threading.get_ident())
        time.sleep(0.0005)
        os.unlink(path)

    monkeypatch.setattr(files, "_unlink", slowly)
    monkeypatch.setattr(files, "MANY_FILES", 64)
    files.remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []
    assert 4 < len(threads) <= files.HELPERS + 1


def test_what_cannot_be_removed_is_told_after_all_threads_have_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wide_tree(tmp_path / "tree")
    refused = str(tmp_path / "tree" / "7" / "f50")
    running: set[int] = set()

    def refuse(path: str) -> None:
        running.add(threading.get_ident())
        time.sleep(0.0005)
        running.discard(threading.get_ident())
        if path == refused:
            raise PermissionError(1, "Operation not permitted", path)
        os.unlink(path)

    monkeypatch.setattr(files, "_unlink", refuse)
    monkeypatch.setattr(files, "MANY_FILES", 64)
    with pytest.raises(PermissionError):
        files.remove_tree(str(tmp_path / "tree"))
    assert not running
    assert os.path.exists(refused)
    monkeypatch.undo()
    files.remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []


def test_a_lock_is_free_again_after_the_block(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with files.Lock(path):
        pass
    with files.Lock(path, shared=True), files.Lock(path, shared=True):
        pass
