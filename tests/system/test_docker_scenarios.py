"""Whole scenarios of docker command lines print and return what the real docker did (golden/docker/scenarios)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/compat"))

import scenarios  # type: ignore[import-not-found]  # noqa: E402

pytestmark = pytest.mark.system
# where we differ, and why
KNOWN = {
    (
        "run",
        "run --rm --dns 9.9.9.9 --dns-search corp.example busybox cat /etc/resolv.conf",
    ): "docker adds comments of its own",
    ("run", "run --rm --init busybox sh -c cat /proc/1/comm"): "the init program is the machine's tini",
    ("behaviours", "top hb-bh -eo pid,comm"): "the pid is another",
    ("behaviours", "pull -q hb-bh-nope:5000/x"): "the words of a resolver that has no network",
    ("behaviours", "nosuch --help"): "help is in words of our own",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.behaviour(*scenarios.behaviours(scenarios.FOLDER / f"{name}.txt")))
        for name in scenarios.names()
    ],
)
def test_a_scenario_goes_as_with_docker(name: str, hyperbox: object, busybox: str) -> None:
    docker = [str(Path(hyperbox.argv[0]).with_name("docker")), *hyperbox.argv[1:]]  # type: ignore[attr-defined]
    wrong = []
    for file in ("events", "events.1"):  # scenarios look back some minutes: what other tests did there is not theirs
        Path(os.environ["HYPERBOX_RUN"], file).unlink(missing_ok=True)
    for (command, stdin), expected in zip(scenarios.steps(name), scenarios.recorded(name), strict=True):
        done = scenarios.run_step(docker, command, stdin)
        if done != expected and (name, " ".join(command)) not in KNOWN:
            wrong.append("\n".join([" ".join(command), f"  docker:   {expected}", f"  hyperbox: {done}"]))
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
