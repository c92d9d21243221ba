"""engine/stats.py: control files and ps's output as the API's objects."""

from __future__ import annotations

import pytest

from hyperbox.engine import stats
from hyperbox.errors import EngineError

PS = "UID  PID PPID CMD\nroot   1    0 /sbin/init\nweb  312  300 sh -c  sleep 5\nroot  99    1\n"


def test_only_the_containers_processes_are_kept_with_their_whole_command() -> None:
    assert stats.of_processes(PS, {312, 99}) == {
        "Titles": ["UID", "PID", "PPID", "CMD"],
        "Processes": [["web", "312", "300", "sh -c sleep 5"], ["root", "99", "1", ""]],
    }


def test_output_without_a_pid_column_is_refused() -> None:
    with pytest.raises(EngineError, match="Couldn't find PID field in ps output"):
        stats.of_processes("CMD\nsh\n", {1})


def test_lines_of_key_and_value_become_numbers() -> None:
    assert stats.pairs("usage_usec 12\nfoo max\n\n") == {"usage_usec": 12, "foo": 0, "": 0}


def test_no_memory_limit_is_the_machines_memory() -> None:
    assert stats.memory_limit("1048576") == 1048576
    assert stats.memory_limit("max") == stats.memory_limit("9223372036854771712") > 1 << 20


def test_the_time_of_all_cpus_grows() -> None:
    assert stats.system_cpu() > 0
