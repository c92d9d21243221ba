"""Moments: the API's timestamps, and what a user may give for --since, --until and the filter `until`."""

from __future__ import annotations

import math
import time

from hyperbox.go.durations import parse_duration
from hyperbox.go.times import days_from_epoch


def to_moment(text: str, present: float) -> float:
    """Return what a user means by `text`: a timestamp, seconds of the epoch, or a Go duration before `present`; in seconds of the epoch.

    A duration leads to a whole second, as in docker's client.
    A timestamp without a zone is of this machine's. Raises ValueError in docker's words: 'failed to parse value as time or duration: "TEXT"',
    or, where it has a dash, what Go's time.Parse says.
    """
    if text != "0":
        try:
            return float(math.floor(present - parse_duration(text) / 1e9))
        except ValueError:
            pass
    local = not any(sign in text for sign in "zZ+") and text.count("-") != 3
    zone = "" if local else "Z07:00"
    if "." in text:
        layout = "2006-01-02T15:04:05.999999999" + zone
    elif "T" in text:
        colons = text.count(":") - (not local and "z" not in text.lower() and ":" in text)
        layout = "2006-01-02T15" + ("", ":04")[min(colons, 1)] + (":05" if colons > 1 else "") + zone
    else:
        layout = "2006-01-02" + zone
    try:
        return go_time(text, layout)
    except ValueError:
        if "-" in text:
            raise
    if not all(part.isascii() and part.isdigit() for part in text.split(".", 1)):
        raise ValueError(f'failed to parse value as time or duration: "{text}"')
    return float(text)


# elements of Go's layouts: (as it stands there, digits, least, most, word)
ELEMENTS = (
    ("2006", 4, 0, 9999, "year"),
    ("01", 2, 1, 12, "month"),
    ("02", 2, 0, 99, "day"),
    ("15", 2, 0, 23, "hour"),
    ("04", 2, 0, 59, "minute"),
    ("05", 2, 0, 59, "second"),
)


def go_time(text: str, layout: str) -> float:
    """Return a timestamp in a layout of Go's time.Parse (digits, "Z07:00", a fraction) as seconds of the epoch; local time without a zone.

    Raises ValueError with the words of Go's ParseError.
    """
    rest, left, found, fraction = text, layout, dict[str, int](), 0.0

    def refuse(held: str, element: str) -> ValueError:
        return ValueError(f'parsing time "{text}" as "{layout}": cannot parse "{held}" as "{element}"')

    while left and left != "Z07:00":
        if left == ".999999999" or left.startswith(".999999999Z"):
            left = left[10:]
            continue
        for element, length, least, most, word in ELEMENTS:
            if left.startswith(element):
                digits = rest[:length]
                if word == "hour" and not rest[1:2].isdigit():
                    digits = rest[:1]  # it alone may do without its zero
                elif len(digits) < length:
                    raise refuse(rest, element)
                if not (digits.isascii() and digits.isdigit()):
                    raise refuse(rest, element)
                if not least <= int(digits) <= most:
                    raise ValueError(f'parsing time "{text}": {word} out of range')
                found[word], rest, left = int(digits), rest[len(digits) :], left[length:]
                if word == "second":
                    fraction, rest = _fraction(rest)
                break
        else:
            if rest[:1] != left[0]:
                raise refuse(rest, left[0])
            rest, left = rest[1:], left[1:]
    offset: int | None = None
    if left:
        try:
            offset, rest = _zone(rest)
        except ValueError:
            raise refuse(rest, left) from None
        if abs(offset) >= 25 * 3600:
            raise ValueError(f'parsing time "{text}": time zone offset hour out of range')
    if rest:
        raise ValueError(f'parsing time "{text}": extra text: "{rest}"')
    return _seconds(text, found, offset) + fraction


def _fraction(rest: str) -> tuple[float, str]:
    """Return the fraction of a second that a text begins with, and the rest of the text."""
    if len(rest) < 2 or rest[0] not in ".," or not rest[1].isdigit():
        return 0.0, rest
    end = 1
    while end < len(rest) and rest[end].isascii() and rest[end].isdigit():
        end += 1
    return float(f"0.{rest[1:end]}"), rest[end:]


def _zone(rest: str) -> tuple[int, str]:
    """Return the offset in seconds of a zone ("Z", "+01:00") that a text begins with, and the rest of the text. Raises ValueError."""
    if rest[:1] == "Z":
        return 0, rest[1:]
    digits = rest[1:3] + rest[4:6]
    if (
        rest[:1] not in ("+", "-")
        or rest[3:4] != ":"
        or len(digits) != 4
        or not (digits.isascii() and digits.isdigit())
    ):
        raise ValueError(rest)
    return (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if rest[0] == "-" else 1), rest[6:]


def _seconds(text: str, found: dict[str, int], offset: int | None) -> float:
    """Return the seconds of the epoch of a time's parts. Raises ValueError for a day that the month has not."""
    year, month, day = found["year"], found["month"], found["day"]
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= (29 if leap and month == 2 else 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31):
        raise ValueError(f'parsing time "{text}": day out of range')
    clock = (found.get("hour", 0), found.get("minute", 0), found.get("second", 0))
    if offset is not None:
        return float(days_from_epoch(year, month, day) * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2] - offset)
    try:
        return time.mktime((year, month, day, *clock, 0, 0, -1))
    except OverflowError:
        raise ValueError(f'parsing time "{text}": year out of range') from None
