"""An attached compose shows and does what the real docker compose did (golden/docker/attached)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import attached_scenarios as scenarios  # type: ignore[import-not-found]
import pytest

pytestmark = pytest.mark.system


@pytest.mark.behaviour(86)
@pytest.mark.usefixtures("volumes_tidied")
@pytest.mark.parametrize("name", scenarios.names())
def test_an_attached_compose_goes_as_with_docker_compose(name: str, hyperbox: object, busybox: str) -> None:
    argv = hyperbox.argv  # type: ignore[attr-defined]
    docker = [str(Path(argv[0]).with_name("docker")), *argv[1:]]
    # the same at every run: another folder with the same project's name would give it a suffix
    folder = Path(f"/tmp/hb-attached-{os.environ.get('HYPERBOX_SANDBOX', '')}-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scenarios.write_files(name, folder)
    try:
        done = scenarios.play([], docker, name, folder)
    finally:
        hyperbox("compose", "-f", folder / "compose.yaml", "down", "-t", "0", "--remove-orphans", code=None)  # type: ignore[operator]
    shutil.rmtree(folder)
    wrong = [
        f"{wanted['command']}\n  docker:   {wanted}\n  hyperbox: {found}"
        for wanted, found in zip(
            map(scenarios.comparable, scenarios.recorded(name)), map(scenarios.comparable, done), strict=True
        )
        if wanted != found
    ]
    assert not wrong, "\n".join(wrong)
