"""The menu of an attached `up`: a line at the terminal's bottom, below what scrolls, and the keys that it takes.

As docker compose 2.40 has it without Docker Desktop: one entry, `w`. While the menu is there the terminal gives keys, Ctrl-C among them, as
they are typed (termios(3), all but the output in raw mode); a process of its own sets it right where this one is killed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time

from hyperbox.cli.compose_progress import progress_mode
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

CTRL_C, ENTER, CTRL_Z = "\x03", "\r", "\x1a"
YES = ("1", "t", "true", "y")  # what COMPOSE_MENU may say, in any case
ERROR_SECONDS = 10  # for which an error stays above the menu
NOT_CONFIGURED = "\x1b[1;36mWatch →\x1b[0m  watch is not yet configured. Learn more: \x1b[36mhttps://docs.docker.com/compose/file-watch/\x1b[0m"
KEY = "\x1b[1;38;2;0;0;0;48;2;255;255;255m{}\x1b[0m"
WORDS = "\x1b[2m{}\x1b[0m"
SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
FOLDERS = ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")
KNOWN = ("xterm", "rxvt", "linux", "Eterm", "screen", "cygwin", "st")  # that need no description


def is_wanted(invocation: Invocation) -> bool:
    """Return whether `up` has a menu: on a terminal, unless --menu or COMPOSE_MENU say no, or its progress is plain."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or progress_mode(invocation) == "plain":
        return False
    if invocation.given.get("menu"):
        return bool(invocation.flags["menu"])
    return os.environ.get("COMPOSE_MENU", "1").strip().lower() in YES


def unsuitable() -> str:
    """Return why the terminal that TERM names can have no menu, in docker compose's words; "" where it can."""
    name = os.environ.get("TERM", "")
    if not name:
        return "terminfo: TERM environment variable not set"
    if name == "dumb":
        return "EOF"
    home = os.path.expanduser("~/.terminfo")
    for folder in (os.environ.get("TERMINFO", ""), home, *os.environ.get("TERMINFO_DIRS", "").split(":"), *FOLDERS):
        if folder and any(os.path.exists(f"{folder}/{first}/{name}") for first in (name[0], f"{ord(name[0]):x}")):
            return ""
    return "" if any(known in name for known in KNOWN) else "termbox: unsupported terminal"


class Menu:
    """The menu on the terminal that is stdin and stdout. `watching` is what its entry shows."""

    def __init__(self) -> None:
        self.watching = False
        self.shown = False
        self._error, self._until = "", 0.0
        self._saved: list[object] | None = None
        self._guard = self._life = 0

    # --- the terminal -------------------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Begin to take keys. Raises HyperBoxError with docker compose's words where the terminal can't have a menu."""
        import termios

        said = unsuitable()
        if said:
            raise HyperBoxError(
                f"could not start menu, an error occurred while starting: Error while reading terminfo data:{said}"
            )
        self._saved = termios.tcgetattr(0)
        self._watch_over()
        self._set_raw()
        self.shown = True

    def _set_raw(self) -> None:
        import termios

        mode = termios.tcgetattr(0)
        ignored = ("IGNBRK", "BRKINT", "PARMRK", "ISTRIP", "INLCR", "IGNCR", "ICRNL", "IXON")
        mode[0] &= ~sum(int(getattr(termios, name)) for name in ignored)
        mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSANOW, mode)

    def _restore(self) -> None:
        import termios

        try:
            termios.tcsetattr(0, termios.TCSANOW, self._saved)  # type: ignore[arg-type]
        except termios.error:  # the terminal has gone
            pass

    def _watch_over(self) -> None:
        """Start the process that restores the terminal where this one ends without having done so."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTTOU, signal.SIGTSTP)
        reader, writer = os.pipe()
        held = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            os.close(reader)
            self._guard, self._life = pid, writer
            return
        try:
            signal.set_wakeup_fd(-1)
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)
            os.close(writer)
            if not os.read(reader, 1):
                self._restore()
        finally:
            os._exit(0)

    def close(self) -> None:
        """Take no more keys: the terminal is as it was. What is drawn stays."""
        if self._saved is None:
            return
        self._restore()
        self._saved, self.shown = None, False
        os.write(self._life, b".")
        os.close(self._life)
        os.waitpid(self._guard, 0)

    def suspend(self) -> None:
        """Have the terminal's job stopped, as Ctrl-Z does where no program takes keys; returns when it goes on."""
        self._restore()
        os.killpg(0, signal.SIGTSTP)
        self._set_raw()

    def keys(self) -> str:
        """Return what was typed; "" once the terminal has gone."""
        try:
            return os.read(0, 64).decode("latin-1")
        except OSError:
            return ""

    # --- what is drawn ------------------------------------------------------------------------------------------------------------
    def tell_error(self, text: str) -> None:
        """Have a text above the menu for a while."""
        self._error, self._until = text, time.monotonic() + ERROR_SECONDS

    def line(self) -> str:
        """Return the menu."""
        return KEY.format("w") + WORDS.format(f" {'Disable' if self.watching else 'Enable'} Watch")

    def cleared(self) -> bytes:
        """Return what takes the menu away: all below the cursor, which is at the beginning of an empty line."""
        return b"\r\x1b[J"

    def drawn(self) -> bytes:
        """Return what draws the menu at the terminal's bottom and leaves the cursor where it was, with a line between them."""
        try:
            size = os.get_terminal_size(1)
        except OSError:
            return b""
        if not self.shown or size.lines < 1 or size.columns < 1:
            return b""
        menu, error = self.line(), self._error if time.monotonic() < self._until else ""
        below = _more_lines(menu, size.columns)
        room = 2 + below + (_more_lines(error, size.columns) + 1 if error else 0)
        text = "\x1b[2K\r\n\x1b[0G" * room + f"\x1b[{room}A\x1b[0G\x1b7"
        if error:
            text += f"\x1b[{max(size.lines - 1 - below - _more_lines(error, size.columns), 1)};0H\x1b[2K{error}"
        text += f"\x1b[{max(size.lines - below, 1)};0H\x1b[2K{menu}\x1b[0G\x1b8"
        return text.encode()


def _more_lines(text: str, columns: int) -> int:
    """Return how many lines a text takes beyond its first."""
    return len(SEQUENCE.sub("", text)) // columns
