"""Evaluating function calls."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.functions import Argument, Closure, Function, FunctionError, call
from hyperbox.hcl.positions import Diagnostic, did_you_mean
from hyperbox.hcl.scope import Scope
from hyperbox.hcl.syntax import Call, Expression, Literal, start_range
from hyperbox.hcl.type_expressions import exact_type
from hyperbox.hcl.types import DYNAMIC
from hyperbox.hcl.values import ANY, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.hcl.functions import Parameter

_INVALID = "Invalid function argument"


def evaluate_call(expression: Call, scope: Scope | None, problems: list[Diagnostic]) -> Value:
    """Return what a call gives."""
    if scope is None or not scope.has(lambda each: each.functions):
        problems.append(Diagnostic("Function calls not allowed", "Functions may not be called here.", expression.range))
        return ANY
    function = scope.function(expression.name)
    if function is None:
        hint = did_you_mean(expression.name, scope.functions or ())
        detail = f"There is no function named {quote(expression.name)}.{hint}"
        problems.append(Diagnostic("Call to unknown function", detail, expression.name_range))
        return ANY
    expressions = _expanded(expression, scope, problems)
    if expressions is None or not _right_number(expression, function, expressions, problems):
        return ANY
    mark = len(problems)
    arguments = _arguments(function, expressions, scope, problems)
    if len(problems) > mark:
        return ANY
    try:
        result = call(function, arguments)
    except FunctionError as error:
        problems.append(_failed(expression, function, expressions, error))
        return ANY
    scope.budget.charge(result.size + sum(each.size for each in arguments if isinstance(each, Value)))
    return result


def _expanded(expression: Call, scope: Scope, problems: list[Diagnostic]) -> Sequence[Expression] | None:
    """Return a call's arguments, those that the last one stands for included; None where it can't be expanded."""
    if not expression.expand:
        return expression.arguments
    from hyperbox.hcl.evaluate import evaluate

    last = expression.arguments[-1]
    mark = len(problems)
    value = evaluate(last, scope, problems)
    if len(problems) > mark or not value.known:
        return None
    if value.type.kind not in ("tuple", "list", "set", "dynamic"):
        detail = "The expanding argument (indicated by ...) must be of a tuple, list, or set type."
    elif value.null:
        detail = "The expanding argument (indicated by ...) must not be null."
    else:
        return (*expression.arguments[:-1], *(Literal(item, last.range) for item in value.items))
    problems.append(Diagnostic("Invalid expanding argument value", detail, last.range))
    return None


def _right_number(
    expression: Call, function: Function, given: Sequence[Expression], problems: list[Diagnostic]
) -> bool:
    wanted = len(function.parameters)
    name = quote(expression.name)
    if len(given) < wanted:
        least = " at least" if function.rest is not None else ""
        missing = quote(function.parameters[len(given)].name)
        detail = f"Function {name} expects{least} {wanted} argument(s). Missing value for {missing}."
        problems.append(Diagnostic("Not enough function arguments", detail, expression.close_range))
        return False
    if function.rest is None and len(given) > wanted:
        detail = f"Function {name} expects only {wanted} argument(s)."
        problems.append(Diagnostic("Too many function arguments", detail, start_range(given[wanted])))
        return False
    return True


def _arguments(
    function: Function, expressions: Sequence[Expression], scope: Scope, problems: list[Diagnostic]
) -> list[Argument]:
    from hyperbox.hcl.evaluate import evaluate

    found: list[Argument] = []
    for place, expression in enumerate(expressions):
        parameter = function.parameter(place)
        assert parameter is not None
        if parameter.closure:
            found.append(Closure(expression, scope))
        elif parameter.type_expression:
            found.append(exact_type(expression, problems))
        else:
            value = evaluate(expression, scope, problems)
            found.append(_converted(value, parameter, expression, problems))
    return found


def _converted(value: Value, parameter: Parameter, expression: Expression, problems: list[Diagnostic]) -> Value:
    if parameter.type == DYNAMIC:
        return value
    try:
        return convert(value, parameter.type)
    except ConversionError as error:
        detail = f"Invalid value for {quote(parameter.name)} parameter: {error}."
        problems.append(Diagnostic(_INVALID, detail, start_range(expression)))
        return ANY


def _failed(expression: Call, function: Function, given: Sequence[Expression], error: FunctionError) -> Diagnostic:
    parameter = function.parameter(error.argument) if error.argument is not None else None
    if parameter is None or error.argument is None:
        detail = f"Call to function {quote(expression.name)} failed: {error}."
        return Diagnostic("Error in function call", detail, start_range(expression))
    detail = f"Invalid value for {quote(parameter.name)} parameter: {error}."
    place = start_range(given[error.argument]) if error.argument < len(given) else expression.range
    return Diagnostic(_INVALID, detail, place)
