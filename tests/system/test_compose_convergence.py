"""`up` changes only what differs, survives being killed, and ends in the foreground as docker compose does."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until

pytestmark = pytest.mark.system
FILE = """
name: {name}
x-base: &base
  image: busybox
  command: sleep 600
  stop_signal: KILL
services:
  one: *base
  two: {{<<: *base, depends_on: [one], environment: {{LEVEL: "${{LEVEL:-1}}"}}, volumes: [/kept]}}
  three: {{<<: *base, depends_on: [two]}}
"""


def ids(hyperbox: Command, folder: Path) -> dict[str, str]:
    """Return service -> container id."""
    out = hyperbox("compose", "ps", "-a", "--no-trunc", "--format", "{{.Service}} {{.ID}}", folder=folder).out
    return dict(line.split() for line in out.splitlines())


@pytest.fixture
def project(
    hyperbox: Command, busybox: str, tmp_path: Path, request: pytest.FixtureRequest, volumes_tidied: None
) -> Path:
    name = f"hb-conv-{request.node.name.replace('_', '-')[5:25].strip('-')}"
    (tmp_path / "compose.yaml").write_text(FILE.format(name=name))
    yield tmp_path  # type: ignore[misc]
    hyperbox("compose", "down", "-v", "-t", "0", "--remove-orphans", code=None)


def test_only_what_changed_is_made_anew_and_keeps_its_anonymous_volume(hyperbox: Command, project: Path) -> None:
    hyperbox("compose", "up", "-d")
    before = ids(hyperbox, project)
    hyperbox("compose", "exec", "-T", "two", "touch", "/kept/file")
    hyperbox("compose", "up", "-d")
    assert ids(hyperbox, project) == before
    hyperbox("compose", "up", "-d", env={"LEVEL": "2"})
    after = ids(hyperbox, project)
    assert {name for name in after if after[name] != before[name]} == {"two"}
    assert hyperbox("compose", "exec", "-T", "two", "ls", "/kept").out == "file\n"


def test_another_image_under_the_same_name_makes_the_container_anew(
    hyperbox: Command, project: Path, image_folder: Path
) -> None:
    (project / "compose.yaml").write_text((project / "compose.yaml").read_text().replace("busybox", "hb-conv:1"))
    try:
        hyperbox("tag", "busybox", "hb-conv:1")
        hyperbox("compose", "up", "-d", "one")
        before = ids(hyperbox, project)
        hyperbox("import", "-c", 'CMD ["sh"]', str(image_folder / "busybox.tar"), "hb-conv:1")
        hyperbox("compose", "up", "-d", "one")
        assert ids(hyperbox, project)["one"] != before["one"]
    finally:
        hyperbox("compose", "down", "-t", "0", code=None)
        hyperbox("rmi", "hb-conv:1", code=None)


def test_up_completes_after_one_that_was_killed(hyperbox: Command, project: Path) -> None:
    for level in ("1", "2", "3"):
        process = subprocess.Popen(
            [*hyperbox.argv, "compose", "up", "-d"],
            stderr=subprocess.PIPE,
            env={**hyperbox.environment, "LEVEL": level},
            cwd=project,
            start_new_session=True,
        )
        assert process.stderr is not None
        process.stderr.readline()  # it is in the middle of its first step
        process.stderr.readline()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
    hyperbox("compose", "up", "-d", env={"LEVEL": "4"})
    assert sorted(ids(hyperbox, project)) == ["one", "three", "two"]
    shown = hyperbox("compose", "ps", "--format", "{{.Name}} {{.State}}").out
    assert shown.count("running") == 3
    assert "_" not in shown
    assert hyperbox("compose", "exec", "-T", "two", "sh", "-c", "echo $LEVEL").out == "4\n"


def test_one_interrupt_stops_what_up_shows(hyperbox: Command, project: Path) -> None:
    process = hyperbox.start("compose", "up")
    wait_until(lambda: hyperbox("compose", "ps", "--format", "{{.State}}").out == "running\n" * 3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.startswith(b"Attaching to one-1, three-1, two-1\n")
    assert b"Gracefully Stopping... press Ctrl+C again to force\n" in out
    assert hyperbox("compose", "ps", "-q").out == ""
    assert len(ids(hyperbox, project)) == 3


@pytest.mark.behaviour(86)
def test_a_second_interrupt_kills(hyperbox: Command, project: Path) -> None:
    text = (project / "compose.yaml").read_text()
    slow = "command: [sh, -c, 'trap : TERM; while :; do sleep 1; done']\n  stop_grace_period: 5m"
    (project / "compose.yaml").write_text(text.replace("command: sleep 600\n  stop_signal: KILL", slow))
    process = hyperbox.start("compose", "up", "one")
    wait_until(lambda: hyperbox("compose", "ps", "--format", "{{.State}}").out == "running\n")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while b"Stopping" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert hyperbox("compose", "ps", "-q").out == ""


def test_output_is_shown_while_one_service_waits_for_another(hyperbox: Command, project: Path) -> None:
    (project / "compose.yaml").write_text(
        "name: hb-conv-waits\nservices:\n"
        "  a: {image: busybox, command: sh -c 'echo early; sleep 600', stop_signal: KILL,\n"
        "      healthcheck: {test: [CMD, test, -e, /tmp/ready], start_period: 60s, start_interval: 100ms}}\n"
        "  b: {image: busybox, command: echo late, depends_on: {a: {condition: service_healthy}}}\n"
    )
    process = hyperbox.start("compose", "up", "--abort-on-container-exit")
    assert process.stdout is not None
    assert process.stdout.readline() == b"Attaching to a-1, b-1\n"
    assert process.stdout.readline() == b"a-1  | early\n"
    hyperbox("compose", "exec", "-T", "a", "touch", "/tmp/ready")
    out, _ = process.communicate(timeout=60)
    assert b"b-1  | late\n" in out
    assert process.returncode == 0


def test_secrets_are_for_root_alone_on_this_side(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    word = "s3cr3t-of-the-test"
    (tmp_path / "compose.yaml").write_text(
        "name: hb-conv-secret\nservices:\n"
        "  a: {image: busybox, command: sleep 600, stop_signal: KILL,\n"
        "      secrets: [{source: s, mode: 0400, uid: '7', gid: '8'}]}\n"
        "secrets: {s: {environment: THE_SECRET}}\n"
    )
    try:
        hyperbox("compose", "up", "-d", env={"THE_SECRET": word})
        shown = hyperbox("compose", "exec", "-T", "a", "stat", "-c", "%a %u %g", "/run/secrets/s").out
        assert shown == "400 7 8\n"
        container = hyperbox("compose", "ps", "-q").out.strip()
        assert word not in hyperbox("inspect", container).out
        assert word not in hyperbox("logs", container).out
        for root in (os.environ["HYPERBOX_DATA"], os.environ["HYPERBOX_RUN"]):
            for folder, _, names in os.walk(root):
                for name in names:
                    path = f"{folder}/{name}"
                    if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 1 << 20:
                        held = Path(path).read_bytes()
                        assert word.encode() not in held or os.stat(path).st_mode & 0o077 == 0, path
    finally:
        hyperbox("compose", "down", "-t", "0", env={"THE_SECRET": word}, code=None)


def test_wait_fails_for_what_ends_at_its_start(hyperbox: Command, project: Path) -> None:
    (project / "compose.yaml").write_text(
        "name: hb-conv-ends\nservices:\n"
        '  brief: {image: busybox, command: ["sleep", "0.2"]}\n'
        '  bad: {image: busybox, command: ["sh", "-c", "exit 3"]}\n'
        '  job: {image: busybox, command: ["sleep", "0.2"]}\n'
        "  web: {image: busybox, command: sleep 600, stop_signal: KILL,"
        " depends_on: {job: {condition: service_completed_successfully}}}\n"
    )
    for service, code in (("brief", 0), ("bad", 3), ("job", 0)):
        told = hyperbox("compose", "up", "--wait", service, code=1).err
        assert f"-{service}-1 exited ({code})\n" in told, "nobody that is brought up waits for it"
        assert "Healthy" not in told
    told = hyperbox("compose", "up", "--wait", "web").err
    assert "-web-1  Healthy\n" in told
    assert "-job-1  Exited\n" in told


@pytest.mark.behaviour(70)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("flags", [["-d"], []])
def test_a_signal_while_one_service_waits_for_another_ends_up_with_130(
    hyperbox: Command, project: Path, number: int, flags: list[str]
) -> None:
    (project / "compose.yaml").write_text(
        "name: hb-conv-ended\nservices:\n"
        "  a: {image: busybox, command: sleep 600, stop_signal: KILL, healthcheck: {test: 'false', start_period: 60s}}\n"
        "  b: {image: busybox, command: echo late, depends_on: {a: {condition: service_healthy}}}\n"
    )
    process = hyperbox.start("compose", "up", *flags)
    wait_until(lambda: hyperbox("compose", "ps", "--format", "{{.State}}").out == "running\n")
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.endswith(b"\n\n")
    assert hyperbox("compose", "ps", "--format", "{{.State}}").out == ("running\n" if flags else "")
