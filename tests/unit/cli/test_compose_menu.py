"""The menu of an attached `up`: when there is one, what is drawn, and the terminal's state around it."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator

import pyte
import pytest

from hyperbox.cli.compose_menu import NOT_CONFIGURED, Menu, is_wanted, unsuitable
from hyperbox.errors import HyperBoxError
from hyperbox.grammar.parse import parse


class Terminal:
    """Takes for a stream that is a terminal, or is none."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer

    def isatty(self) -> bool:
        return self.answer


def test_the_menu_is_there_on_terminals_unless_the_user_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_MENU", raising=False)
    for name in ("stdin", "stdout"):  # not in a fixture: pytest sets them anew for the test
        monkeypatch.setattr(sys, name, Terminal(True))
    plain = parse(["docker", "compose", "up"])
    assert is_wanted(plain)
    assert not is_wanted(parse(["docker", "compose", "up", "--menu=false"]))
    assert not is_wanted(parse(["docker", "compose", "--progress", "plain", "up"]))
    for value in ("0", "false", "wrong", "yes", "on", "1", "true", "True", " T", "y"):
        monkeypatch.setenv("COMPOSE_MENU", value)
        assert is_wanted(plain) is (value in ("1", "true", "True", " T", "y"))  # as docker compose reads it
    monkeypatch.setenv("COMPOSE_MENU", "0")
    assert is_wanted(parse(["docker", "compose", "up", "--menu"]))
    for name in ("stdin", "stdout"):
        with monkeypatch.context() as context:
            context.setattr(sys, name, Terminal(False))
            assert not is_wanted(parse(["docker", "compose", "up", "--menu"]))


def test_a_terminal_that_nothing_is_known_of_has_no_menu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert unsuitable() == ""
    for name, said in (
        ("dumb", "EOF"),
        ("nothing", "termbox: unsupported terminal"),
        ("", "terminfo: TERM environment variable not set"),
    ):
        monkeypatch.setenv("TERM", name)
        assert unsuitable() == said
        with pytest.raises(HyperBoxError, match=said):
            Menu().open()


def drawn(menu: Menu, lines: int, columns: int, before: bytes, monkeypatch: pytest.MonkeyPatch) -> pyte.Screen:
    screen = pyte.Screen(columns, lines)
    stream = pyte.ByteStream(screen)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, lines)))
    for line in before.splitlines():
        stream.feed(menu.cleared() + line + b"\r\n" + menu.drawn())
    return screen


@pytest.mark.parametrize(("lines", "columns"), [(24, 80), (6, 20), (5, 10), (50, 200)])
def test_the_menu_stays_at_the_bottom_below_what_scrolls(
    lines: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    menu = Menu()
    menu.shown = True
    screen = drawn(menu, lines, columns, b"".join(b"line %d\n" % n for n in range(40)), monkeypatch)
    text = [line.rstrip() for line in screen.display]
    below = len("w Enable Watch") // columns
    assert "".join(text[lines - 1 - below :]) == "w Enable Watch"
    assert text[screen.cursor.y] == ""
    assert text[screen.cursor.y - 1] == "line 39"
    assert screen.cursor.x == 0
    assert sum("Watch" in line or "able" in line for line in text) <= 1 + below


def test_an_error_stands_above_the_menu_and_goes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    menu = Menu()
    menu.shown, menu.watching = True, True
    menu.tell_error(NOT_CONFIGURED)
    text = drawn(menu, 12, 60, b"one\n", monkeypatch).display
    assert text[11].rstrip() == "w Disable Watch"
    assert (text[9] + text[10]).startswith("Watch →  watch is not yet configured. Learn more: https://")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 11)
    assert not any("configured" in line for line in drawn(menu, 12, 60, b"one\n", monkeypatch).display)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Yield a pty's ends."""
    ends = pty.openpty()
    fcntl.ioctl(ends[0], termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    yield ends
    for end in ends:
        os.close(end)


def takes_lines(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ICANON)


@pytest.mark.parametrize("number", [0, signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_the_terminal_is_as_it_was_however_the_command_ends(terminal: tuple[int, int], number: int) -> None:
    before = termios.tcgetattr(terminal[1])
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        if number not in (0, signal.SIGKILL):
            signal.signal(number, signal.SIG_DFL)  # it is ignored below nohup
        os.environ["TERM"] = "xterm"
        os.dup2(terminal[1], 0)
        menu = Menu()
        menu.open()
        os.write(writer, b"1" if not takes_lines(0) else b"0")
        if number:
            signal.pause()
        menu.close()
        os._exit(0)
    assert os.read(reader, 1) == b"1"
    if number:
        os.kill(pid, number)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + 10
    while termios.tcgetattr(terminal[1]) != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert termios.tcgetattr(terminal[1]) == before
    os.close(reader)
    os.close(writer)
