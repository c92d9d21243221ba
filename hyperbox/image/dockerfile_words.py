"""Words of a Dockerfile: quotes, escapes and `${variable}` expressions, expanded and split.

Follows "Environment replacement" of the Dockerfile reference, with the pattern forms of its syntax 1.7: `${v#p}`, `${v##p}`, `${v%p}`,
`${v%%p}`, `${v/p/r}`, `${v//p/r}`. Of build, and of the instructions that `commit --change` and `import --change` take.
"""

from __future__ import annotations

import re

from hyperbox.errors import HyperBoxError
from hyperbox.files import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEPTH = 64
END = "\ufffd"  # how the end of the text is named where a character was wanted


class WordError(HyperBoxError):
    """A word can't be expanded."""


class Expansion:
    """One pass over one text. `used` collects the names that were looked up, `unset` those that had no value."""

    __slots__ = ("escape", "index", "text", "unset", "used", "variables")

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str],
        escape: str,
        used: set[str] | None = None,
        unset: set[str] | None = None,
    ) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.index = 0
        self.used = set() if used is None else used
        self.unset = set() if unset is None else unset

    def peek(self) -> str:
        """Return the next character, "" at the end."""
        return self.text[self.index] if self.index < len(self.text) else ""

    def take(self) -> str:
        """Return the same and go on behind it."""
        character = self.peek()
        self.index += 1
        return character


def expand(
    text: str,
    variables: Mapping[str, str],
    *,
    escape: str = "\\",
    used: set[str] | None = None,
    unset: set[str] | None = None,
) -> str:
    """Return `text` as one word with quotes removed and variables replaced. Raises WordError."""
    state = Expansion(text, variables, escape, used, unset)
    words = _read(state, "", 0, split=False)
    return words[0] if words else ""


def expand_to_words(
    text: str,
    variables: Mapping[str, str],
    *,
    escape: str = "\\",
    used: set[str] | None = None,
    unset: set[str] | None = None,
) -> list[str]:
    """Return the words of `text`, split at white space outside of quotes, expanded. Raises WordError."""
    state = Expansion(text, variables, escape, used, unset)
    return _read(state, "", 0, split=True)


def expand_text(
    text: str,
    variables: Mapping[str, str],
    *,
    escape: str = "\\",
    used: set[str] | None = None,
    unset: set[str] | None = None,
) -> str:
    """Replace the variables of a here-document; quotes stay as they are."""
    state = Expansion(text, variables, escape, used, unset)
    out: list[str] = []
    while state.index < len(text):
        character = state.take()
        if character == escape and state.peek() in ("$", escape):
            out.append(state.take())
        elif character == "$":
            out.append(_dollar(state, 0))
        else:
            out.append(character)
    return "".join(out)


def expand_for_display(text: str, variables: Mapping[str, str], *, escape: str = "\\", quotes: bool = True) -> str:
    """Replace the variables that have values, as BuildKit names its steps: unset variables stay as they are written, and quotes where wanted."""
    state = Expansion(text, variables, escape)
    out: list[str] = []
    double = False
    while state.index < len(text):
        start = state.index
        character = state.take()
        if character == "'" and not double:
            inner = _single_quoted(state)
            out.append(text[start : state.index] if quotes else inner)
        elif character == '"':
            double = not double
            out.append(character if quotes else "")
        elif character == "$":
            state.unset.clear()
            value = _dollar(state, 0)
            out.append(value if value or not state.unset else text[start : state.index])
        elif character == escape and state.index < len(text):
            out.append(state.take() if not double or state.peek() in ('"', "$", escape) else character)
        else:
            out.append(character)
    return "".join(out)


def json_words(text: str) -> tuple[str, ...] | None:
    """Return the words of a JSON list of strings, or None where `text` is not one."""
    if not text.startswith("["):
        return None
    try:
        value = loads(text)
    except ValueError:
        return None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        return None
    return tuple(word for word in value if isinstance(word, str))


def split_words(text: str, escape: str = "\\") -> tuple[str, ...]:
    """Split at white space outside of quotes; quotes and escapes stay in the words."""
    words, current, quote, index = [], "", "", 0
    while index < len(text):
        character = text[index]
        index += 1
        if character == escape and quote != "'" and index < len(text):
            current += character + text[index]
            index += 1
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in " \t\n":
            if current:
                words.append(current)
            current = ""
            continue
        current += character
    return (*words, current) if current else tuple(words)


