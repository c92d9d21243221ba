"""Patterns as Go's path.Match reads them: `*` and `?` stop at "/", classes are [a-z] and [^a-z], a backslash takes the next letter as it is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression of whole names. Raises ValueError "syntax error in pattern"."""
    import re

    parts, rest = [], pattern
    while rest:
        letter, rest = rest[0], rest[1:]
        if letter == "*":
            parts.append("[^/]*")
        elif letter == "?":
            parts.append("[^/]")
        elif letter == "[":
            part, rest = _class(rest)
            parts.append(part)
        elif letter == "\\":
            if not rest:
                raise ValueError("syntax error in pattern")
            parts.append(re.escape(rest[0]))
            rest = rest[1:]
        else:
            parts.append(re.escape(letter))
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


def _class(rest: str) -> tuple[str, str]:
    """Return the expression for a class, of which `rest` begins after the bracket, and what follows it. Raises ValueError."""
    import re

    negated = rest.startswith("^")
    rest = rest[negated:]
    found: list[str] = []
    while not (rest.startswith("]") and found):
        low, rest = _letter(rest)
        high = low
        if rest.startswith("-"):
            high, rest = _letter(rest[1:])
        if low <= high:  # Go takes an empty range, and nothing is in it
            found.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            found.append("")
    inner = "".join(found)
    if not inner:
        return (r"[\s\S]" if negated else "(?!)"), rest[1:]
    return f"[{'^' if negated else ''}{inner}]", rest[1:]


def _letter(rest: str) -> tuple[str, str]:
    if not rest or rest[0] in "-]":
        raise ValueError("syntax error in pattern")
    if rest[0] == "\\":
        rest = rest[1:]
        if not rest:
            raise ValueError("syntax error in pattern")
    if len(rest) < 2:
        raise ValueError("syntax error in pattern")
    return rest[0], rest[1:]
