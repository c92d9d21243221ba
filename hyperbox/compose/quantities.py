"""Durations with days and weeks, and command lines, by the rules of the Go libraries that docker compose parses them with."""

from __future__ import annotations

from hyperbox.go.durations import UNITS
from hyperbox.go.numbers import INT_MAX

_UNITS = {**UNITS, "d": 24 * UNITS["h"], "w": 7 * 24 * UNITS["h"]}
_DIGITS = "0123456789"


def parse_duration(text: str) -> int:
    """Return nanoseconds. Units ns, us, ms, s, m, h, d and w. Raises ValueError `time: invalid duration "…"`."""
    invalid = f'time: invalid duration "{text}"'
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(invalid)
    total = 0
    while rest:
        number = _take(rest, _DIGITS + ".")
        whole, _, fraction = number.partition(".")
        if not whole and not fraction:
            raise ValueError(invalid)
        if "." in fraction:
            if not number.replace(".", "", 1).partition(".")[0]:
                raise ValueError(invalid)
            raise ValueError(f'time: missing unit in duration "{text}"')
        rest = rest[len(number) :]
        unit = ""
        while rest and rest[0] not in _DIGITS + ".":
            unit += rest[0]
            rest = rest[1:]
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        if len(whole) > 40:
            raise ValueError(invalid)
        total += int(whole or "0") * _UNITS[unit]
        if fraction:
            total += int(float(f"0.{fraction[:18]}") * _UNITS[unit])
        if total > INT_MAX:
            raise ValueError(invalid)
    return -total if text[0] == "-" else total


def _take(text: str, characters: str) -> str:
    end = 0
    while end < len(text) and text[end] in characters:
        end += 1
    return text[:end]


def split_words(line: str) -> list[str]:
    """Split a command line into words as a shell would, expanding nothing; an unquoted `;`, `&`, `|`, `<` or `>` ends it.

    Raises ValueError "invalid command line string" for open quotes.
    """
    words: list[str] = []
    word: list[str] = []
    # what is open: one of ' " ` or ( for $(
    escaped = single = double = back = dollar = False
    started = False
    for character in line:
        if escaped:
            word.append(character)
            escaped, started = False, True
        elif character == "\\":
            if single:
                word.append(character)
            else:
                escaped = True
        elif character in " \t\r\n":
            if single or double or back or dollar:
                word.append(character)
            elif started:
                words.append("".join(word))
                word, started = [], False
        elif character == '"' and not single and not dollar:
            started = started or double
            double = not double
        elif character == "'" and not double and not dollar:
            started = started or single
            single = not single
        elif character in ";&|<>" and not (single or double or back or dollar):
            if character == ">" and word and word[0] in _DIGITS:
                started = False
            break
        elif character == "(" and not (single or double or back):
            if dollar or not word or word[-1] != "$":
                raise ValueError("invalid command line string")
            dollar = True
            word.append("(")
        else:
            if character == "`" and not (single or double or dollar):
                back = not back
            elif character == ")" and not (single or double or back):
                dollar = not dollar
            word.append(character)
            started = True
    if started:
        words.append("".join(word))
    if escaped or single or double or back or dollar:
        raise ValueError("invalid command line string")
    return words
