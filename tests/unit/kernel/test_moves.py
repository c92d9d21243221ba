"""The early writes that make later moves into v1 groups fast."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hyperbox.kernel import moves


def test_a_process_is_written_into_its_own_group_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cgroup.procs"
    file.touch()
    monkeypatch.setattr(moves, "own_group_file", lambda: str(file))
    monkeypatch.setattr(moves, "INTERVAL", 0.0)
    moves.hasten_moves()
    deadline = time.monotonic() + 5
    while file.read_text() != "0" * moves.MOVES and time.monotonic() < deadline:
        time.sleep(0.01)
    assert file.read_text() == "0" * moves.MOVES


def test_where_there_is_no_such_group_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(moves, "own_group_file", missing)
    moves.hasten_moves()
