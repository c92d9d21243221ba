"""What `docker compose` shows while it works, on stderr: plain lines, or lines redrawn in place on a terminal."""

from __future__ import annotations

import os
import sys

from hyperbox.errors import ComposeError, HyperBoxError
from hyperbox.files import dumps
from hyperbox.grammar.values import TRUE
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from hyperbox.grammar.parse import Invocation

MODES = ("auto", "tty", "plain", "json", "quiet", "rawjson")
COLORS = {"working": "33", "done": "32", "error": "31"}


class StepProgress:
    """Shows the events of a plan."""

    def __init__(self, mode: str, stream: TextIO, *, dry_run: bool, color: bool) -> None:
        self.mode = ("tty" if stream.isatty() else "plain") if mode == "auto" else mode
        self.stream = stream
        self.prefix = " DRY-RUN MODE - " if dry_run else ""
        self.color = color
        self.lines: list[str] = []

    def event(self, event: StepEvent) -> None:
        """Show one event."""
        if self.mode == "quiet":
            return
        if self.mode == "json":
            words = {"id": event.name, "text": event.text, "status": event.status}
            dry = {"dry-run": True} if self.prefix else {}
            self.stream.write(dumps({**dry, **{key: word for key, word in words.items() if word}}) + "\n")
        elif self.mode == "tty":
            self._redraw(event)
        else:
            self.stream.write(f"{self.prefix} {event.name} {event.text} {event.status}\n")
        self.stream.flush()

    def _redraw(self, event: StepEvent) -> None:
        mark = {"working": "⠿", "done": "✔", "error": "✘"}[event.state]
        status = f"\x1b[{COLORS[event.state]}m{event.status}\x1b[0m" if self.color else event.status
        text = f"{self.prefix} {mark} {event.name} {event.text} {status}"
        if event.name in self.lines:
            up = len(self.lines) - self.lines.index(event.name)
            self.stream.write(f"\x1b[{up}A\r\x1b[2K{text}\x1b[{up}B\r")
        else:
            self.lines.append(event.name)
            self.stream.write(f"{text}\n")


def use_color(invocation: Invocation, stream: TextIO) -> bool:
    """Return whether to color: --ansi, COMPOSE_ANSI, NO_COLOR, and whether the stream is a terminal."""
    mode = str(invocation.globals.get("ansi") or "auto")
    if mode == "auto":
        mode = os.environ.get("COMPOSE_ANSI") or "auto"
    if mode in ("never", "always"):
        return mode == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR")


def progress_mode(invocation: Invocation) -> str:
    """Return the word of --progress or COMPOSE_PROGRESS."""
    return str(invocation.globals.get("progress") or os.environ.get("COMPOSE_PROGRESS") or "auto")


def with_json_errors(verb: Callable[[Invocation], int], invocation: Invocation) -> int:
    """Call a verb; what it fails with becomes a line of JSON on stderr, as all else that is shown with `--progress json`."""
    try:
        code = verb(invocation)
    except HyperBoxError as error:
        sys.stderr.write(dumps({"error": True, "message": error.told}) + "\n")
        return error.exit_code
    if code and invocation.path == "compose run":  # the container's own code has no words
        sys.stderr.write(dumps({"error": True}) + "\n")
    return code


def is_true(variable: str) -> bool:
    """Return whether an environment variable says yes, as Go reads it."""
    return os.environ.get(variable, "") in TRUE


def check_settings(invocation: Invocation) -> None:
    """Check what every verb takes from its surroundings: the progress, and how much is done at once. Raises ComposeError."""
    limit = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
    if limit and not limit.lstrip("+-").isdigit():
        raise ComposeError(f'COMPOSE_PARALLEL_LIMIT must be an integer (found: "{limit}")')
    mode = progress_mode(invocation)
    if mode not in MODES or (mode == "rawjson" and invocation.path != "compose build"):
        raise ComposeError(f'unsupported --progress value "{mode}"')
    if invocation.globals.get("no-ansi"):
        sys.stderr.write("option '--no-ansi' is DEPRECATED ! Please use '--ansi' instead.\n")


def parallel_limit(invocation: Invocation) -> int:
    """Return how many steps may be under way at once: --parallel, COMPOSE_PARALLEL_LIMIT, or 0 for no limit of the user's."""
    given = invocation.globals.get("parallel")
    if isinstance(given, int) and given > 0:
        return given
    limit = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
    return max(int(limit), 0) if limit.lstrip("+-").isdigit() else 0


def step_progress(invocation: Invocation) -> StepProgress:
    """Return the progress that a command line asks for. Raises ComposeError for an unknown mode."""
    mode = progress_mode(invocation)
    if mode not in MODES:
        raise ComposeError(f'unsupported --progress value "{mode}"')
    stream = sys.stdout if is_true("COMPOSE_STATUS_STDOUT") else sys.stderr
    return StepProgress(
        mode, stream, dry_run=bool(invocation.globals.get("dry-run")), color=use_color(invocation, stream)
    )
