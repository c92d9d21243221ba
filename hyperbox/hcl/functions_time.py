"""Functions of times."""

from __future__ import annotations

import datetime
import re
import time

from hyperbox.go.durations import parse_duration
from hyperbox.go.text import quote
from hyperbox.hcl.functions import Function, FunctionError, text
from hyperbox.hcl.values import Value, string

_INVALID = "not a valid RFC3339 timestamp"
# (pattern, how Go's layout calls it, what HCL calls that)
_SEGMENTS = (
    (r"\d{4}", "year", ""),
    (r"-", "", "-"),
    (r"(0[1-9]|1[0-2])", "month", ""),
    (r"-", "", "-"),
    (r"\d\d", "day of month", ""),
    (r"T", "", "T"),
    (r"([01]\d|2[0-3])", "hour", ""),
    (r":", "", ":"),
    (r"[0-5]\d", "minute", ""),
    (r":", "", ":"),
    (r"[0-5]\d(?:[.,]\d+)?", "second", ""),
    (r"(?:Z|[+-](?:[01]\d|2[0-4]):[0-5]\d)", "UTC offset", ""),
)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def parse_timestamp(written: str) -> datetime.datetime:
    """Return a time in the form of RFC 3339. Raises FunctionError."""
    place = 0
    values = []
    for pattern, name, mark in _SEGMENTS:
        match = re.compile(pattern, re.ASCII).match(written, place)
        if match is None:
            raise FunctionError(_wrong_segment(written, place, name, mark))
        values.append(match.group())
        place = match.end()
    if place < len(written):
        raise FunctionError(f"{_INVALID}: extra text: {quote(written[place:])}")
    zone = values[11].replace("Z", "+00:00")
    second, _, fraction = values[10].replace(",", ".").partition(".")
    try:
        offset = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
        return datetime.datetime(
            int(values[0]),
            int(values[2]),
            int(values[4]),
            int(values[6]),
            int(values[8]),
            int(second),
            int((fraction + "000000")[:6]),
            datetime.timezone(offset),
        )
    except (ValueError, OverflowError):
        raise FunctionError(f"{_INVALID}: day out of range") from None


def _wrong_segment(written: str, place: int, name: str, mark: str) -> str:
    rest = written[place:]
    if mark == "T":
        return f"{_INVALID}: missing required time introducer 'T'"
    if mark:
        if not rest:
            return f"{_INVALID}: end of string where {quote(mark)} is expected"
        return f"{_INVALID}: found {quote(rest)} where {quote(mark)} is expected"
    if not rest:
        return f"{_INVALID}: end of string before {name}"
    if name in ("month", "hour", "minute", "second") and re.match(r"\d\d", rest, re.ASCII):
        rest = rest[2:]  # Go has read the digits before it finds them out of range
    return f"{_INVALID}: cannot use {quote(rest)} as {name}"


def rfc3339(moment: datetime.datetime) -> str:
    shown = moment.replace(microsecond=0).isoformat()
    return shown[:-6] + "Z" if shown.endswith("+00:00") else shown


def _add(moment: Value, duration: Value) -> Value:
    start = parse_timestamp(moment.text)
    try:
        length = parse_duration(duration.text)
    except ValueError as error:
        raise FunctionError(str(error)) from None
    try:
        return string(rfc3339(start + datetime.timedelta(microseconds=length // 1000)))
    except OverflowError:
        raise FunctionError("the time is out of range") from None


def _now() -> Value:
    return string(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


_TOKENS = re.compile(r"''|'(?:[^']|'')*'?|([A-Za-z])\1*|[^A-Za-z']+", re.ASCII)


def _format_date(form: Value, moment: Value) -> Value:
    try:
        found = parse_timestamp(moment.text)
    except FunctionError as error:
        raise FunctionError(str(error), 1) from None
    return string("".join(_date_part(match.group(), found) for match in _TOKENS.finditer(form.text)))


def _date_part(token: str, moment: datetime.datetime) -> str:
    if token == "''":
        return "'"
    if token.startswith("'"):
        if len(token) == 1 or not token.endswith("'"):
            raise FunctionError("unterminated literal '", 0)
        return token[1:-1].replace("''", "'")
    if not (token[0].isascii() and token[0].isalpha()):
        return token
    forms, expected = _verbs(moment, token[0])
    if len(token) not in forms:
        reason = f": {expected}" if expected else ""
        raise FunctionError(f"invalid date format verb {quote(token)}{reason}", 0)
    return forms[len(token)]


def _verbs(moment: datetime.datetime, letter: str) -> tuple[dict[int, str], str]:
    """Return what a letter stands for, by how often it is repeated, and what is said where it is repeated otherwise."""
    half = "PM" if moment.hour >= 12 else "AM"
    hour = moment.hour % 12 or 12
    offset = moment.strftime("%z")
    zone = f"{offset[:3]}:{offset[3:5]}"
    month, day = _MONTHS[moment.month - 1], _DAYS[moment.weekday()]
    table = {
        "Y": ({2: f"{moment.year % 100:02d}", 4: f"{moment.year:04d}"}, 'year must either be "YY" or "YYYY"'),
        "M": (
            {1: str(moment.month), 2: f"{moment.month:02d}", 3: month[:3], 4: month},
            'month must be "M", "MM", "MMM", or "MMMM"',
        ),
        "D": ({1: str(moment.day), 2: f"{moment.day:02d}"}, 'day of month must either be "D" or "DD"'),
        "E": ({3: day[:3], 4: day}, 'day of week must either be "EEE" or "EEEE"'),
        "h": ({1: str(moment.hour), 2: f"{moment.hour:02d}"}, '24-hour must either be "h" or "hh"'),
        "H": ({1: str(hour), 2: f"{hour:02d}"}, '12-hour must either be "H" or "HH"'),
        "A": ({2: half}, 'must be "AA"'),
        "a": ({2: half.lower()}, 'must be "aa"'),
        "m": ({1: str(moment.minute), 2: f"{moment.minute:02d}"}, 'minute must either be "m" or "mm"'),
        "s": ({1: str(moment.second), 2: f"{moment.second:02d}"}, 'second must either be "s" or "ss"'),
        "Z": (
            {
                1: "Z" if offset == "+0000" else zone,
                3: "UTC" if offset == "+0000" else offset[:5],
                4: offset[:5],
                5: zone,
            },
            "timezone must be Z, ZZZZ, or ZZZZZ",
        ),
    }
    return table.get(letter, ({}, ""))


FUNCTIONS: dict[str, Function] = {
    "formatdate": Function(_format_date, (text("format"), text("time"))),
    "timeadd": Function(_add, (text("timestamp"), text("duration"))),
    "timestamp": Function(_now),
}
