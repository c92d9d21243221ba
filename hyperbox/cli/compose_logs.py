"""The output of many containers at once, each line with its container's name: compose logs, and `up` in the foreground."""

from __future__ import annotations

import sys
from typing import NamedTuple

from hyperbox.cli.compose_printer import PALETTE
from hyperbox.cli.compose_progress import use_color
from hyperbox.cli.compose_project import Session, session_by_name, warner
from hyperbox.errors import ComposeError, EngineError
from hyperbox.files import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer


class LogOptions(NamedTuple):
    """Which part of the logs, and how it is shown."""

    follow: bool = False
    since: float = 0.0
    until: float = 0.0
    tail: int = -1
    timestamps: bool = False
    prefix: bool = True
    color: bool = False
    apart: bool = False  # what a container writes to stderr goes to ours


def log_name(found: Session, name: str, service: str, number: str) -> str:
    """Return a container's name as log lines show it: without the project's, but one that the user or chance gave is whole."""
    project, separator = found.desired.name, found.desired.separator
    usual = separator.join((project, service, number))
    if name.partition("_")[2] == usual and len(name.partition("_")[0]) == 12:  # it is about to take another one's place
        name = usual
    return name.removeprefix(f"{project}{separator}") if name == usual else name


def short_name(found: Session, row: ObservedContainer) -> str:
    """Return a container's name as log lines show it."""
    return log_name(found, row.name, row.service, str(row.ordinal))


def is_unreadable(error: EngineError) -> bool:
    """Return whether an error says that a container's logging driver keeps nothing that could be read."""
    return error.message == "configured logging driver does not support reading"


def warn_of_log(found: Session, container_id: str, error: EngineError) -> None:
    """Say that a container's log can't be read."""
    name = str(found.engine.container_inspect(container_id)["Name"]).removeprefix("/")
    warner(found.invocation)(f'Can\'t retrieve logs for "{name}": {error.told}')
    sys.stderr.flush()


class Prefixes:
    """What stands before each container's lines: "web-1  | ", padded to the longest, colored where wanted."""

    def __init__(self, found: Session, rows: Sequence[ObservedContainer], options: LogOptions) -> None:
        self.options = options
        self.names = {row.container_id: short_name(found, row) for row in rows}
        self.width = max((len(name) for name in self.names.values()), default=0)
        self.colors = {key: PALETTE[number % len(PALETTE)] for number, key in enumerate(self.names)}

    def of(self, row: ObservedContainer) -> bytes:
        """Return the prefix of a container's lines."""
        if not self.options.prefix:
            return b""
        return self.colored(row, f"{self.names[row.container_id]:<{self.width}}  | ").encode()

    def colored(self, row: ObservedContainer, text: str) -> str:
        """Return text in a container's color."""
        return f"\x1b[{self.colors[row.container_id]}m{text}\x1b[0m" if self.options.color else text


def lines(found: Session, container_id: str, options: LogOptions) -> Iterator[tuple[int, bytes]]:
    """Yield (stream, line) of one container, each with its newline; a last one without gets it."""
    partial = {1: b"", 2: b""}
    chunks = found.engine.container_logs(
        container_id,
        follow=options.follow,
        since=options.since,
        until=options.until,
        tail=options.tail,
        timestamps=options.timestamps,
    )
    for stream, data in chunks:
        pieces = (partial.get(stream, b"") + data).split(b"\n")
        partial[stream] = pieces.pop()
        for piece in pieces:
            yield stream, piece + b"\n"
    for stream, rest in partial.items():
        if rest:
            yield stream, rest + b"\n"


def write_line(data: bytes, stream: int = 1) -> None:
    """Write a line to our stdout or stderr, in one write, so that several writers don't mix within a line."""
    write_all(stream, data)


def copy_lines(found: Session, container_id: str, prefix: bytes, options: LogOptions) -> None:
    """Write a container's lines to our stdout, or each to where the container wrote it."""
    for stream, line in lines(found, container_id, options):
        write_line(prefix + line, stream if options.apart else 1)


def log_options(invocation: Invocation) -> LogOptions:
    """Return the options of `compose logs`. Raises HyperBoxError for a time or number that can't be read."""
    from hyperbox.cli.moments import moment

    flags = invocation.flags
    tail = str(flags.get("tail") or "all")
    return LogOptions(
        follow=bool(flags.get("follow")),
        since=moment("since", str(flags.get("since") or "")),
        until=moment("until", str(flags.get("until") or "")),
        tail=int(tail) if tail.isdigit() else -1,
        timestamps=bool(flags.get("timestamps")),
        prefix=not flags.get("no-log-prefix"),
        color=not flags.get("no-color") and use_color(invocation, sys.stdout),
    )


def logs(invocation: Invocation) -> int:
    """`docker compose logs`."""
    found = session_by_name(invocation)
    number = invocation.flags.get("index")
    if number and len(invocation.arguments) != 1:
        raise ComposeError("--index requires one service to be selected")
    options = log_options(invocation)
    shown = set(invocation.arguments) or _shown_services(found)
    rows = [
        row
        for row in found.containers(invocation.arguments)
        if (not shown or row.service in shown) and (not number or row.ordinal == number)
    ]
    if number and not rows:
        raise ComposeError(f'service "{invocation.arguments[0]}" is not running container #{number}')
    if options.follow:
        from hyperbox.cli.compose_following import follow_logs

        return follow_logs(found, rows, shown, options)
    prefixes = Prefixes(found, rows, options)
    for row in rows:
        try:
            copy_lines(found, row.container_id, prefixes.of(row), options)
        except EngineError as error:
            if not is_unreadable(error):
                raise
            warn_of_log(found, row.container_id, error)
    return 0


def _shown_services(found: Session) -> set[str]:
    """Return the services whose logs are shown where none is named: those of the files, in active profiles, that are to be attached to."""
    if found.desired.project is None:
        return set()
    return {name for name, wish in found.desired.services.items() if wish.definition.get("attach") is not False}
