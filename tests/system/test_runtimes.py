"""The shortest set of what a container must do, through each OCI runtime: HYPERBOX_TEST_RUNTIMES names them (default: crun and runc)."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator

import pytest

from tests import machine
from tests.conftest import Command, wait_until
from tests.machine import Roots, leftovers

RUNTIMES = os.environ.get("HYPERBOX_TEST_RUNTIMES", "crun runc").split()


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Iterator[str]:
    """A runtime's name; after the test nothing is left that was not there before."""
    roots = Roots.of_environment()
    before = leftovers(roots)
    yield str(request.param)
    machine.assert_clean(roots, before=before)


def test_codes_and_streams(hyperbox: Command, busybox: str, runtime: str) -> None:
    result = hyperbox(
        "run", "--rm", "--runtime", runtime, busybox, "sh", "-c", "echo out; echo err >&2; exit 7", code=7
    )
    assert (result.out, result.err) == ("out\n", "err\n")
    assert hyperbox("run", "--rm", "-i", "--runtime", runtime, busybox, "cat", input="given").out == "given"


def test_what_can_t_be_started_is_told_in_docker_s_words(hyperbox: Command, busybox: str, runtime: str) -> None:
    result = hyperbox("run", "--rm", "--runtime", runtime, busybox, "no-such-program", code=127)
    assert 'exec: "no-such-program": executable file not found in $PATH' in result.err
    result = hyperbox("run", "--rm", "--runtime", runtime, busybox, "/etc", code=126)
    assert "/etc" in result.err


def test_a_container_from_start_to_end(hyperbox: Command, busybox: str, runtime: str) -> None:
    page = "mkdir /www; echo page >/www/index.html; httpd -p 80 -h /www; exec sleep 1000"
    options = ["--runtime", runtime, "-p", "18085:80", "-v", "/data", "-m", "64m", "--cap-drop", "MKNOD", "-h", "front"]
    hyperbox("run", "-d", "--name", "lived", *options, busybox, "sh", "-c", page)
    assert hyperbox("inspect", "-f", "{{.HostConfig.Runtime}} {{.State.Running}}", "lived").out == f"{runtime} true\n"

    def answer() -> bytes:
        try:
            return bytes(urllib.request.urlopen("http://127.0.0.1:18085/", timeout=2).read())
        except OSError:
            return b""

    assert wait_until(answer) == b"page\n"
    assert hyperbox("exec", "lived", "hostname").out == "front\n"
    hyperbox("exec", "lived", "sh", "-c", "exit 3", code=3)
    hyperbox("exec", "lived", "mknod", "/node", "c", "1", "3", code=1)
    hyperbox("pause", "lived")
    assert hyperbox("inspect", "-f", "{{.State.Status}}", "lived").out == "paused\n"
    hyperbox("unpause", "lived")
    hyperbox("restart", "-t", "0", "lived")
    assert wait_until(answer) == b"page\n"
    hyperbox("stop", "-t", "0", "lived")
    assert hyperbox("inspect", "-f", "{{.State.ExitCode}}", "lived").out == "137\n"
    hyperbox("rm", "-v", "lived")


def test_a_failing_container_is_restarted(hyperbox: Command, busybox: str, runtime: str) -> None:
    hyperbox("run", "-d", "--name", "again", "--runtime", runtime, "--restart", "on-failure:2", busybox, "false")
    count = "{{.RestartCount}} {{.State.Status}}"
    wait_until(lambda: hyperbox("inspect", "-f", count, "again").out == "2 exited\n")
    hyperbox("rm", "again")
