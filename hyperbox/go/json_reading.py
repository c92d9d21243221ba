"""JSON as Go's decoder takes it, for the words that it has for what is none: see encoding/json."""

from __future__ import annotations

import re

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STARTED = re.compile(r"-?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_LONE = re.compile(r"(?i)(?:(\\ud[89ab]..\\ud[c-f]..)|\\ud[89a-f]..)")
_DEPTH = 10_000


class _Wrong(Exception):
    """The text is no JSON, and Go's words for it."""


def first_value(text: str) -> tuple[str, str]:
    """Return the first JSON value of a text as Go reads it (halves of surrogate pairs replaced), and what is wrong with it, or ""."""
    try:
        start = _space(text, 0)
        end = _value(text, start, 0)
    except _Wrong as error:
        return "", str(error)
    return _LONE.sub(lambda found: found.group(1) or "\\ufffd", text[start:end]), ""


def _space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


def _refuse(text: str, place: int, where: str) -> _Wrong:
    if place >= len(text):
        return _Wrong("unexpected EOF")
    letter = text[place]
    shown = {"'": "\\'", "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter, letter)
    if not shown.isprintable():
        shown = f"\\x{ord(letter):02x}" if ord(letter) < 128 else f"\\u{ord(letter):04x}"
    return _Wrong(f"invalid character '{shown}' {where}")


def _value(text: str, place: int, depth: int) -> int:
    """Return where the value that begins at `place` ends. Raises _Wrong."""
    letter = text[place : place + 1]
    if depth > _DEPTH:
        raise _Wrong("exceeded max depth")
    if letter == "{":
        return _members(text, place, depth, "}")
    if letter == "[":
        return _members(text, place, depth, "]")
    if letter == '"':
        return _string(text, place)
    if letter and letter in "-0123456789":
        return _number(text, place)
    for word in ("true", "false", "null"):
        if letter and word[0] == letter:
            for offset, expected in enumerate(word):
                if text[place + offset : place + offset + 1] != expected:
                    raise _refuse(text, place + offset, f"in literal {word} (expecting {expected!r})")
            return place + len(word)
    raise _refuse(text, place, "looking for beginning of value")


def _members(text: str, place: int, depth: int, closing: str) -> int:
    """Return where an object or an array ends."""
    place = _space(text, place + 1)
    if text[place : place + 1] == closing:
        return place + 1
    while True:
        if closing == "}":
            if text[place : place + 1] != '"':
                raise _refuse(text, place, "looking for beginning of object key string")
            place = _space(text, _string(text, place))
            if text[place : place + 1] != ":":
                raise _refuse(text, place, "after object key")
            place = _space(text, place + 1)
        place = _space(text, _value(text, place, depth + 1))
        letter = text[place : place + 1]
        if letter == closing:
            return place + 1
        if letter != ",":
            raise _refuse(text, place, "after object key:value pair" if closing == "}" else "after array element")
        place = _space(text, place + 1)


def _string(text: str, place: int) -> int:
    place += 1
    while (letter := text[place : place + 1]) != '"':
        if letter == "\\":
            found = _ESCAPE.match(text, place)
            if found is None:
                if place + 1 >= len(text):
                    raise _Wrong("unexpected EOF")
                raise _Wrong(f"invalid escape sequence `{text[place : place + 2]}` in string")
            place = found.end()
        elif not letter or letter < " ":
            raise _refuse(text, place, "in string")
        else:
            place += 1
    return place + 1


def _number(text: str, place: int) -> int:
    found, started = _NUMBER.match(text, place), _STARTED.match(text, place)
    assert started is not None
    if found is None or (started.end() > found.end()):
        raise _refuse(text, started.end(), "in numeric literal")
    return found.end()
