"""What an attached `up` writes: each line with its container's name before it, and a menu below them where there is one."""

from __future__ import annotations

import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.cli.compose_menu import Menu

PALETTE = ("36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1")
WATCH = "#watch"  # stands for a name before the lines of `--watch`
WATCH_COLOR = "92"
AT_ONCE = 4096  # bytes that a pipe which is ready takes without waiting


class Printer:
    """Writes lines. Names get their colors, and the room that they take, as they come, as with docker compose.

    `signals` is a descriptor that is readable once a signal has come: what can't be written by then is dropped, so that a reader that
    reads no more keeps nobody from stopping.
    """

    def __init__(self, *, prefix: bool, color: bool, signals: int, marked: bool = False) -> None:
        self.prefix, self.color, self.signals = prefix, color, signals
        self.marked = (
            marked or color
        )  # the mark of watched files has its color on what is no terminal too, as with docker compose
        self.menu: Menu | None = None
        self.shared = False  # whether both streams are the terminal on which the menu is
        self.colors: dict[str, str] = {}
        self.named = 0
        self.muted = False

    def show(self, menu: Menu) -> None:
        """Have a menu below all that is written from now on."""
        self.menu, self.shared = menu, os.isatty(2)

    def output(self, name: str, stream: int, data: bytes) -> None:
        """Write whole lines of a container's output."""
        if self.muted:
            return
        color = self._color(name)
        if self.prefix and data:
            width = max(map(len, self.colors)) + 1
            mark = f"{' ' * width} ⦿ " if name == WATCH else f"{name:<{width}} | "
            colored = self.marked if name == WATCH else self.color
            head = (f"\x1b[{color}m{mark}\x1b[0m" if colored else mark).encode()
            data = head + data[:-1].replace(b"\n", b"\n" + head) + b"\n"
        self.write(stream, data)

    def status(self, name: str, text: str) -> None:
        """Write what happened to a container."""
        if self.muted:
            return
        # the line is cleared first, as docker compose does, whether it is a terminal's or not
        self.write(1, self._painted(self._color(name), f"\r\x1b[K{name} {text}\n").encode())

    def watch(self, text: str) -> None:
        """Write a line about watched files."""
        self.output(WATCH, 1, f"{text}\n".encode("utf-8", "replace"))

    def write(self, stream: int, data: bytes) -> None:
        """Write to stdout (1) or stderr (2), the menu below it."""
        if self.menu is None:
            self._all(stream, data)
        elif stream == 1 or self.shared:
            self._all(1, self.menu.cleared() + data + self.menu.drawn())
        else:
            self._all(1, self.menu.cleared())
            self._all(2, data)
            self._all(1, self.menu.drawn())

    def aside(self, write: Callable[[], object]) -> None:
        """Have `write` write on its own to stderr, the menu below it."""
        if self.menu is not None:
            self._all(1, self.menu.cleared())
        write()
        sys.stderr.flush()
        if self.menu is not None:
            self._all(1, self.menu.drawn())

    def redraw(self) -> None:
        """Draw the menu as it is now."""
        if self.menu is not None:
            self._all(1, self.menu.cleared() + self.menu.drawn())

    def _color(self, name: str) -> str:
        """Return a name's color; one with words behind it (a hook's) has its container's."""
        root, space, _ = name.partition(" ")
        if space:
            self.colors.setdefault(name, self._color(root))
        elif name == WATCH:
            self.colors.setdefault(name, WATCH_COLOR)
        elif name not in self.colors:
            self.colors[name] = PALETTE[self.named % len(PALETTE)]
            self.named += 1
        return self.colors[name]

    def _painted(self, color: str, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self.color else text

    def _all(self, descriptor: int, data: bytes) -> None:
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        poller.register(self.signals, select.POLLIN)
        view = memoryview(data)
        while view:
            ready = {number for number, _ in poller.poll()}
            if descriptor in ready:
                view = view[os.write(descriptor, view[:AT_ONCE]) :]
            else:
                return
