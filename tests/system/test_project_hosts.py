"""Projects' names in the hosts file: whatever that file is, whatever the names are, and whether they are wanted at all."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, forget_projects

TEXT = "services: {web: {image: busybox, command: 'true'}}\n"


def make(folder: Path, text: str = TEXT) -> Path:
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(text)
    return folder


@pytest.fixture
def clean(hyperbox: Command, busybox: str) -> Iterator[None]:
    """No project is there before and after."""
    forget_projects(hyperbox)
    yield
    for project in hyperbox("project", "ls", "-q").out.split():
        hyperbox("project", "rm", "-f", "-v", project, code=None)
    assert ".hyperbox" not in Path("/etc/hosts").read_text()


@pytest.mark.usefixtures("clean")
def test_odd_names_are_names_that_the_machine_resolves(hyperbox: Command, tmp_path: Path) -> None:
    text = "services: {Web.Api_1: {image: busybox, command: 'true'}, x--y: {image: busybox, command: 'true'}}\n"
    for folder, project in (("Größe & Co_2", "gre-co_2"), ("-_x_-", "x_-"), ("0", "0"), ("UPPER", "upper")):
        place = make(tmp_path / folder, text)
        given = hyperbox("compose", "create", folder=place)
        assert "names are not in" not in given.err
        name = hyperbox("env", "--json", folder=place).out.partition('"HYPERBOX_HOST": "')[2].partition('"')[0]
        assert name.replace(" ", "") == name
        assert name.startswith(project.replace("-co", "co")) or name.startswith(project), name
        address = socket.gethostbyname(name)
        assert address.startswith("127.89.")
        for service in ("web.api_1", "x--y"):
            assert socket.gethostbyname(f"{service}.{name}") == address
        hyperbox("compose", "down", folder=place)


@pytest.mark.usefixtures("clean")
def test_a_folder_whose_name_is_no_projects_name_is_told_as_docker_does(hyperbox: Command, tmp_path: Path) -> None:
    place = make(tmp_path / "日本")
    assert "project name must not be empty" in hyperbox("compose", "create", folder=place, code=1).err
    hyperbox("compose", "-p", "japan", "create", folder=place)
    assert hyperbox("project", "ls", "-q").out == "japan\n"


@pytest.mark.usefixtures("clean")
def test_the_names_go_where_the_settings_say_or_nowhere(hyperbox: Command, tmp_path: Path) -> None:
    place, real, link = make(tmp_path / "app"), tmp_path / "real", tmp_path / "link"
    real.write_text("127.0.0.1 localhost\n")
    link.symlink_to("real")
    before = Path("/etc/hosts").read_bytes()
    there = {"HYPERBOX_HOSTS_FILE": str(link)}
    hyperbox("compose", "create", folder=place, env=there)
    assert link.is_symlink()
    assert "web.app.hyperbox" in real.read_text()
    hyperbox("compose", "create", folder=place, env={**there, "HYPERBOX_HOSTS": "false"})
    assert real.read_text() == "127.0.0.1 localhost\n"
    assert Path("/etc/hosts").read_bytes() == before


@pytest.mark.usefixtures("clean")
def test_a_hosts_file_that_cannot_be_written_stops_nothing(hyperbox: Command, tmp_path: Path) -> None:
    place, hosts = make(tmp_path / "app"), tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", hosts, hosts], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", hosts], check=True)
        own = {"HYPERBOX_HOSTS_FILE": str(hosts)}
        given = hyperbox("compose", "create", folder=place, env=own)
        assert f"app: its names are not in {hosts}: Read-only file system" in given.err
        hyperbox("compose", "down", folder=place, env=own)
        hyperbox("project", "rm", "app", env=own)
    finally:
        subprocess.run(["umount", hosts], check=True)
    assert hosts.read_text() == "127.0.0.1 localhost\n"


@pytest.mark.usefixtures("clean")
def test_many_projects_and_somebody_elses_edits_at_once(hyperbox: Command, tmp_path: Path) -> None:
    hosts, stop = tmp_path / "hosts", threading.Event()
    hosts.write_text("127.0.0.1 localhost\n")
    added = []

    def edit() -> None:
        """Add lines as an editor does, by replacing the file; look before the rename whether somebody else did."""
        while not stop.wait(0.02):
            status, text = hosts.stat(), hosts.read_text()
            other = tmp_path / "hosts.edited"
            other.write_text(text + f"10.0.0.1 foreign{len(added)}\n")
            if (hosts.stat().st_ino, hosts.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns):
                os.rename(other, hosts)
                added.append(f"foreign{len(added)}")

    folders = [make(tmp_path / f"copy{number}" / "app") for number in range(6)]
    own = {**hyperbox.environment, "HYPERBOX_HOSTS_FILE": str(hosts)}
    command = Command(hyperbox.argv, own, tmp_path)
    thread = threading.Thread(target=edit)
    thread.start()
    try:
        running = [command.start("compose", "create", folder=folder) for folder in folders]
        failed = [err for each in running if (err := each.communicate(timeout=100)[1].decode()) and each.returncode]
    finally:
        stop.set()
        thread.join()
    assert not failed, failed
    text = hosts.read_text()
    assert added
    assert all(f" {name}\n" in text for name in added)
    projects = command("project", "ls", "-q").out.split()
    assert len(projects) == 6
    for project in projects:
        assert text.count(f" web.{project}.hyperbox\n") == 1
        command("project", "rm", "-f", project)
    assert ".hyperbox" not in hosts.read_text()
