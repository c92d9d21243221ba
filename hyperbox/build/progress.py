"""Events of a build: when vertices start and end, told once each and in order."""

from __future__ import annotations

import time

from hyperbox.build.api import Log, Status, Step, Vertex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.build.api import Event


class Progress:
    """Tells events and remembers the steps. A vertex is named by its digest."""

    __slots__ = ("on_event", "started", "steps", "told")

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self.started: dict[str, float] = {}
        self.told: dict[str, Vertex] = {}
        self.steps: list[Step] = []

    def announce(self, digest: str, name: str, inputs: tuple[str, ...] = ()) -> None:
        """A vertex is known."""
        if digest not in self.told:
            self.told[digest] = Vertex(digest, name, inputs)
            self.on_event(self.told[digest])

    def start(self, digest: str, name: str) -> None:
        """A vertex begins."""
        self.announce(digest, name)
        if digest not in self.started:
            self.started[digest] = time.time()
            self._tell(self.told[digest]._replace(started=self.started[digest]))

    def end(self, digest: str, *, cached: bool = False, error: str = "", name: str = "") -> None:
        """A vertex has ended; one that has not begun does so now."""
        vertex = self.told[digest]
        if vertex.completed is not None:
            return
        if digest not in self.started:
            self.start(digest, name or vertex.name)
        now = time.time()
        begun = self.started[digest]
        self._tell(vertex._replace(started=begun, completed=now, cached=cached, error=error))
        if not error:
            self.steps.append(Step(vertex.name, cached, now - begun, digest))

    def _tell(self, vertex: Vertex) -> None:
        self.told[vertex.digest] = vertex
        self.on_event(vertex)

    def ended(self, digest: str) -> bool:
        """Return whether a vertex has ended."""
        vertex = self.told.get(digest)
        return vertex is not None and vertex.completed is not None

    def status(self, digest: str, text: str, current: int = 0, total: int = 0, *, done: bool = True) -> None:
        """Tell a figure of a vertex."""
        now = time.time()
        self.on_event(Status(digest, text, current, total, now, self.started.get(digest, now), now if done else None))

    def log(self, digest: str, stream: int, data: bytes) -> None:
        """Pass on what a step wrote."""
        self.on_event(Log(digest, stream, data, time.time()))

    def logger(self, digest: str, stream: int) -> Callable[[bytes], None]:
        """Return a function that passes on what a step writes to one stream."""
        return lambda data: self.log(digest, stream, data)


class Doing:
    """`with Doing(progress, digest, name):` a vertex of the build itself; an error ends it with its text."""

    __slots__ = ("digest", "name", "progress")

    def __init__(self, progress: Progress, digest: str, name: str) -> None:
        self.progress = progress
        self.digest = digest
        self.name = name

    def __enter__(self) -> Doing:
        self.progress.start(self.digest, self.name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        text = "" if error is None else str(error).removeprefix("failed to solve: ") or type(error).__name__
        self.progress.end(self.digest, error=text)


def excerpt(file: str, lines: tuple[str, ...], first: int, last: int) -> str:
    """Return the lines of a Dockerfile around an instruction, as docker prints them: those of the instruction marked by >>>."""
    if not 0 < first <= len(lines):
        return ""
    last = max(first, min(last, len(lines)))
    begin, end, padding = first, last, 0
    wanted = 4 if first == last else 2
    while padding < wanted:
        if begin > 1:
            begin, padding = begin - 1, padding + 1
        if end != len(lines):
            end, padding = end + 1, padding + 1
        padding += 1
    shown = [f"{file}:{first}", "-" * 20]
    for number, line in enumerate(lines[begin - 1 : end], begin):
        mark = ">>>" if first <= number <= last else "   "
        shown.append(f" {number:>3} | {mark} {line}")
    return "\n".join([*shown, "-" * 20])
