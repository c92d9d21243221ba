"""Questions on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import sys
import termios

import pytest

from hyperbox.cli.prompt import Interrupted, answer


def asked(keys: bytes, *, hidden: bool, number: int = 0) -> tuple[int, str]:
    """Ask in a child on a terminal where `keys` are typed or a signal is sent; returns its exit code and what was shown."""
    pid, master = pty.fork()
    if pid == 0:
        code = 99
        try:
            sys.stdin, sys.stdout = open(0), open(1, "w")
            sys.stdout.write(f"<{answer('Password: ', hidden=hidden).strip()}>")
            sys.stdout.flush()
            code = 0
        except Interrupted:
            sys.stdout.flush()
            code = 7
        finally:
            os._exit(code)
    shown = b""
    while b"Password: " not in shown:
        shown += os.read(master, 100)
    assert bool(termios.tcgetattr(master)[3] & termios.ECHO) != hidden
    if number:
        os.kill(pid, number)
    else:
        os.write(master, keys)
    while True:
        try:
            data = os.read(master, 100)
        except OSError:
            break
        if not data:
            break
        shown += data
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(master)
    return code, shown.decode()


@pytest.mark.parametrize(
    ("keys", "hidden", "number", "expected"),
    [
        (b"me\n", False, 0, (0, "Password: me\r\n<me>")),
        (b"secret\n", True, 0, (0, "Password: \r\n<secret>")),
        (b"", True, signal.SIGTERM, (7, "Password: \r\n")),
        (b"", False, signal.SIGINT, (7, "Password: \r\n")),
        (b"\x04", True, 0, (0, "Password: \r\n<>")),
    ],
)
def test_an_answer_is_read_and_a_signal_ends_the_line(
    keys: bytes, hidden: bool, number: int, expected: tuple[int, str]
) -> None:
    assert asked(keys, hidden=hidden, number=number) == expected
