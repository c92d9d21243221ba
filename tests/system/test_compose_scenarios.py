"""Whole scenarios of docker compose print and return what the real docker compose did (golden/docker/compose)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import compose_scenarios as scenarios  # type: ignore[import-not-found]
import pytest

pytestmark = pytest.mark.system
# where we differ, and why
VERSION = "docker's own is a Debian build"
BEFORE = "what can't be had is told before anything is made"
KNOWN = {
    (
        "left",
        "--profile off down -t 0 --remove-orphans",
    ): "docker stops what has ended twice, and shows that the second time fails",
    ("left", "run --no-TTY --name hb-left-bad bad"): "the words are the runtime's",
    ("left", "run --rm --name hb-left-bad2 bad"): "the words are the runtime's",
    ("resources", "-f lost.yaml up -d"): BEFORE,
    ("resources", "-f lost.yaml down"): BEFORE,
    (
        "show",
        "ps -a --format '{{.Name}} {{.Status}}'",
    ): "whether its trap or the kill of `stop -t 0` comes first is chance",
    ("show", "version"): VERSION,
    ("show", "version --short"): VERSION,
    ("show", "version -f json"): VERSION,
    ("show", "version -f wrong"): VERSION,
    ("show", "events --json --since 1h --until 0s nope"): "docker's client fails at the end of the events",
    ("up", "(LEVEL=2) --dry-run up -d --force-recreate"): "docker shows the names that containers have for a moment",
    ("up", "up -d --scale nope=1"): "docker has other words here than everywhere else",
    ("up", "--dry-run down"): "docker asks for a network whose containers it has not removed",
    ("states", "--dry-run start"): "docker has forgotten the containers when it only pretends",
    (
        "odds",
        "run --rm -T --no-deps --env-from-file bad.env db env",
    ): "docker runs without any of the file's variables, and does not say so",
    ("states", "rm -f -v"): "containers that were made at the same time have no order",
    ("states", "unpause"): "docker ends its display at the first failure; both do the rest",
    ("exec", "run --rm -T web nope"): "the words are the runtime's",
    ("exec", "commit web BAD"): "the engine refuses the name",
    ("flags", "up -d --scale =1"): "docker has other words here than everywhere else",
    ("run", "run --rm -T --no-deps -v /x:relative web true"): "docker names the mode that nobody gave",
    ("verbs", "--dry-run start db"): "docker has forgotten the containers when it only pretends",
    ("verbs", "attach --detach-keys wrong,keys web"): "docker's client says of it only that the connection failed",
    ("verbs", "--profile gone create --pull never gone"): BEFORE,
    ("verbs", "--dry-run down -v --rmi local -t 0"): "docker asks for a network whose containers it has not removed",
    ("provider", "(WHERE=three) --dry-run up -d"): "a provider does real things: it is not called to pretend",
    (
        "provider",
        "-f described.yaml up -d",
    ): "docker fails where a project has providers only, after they did their work",
    ("provider", "(TYPE=hb-absent) -f wrong.yaml down"): "the line is shown before the program is looked for",
    ("exec", "cp - web:/tmp"): "our words for a tar that breaks off",
}


# scenario -> the corners of docs/behaviours.md that it goes through
BEHAVIOURS = {
    "conditions": (85, 93),
    "exec": (77, 87),
    "names": (76,),
    "corners": (77, 84),
    "flags": (70, 72, 76, 84, 85, 86, 89, 93),
    "foreground": (86,),
    "left": (87, 89),
    "resources": (89,),
    "run": (77, 78, 87),
    "show": (78, 80, 81, 82, 88, 91),
    "states": (90,),
    "up": (77, 78, 84, 89, 92, 93),
    "verbs": (80, 81, 82, 87, 88, 89, 90),
}
MARKED = [pytest.param(name, marks=pytest.mark.behaviour(*BEHAVIOURS.get(name, ()))) for name in scenarios.names()]


@pytest.mark.usefixtures("volumes_tidied")
@pytest.mark.parametrize("name", MARKED)
def test_a_scenario_goes_as_with_docker_compose(name: str, hyperbox: object, busybox: str, tmp_path: Path) -> None:
    argv = hyperbox.argv  # type: ignore[attr-defined]
    docker = [str(Path(argv[0]).with_name("docker")), *argv[1:]]
    # the same folder at every run of a sandbox: another one with the same project's name would give it a suffix
    folder = tmp_path.parent.parent / f"hb-{os.environ.get('HYPERBOX_SANDBOX', '')}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scenarios.write_files(name, folder)
    files, steps = scenarios.read(name)
    wrong = []
    try:
        for step, expected in zip(steps, scenarios.recorded(name), strict=True):
            done = scenarios.run_step([], docker, step, folder)
            if done != expected and (name, step.line) not in KNOWN:
                wrong.append("\n".join([step.line, f"  docker:   {expected}", f"  hyperbox: {done}"]))
    finally:
        for file in files:
            if file.endswith(".yaml") and wrong:
                hyperbox("compose", "-f", folder / file, "down", "-v", "--remove-orphans", "-t", "0", code=None)  # type: ignore[operator]
    shutil.rmtree(folder)
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
