"""Our blocks in a hosts file, and every other byte of it."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from hyperbox.project import hosts_file

FOREIGN = [
    b"",
    b"127.0.0.1 localhost\n",
    b"127.0.0.1 localhost",
    b"127.0.0.1\tlocalhost\r\n# \x0c page\r\n\r\n\n  10.0.0.1 nas \xff\xfe\n",
    b"# hyperbox other/x begin\n1.2.3.4 mine\n",
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_block_comes_and_goes_and_nothing_else_changes(foreign: bytes) -> None:
    one = hosts_file.with_block(foreign, "h/a", ["127.89.0.1 a.hyperbox"])
    two = hosts_file.with_block(one, "h/b", ["127.89.0.2 b.hyperbox"])
    three = hosts_file.with_block(two, "h/a", ["127.89.0.9 a.hyperbox", "127.89.0.9 web.a.hyperbox"])
    assert three.count(b"a.hyperbox") == 2
    assert b"127.89.0.1" not in three
    assert hosts_file.owners(three) == ["h/a", "h/b"]
    after = hosts_file.with_block(hosts_file.with_block(three, "h/b", []), "h/a", [])
    assert after == foreign + (b"" if foreign.endswith(b"\n") or not foreign else b"\n")


def test_a_mark_without_its_end_is_not_ours() -> None:
    damaged = b"# hyperbox h/a begin\n10.0.0.1 nas\n"
    assert hosts_file.with_block(damaged, "h/a", []) == damaged
    assert hosts_file.owners(damaged) == []


def test_mode_and_owner_stay_and_no_file_is_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    path.chmod(0o640)
    assert hosts_file.write_block(str(path), "h/a", ["127.89.0.1 a.hyperbox"])
    assert not hosts_file.write_block(str(path), "h/a", ["127.89.0.1 a.hyperbox"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["hosts"]


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("127.0.0.1 localhost\n")
    (tmp_path / "hosts").symlink_to("real")
    hosts_file.write_block(str(tmp_path / "hosts"), "h/a", ["127.89.0.1 a.hyperbox"])
    assert (tmp_path / "hosts").is_symlink()
    assert "a.hyperbox" in (tmp_path / "real").read_text()


def write_many(path: str, owner: str) -> None:
    for number in range(20):
        hosts_file.write_block(path, owner, [f"127.89.0.{number} {owner}"])


def test_writers_do_not_lose_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    processes = [multiprocessing.Process(target=write_many, args=(str(path), f"h/{index}")) for index in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(hosts_file.owners(path.read_bytes())) == [f"h/{index}" for index in range(6)]
    assert path.read_text().count("127.89.0.19 ") == 6


def test_what_others_write_while_ours_is_prepared_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    real, edits = os.fsync, iter(["10.0.0.1 in-place\n", "10.0.0.2 replaced\n"])

    def edit(descriptor: int) -> None:
        real(descriptor)
        for line in edits:
            if "replaced" in line:
                (tmp_path / "other").write_text(path.read_text() + line)
                (tmp_path / "other").rename(path)
            else:
                with open(path, "a") as file:
                    file.write(line)
            return

    monkeypatch.setattr(os, "fsync", edit)
    assert hosts_file.write_block(str(path), "shop", ["127.89.0.1 shop.hyperbox"])
    lines = path.read_text().splitlines()
    assert lines[:3] == ["127.0.0.1 localhost", "10.0.0.1 in-place", "10.0.0.2 replaced"]
    assert "127.89.0.1 shop.hyperbox" in lines
    assert not (tmp_path / "hosts.hyperbox").exists()


def test_a_file_beside_which_nothing_can_be_made_is_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    (tmp_path / "hosts.hyperbox").mkdir()
    assert hosts_file.write_block(str(path), "shop", ["127.89.0.1 shop.hyperbox"])
    assert "shop.hyperbox" in path.read_text()
    assert hosts_file.write_block(str(path), "shop", [])
    assert path.read_text() == "127.0.0.1 localhost\n"


def test_one_that_cannot_be_written_at_all_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    with pytest.raises(OSError, match="hosts"):
        hosts_file.write_block(str(tmp_path / "hosts"), "shop", ["127.89.0.1 shop.hyperbox"])
