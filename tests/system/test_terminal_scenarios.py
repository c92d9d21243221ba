"""What a terminal shows while compose works is what the real docker compose shows on it (golden/docker/terminal)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import terminal_scenarios as terminal  # type: ignore[import-not-found]

pytestmark = pytest.mark.system
# where we differ, and why
KNOWN = {
    ("pull", "(40x120) push made"): "docker's line wraps, and can't be overwritten then",
    ("build", "(40x120) up -d --build --quiet-build"): "docker leaves the heading of a build that it shows nothing of",
    ("pull", "(40x120) pull made"): "docker has kept the layers that it built, and has removed the image only",
    (
        "settings",
        "(off=1) restart",
    ): "docker takes a terminal for 0 columns wide when stdout is none, and leaves rests of words",
    (
        "menu",
        "(keys=line 1:?^C) (NO_COLOR=1) (GO=twelve) up",
    ): "without colors docker can't take its menu away, and writes on behind it",
    ("verbs", "rm -f"): "containers that were made at the same time have no order",
}


@pytest.fixture(scope="module", autouse=True)
def registry() -> object:
    with tempfile.TemporaryDirectory() as folder, terminal.registry(Path(folder)):
        yield


# scenario -> the corners of docs/behaviours.md that it goes through, beside 84
BEHAVIOURS = {"foreground": (86,), "menu": (86,), "waiting": (85,)}
MARKED = [pytest.param(name, marks=pytest.mark.behaviour(84, *BEHAVIOURS.get(name, ()))) for name in terminal.names()]


@pytest.mark.usefixtures("volumes_tidied")
@pytest.mark.parametrize("name", MARKED)
def test_a_terminal_shows_what_it_shows_with_docker_compose(name: str, hyperbox: object, busybox: str) -> None:
    argv = hyperbox.argv  # type: ignore[attr-defined]
    docker = [str(Path(argv[0]).with_name("docker")), *argv[1:]]
    # a short path, and the same at every run: another folder with the same project's name would give it a suffix
    folder = Path(f"/tmp/hb-{os.environ.get('HYPERBOX_SANDBOX', '')}-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    terminal.scenarios.write_files(name, folder, terminal.FOLDER)
    files, steps = terminal.read(name)
    wrong = []
    try:
        for step, expected in zip(steps, terminal.recorded(name), strict=True):
            done, wanted = (
                terminal.comparable(terminal.run_step([], docker, step, folder)),
                terminal.comparable(expected),
            )
            if done != wanted and (name, step.line) not in KNOWN:
                wrong.append("\n".join([step.line, *difference(wanted, done)]))
    finally:
        for file in files:
            if file.endswith(".yaml") and wrong:
                hyperbox("compose", "-f", folder / file, "down", "-v", "--remove-orphans", "-t", "0", code=None)  # type: ignore[operator]
    shutil.rmtree(folder)
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)


def difference(wanted: terminal.Case, done: terminal.Case) -> list[str]:
    """Return what of two cases differs, docker's marked with -."""
    lines = []
    for key, value in wanted.items():
        if value == done.get(key):
            continue
        if key == "screens":
            pairs = enumerate(zip(value, done.get(key, []), strict=False))
            lines += [f"  screen {number}: docker {one}, hyperbox {two}" for number, (one, two) in pairs if one != two]
            continue
        if key != "lines":
            lines.append(f"  {key}: docker {value}, hyperbox {done[key]}")
            continue
        lines += [f"  - {line}" for line in value if line not in done[key]]
        lines += [f"  + {line}" for line in done[key] if line not in value]
        lines += ["  the same lines in another order"] * (sorted(value) == sorted(done[key]))
    return lines
