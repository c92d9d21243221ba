"""A project's budget, measured by what its containers get. On cgroup v1 here; tests/guest runs the same under cgroup v2."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.conftest import Command

SERVICE = "{image: busybox, init: true, command: sleep 600}"


@pytest.fixture
def project(hyperbox: Command, busybox: str, tmp_path: Path) -> Path:
    folder = tmp_path / "budget"
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        f"services: {{a: {SERVICE}, b: {SERVICE}}}\nx-hyperbox: {{cpus: 0.4, memory: 48m, pids: 30}}\n"
    )
    hyperbox("compose", "up", "-d", folder=folder)
    yield folder
    hyperbox("compose", "down", "-t", "0", folder=folder, code=None)
    hyperbox("project", "rm", "-f", "budget", code=None)


def run(hyperbox: Command, folder: Path, service: str, script: str, code: int | None = 0) -> str:
    return hyperbox("compose", "exec", "-T", service, "sh", "-c", script, folder=folder, code=code).out


def test_the_cpus_of_a_project_are_all_that_its_containers_get_together(hyperbox: Command, project: Path) -> None:
    started = time.monotonic()
    before = json.loads(hyperbox("project", "stats", "--json", "budget").out)["budget"]["cpu"]
    for service in ("a", "b"):
        run(hyperbox, project, service, "(timeout 2 sh -c 'while :; do :; done' &) ; true")
    run(hyperbox, project, "a", "sleep 2")
    used = json.loads(hyperbox("project", "stats", "--json", "budget").out)["budget"]["cpu"] - before
    share = used / 1e9 / (time.monotonic() - started)
    assert 0.05 < share < 0.48, share


def test_memory_beyond_the_budget_is_not_had_and_others_are_left_alone(hyperbox: Command, project: Path) -> None:
    grow = "dd if=/dev/zero of=/dev/null bs=%dM count=1 2>/dev/null; echo $?"
    assert run(hyperbox, project, "a", grow % 16) == "0\n"
    assert run(hyperbox, project, "a", grow % 96) == "137\n"
    assert json.loads(hyperbox("project", "stats", "--json", "budget").out)["budget"]["oom_kills"] == 1
    assert hyperbox("run", "--rm", "busybox", "sh", "-c", grow % 96).out == "0\n"


def test_processes_beyond_the_budget_are_refused_until_it_is_raised(hyperbox: Command, project: Path) -> None:
    many = "n=0; for i in $(seq 60); do sleep 1 & n=$((n+1)); done; echo $n"
    refused = hyperbox("compose", "exec", "-T", "a", "sh", "-c", many, folder=project, code=None)
    assert "can't fork" in refused.err
    hyperbox("project", "limit", "budget", "--pids", "200")
    assert run(hyperbox, project, "a", many) == "60\n"


def test_a_budget_that_this_machine_cannot_keep_is_refused(hyperbox: Command, project: Path) -> None:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("cgroup v2 keeps all of them")
    refused = hyperbox("project", "limit", "budget", "--io", "/dev/null=rbps:1m", code=1)
    assert "/dev/null is not a block device" in refused.err
    refused = hyperbox("project", "limit", "budget", "--memory-high", "1m", code=1)
    assert "the budget's memory_high needs cgroup v2" in refused.err
    assert json.loads(hyperbox("project", "limit", "budget").out) == {"cpus": 0.4, "memory": 48 << 20, "pids": 30}
