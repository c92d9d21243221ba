"""The methods that docker's values have besides their fields: of named strings, records, times and durations.

METHODS is Go type -> method -> (function of the value and the arguments, the arguments' types as in templates_functions.SIGNATURES). A
method of a record (`Struct`) gets the record.
"""

from __future__ import annotations

import time

from hyperbox.cli.templates_values import Duration, JsonNumber, Named, Number, Spoken, Struct, type_name
from hyperbox.go.times import days_from_epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Method = tuple[Callable[..., object], tuple[str, ...]]

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SECOND = 1_000_000_000


def method(value: object, name: str) -> Method | None:
    """Return a value's method of that name."""
    if not isinstance(value, (Struct, Named, Number, Duration, JsonNumber)):
        return None
    return METHODS.get(type_name(value).removeprefix("*"), {}).get(name)


def _is(*words: str) -> Method:
    return (lambda value: str(value) in words), ()


def _is_container() -> Method:
    return (lambda value: value.startswith("container:")), ()


def _container() -> Method:
    return (lambda value: value.partition(":")[2] if value.startswith("container:") else ""), ()


def _valid(*words: str) -> Method:
    return (lambda value: str(value) in words or (value.startswith("container:") and len(value) > 10)), ()


# --- networks and ports -------------------------------------------------------------------------------------------------------
OWN_NETWORKS = ("default", "bridge", "host", "none", "nat")


def _is_user_defined(mode: str) -> bool:
    return mode not in OWN_NETWORKS and not mode.startswith("container:")


def _network_name(mode: str) -> str:
    if mode.startswith("container:"):
        return "container"
    return mode if mode in ("bridge", "host", "none", "default") or _is_user_defined(mode) else ""


def _port_int(port: str) -> int:
    number = port.partition("/")[0].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


# --- times --------------------------------------------------------------------------------------------------------------------
class Moment:
    """A time.Time taken apart: seconds since 1970, nanoseconds, the zone's offset in seconds, its name."""

    __slots__ = ("fields", "nanoseconds", "offset", "seconds", "zone")

    def __init__(self, text: str) -> None:
        text = text or "0001-01-01T00:00:00Z"
        clock, fraction = text[11:19], ""
        rest = text[19:]
        if rest.startswith("."):
            digits = len(rest[1:]) - len(rest[1:].lstrip("0123456789"))
            fraction, rest = rest[1 : 1 + digits], rest[1 + digits :]
        self.offset, self.zone = 0, "UTC"
        if rest not in ("", "Z"):
            self.offset = (1 if rest[0] == "+" else -1) * (int(rest[1:3]) * 3600 + int(rest[4:6]) * 60)
            self.zone = "" if self.offset else "UTC"
        numbers = [int(part) for part in (*text[:10].split("-"), *clock.split(":"))]
        self.nanoseconds = int((fraction + "000000000")[:9])
        self.seconds = (
            days_from_epoch(*numbers[:3]) * 86400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5] - self.offset
        )
        day = days_from_epoch(*numbers[:3])
        self.fields = (
            *numbers,
            (day + 3) % 7,
            day - days_from_epoch(numbers[0], 1, 1) + 1,
        )  # …, weekday, day of the year


def _month(number: int) -> Spoken:
    return Spoken(number, "time.Month", MONTHS[number - 1])


def _weekday(number: int) -> Spoken:
    return Spoken((number + 1) % 7, "time.Weekday", DAYS[number])


def _part(place: int) -> Method:
    return (lambda moment: Moment(moment.raw).fields[place]), ()


def _unix(unit: int) -> Method:
    def count(moment: Struct) -> object:
        found = Moment(str(moment.raw))
        return Number((found.seconds * SECOND + found.nanoseconds) // unit, "int64")

    return count, ()


def _in_utc(moment: Struct) -> object:
    found = Moment(str(moment.raw))
    return _at(moment, found.seconds, found.nanoseconds, 0)


def _local(moment: Struct) -> object:
    found = Moment(str(moment.raw))
    return _at(moment, found.seconds, found.nanoseconds, time.localtime(found.seconds).tm_gmtoff)


def _at(moment: Struct, seconds: int, nanoseconds: int, offset: int) -> Struct:
    from hyperbox.cli.templates_types import convert

    shown = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds + offset)).rjust(19, "0")
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    sign, size = ("-" if offset < 0 else "+"), abs(offset) // 60
    made = convert(f"{shown}{fraction}{f'{sign}{size // 60:02d}:{size % 60:02d}' if offset else 'Z'}", "t")
    assert isinstance(made, Struct)
    return made


