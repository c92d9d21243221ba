"""kill -9 at every step and at random times: the next command cleans up and succeeds, and nothing is left.

The steps are found, not listed: each operation is first run with HYPERBOX_TEST_KILL_AT naming a file, to which the engine notes what it
reaches (`engine.state.Roots.reached`), then once for each of these steps, at which whoever reaches it (the command or a monitor) dies.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import machine
from tests.conftest import ROOT, Command, command_under_test, wait_until
from tests.fake_registry import fake_registry, tar_of
from tests.machine import Roots, leftovers, processes

SEED = int(os.environ.get("HYPERBOX_TEST_SEED", "1"))
# the engine's own operations are killed at every step; what is made of these at a few, chosen by the seed ("all": every one)
ALL_STEPS = os.environ.get("HYPERBOX_TEST_STEPS") == "all"
COMPOSED, FEW = ("compose up", "compose down", "compose run", "restart"), 5
RANDOM_KILLS = int(os.environ.get("HYPERBOX_TEST_RANDOM_KILLS", "2"))
PORT = "18081"
SLEEP = ["busybox", "sleep", "1000"]
REGISTRY_PORT = 5099
PULLED = f"127.0.0.1:{REGISTRY_PORT}/tiny"
COMPOSE = f"""
services:
  web: {{image: busybox, command: sleep 1000, ports: ["{PORT}:80"], volumes: ["data:/data"], stop_grace_period: 0s}}
  other: {{image: busybox, command: sleep 1000, stop_grace_period: 0s, depends_on: [web], configs: [text]}}
