"""From the text of a Dockerfile to its instructions: directives, comments, continued lines, flags and here-documents.

Follows the Dockerfile reference (https://docs.docker.com/reference/dockerfile/). Nothing is expanded or interpreted here: a word
with a variable in it stays as it is written (`image.dockerfile_words` expands, `build.instructions` interprets).
"""

from __future__ import annotations

import re

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAXIMUM_SIZE = 16 << 20  # bytes; a Dockerfile comes from an untrusted context
WITH_HEREDOCS = ("RUN", "COPY", "ADD")
WITH_FLAGS = ("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN", "ONBUILD")
INSTRUCTIONS = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
]
DIRECTIVES = ("syntax", "escape", "check")

_directive = re.compile(r"^#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_heredoc = re.compile(r"^(\d*)<<(-?)([^<]*)$")


class DockerfileError(HyperBoxError):
    """A Dockerfile is not acceptable; `line` is where (0: nowhere). The message names it but for those that BuildKit words `plain`ly."""

    def __init__(self, message: str, line: int = 0, *, plain: bool = False, last: int = 0) -> None:
        self.line = line
        self.last = last or line
        super().__init__(f"dockerfile parse error on line {line}: {message}" if line and not plain else message)


class Heredoc:
    """A here-document: `name` as given, `text` its lines, `expand` whether variables in it are replaced, `chomp` for <<-."""

    __slots__ = ("chomp", "expand", "name", "text")

    def __init__(self, name: str, text: str, *, expand: bool, chomp: bool) -> None:
        self.name = name
        self.text = text
        self.expand = expand
        self.chomp = chomp


class Instruction:
    """One instruction as written: `name` in capitals, `flags` ("--x=y" words), `rest` the text behind them, `first`/`last` its lines."""

    __slots__ = ("first", "flags", "heredocs", "last", "name", "original", "rest")

    def __init__(
        self,
        name: str,
        flags: tuple[str, ...],
        rest: str,
        heredocs: tuple[Heredoc, ...],
        original: str,
        first: int,
        last: int,
    ) -> None:
        self.name = name
        self.flags = flags
        self.rest = rest
        self.heredocs = heredocs
        self.original = original
        self.first = first
        self.last = last

    def __repr__(self) -> str:
        return f"{self.first}: {self.original}"


class Dockerfile:
    """A parsed Dockerfile: its parser directives, the escape character, and its instructions in order."""

    __slots__ = ("directives", "escape", "instructions", "lines", "warnings")

    def __init__(
        self,
        directives: dict[str, str],
        instructions: tuple[Instruction, ...],
        lines: tuple[str, ...],
        warnings: tuple[str, ...],
    ) -> None:
        self.directives = directives
        self.escape = directives.get("escape", "\\")
        self.instructions = instructions
        self.lines = lines
        self.warnings = warnings


def parse(data: bytes) -> Dockerfile:
    """Parse the bytes of a Dockerfile (UTF-8, a byte order mark allowed). Raises DockerfileError with the line."""
    if not data:
        raise DockerfileError("the Dockerfile cannot be empty")
    if len(data) > MAXIMUM_SIZE:
        raise DockerfileError(f"the Dockerfile is larger than {MAXIMUM_SIZE >> 20} MiB")
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DockerfileError("the file is not valid UTF-8", data.count(b"\n", 0, error.start) + 1) from None
    lines = tuple(line.rstrip("\r") for line in text.split("\n"))
    directives = parse_directives(lines)
    warnings: list[str] = []
    instructions = tuple(_instructions(lines, directives.get("escape", "\\"), warnings))
    if not instructions:
        raise DockerfileError("file with no instructions", max(1, len(lines) - (not lines[-1])), plain=True)
    return Dockerfile(directives, instructions, lines, tuple(warnings))


def parse_directives(lines: tuple[str, ...]) -> dict[str, str]:
    """Return the parser directives: comments `# name=value` above everything else, each at most once."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith("#!"):
            continue
        match = _directive.match(line.strip())
        if match is None or match[1].lower() not in DIRECTIVES:
            break
        name = match[1].lower()
        if name in found:
            raise DockerfileError(f"only one {name} parser directive can be used", number - 1, plain=True)
        if name == "escape" and match[2] not in ("\\", "`"):
            raise DockerfileError(f"invalid escape token '{match[2]}' does not match ` or \\")
        found[name] = match[2]
    return found


def _continues(line: str, escape: str) -> str | None:
    """Return the line without its continuation mark, or None where it does not continue on the next one."""
    stripped = line.rstrip(" \t")
    if not stripped.endswith(escape) or stripped.endswith(escape * 2):
        return None
    return stripped[:-1]


def _instructions(lines: tuple[str, ...], escape: str, warnings: list[str]) -> Iterator[Instruction]:
    index = 0
    while index < len(lines):
        line = lines[index]
        if not line.strip() or line.lstrip().startswith("#"):
            index += 1
            continue
        first = index + 1
        logical, index = _logical_line(lines, index, escape, warnings)
        name, flags, rest = split_instruction(logical, first, escape)
        heredocs: tuple[Heredoc, ...] = ()
        original = logical.strip()
        if name in WITH_HEREDOCS or (
            name == "ONBUILD" and rest.split(None, 1)[:1] and rest.split(None, 1)[0].upper() in WITH_HEREDOCS
        ):
            start = index
            heredocs, index = _read_heredocs(rest, lines, index, first, escape)
            if index > start:
                original = "\n".join([original, *lines[start:index]])
        yield Instruction(name, flags, rest, heredocs, original, first, index)


def _logical_line(lines: tuple[str, ...], index: int, escape: str, warnings: list[str]) -> tuple[str, int]:
    """Join a line with those that continue it; comments and empty lines between are left out. Returns it and the next index."""
    parts = []
    line: str | None = lines[index].lstrip()
    first = index + 1
    while True:
        assert line is not None
        head = _continues(line, escape)
        index += 1
        if head is None:
            parts.append(line)
            break
        parts.append(head)
        empty = False
        while index < len(lines) and (not lines[index].strip() or lines[index].lstrip().startswith("#")):
            empty = empty or not (lines[index].strip() or index == len(lines) - 1)
            index += 1
        if empty:
            warnings.append(f"empty continuation line in the instruction of line {first}")
        if index >= len(lines):
            break
        line = lines[index]
    return "".join(parts), index


def split_instruction(logical: str, line: int, escape: str) -> tuple[str, tuple[str, ...], str]:
    """Split a logical line into the instruction's name, its leading `--flags`, and the rest."""
    word, _, rest = logical.strip().partition(" ")
    if "\t" in word:
        word, _, tail = word.partition("\t")
        rest = f"{tail} {rest}" if rest else tail
    name = word.upper()
    if name not in INSTRUCTIONS:
        raise DockerfileError(f"unknown instruction: {word}{suggestion(name, INSTRUCTIONS)}", line)
    rest = rest.strip()
    if name not in WITH_FLAGS:
        return name, (), rest
    flags = []
    while rest.startswith("--"):
        flag, rest = _take_flag(rest, escape)
        if flag == "--":
            break
        flags.append(flag)
    return name, tuple(flags), rest


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is one or two letters away from `word`; "" where none is, or it is one of them."""
    best, distance = "", 3
    for candidate in known:
        steps = _distance(word, candidate)
        if not steps:
            return ""
        if steps < distance:
            best, distance = candidate, steps
    return best


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be put in, taken out or changed (Levenshtein)."""
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one[:200], 1):
        previous, row[0] = row[0], index
        for place, another in enumerate(other, 1):
            previous, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, previous + (letter != another))
    return row[-1]


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean x?)" with the known word that is nearest, or ""."""
    close = nearest(word, known)
    return f" (did you mean {close}?)" if close else ""


