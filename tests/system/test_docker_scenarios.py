"""Whole scenarios of docker command lines print and return what the real docker did (golden/docker/scenarios)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import scenarios  # type: ignore[import-not-found]
from known_differences import KNOWN, OTHER_CODE  # type: ignore[import-not-found]

from tests import machine
from tests.conftest import Command

pytestmark = pytest.mark.system


@pytest.fixture
def folder() -> Iterator[Path]:
    """The scenario's folder, with a path as long as the recorder's: it stands in tables."""
    with tempfile.TemporaryDirectory(prefix="hb-scenario-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def alone(busybox: str) -> Iterator[dict[str, str]]:
    """The environment of an engine that holds nothing but busybox."""
    home = Path(os.environ["HYPERBOX_DATA"]).parent / "alone"
    roots = machine.Roots(str(home / "data"), str(home / "run"), os.environ["HYPERBOX_CGROUP"] + "-alone")
    for path in (roots.data, roots.run):
        path.mkdir(parents=True)
    try:
        yield {"HYPERBOX_DATA": str(roots.data), "HYPERBOX_RUN": str(roots.run), "HYPERBOX_CGROUP": roots.cgroup}
        machine.assert_clean(roots)
    finally:
        machine.forget(roots)
        shutil.rmtree(home)


def import_busybox(docker: list[str], environment: dict[str, str], tar: Path) -> None:
    """Give an engine the image, if it has it not."""
    if subprocess.run([*docker, "image", "inspect", "busybox"], env=environment, capture_output=True).returncode:
        path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        subprocess.run(
            [*docker, "import", "-c", path, "-c", 'CMD ["sh"]', "-", "busybox:latest"],
            input=tar.read_bytes(),
            env=environment,
            check=True,
        )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.behaviour(*scenarios.behaviours(scenarios.FOLDER / f"{name}.txt")))
        for name in scenarios.names()
    ],
)
def test_a_scenario_goes_as_with_docker(
    name: str, hyperbox: Command, alone: dict[str, str], folder: Path, image_folder: Path
) -> None:
    docker = [str(Path(hyperbox.argv[0]).with_name("docker")), *hyperbox.argv[1:]]
    environment = dict(hyperbox.environment)
    if scenarios.is_alone(name):
        environment.update(alone)
        import_busybox(docker, environment, image_folder / "busybox.tar")
    for file in ("events", "events.1"):  # scenarios look back some minutes: what other tests did there is not theirs
        Path(environment["HYPERBOX_RUN"], file).unlink(missing_ok=True)
    runner = scenarios.Runner(docker, folder, environment)
    wrong = []
    for step, expected in zip(scenarios.steps(name), scenarios.recorded(name), strict=True):
        done = runner.run(step)
        place = (name, " ".join(step.command))
        known = place in KNOWN and (done["code"] == expected["code"] or place in OTHER_CODE)
        if done != expected and not known:
            wrong.append("\n".join([" ".join(step.command), f"  docker:   {expected}", f"  hyperbox: {done}"]))
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
