"""Moments: the API's timestamps, and what a user may give for --since, --until and the filter `until`."""

from __future__ import annotations

import time

from hyperbox.image.timestamps import timestamp_seconds

FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


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
