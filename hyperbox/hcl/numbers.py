"""Numbers as Go's big.Float has them: binary, rounded to a precision (512 bits for what is written in a source), shown as short as possible."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

WRITTEN = 512  # bits of a number that was written down
WHOLE = 64  # bits of one that was counted
MOST_BITS = 14000  # a number of more bits before or after the point is refused: it could only be there to use up memory (Python writes 4300 digits)
MOST_DIGITS = 4250  # that are computed of one
_FORM = re.compile(r"([+-]?)(?:(\d[\d_]*)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?\Z", re.ASCII)


class NumberError(Exception):
    """A number that can't be computed; the message is cty's."""


class Number(NamedTuple):
    """A number and its precision in bits. Infinities are floats."""

    value: Fraction | float
    bits: int

    @property
    def infinite(self) -> bool:
        return isinstance(self.value, float)

    @property
    def whole(self) -> bool:
        return isinstance(self.value, Fraction) and self.value.denominator == 1


def rounded(value: Fraction, bits: int) -> Number:
    """Return the number of some precision that is nearest to a value, the even one of two."""
    top, bottom = abs(value.numerator), value.denominator
    if max(top.bit_length(), bottom.bit_length()) > MOST_BITS:
        raise NumberError("number is too large or too small")
    if bottom == 1 and top.bit_length() <= bits:
        return Number(value, bits)
    shift = bits - (top.bit_length() - bottom.bit_length())
    scaled_top, scaled_bottom = (top << shift, bottom) if shift >= 0 else (top, bottom << -shift)
    quotient, rest = divmod(scaled_top, scaled_bottom)
    if quotient.bit_length() > bits:
        rest += (quotient & 1) * scaled_bottom
        quotient, scaled_bottom, shift = quotient >> 1, scaled_bottom * 2, shift - 1
    if rest * 2 > scaled_bottom or (rest * 2 == scaled_bottom and quotient & 1):
        quotient += 1
    result = Fraction(quotient, 1 << shift) if shift >= 0 else Fraction(quotient << -shift)
    return Number(-result if value < 0 else result, bits)


def whole(value: int) -> Number:
    return Number(Fraction(value), max(WHOLE, value.bit_length()))


def from_float(value: float) -> Number:
    if math.isnan(value):
        raise NumberError("not a number")
    return Number(value if math.isinf(value) else Fraction(value), 53)


def parse(text: str) -> Number | None:
    """Return the number that a decimal text is, None for any other text."""
    match = _FORM.match(text)
    if match is None or len(text) > 4000 or "__" in text:
        return None
    sign, before, behind, only_behind, exponent = match.groups()
    digits = (before or "").replace("_", "") + (behind or only_behind or "")
    power = int(exponent or 0) - len(behind or only_behind or "")
    if abs(power) > 4000:
        return None
    value = Fraction(int(digits)) * Fraction(10) ** power
    try:
        return rounded(-value if sign == "-" else value, WRITTEN)
    except NumberError:
        return None


def add(one: Number, other: Number) -> Number:
    return _compute(one, other, one.value + other.value)


def subtract(one: Number, other: Number) -> Number:
    return _compute(one, other, one.value - other.value)


def multiply(one: Number, other: Number) -> Number:
    return _compute(one, other, one.value * other.value)


def divide(one: Number, other: Number) -> Number:
    if other.value == 0:
        if one.value == 0:
            raise NumberError("can't divide zero by zero or infinity by infinity")
        return Number(math.inf if one.value > 0 else -math.inf, max(one.bits, other.bits))
    if one.infinite or other.infinite:
        return _compute(one, other, float(one.value) / float(other.value))
    return _compute(one, other, one.value / other.value)


def modulo(one: Number, other: Number) -> Number:
    if other.value == 0:
        return one
    if one.infinite or other.infinite:
        raise NumberError("can't use modulo with zero and infinity")
    quotient = divide(one, other)
    assert isinstance(quotient.value, Fraction)
    truncated = Number(Fraction(math.trunc(quotient.value)), quotient.bits)
    return subtract(one, multiply(truncated, other))


def absolute(one: Number) -> Number:
    return negate(one) if one.value < 0 else one


def negate(one: Number) -> Number:
    return Number(-one.value, one.bits)


def _compute(one: Number, other: Number, value: Fraction | float) -> Number:
    bits = max(one.bits, other.bits)
    if isinstance(value, float):
        if math.isnan(value):
            raise NumberError("can't compute sum of opposing infinities")
        if math.isinf(value):
            return Number(value, bits)
        value = Fraction(value)
    return rounded(value, bits)


def digits_of(number: Number) -> tuple[str, int]:
    """Return the digits that Go shows, the fewest that give the number again, and where the point is: 0.DIGITS times ten to the exponent.

    Go takes the same step below a power of two as above, where the numbers lie closer: it shows one digit too few there.
    """
    value = absolute(number).value
    assert isinstance(value, Fraction)
    if value == 0:
        return "0", 1
    half = _half_step(value, number.bits)
    most = min(number.bits * 31 // 100 + 30, MOST_DIGITS)
    digits, exponent = _decimal(value, most)
    lower, _ = _decimal(value - half, most)
    upper, _ = _decimal(value + half, most)
    inclusive = int(value / half) & 2 == 0
    for index, digit in enumerate(digits):
        above = upper[index : index + 1] or "0"
        down = (lower[index : index + 1] or "0") != digit or (inclusive and index + 1 == len(lower))
        up = digit != above and (inclusive or int(digit) + 1 < int(above) or index + 1 < len(upper))
        if down or up:
            kept, rest = digits[: index + 1], digits[index + 1 :]
            if down and up:
                up = rest > "5" or (rest == "5" and int(digit) % 2 == 1)
            text = str(int(kept) + 1) if up else kept
            return text.rstrip("0") or "0", exponent + len(text) - len(kept)
    return digits, exponent


def _half_step(value: Fraction, bits: int) -> Fraction:
    """Return half the distance from a value to the next larger one of a precision."""
    power = value.numerator.bit_length() - value.denominator.bit_length()
    power += 1 if value >= Fraction(2) ** power else 0
    return Fraction(2) ** (power - bits - 1)


def _decimal(value: Fraction, most: int) -> tuple[str, int]:
    """Return a value's digits and exponent; a 1 follows `most` digits where there are more that are not zero."""
    exponent = _exponent(value)
    whole_part, rest = divmod(value * Fraction(10) ** (most - exponent), 1)
    return (str(whole_part) + ("1" if rest else "")).rstrip("0"), exponent


def _exponent(value: Fraction) -> int:
    """Return the power of ten that is the first above a value."""
    guess = math.floor((value.numerator.bit_length() - value.denominator.bit_length()) * math.log10(2))
    while Fraction(10) ** guess <= value:
        guess += 1
    while Fraction(10) ** (guess - 1) > value:
        guess -= 1
    return guess


def show(number: Number) -> str:
    """Return a number without an exponent, as short as possible."""
    if number.infinite:
        return "+Inf" if number.value > 0 else "-Inf"
    sign = "-" if number.value < 0 else ""
    if number.whole and absolute(number).value < 1 << number.bits:
        return str(int(number.value))
    digits, exponent = digits_of(number)
    if exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    if len(digits) <= exponent:
        return sign + digits + "0" * (exponent - len(digits))
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def show_general(number: Number) -> str:
    """Return a number as Go's %g does: with an exponent where it is large or small."""
    if number.infinite:
        return show(number)
    digits, exponent = digits_of(number)
    if number.value == 0 or -4 <= exponent - 1 < 6:
        return show(number)
    sign = "-" if number.value < 0 else ""
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    power = exponent - 1
    return f"{sign}{digits[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02d}"
