"""Patterns of names, as Go's path.Match has them."""

from __future__ import annotations

import re


class PatternError(Exception):
    """A pattern that is none."""


def has_pattern(name: str) -> bool:
    return any(each in name for each in "*?[]")


def matches(pattern: str, name: str) -> bool:
    """Return whether a name has the form of a pattern; a pattern that is none matches nothing."""
    try:
        return _compiled(pattern).fullmatch(name) is not None
    except PatternError:
        return False


def check(pattern: str) -> None:
    """Raise PatternError for what is no pattern."""
    _compiled(pattern)


def _compiled(pattern: str) -> re.Pattern[str]:
    written, place = "", 0
    while place < len(pattern):
        letter = pattern[place]
        place += 1
        if letter == "*":
            written += "" if written.endswith("[^/]*") else "[^/]*"
        elif letter == "?":
            written += "[^/]"
        elif letter == "[":
            end = pattern.find("]", place + 1)
            if end < 0:
                raise PatternError("syntax error in pattern")
            inner = pattern[place:end].replace("\\", "\\\\")
            written += f"[{inner}]" if inner.startswith("^") else f"[{inner.replace('[', chr(92) + '[')}]"
            place = end + 1
        elif letter == "\\" and place < len(pattern):
            written += re.escape(pattern[place])
            place += 1
        else:
            written += re.escape(letter)
    try:
        return re.compile(written)
    except re.error:
        raise PatternError("syntax error in pattern") from None
