"""Lengths of time: time.ParseDuration and time.Duration.String."""

from __future__ import annotations

from hyperbox.go.numbers import INT_MAX

# nanoseconds
UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DIGITS = "0123456789"
_LIMIT = 1 << 63


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a duration ("1h30m", "-1.5s", "0"), a fraction of one cut off. Raises ValueError with Go's words."""
    invalid = f"time: invalid duration {_quote(text)}"
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(invalid)
    total = 0
    while rest:
        whole, rest = _taken(rest, _DIGITS)
        fraction = ""
        if rest[:1] == ".":
            fraction, rest = _taken(rest[1:], _DIGITS)
        if not whole and not fraction:
            raise ValueError(invalid)
        unit = rest[: next((place for place, letter in enumerate(rest) if letter in "." + _DIGITS), len(rest))]
        rest = rest[len(unit) :]
        number = _bounded(whole)
        if number is None:
            raise ValueError(invalid)
        if not unit:
            raise ValueError(f"time: missing unit in duration {_quote(text)}")
        if unit not in UNITS:
            raise ValueError(f"time: unknown unit {_quote(unit)} in duration {_quote(text)}")
        total += number * UNITS[unit] + _part(fraction, UNITS[unit])
        if total > _LIMIT:
            raise ValueError(invalid)
    if text[0] == "-":
        return -total
    if total > INT_MAX:
        raise ValueError(invalid)
    return total


def _taken(text: str, letters: str) -> tuple[str, str]:
    end = 0
    while end < len(text) and text[end] in letters:
        end += 1
    return text[:end], text[end:]


def _bounded(digits: str) -> int | None:
    """Return a number of at most 63 bits and one, else None."""
    digits = digits.lstrip("0")
    number = int(digits or 0) if len(digits) < 20 else _LIMIT + 1
    return number if number <= _LIMIT else None


def _part(fraction: str, unit: int) -> int:
    """Return a fraction of a unit, reckoned in floating point as Go does; digits beyond 63 bits don't count."""
    digits = fraction[:18]
    return int(float(int(digits)) * (float(unit) / 10.0 ** len(digits))) if digits else 0


def _quote(text: str) -> str:
    """Return a text as package time quotes it: what is not ASCII byte by byte."""
    shown = ""
    for byte in text.encode("utf-8", "surrogateescape"):
        if byte >= 0x80 or byte < 0x20:
            shown += f"\\x{byte:02x}"
        else:
            shown += f"\\{byte:c}" if byte in b'"\\' else f"{byte:c}"
    return f'"{shown}"'


def format_duration(nanoseconds: int) -> str:
    """Return a duration as it prints itself: "1m30s", "1.5s", "0s"."""
    sign = "-" if nanoseconds < 0 else ""
    rest = abs(nanoseconds)
    if rest == 0:
        return "0s"
    if rest < 10**9:
        for unit in ("ms", "µs", "ns"):
            if rest >= UNITS[unit]:
                return f"{sign}{_decimal(rest, UNITS[unit])}{unit}"
    hours, rest = divmod(rest, UNITS["h"])
    minutes, rest = divmod(rest, UNITS["m"])
    seconds = f"{_decimal(rest, 10**9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
