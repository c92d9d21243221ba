"""Functions that bake files define."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.hcl.evaluate import evaluate
from hyperbox.hcl.functions import Function, FunctionError, Parameter
from hyperbox.hcl.positions import Diagnostic, Diagnostics
from hyperbox.hcl.syntax import Attribute, Expression, JsonArray, Tuple, keyword
from hyperbox.hcl.values import Value, tuple_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.hcl.scope import Scope


class Made(NamedTuple):
    """A function, the expression of its result, and the names that are its own there."""

    function: Function
    result: Expression
    parameters: frozenset[str]


def user_function(name: str, attributes: Mapping[str, Attribute], scope: Scope) -> Made:
    """Return the function that a block defines. Raises Diagnostics."""
    listed = attributes["params"].expression
    if not isinstance(listed, Tuple | JsonArray):
        detail = "A static list expression is required."
        raise Diagnostics([Diagnostic("Invalid expression", detail, listed.range)])
    parameters = [_name(each) for each in listed.items]
    rest = _name(attributes["variadic_params"].expression) if "variadic_params" in attributes else None
    result = attributes["result"].expression

    def run(*arguments: Value) -> Value:
        names = dict(zip(parameters, arguments, strict=False))
        if rest is not None:
            names[rest] = tuple_value(arguments[len(parameters) :])
        problems: list[Diagnostic] = []
        value = evaluate(result, scope.child(names), problems)
        if problems:
            raise FunctionError(str(Diagnostics(problems)))
        return value

    taken = tuple(Parameter(each) for each in parameters)
    function = Function(run, taken, Parameter(rest) if rest is not None else None)
    own = frozenset([*parameters, rest] if rest is not None else parameters)
    return Made(function, result, own)


def _name(expression: Expression) -> str:
    found = keyword(expression)
    if not found:
        detail = "Each parameter name must be an identifier."
        raise Diagnostics([Diagnostic("Invalid param element", detail, expression.range)])
    return found