def _take_flag(text: str, escape: str) -> tuple[str, str]:
    """Take the first word off `text`, quotes kept together and removed; returns it and what follows."""
    word, quote, index = [], "", 0
    while index < len(text):
        character = text[index]
        if character == escape and index + 1 < len(text) and quote != "'":
            word.append(text[index + 1])
            index += 2
            continue
        if quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character in "\"'":
            quote = character
        elif character in " \t":
            break
        else:
            word.append(character)
        index += 1
    return "".join(word), text[index:].lstrip()


def heredoc_of(word: str) -> tuple[str, bool, bool] | None:
    """Return (name, expand, chomp) where a word is a here-document's mark (`<<EOF`, `<<-'EOF'`), else None."""
    match = _heredoc.match(word)
    if match is None or not match[3]:
        return None
    name = match[3]
    plain = name.replace('"', "").replace("'", "")
    if not plain:
        return None
    return plain, plain == name, bool(match[2])


def _marks(rest: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield the here-document marks of an instruction's words; a mark inside quotes does not count."""
    word, quote = "", ""
    for character in [*rest, " "]:
        if quote:
            quote = "" if character == quote else quote
            word += character
        elif character in " \t":
            mark = heredoc_of(word) if word and word[0] not in "\"'" else None
            if mark is not None:
                yield mark
            word = ""
        else:
            if character in "\"'":
                quote = character
            word += character


def _read_heredocs(
    rest: str, lines: tuple[str, ...], index: int, first: int, escape: str
) -> tuple[tuple[Heredoc, ...], int]:
    del escape
    if rest.startswith("["):  # the exec form has none
        return (), index
    documents = []
    for name, expand, chomp in _marks(rest):
        body: list[str] = []
        while True:
            if index >= len(lines):
                last = len(lines) - (lines[-1] == "")
                raise DockerfileError("unterminated heredoc", first, plain=True, last=last)
            line = lines[index]
            index += 1
            text = line.lstrip("\t") if chomp else line
            if text == name:
                break
            body.append(text)
        documents.append(Heredoc(name, "".join(f"{text}\n" for text in body), expand=expand, chomp=chomp))
    return tuple(documents), index