volumes: {{data: {{}}}}
configs: {{text: {{content: given}}}}
"""


class Operation(NamedTuple):
    """What is killed: `before` makes the ground for `command`; `after` is what must succeed next; `last` takes it all away."""

    command: list[str]
    before: tuple[list[str], ...] = ()
    after: tuple[list[str], ...] = ()
    last: tuple[list[str], ...] = ()


REMOVE = (["rm", "-f", "-v", "crash"],)
RUN_DETACHED = ["run", "-d", "--name", "crash", "-p", f"{PORT}:80", "-v", "/data", *SLEEP]
OPERATIONS = {
    "run": Operation(["run", "--rm", "--name", "crash", "-p", f"{PORT}:80", "-v", "/data", "busybox", "true"]),
    "run detached": Operation(RUN_DETACHED, last=REMOVE),
    "create": Operation(["create", "--name", "crash", "-v", "/data", *SLEEP], last=REMOVE),
    "start": Operation(["start", "crash"], (["create", "--name", "crash", "-p", f"{PORT}:80", *SLEEP],), last=REMOVE),
    "stop": Operation(["stop", "-t", "0", "crash"], (RUN_DETACHED,), last=REMOVE),
    "restart": Operation(["restart", "-t", "0", "crash"], (RUN_DETACHED,), last=REMOVE),
    "kill": Operation(["kill", "crash"], (RUN_DETACHED,), (["start", "crash"],), REMOVE),
    "rm": Operation(["rm", "-f", "-v", "crash"], (RUN_DETACHED,), (RUN_DETACHED,), REMOVE),
    "exec": Operation(["exec", "crash", "true"], (RUN_DETACHED,), (["exec", "crash", "true"],), REMOVE),
    "commit": Operation(
        ["commit", "crash", "crashed"], (RUN_DETACHED,), (["exec", "crash", "true"],), (*REMOVE, ["image", "rm", "-f", "crashed"])
    ),
    "pause": Operation(["pause", "crash"], (RUN_DETACHED,), (["unpause", "crash"], ["exec", "crash", "true"]), REMOVE),
    "volume": Operation(["volume", "create", "crash"], last=(["volume", "rm", "crash"],)),
    "volume removal": Operation(
        ["volume", "rm", "crash"], (["volume", "create", "crash"],), (["volume", "create", "crash"],),
        (["volume", "rm", "crash"],),
    ),
    "network": Operation(["network", "create", "crash"], last=(["network", "rm", "crash"],)),
    "network removal": Operation(
        ["network", "rm", "crash"],
        (["network", "create", "crash"], ["run", "--rm", "--network", "crash", "busybox", "true"]),
        (["network", "create", "crash"], ["run", "--rm", "--network", "crash", "busybox", "true"]),
        (["network", "rm", "crash"],),
    ),
    "load": Operation(
        ["load", "-i", "tiny.tar"], (["image", "rm", "-f", "tiny"],), (["run", "--rm", "tiny", "true"],),
        (["image", "rm", "tiny"],),
    ),
    "import": Operation(
        ["import", "-c", 'CMD ["true"]', "busybox.tar", "imported"], (["image", "rm", "-f", "imported"],),
        (["run", "--rm", "imported", "true"],), (["image", "rm", "imported"],),
    ),
    "build": Operation(
        ["build", "--no-cache", "-q", "-t", "crashed", "built"], (["image", "rm", "-f", "crashed"],),
        (["run", "--rm", "crashed", "cat", "/made"],), (["image", "rm", "crashed"], ["builder", "prune", "-af"]),
    ),
    "pull": Operation(
        ["pull", PULLED], (["image", "rm", "-f", PULLED],), (["run", "--rm", PULLED, "true"],), (["image", "rm", PULLED],)
    ),
    "compose up": Operation(["compose", "up", "-d"], last=(["compose", "down", "-v"],)),
    # the file that it is given by its text is in it before it is in its place
    "compose run": Operation(["compose", "run", "--rm", "other", "true"], last=(["compose", "down", "-v"],)),
    "compose down": Operation(
        ["compose", "down", "-v"], (["compose", "up", "-d"],), (["compose", "up", "-d"],), (["compose", "down", "-v"],)
    ),
}  # fmt: skip
# not a command: every monitor is killed, and with `ps` the next command finds a container that says it runs and does not
KILL_MONITORS = ["kill -9 of the monitors"]
# nor this: until the monitor sleeps, so that the command does its work (engine/monitor_end.py)
SLEEP_SOON = ["until the monitor sleeps"]
OPERATIONS |= {
    "stop asleep": Operation(["stop", "-t", "0", "crash"], (RUN_DETACHED, SLEEP_SOON), (["start", "crash"],), REMOVE),
    "rm asleep": Operation(["rm", "-f", "-v", "crash"], (RUN_DETACHED, SLEEP_SOON), (RUN_DETACHED,), REMOVE),
    "rm asleep, which goes by itself": Operation(
        ["rm", "-f", "crash"], ([*RUN_DETACHED[:2], "--rm", *RUN_DETACHED[2:]], SLEEP_SOON), (RUN_DETACHED,), REMOVE
    ),
}
OPERATIONS["recovery"] = Operation(["ps", "-a"], (RUN_DETACHED, KILL_MONITORS), (["start", "crash"],), REMOVE)
# the steps of `project rename` and of a monitor's sleep, at which tests/system/test_project_rename.py and test_monitor_sleep.py kill
TESTED_ELSEWHERE = {"volume-moved", "volume-labelled", "asleep", "awake"}
# operations that may be repeated and then find their work done already, in docker's words
DONE_ALREADY = re.compile(r"already (in use|exists|paused)|[Nn]o such|not found|is not (running|paused)")


@pytest.fixture(scope="module")
def ground(busybox: str, image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a compose file and the archive of a small image that differs from busybox, which a registry has too."""
    folder = tmp_path_factory.mktemp("crash")
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "built").mkdir()
    (folder / "built" / "Dockerfile").write_text("FROM busybox\nRUN echo made >/made\nCOPY Dockerfile /\n")
    (folder / "busybox.tar").symlink_to(image_folder / "busybox.tar")
    argv = command_under_test()
    for words in (
        ["create", "--name", "tiny", busybox],
        ["commit", "-c", 'CMD ["true"]', "tiny", "tiny"],
        ["save", "-o", str(folder / "tiny.tar"), "tiny"],
        ["rm", "tiny"],
        ["image", "rm", "tiny"],
    ):
        subprocess.run([*argv, *words], check=True)
    with fake_registry(REGISTRY_PORT) as registry:
        registry.add_image(
            "tiny", [tar_of({"bin/true": Path("/bin/busybox").read_bytes()}), tar_of({"data": b"x" * 99999})]
        )
        yield folder
    subprocess.run([*argv, "project", "rm", "-f", folder.name], check=False)  # there where a compose case ran


BEFORE: set[str] = set()


@pytest.fixture(scope="module", autouse=True)
def what_was_there() -> None:
    """What other tests have left is not looked at here."""
    BEFORE.update(leftovers(Roots.of_environment()))


def assert_clean(roots: Roots) -> None:
    """Fail where something is there that was not before this file's tests."""
    machine.assert_clean(roots, before=BEFORE)


def try_until_done(hyperbox: Command, words: list[str], seconds: float = 8.0) -> None:
    """Repeat a command until it succeeds or finds its work done; a monitor that lost its command may still be at work."""
    shown: list[str] = []

    def done() -> bool:
        result = hyperbox(*words, code=None, timeout=60)
        shown[:] = [repr(result)]
        assert "Traceback" not in result.err
        assert "internal error" not in result.err
        return result.code == 0 or bool(DONE_ALREADY.search(result.err))

    try:
        wait_until(done, seconds)
    except AssertionError:
        raise AssertionError(f"the next command fails: {shown[0]}") from None


