"""What hot commands ask of the kernel stays within bounds: processes, fsyncs, changes to the machine, and all system calls.

Counted with strace over the command and all that it leaves running, to the end. Changes of the runtime, and of the container that it
starts, are counted apart: crun of Ubuntu 24.04 mounts, asks and writes more than Debian 12's for one and the same config. What reads files
and memory depends on how HyperBox is installed (an import from files of its own takes ten calls), so it is counted only where `setup`
installed the command. A bound that is exceeded on purpose is changed here, with the reason in the commit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Command, wait_until
from tests.guard.test_imports import DEAR
from tests.machine import Roots

CALL = re.compile(r"^(\d+) +(?:([a-z_0-9]+)\(|<\.\.\. ([a-z_0-9]+) resumed>)(.*)")
CHILD = re.compile(r" = (\d+)$")
# wait4 among them: how often a monitor looks for children depends on how many ended at once
READING_NAMES = """
openat close read pread64 newfstatat fstat statx lseek mmap munmap mprotect mremap brk ioctl getdents64 futex readlink access rt_sigaction
rt_sigprocmask gettid getpid geteuid prctl fcntl poll clock_nanosleep wait4 set_robust_list rseq prlimit64 getrandom
"""
READING = frozenset(READING_NAMES.split())
PROCESSES = ("clone", "clone3", "fork", "vfork")
SYNCS = ("fsync", "fdatasync", "sync", "syncfs", "msync")


class Bound(NamedTuple):
    """The most that a command may take: new processes, programs executed, calls that change something (HyperBox's and the runtime's), and,
    once installed, all calls and reads of the file of modules: one for each group of them (`hyperbox.bundle`) and for each module that no
    group has."""

    processes: int
    programs: int
    changes: int
    runtime: int
    total: int
    reads: int


BOUNDS = {
    "run": Bound(processes=4, programs=3, changes=230, runtime=304, total=2550, reads=7),
    "run detached": Bound(processes=4, programs=3, changes=230, runtime=304, total=2550, reads=7),
    "run none": Bound(processes=4, programs=3, changes=196, runtime=304, total=2500, reads=9),
    "exec": Bound(processes=4, programs=3, changes=70, runtime=76, total=1400, reads=6),
    "ps": Bound(
        processes=0, programs=1, changes=8, runtime=0, total=800, reads=4
    ),  # and some for each container that other tests left
    "inspect": Bound(processes=0, programs=1, changes=8, runtime=0, total=500, reads=4),
    "images": Bound(processes=0, programs=1, changes=8, runtime=0, total=1000, reads=4),  # and some for each image
    "complete": Bound(processes=0, programs=1, changes=8, runtime=0, total=380, reads=4),
}
MORE = 19  # what crun 1.14 changes more than 1.8.1 at a start: remounts with the same flags, places of processes
# a module of Python's own that was loaded from its file
LOADED = re.compile(r'"/[^"]*/python3\.\d+/(?:__pycache__/)?(\w+)(?:/__pycache__/__init__)?\.cpython[^"]*"')


class Counted(NamedTuple):
    """What strace saw; `dear` are the modules that were loaded and that hot commands may not load."""

    processes: int
    programs: int
    syncs: int
    changes: int
    runtime: int
    total: int
    reads: int
    dear: set[str]


def counted(hyperbox: Command, folder: Path, *arguments: str) -> Counted:
    """Run a command to the end of all its processes and count their system calls."""
    trace = folder / "trace"
    argv = ["strace", "-f", "-qq", "-s", "4", "-o", str(trace), *hyperbox.argv, *arguments]
    done = subprocess.run(argv, env=hyperbox.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [found.groups("") for line in trace.read_text(errors="replace").splitlines() if (found := CALL.match(line))]
    runtime = of_the_runtime(lines)
    names, changes = Counter[str](), Counter[bool]()
    loaded: set[str] = set()
    processes = programs = reads = 0
    for pid, name, _resumed, rest in lines:
        if not name:
            continue
        names[name] += 1
        changes[pid in runtime] += name not in READING
        processes += name in PROCESSES and "CLONE_THREAD" not in rest
        reads += name == "openat" and "/modules.bundle" in rest
        loaded.update(LOADED.findall(rest) if name == "openat" else ())
        programs += name in ("execve", "execveat") and not rest.endswith(")") and "= -1" not in rest
    syncs = sum(names[name] for name in SYNCS)
    return Counted(processes, programs, syncs, changes[False], changes[True], sum(names.values()), reads, loaded & DEAR)


def has_newer_crun() -> bool:
    """Return whether the runtime is a crun that changes more than 1.8.1 does."""
    told = subprocess.run(["crun", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", told)
    assert found is not None
    return (int(found[1]), int(found[2])) >= (1, 14)


def of_the_runtime(lines: list[tuple[str, ...]]) -> set[str]:
    """Return the pids of the runtime and of all that it started, out of calls as (pid, name, name of what is resumed, the rest)."""
    parents = {
        found[1]: pid
        for pid, name, resumed, rest in lines
        if (name or resumed) in PROCESSES and (found := CHILD.search(rest))
    }
    runtime = {
        pid for pid, name, _resumed, rest in lines if name == "execve" and rest.partition(",")[0].endswith('crun"')
    }
    while more := {child for child, parent in parents.items() if parent in runtime} - runtime:
        runtime |= more
    return runtime


@pytest.fixture
def sleeper(hyperbox: Command, busybox: str) -> Iterator[str]:
    """A container that runs."""
    name = hyperbox("run", "-d", busybox, "sleep", "1000").out.strip()
    yield name
    hyperbox("rm", "-f", name)


def is_installed(hyperbox: Command) -> bool:
    """Return whether the command is one that `setup` installed: no site, modules from one file."""
    program = Path(hyperbox.argv[0]).resolve()
    first = program.read_text().splitlines()[0]
    return first.endswith(" -IS") and bool(
        list(program.parent.parent.glob("lib/python3*/site-packages/hyperbox/modules.bundle"))
    )


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_hot_commands_ask_little_of_the_kernel(hyperbox: Command, busybox: str, sleeper: str, tmp_path: Path) -> None:
    hyperbox("run", "--rm", busybox, "true")  # rules, bridge and filters are there from now on
    commands = {
        "run": ["run", "--rm", busybox, "true"],
        "run detached": ["run", "--rm", "-d", busybox, "true"],
        "run none": ["run", "--rm", "--network", "none", busybox, "true"],
        "exec": ["exec", sleeper, "true"],
        "ps": ["ps", "-a"],
        "inspect": ["inspect", sleeper],
        "images": ["images"],
        "complete": ["__complete", "ru"],
    }
    wrong = []
    for name, words in commands.items():
        wait_until(
            lambda: not os.listdir(Roots.of_environment().data / "removing")
        )  # the next command looks at what is left there
        seen, bound = counted(hyperbox, tmp_path, *words), BOUNDS[name]
        print(name, seen)
        if bound.processes and has_newer_crun():
            bound = bound._replace(runtime=bound.runtime + MORE)
        too_many = any(
            getattr(seen, what) > getattr(bound, what) for what in ("processes", "programs", "changes", "runtime")
        )
        scattered = seen.dear or seen.total > bound.total or seen.reads > bound.reads
        if too_many or seen.syncs or (is_installed(hyperbox) and scattered):
            wrong.append(f"{name}: {seen}, at most {bound}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("command", ["run", "run detached", "exec", "ps", "inspect", "images", "complete", "logs"])
def test_hot_commands_never_load_the_whole_of_os(hyperbox: Command, busybox: str, sleeper: str, command: str) -> None:
    if not is_installed(hyperbox):
        pytest.skip("only an installed command begins with the light one")
    program = Path(hyperbox.argv[0]).resolve().read_text()
    told = "def leave(code):\n    posix.write(2, type(os).__name__.encode())\n    posix._exit(code)\n"
    program = program.removesuffix("main()\n") + f"import os, posix\n{told}os._exit = leave\nmain()\n"
    words = {
        "run": ["run", "--rm", busybox, "true"],
        "run detached": ["run", "--rm", "-d", busybox, "true"],
        "exec": ["exec", sleeper, "true"],
        "complete": ["__complete", "ru"],
    }.get(command) or [command, *([sleeper] if command in ("inspect", "logs") else [])]
    interpreter = program.splitlines()[0].removeprefix("#!").split()[0]
    argv = [interpreter, "-IS", "-c", program, *words]
    done = subprocess.run(argv, env=hyperbox.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("LightOs")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.skipif(Path("/sys/fs/cgroup/cgroup.controllers").exists(), reason="on v2 a runtime moves nothing")
@pytest.mark.skipif(not os.access("/sys/kernel/rcu_expedited", os.W_OK), reason="grace periods can't be expedited here")
def test_the_wait_for_moves_into_groups_is_over_before_the_runtime_moves_a_process(
    hyperbox: Command, busybox: str, sleeper: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    before = Path("/sys/kernel/rcu_expedited").read_text()
    for words in (["run", "--rm", busybox, "true"], ["exec", sleeper, "true"]):
        argv = ["strace", "-f", "-qq", "-o", str(trace), *hyperbox.argv, *words]
        subprocess.run(argv, env=hyperbox.environment, check=True, capture_output=True, timeout=60)
        lines = trace.read_text(errors="replace").splitlines()
        opened = next(index for index, line in enumerate(lines) if "/sys/kernel/rcu_expedited" in line)
        ours = lines[opened].split()[0]
        writes = [
            (index, found[1])
            for index, line in enumerate(lines[opened:])
            if line.startswith(f"{ours} ") and (found := re.search(r'write\(\d+, "([01])", 1', line))
        ]
        assert [value for _index, value in writes[1:4]] == ["1", "0", "0"], words  # the first is the record
        moved = next(
            index
            for index, line in enumerate(lines[opened:])
            if not line.startswith(f"{ours} ") and re.search(r"openat\(.*cgroup\.procs.*O_WRONLY", line)
        )
        assert writes[3][0] < moved, words
    assert Path("/sys/kernel/rcu_expedited").read_text() == before
