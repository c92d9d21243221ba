"""The operators: the functions behind them, and the types of their results."""

from __future__ import annotations

from hyperbox.hcl import numbers
from hyperbox.hcl.functions import Function, Parameter, numeric
from hyperbox.hcl.numbers import Number, NumberError
from hyperbox.hcl.types import BOOL, NUMBER, Type
from hyperbox.hcl.values import Value, boolean, equal, number, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PAIR = (numeric("a"), numeric("b"))
_ANY_PAIR = (
    Parameter("a", allow_null=True, allow_unknown=True),
    Parameter("b", allow_null=True, allow_unknown=True),
)
_BOOLS = (Parameter("a", BOOL), Parameter("b", BOOL))


def _arithmetic(compute: Callable[[Number, Number], Number], undefined: str) -> Function:
    def run(one: Value, other: Value) -> Value:
        try:
            return number(compute(one.number, other.number))
        except NumberError as error:
            raise NumberError(undefined if "infinit" in str(error) else str(error)) from None

    return Function(run, _PAIR)


def _comparison(compare: Callable[[Number, Number], bool]) -> Function:
    return Function(lambda one, other: boolean(compare(one.number, other.number)), _PAIR)


def _equal(one: Value, other: Value) -> Value:
    found = equal(one, other)
    return unknown(BOOL) if found is None else boolean(found)


def _different(one: Value, other: Value) -> Value:
    found = equal(one, other)
    return unknown(BOOL) if found is None else boolean(not found)


ADD = _arithmetic(numbers.add, "can't compute sum of opposing infinities")
SUBTRACT = _arithmetic(numbers.subtract, "can't subtract infinity from itself")
MULTIPLY = _arithmetic(numbers.multiply, "can't multiply zero by infinity")
DIVIDE = _arithmetic(numbers.divide, "can't divide zero by zero or infinity by infinity")
MODULO = _arithmetic(numbers.modulo, "can't use modulo with zero and infinity")
NEGATE = Function(lambda one: number(numbers.negate(one.number)), (numeric("num"),))
EQUAL = Function(_equal, _ANY_PAIR)
NOT_EQUAL = Function(_different, _ANY_PAIR)
GREATER = _comparison(lambda one, other: one.value > other.value)
GREATER_EQUAL = _comparison(lambda one, other: one.value >= other.value)
LESS = _comparison(lambda one, other: one.value < other.value)
LESS_EQUAL = _comparison(lambda one, other: one.value <= other.value)
AND = Function(lambda one, other: boolean(bool(one.data and other.data)), _BOOLS)
OR = Function(lambda one, other: boolean(bool(one.data or other.data)), _BOOLS)
NOT = Function(lambda one: boolean(not one.data), (Parameter("val", BOOL),))

OPERATORS: dict[str, tuple[Function, Type]] = {
    "||": (OR, BOOL),
    "&&": (AND, BOOL),
    "==": (EQUAL, BOOL),
    "!=": (NOT_EQUAL, BOOL),
    ">": (GREATER, BOOL),
    ">=": (GREATER_EQUAL, BOOL),
    "<": (LESS, BOOL),
    "<=": (LESS_EQUAL, BOOL),
    "+": (ADD, NUMBER),
    "-": (SUBTRACT, NUMBER),
    "*": (MULTIPLY, NUMBER),
    "/": (DIVIDE, NUMBER),
    "%": (MODULO, NUMBER),
}
UNARY: dict[str, tuple[Function, Type]] = {"-": (NEGATE, NUMBER), "!": (NOT, BOOL)}
