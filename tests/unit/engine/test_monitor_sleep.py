import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hyperbox import process
from hyperbox.engine import monitor_sleep
from hyperbox.engine.log_options import LogOptions
from hyperbox.engine.monitor_log import LogWriter
from hyperbox.engine.monitor_loop import READ, Loop
from hyperbox.engine.monitor_process import Stdio
from hyperbox.engine.monitor_streams import Client, Streams


def turn(loop: Loop, seconds: float) -> None:
    loop.after(seconds, loop.stop)
    loop.run()


def test_sleep_is_tried_after_a_quiet_while_and_again_after_twice_as_long() -> None:
    loop, tried = Loop(), []
    monitor_sleep.Drowsiness(loop, 0.1, tried.append).begin()
    turn(loop, 0.55)
    assert tried == [0.1, 0.2, 0.4]


def test_what_happens_puts_sleep_off() -> None:
    loop, tried = Loop(), []
    reader, writer = os.pipe()
    loop.watch(reader, READ, lambda _events: os.read(reader, 100) and None)
    monitor_sleep.Drowsiness(loop, 0.2, tried.append).begin()
    for _ in range(8):
        os.write(writer, b"x")
        turn(loop, 0.05)
    assert tried == []
    turn(loop, 0.3)
    assert tried == [0.2]


@pytest.mark.parametrize(
    ("patience", "slept", "until", "expected"),
    [
        (1.0, 3.0, 1000, 2.0), (2.0, 60.0, 1000, 4.0), (400.0, 1.0, 1000, 600.0), (64.0, 61.0, 1000, monitor_sleep.FIRST),
        (8.0, 29.1, 29, 4.0), (1.0, 29.1, 29, 1.0), (8.0, 28.0, 29, 16.0),
    ],
)  # fmt: skip
def test_short_sleeps_make_the_next_one_late(patience: float, slept: float, until: int, expected: float) -> None:
    assert monitor_sleep.next_patience(patience, slept, until) == expected


def test_a_loop_tells_whether_anything_else_can_happen() -> None:
    loop = Loop()
    loop.catch_children()
    turn(loop, 0.01)
    reader, _writer = os.pipe()
    other, _other_writer = os.pipe()
    loop.watch(reader, READ, lambda _events: None)
    loop.on_exit(4711, lambda _status: None)
    assert loop.waits_only_for({reader}, 4711)
    assert not loop.waits_only_for({reader}, 4712)
    assert not loop.waits_only_for({reader, other}, 4711)
    loop.watch(other, READ, lambda _events: None)
    assert not loop.waits_only_for({reader}, 4711)
    loop.unwatch(other)
    timer = loop.after(60, lambda: None)
    assert not loop.waits_only_for({reader}, 4711)
    assert loop.waits_only_for({reader}, 4711, timer)
    timer.cancel()
    assert loop.waits_only_for({reader}, 4711)


def test_timers_whose_time_has_come_as_well_count() -> None:
    loop, told = Loop(), []
    loop.on_exit(4711, lambda _status: None)
    loop.after(0, lambda: told.append(loop.waits_only_for(set(), 4711)))
    loop.after(0, lambda: told.append(loop.waits_only_for(set(), 4711)))
    time.sleep(0.01)
    loop.after(0.05, loop.stop)
    loop.run()
    assert told == [False, False]  # the second: what stops the loop is still to come
    loop.after(0, lambda: told.append(loop.waits_only_for(set(), 4711)))
    loop.after(0, loop.stop)
    time.sleep(0.01)
    loop.run()
    assert told[2] is False


def test_a_log_goes_on_where_another_process_left_off(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    options = LogOptions("json-file", 0, 1, False)
    first = LogWriter(path, options)
    first.write(1, b"whole\nbeg")
    first.write(2, b"\xff err")
    kept = first.kept()
    assert kept is not None
    second = LogWriter(path, options, kept)
    second.write(1, b"un\n")
    second.flush()
    assert [line.split(b'"')[3] for line in Path(path).read_bytes().splitlines()] == [
        b"whole\\n",
        b"begun\\n",
        b"\\ufffd err",
    ]


def test_streams_are_left_only_while_nothing_is_under_way(tmp_path: Path) -> None:
    loop = Loop()
    streams = Streams(loop, LogWriter(str(tmp_path / "log"), LogOptions("none", 0, 1, False)), stdin_once=False)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    streams.begin(Stdio(-1, out_read, err_read, tty=False))
    os.close(err_write)
    turn(loop, 0.02)
    kept = streams.kept()
    assert kept is not None
    assert (kept["Stdin"], kept["Stdout"], kept["Stderr"], kept["Tty"]) == (-1, out_read, -1, False)
    import _socket

    ours, _theirs = _socket.socketpair()
    client = Client(ours, stdin=False, stdout=True, stderr=True)
    streams.add(client)
    assert streams.kept() is None
    streams.drop(client)
    assert streams.kept() is not None
    os.close(out_write)


def test_a_replaced_process_keeps_its_pid_and_the_descriptors_that_it_is_to_keep() -> None:
    reader, writer = os.pipe()
    _other, other_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            told = f"/proc/self/fd/{writer}"
            script = f"echo $$ >{told}; [ -e /proc/self/fd/{other_writer} ] || echo closed >{told}"
            process.replace(["/bin/sh", "-c", script], {writer})
        finally:
            os._exit(9)
    os.close(writer)
    os.waitpid(pid, 0)
    assert os.read(reader, 100).split() == [str(pid).encode(), b"closed"]


def test_a_program_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    reader, _writer = os.pipe()
    with pytest.raises(FileNotFoundError):
        process.replace([f"{tmp_path}/none"], {reader})
    assert not os.get_inheritable(reader)
    assert reader in process.open_descriptors()


def test_a_gate_is_ready_when_one_of_its_descriptors_is() -> None:
    import select

    reader, writer = os.pipe()
    gate = monitor_sleep.new_gate({reader})
    assert select.select([gate], [], [], 0)[0] == []
    os.write(writer, b"x")
    assert select.select([gate], [], [], 0)[0] == [gate]


def test_the_signals_that_are_ignored_are_known() -> None:
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        assert signal.SIGUSR2 in monitor_sleep.ignored_signals()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert signal.SIGUSR2 not in monitor_sleep.ignored_signals()


@pytest.mark.skipif(process.find_program("busybox") is None, reason="busybox is not installed")
def test_the_shell_leaves_a_child_that_has_ended_to_its_successor() -> None:
    """The exit code is the point: whoever waits for a child takes it away from everybody else."""
    code = """
import os, signal, sys
from hyperbox import process
from hyperbox.engine import monitor_sleep
child = os.fork()
if child == 0:
    import time
    time.sleep(0.3)
    os._exit(7)
ended = os.pidfd_open(child)
gate = monitor_sleep.new_gate({ended})
never, held = os.pipe()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
then = f"import os; print(os.waitstatus_to_exitcode(os.waitpid({child}, 0)[1]))"
words = ["x", "1000000", str(gate), str(never), sys.executable, "-I", "-S", "-c", then]
process.replace([process.find_program("busybox"), "sh", "-c", monitor_sleep.WAIT, *words], {ended, gate, never, held})
"""
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("7\n", "")
