"""What a plain YAML scalar means, by the rules of Go's yaml.v3: YAML 1.2 with 1.1's octals, underscores and timestamps.

No yes/no/on/off, no sexagesimal numbers; integers beyond 64 bits are floats.
"""

from __future__ import annotations

import re

from hyperbox.compose.go import Timestamp

_WORDS: dict[str, object] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
    ".inf": float("inf"), ".Inf": float("inf"), ".INF": float("inf"),
    "+.inf": float("inf"), "+.Inf": float("inf"), "+.INF": float("inf"),
    "-.inf": float("-inf"), "-.Inf": float("-inf"), "-.INF": float("-inf"),
}  # fmt: skip
_FIRST = frozenset("+-0123456789.tTfFnN~")

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
# strconv.ParseInt with base 0, and yaml.v3's own spellings of signs
_BASED = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[oO]([0-7]+)|[bB]([01]+)|([0-7]+))\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_POINT_FLOAT = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?\Z")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:([Tt ])([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})?)?\Z"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def resolve(text: str) -> object:
    """Return the value of a plain scalar: None, bool, int, float, Timestamp, or the text itself."""
    if text[:1] not in _FIRST and text:
        return text
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return float(text) if _POINT_FLOAT.match(text) else text
    if first not in "+-0123456789":
        return text
    if text[4:5] == "-" and text[:4].isdigit():
        moment = parse_timestamp(text)
        if moment:
            return moment
    return _number(text.replace("_", ""), text)


def _number(plain: str, text: str) -> object:
    based = None if _DECIMAL.match(plain) else _BASED.match(plain)
    value: int | None = None
    if based:
        sign, hexadecimal, octal, binary, old = based.groups()
        digits, base = (
            (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (binary, 2) if binary else (old, 8)
        )
        value = int(digits, base) * (-1 if sign == "-" else 1)
    elif _DECIMAL.match(plain):
        value = int(plain) if len(plain) < 40 else None
    if value is not None and -(2**63) <= value < 2**64 and (value < 2**63 or plain[0] not in "+-"):
        return value
    if _FLOAT.match(plain):
        number = float(plain)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def parse_timestamp(text: str) -> Timestamp | None:
    """Return the moment that `text` names, in one of yaml.v3's four forms, or None."""
    match = _MOMENT.match(text)
    if not match:
        return None
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    leap = month == 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + leap:
        return None
    date = f"{year:04d}-{month:02d}-{day:02d}"
    if not match[4]:
        return Timestamp(f"{date}T00:00:00Z", f"{date} 00:00:00 +0000 UTC")
    zone = match[9] or ""
    if (match[4] == " ") == bool(zone) or int(match[5]) > 23 or int(match[6]) > 59 or int(match[7]) > 59:
        return None
    fraction = (match[8] or "")[:9].rstrip("0")
    clock = f"{int(match[5]):02d}:{int(match[6]):02d}:{int(match[7]):02d}" + (f".{fraction}" if fraction else "")
    if zone in ("", "Z"):
        return Timestamp(f"{date}T{clock}Z", f"{date} {clock} +0000 UTC")
    offset = zone.replace(":", "")
    shown = "Z" if offset[1:] == "0000" else zone
    return Timestamp(f"{date}T{clock}{shown}", f"{date} {clock} {offset} {'UTC' if shown == 'Z' else offset}")
