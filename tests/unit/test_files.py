"""hyperbox.files: atomic writes, claims, locks and JSON."""

from __future__ import annotations

import os
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


def test_a_lock_is_free_again_after_the_block(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with files.Lock(path):
        pass
    with files.Lock(path, shared=True), files.Lock(path, shared=True):
        pass
