"""Logarithms and powers of floating-point numbers to the last digit as Go computes them, which is not as the C library does."""

from __future__ import annotations

import math

_HIGH, _LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # ln 2 in two parts
# the coefficients of FreeBSD's approximation
_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)
_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)


def log(value: float) -> float:
    """Return the natural logarithm."""
    if math.isnan(value) or value < 0:
        return math.nan
    if value == 0:
        return -math.inf
    if math.isinf(value):
        return value
    fraction, exponent = math.frexp(value)
    if fraction < math.sqrt(2) / 2:
        fraction, exponent = fraction * 2, exponent - 1
    rest = fraction - 1
    slope = rest / (2 + rest)
    square = slope * slope
    fourth = square * square
    one = square * (_ODD[0] + fourth * (_ODD[1] + fourth * (_ODD[2] + fourth * _ODD[3])))
    other = fourth * (_EVEN[0] + fourth * (_EVEN[1] + fourth * _EVEN[2]))
    half = 0.5 * rest * rest
    return exponent * _HIGH - ((half - (slope * (half + (one + other)) + exponent * _LOW)) - rest)


def power(value: float, exponent: float) -> float:
    """Return a number raised to a power."""
    if exponent == 0 or value == 1:
        return 1.0
    if exponent == 1:
        return value
    if value == 0 or not math.isfinite(value) or not math.isfinite(exponent):
        return _special(value, exponent)
    if abs(exponent) == 0.5:
        root = math.sqrt(value) if value > 0 else math.nan
        return root if exponent > 0 else 1 / root
    rest, whole = math.modf(abs(exponent))
    if rest and value < 0:
        return math.nan
    if whole >= 1 << 63:
        return 1.0 if value == -1 else math.inf if (abs(value) < 1) == (exponent < 0) else 0.0
    return _by_squares(value, int(whole), rest, exponent < 0)


def _special(value: float, exponent: float) -> float:
    try:
        return math.pow(value, exponent)
    except (ValueError, OverflowError):
        return math.inf if value == 0 else math.nan


def _by_squares(value: float, whole: int, rest: float, inverse: bool) -> float:
    result, result_exponent = 1.0, 0
    if rest > 0.5:
        rest, whole = rest - 1, whole + 1
    if rest:
        result = math.exp(rest * log(value))
    base, base_exponent = math.frexp(value)
    while whole:
        if not -(1 << 12) <= base_exponent <= 1 << 12:
            result_exponent += base_exponent
            break
        if whole & 1:
            result, result_exponent = result * base, result_exponent + base_exponent
        base, base_exponent = base * base, base_exponent * 2
        if base < 0.5:
            base, base_exponent = base * 2, base_exponent - 1
        whole >>= 1
    if inverse:
        result, result_exponent = 1 / result, -result_exponent
    try:
        return math.ldexp(result, result_exponent)
    except OverflowError:
        return math.copysign(math.inf, result)
