"""A project's budget as control files, on both versions of cgroups."""

from __future__ import annotations

import pytest

from hyperbox.engine.project_groups import pressure, with_lifted
from hyperbox.errors import EngineError
from hyperbox.kernel import cgroups

BUDGET: dict[str, object] = {
    "cpus": 1.5,
    "memory": 1 << 20,
    "memory_high": 1 << 19,
    "pids": 9,
    "cpu_weight": 50,
    "io": {"8:0": {"rbps": 7}},
}


def test_v2_has_a_file_for_each_limit() -> None:
    assert dict(cgroups.budget_writes("/h/p", BUDGET, v2=True)) == {
        "/sys/fs/cgroup/h/p/memory.max": "1048576",
        "/sys/fs/cgroup/h/p/memory.high": "524288",
        "/sys/fs/cgroup/h/p/pids.max": "9",
        "/sys/fs/cgroup/h/p/cpu.weight": "50",
        "/sys/fs/cgroup/h/p/cpu.max": "150000 100000",
        "/sys/fs/cgroup/h/p/io.max": "8:0 rbps=7 wbps=max riops=max wiops=max",
    }


def test_v1_has_what_it_can_and_refuses_the_rest() -> None:
    able = {key: value for key, value in BUDGET.items() if key not in ("io", "memory_high")}
    assert dict(cgroups.budget_writes("/h/p", able, v2=False)) == {
        "/sys/fs/cgroup/memory/h/p/memory.limit_in_bytes": "1048576",
        "/sys/fs/cgroup/pids/h/p/pids.max": "9",
        "/sys/fs/cgroup/cpu/h/p/cpu.shares": "512",
        "/sys/fs/cgroup/cpu/h/p/cpu.cfs_period_us": "100000",
        "/sys/fs/cgroup/cpu/h/p/cpu.cfs_quota_us": "150000",
    }
    for key in ("io", "memory_high"):
        with pytest.raises(EngineError, match=f"the budget's {key} needs cgroup v2"):
            cgroups.check_budget({key: BUDGET[key]}, v2=False)
    cgroups.check_budget(BUDGET, v2=True)


def test_a_limit_that_is_gone_is_lifted() -> None:
    lifted = with_lifted({"pids": 5}, BUDGET)
    assert dict(cgroups.budget_writes("/p", lifted, v2=True)) == {
        "/sys/fs/cgroup/p/memory.max": "max",
        "/sys/fs/cgroup/p/memory.high": "max",
        "/sys/fs/cgroup/p/pids.max": "5",
        "/sys/fs/cgroup/p/cpu.weight": "100",
        "/sys/fs/cgroup/p/cpu.max": "max 100000",
        "/sys/fs/cgroup/p/io.max": "8:0 rbps=max wbps=max riops=max wiops=max",
    }


def test_pressure_is_read_as_numbers() -> None:
    text = "some avg10=1.50 avg60=0.30 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
    found = pressure(text)
    assert found["some"] == {"avg10": 1.5, "avg60": 0.3, "avg300": 0.0, "total": 12345.0}
    assert found["full"]["total"] == 9
