"""Moments: the API's timestamps, and what a user may give for --since, --until and the filter `until`."""

from __future__ import annotations

import time

FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def days_from_epoch(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a date of the proleptic Gregorian calendar."""
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def timestamp_seconds(text: str) -> float:
    """Return the seconds of the epoch of an RFC 3339 timestamp. Raises ValueError.

    By hand: `time.strptime` imports half of the standard library, and `ps` calls this for each container.
    """
    date, _, rest = text.partition("T")
    year, month, day = date.split("-")
    clock, zone = rest, 0.0
    if rest.endswith("Z"):
        clock = rest[:-1]
    elif len(rest) > 6 and rest[-6] in "+-":
        clock = rest[:-6]
        zone = (int(rest[-5:-3]) * 3600 + int(rest[-2:]) * 60) * (-1 if rest[-6] == "-" else 1)
    hours, minutes, seconds = clock.split(":")
    day_seconds = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return days_from_epoch(int(year), int(month), int(day)) * 86400 + day_seconds - zone


def to_moment(text: str, present: float) -> float:
    """Return what a user means by `text`: a timestamp, seconds of the epoch, or a Go duration before `present`; in seconds of the epoch.

    Raises ValueError 'failed to parse value as time or duration: "TEXT"'.
    """
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else present - duration_seconds(text)
    except ValueError:
        pass
    try:
        return timestamp_seconds(text)
    except ValueError:
        pass
    for form in FORMATS:
        try:
            return time.mktime(time.strptime(text, form))
        except ValueError:
            continue
    raise ValueError(f'failed to parse value as time or duration: "{text}"')


def duration_seconds(text: str) -> float:
    """Return a Go duration ("1h30m") in seconds. Raises ValueError."""
    rest, sign = (text[1:], -1) if text.startswith("-") else (text, 1)
    if not rest:
        raise ValueError(text)
    total = 0.0
    while rest:
        end = 0
        while end < len(rest) and (rest[end].isdigit() or rest[end] == "."):
            end += 1
        number, rest = rest[:end], rest[end:]
        end = 0
        while end < len(rest) and not (rest[end].isdigit() or rest[end] == "."):
            end += 1
        unit, rest = rest[:end], rest[end:]
        if unit not in UNITS:
            raise ValueError(text)
        total += float(number) * UNITS[unit]
    return sign * total
