"""Questions on stdout whose answer is a line of stdin, and what becomes of them when INT or TERM comes instead."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager, suppress

from hyperbox.errors import ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interrupted(ExitStatus):
    """INT or TERM came while an answer was waited for: docker ends the line and the command, and takes it for no error."""

    def __init__(self) -> None:
        super().__init__(0)


def answer(question: str, *, hidden: bool = False) -> str:
    """Ask, and return the line that was typed, "" at the end of input; `hidden` does not show it. Raises Interrupted."""
    with interruptible():
        if not hidden:
            return _asked(question)
        if sys.platform == "win32":
            import getpass

            return getpass.getpass(question)
        with _without_echo():
            line = _asked(question)
        sys.stdout.write("\n")
        return line


def _asked(question: str) -> str:
    sys.stdout.write(question)
    sys.stdout.flush()
    wait_for_a_line()
    return sys.stdin.readline()


def wait_for_a_line() -> None:
    """Wait until stdin, if it is a terminal, can be read; a signal that came just before is not missed, as it would be by reading."""
    if sys.platform == "win32" or not os.isatty(0):  # where select(2) is for sockets alone
        return
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        select.select((0, woken), (), ())
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted, with a new line begun, where INT or TERM comes inside."""

    def came(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = [(number, signal.signal(number, came)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    except Interrupted:
        sys.stdout.write("\n")
        raise
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _without_echo() -> Iterator[None]:
    """Have the terminal that is stdin not show what is typed inside. See ECHO in termios(3)."""
    if sys.platform == "win32" or not os.isatty(0):
        yield
        return
    import termios

    saved = termios.tcgetattr(0)
    silent = termios.tcgetattr(0)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, silent)
    try:
        yield
    finally:
        with suppress(termios.error):  # hung up
            termios.tcsetattr(0, termios.TCSANOW, saved)
