"""`compose watch` and `up --watch`: files that change here change in the containers."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until

pytestmark = pytest.mark.system
FILE = """
name: hb-watch
services:
  web:
    image: busybox
    command: sleep 600
    stop_signal: KILL
    develop:
      watch:
        - {path: ./src, action: sync, target: /app, ignore: ["*.log"], initial_sync: true}
        - {path: ./conf, action: sync+restart, target: /conf}
        - {path: ./x.txt, action: restart}
        - {path: ./run, action: sync+exec, target: /run/files, exec: {command: sh -c 'cat /run/files/* >/tmp/ran; echo said'}}
"""
BUILT = """
name: hb-watch-built
services:
  web:
    build: .
    command: sleep 600
    stop_signal: KILL
    develop: {watch: [{path: ./text, action: rebuild}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("src", "conf", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "src" / "first").write_text("first\n")
    (tmp_path / "x.txt").write_text("x\n")
    (tmp_path / "compose.yaml").write_text(FILE)
    return tmp_path


def test_files_are_copied_removed_and_bring_restarts_and_commands(
    hyperbox: Command, busybox: str, folder: Path
) -> None:
    log = folder / "log"
    with log.open("wb") as stream:
        process = hyperbox.start("compose", "watch", stdout=stream.fileno(), stderr=stream.fileno())

    def said(text: str) -> bool:
        assert process.poll() is None, log.read_text()
        return text in log.read_text()

    def inside(path: str) -> str:
        return hyperbox("compose", "exec", "-T", "web", "cat", path, code=None).out

    def started() -> str:
        container = hyperbox("compose", "ps", "-aq", "web").out.strip()
        return hyperbox("inspect", "-f", "{{.State.StartedAt}}", container).out

    try:
        wait_until(lambda: said("Watch enabled"))
        assert inside("/app/first") == "first\n"
        (folder / "src" / "noise.log").write_text("no\n")
        (folder / "src" / "deep").mkdir()
        (folder / "src" / "deep" / "second").write_text("second\n")
        wait_until(lambda: inside("/app/deep/second") == "second\n")
        assert inside("/app/noise.log") == ""
        (folder / "src" / "first").unlink()
        wait_until(lambda: inside("/app/first") == "")
        before = started()
        (folder / "conf" / "c").write_text("c\n")
        wait_until(lambda: said('service(s) ["web"] restarted'))
        assert inside("/conf/c") == "c\n"
        assert started() != before
        (folder / "run" / "r").write_text("run\n")
        wait_until(lambda: said("said"))
        assert inside("/tmp/ran") == "run\n"
        before = started()
        (folder / "x.txt").write_text("y\n")
        wait_until(lambda: started() != before)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert 'Syncing service "web" after 1 changes were detected' in log.read_text()
        assert hyperbox("compose", "ps", "--format", "{{.State}}").out == "running\n"
    finally:
        process.kill()
        process.wait()
        hyperbox("compose", "down", "-t", "0", code=None)


def test_a_changed_file_builds_the_image_anew_and_up_shows_the_new_container(
    hyperbox: Command, busybox: str, folder: Path
) -> None:
    (folder / "compose.yaml").write_text(BUILT)
    (folder / "text").write_text("one\n")
    (folder / "Dockerfile").write_text("FROM busybox\nCOPY text /text\n")
    log = folder / "log"
    with log.open("wb") as stream:
        process = hyperbox.start("compose", "up", "--watch", stdout=stream.fileno(), stderr=stream.fileno())
    try:
        wait_until(lambda: "Watch enabled" in log.read_text(), 60)
        wait_until(lambda: hyperbox("compose", "ps", "--format", "{{.State}}").out == "running\n")
        (folder / "text").write_text("two\n")
        wait_until(lambda: 'service(s) ["web"] successfully built' in log.read_text(), 60)
        assert hyperbox("compose", "exec", "-T", "web", "cat", "/text").out == "two\n"
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert hyperbox("compose", "ps", "-q").out == ""
    finally:
        process.kill()
        process.wait()
        hyperbox("compose", "down", "-t", "0", "--rmi", "all", code=None)


def test_a_container_that_is_restarted_while_attached_goes_on_being_shown(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text(
        "name: hb-reattach\nservices:\n  web: {image: busybox, command: sh -c 'echo begun; exec sleep 1000'}\n"
    )
    compose = ("compose", "-f", tmp_path / "compose.yaml")
    attached = hyperbox.start(*compose, "up", stderr=subprocess.STDOUT)
    try:
        assert attached.stdout is not None
        seen: list[bytes] = []
        while not any(b"| begun" in line for line in seen):
            seen.append(attached.stdout.readline())
        hyperbox(*compose, "restart", "-t", "0")
        told = attached.stdout.readline()
        assert told.endswith(b"web-1 exited with code 137 (restarting)\n")
        assert attached.stdout.readline().endswith(b"| begun\n")
    finally:
        attached.send_signal(signal.SIGINT)
        attached.wait(timeout=30)
        hyperbox(*compose, "down", "-t", "0")