def _read(state: Expansion, stop: str, depth: int, *, split: bool, raw: bool = False) -> list[str]:
    """Read words up to one of the characters of `stop` (not consumed) or the end; `raw` keeps escapes, for patterns."""
    if depth > DEPTH:
        raise WordError("variable expression is nested too deeply")
    words: list[str] = []
    current: list[str] = []
    started = False
    while state.index < len(state.text):
        character = state.peek()
        if stop and character in stop:
            break
        state.index += 1
        if character == "'":
            current.append(_single_quoted(state))
            started = True
        elif character == '"':
            current.append(_double_quoted(state, depth))
            started = True
        elif character == "$":
            current.append(_dollar(state, depth))
            started = started or bool(current[-1])
        elif character == state.escape:
            if state.index < len(state.text):
                current.append((character if raw else "") + state.take())
                started = True
        elif split and character in " \t\n":
            if started:
                words.append("".join(current))
            current, started = [], False
        else:
            current.append(character)
            started = True
    if started or (not split and current):
        words.append("".join(current))
    return words


def _single_quoted(state: Expansion) -> str:
    end = state.text.find("'", state.index)
    if end < 0:
        raise WordError("unexpected end of statement while looking for matching single-quote")
    text = state.text[state.index : end]
    state.index = end + 1
    return text


def _double_quoted(state: Expansion, depth: int) -> str:
    out: list[str] = []
    while True:
        character = state.take()
        if character == "":
            raise WordError("unexpected end of statement while looking for matching double-quote")
        if character == '"':
            return "".join(out)
        if character == "$":
            out.append(_dollar(state, depth))
        elif character == state.escape:
            following = state.peek()
            if following in ('"', "$", state.escape):
                out.append(state.take())
            else:
                out.append(character)
        else:
            out.append(character)


def _name(state: Expansion) -> str:
    match = re.compile(r"[^\W\d]\w*|\d+|[@*#?$!-]").match(state.text, state.index)
    if match is None:
        return ""
    state.index = match.end()
    return match[0]


def _value(state: Expansion, name: str) -> str | None:
    state.used.add(name)
    value = state.variables.get(name)
    if value is None:
        state.unset.add(name)
    return value


def _dollar(state: Expansion, depth: int) -> str:
    if state.peek() != "{":
        name = _name(state)
        return "$" if not name else _value(state, name) or ""
    state.index += 1
    if state.peek() in ("", ":", "}"):
        raise WordError("syntax error: bad substitution" if state.peek() else "syntax error: missing '}'")
    name = _name(state)
    operator = state.take()
    if operator == "}":
        return _value(state, name) or ""
    if not name:
        raise WordError("syntax error: bad substitution")
    if operator and operator in "#%/":
        return _pattern(state, name, operator, depth)
    colon = operator == ":"
    if colon:
        operator = state.take()
    if operator not in ("-", "+", "?"):
        raise WordError(f"unsupported modifier ({':' if colon else ''}{operator or END}) in substitution")
    words = _read(state, "}", depth + 1, split=False)
    _closing(state)
    return _choose(state, name, operator, words[0] if words else "", colon)


def _choose(state: Expansion, name: str, operator: str, word: str, colon: bool) -> str:
    value = _value(state, name)
    is_set = value is not None and not (colon and value == "")
    if operator == "+":
        return word if is_set else ""
    if is_set:
        return value or ""
    if operator == "?":
        reason = word or "is not allowed to be unset"
        raise WordError(f"{name}: {reason}")
    return word


def _closing(state: Expansion) -> None:
    if state.take() != "}":
        raise WordError("syntax error: missing '}'")


def _pattern(state: Expansion, name: str, operator: str, depth: int) -> str:
    longest = state.peek() == operator
    if longest:
        state.index += 1
    stop = "/}" if operator == "/" else "}"
    pattern = "".join(_read(state, stop, depth + 1, split=False, raw=True))
    replacement = ""
    if operator == "/":
        if state.peek() != "/":
            raise WordError("syntax error: missing '/' in ${}")
        state.index += 1
        replacement = "".join(_read(state, "}", depth + 1, split=False))
    _closing(state)
    value = _value(state, name) or ""
    greedy = glob_to_regex(pattern, greedy=True)
    if operator == "/":
        return re.sub(greedy, lambda _: replacement, value, count=0 if longest else 1)
    if operator == "#":
        match = re.match(greedy if longest else glob_to_regex(pattern, greedy=False), value, re.DOTALL)
        return value[match.end() :] if match else value
    starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
    for start in starts:
        if re.fullmatch(greedy, value[start:], re.DOTALL):
            return value[:start]
    return value


def glob_to_regex(pattern: str, *, greedy: bool) -> str:
    """Return the regular expression for a pattern with `*`, `?` and escaped characters. Raises WordError for other escapes."""
    out: list[str] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        if character == "*":
            out.append(".*" if greedy else ".*?")
        elif character == "?":
            out.append(".")
        elif character == "\\" and index + 1 < len(pattern):
            index += 1
            if pattern[index] not in "*?\\/":
                escape = f"\\{pattern[index]}"
                raise WordError(f"invalid pattern ({pattern}) in substitution: invalid escape '{escape}'")
            out.append(re.escape(pattern[index]))
        else:
            out.append(re.escape(character))
        index += 1
    return "".join(out)
