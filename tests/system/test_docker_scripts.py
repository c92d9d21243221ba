"""Shell scripts that drive docker print and return what they do with the real docker (golden/docker/scripts.json)."""

from __future__ import annotations

from pathlib import Path

import pytest
import scripts  # type: ignore[import-not-found]

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.behaviour(*scripts.behaviours(scripts.FOLDER / f"{name}.sh")))
        for name in scripts.names()
    ],
)
def test_a_script_goes_as_with_docker(name: str, hyperbox: object, busybox: str) -> None:
    folder = str(Path(hyperbox.argv[0]).parent)  # type: ignore[attr-defined]
    assert scripts.run(name, folder, hyperbox.environment) == scripts.recorded()[name]  # type: ignore[attr-defined]
