"""The progress of a build on stderr, in the forms of docker's buildx: plain lines, raw JSON, nothing; a terminal's is in `build_progress_tty`.

Plain: each step gets a number when it first shows something. One step at a time has the stream; another that runs waits until the first
has ended or has been silent for a while, one that has ended is shown at once (`#5 …` marks an interruption).
"""

from __future__ import annotations

import time

from hyperbox.build.api import Finding, Log, Status, Vertex
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TextIO

    from hyperbox.build.api import Event

    class Printer(Protocol):
        """What shows the events of one build."""

        def event(self, event: Event) -> None:
            """Show one event."""

        def close(self) -> None:
            """Show what is left; the build has ended."""


MODES = ("auto", "tty", "plain", "rawjson", "none", "quiet")
KEPT_LINES = 10  # of a failed step's output, shown again at the end
PATIENCE = 5.0  # seconds that a silent step keeps the stream
STATUS_EVERY = 5.0  # seconds between two figures of one transfer
UNITS = ("B", "kB", "MB", "GB", "TB")


def bytes_text(count: int) -> str:
    """Return a number of bytes as BuildKit's plain progress has it: 98B, 1.23kB, 4.00MB."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{count}B" if not unit else f"{size:.2f}{UNITS[unit]}"


class Step:
    """What is known of one vertex, and what of it has not been shown."""

    def __init__(self, digest: str, name: str) -> None:
        self.digest = digest
        self.name = name
        self.number = 0
        self.started: float | None = None
        self.completed: float | None = None
        self.cached = False
        self.error = ""
        self.partial = b""
        self.pending: list[str] = []
        self.last_lines: list[str] = []
        self.statuses: dict[str, float] = {}
        self.shown_state = False

    @property
    def waiting(self) -> bool:
        """Whether there is something to show."""
        return (
            bool(self.pending)
            or (self.started is not None and not self.number)
            or (self.ended and not self.shown_state)
        )

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self.completed is not None


class Board:
    """The steps of a build as events tell them; printers of every form read it."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.findings: list[Finding] = []

    def take(self, event: Event) -> Step | None:
        """Note one event; returns the step that it is about."""
        if isinstance(event, Vertex):
            return self._vertex(event)
        if isinstance(event, Finding):
            self.findings.append(event)
            return self.steps.get(event.vertex)
        step = self.steps.get(event.vertex)
        if step is None:
            return None
        if isinstance(event, Log):
            self._log(step, event)
        elif isinstance(event, Status):
            self._status(step, event)
        return step

    def _vertex(self, event: Vertex) -> Step:
        step = self.steps.setdefault(event.digest, Step(event.digest, event.name))
        step.name = event.name
        step.started = event.started if event.started is not None else step.started
        step.completed = event.completed if event.completed is not None else step.completed
        step.cached = step.cached or event.cached
        step.error = event.error or step.error
        if step.ended and step.partial:
            self._line(step, step.partial, event.completed or time.time())
            step.partial = b""
        return step

    def _log(self, step: Step, event: Log) -> None:
        *lines, step.partial = (step.partial + event.data).split(b"\n")
        for line in lines:
            self._line(step, line, event.timestamp)

    def _line(self, step: Step, line: bytes, timestamp: float) -> None:
        since = max(0.0, timestamp - (step.started if step.started is not None else timestamp))
        text = f"{since:.3f} {line.decode('utf-8', 'replace')}".rstrip("\r")
        step.pending.append(text)
        step.last_lines = [*step.last_lines, text][-KEPT_LINES:]

    def _status(self, step: Step, event: Status) -> None:
        now = event.timestamp or time.time()
        if event.completed is None and now - step.statuses.get(event.id, 0.0) < STATUS_EVERY:
            return
        step.statuses[event.id] = now
        figure = ""
        if event.total:
            figure = f" {bytes_text(event.current)} / {bytes_text(event.total)}"
        elif event.current:
            figure = f" {bytes_text(event.current)}"
        end = event.completed if event.completed is not None else now
        if event.started is not None and end - event.started > 0.01:
            figure += f" {end - event.started:.1f}s"
        step.pending.append(f"{event.id}{figure}{' done' if event.completed is not None else ''}")


