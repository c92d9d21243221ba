"""Functions: what one takes, and calling it by the rules that hold for all."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.hcl.numbers import NumberError
from hyperbox.hcl.types import DYNAMIC, NUMBER, STRING, Type
from hyperbox.hcl.values import ANY, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.hcl.scope import Scope
    from hyperbox.hcl.syntax import Expression

WHOLE_NUMBER = "value must be a whole number, between -9223372036854775808 and 9223372036854775807"


class FunctionError(Exception):
    """A call that failed: the message, and the argument that was wrong, if one was."""

    def __init__(self, message: str, argument: int | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class Closure(NamedTuple):
    """An argument that is not evaluated before the call."""

    expression: Expression
    scope: Scope


class Parameter(NamedTuple):
    """`closure`: the argument is handed over unevaluated; `type_expression`: it is a type."""

    name: str
    type: Type = DYNAMIC
    allow_null: bool = False
    allow_unknown: bool = False
    closure: bool = False
    type_expression: bool = False


class Function(NamedTuple):
    """A function: `run` gets the arguments, converted to the parameters' types."""

    run: Callable[..., Value]
    parameters: tuple[Parameter, ...] = ()
    rest: Parameter | None = None

    def parameter(self, place: int) -> Parameter | None:
        return self.parameters[place] if place < len(self.parameters) else self.rest


Argument = Value | Closure | Type


def call(function: Function, arguments: Sequence[Argument]) -> Value:
    """Return what a function makes of arguments. Raises FunctionError."""
    unknown = False
    for place, argument in enumerate(arguments):
        parameter = function.parameter(place)
        if not isinstance(argument, Value) or parameter is None:
            continue
        if argument.null and not parameter.allow_null:
            raise FunctionError("argument must not be null", place)
        unknown |= not argument.known and not parameter.allow_unknown
    if unknown:
        return ANY
    try:
        return function.run(*arguments)
    except NumberError as error:
        raise FunctionError(str(error)) from None


def text(name: str) -> Parameter:
    return Parameter(name, STRING)


def numeric(name: str) -> Parameter:
    return Parameter(name, NUMBER)


def whole_number(value: Value) -> int:
    """Return a number as Go's int. Raises FunctionError."""
    number = value.number
    if not number.whole or not -(1 << 63) <= number.value < 1 << 63:
        raise FunctionError(WHOLE_NUMBER)
    return int(number.value)
