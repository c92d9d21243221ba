"""What `docker compose` shows while it works, on stderr: plain lines, or lines redrawn in place on a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stderr
from io import StringIO

from hyperbox.errors import ComposeError, HyperBoxError
from hyperbox.files import dumps
from hyperbox.go.text import TRUE
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from hyperbox.cli.compose_display import Drawer
    from hyperbox.grammar.parse import Invocation

MODES = ("auto", "tty", "plain", "json", "quiet", "rawjson")
# what stands at the head of a verb's display on a terminal
TITLES = {
    "compose build": "Building",
    "compose commit": "Committing",
    "compose cp": "Copying",
    "compose create": "Creating",
    "compose export": "Exporting",
    "compose kill": "Killing",
    "compose pause": "Pausing",
    "compose pull": "Pulling",
    "compose push": "Pushing",
    "compose restart": "Restarting",
    "compose rm": "Removing",
    "compose stop": "Stopping",
}


class StepProgress:
    """Shows the events of what a verb does. As a context it ends its display, so that what is written next stands below that.

    With `lines` a terminal gets a line an event as well, among other output; the modes quiet and json are as plain then.
    """

    def __init__(
        self, mode: str, stream: TextIO, *, title: str, dry_run: bool, color: bool, lines: bool = False
    ) -> None:
        self.mode = ("tty" if stream.isatty() else "plain") if mode == "auto" else mode
        self.stream, self.title, self.color = stream, title, color
        self.dry_run, self.lines = dry_run, lines
        self.drawer: Drawer | None = None
        self.owner = os.getpid()
        self.tail: list[str] = []

    def __enter__(self) -> StepProgress:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """End the display; the next event begins another."""
        if self.drawer is not None and os.getpid() == self.owner:
            self.drawer.close()
            self.drawer = None
        for line in self.tail:
            self.stream.write(f"{line}\n")
        self.tail.clear()
        self.stream.flush()

    def flush(self) -> None:
        """Have nothing left that a child would write as well; what draws is started now, so that no child keeps it."""
        self.stream.flush()
        if self.mode == "tty" and not self.lines and os.getpid() == self.owner:
            self._display()

    def event(self, event: StepEvent) -> None:
        """Show one event."""
        if self.mode == "quiet" and not self.lines:
            return
        if self.mode == "tty" and self.lines:
            status = f"\x1b[32m{event.status}\x1b[0m" if self.color else event.status
            self.stream.write(f"\r\x1b[K {event.name} {event.text} {status}\n")
        elif self.mode == "tty" and (self.drawer is not None or os.getpid() == self.owner):
            self._display().event(event)
        elif self.mode == "json" and not self.lines:
            self.stream.write(dumps(self._as_json(event)) + "\n")
        else:
            prefix = " DRY-RUN MODE - " if self.dry_run else ""
            self.stream.write(f"{prefix} {event.name} {event.text} {event.status}\n")
        self.stream.flush()

    def say(self, text: str, write: Callable[[str], None]) -> None:
        """Have `write` write a text; it stands above the display where there is one."""
        if self.drawer is None:
            write(text)
            return
        lines = StringIO()
        with redirect_stderr(lines):
            write(text)
        self.drawer.say(lines.getvalue().rstrip("\n"))

    def _display(self) -> Drawer:
        if self.drawer is None:
            from hyperbox.cli.compose_display import Display, Drawer

            display = Display(self.title, dry_run=self.dry_run, color=self.color)
            self.drawer = Drawer(self.stream.fileno(), display)
        return self.drawer

    def _as_json(self, event: StepEvent) -> dict[str, object]:
        percent = 0
        if event.parent:
            percent = 100 if event.state == "done" else event.current * 100 // event.total if event.total else 0
        words: dict[str, object] = {
            "dry-run": self.dry_run,
            "id": event.name,
            "parent_id": event.parent,
            "text": event.text,
            "status": event.status,
            "current": event.current,
            "total": event.total,
            "percent": percent,
        }
        return {key: word for key, word in words.items() if word}


def transfer_event(event: dict[str, object], name: str = "", parent: str = "") -> StepEvent | None:
    """Return what an object of docker's progress stream says of one layer, or None where it is not about one. `name` goes before the layer's."""
    from hyperbox.cli.progress import bar_width, progress_bar

    identifier, detail = event.get("id"), event.get("progressDetail")
    if not identifier or not isinstance(detail, dict):
        return None
    text = str(event.get("status") or "")
    current, total = (value if isinstance(value := detail.get(key), int) else 0 for key in ("current", "total"))
    done = text in ("Already exists", "Download complete", "Layer already exists", "Pull complete", "Pushed")
    status = progress_bar(current, total, bar_width()) if current > 0 else ""
    return StepEvent(f"{name}{identifier}", status, "done" if done else "working", text, parent, current, total)


def ansi_mode(invocation: Invocation) -> str:
    """Return the word of COMPOSE_ANSI, which goes first as with docker compose, or of --ansi; "auto" for all that is unknown."""
    mode = os.environ.get("COMPOSE_ANSI") or str(invocation.globals.get("ansi") or "auto")
    return mode if mode in ("never", "always") else "auto"


def use_color(invocation: Invocation, stream: TextIO) -> bool:
    """Return whether to color: --ansi, COMPOSE_ANSI, NO_COLOR, and whether the stream is a terminal."""
    mode = ansi_mode(invocation)
    if os.environ.get("NO_COLOR") or mode == "never":
        return False
    return mode == "always" or stream.isatty()


def progress_mode(invocation: Invocation) -> str:
    """Return the word of --progress or COMPOSE_PROGRESS; where there is none, what ANSI sequences that are on or off mean for it."""
    mode = str(invocation.globals.get("progress") or os.environ.get("COMPOSE_PROGRESS") or "auto")
    return {"never": "plain", "always": "tty"}.get(ansi_mode(invocation), "auto") if mode == "auto" else mode


def with_json_errors(verb: Callable[[Invocation], int], invocation: Invocation) -> int:
    """Call a verb; what it fails with becomes a line of JSON on stderr, as all else that is shown with `--progress json`."""
    try:
        code = verb(invocation)
    except HyperBoxError as error:
        sys.stderr.write(dumps({"error": True, "message": error.told}) + "\n")
        return error.exit_code
    if code and invocation.path in ("compose run", "compose up"):  # the container's own code has no words
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
    ansi = ansi_mode(invocation)
    if (ansi, mode) == ("never", "tty"):
        raise ComposeError("can't use --progress tty while ANSI support is disabled")
    if (ansi, mode) == ("always", "plain"):
        raise ComposeError("can't use --progress plain while ANSI support is forced")
    if invocation.globals.get("no-ansi"):
        sys.stderr.write("option '--no-ansi' is DEPRECATED ! Please use '--ansi' instead.\n")


def parallel_limit(invocation: Invocation) -> int:
    """Return how many steps may be under way at once: --parallel, COMPOSE_PARALLEL_LIMIT, or 0 for no limit of the user's."""
    given = invocation.globals.get("parallel")
    if isinstance(given, int) and given > 0:
        return given
    limit = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
    return max(int(limit), 0) if limit.lstrip("+-").isdigit() else 0


def step_progress(invocation: Invocation, title: str = "", *, lines: bool = False) -> StepProgress:
    """Return the progress that a command line asks for; `title` is another than the verb's own. Raises ComposeError for an unknown mode."""
    mode = progress_mode(invocation)
    if mode not in MODES:
        raise ComposeError(f'unsupported --progress value "{mode}"')
    stream = sys.stdout if is_true("COMPOSE_STATUS_STDOUT") else sys.stderr
    return StepProgress(
        mode,
        stream,
        title=title or TITLES.get(invocation.path, "Running"),
        dry_run=bool(invocation.globals.get("dry-run")),
        color=not os.environ.get("NO_COLOR"),
        lines=lines,
    )
