"""Whole scenarios of docker command lines print and return what the real docker did (golden/docker/scenarios)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/compat"))

import scenarios  # type: ignore[import-not-found]  # noqa: E402

pytestmark = pytest.mark.system


@pytest.mark.parametrize("name", scenarios.names())
def test_a_scenario_goes_as_with_docker(name: str, hyperbox: object, busybox: str) -> None:
    docker = [str(Path(hyperbox.argv[0]).with_name("docker")), *hyperbox.argv[1:]]  # type: ignore[attr-defined]
    wrong = []
    for (command, stdin), expected in zip(scenarios.steps(name), scenarios.recorded(name), strict=True):
        done = scenarios.run_step(docker, command, stdin)
        if done != expected:
            wrong.append("\n".join([" ".join(command), f"  docker:   {expected}", f"  hyperbox: {done}"]))
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
