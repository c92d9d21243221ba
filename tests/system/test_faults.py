"""What goes wrong on a machine: a full disk, a read-only one, programs that are missing, no permission, containers killed from outside.

One clear line each, docker's words and code where it has them, and nothing half-made left.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import machine
from tests.conftest import ROOT, Command, Result, wait_until
from tests.machine import Roots, leftovers, processes

FULL = "no space left on device"


@pytest.fixture
def small(tmp_path: Path, hyperbox: Command) -> Iterator[Command]:
    """The command with a data folder of 6 MB, control group and runtime folder of its own."""
    data, run = tmp_path / "small", tmp_path / "run"
    data.mkdir()
    run.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "small", data], check=True)
    hyperbox.environment.update(
        HYPERBOX_DATA=str(data), HYPERBOX_RUN=str(run), HYPERBOX_CGROUP=os.environ["HYPERBOX_CGROUP"] + "-small"
    )
    roots = Roots(str(data), str(run), hyperbox.environment["HYPERBOX_CGROUP"])
    try:
        yield hyperbox
        ids = hyperbox("ps", "-aq").out.split()
        hyperbox("rm", "-f", "-v", *ids, code=None)
        assert_clean(roots)
    finally:
        machine.forget(roots)
        subprocess.run(["umount", "-l", data], check=True)


BEFORE: set[str] = set()


@pytest.fixture(scope="module", autouse=True)
def what_was_there() -> None:
    """What other tests have left is not looked at here."""
    BEFORE.update(leftovers(Roots.of_environment()))


def assert_clean(roots: Roots) -> None:
    """Fail where something is there that was not before this file's tests."""
    machine.assert_clean(roots, before=BEFORE)


def fill(hyperbox: Command) -> None:
    """Fill the data folder to its last byte."""
    path = Path(hyperbox.environment["HYPERBOX_DATA"]) / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def only_line(result: Result) -> str:
    """Return the one line that an error is."""
    lines = [line for line in result.err.splitlines() if line and not line.startswith(("hint: ", "Run 'docker run"))]
    assert len(lines) == 1, result.err
    return lines[0]


def import_busybox(hyperbox: Command, image_folder: Path, code: int = 0) -> Result:
    return hyperbox("import", "-c", 'CMD ["sh"]', str(image_folder / "busybox.tar"), "busybox:latest", code=code)


