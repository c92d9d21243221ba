"""The progress of a build on a terminal: a heading with time and steps, a line for each step, redrawn in place."""

from __future__ import annotations

import os
import threading
import time

from hyperbox.build.api import Log, Status, Vertex
from hyperbox.cli.build_progress import Board, Step, bytes_text, canceled, failures, findings_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from hyperbox.build.api import Event

LOG_LINES = 6  # of a running step's output
EVERY = 0.1  # seconds between two drawings
BLUE, RED, YELLOW, CYAN, RESET = "\x1b[34m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"


class TerminalProgress:
    """Draws the board of steps; a thread of its own redraws it so that times go on."""

    def __init__(self, stream: TextIO, *, place: str, debug: bool = False) -> None:
        self.stream = stream
        self.place = place  # driver and builder, right of the heading
        self.debug = debug
        self.color = not os.environ.get("NO_COLOR")
        self.board = Board()
        self.begun = time.time()
        self.drawn = 0
        self.notes: dict[str, dict[str, str]] = {}
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._redraw, daemon=True)
        self.thread.start()

    def event(self, event: Event) -> None:
        """Note one event; it is seen at the next drawing."""
        with self.lock:
            self.board.take(event)
            if isinstance(event, Status):
                figure = bytes_text(event.current) if event.current else ""
                total = f" / {bytes_text(event.total)}" if event.total else ""
                self.notes.setdefault(event.vertex, {})[event.id] = f"{figure}{total}"
            elif isinstance(event, (Log, Vertex)):
                pass

    def _redraw(self) -> None:
        while not self.ended.wait(EVERY):
            with self.lock:
                self._draw()

    def _draw(self) -> None:
        try:
            columns, rows = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            columns, rows = 80, 24
        lines = self.lines(columns)
        if len(lines) > rows - 1:  # what does not fit scrolls away at the top
            lines = [lines[0], *lines[len(lines) - rows + 2 :]]
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        text = "".join(f"\x1b[2K{line}\n" for line in lines)
        self.stream.write(f"{up}\r{text}\x1b[J")
        self.stream.flush()
        self.drawn = len(lines)

    def lines(self, columns: int) -> list[str]:
        """Return what is drawn, each line cut to the width."""
        now = time.time()
        steps = [step for step in self.board.steps.values() if step.started is not None or step.ended]
        done = sum(step.ended for step in steps)
        state = " FINISHED" if self.ended.is_set() else ""
        heading = f"[+] Building {now - self.begun:.1f}s ({done}/{len(self.board.steps)}){state}"
        out = [f"{heading}{self.place:>{max(len(self.place) + 1, columns - len(heading))}}"]
        for step in steps:
            out.extend(self._step_lines(step, now, columns))
        return out

    def _step_lines(self, step: Step, now: float, columns: int) -> list[str]:
        start = step.started if step.started is not None else now
        seconds = f"{max(0.0, (step.completed or now) - start):.1f}s"
        given_up = canceled(step)
        mark = "CACHED " if step.cached else "CANCELED " if given_up else "ERROR " if step.error else ""
        name = step.name.replace("\n", " ")
        text = fit(f" => {mark}{name}", seconds, columns)
        color = YELLOW if given_up else RED if step.error else BLUE if step.ended else ""
        lines = [f"{color}{text}{RESET}" if color and self.color else text]
        for identifier, figure in list(self.notes.get(step.digest, {}).items())[-3:]:
            lines.append(fit(f" => => {identifier} {figure}", seconds, columns))
        if not step.ended:
            lines.extend(
                fit(f" => => # {line.partition(' ')[2]}", "", columns) for line in step.last_lines[-LOG_LINES:]
            )
        return lines

    def close(self) -> None:
        """Draw the last time, then the failed steps' output and what the checks found."""
        self.ended.set()
        self.thread.join()
        self._draw()
        self.stream.write(failures(self.board) + findings_text(self.board.findings, debug=self.debug))
        self.stream.flush()


def fit(left: str, right: str, columns: int) -> str:
    """Return both texts at the two ends of a line of `columns`, the left one cut; control characters left out."""
    left = "".join(letter for letter in left.expandtabs(4) if letter.isprintable())
    room = max(10, columns - len(right) - 1)
    return f"{left[:room]:<{room}} {right}".rstrip()[:columns]
