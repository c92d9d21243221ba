"""hyperbox.process: starting, feeding, waiting for and naming processes."""

from __future__ import annotations

import os
import sys

import pytest

from hyperbox import process


def test_a_process_gets_its_input_and_gives_its_output() -> None:
    data = os.urandom(300_000)
    finished = process.run(["cat"], input=data)
    assert (finished.code, finished.out, finished.err) == (0, data, b"")


def test_both_streams_and_the_code_are_kept_apart() -> None:
    finished = process.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (finished.code, finished.out, finished.err) == (7, b"out\n", b"err\n")


def test_a_signal_is_128_and_its_number() -> None:
    assert process.run(["sh", "-c", "kill -9 $$"]).code == 137


def test_input_that_nobody_reads_is_no_error() -> None:
    assert process.run(["true"], input=b"x" * 1_000_000).code == 0


def test_a_missing_program_is_said() -> None:
    with pytest.raises(FileNotFoundError):
        process.run(["no-such-program"])


def test_a_process_that_takes_too_long_is_killed() -> None:
    with pytest.raises(TimeoutError):
        process.run(["sleep", "10"], timeout=0.1)


def test_output_beyond_the_limit_is_dropped() -> None:
    assert len(process.run(["head", "-c", "1000000", "/dev/zero"], limit=100_000).out) < 200_000


def test_a_pid_and_its_start_name_a_process() -> None:
    started = process.start_time(os.getpid())
    assert started is not None
    assert process.is_alive(os.getpid(), started)
    assert not process.is_alive(os.getpid(), started + 1)
    pid = process.spawn(["/bin/true"])
    process.wait(pid)
    assert not process.is_alive(pid)


def test_what_is_forked_apart_is_scheduled_as_usual_and_so_are_we() -> None:
    usual = os.sched_getscheduler(0)
    out, theirs = os.pipe()
    if process.fork_apart() == 0:
        os.write(theirs, str(os.sched_getscheduler(0)).encode())
        os._exit(0)
    os.close(theirs)
    assert os.read(out, 16) == str(usual).encode()
    os.wait()
    os.close(out)
    assert os.sched_getscheduler(0) == usual


def test_what_a_preferred_process_starts_is_scheduled_as_usual_and_so_are_we() -> None:
    usual = os.sched_getscheduler(0)
    out, theirs = os.pipe()
    words = "print(os.sched_getscheduler(0) & 3, flush=True)"
    code = f"import os\n{words}\nif os.fork():\n    os.wait()\nelse:\n    {words}"
    pid = process.spawn([sys.executable, "-c", code], stdout=theirs, preferred=True)
    os.close(theirs)
    with open(out) as lines:
        own, started = map(int, lines.read().split())
    assert process.wait(pid) == 0
    assert own in (os.SCHED_FIFO, usual)  # the latter where it is not allowed
    assert started == usual == os.sched_getscheduler(0)
