"""The scanner: from a source to tokens. Strings and heredocs are scanned as templates: literal parts and sequences in braces."""

from __future__ import annotations

import re
from typing import NamedTuple

from hyperbox.hcl.positions import Diagnostic, Position, Range, after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NEWLINE, COMMENT, IDENTIFIER, NUMBER, END = "newline", "comment", "identifier", "number", "end of file"
OPEN_QUOTE, CLOSE_QUOTE, QUOTED, LITERAL = 'open "', 'close "', "quoted literal", "literal"
OPEN_HEREDOC, CLOSE_HEREDOC = "open heredoc", "close heredoc"
INTERPOLATION, CONTROL, SEQUENCE_END = "${", "%{", "sequence end"
QUOTED_NEWLINE, BAD_UTF8, INVALID = "quoted newline", "bad UTF-8", "invalid"


class Token(NamedTuple):
    """A token: its kind (for punctuation the text itself), its text and its place."""

    kind: str
    text: str
    range: Range


_MAIN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>[0-9](?:[0-9]|\.[0-9]|[eE][+-]?[0-9])*)"
    r"|(?P<identifier>[^\W\d][\w-]*)"
    r"|(?P<comment>(?:\#|//)[^\n]*(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*\*/)"
    r"|(?P<newline>\r?\n)"
    r"|(?P<heredoc><<-?[^\W\d][\w-]*\r?\n)"
    r"|(?P<operator>\.\.\.|==|!=|>=|<=|&&|\|\||=>|~\}|[\[\](){}.,*/%+\-=<>!?:&|^~;`'\"])"
)
_QUOTED = re.compile(r'(?:\$\$\{|%%\{|\\[^\r\n]|[$%](?!\{)|[^$%"\\\r\n])+')
_LINE = re.compile(r"(?:\$\$\{|%%\{|[$%](?!\{)|[^$%\n])*(?:\n)?")
_BARE = re.compile(r"(?:\$\$\{|%%\{|[$%](?!\{)|[^$%])+")
_OPENING = re.compile(r"[$%]\{~?")


class _Heredoc:
    __slots__ = ("line_start", "marker")

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self.line_start = True


class _Scanner:
    """Where the scan is, and in what: a stack of modes, and for each open sequence how many braces are open within it."""

    __slots__ = ("braces", "file", "index", "modes", "position", "source", "tokens")

    def __init__(self, source: str, file: str, position: Position) -> None:
        self.source = source
        self.file = file
        self.index = 0
        self.position = position
        self.tokens: list[Token] = []
        self.modes: list[str | _Heredoc] = []
        self.braces: list[int] = []

    def emit(self, kind: str, text: str) -> None:
        end = after(self.position, text)
        self.tokens.append(Token(kind, text, Range(self.file, self.position, end)))
        self.position = end
        self.index += len(text)

    def skip(self, text: str) -> None:
        self.position = after(self.position, text)
        self.index += len(text)


def scan(source: str, file: str) -> list[Token]:
    """Return the tokens of a configuration, the last of which is END."""
    return _run(_Scanner(source.removeprefix("\ufeff"), file, Position(1, 1)), "main")


def scan_template(source: str, file: str, position: Position) -> list[Token]:
    """Return the tokens of a bare template, such as a string of a JSON file."""
    return _run(_Scanner(source, file, position), "bare")


def _run(scanner: _Scanner, mode: str) -> list[Token]:
    scanner.modes.append(mode)
    if mode == "main":
        scanner.braces.append(0)
    while scanner.index < len(scanner.source):
        current = scanner.modes[-1]
        if isinstance(current, _Heredoc):
            _heredoc(scanner, current)
        elif current == "main":
            _main(scanner)
        elif current == "quoted":
            _quoted(scanner)
        else:
            _bare(scanner)
    scanner.emit(END, "")
    return scanner.tokens


def _main(scanner: _Scanner) -> None:
    match = _MAIN.match(scanner.source, scanner.index)
    if match is None:
        character = scanner.source[scanner.index]
        scanner.emit(BAD_UTF8 if "\ud800" <= character <= "\udfff" else INVALID, character)
        return
    kind, text = str(match.lastgroup), match.group()
    if kind == "space":
        scanner.skip(text)
    elif kind == "heredoc":
        scanner.emit(OPEN_HEREDOC, text)
        scanner.modes.append(_Heredoc(text.strip("<-\r\n") if not text.startswith("<<-") else text[3:].rstrip("\r\n")))
    elif kind == "operator":
        _operator(scanner, text)
    else:
        scanner.emit(kind, text)