class PlainProgress:
    """Numbered lines."""

    def __init__(self, stream: TextIO, *, debug: bool = False, heading: str) -> None:
        self.stream = stream
        self.debug = debug
        self.heading = heading
        self.board = Board()
        self.current: Step | None = None
        self.last_output = 0.0
        self.count = 0

    def write(self, text: str) -> None:
        """Write at once."""
        self.stream.write(text)
        self.stream.flush()

    def event(self, event: Event) -> None:
        """Show one event, or keep it until its step has the stream."""
        step = self.board.take(event)
        if isinstance(event, Finding):
            return
        if step is None or not step.waiting:
            return
        silent = time.monotonic() - self.last_output > PATIENCE
        if step is self.current or self.current is None or step.ended or silent:
            self.show(step)
            self._next()

    def show(self, step: Step) -> None:
        """Write all that a step has, under its number."""
        if not step.number:
            if not self.count:
                self.write(self.heading)
            self.count += 1
            step.number = self.count
        if step is not self.current:
            lead = f"#{self.current.number} ...\n" if self.current is not None else ""
            gap = "" if self.count == 1 and not self.heading and not lead else "\n"
            self.write(f"{lead}{gap}#{step.number} {step.name}\n")
        lines = "".join(f"#{step.number} {line}\n" for line in step.pending)
        step.pending.clear()
        self.current = step
        if step.ended and not step.shown_state:
            lines += f"#{step.number} {state_of(step)}\n"
            step.shown_state = True
        if step.ended:
            self.current = None
        self.write(lines)
        self.last_output = time.monotonic()

    def _next(self) -> None:
        """Give the stream to a step that waits, once it is free."""
        while self.current is None:
            waiting = [step for step in self.board.steps.values() if step.waiting]
            if not waiting:
                return
            self.show(waiting[0])

    def close(self) -> None:
        """Write what is left, the output of failed steps again, and what the build checks found."""
        for step in self.board.steps.values():
            if step.waiting:
                self.show(step)
        self.write(failures(self.board) + findings_text(self.board.findings, debug=self.debug))


def state_of(step: Step) -> str:
    """Return the word for a step's end."""
    if step.error:
        return "CANCELED" if canceled(step) else f"ERROR: {step.error}"
    if step.cached:
        return "CACHED"
    seconds = (step.completed or 0.0) - (step.started if step.started is not None else step.completed or 0.0)
    return f"DONE {max(0.0, seconds):.1f}s"


def canceled(step: Step) -> bool:
    """Return whether a step ended because the build was given up."""
    return step.error.endswith("context canceled")


def cancel(shown: Printer) -> None:
    """Show the steps that were under way as given up."""
    board = getattr(shown, "board", None)
    if not isinstance(board, Board):
        return
    now = time.time()
    for step in list(board.steps.values()):
        if step.started is not None and not step.ended:
            shown.event(Vertex(step.digest, step.name, started=step.started, completed=now, error="context canceled"))


def failures(board: Board) -> str:
    """Return the last lines of each failed step."""
    out = ""
    for step in board.steps.values():
        if step.error and not canceled(step):
            lines = "".join(f"{line}\n" for line in step.last_lines)
            out += f"------\n > {step.name}:\n{lines}------\n"
    return out


def findings_text(findings: list[Finding], *, debug: bool) -> str:
    """Return the closing lines about build checks, as buildx prints them (in yellow)."""
    if not findings:
        return ""
    plural = "" if len(findings) == 1 else "s"
    hint = "" if debug else " (use docker --debug to expand)"
    out = f"\n \x1b[33m{len(findings)} warning{plural} found{hint}:\n\x1b[0m"
    for finding in findings:
        out += f" - {finding.message}\n"
        if debug:
            out += "".join(f"{line}\n" for line in (finding.detail, f"More info: {finding.url}") if line)
    return out


class RawProgress:
    """Every event as a line of JSON, in the shape of BuildKit's SolveStatus."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.names: dict[str, str] = {}

    def event(self, event: Event) -> None:
        """Write one event."""
        from hyperbox.cli.build_progress_raw import event_to_json
        from hyperbox.files import dumps

        self.stream.write(dumps(event_to_json(event)) + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Nothing is left."""


class NoProgress:
    """Shows nothing."""

    def event(self, event: Event) -> None:
        """Drop one event."""

    def close(self) -> None:
        """Nothing is left."""


def printer(mode: str, stream: TextIO, builder: tuple[str, str] | None, *, quiet: bool, debug: bool = False) -> Printer:
    """Return what shows a build's progress; `builder`: its name and driver, where they are told. Raises HyperBoxError for an unknown mode."""
    if mode and mode not in MODES:
        raise HyperBoxError(f"ERROR: invalid progress mode {mode}")
    if quiet and mode in ("", "plain", "tty", "rawjson"):
        raise HyperBoxError(f"ERROR: progress={mode} and quiet cannot be used together")
    if quiet or mode in ("none", "quiet"):
        return NoProgress()
    if mode == "rawjson":
        return RawProgress(stream)
    name, driver = builder or ("", "")
    if mode == "tty" or (mode in ("", "auto") and stream.isatty()):
        from hyperbox.cli.build_progress_tty import TerminalProgress

        return TerminalProgress(stream, place=f"{driver}:{name}" if builder else "", debug=debug)
    heading = f'#0 building with "{name}" instance using {driver} driver\n'
    return PlainProgress(stream, debug=debug, heading=heading if builder else "")
