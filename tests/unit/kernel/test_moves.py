"""The early writes that make later moves into v1 groups fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hyperbox.kernel import moves


@pytest.mark.parametrize(("hasten", "times"), [(moves.hasten_moves, 1), (moves.keep_moves_fast, moves.MOVES)])
def test_a_process_is_written_into_its_own_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hasten: Callable[[], None], times: int
) -> None:
    file = tmp_path / "cgroup.procs"
    file.touch()
    monkeypatch.setattr(moves, "own_group_file", lambda: str(file))
    monkeypatch.setattr(moves, "INTERVAL", 0.0)
    hasten()
    deadline = time.monotonic() + 5
    while file.read_text() != "0" * times and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert file.read_text() == "0" * times


def test_where_there_is_no_such_group_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError

    for found in (missing, lambda: "/nowhere/cgroup.procs"):
        monkeypatch.setattr(moves, "own_group_file", found)
        moves.hasten_moves()
        moves.keep_moves_fast()
