"""The progress of a pull or push, from the engine's events: docker's lines, redrawn in place on a terminal."""

from __future__ import annotations

import os

from hyperbox.go.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


class Progress:
    """Prints the events of one pull or push to a stream. On a terminal every layer has a line of its own that is redrawn."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self.stream = stream
        self.quiet = quiet
        self.terminal = stream.isatty()
        self.lines: list[str] = []

    def event(self, event: dict[str, object]) -> None:
        """Show one object of docker's progress stream."""
        if self.quiet or "status" not in event:
            return
        status, identifier, detail = str(event["status"]), event.get("id"), event.get("progressDetail")
        current = detail.get("current") if isinstance(detail, dict) else None
        prefix = f"{identifier}: " if identifier else ""
        if not self.terminal:
            if current is None:
                self.stream.write(f"{prefix}{status}\n")
                self.stream.flush()
            return
        total = detail.get("total") if isinstance(detail, dict) else None
        text = f"{prefix}{status}"
        if isinstance(current, int):
            text += f" {progress_bar(current, total if isinstance(total, int) else 0, bar_width())}"
        self._draw(str(identifier) if identifier and isinstance(detail, dict) else "", text)

    def _draw(self, line: str, text: str) -> None:
        if not line:
            self.stream.write(f"{text}\n")
            self.lines.clear()
        elif line in self.lines:
            up = len(self.lines) - self.lines.index(line)
            self.stream.write(f"\x1b[{up}A\x1b[2K\r{text}\x1b[{up}B\r")
        else:
            self.lines.append(line)
            self.stream.write(f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        """Flush what was shown."""
        self.stream.flush()


def progress_bar(current: int, total: int, width: int) -> str:
    """Return docker's bar, [=====>     ]  12MB/34MB; on terminals of 110 columns and fewer the numbers alone."""
    numbers = f"{human_size(current, precision=4):>8}"
    if total <= 0:
        return numbers
    if current <= total:
        numbers += f"/{human_size(total, precision=4)}"
    done = min(50, current * 50 // total)
    return f"[{'=' * done}>{' ' * (50 - done)}] {numbers}" if width > 110 else numbers


def bar_width() -> int:
    """Return how wide docker takes the terminal for when it draws a bar: as stdin's, else 200 columns."""
    try:
        return os.get_terminal_size(0).columns or 200
    except OSError:
        return 200
