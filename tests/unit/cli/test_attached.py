"""Being in the foreground: our own terminal's mode, and what signals do; docker's own ways are in golden/docker/sessions."""

from __future__ import annotations

import os
import pty
import signal
import sys
import termios
from collections.abc import Callable, Iterator

import pytest

from hyperbox.cli.attached import COMPOSE, DIES, ENDS, ENDS_WELL, IGNORES, STAYS, Signals, Terminal, in_background
from hyperbox.errors import ExitStatus


@pytest.fixture
def terminal() -> Iterator[int]:
    """A terminal as stdin; yields its other end."""
    master, slave = pty.openpty()
    kept = os.dup(0)
    os.dup2(slave, 0)
    yield master
    os.dup2(kept, 0)
    for descriptor in (master, slave, kept):
        os.close(descriptor)


def echoes(master: int) -> bool:
    return bool(termios.tcgetattr(master)[3] & termios.ECHO)


def in_child(action: Callable[[], object]) -> int:
    """Do something in a child and return its exit code, 128 more than a signal's number where one ended it."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            action()
            code = 0
        except ExitStatus as status:
            code = status.exit_code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def test_the_mode_is_given_back_once(terminal: int) -> None:
    with Terminal(wanted=True) as raw:
        assert not echoes(terminal)
        raw.restore()
        assert echoes(terminal)
        with Terminal(wanted=False):
            assert echoes(terminal)
    assert echoes(terminal)


@pytest.mark.parametrize(
    ("interrupted", "number", "code"),
    [
        (ENDS, signal.SIGTERM, 143),
        (ENDS, signal.SIGINT, 130),
        (ENDS_WELL, signal.SIGTERM, 0),
        (DIES, signal.SIGTERM, 143),
        (DIES, signal.SIGHUP, 129),
        (COMPOSE, signal.SIGINT, 130),
        (COMPOSE, signal.SIGTERM, 130),
        (IGNORES, signal.SIGQUIT, 131),
        (STAYS, signal.SIGHUP, 129),
    ],
)
def test_a_signal_that_ends_this_command_leaves_the_terminal_as_it_was(
    interrupted: str, number: signal.Signals, code: int, terminal: int
) -> None:
    def attached() -> None:
        own = Terminal(wanted=True)
        with Signals(None, None, own, interrupted) as signals, own:
            os.kill(os.getpid(), number)
            signals.handle()
            os._exit(98)

    assert in_child(attached) == code
    assert echoes(terminal)


@pytest.mark.parametrize(("interrupted", "restored"), [(IGNORES, False), (STAYS, True)])
def test_the_third_interrupt_ends_what_the_first_two_do_not(interrupted: str, restored: bool, terminal: int) -> None:
    heard = []

    def attached() -> None:
        sys.stderr = open(os.devnull, "w")
        own = Terminal(wanted=True)
        with Signals(heard.append, None, own, interrupted) as signals, own:
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
                signals.handle()
                assert echoes(terminal) == restored
            assert heard == ["INT", "TERM"]
            os.kill(os.getpid(), signal.SIGUSR1)
            signals.handle()
            assert heard[2:] == ["USR1"]
            os.kill(os.getpid(), signal.SIGINT)
            signals.handle()

    assert in_child(attached) == 1
    assert echoes(terminal)


def test_some_signals_that_are_not_forwarded_do_nothing(terminal: int) -> None:
    own = Terminal(wanted=True)
    with Signals(None, None, own, STAYS) as signals, own:
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
            os.kill(os.getpid(), number)
        signals.handle()
        assert not echoes(terminal)


def test_who_has_no_terminal_of_its_session_is_not_in_the_background(terminal: int) -> None:
    assert not in_background()
