"""Many projects at once: sample files side by side, the same file from many folders in as many processes, and all that under kill -9.

HYPERBOX_TEST_PROJECTS says how many folders the races have (default 12), HYPERBOX_TEST_ROUNDS how often they run (default 1),
HYPERBOX_TEST_SEED which commands are killed when.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Command, forget_projects, wait_until
from tests.golden.test_compose import cases

PROJECTS = int(os.environ.get("HYPERBOX_TEST_PROJECTS", "12"))
ROUNDS = int(os.environ.get("HYPERBOX_TEST_ROUNDS", "1"))
# all of these are up at once, the last ones a second time from another folder: any two of them are a pair
ONCE = (
    "wordpress",
    "traefik",
    "nextcloud",
    "gitea",
    "grafana",
    "elastic",
    "minio",
    "portainer",
    "jenkins",
    "static",
    "replicas",
    "twins",
    "addresses",
)
TWICE = ("nextcloud", "elastic", "static", "replicas", "addresses")


def with_busybox(text: str) -> str:
    """Return a sample with busybox in the place of its images: each service answers on its TCP ports with its own id."""
    document = yaml.safe_load(text)
    for service in document["services"].values():
        kept = {
            key: service[key]
            for key in ("container_name", "networks", "ports", "deploy", "scale", "volumes", "x-hyperbox")
            if key in service
        }
        numbers = sorted(
            {
                str(port).partition("/")[0].rpartition(":")[2]
                for port in kept.get("ports", ())
                if not str(port).endswith("/udp")
            }
        )
        listen = "; ".join(f"httpd -p {number} -h /www" for number in numbers if "-" not in number) or "true"
        kept["volumes"] = [each for each in kept.get("volumes", ()) if not each.startswith(".")]
        kept.update(
            image="busybox",
            init=True,
            command=["sh", "-c", f"mkdir /www; hostname >/www/index.html; {listen}; exec sleep 900"],
        )
        service.clear()
        service.update(kept)
    return str(yaml.safe_dump(document))


def answer(address: str, port: int) -> str:
    """Return who answers on a port: a container's short id, or ""."""
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=5) as response:
            return str(response.read().decode().strip())
    except OSError:
        return ""


def at_once(command: Command, folders: Iterable[Path], *words: str) -> list[tuple[Path, int, str]]:
    """Run one command in all folders, each in a process of its own at the same time; returns (folder, code, stderr)."""
    running = [(folder, command.start(*words, folder=folder, stdout=subprocess.DEVNULL)) for folder in folders]
    done = []
    for folder, process in running:
        _, err = process.communicate(timeout=500)
        done.append((folder, process.returncode, err.decode(errors="replace")))
    return done


def projects_of(command: Command) -> list[dict[str, object]]:
    ids = command("project", "ls", "-q").out.split()
    found: list[dict[str, object]] = json.loads(command("project", "inspect", *ids).out) if ids else []
    return found


def check_distinct(found: list[dict[str, object]]) -> None:
    """Fail where two projects share a port of a lease, a published port, an address or a container's name."""
    leased = sorted((lease["First"], lease["Last"]) for project in found for lease in project["Leases"])  # type: ignore[attr-defined]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(leased)), leased
    for value in ("Id", "Address"):
        assert len({project[value] for project in found}) == len(found)
    published = [(port["HostIp"], port["HostPort"], port["Protocol"]) for project in found for port in project["Ports"]]  # type: ignore[attr-defined]
    assert len(set(published)) == len(published)


def nothing_left(command: Command) -> None:
    """Remove all projects, and fail where anything of them is left on the machine."""
    forget_projects(command)
    assert command("ps", "-aq").out == ""
    assert command("network", "ls", "-q", "--filter", "type=custom").out == ""
    assert ".hyperbox" not in Path("/etc/hosts").read_text()
    run = Path(os.environ["HYPERBOX_RUN"])
    wait_until(lambda: not os.listdir(run / "containers"))
    found = json.loads(command("doctor", "--json", code=None).out)
    assert [each["what"] for each in found if each["subject"] == "leftovers"] == ["none"]


