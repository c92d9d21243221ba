"""docker run with real containers: exit codes, streams, stdin, ports, and nothing left."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

from tests.conftest import Command, wait_until


def test_run_passes_the_exit_code_and_keeps_the_streams_apart(hyperbox: Command, busybox: str) -> None:
    result = hyperbox("run", "--rm", busybox, "sh", "-c", "echo out; echo err >&2; exit 7", code=7)
    assert (result.out, result.err) == ("out\n", "err\n")


def test_stdin_reaches_the_container_to_its_end(hyperbox: Command, busybox: str) -> None:
    data = os.urandom(3_000_000)
    assert hyperbox("run", "--rm", "-i", busybox, "cat", input=data).out_bytes == data


def test_a_missing_executable_is_127(hyperbox: Command, busybox: str) -> None:
    result = hyperbox("run", "--rm", busybox, "no-such-program", code=127)
    assert 'exec: "no-such-program": executable file not found in $PATH' in result.err


def test_a_missing_image_is_125(hyperbox: Command) -> None:
    assert "nothing:nothing" in hyperbox("run", "--rm", "--pull", "never", "nothing:nothing", code=125).err


def test_a_published_port_answers_on_the_host(hyperbox: Command, busybox: str) -> None:
    command = "mkdir /www; echo hello >/www/index.html; httpd -f -p 80 -h /www"
    name = hyperbox("run", "-d", "-p", "18080:80", busybox, "sh", "-c", command).out.strip()

    def page() -> bytes | None:
        try:
            return urllib.request.urlopen("http://127.0.0.1:18080/", timeout=2).read()
        except OSError:
            return None

    try:
        assert wait_until(page) == b"hello\n"
        assert hyperbox("port", name, "80").out.splitlines()[0] == "0.0.0.0:18080"
    finally:
        hyperbox("rm", "-f", name)


def test_killing_the_client_leaves_the_container_running(hyperbox: Command, busybox: str) -> None:
    client = hyperbox.start("run", "--name", "survivor", busybox, "sleep", "60")
    try:
        wait_until(lambda: hyperbox("inspect", "-f", "{{.State.Running}}", "survivor", code=None).out == "true\n")
        client.kill()
        client.communicate()
        assert hyperbox("inspect", "-f", "{{.State.Running}}", "survivor").out == "true\n"
    finally:
        hyperbox("rm", "-f", "survivor")


def leftovers() -> list[str]:
    """Return what ended containers may have left: folders, claims, cgroups in every hierarchy, files where hierarchies are mounted."""
    data, run = Path(os.environ["HYPERBOX_DATA"]), Path(os.environ["HYPERBOX_RUN"])
    folders = [data / "containers", data / "making", data / "removing", data / "names", run / "containers"]
    folders += [run / "networks" / "containers", run / "runtime" / "crun", run / "runtime" / "runc"]
    found = [str(path) for folder in folders if folder.is_dir() for path in folder.iterdir() if path.name[0] != "."]
    root, parent = Path("/sys/fs/cgroup"), os.environ["HYPERBOX_CGROUP"]
    for hierarchy in (root, *root.iterdir()):
        found += [str(path) for path in hierarchy.glob(f"{parent}/*/*") if path.is_dir()]
    return found


def test_short_runs_leave_nothing(hyperbox: Command, busybox: str) -> None:
    before = leftovers()
    for _ in range(20):
        hyperbox("run", "--rm", busybox, "true")
    for _ in range(6):
        clients = [hyperbox.start("run", "--rm", "-p", "80", busybox, "true") for _ in range(6)]
        for client in clients:
            client.communicate()
            assert client.returncode == 0
    wait_until(lambda: not set(leftovers()) - set(before))
    assert hyperbox("ps", "-aq").out == ""


def test_rm_ends_a_container_that_goes_by_itself(hyperbox: Command, busybox: str) -> None:
    for _ in range(5):
        hyperbox("run", "-d", "--rm", "--name", "goes", busybox, "sleep", "100")
        done = hyperbox("rm", "-f", "goes")
        assert (done.out, done.err) == ("goes\n", "")
        assert hyperbox("ps", "-aq", "--filter", "name=goes").out == ""


def test_an_exec_of_another_user_leaves_the_hosts_null_device_alone(hyperbox: Command, busybox: str) -> None:
    name = hyperbox("run", "-d", "--init", busybox, "sleep", "600").out.strip()
    try:
        for flags in ([], ["-d"], ["-i"]):
            hyperbox("exec", *flags, "-u", "4321:4322", name, "cat")
            assert Path("/dev/null").stat().st_uid != 4321, flags
        told = hyperbox("exec", "-u", "4321", name, "sh", "-c", "cat; chmod 666 /proc/self/fd/0", code=1).err
        assert "Read-only file system" in told
        assert (
            hyperbox("exec", "-u", "4321", name, "sh", "-c", "test -c /proc/self/fd/0 && cat </dev/null", code=0).out
            == ""
        )
    finally:
        hyperbox("rm", "-f", name)
