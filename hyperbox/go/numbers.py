"""Numbers as strconv reads them; what it refuses is told with its words."""

from __future__ import annotations

from hyperbox.go.text import invalid_syntax, out_of_range

INT_MAX = 2**63 - 1
INT_MIN = -(2**63)
_FLOAT_CHARACTERS = frozenset("0123456789+-.eExXpPaAbBcCdDfF_infINFnatyNATY")


class NumberError(ValueError):
    """A number that does not parse; its text is strconv's."""


def parse_int(text: str, *, base: int = 10, function: str = "ParseInt") -> int:
    """strconv.ParseInt(text, base, 64), or Atoi. Raises NumberError."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    allowed = "0123456789"[:base]
    if not digits or digits.strip(allowed):
        raise NumberError(invalid_syntax(function, text))
    if len(digits.lstrip("0")) > 64:
        raise NumberError(out_of_range(function, text))
    value = int(text, base)
    if not INT_MIN <= value <= INT_MAX:
        raise NumberError(out_of_range(function, text))
    return value


def parse_float(text: str, bits: int = 64) -> float:
    """strconv.ParseFloat (decimal and hexadecimal forms, inf, nan). Raises NumberError."""
    try:
        if not text or text != text.strip() or "_" in text or not _FLOAT_CHARACTERS.issuperset(text):
            raise ValueError
        if "x" in text or "X" in text:
            if "p" not in text.lower():
                raise ValueError
            value = float.fromhex(text)
        else:
            value = float(text)
    except (ValueError, OverflowError):
        raise NumberError(invalid_syntax("ParseFloat", text)) from None
    limit = 3.4028235677973366e38 if bits == 32 else float("inf")
    infinite = text.lower().lstrip("+-").startswith("inf")
    if abs(value) >= limit and not infinite:
        raise NumberError(out_of_range("ParseFloat", text))
    return single(value) if bits == 32 else value


def single(value: float) -> float:
    """Return `value` rounded to a float32; infinity for what that can't hold."""
    from _struct import pack, unpack

    try:
        rounded: float = unpack("f", pack("f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return rounded
