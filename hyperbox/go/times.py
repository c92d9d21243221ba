"""Timestamps as the API and image configurations write them (RFC 3339), and days of the calendar."""

from __future__ import annotations

import time


def days_from_epoch(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a date of the proleptic Gregorian calendar."""
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def timestamp_seconds(text: str) -> float:
    """Return the seconds of the epoch of an RFC 3339 timestamp. Raises ValueError.

    By hand: `time.strptime` imports half of the standard library, and `ps` and `images` call this for each line.
    """
    date, _, rest = text.partition("T")
    year, month, day = date.split("-")
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        raise ValueError(text)
    clock, zone = rest, 0.0
    if rest.endswith("Z"):
        clock = rest[:-1]
    elif len(rest) > 6 and rest[-6] in "+-":
        clock = rest[:-6]
        zone = (int(rest[-5:-3]) * 3600 + int(rest[-2:]) * 60) * (-1 if rest[-6] == "-" else 1)
    hours, minutes, seconds = clock.split(":")
    day_seconds = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return days_from_epoch(int(year), int(month), int(day)) * 86400 + day_seconds - zone


def timestamp_nanoseconds(text: str) -> int:
    """Return the nanoseconds of the epoch of an RFC 3339 timestamp, which a float can't hold. Raises ValueError."""
    whole, dot, rest = text.partition(".")
    if not dot:
        return int(timestamp_seconds(text)) * 10**9
    end = next((place for place, sign in enumerate(rest) if not sign.isdigit()), len(rest))
    return int(timestamp_seconds(whole + rest[end:])) * 10**9 + int(rest[:end][:9].ljust(9, "0"))


def timestamp(nanoseconds: int) -> str:
    """Return a time of the epoch in UTC with nine digits: "2025-11-24T03:13:00.123456789Z"."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def short_timestamp(nanoseconds: int) -> str:
    """Return the same without zeros at the end of the fraction, as time.RFC3339Nano has it."""
    whole, _, digits = timestamp(nanoseconds)[:-1].partition(".")
    digits = digits.rstrip("0")
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"
