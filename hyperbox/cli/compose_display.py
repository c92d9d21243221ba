"""The live display of `docker compose` on a terminal: a heading and a line per step, redrawn in place ten times a second.

A process of its own draws it: the command may block, and its steps may be processes too, while the clock of each line goes on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from hyperbox.files import dumps, loads
from hyperbox.go.units import human_size
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

TICK = 0.1  # seconds between two drawings
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FILLING = "⠀⡀⣀⣄⣤⣦⣶⣷⣿"
# state -> (mark, color of mark and status)
MARKS = {"done": ("✔", "32"), "error": ("✘", "31;1"), "warning": ("!", "33;1")}
TEXT_LIMIT = 700  # letters of a text that are passed on: a message must fit into a pipe at once
DRY_RUN = " DRY-RUN MODE - "


class Line:
    """What the display knows of one step."""

    __slots__ = ("current", "ended", "event", "started", "total")

    def __init__(self, event: StepEvent, now: float) -> None:
        self.event = event
        self.started = now
        self.ended = 0.0 if event.state == "working" else now
        self.current, self.total = event.current, event.total

    def take(self, event: StepEvent, now: float) -> None:
        """Change to what a later event of the same step says; what has been loaded only grows."""
        if event.state == "working":
            self.ended = 0.0
        elif event.state != self.event.state:
            self.ended = now
        self.event = event
        self.current, self.total = max(self.current, event.current), max(self.total, event.total)

    def mark(self, now: float) -> tuple[str, str]:
        """Return the letter that the line begins with, and its color."""
        if self.event.state in MARKS:
            return MARKS[self.event.state]
        return SPINNER[int((now - self.started) / TICK) % len(SPINNER)], "33"


class Display:
    """The lines, and what is drawn of them: text with its control sequences, from which the drawing before it is overwritten."""

    def __init__(self, title: str, *, dry_run: bool, color: bool) -> None:
        self.title, self.dry_run, self.color = title, dry_run, color
        self.lines: dict[str, Line] = {}
        self.drawn = 0  # lines of the last drawing, its heading not counted

    def take(self, event: StepEvent, now: float) -> None:
        """Note an event."""
        known = self.lines.get(event.name)
        if known is None:
            self.lines[event.name] = Line(event, now)
        else:
            known.take(event, now)

    def painted(self, text: str, color: str) -> str:
        """Return a text in a color (SGR parameters), where there are colors."""
        if not self.color or not color:
            return text
        return "".join(f"\x1b[{one}m" for one in color.split(";")) + f"{text}\x1b[0m"

    def frame(self, now: float, width: int, height: int, *, last: bool = False) -> str:
        """Return what draws the display anew; before the `last` time no more, and no longer, lines than can be overwritten again."""
        rows = self._rows(now, width, height, whole=last)
        done = sum(line.event.state != "working" for line in self.lines.values())
        heading = f"[+] {self.title} {done}/{len(self.lines)}"
        if self.drawn and done == (len(self.lines) if last else self.drawn):
            heading = self.painted(heading, "34")
        if not last and height > 2:
            rows = rows[: height - 2]
        up = f"\x1b[{self.drawn + 1}A" if self.drawn else "\x1b[1A\x1b[1B"
        rest = [" " * width] * (self.drawn - len(rows))
        self.drawn = max(len(rows), self.drawn)
        return f"{up}\x1b[0G\x1b[?25l" + "".join(f"{row}\n" for row in [heading, *rows, *rest]) + "\x1b[?25h"

    def erased(self) -> str:
        """Return what takes the display away, for a line that is to stand above it."""
        up, self.drawn = self.drawn + 1, 0
        return f"\x1b[{up}A\x1b[0G\x1b[0J" if up > 1 else ""

    def _rows(self, now: float, width: int, height: int, *, whole: bool) -> list[str]:
        padding = 0
        for name, line in self.lines.items():
            padding = max(padding, _size(f"{name} {line.event.text}")) - (2 if line.event.parent else 0)
        with_children = len(self.lines) <= height - 2
        shown = []
        for name, line in self.lines.items():
            if line.event.parent:
                continue
            shown.append((name, line, ""))
            shown += [(*one, "  ") for one in self.lines.items() if with_children and one[1].event.parent == name]
        return [self._row(name, line, indent, now, width, padding, whole=whole) for name, line, indent in shown]

    def _row(self, name: str, line: Line, indent: str, now: float, width: int, padding: int, *, whole: bool) -> str:
        event = line.event
        letter, color = line.mark(now)
        label, plain = self._label(name, line)
        prefix = self.painted(DRY_RUN, "36") if self.dry_run else ""
        room = width - _size(plain) - padding - 15
        status = event.status
        if 0 < room < _size(status):
            status = status.encode()[:room].decode("utf-8", "ignore") + "..."
        gap = " " * max(padding - _size(plain), 0)
        left = f"{indent} {letter}{DRY_RUN if self.dry_run else ''} {plain}{gap} {status}"
        elapsed = f"{(line.ended or now) - line.started:.1f}s "
        if width and not whole and len(left) + len(elapsed) > width:
            return left[: width - 1]  # a line that wraps can't be overwritten
        shown = self.painted(status, color if event.state != "working" else "")
        fill = " " * max(width - len(left) - len(elapsed), 0)
        return f"{indent} {self.painted(letter, color)}{prefix} {label}{gap} {shown}{fill}{self.painted(elapsed, '34')}"

    def _label(self, name: str, line: Line) -> tuple[str, str]:
        """Return a line's name and text, colored and plain: with what its parts have got of what they need while it is under way."""
        parts = [other for other in self.lines.values() if other.event.parent == name]
        if line.event.state != "working" or not parts:
            label = f"{name} {line.event.text}"
            return label, label
        filled = "".join(FILLING[min(_percent(part) * (len(FILLING) - 1) // 100, len(FILLING) - 1)] for part in parts)
        total = sum(part.total for part in parts)
        sizes = ""
        if total and all(part.total or part.event.state != "working" for part in parts):
            current = human_size(sum(part.current for part in parts), precision=4)
            sizes = f" {current:>7} / {human_size(total, precision=4):<7}"
        tail = f"]{sizes} {line.event.text}"
        return f"{name} [{self.painted(filled, '32')}{tail}", f"{name} [{filled}{tail}"


def _percent(line: Line) -> int:
    if line.event.state != "working":
        return 100
    return line.current * 100 // line.total if line.total else 0


def _size(text: str) -> int:
    """Return a text's length as docker compose counts it: in bytes."""
    return len(text.encode())


def one_line(text: str) -> str:
    """Return a text without what would move the cursor, and not too long."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:TEXT_LIMIT])


class Drawer:
    """The process that draws, as the one that makes it sees it; nothing is shown before the first event."""

    def __init__(self, descriptor: int, display: Display) -> None:
        reader, self.writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        owner = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.writer)
            _draw_until_end(descriptor, display, reader, owner)
        os.close(reader)

    def event(self, event: StepEvent) -> None:
        """Have an event shown; from processes that were forked since as well."""
        self._send(
            {
                "name": one_line(event.name),
                "status": one_line(event.status),
                "state": event.state,
                "text": one_line(event.text),
                "parent": one_line(event.parent),
                "current": event.current,
                "total": event.total,
            }
        )

    def say(self, text: str) -> None:
        """Have a line shown that stays, above the display."""
        self._send({"said": text[: TEXT_LIMIT * 4]})

    def close(self) -> None:
        """Draw for the last time, and end; what is written afterwards stands below it."""
        self._send({"end": True})
        os.close(self.writer)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return

    def _send(self, message: dict[str, object]) -> None:
        try:
            os.write(self.writer, dumps(message).encode("utf-8", "replace") + b"\n")
        except BrokenPipeError:  # nobody draws any more: the terminal has gone
            return


def _draw_until_end(descriptor: int, display: Display, reader: int, owner: int) -> NoReturn:
    """Draw what comes through a pipe until its end, or that of the process that it is done for; never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)  # the last drawing is due whatever ends the command
        poller = select.poll()
        poller.register(reader, select.POLLIN)
        rest, ended, due = b"", False, time.monotonic() + TICK
        while not ended:
            if poller.poll(max(0.0, due - time.monotonic()) * 1000):
                data = os.read(reader, 65536)
                *lines, rest = (rest + data).split(b"\n")
                ended = not data or _take(descriptor, display, lines)
            if ended or time.monotonic() >= due:
                ended = ended or os.getppid() != owner
                _draw(descriptor, display, last=ended)
                due = time.monotonic() + TICK
    except OSError:  # the terminal has gone
        pass
    finally:
        os._exit(0)


def _take(descriptor: int, display: Display, lines: Sequence[bytes]) -> bool:
    """Note what came; returns whether it was the end."""
    for line in lines:
        found = loads(line.decode())
        if not isinstance(found, dict) or "end" in found:
            return True
        if "said" in found:
            text = str(found["said"])
            _write(descriptor, f"{display.erased()}{text}\n")
            if display.lines:
                _draw(descriptor, display, last=False)
            continue
        display.take(StepEvent(**found), time.monotonic())
    return False


def _draw(descriptor: int, display: Display, *, last: bool) -> None:
    if display.lines:
        width, height = terminal_size(descriptor)
        _write(descriptor, display.frame(time.monotonic(), width, height, last=last))


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(descriptor, data) :]


def terminal_size(descriptor: int) -> tuple[int, int]:
    """Return the columns and lines of a terminal; 0 columns and no bound of lines where it is none."""
    try:
        width, height = os.get_terminal_size(descriptor)
    except OSError:
        return 0, 1 << 16
    return width, height or 1 << 16
