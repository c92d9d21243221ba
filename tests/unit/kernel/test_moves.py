"""The early write that makes later moves into v1 groups fast, and the kernel's setting that it is made under."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from hyperbox.kernel import moves


class Machine(NamedTuple):
    """Files in the place of the kernel's: the setting, a group's processes; and our record."""

    setting: Path
    group: Path
    record: Path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "rcu_expedited", tmp_path / "cgroup.procs", tmp_path / "expedited")
    made.setting.write_text("0\n")
    made.group.touch()
    monkeypatch.setattr(moves, "EXPEDITED", str(made.setting))
    monkeypatch.setattr(moves, "own_group_file", lambda: str(made.group))
    return made


def setting(machine: Machine) -> str:
    return machine.setting.read_text()[:1]


def test_a_process_is_written_into_its_own_group_while_grace_periods_are_expedited(machine: Machine) -> None:
    seen = []
    moves.open_moves(
        str(machine.record), lambda step: seen.append((step, setting(machine), machine.record.read_text()))
    )
    assert seen == [("expedited", "1", "0")]
    assert machine.group.read_text() == "0"
    assert machine.setting.read_bytes()[-1:] == b"0"
    assert machine.record.read_text() == ""


def test_a_setting_of_the_machines_own_is_left_alone(machine: Machine) -> None:
    machine.setting.write_text("1\n")
    moves.open_moves(str(machine.record))
    assert machine.setting.read_text() == "1\n"
    assert machine.group.read_text() == ""


def test_the_setting_goes_back_when_the_move_fails(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "own_group_file", lambda: "/dev/full")
    moves.open_moves(str(machine.record))
    assert machine.setting.read_bytes()[-1:] == b"0"


def die_expedited(machine: Machine) -> None:
    """Have a process be killed while the setting is its own."""
    child = os.fork()
    if child == 0:
        moves.open_moves(str(machine.record), lambda step: os._exit(9))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert setting(machine) == "1"
    machine.setting.write_text("1\n")  # as the kernel shows it


@pytest.mark.parametrize("mends", [moves.mend, moves.open_moves])
def test_what_a_killed_process_left_is_put_back_by_the_next(machine: Machine, mends: object) -> None:
    die_expedited(machine)
    assert callable(mends)
    mends(str(machine.record))
    assert setting(machine) == "0"
    assert machine.record.read_text() == ""


def test_a_setting_that_somebody_has_changed_for_a_moment_is_left_to_him(machine: Machine) -> None:
    def meanwhile(_step: str) -> None:
        child = os.fork()
        if child == 0:
            moves.mend(str(machine.record))
            moves.open_moves(str(machine.record))
            os._exit(0)
        os.waitpid(child, 0)
        assert setting(machine) == "1"

    moves.open_moves(str(machine.record), meanwhile)
    assert machine.record.read_text() == ""


def test_where_there_is_no_such_group_or_setting_nothing_happens(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise FileNotFoundError

    for found in (missing, lambda: "/nowhere/cgroup.procs"):
        monkeypatch.setattr(moves, "own_group_file", found)
        moves.open_moves(str(machine.record))
    monkeypatch.setattr(moves, "EXPEDITED", "/nowhere/rcu_expedited")
    moves.open_moves(str(machine.record))
    moves.mend(str(machine.record))
    assert not machine.record.exists()
