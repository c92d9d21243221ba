"""The grammar of .env and env_file: what a file sets, given what is set already.

`KEY=value`, `KEY: value`, `export KEY=value`, a lone `KEY` inherits. Single quotes are literal, double quotes take escapes and
variables, and both may span lines; an unquoted value ends at " #". Keys may hold letters, digits, `_`, `.`, `-`, `[`, `]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hyperbox.compose.interpolate import InvalidTemplate, Lookup, MissingRequired, Substitution, TooLarge
from hyperbox.compose.key_values import SPACES
from hyperbox.go.text import quote

_KEY = re.compile(r"[\w.\-\[\]\t\v\f\r \x85\xa0]*")
_SPACE = re.compile(f"[{SPACES}]+")
_BODIES = {quote: re.compile(rf"(?:[^{quote}\\]+|\\.)*", re.DOTALL) for quote in "'\""}
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_EXPORT = re.compile(r"export[\t\n\f\r ]+")
_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0[0-9]{0,3})')
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    '"': '"',
    "\\": "\\",
    "$": "$$",
}
# white space within a line
_BLANKS = "\t\v\f\r \x85\xa0"


class DotenvError(ValueError):
    """A file that does not parse; its text starts with "line N: "."""


class Layers:
    """Variables in two layers: those of `outer` hide the same names in `inner`."""

    __slots__ = ("inner", "outer")

    def __init__(self, outer: Lookup, inner: Mapping[str, str]) -> None:
        self.outer = outer
        self.inner = inner

    def get(self, name: str) -> str | None:
        """Return a variable's value, or None."""
        value = self.outer.get(name)
        return self.inner.get(name) if value is None else value


def parse(text: str, outer: Lookup, variables: dict[str, str], warn: Callable[[str], None]) -> None:
    """Add what `text` sets to `variables`. Variables in it are looked up in `outer` first, then in what was set before.

    Raises DotenvError, or an error of interpolation.
    """
    _Parser(text.removeprefix("\ufeff"), outer, variables, warn).run()


class _Parser:
    __slots__ = ("line", "outer", "position", "substitution", "text", "variables")

    def __init__(self, text: str, outer: Lookup, variables: dict[str, str], warn: Callable[[str], None]) -> None:
        self.text = text
        self.position = 0
        self.line = 1
        self.outer = outer
        self.variables = variables
        self.substitution = Substitution(Layers(outer, variables), warn)

    def run(self) -> None:
        while self.to_statement():
            key, inherited = self.key()
            if " " in key:
                raise DotenvError(f"line {self.line}: key cannot contain a space")
            if inherited:
                value = self.outer.get(key)
                if value is not None:
                    self.variables[key] = value
            else:
                self.variables[key] = self.value()

    def to_statement(self) -> bool:
        """Go to the next thing that is neither white space nor a comment; return whether there is one."""
        text = self.text
        while True:
            match = _SPACE.match(text, self.position)
            if match:
                self.line += match.group().count("\n")
                self.position = match.end()
            if text[self.position : self.position + 1] != "#":
                return self.position < len(text)
            newline = text.find("\n", self.position)
            if newline < 0:
                return False
            self.position = newline

    def key(self) -> tuple[str, bool]:
        """Read a key and its `=` or `:`; return it and whether it stood alone on its line."""
        text = self.text
        export = _EXPORT.match(text, self.position)
        start = self.position
        if export:
            start += len("export")
            while start < len(text) and text[start] in _BLANKS:
                start += 1
        name = _KEY.match(text, start)
        assert name is not None
        following = text[name.end() : name.end() + 1]
        if following and following not in "=:\n":
            line = text[start:].split("\n", 1)[0]
            if "\udc80" <= following <= "\udcff":
                following = "\ufffd"
            raise DotenvError(
                f"line {self.line}: unexpected character {quote(following)} in variable name {quote(line)}"
            )
        # without a sign or a line end behind it, what is read counts as the value of no name
        key, end = (name.group(), name.end() + 1) if following else ("", start)
        inherited = following == "\n"
        if start >= len(text):
            raise DotenvError("zero length string")
        if inherited and " " not in key:
            self.line += 1
        while end < len(text) and text[end] in _BLANKS:
            end += 1
        self.position = end
        return key.rstrip(SPACES), inherited

    def value(self) -> str:
        quote = self.text[self.position : self.position + 1]
        if quote in ("'", '"') and quote:
            return self.quoted(quote)
        end = self.text.find("\n", self.position)
        line = self.text[self.position : end if end >= 0 else len(self.text)]
        self.position += len(line) + 1
        self.line += 1
        return self.expand(line.partition(" #")[0].rstrip(SPACES))

    def quoted(self, quote: str) -> str:
        """Read a quoted value; a backslash before the quote takes it in, any other stays."""
        start = self.position
        body = _BODIES[quote].match(self.text, start + 1)
        assert body is not None
        self.line += body.group().count("\n")
        if self.text[body.end() : body.end() + 1] != quote:
            line = self.text[start:].split("\n", 1)[0]
            raise DotenvError(f"line {self.line}: unterminated quoted value {line}")
        self.position = body.end() + 1
        value = _PAIR.sub(lambda pair: quote if pair.group(1) == quote else pair.group(), body.group())
        return self.expand(_unescape(value)) if quote == '"' else value

    def expand(self, value: str) -> str:
        try:
            return self.substitution.apply(value)
        except (InvalidTemplate, MissingRequired, TooLarge) as error:
            raise DotenvError(str(error)) from None


def _unescape(value: str) -> str:
    return _ESCAPE.sub(_replace_escape, value) if "\\" in value else value


def _replace_escape(match: re.Match[str]) -> str:
    name = match.group(1)
    if name in _ESCAPES:
        return _ESCAPES[name]
    if name[0] != "0":
        return match.group()
    digits = name[1:]
    octal = len(digits) == 3 and not digits.strip("01234567") and int(digits, 8) < 256
    # what is no octal escape has lost its zero
    return chr(int(digits, 8)) if octal else f"\\{digits}"