def test_a_full_disk_stops_nothing_from_being_stopped_and_removed(small: Command, image_folder: Path) -> None:
    import_busybox(small, image_folder)
    small("run", "-d", "--name", "full", "busybox", "sh", "-c", "while :; do sleep 1; done")
    fill(small)
    for words in (["run", "--rm", "busybox", "true"], ["run", "-d", "busybox", "true"]):
        line = only_line(small(*words, code=125))
        assert line.startswith("docker: Error response from daemon: ")
        assert line.endswith(FULL)
    assert only_line(small("create", "busybox", code=1)).endswith(FULL)
    assert only_line(small("volume", "create", "full", code=1)).endswith(FULL)
    assert small("ps", "-aq", "--filter", "name=full").out.count("\n") == 1
    assert small("exec", "full", "echo", "hi").out == "hi\n"
    small("stop", "-t", "0", "full")
    assert small("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "full").out == "exited 137\n"
    small("rm", "full")
    assert small("ps", "-aq").out == ""
    (Path(small.environment["HYPERBOX_DATA"]) / "filler").unlink()
    assert small("run", "--rm", "busybox", "echo", "again").out == "again\n"


def test_a_disk_that_fills_up_loses_log_lines_and_no_container(small: Command, image_folder: Path) -> None:
    import_busybox(small, image_folder)
    script = "i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done; cat; echo last"
    small("run", "-d", "-i", "--name", "full", "busybox", "sh", "-c", script)
    wait_until(lambda: small("exec", "full", "df", "/").out.split()[-2] == "100%")
    assert small("inspect", "-f", "{{.State.Running}}", "full").out == "true\n"
    logged = small("logs", "full").out.splitlines()
    assert logged[:3] == ["line 0", "line 1", "line 2"]
    assert all(line.startswith("line ") for line in logged)
    small("rm", "-f", "full")


def test_a_disk_that_is_full_while_an_image_arrives_keeps_nothing_of_it(small: Command, image_folder: Path) -> None:
    data = Path(small.environment["HYPERBOX_DATA"])
    (data / "filler").write_bytes(b"x" * (3 << 20))
    line = only_line(import_busybox(small, image_folder, code=1))
    assert line.startswith("Error response from daemon: ")
    assert line.endswith(FULL)
    assert [
        path for path in (data / "images").rglob("*") if path.is_file() and path.name not in ("lock", "needed.json")
    ] == []
    assert small("images", "-q").out == ""
    (data / "filler").unlink()
    import_busybox(small, image_folder)


def test_a_read_only_data_folder_can_be_looked_at_and_says_so_otherwise(small: Command, image_folder: Path) -> None:
    import_busybox(small, image_folder)
    data = small.environment["HYPERBOX_DATA"]
    subprocess.run(["mount", "-o", "remount,ro", data], check=True)
    try:
        assert small("images", "-q").out
        assert small("ps", "-aq").out == ""
        for words, code in (
            (["run", "--rm", "busybox", "true"], 125),
            (["create", "busybox"], 1),
            (["volume", "create", "full"], 1),
            (["network", "create", "full"], 1),
            (["rmi", "busybox"], 1),
        ):
            assert only_line(small(*words, code=code)).endswith("read-only file system")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", data], check=True)
    assert small("images", "-q").out


def without(program: str, hyperbox: Command) -> Command:
    """Return the command where a program can't be found: in a mount namespace in which nothing executable has its name."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    hide = f"mount --bind /dev/null {found} && " if found else ""
    return Command(
        ["unshare", "--mount", "sh", "-c", f'{hide}exec "$@"', "sh", *hyperbox.argv],
        hyperbox.environment,
        hyperbox.folder,
    )


def test_a_missing_runtime_is_named(hyperbox: Command, busybox: str) -> None:
    line = only_line(without("crun", hyperbox)("run", "--rm", "--runtime", "crun", busybox, "true", code=125))
    assert line == "docker: Error response from daemon: the OCI runtime crun is not installed"
    assert hyperbox("ps", "-aq").out == ""


def test_a_missing_nft_is_named_where_it_is_needed_only(hyperbox: Command, busybox: str) -> None:
    table = Roots.of_environment().table
    subprocess.run(["nft", "delete", "table", "inet", table], check=False, capture_output=True)
    crippled = without("nft", hyperbox)
    line = only_line(crippled("run", "--rm", busybox, "true", code=125))
    assert line.endswith("the program nft is not installed")
    assert crippled("run", "--rm", "--net", "none", busybox, "echo", "none").out == "none\n"
    assert hyperbox("run", "--rm", busybox, "echo", "back").out == "back\n"


def test_a_kernel_without_nftables_is_told_in_one_line(hyperbox: Command, busybox: str) -> None:
    """nft itself says what the kernel lacks; its words are passed on."""
    table = Roots.of_environment().table
    subprocess.run(["nft", "delete", "table", "inet", table], check=False, capture_output=True)
    fake = hyperbox.folder / "nft"
    fake.write_text("#!/bin/sh\necho 'Error: Could not process rule: Operation not supported' >&2\nexit 1\n")
    fake.chmod(0o755)
    path = f"{hyperbox.folder}:{hyperbox.environment['PATH']}"
    line = only_line(hyperbox("run", "--rm", busybox, "true", env={"PATH": path}, code=125))
    assert "Operation not supported" in line
    assert hyperbox("run", "--rm", busybox, "true").code == 0


def test_another_user_is_told_that_root_is_needed(hyperbox: Command, tmp_path: Path) -> None:
    import yaml

    for package in (
        ROOT / "hyperbox",
        Path(yaml.__file__).parent,
    ):  # the tests' own environment may lie where others can't look
        shutil.copytree(package, tmp_path / "code" / package.name)
    for folder in (*tmp_path.parents, tmp_path):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", tmp_path], check=True)
    python = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-m", "hyperbox"]
    other = Command(python, {**hyperbox.environment, "PYTHONPATH": str(tmp_path / "code")}, tmp_path)
    for words, code in ((["ps"], 1), (["run", "--rm", "busybox", "true"], 126), (["compose", "ls"], 1)):
        result = other(*words, code=code)
        assert "permission denied" in only_line(result)
        assert "needs root" in result.err


def test_a_killed_first_process_is_recorded_as_killed(hyperbox: Command, busybox: str) -> None:
    hyperbox("run", "-d", "--name", "victim", busybox, "sleep", "1000")
    os.kill(int(hyperbox("inspect", "-f", "{{.State.Pid}}", "victim").out), signal.SIGKILL)
    assert hyperbox("wait", "victim").out == "137\n"
    state = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}"
    assert hyperbox("inspect", "-f", state, "victim").out == "exited 137 false\n"
    hyperbox("rm", "victim")
    assert_clean(Roots.of_environment())


def test_a_container_past_its_memory_is_marked(hyperbox: Command, busybox: str) -> None:
    script = "x=aaaaaaaa; while :; do x=$x$x; done"
    hyperbox("run", "--name", "victim", "-m", "16m", busybox, "sh", "-c", script, code=137)
    assert hyperbox("inspect", "-f", "{{.State.OOMKilled}}", "victim").out == "true\n"
    hyperbox("rm", "victim")


def test_a_container_whose_monitor_was_killed_ends_with_the_next_command(hyperbox: Command, busybox: str) -> None:
    roots = Roots.of_environment()
    hyperbox("run", "-d", "--name", "victim", "-p", "18082:80", busybox, "sleep", "1000")
    first = int(hyperbox("inspect", "-f", "{{.State.Pid}}", "victim").out)
    monitor = next(line for line in processes(roots) if "hyperbox-monito" in line)
    os.kill(int(monitor.split()[1]), signal.SIGKILL)
    wait_until(lambda: "Exited (137)" in hyperbox("ps", "-a").out)
    wait_until(lambda: not Path(f"/proc/{first}/exe").is_symlink() or not os.path.exists(f"/proc/{first}/root"))
    hyperbox("start", "victim")
    assert hyperbox("port", "victim", "80").out.splitlines()[0] == "0.0.0.0:18082"
    hyperbox("rm", "-f", "victim")
    assert_clean(roots)


UNHEALTHY = """
services:
  victim:
    {image: busybox, command: sleep 1000, container_name: victim, healthcheck: {test: "false", interval: 1000s, start_period: 1000s}}
  web: {image: busybox, command: sleep 1000, depends_on: {victim: {condition: service_healthy}}}
"""


def kill_monitor() -> None:
    """Kill the monitor of the one container as soon as there is one that runs, which no command looks at."""
    folder = Path(Roots.of_environment().data, "containers")
    wait_until(lambda: any('"running"' in path.read_text() for path in folder.glob("*/state.json")))
    monitor = next(line for line in processes(Roots.of_environment()) if "hyperbox-monito" in line)
    os.kill(int(monitor.split()[1]), signal.SIGKILL)


def test_up_is_told_that_the_monitor_of_what_it_waits_for_was_killed(hyperbox: Command, busybox: str) -> None:
    (hyperbox.folder / "compose.yaml").write_text(UNHEALTHY)
    waiting = hyperbox.start("compose", "up", "-d")
    kill_monitor()
    error = waiting.communicate(timeout=60)[1].decode()
    assert "dependency failed to start: container victim exited (137)" in error
    assert waiting.returncode == 1
    hyperbox("compose", "down", "-t", "0")


def test_events_tell_the_end_of_a_container_whose_monitor_was_killed(hyperbox: Command, busybox: str) -> None:
    hyperbox("run", "-d", "--name", "victim", busybox, "sleep", "1000")
    following = hyperbox.start("events", "--filter", "event=die")
    kill_monitor()
    assert following.stdout is not None
    assert "exitCode=137" in following.stdout.readline().decode()
    following.kill()
    following.communicate()
    hyperbox("rm", "victim")


def test_an_exec_ends_with_a_container_whose_monitor_was_killed(hyperbox: Command, busybox: str) -> None:
    hyperbox("run", "-d", "--name", "victim", busybox, "sleep", "1000")
    script = "echo ready; sleep 1000"
    running = hyperbox.start("exec", "victim", "sh", "-c", script)
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    monitors = [line.split()[1] for line in processes(Roots.of_environment()) if "hyperbox-monito" in line]
    first = hyperbox("inspect", "-f", "{{.State.Pid}}", "victim").out.strip()
    parent = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1]
    assert parent in monitors
    os.kill(int(parent), signal.SIGKILL)
    running.communicate(timeout=60)
    assert running.returncode == 137
    hyperbox("rm", "victim")
    assert_clean(Roots.of_environment())


def test_a_killed_runtime_fails_the_start_and_leaves_nothing(hyperbox: Command, busybox: str) -> None:
    """crun is killed at its first act: a crun of our own, which kills itself, stands before it in PATH."""
    fake = hyperbox.folder / "crun"
    fake.write_text(
        '#!/bin/sh\nfor word; do case "$word" in run|create) kill -9 $$;; esac; done\nexec /usr/bin/crun "$@"\n'
    )
    fake.chmod(0o755)
    path = f"{hyperbox.folder}:{hyperbox.environment['PATH']}"
    result = hyperbox("run", "--rm", busybox, "true", env={"PATH": path}, code=125)
    assert only_line(result).startswith("docker: Error response from daemon: ")
    assert_clean(Roots.of_environment())


def test_a_start_that_fails_leaves_nothing_of_what_was_to_be_removed(hyperbox: Command, busybox: str) -> None:
    hyperbox("run", "--rm", "-v", "/data", busybox, "no-such-program", code=127)
    hyperbox("run", "--rm", "--runtime", "crun", "--cap-add", "no-such", busybox, "true", code=125)
    assert_clean(Roots.of_environment())


def at_once(hyperbox: Command, commands: list[list[str]]) -> list[Result]:
    """Start several commands at the same time and return how each ended."""
    started = [(words, hyperbox.start(*words, stdin=subprocess.DEVNULL)) for words in commands]
    results = []
    for words, process in started:
        out, err = process.communicate(timeout=120)
        results.append(Result(words, process.returncode, out, err))
    return results


def test_of_ten_that_want_one_name_one_gets_it(hyperbox: Command, busybox: str) -> None:
    results = at_once(hyperbox, [["run", "-d", "--name", "wanted", busybox, "sleep", "1000"]] * 10)
    assert sorted(result.code for result in results) == [0] + [125] * 9
    for result in results:
        assert result.code == 0 or 'The container name "/wanted" is already in use by container' in only_line(result)
    hyperbox("rm", "-f", "wanted")
    assert_clean(Roots.of_environment())


def test_of_ten_that_want_one_port_one_gets_it(hyperbox: Command, busybox: str) -> None:
    words = [["run", "-d", "--name", f"p{i}", "-p", "18083:80", busybox, "sleep", "1000"] for i in range(10)]
    results = at_once(hyperbox, words)
    assert sorted(result.code for result in results) == [0] + [125] * 9
    for result in results:
        assert result.code == 0 or "port is already allocated" in only_line(result)
    hyperbox("rm", "-f", *(f"p{i}" for i in range(10)))
    assert_clean(Roots.of_environment())


def test_ten_at_once_on_one_container_agree(hyperbox: Command, busybox: str) -> None:
    hyperbox("create", "--name", "one", busybox, "sleep", "1000")
    assert {result.code for result in at_once(hyperbox, [["start", "one"]] * 10)} == {0}
    assert {result.code for result in at_once(hyperbox, [["exec", "one", "true"]] * 10)} == {0}
    assert {result.code for result in at_once(hyperbox, [["stop", "-t", "0", "one"]] * 10)} == {0}
    results = at_once(hyperbox, [["rm", "one"]] * 10)
    assert any(result.code == 0 for result in results)
    for result in results:
        gone = "No such container: " in result.err or "is already in progress" in result.err
        assert result.code == 0 or gone, repr(result)
    assert_clean(Roots.of_environment())


def test_ten_at_once_on_one_project_make_it_once(hyperbox: Command, busybox: str) -> None:
    (hyperbox.folder / "compose.yaml").write_text(
        f"services: {{a: {{image: '{busybox}', command: sleep 1000, stop_grace_period: 0s, ports: ['18084:80']}}}}\n"
    )
    results = at_once(hyperbox, [["compose", "-p", "ten", "up", "-d"]] * 10)
    assert [result.err for result in results if result.code] == []
    assert hyperbox("compose", "-p", "ten", "ps", "-q").out.count("\n") == 1
    hyperbox("compose", "-p", "ten", "down")
    hyperbox("project", "rm", "-f", "ten")
    assert_clean(Roots.of_environment())


def test_a_container_is_removed_at_whatever_moment_of_its_restarts(hyperbox: Command, busybox: str) -> None:
    script = "[ -e /ran ] && exec sleep 1000; touch /ran"
    for number in range(16):
        name = hyperbox("run", "-d", "--restart", "always", busybox, "sh", "-c", script).out.strip()
        time.sleep(0.01 * number)
        began = time.monotonic()
        hyperbox("rm", "-f", name)
        assert time.monotonic() - began < 20  # one that was missed was waited for 30 seconds
    assert_clean(Roots.of_environment())
