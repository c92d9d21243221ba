"""JSON as Go's encoding/json writes it: `<`, `>`, `&` and U+2028/9 escaped, floats in its own form."""

from __future__ import annotations

import re

from hyperbox.compose import go
from hyperbox.compose.kinds import Single

_SPECIAL = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\x7f\udc80-\udcff]')
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\x7f": "\x7f"}


def to_json(value: object, indent: str = "") -> str:
    """Return `value` as compact JSON, or with `indent` for each level. Mappings keep their order."""
    out: list[str] = []
    _write(value, out, indent, "\n" if indent else "")
    return "".join(out)


def _write(value: object, out: list[str], indent: str, newline: str) -> None:
    if isinstance(value, str):
        out.append(_string(value))
    elif value is None:
        out.append("null")
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, int):
        out.append(str(value))
    elif isinstance(value, float):
        out.append(go.format_json_float(value, 32 if isinstance(value, Single) else 64))
    elif isinstance(value, go.Timestamp):
        out.append(_string(value.text))
    elif isinstance(value, dict):
        _write_items(
            [(_string(key) + (": " if indent else ":"), item) for key, item in value.items()],
            "{}",
            out,
            indent,
            newline,
        )
    elif isinstance(value, list):
        _write_items([("", item) for item in value], "[]", out, indent, newline)
    else:
        raise TypeError(f"{type(value).__name__} has no JSON form")


def _write_items(items: list[tuple[str, object]], brackets: str, out: list[str], indent: str, newline: str) -> None:
    out.append(brackets[0])
    inner = newline + indent
    separator = ""
    for prefix, item in items:
        out.append(separator + inner + prefix)
        _write(item, out, indent, inner)
        separator = ","
    out.append(newline + brackets[1] if items else brackets[1])


def _string(text: str) -> str:
    return '"' + _SPECIAL.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if "\udc80" <= character <= "\udcff":
        return "\\ufffd"
    return _SHORT.get(character) or f"\\u{ord(character):04x}"