def test_samples_are_up_side_by_side_and_each_answers_for_itself(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    forget_projects(hyperbox)
    texts = {case.name: case.files[0].content for case in cases.read_cases("samples")}
    folders = []
    for place, names in (("one", ONCE), ("two", TWICE)):
        for name in names:
            folder = tmp_path / place / name
            folder.mkdir(parents=True)
            (folder / "compose.yaml").write_text(with_busybox(texts[name]))
            folders.append(folder)
    try:
        failed = [row for row in at_once(hyperbox, folders, "compose", "up", "-d") if row[1]]
        assert not failed, failed
        found = projects_of(hyperbox)
        assert len(found) == len(folders)
        check_distinct(found)
        asked = 0
        for project in found:
            rows = json.loads(hyperbox("project", "ports", "--json", str(project["Id"])).out)
            own = {str(each["Id"])[:12] for each in project["Containers"]}  # type: ignore[attr-defined]
            for row in rows:
                if row["Protocol"] != "tcp":
                    continue
                host = row["HostIp"] if row["HostIp"] not in ("", "0.0.0.0") else "127.0.0.1"
                places = [(host, row["HostPort"]), *([(project["Address"], row["OwnPort"])] if row["OwnPort"] else [])]
                for address, port in places:
                    assert wait_until(lambda address=address, port=port: answer(address, port)) in own, (
                        project["Id"],
                        row,
                    )
                    asked += 1
        assert asked > 40
    finally:
        at_once(hyperbox, folders, "compose", "down", "-v", "-t", "0")
        nothing_left(hyperbox)


RACE = """
services:
  web:
    image: busybox
    container_name: race-web
    init: true
    command: ["sh", "-c", "hostname >/index.html; exec httpd -f -p 80 -h /"]
    ports: ["8090:80", "8091:81/udp", "82"]
    networks: [net]
networks: {net: {name: race-net}}
"""


@pytest.fixture
def copies(hyperbox: Command, tmp_path: Path, busybox: str) -> Iterator[list[Path]]:
    """Folders with one compose file; what is up from them at the end, after a failure, is removed."""
    folders = [tmp_path / f"copy{number}" / "app" for number in range(PROJECTS)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "compose.yaml").write_text(RACE)
    forget_projects(hyperbox)
    yield folders
    forget_projects(hyperbox)


@pytest.mark.timeout(1800)
def test_many_copies_come_up_at_once_and_go_again(hyperbox: Command, copies: list[Path]) -> None:
    for _ in range(ROUNDS):
        started = time.monotonic()
        failed = [row for row in at_once(hyperbox, copies, "compose", "up", "-d") if row[1]]
        up = time.monotonic() - started
        assert not failed, failed
        found = projects_of(hyperbox)
        assert len(found) == len(copies)
        check_distinct(found)
        for project in found:
            (container,) = project["Containers"]  # type: ignore[misc]
            (port,) = [each["HostPort"] for each in project["Ports"] if each["ContainerPort"] == 80]  # type: ignore[attr-defined]
            for address, number in (("127.0.0.1", port), (str(project["Address"]), 8090)):
                assert (
                    wait_until(lambda address=address, number=number: answer(address, number)) == container["Id"][:12]
                )
        started = time.monotonic()
        failed = [row for row in at_once(hyperbox, copies, "compose", "down", "-t", "0") if row[1]]
        assert not failed, failed
        print(f"{len(copies)} projects: up {up:.1f} s, down {time.monotonic() - started:.1f} s")
        nothing_left(hyperbox)


@pytest.mark.timeout(1800)
def test_commands_killed_at_random_leave_nothing_that_the_next_ones_mind(hyperbox: Command, copies: list[Path]) -> None:
    chance = random.Random(int(os.environ.get("HYPERBOX_TEST_SEED", "7")))
    for verb in (("up", "-d"), ("down", "-t", "0")):
        running = [
            hyperbox.start("compose", *verb, folder=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for folder in copies
        ]
        for process in chance.sample(running, len(running) // 2):
            time.sleep(chance.random() * 0.3)  # the moment is the point here, whatever it is
            process.kill()
        for process in running:
            process.communicate(timeout=500)
        failed = [row for row in at_once(hyperbox, copies, "compose", *verb) if row[1]]
        assert not failed, failed
        if verb[0] == "up":
            found = projects_of(hyperbox)
            assert len(found) == len(copies)
            check_distinct(found)
            for project in found:
                (container,) = project["Containers"]  # type: ignore[misc]
                assert wait_until(lambda project=project: answer(str(project["Address"]), 8090)) == container["Id"][:12]
    nothing_left(hyperbox)
