"""Functions of regular expressions, which are Go's: what only Python knows is refused, what is written otherwise translated."""

from __future__ import annotations

import re

from hyperbox.hcl.functions import Function, FunctionError, text
from hyperbox.hcl.types import STRING, Type, object_of, tuple_of
from hyperbox.hcl.values import LimitError, Value, list_value, null, object_value, string, tuple_value

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7F",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1F\\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_PIECES = re.compile(
    r"\\Q(?P<literal>.*?)(?:\\E|\Z)|\\(?P<escape>x\{[0-9A-Fa-f]+\}|[pP]\{[^}]*\}|[pP].|.|\Z)|\[:(?P<class>\^?\w+):\]"
    r"|\(\?(?P<group>P?<(?P<name>[^>]*)>|[imsU-]+[:)]|.?.?)|(?P<set>\[\^?\]?)|(?P<other>.)",
    re.DOTALL,
)
_KNOWN_ESCAPES = "dDsSwWbBAafnrtv"
# (how Python's message begins, what Go's says)
_MESSAGES = (
    ("missing )", "missing closing )"),
    ("unterminated subpattern", "missing closing )"),
    ("unbalanced parenthesis", "unexpected )"),
    ("unterminated character set", "missing closing ]"),
    ("nothing to repeat", "missing argument to repetition operator"),
    ("multiple repeat", "invalid nested repetition operator"),
    ("bad character range", "invalid character class range"),
    ("bad escape", "invalid escape sequence"),
    ("min repeat greater", "invalid repeat count"),
    ("the repetition number is too large", "invalid repeat count"),
)
MOST_TEXT = 20_000  # of a text that is searched: Python's expressions go back over it, where Go's do not


def compile_go(pattern: str) -> re.Pattern[str]:
    """Return a pattern of Go's as Python's. Raises FunctionError with Go's words."""
    if len(pattern) > 1000:
        raise LimitError("a regular expression is too long")
    translated = _translate(pattern)
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise _invalid(pattern, str(error), getattr(error, "pos", None)) from None


def _translate(pattern: str) -> str:
    written: list[str] = []
    inside = False
    multi_line = re.search(r"\(\?[isU]*m", pattern) is not None
    for match in _PIECES.finditer(pattern):
        whole = match.group()
        if match["literal"] is not None:
            written.append(re.escape(match["literal"]))
        elif match["escape"] is not None:
            written.append(_escape(match["escape"], pattern))
        elif match["class"] is not None:
            written.append(_class(match["class"], inside, pattern, whole))
        elif inside:
            inside = whole != "]"
            written.append("\\[" if whole.startswith("[") else whole)
        elif match["group"] is not None:
            written.append(_group(match["group"], match["name"], pattern))
        elif match["set"] is not None:
            inside = True
            written.append(whole.replace("[]", "[\\]").replace("^]", "^\\]"))
        elif whole == "$":
            written.append("(?=\\n|\\Z)" if multi_line else "\\Z")
        elif whole == "+" and written and written[-1] in ("*", "+", "?", "}"):
            raise FunctionError(f"invalid regexp pattern: invalid nested repetition operator in {written[-1]}+", 0)
        else:
            written.append(whole)
    return "".join(written)


def _escape(escape: str, pattern: str) -> str:
    if escape == "z":
        return "\\Z"
    if escape.startswith("x{"):
        return re.escape(chr(min(int(escape[2:-1], 16), 0x10FFFF)))
    if escape == "" or escape[0] in "pPZ123456789gkCXRuUN" or (escape.isalpha() and escape not in _KNOWN_ESCAPES + "x"):
        if escape == "":
            raise FunctionError("invalid regexp pattern: trailing backslash at end of expression in ", 0)
        if escape[0] in "pP" and len(escape) > 1:
            raise FunctionError(f"HyperBox's regular expressions have no Unicode classes such as \\{escape}", 0)
        raise FunctionError(f"invalid regexp pattern: invalid escape sequence in \\{escape}", 0)
    return f"\\{escape}"


