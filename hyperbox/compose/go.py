"""Go's way of printing and parsing values, where it can be seen in docker compose's output and messages."""

from __future__ import annotations

import math
import struct

from hyperbox.errors import ComposeError
from hyperbox.go.numbers import INT_MAX
from hyperbox.go.text import quote


class Nil(list[object]):
    """A slice that was never made: an empty list that JSON shows as null."""

    __slots__ = ()


class Timestamp:
    """A YAML timestamp: time.Time in Go. `text` is RFC 3339 with nanoseconds as needed; `plain` is how fmt prints it."""

    __slots__ = ("plain", "text")

    def __init__(self, text: str, plain: str) -> None:
        self.text = text
        self.plain = plain

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def type_name(value: object) -> str:
    """Return `%T` of a decoded YAML value."""
    if value is None:
        return "<nil>"
    names: dict[type, str] = {bool: "bool", str: "string", dict: "map[string]interface {}", list: "[]interface {}"}
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value <= INT_MAX else "uint64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, Timestamp):
        return "time.Time"
    return names.get(type(value), type(value).__name__)


def shortest_digits(value: float, bits: int = 64) -> tuple[str, int]:
    """Return the fewest decimal digits that name `value`, and the decimal exponent: 0.DIGITS * 10**exponent."""
    text = repr(value) if bits == 64 else _shortest_single(value)
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = whole + fraction
    point = len(whole) + (int(exponent) if exponent else 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    return stripped.rstrip("0") or "0", point if stripped else 1


def _shortest_single(value: float) -> str:
    packed = struct.pack("f", value)
    for precision in range(1, 10):
        text = f"{value:.{precision}g}"
        if struct.pack("f", float(text)) == packed:
            return text
    return repr(value)


def _special(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return ""


def format_float(value: float, bits: int = 64) -> str:
    """strconv.FormatFloat(value, 'g', -1, bits)."""
    special = _special(value)
    if special:
        return special
    sign = "-" if str(value).startswith("-") else ""
    digits, point = shortest_digits(value, bits)
    if value == 0:
        return sign + "0"
    exponent = point - 1
    if exponent < -4 or exponent >= 6:
        return sign + _scientific(digits, exponent)
    return sign + _fixed(digits, point)


def _fixed(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def _scientific(digits: str, exponent: int) -> str:
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def format_json_float(value: float, bits: int = 64) -> str:
    """encoding/json: plain digits within [1e-6, 1e21), an exponent without leading zeros outside. Raises ComposeError for what JSON has not."""
    sign = "-" if value < 0 else ""
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    if not math.isfinite(value):
        raise ComposeError(
            f"json: unsupported value: {'NaN' if math.isnan(value) else sign + 'Inf' if sign else '+Inf'}"
        )
    digits, point = shortest_digits(value, bits)
    if 1e-6 <= abs(value) < 1e21:
        return sign + _fixed(digits, point)
    mantissa, _, exponent = _scientific(digits, point - 1).partition("e")
    return f"{sign}{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def sprint(value: object) -> str:
    """fmt.Sprint: how a decoded YAML value prints."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, Timestamp):
        return value.plain
    if isinstance(value, list):
        return "[" + " ".join(map(sprint, value)) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{sprint(value[key])}" for key in sorted(value)) + "]"
    return str(value)


def syntax(value: object) -> str:
    """`%#v`: a value as Go source."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_inner_syntax, value)) + "}"
    if isinstance(value, dict):
        return (
            "map[string]interface {}{"
            + ", ".join(f"{quote(key)}:{_inner_syntax(value[key])}" for key in sorted(value))
            + "}"
        )
    return sprint(value)


def _inner_syntax(value: object) -> str:
    return "interface {}(nil)" if value is None else syntax(value)


def sprint_error(value: object, *, inner: bool = False) -> str:
    """`%s` of a value that need not be a string: others show as `%!s(int=1)`, but for moments and for nothing within a list or map."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>" if inner else "%!s(<nil>)"
    if isinstance(value, Timestamp):
        return value.plain
    if isinstance(value, list):
        return "[" + " ".join(sprint_error(item, inner=True) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{sprint_error(value[key], inner=True)}" for key in sorted(value)) + "]"
    return f"%!s({type_name(value)}={sprint(value)})"
