"""A monitor for which nothing happens becomes a process of some kilobytes (`engine.monitor_sleep`), and nobody notices but who counts memory."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import pytest

from hyperbox.engine import monitor_sleep
from tests.conftest import Command, wait_until
from tests.machine import Roots, assert_clean, leftovers, processes

LONG = ["sleep", "1000"]
# at most, for each of ten containers: what the goal of 3 MB leaves room for, and this way does not need
MOST = 1 << 20
SERVER = "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture
def before() -> list[str]:
    """What other tests have left, such as volumes without a name, which stay as with docker."""
    return leftovers(Roots.of_environment())


def monitor_of(hyperbox: Command, name: str) -> int:
    """Return the pid of a container's monitor."""
    container_id = hyperbox("inspect", "-f", "{{.Id}}", name).out.strip()
    state = json.loads((Roots.of_environment().data / "containers" / container_id / "state.json").read_text())
    return int(state["Monitor"])


def is_asleep(pid: int) -> bool:
    return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "busybox"


def sleeping(hyperbox: Command, name: str) -> int:
    """Wait until a container's monitor sleeps, and return its pid."""
    pid = monitor_of(hyperbox, name)
    wait_until(lambda: is_asleep(pid))
    return pid


def run(hyperbox: Command, busybox: str, *words: str, options: tuple[str, ...] = ()) -> str:
    return hyperbox("run", "-d", *options, busybox, *(words or LONG)).out.strip()


def signal_first(hyperbox: Command, name: str, number: signal.Signals) -> None:
    """Send a signal to a container's first process from outside: what an exec starts would die with it, and be told of."""
    os.kill(int(hyperbox("inspect", "-f", "{{.State.Pid}}", name).out), number)


