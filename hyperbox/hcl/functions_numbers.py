"""Functions of numbers."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

from hyperbox.go.text import quote
from hyperbox.hcl import floats, numbers, operators
from hyperbox.hcl.functions import Function, FunctionError, Parameter, numeric, whole_number
from hyperbox.hcl.numbers import Number, NumberError
from hyperbox.hcl.types import STRING, friendly
from hyperbox.hcl.values import Value, number

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _absolute(value: Value) -> Value:
    return number(numbers.absolute(value.number))


def _truncated(value: Value) -> Value:
    found = value.number
    if found.infinite or found.whole:
        return value
    return number(numbers.whole(math.trunc(found.value)))


def _ceil(value: Value) -> Value:
    found = value.number
    return value if found.infinite else number(Number(Fraction(math.ceil(found.value)), found.bits))


def _floor(value: Value) -> Value:
    found = value.number
    return value if found.infinite else number(Number(Fraction(math.floor(found.value)), found.bits))


def _float(value: Value) -> float:
    try:
        return float(value.number.value)
    except OverflowError:
        most = f"{sys.float_info.max:f}"
        raise FunctionError(f"value must be between -{most} and {most} inclusive") from None


def _log(value: Value, base: Value) -> Value:
    above, below = floats.log(_float(value)), floats.log(_float(base))
    if below == 0:
        return number(numbers.from_float(math.nan if above == 0 else math.copysign(math.inf, above)))
    return number(numbers.from_float(above / below))


def _pow(value: Value, power: Value) -> Value:
    return number(numbers.from_float(floats.power(_float(value), _float(power))))


def _signum(value: Value) -> Value:
    found = whole_number(value)
    return number((found > 0) - (found < 0))


def _most(*values: Value) -> Value:
    return _extreme(values, largest=True)


def _least(*values: Value) -> Value:
    return _extreme(values, largest=False)


def _extreme(values: tuple[Value, ...], *, largest: bool) -> Value:
    if not values:
        raise FunctionError("must pass at least one number")
    choose = max if largest else min
    return choose(values, key=lambda each: each.number.value)


def _parse_int(text: Value, base: Value) -> Value:
    if text.type != STRING:
        raise FunctionError(f"first argument must be a string, not {friendly(text.type)}", 0)
    try:
        radix = whole_number(base)
    except FunctionError as error:
        raise FunctionError(str(error), 1) from None
    if not 2 <= radix <= 62:
        raise FunctionError("base must be a whole number between 2 and 62 inclusive", 1)
    sign = -1 if text.text.startswith("-") else 1
    digits = text.text.removeprefix("-") if sign < 0 else text.text.removeprefix("+")
    known = _DIGITS[:radix]
    folded = digits.lower() if radix <= 36 else digits
    if not folded or len(folded) > 4000 or any(digit not in known for digit in folded):
        raise FunctionError(f"cannot parse {quote(text.text)} as a base {radix} integer", 0)
    found = 0
    for digit in folded:
        found = found * radix + known.index(digit)
    try:
        return number(numbers.rounded(Fraction(sign * found), max(64, found.bit_length())))
    except NumberError as error:
        raise FunctionError(str(error)) from None


_NUM = (numeric("num"),)
FUNCTIONS: dict[str, Function] = {
    "absolute": Function(_absolute, _NUM),
    "add": operators.ADD,
    "ceil": Function(_ceil, _NUM),
    "divide": operators.DIVIDE,
    "floor": Function(_floor, _NUM),
    "greaterthan": operators.GREATER,
    "greaterthanorequalto": operators.GREATER_EQUAL,
    "int": Function(_truncated, _NUM),
    "lessthan": operators.LESS,
    "lessthanorequalto": operators.LESS_EQUAL,
    "log": Function(_log, (numeric("num"), numeric("base"))),
    "max": Function(_most, (), numeric("numbers")),
    "min": Function(_least, (), numeric("numbers")),
    "modulo": operators.MODULO,
    "multiply": operators.MULTIPLY,
    "negate": operators.NEGATE,
    "parseint": Function(_parse_int, (Parameter("number"), numeric("base"))),
    "pow": Function(_pow, (numeric("num"), numeric("power"))),
    "signum": Function(_signum, _NUM),
    "subtract": operators.SUBTRACT,
}