LAYOUT = (
    *("January", "Jan", "Monday", "Mon", "MST", "2006", "002", "01", "02", "03", "04", "05", "06", "15"),
    *("-07:00:00", "-070000", "-07:00", "-0700", "-07", "Z07:00:00", "Z070000", "Z07:00", "Z0700", "Z07"),
    *("PM", "pm", "_2006", "__2", "_2", "1", "2", "3", "4", "5"),
)


def format_time(moment: Struct, layout: str) -> str:
    """time.Time.Format: the layout's parts stand for those of Mon Jan 2 15:04:05 MST 2006."""
    found = Moment(str(moment.raw))
    output, position = [], 0
    while position < len(layout):
        size = _fraction_length(layout, position)
        if size:
            digits = f"{found.nanoseconds:09d}"[: size - 1]
            if layout[position + 1] == "9":
                digits = digits.rstrip("0")
                output.append(layout[position] + digits if digits else "")
            else:
                output.append(layout[position] + digits)
            position += size
            continue
        token = next((each for each in LAYOUT if layout.startswith(each, position)), "")
        if token == "Jan" and layout[position + 3 : position + 4].islower():
            token = ""
        output.append(_token(found, token) if token else layout[position])
        position += len(token) or 1
    return "".join(output)


def _fraction_length(layout: str, position: int) -> int:
    """Return the length of ".000" or ",999" there, which no digit follows."""
    if layout[position] not in ".," or layout[position + 1 : position + 2] not in ("0", "9"):
        return 0
    end = position + 1
    while layout[end : end + 1] == layout[position + 1]:
        end += 1
    return 0 if layout[end : end + 1].isdigit() else end - position