def proportional_size(pid: int) -> int:
    """Return a process's proportional set size in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def test_ten_detached_containers_keep_little_memory_and_end_as_they_should(
    hyperbox: Command, busybox: str, before: list[str]
) -> None:
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        names = list(pool.map(lambda _: run(hyperbox, busybox), range(10)))
    try:
        sizes = [proportional_size(sleeping(hyperbox, name)) for name in names]
        assert sum(sizes) / len(sizes) <= MOST, sizes
    finally:
        hyperbox("rm", "-f", *names)
    assert_clean(Roots.of_environment(), before=before)


def test_the_end_of_the_container_is_recorded_with_its_code(hyperbox: Command, busybox: str, before: list[str]) -> None:
    name = run(hyperbox, busybox, "sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.05; done")
    pid = sleeping(hyperbox, name)
    signal_first(hyperbox, name, signal.SIGUSR1)
    state = "{{.State.Status}} {{.State.ExitCode}}"
    wait_until(lambda: hyperbox("inspect", "-f", state, name).out == "exited 7\n")
    wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"))
    hyperbox("rm", name)
    assert_clean(Roots.of_environment(), before=before)


SAYING = "trap 'echo ,ended; echo err >&2; exit 7' TERM; printf begun; while :; do sleep 0.02; done"


@pytest.mark.parametrize(
    ("words", "code"),
    [(("stop",), 7), (("stop", "-t", "0", "-s", "KILL"), 137), (("kill",), 137), (("kill", "-s", "TERM"), 7)],
)
@pytest.mark.parametrize(
    "options", [(), ("-t",), ("--log-opt", "max-size=1k"), ("--restart", "always"), ("--health-cmd", "true")]
)
def test_who_ends_a_container_records_the_end_in_place_of_its_sleeping_monitor(
    hyperbox: Command, busybox: str, before: list[str], words: tuple[str, ...], code: int, options: tuple[str, ...]
) -> None:
    name = run(hyperbox, busybox, "sh", "-c", SAYING, options=options)
    pid = sleeping(hyperbox, name)
    since = time.time()
    hyperbox(*words, name)
    state = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Pid}}"
    wait_until(lambda: hyperbox("inspect", "-f", state, name).out == f"exited {code} false 0\n")
    assert (
        datetime.fromisoformat(hyperbox("inspect", "-f", "{{.State.FinishedAt}}", name).out[:19] + "+00:00").timestamp()
        >= since - 1
    )
    logged = hyperbox("logs", name)
    said = "begun,ended\n" if code == 7 else "begun"
    assert logged.out.replace("\r", "") == (said + "err\n" if "-t" in options and code == 7 else said)
    assert logged.err == ("err\n" if code == 7 and "-t" not in options else "")
    wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"))
    happened = hyperbox(
        "events",
        "--since",
        str(int(since)),
        "--until",
        str(time.time()),
        "-f",
        f"container={name}",
        "--format",
        "{{.Action}}",
    ).out.split("\n")
    assert happened.count("die") == 1
    assert happened.count("kill") == 1 or "KILL" in words  # which may be sent once more: its time is over at once
    hyperbox("start", name)
    hyperbox("rm", "-f", name)
    assert_clean(Roots.of_environment(), before=before)


def test_no_interpreter_is_started_to_end_what_sleeps(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    name = hyperbox("run", "-d", busybox, *LONG, env={"HYPERBOX_TEST_KILL_AT": str(tmp_path / "steps")}).out.strip()
    sleeping(hyperbox, name)
    hyperbox("rm", "-f", name)
    time.sleep(0.5)
    assert "asleep" in (tmp_path / "steps").read_text()
    assert "awake" not in (tmp_path / "steps").read_text()


def test_what_ends_slowly_is_answered_meanwhile(hyperbox: Command, busybox: str) -> None:
    name = run(
        hyperbox,
        busybox,
        "sh",
        "-c",
        "trap 'echo heard; sleep 2; echo done; exit 4' TERM; while :; do sleep 0.02; done",
    )
    pid = sleeping(hyperbox, name)
    stopping = hyperbox.start("stop", name)
    wait_until(lambda: hyperbox("logs", name).out == "heard\n")
    assert not is_asleep(pid)
    assert stopping.communicate(timeout=30)[0] == f"{name}\n".encode()
    assert hyperbox("logs", name).out == "heard\ndone\n"
    assert hyperbox("inspect", "-f", "{{.State.ExitCode}}", name).out == "4\n"
    hyperbox("rm", name)


def test_two_that_end_one_container_at_once_both_see_its_end(
    hyperbox: Command, busybox: str, before: list[str]
) -> None:
    name = run(hyperbox, busybox)
    sleeping(hyperbox, name)
    both = [hyperbox.start("stop", "-t", "0", name) for _ in range(4)]
    assert {each.communicate(timeout=30)[0] for each in both} == {f"{name}\n".encode()}
    assert hyperbox("inspect", "-f", "{{.State.ExitCode}}", name).out == "137\n"
    hyperbox("rm", name)
    assert_clean(Roots.of_environment(), before=before)


def test_wait_is_told_of_the_end(hyperbox: Command, busybox: str) -> None:
    name = run(hyperbox, busybox)
    sleeping(hyperbox, name)
    waiting = hyperbox.start("wait", name)
    hyperbox("stop", "-t", "0", name)
    assert waiting.communicate(timeout=30)[0] == b"137\n"
    hyperbox("rm", name)


def test_output_is_logged_whole_be_a_line_begun_before_the_sleep(hyperbox: Command, busybox: str) -> None:
    script = "printf begun; trap 'echo ,ended; echo err >&2' USR1; while :; do sleep 0.05; done"
    name = run(hyperbox, busybox, "sh", "-c", script)
    try:
        pid = sleeping(hyperbox, name)
        hyperbox("exec", name, "kill", "-USR1", "1")
        wait_until(lambda: hyperbox("logs", name).err == "err\n")
        assert hyperbox("logs", name).out == "begun,ended\n"
        wait_until(lambda: is_asleep(pid))
        hyperbox("exec", name, "kill", "-USR1", "1")
        wait_until(lambda: hyperbox("logs", name).out == "begun,ended\n,ended\n")
    finally:
        hyperbox("rm", "-f", name)


@pytest.mark.parametrize("tty", [False, True], ids=["pipe", "tty"])
def test_who_attaches_to_it_is_heard(hyperbox: Command, busybox: str, tty: bool) -> None:
    name = run(hyperbox, busybox, "cat", options=("-it",) if tty else ("-i",))
    try:
        sleeping(hyperbox, name)
        # docker's rule: with a TTY, only who has one may attach stdin to it
        prefix = ["script", "-qfc"] if tty else []
        words = [*hyperbox.argv, "attach", name]
        attached = subprocess.Popen(
            [*prefix, " ".join(words), "/dev/null"] if tty else words,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=hyperbox.environment,
        )  # fmt: skip
        assert attached.stdin is not None
        assert attached.stdout is not None
        attached.stdin.write(b"heard\n")
        attached.stdin.flush()
        assert b"heard" in attached.stdout.readline()
        wait_until(lambda: "heard" in hyperbox("logs", name).out)
        hyperbox("rm", "-f", name)
        attached.communicate(timeout=30)
    finally:
        hyperbox("rm", "-f", name, code=None)


def test_questions_for_names_are_answered(hyperbox: Command, busybox: str) -> None:
    hyperbox("network", "create", "asleep")
    try:
        hyperbox("run", "-d", "--name", "asked", "--network", "asleep", busybox, *LONG)
        hyperbox("run", "-d", "--name", "asking", "--network", "asleep", busybox, *LONG)
        address = "{{.NetworkSettings.Networks.asleep.IPAddress}}"
        for _ in range(2):
            for each in ("asked", "asking"):
                sleeping(hyperbox, each)
            found = hyperbox("exec", "asking", "nslookup", "asked").out
            assert hyperbox("inspect", "-f", address, "asked").out.strip() in found
    finally:
        hyperbox("rm", "-f", "asked", "asking", code=None)
        hyperbox("network", "rm", "asleep")


def test_a_published_ipv6_port_is_carried(hyperbox: Command, busybox: str) -> None:
    name = run(hyperbox, busybox, "sh", "-c", SERVER, options=("-p", "[::1]:8107:80"))
    try:
        sleeping(hyperbox, name)

        def served() -> bytes:
            with urllib.request.urlopen("http://[::1]:8107/", timeout=20) as response:
                return bytes(response.read())

        assert [served(), served()] == [b"served\n"] * 2
    finally:
        hyperbox("rm", "-f", name)


def test_the_restart_policy_is_kept_and_signals_are_as_they_were(
    hyperbox: Command, busybox: str, before: list[str]
) -> None:
    name = run(hyperbox, busybox, options=("--restart", "on-failure:5"))
    state = ("inspect", "-f", "{{.State.Status}} {{.RestartCount}}")
    signals = ("exec", name, "grep", "Sig[BI]", "/proc/1/status")
    try:
        ignored = hyperbox(*signals).out
        for count in (1, 2):
            sleeping(hyperbox, name)
            signal_first(hyperbox, name, signal.SIGKILL)
            wait_until(lambda wanted=f"running {count}\n": hyperbox(*state, name).out == wanted)
            assert hyperbox(*signals).out == ignored
    finally:
        hyperbox("rm", "-f", name)
    assert_clean(Roots.of_environment(), before=before)


def test_a_killed_sleeper_is_a_killed_monitor(hyperbox: Command, busybox: str, before: list[str]) -> None:
    victim, other = run(hyperbox, busybox), run(hyperbox, busybox)
    pid = sleeping(hyperbox, victim)
    sleeping(hyperbox, other)
    os.kill(pid, signal.SIGKILL)
    state = ("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}")
    wait_until(lambda: hyperbox(*state, victim).out == "exited 137\n")
    assert hyperbox(*state, other).out == "running 0\n"
    hyperbox("start", victim)
    hyperbox("rm", "-f", victim, other)
    assert_clean(Roots.of_environment(), before=before)


@pytest.mark.parametrize("step", ["asleep", "awake"])
def test_a_monitor_killed_on_the_way_into_sleep_or_out_of_it_leaves_nothing(
    hyperbox: Command, busybox: str, step: str, before: list[str]
) -> None:
    environment = {"HYPERBOX_TEST_KILL_AT": step}
    name = hyperbox("run", "-d", busybox, *LONG, env=environment).out.strip()
    if step == "awake":
        sleeping(hyperbox, name)
        signal_first(hyperbox, name, signal.SIGKILL)
    wait_until(lambda: "Exited (137)" in hyperbox("ps", "-a").out)
    hyperbox("start", name)
    hyperbox("rm", "-f", name)
    assert_clean(Roots.of_environment(), before=before)


def test_monitors_of_what_happens_often_stay_awake(hyperbox: Command, busybox: str) -> None:
    chatty = run(hyperbox, busybox, "sh", "-c", "while :; do echo said; sleep 0.3; done")
    healthy = run(hyperbox, busybox, options=("--health-cmd", "true", "--health-interval", "1s"))
    quiet = run(hyperbox, busybox)
    try:
        sleeping(hyperbox, quiet)
        time.sleep(2 * monitor_sleep.FIRST)
        assert not is_asleep(monitor_of(hyperbox, chatty))
        assert not is_asleep(monitor_of(hyperbox, healthy))
    finally:
        hyperbox("rm", "-f", chatty, healthy, quiet)


def test_health_is_probed_when_it_is_time(hyperbox: Command, busybox: str) -> None:
    interval = monitor_sleep.LEAST + 2
    script = "trap 'exit 3' USR1; while :; do sleep 0.05; done"
    options = (
        "--health-cmd",
        "echo probed; [ ! -e /ill ]",
        "--health-interval",
        f"{interval}s",
        "--health-retries",
        "1",
    )
    name = run(hyperbox, busybox, "sh", "-c", script, options=options)
    health = (
        "inspect",
        "-f",
        "{{.State.Health.Status}} {{.State.Health.FailingStreak}} {{len .State.Health.Log}}",
        name,
    )
    try:
        sleeping(hyperbox, name)
        assert hyperbox(*health).out == "starting 0 0\n"
        wait_until(lambda: hyperbox(*health).out == "healthy 0 1\n", interval + 10)
        sleeping(hyperbox, name)
        hyperbox("exec", name, "touch", "/ill")
        wait_until(lambda: hyperbox(*health).out == "unhealthy 1 2\n", interval + 10)
        log = json.loads(hyperbox("inspect", "-f", "{{json .State.Health.Log}}", name).out)
        first, second = (datetime.fromisoformat(each["Start"][:19]) for each in log)
        assert (second - first).seconds == pytest.approx(interval, abs=1)
        signal_first(hyperbox, name, signal.SIGUSR1)
        wait_until(lambda: hyperbox("inspect", "-f", "{{.State.ExitCode}}", name).out == "3\n")
        assert hyperbox(*health).out == "unhealthy 1 2\n"
    finally:
        hyperbox("rm", "-f", name)


def test_twenty_that_start_and_end_at_once_leave_nothing(hyperbox: Command, busybox: str, before: list[str]) -> None:
    def one(number: int) -> None:
        name = run(hyperbox, busybox)
        time.sleep(monitor_sleep.FIRST + 0.02 * number)  # some end as they fall asleep, some before, some after
        hyperbox("rm", "-f", name)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(20)))
    assert_clean(Roots.of_environment(), before=before)
    assert [line for line in processes(Roots.of_environment()) if "busybox sh" in line] == []


def test_a_sleeper_waits_for_a_program_that_is_being_installed(tmp_path: Path) -> None:
    """The shell and the first lines of Python, without a container: interpreter and package come late, one after the other."""
    shell = next(path for path in ("/bin/busybox", "/usr/bin/busybox") if os.access(path, os.X_OK))
    readable, ready = os.pipe()
    never, _held = os.pipe()
    os.write(ready, b"x")
    gate = monitor_sleep.new_gate({readable})
    interpreter = tmp_path / "python"
    words = [shell, "sh", "-c", monitor_sleep.WAIT, "x", "1000000", str(gate), str(never), str(interpreter)]
    words += ["-I", "-S", "-c", monitor_sleep.BEGIN, str(tmp_path), "7"]
    with subprocess.Popen(words, pass_fds=(gate, never), stdout=subprocess.PIPE) as sleeper:
        time.sleep(1)
        assert is_asleep(sleeper.pid)
        interpreter.symlink_to(sys.executable)
        wait_until(lambda: not is_asleep(sleeper.pid))
        time.sleep(0.5)
        assert sleeper.poll() is None
        package = tmp_path / "hyperbox" / "engine"
        package.mkdir(parents=True)
        (package / "monitor_wake.py").write_text("def wake(memory):\n    return lambda: print('woken', memory)\n")
        try:
            assert sleeper.communicate(timeout=30)[0] == b"woken 7\n"
        finally:
            sleeper.kill()