def _operator(scanner: _Scanner, text: str) -> None:
    if text == '"':
        scanner.emit(OPEN_QUOTE, text)
        scanner.modes.append("quoted")
    elif text == "{":
        scanner.braces[-1] += 1
        scanner.emit(text, text)
    elif text in ("}", "~}"):
        if scanner.braces[-1] == 0 and len(scanner.modes) > 1:
            scanner.emit(SEQUENCE_END, text)
            scanner.braces.pop()
            scanner.modes.pop()
            return
        if text == "~}":
            scanner.emit("~", "~")
            return
        scanner.braces[-1] = max(0, scanner.braces[-1] - 1)
        scanner.emit(text, text)
    else:
        scanner.emit(text, text)


def _open_sequence(scanner: _Scanner) -> bool:
    """Scan the start of an interpolation or a directive, if one is there."""
    match = _OPENING.match(scanner.source, scanner.index)
    if match is None:
        return False
    scanner.emit(INTERPOLATION if match.group()[0] == "$" else CONTROL, match.group())
    scanner.modes.append("main")
    scanner.braces.append(0)
    return True


def _quoted(scanner: _Scanner) -> None:
    match = _QUOTED.match(scanner.source, scanner.index)
    if match is not None:
        scanner.emit(QUOTED, match.group())
        return
    if _open_sequence(scanner):
        return
    character = scanner.source[scanner.index]
    if character == '"':
        scanner.emit(CLOSE_QUOTE, character)
        scanner.modes.pop()
    elif character in "\r\n":
        end = scanner.index
        while end < len(scanner.source) and scanner.source[end] in "\r\n":
            end += 1
        scanner.emit(QUOTED_NEWLINE, scanner.source[scanner.index : end])
    else:
        scanner.emit(INVALID, character)


def _heredoc(scanner: _Scanner, heredoc: _Heredoc) -> None:
    if _open_sequence(scanner):
        heredoc.line_start = False
        return
    match = _LINE.match(scanner.source, scanner.index)
    text = match.group() if match is not None else scanner.source[scanner.index]
    if heredoc.line_start and text.endswith("\n") and text.strip() == heredoc.marker:
        newline = "\r\n" if text.endswith("\r\n") else "\n"
        scanner.emit(CLOSE_HEREDOC, text[: -len(newline)])
        scanner.emit(NEWLINE, newline)
        scanner.modes.pop()
        return
    heredoc.line_start = text.endswith("\n")
    scanner.emit(LITERAL, text)


def _bare(scanner: _Scanner) -> None:
    match = _BARE.match(scanner.source, scanner.index)
    if match is not None:
        scanner.emit(LITERAL, match.group())
    elif not _open_sequence(scanner):
        scanner.emit(INVALID, scanner.source[scanner.index])


_BITWISE = {
    "&": ' Did you mean boolean AND ("&&")?',
    "|": ' Did you mean boolean OR ("||")?',
    "^": "",
    "~": ' Did you mean boolean NOT ("!")?',
}
_BACKTICK = 'The "`" character is not valid. To create a multi-line string, use the "heredoc" syntax, like "<<EOT".'
_SEMICOLON = 'The ";" character is not valid. Use newlines to separate arguments and blocks, and commas to separate items in collection values.'
_CURLY = (
    '"Curly quotes" are not valid here. These can sometimes be inadvertently introduced when sharing code via documents or '
    'discussion forums. It might help to replace the character with a "straight quote".'
)
_MULTI_LINE = (
    "Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape to represent "
    'a newline character or use the "heredoc" multi-line template syntax.'
)
# kind -> (summary, detail, how often it is told at most); quotes that are none come in pairs, told once each
_TOLD = {
    "`": ("Invalid character", _BACKTICK, 2),
    "'": ("Invalid character", 'Single quotes are not valid. Use double quotes (") to enclose strings.', 2),
    ";": ("Invalid character", _SEMICOLON, 1),
    BAD_UTF8: (
        "Invalid character encoding",
        "All input files must be UTF-8 encoded. Ensure that UTF-8 encoding is selected in your editor.",
        1,
    ),
}


def invalid_tokens(tokens: Sequence[Token]) -> list[Diagnostic]:
    """Return what is wrong with tokens by themselves."""
    found: list[Diagnostic] = []
    seen: dict[str, int] = {}
    for kind, text, place in tokens:
        if kind in _BITWISE:
            seen["bitwise"] = seen.get("bitwise", 0) + 1
            if seen["bitwise"] <= 4:
                detail = f"Bitwise operators are not supported.{_BITWISE[kind]}"
                found.append(Diagnostic("Unsupported operator", detail, place))
        elif kind in _TOLD:
            summary, detail, most = _TOLD[kind]
            times = seen[kind] = seen.get(kind, 0) + 1
            if (most == 1 and times == 1) or (most == 2 and (times == 1 or times >= 3)):
                found.append(Diagnostic(summary, detail, place))
        elif kind == QUOTED_NEWLINE:
            found.append(Diagnostic("Invalid multi-line string", _MULTI_LINE, place))
        elif kind == INVALID:
            detail = _CURLY if text in ("“", "”") else "This character is not used within the language."
            found.append(Diagnostic("Invalid character", detail, place))
    return found