def _token(moment: Moment, token: str) -> str:
    year, month, day, hour, minute, second, weekday, of_year = moment.fields
    if token[0] in "-Z":
        if token[0] == "Z" and not moment.offset:
            return "Z"
        size = abs(moment.offset)
        separator = ":" if ":" in token else ""
        parts = (f"{size // 3600:02d}", f"{size % 3600 // 60:02d}", f"{size % 60:02d}")
        return ("-" if moment.offset < 0 else "+") + separator.join(parts[: len(token.replace(":", "")) // 2])
    zone = moment.zone or f"{'-' if moment.offset < 0 else '+'}{abs(moment.offset) // 3600:02d}"
    values = {
        "2006": f"{year:04d}",
        "06": f"{year % 100:02d}",
        "_2006": f"_{year:04d}",
        "January": MONTHS[month - 1],
        "Jan": MONTHS[month - 1][:3],
        "01": f"{month:02d}",
        "1": str(month),
        "Monday": DAYS[weekday],
        "Mon": DAYS[weekday][:3],
        "02": f"{day:02d}",
        "_2": f"{day:2d}",
        "2": str(day),
        "002": f"{of_year:03d}",
        "__2": f"{of_year:3d}",
        "15": f"{hour:02d}",
        "03": f"{hour % 12 or 12:02d}",
        "3": str(hour % 12 or 12),
        "04": f"{minute:02d}",
        "4": str(minute),
        "05": f"{second:02d}",
        "5": str(second),
        "PM": "PM" if hour >= 12 else "AM",
        "pm": "pm" if hour >= 12 else "am",
        "MST": zone,
    }
    return values[token]


TIME: dict[str, Method] = {
    "Year": _part(0),
    "Month": ((lambda moment: _month(Moment(moment.raw).fields[1])), ()),
    "Day": _part(2),
    "Hour": _part(3),
    "Minute": _part(4),
    "Second": _part(5),
    "Weekday": ((lambda moment: _weekday(Moment(moment.raw).fields[6])), ()),
    "YearDay": _part(7),
    "Nanosecond": ((lambda moment: Moment(moment.raw).nanoseconds), ()),
    "Unix": _unix(SECOND),
    "UnixMilli": _unix(1_000_000),
    "UnixMicro": _unix(1000),
    "UnixNano": _unix(1),
    "UTC": (_in_utc, ()),
    "Local": (_local, ()),
    "Location": ((lambda moment: Moment(moment.raw).zone), ()),
    "IsZero": ((lambda moment: str(moment.raw).startswith("0001-01-01T00:00:00")), ()),
    "String": ((lambda moment: moment.text), ()),
    "Format": (format_time, ("string",)),
}


def _in_unit(unit: int) -> Method:
    return (lambda value: int(value) // unit * 1.0 + int(value) % unit / unit), ()


def _whole(unit: int) -> Method:
    return (lambda value: Number(int(value) // unit, "int64")), ()


METHODS: dict[str, dict[str, Method]] = {
    "time.Time": TIME,
    "json.Number": {
        "String": (str, ()),
        "Float64": (float, ()),
        "Int64": ((lambda value: Number(int(value), "int64")), ()),
    },
    "time.Duration": {
        "Hours": _in_unit(3600 * SECOND),
        "Minutes": _in_unit(60 * SECOND),
        "Seconds": _in_unit(SECOND),
        "Milliseconds": _whole(1_000_000),
        "Microseconds": _whole(1000),
        "Nanoseconds": _whole(1),
        "String": ((lambda value: value.text()), ()),
        "Abs": ((lambda value: Duration(abs(value))), ()),
    },
    "time.Month": {"String": ((lambda month: month.text()), ())},
    "time.Weekday": {"String": ((lambda day: day.text()), ())},
    "container.NetworkMode": {
        "IsBridge": _is("bridge"),
        "IsHost": _is("host"),
        "IsNone": _is("none"),
        "IsDefault": _is("default"),
        "IsContainer": _is_container(),
        "ConnectedContainer": _container(),
        "IsPrivate": ((lambda mode: mode != "host" and not mode.startswith("container:")), ()),
        "IsUserDefined": (_is_user_defined, ()),
        "UserDefined": ((lambda mode: str(mode) if _is_user_defined(mode) else ""), ()),
        "NetworkName": (_network_name, ()),
    },
    "container.IpcMode": {
        "IsPrivate": _is("private"),
        "IsHost": _is("host"),
        "IsShareable": _is("shareable"),
        "IsNone": _is("none"),
        "IsEmpty": _is(""),
        "IsContainer": _is_container(),
        "Container": _container(),
        "Valid": _valid("", "none", "private", "host", "shareable"),
    },
    "container.PidMode": {
        "IsPrivate": ((lambda mode: mode != "host" and not mode.startswith("container:")), ()),
        "IsHost": _is("host"),
        "IsContainer": _is_container(),
        "Container": _container(),
        "Valid": _valid("", "host"),
    },
    "container.UTSMode": {
        "IsPrivate": ((lambda mode: mode != "host"), ()),
        "IsHost": _is("host"),
        "Valid": _is("", "host"),
    },
    "container.UsernsMode": {
        "IsPrivate": ((lambda mode: mode != "host"), ()),
        "IsHost": _is("host"),
        "Valid": _is("", "host"),
    },
    "container.CgroupnsMode": {
        "IsPrivate": _is("private"),
        "IsHost": _is("host"),
        "IsEmpty": _is(""),
        "Valid": _is("", "private", "host"),
    },
    "container.CgroupSpec": {
        "IsContainer": _is_container(),
        "Container": _container(),
        "Valid": _valid(""),
    },
    "container.Isolation": {
        "IsDefault": _is("", "default"),
        "IsHyperV": _is("hyperv"),
        "IsProcess": _is("process"),
    },
    "container.RestartPolicy": {
        "IsNone": ((lambda policy: str(policy.field("Name")) in ("no", "")), ()),
        "IsAlways": ((lambda policy: str(policy.field("Name")) == "always"), ()),
        "IsOnFailure": ((lambda policy: str(policy.field("Name")) == "on-failure"), ()),
        "IsUnlessStopped": ((lambda policy: str(policy.field("Name")) == "unless-stopped"), ()),
    },
    "units.Ulimit": {"String": ((lambda limit: limit.text), ())},
    "nat.Port": {
        "Port": ((lambda port: port.partition("/")[0]), ()),
        "Proto": ((lambda port: port.partition("/")[2] or "tcp"), ()),
        "Int": (_port_int, ()),
    },
    "digest.Digest": {
        "String": ((lambda digest: str(digest)), ()),
        "Algorithm": ((lambda digest: Named(digest.partition(":")[0], "digest.Algorithm")), ()),
        "Encoded": ((lambda digest: digest.partition(":")[2]), ()),
        "Hex": ((lambda digest: digest.partition(":")[2]), ()),
    },
}
