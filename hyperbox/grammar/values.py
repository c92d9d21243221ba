"""Flag values: from the text on the command line to a typed value, with Go's and docker's words for what does not fit.

`CONVERTERS[type]` takes the text and returns the value or raises ValueError with the reason alone; the parser puts the flag in front.
"""

from __future__ import annotations

from hyperbox.go.text import invalid_syntax, out_of_range, parse_bool
from hyperbox.go.units import parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _integer(text: str, function: str, low: int, high: int) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    try:
        if not digits or digits[0] == "_" or (function == "ParseUint" and text[:1] in ("+", "-")):
            raise ValueError
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        value = int(digits, 8 if octal else 0)
        value = -value if text[0] == "-" else value
    except ValueError:
        raise ValueError(invalid_syntax(function, text)) from None
    if not low <= value <= high:
        raise ValueError(out_of_range(function, text))
    return value


def to_int(text: str) -> int:
    """A signed 64-bit number, as Go's strconv.ParseInt with base 0 reads it."""
    return _integer(text, "ParseInt", -(2**63), 2**63 - 1)


def to_uint(text: str) -> int:
    """An unsigned 64-bit number."""
    return _integer(text, "ParseUint", 0, 2**64 - 1)


def to_uint16(text: str) -> int:
    """An unsigned 16-bit number."""
    return _integer(text, "ParseUint", 0, 2**16 - 1)


def to_uint32(text: str) -> int:
    """An unsigned 32-bit number."""
    return _integer(text, "ParseUint", 0, 2**32 - 1)


def to_float(text: str) -> float:
    """A floating-point number."""
    from hyperbox.go.numbers import parse_float

    return parse_float(text)


def to_duration(text: str) -> int:
    """Go's durations ("1h30m"): nanoseconds."""
    from hyperbox.go.durations import parse_duration

    return parse_duration(text)


def to_memory_swap(text: str) -> int:
    """A size, or -1 for no limit."""
    return -1 if text == "-1" else parse_bytes(text)


def to_nano_cpus(text: str) -> int:
    """A decimal number of processors ("1.5"), in billionths. Raises ValueError for more than nine digits behind the point, too."""
    from fractions import Fraction

    try:
        value = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if value.denominator != 1:
        raise ValueError("value is too precise")
    return int(value)


def to_capabilities(names: list[str]) -> list[str]:
    """Return capabilities as docker sends them: upper case with "CAP_" ("ALL" as it is), each once, sorted."""
    upper = [name.strip().upper() for name in names]
    return sorted({name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in upper})


def split_commas(text: str) -> list[str]:
    """Split one line of comma-separated values (RFC 4180, quotes included), as Go's encoding/csv does; ValueError with its words."""
    if '"' not in text:
        return text.split(",") if text else []
    fields, rest, column = [], text, 1
    while True:
        if not rest.startswith('"'):
            field, comma, rest = rest.partition(",")
            if '"' in field:
                at = column + len(field[: field.index('"')].encode())
                raise ValueError(f'parse error on line 1, column {at}: bare " in non-quoted-field')
            fields.append(field)
            column += len(field.encode()) + 1
        else:
            field, comma, rest, column = _quoted(rest, column)
            fields.append(field)
        if not comma:
            return fields


def _quoted(rest: str, column: int) -> tuple[str, str, str, int]:
    """Read one quoted field: (field, "," or "", what follows, the column after it)."""
    index, out = 1, ""
    while True:
        end = rest.find('"', index)
        if end < 0:
            raise ValueError(
                f'parse error on line 1, column {column + len(rest.encode())}: extraneous or missing " in quoted-field'
            )
        out += rest[index:end]
        following = rest[end + 1 : end + 2]
        if following == '"':
            out += '"'
            index = end + 2
        elif following in ("", ","):
            return out, following, rest[end + 2 :], column + len(rest[: end + 2].encode())
        else:
            at = column + len(rest[:end].encode())
            raise ValueError(f'parse error on line 1, column {at}: extraneous or missing " in quoted-field')


def check_filter(text: str) -> None:
    """Raise ValueError for what is not `name=value`."""
    if text and "=" not in text:
        raise ValueError("bad format of filter (expected name=value)")


CONVERTERS: dict[str, Callable[[str], object]] = {
    "bool": parse_bool,
    "int": to_int,
    "uint": to_uint,
    "uint16": to_uint16,
    "uint32": to_uint32,
    "float": to_float,
    "duration": to_duration,
    "bytes": parse_bytes,
    "memory-swap": to_memory_swap,
    "decimal": to_nano_cpus,
}
# types whose flag may be given several times; each adds to a list of str. The second half is docker's "list" with a check (grammar.checks)
LISTS = frozenset(
    {
        "list", "filter", "strings", "stringArray", "port", "external-ca", "config", "secret", "ipNetSlice", "pref", "credential-spec",
        "scale",
        "mount", "network", "ulimit", "gpu-request", "environment", "label", "address", "domain", "host", "stream", "link", "device-rule",
        "device-bytes", "device-count", "device-weight",
    }
)  # fmt: skip
# types whose flag adds key=value to a dict
MAPS = frozenset({"map", "stringToString", "sysctl"})
# types whose values grammar.checks looks at
CHECKED = frozenset(
    {
        "mount", "network", "ulimit", "gpu-request", "environment", "label", "address", "domain", "host", "stream", "link", "device-rule",
        "device-bytes", "device-count", "device-weight", "sysctl",
    }
)  # fmt: skip


def words_of(value: object) -> list[str]:
    """Return the list of a flag that may be given several times; empty where it was not given."""
    return [str(word) for word in value] if isinstance(value, list) else []