def make_ground(hyperbox: Command, operation: Operation) -> None:
    """Do what comes before an operation."""
    for words in operation.before:
        if words is KILL_MONITORS:
            kill_monitors(Roots.of_environment())
        elif words is SLEEP_SOON:
            wait_until(lambda: all(name == "busybox" for name in monitor_programs(Roots.of_environment())))
        else:
            hyperbox(*words, code=None if "rm" in words else 0)


def crash(hyperbox: Command, roots: Roots, operation: Operation, strike: Callable[[list[str]], None]) -> None:
    """Make the ground, let `strike` run the operation and kill in it, then do what must succeed and look at what is left."""
    make_ground(hyperbox, operation)
    strike(operation.command)
    hyperbox("ps", "-a")
    try_until_done(hyperbox, operation.command)
    for words in operation.after:
        try_until_done(hyperbox, words)
    for words in operation.last:
        try_until_done(hyperbox, words)
    assert_clean(roots)


def steps_of(hyperbox: Command, operation: Operation, note: Path) -> list[str]:
    """Return the steps that an operation reaches, in order."""
    make_ground(hyperbox, operation)
    hyperbox(*operation.command, env={"HYPERBOX_TEST_KILL_AT": str(note)})
    for words in operation.last:
        hyperbox(*words, code=None)
    return list(dict.fromkeys(note.read_text().split())) if note.exists() else []


REACHED: set[str] = set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_kill_at_any_step_leaves_nothing(hyperbox: Command, ground: Path, tmp_path: Path, name: str) -> None:
    roots, operation = Roots.of_environment(), OPERATIONS[name]
    hyperbox.folder = ground
    steps = steps_of(hyperbox, operation, tmp_path / "steps")
    assert steps
    assert_clean(roots)
    REACHED.update(steps)
    if name in COMPOSED and not ALL_STEPS:
        steps = random.Random(f"{SEED} {name}").sample(steps, min(FEW, len(steps)))
    failures = []
    for step in steps:

        def strike(words: list[str], step: str = step) -> None:
            hyperbox(*words, code=None, env={"HYPERBOX_TEST_KILL_AT": step}, timeout=60)

        try:
            crash(hyperbox, roots, operation, strike)
        except AssertionError as error:
            failures.append(f"--- killed at {step}: {error}")
            remove_all(hyperbox)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_kill_at_any_time_leaves_nothing(hyperbox: Command, ground: Path, name: str) -> None:
    roots, operation = Roots.of_environment(), OPERATIONS[name]
    hyperbox.folder = ground
    chance = random.Random(f"{SEED} {name}")
    for number in range(RANDOM_KILLS):
        delay, victims = chance.uniform(0.02, 0.2), ("command", "monitors")[number % 2]

        def strike(words: list[str], delay: float = delay, victims: str = victims) -> None:
            process = hyperbox.start(*words, stdin=subprocess.DEVNULL)
            time.sleep(delay)  # the random time itself
            if victims == "monitors":
                kill_monitors(roots)
            else:
                process.kill()
            process.communicate(timeout=60)

        try:
            crash(hyperbox, roots, operation, strike)
        except AssertionError as error:
            remove_all(hyperbox)
            raise AssertionError(f"{victims} killed after {delay:.3f} s: {error}") from None


def monitor_programs(roots: Roots) -> list[str]:
    """Return the names of the programs that the monitors of these roots are now."""
    found = []
    for line in processes(roots):
        _, pid, name, *_ = line.split()
        if name.startswith("hyperbox-monito"):
            try:
                found.append(os.path.basename(os.readlink(f"/proc/{pid}/exe")))
            except OSError:
                continue
    return found


def kill_monitors(roots: Roots) -> None:
    """Kill every monitor of these roots."""
    for line in processes(roots):
        _, pid, name, *_ = line.split()
        if name.startswith("hyperbox-monito"):
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue


def remove_all(hyperbox: Command) -> None:
    """Bring the roots back to nothing after a failure, so that the next case starts clean."""
    hyperbox("compose", "down", "-v", code=None)
    ids = hyperbox("ps", "-aq", code=None).out.split()
    hyperbox("rm", "-f", "-v", *ids, code=None)
    hyperbox("volume", "rm", "-f", "crash", "crash_data", code=None)
    hyperbox("network", "rm", "crash", code=None)


def test_every_step_is_reached_by_some_operation() -> None:
    """Runs after the cases above: a step that none of them reaches is a window that is not tested."""
    if len(REACHED) < 2:
        pytest.skip("the cases above were not run")
    named = set()
    for path in (
        path for room in ("build", "engine", "image", "runtime") for path in (ROOT / "hyperbox" / room).rglob("*.py")
    ):
        named |= set(re.findall(r"reached\(\"([a-z-]+)\"\)", path.read_text()))
    assert sorted(named - REACHED - TESTED_ELSEWHERE) == []
