"""Places in a source and what is said about them: positions, ranges, diagnostics in the words of HashiCorp's HCL."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Position(NamedTuple):
    """A line and a column, both from 1; columns count characters as a reader sees them."""

    line: int
    column: int


class Range(NamedTuple):
    """From one position up to another of a file."""

    file: str
    start: Position
    end: Position

    def __str__(self) -> str:
        if self.start.line == self.end.line:
            return f"{self.file}:{self.start.line},{self.start.column}-{self.end.column}"
        return f"{self.file}:{self.start.line},{self.start.column}-{self.end.line},{self.end.column}"

    def at_start(self) -> Range:
        return Range(self.file, self.start, self.start)

    def at_end(self) -> Range:
        return Range(self.file, self.end, self.end)


def between(first: Range, last: Range) -> Range:
    """Return the range from the start of one to the end of another."""
    return Range(first.file, first.start, last.end)


class Diagnostic(NamedTuple):
    """One thing that is wrong, and where."""

    summary: str
    detail: str
    subject: Range | None

    def __str__(self) -> str:
        where = "<nil>" if self.subject is None else str(self.subject)
        return f"{where}: {self.summary}; {self.detail}"


class Diagnostics(Exception):
    """What was wrong with a source, at least one thing."""

    def __init__(self, problems: Iterable[Diagnostic]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        first = str(self.problems[0])
        others = len(self.problems) - 1
        return f"{first}, and {others} other diagnostic(s)" if others else first


def clusters(text: str) -> Iterator[str]:
    """Yield what a reader sees as single characters: a letter with its marks, an emoji made of several, CR LF."""
    current = ""
    for character in text:
        if current and _joins(current, character):
            current += character
            continue
        if current:
            yield current
        current = character
    if current:
        yield current


def _joins(current: str, character: str) -> bool:
    if character < "\u0300":
        return current == "\r" and character == "\n"
    if character == "\u200d" or current[-1] == "\u200d":
        return current not in ("\r", "\n", "\r\n")
    if "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    return unicodedata.category(character) in ("Mn", "Me", "Mc") and current[-1] not in "\r\n"


def after(position: Position, text: str) -> Position:
    """Return the position after a text that begins at one."""
    if text.isascii() and "\n" not in text and "\r" not in text:
        return Position(position.line, position.column + len(text))
    line, column = position
    for cluster in clusters(text):
        if cluster in ("\n", "\r\n"):
            line, column = line + 1, 1
        else:
            column += 1
    return Position(line, column)


def suggestion(given: str, names: Iterable[str]) -> str:
    """Return the first of some names that differs from what was given by less than three edits, else ""."""
    for name in sorted(names):
        if _near(given, name):
            return name
    return ""


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return the sentence that ends a message about an unknown name, with its leading space, or ""."""
    name = suggestion(given, names)
    return f" Did you mean {quote(name)}?" if name else ""


def _near(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 2 or len(one) > 1000:
        return False
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one):
        last, row[0] = row[0], index + 1
        for place, letter_too in enumerate(other):
            last, row[place + 1] = (
                row[place + 1],
                min(last + (letter != letter_too), row[place] + 1, row[place + 1] + 1),
            )
    return row[-1] < 3