def _class(name: str, inside: bool, pattern: str, whole: str) -> str:
    letters = _CLASSES.get(name.removeprefix("^"))
    if letters is None or not inside:
        if not inside:
            return "[" + re.escape(whole[1:-1]) + "]"
        raise FunctionError(f"invalid regexp pattern: invalid character class range in {whole}", 0)
    if name.startswith("^"):
        raise FunctionError(f"HyperBox's regular expressions have no {whole}: write the class without the caret", 0)
    return letters


def _group(group: str, name: str | None, pattern: str) -> str:
    if name is not None:
        if not re.fullmatch(r"\w+", name, re.ASCII) or name[0].isdigit():
            raise FunctionError(f"invalid regexp pattern: invalid named capture in (?{group}", 0)
        return f"(?P<{name}>"
    if group.startswith(":"):
        return "(?" + group
    if group.endswith((":", ")")) and group[0] in "imsU-":
        if "U" in group:
            raise FunctionError("HyperBox's regular expressions have no flag U", 0)
        return f"(?{group}"
    raise FunctionError(f"invalid regexp pattern: invalid or unsupported Perl syntax in (?{group[:1]}", 0)


def _invalid(pattern: str, reason: str, place: int | None) -> FunctionError:
    for begin, go in _MESSAGES:
        if reason.startswith(begin):
            where = pattern
            if go.startswith(("missing argument", "invalid nested")) and place is not None:
                where = pattern[place : place + 1]
            elif go == "missing closing ]" and place is not None:
                where = pattern[place:]
            return FunctionError(f"invalid regexp pattern: {go} in {where}", 0)
    return FunctionError(f"invalid regexp pattern: {reason} in {pattern}", 0)


def _result_type(found: re.Pattern[str]) -> Type:
    """Return the type of a match: the text, a tuple of its groups, an object of its named groups."""
    names = list(found.groupindex)
    if not found.groups:
        return STRING
    if names and len(names) < found.groups:
        raise FunctionError("invalid regexp pattern: cannot mix both named and unnamed capture groups", 0)
    if names:
        return object_of(dict.fromkeys(names, STRING))
    return tuple_of([STRING] * found.groups)


def _result(match: re.Match[str], type: Type) -> Value:
    if type == STRING:
        return string(match.group())
    if type.kind == "object":
        return object_value({name: _group_value(group) for name, group in match.groupdict().items()})
    return tuple_value([_group_value(group) for group in match.groups()])


def _group_value(group: str | None) -> Value:
    return null(STRING) if group is None else string(group)


def _searched(value: Value) -> str:
    if len(value.text) > MOST_TEXT:
        raise LimitError("a text that is searched by a regular expression is too long")
    return value.text


def _regex(pattern: Value, value: Value) -> Value:
    found = compile_go(pattern.text)
    type = _result_type(found)
    match = found.search(_searched(value))
    if match is None:
        raise FunctionError("pattern did not match any part of the given string")
    return _result(match, type)


def _regex_all(pattern: Value, value: Value) -> Value:
    found = compile_go(pattern.text)
    type = _result_type(found)
    return list_value([_result(match, type) for match in found.finditer(_searched(value))], type)


def _regex_replace(value: Value, pattern: Value, new: Value) -> Value:
    try:
        found = compile_go(pattern.text)
    except FunctionError as error:
        reason = str(error).removeprefix("invalid regexp pattern: ")
        code, _, where = reason.rpartition(" in ")
        raise FunctionError(f"error parsing regexp: {code}: `{where}`" if code else reason) from None
    return string(found.sub(lambda match: _expanded(match, new.text), _searched(value)))


_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def _expanded(match: re.Match[str], form: str) -> str:
    """Return a replacement with the groups to which it refers in place."""

    def group(reference: re.Match[str]) -> str:
        dollar, braced, bare = reference.groups()
        if dollar:
            return "$"
        name = braced or bare
        try:
            return match.group(int(name) if name.isdecimal() else name) or ""
        except (IndexError, re.error):
            return ""

    return _REFERENCE.sub(group, form)


_PATTERN = (text("pattern"), text("string"))
FUNCTIONS: dict[str, Function] = {
    "regex": Function(_regex, _PATTERN),
    "regex_replace": Function(_regex_replace, (text("str"), text("pattern"), text("replace"))),
    "regexall": Function(_regex_all, _PATTERN),
}
