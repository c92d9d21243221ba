"""`hyperbox project rename` takes a project's data along, and a kill between any two of its steps loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, forget_projects

COMPOSE = """
services:
  web:
    image: busybox
    init: true
    command: sleep 600
    stop_grace_period: 0s
    volumes: ["data:/data", "own:/own", "more:/more"]
    ports: ["8093:80"]
volumes: {data: {}, more: {}, own: {name: own-name}}
"""
READ = "cat /data/x /own/x /more/x"


@pytest.fixture
def folder(hyperbox: Command, busybox: str, tmp_path: Path) -> Iterator[Path]:
    """A project that is down and has data in its volumes."""
    forget_projects(hyperbox)
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / "compose.yaml").write_text(COMPOSE)
    hyperbox("compose", "up", "-d", folder=folder)
    script = "for i in data own more; do echo $i >/$i/x; done"
    hyperbox("compose", "exec", "-T", "web", "sh", "-c", script, folder=folder)
    hyperbox("compose", "down", folder=folder)
    yield folder
    forget_projects(hyperbox)
    hyperbox("volume", "rm", "-f", "before_data", "before_more", "after_data", "after_more", "own-name", code=None)


def all_is_there(hyperbox: Command, folder: Path, project: str) -> None:
    """Fail unless the project has this id, its volumes that name, and its data."""
    hyperbox("compose", "up", "-d", folder=folder)
    assert hyperbox("compose", "ps", "--format", "{{.Name}}", folder=folder).out == f"{project}-web-1\n"
    assert hyperbox("compose", "exec", "-T", "web", "sh", "-c", READ, folder=folder).out == "data\nown\nmore\n"
    names = [name for name in hyperbox("volume", "ls", "-q").out.split() if "_" in name or name == "own-name"]
    assert names == sorted([f"{project}_data", f"{project}_more", "own-name"])
    (found,) = json.loads(hyperbox("project", "inspect", project).out)
    assert found["Volumes"] == names
    assert f"{project}.hyperbox" in Path("/etc/hosts").read_text()
    assert hyperbox("project", "ls", "-q").out == f"{project}\n"
    assert not (Path(os.environ["HYPERBOX_DATA"]) / "projects" / "renaming").is_symlink()


def test_data_names_ports_and_budget_go_along(hyperbox: Command, folder: Path) -> None:
    hyperbox("project", "limit", "before", "--pids", "77")
    address = json.loads(hyperbox("project", "inspect", "before").out)[0]["Address"]
    hyperbox("project", "rename", "before", "after")
    all_is_there(hyperbox, folder, "after")
    (found,) = json.loads(hyperbox("project", "inspect", "after").out)
    assert (found["Address"], found["Budget"]) == (address, {"pids": 77})
    assert "before.hyperbox" not in Path("/etc/hosts").read_text()
    hyperbox("compose", "down", "-v", folder=folder)
    assert "after" not in hyperbox("volume", "ls", "-q").out


def test_what_stands_in_the_way_is_told_and_nothing_changes(hyperbox: Command, folder: Path) -> None:
    hyperbox("volume", "create", "after_more")
    refused = hyperbox("project", "rename", "before", "after", code=1)
    assert "volume before_more can't become after_more: there is a volume after_more already" in refused.err
    hyperbox("volume", "rm", "after_more")
    hyperbox("create", "--name", "holder", "-v", "before_more:/x", "busybox", "true")
    refused = hyperbox("project", "rename", "before", "after", code=1)
    assert "volume before_more can't become after_more: the container holder uses it" in refused.err
    hyperbox("rm", "holder")
    for wrong in ("../x", "Upper", "", "a/b"):
        assert "invalid project name" in hyperbox("project", "rename", "before", wrong, code=1).err
    all_is_there(hyperbox, folder, "before")
    hyperbox("compose", "down", folder=folder)


def test_a_kill_at_any_step_is_mended_by_the_next_command(hyperbox: Command, folder: Path, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    hyperbox("project", "rename", "before", "after", env={"HYPERBOX_TEST_KILL_AT": str(steps)})
    found = list(dict.fromkeys(steps.read_text().split()))
    wanted = ["rename-begun", "volume-moved", "volume-labelled", "rename-volumes", "rename-names", "rename-recorded", "rename-forgotten"]  # fmt: skip
    assert [each for each in found if each in wanted] == wanted
    here, there = "after", "before"
    for number, step in enumerate(wanted):
        killed = hyperbox("project", "rename", here, there, env={"HYPERBOX_TEST_KILL_AT": step}, code=None)
        assert killed.code == -9, (step, killed)
        if number % 2:
            assert hyperbox("project", "ls", "-q").out == f"{there}\n", step
        all_is_there(hyperbox, folder, there)
        hyperbox("compose", "down", folder=folder)
        here, there = there, here


def test_of_many_at_once_one_renames(hyperbox: Command, folder: Path) -> None:
    running = [
        hyperbox.start("project", "rename", "before", f"after{number}", stdout=subprocess.DEVNULL)
        for number in range(4)
    ]
    codes = [(each.communicate(timeout=100)[1], each.returncode)[1] for each in running]
    assert sorted(codes) == [0, 1, 1, 1]
    all_is_there(hyperbox, folder, f"after{codes.index(0)}")
    hyperbox("compose", "down", "-v", folder=folder)
