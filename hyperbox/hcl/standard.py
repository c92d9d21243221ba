"""The functions that every definition has."""

from __future__ import annotations

from hyperbox.hcl import (
    functions_collections,
    functions_encoding,
    functions_format,
    functions_network,
    functions_numbers,
    functions_regex,
    functions_sets,
    functions_text,
    functions_time,
)
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.functions import Closure, Function, FunctionError, Parameter
from hyperbox.hcl.positions import Diagnostic
from hyperbox.hcl.syntax import references
from hyperbox.hcl.types import Type
from hyperbox.hcl.values import ANY, FALSE, TRUE, Value, unknown, wholly_known

_TYPE = Parameter("type", type_expression=True)


def _evaluated(closure: Closure) -> tuple[Value, list[Diagnostic]]:
    from hyperbox.hcl.evaluate import evaluate

    problems: list[Diagnostic] = []
    return evaluate(closure.expression, closure.scope, problems), problems


def _open(closure: Closure) -> bool:
    """Return whether an argument depends on something that is not known."""
    from hyperbox.hcl.evaluate import evaluate

    for reference in references(closure.expression):
        problems: list[Diagnostic] = []
        value = evaluate(reference, closure.scope, problems)
        if not problems and not wholly_known(value):
            return True
    return False


def _try(*closures: Closure) -> Value:
    if not closures:
        raise FunctionError("at least one argument is required")
    told: list[Diagnostic] = []
    for closure in closures:
        if _open(closure):
            return ANY
        value, problems = _evaluated(closure)
        if not problems:
            return value
        told += problems
    lines = ["no expression succeeded:"]
    for summary, detail, subject in told:
        lines += [f"- {summary} (at {subject})" if subject is not None else f"- {summary}", f"  {detail}"]
    raise FunctionError("\n".join([*lines, "", "At least one expression must produce a successful result"]))


def _can(closure: Closure) -> Value:
    if _open(closure):
        return unknown(TRUE.type)
    return FALSE if _evaluated(closure)[1] else TRUE


def _convert(value: Value, type: Type) -> Value:
    try:
        return convert(value, type)
    except ConversionError as error:
        raise FunctionError(str(error), 0) from None


_CONTROL = {
    "can": Function(_can, (Parameter("expression", closure=True),)),
    "convert": Function(_convert, (Parameter("value", allow_null=True), _TYPE)),
    "try": Function(_try, (), Parameter("expressions", closure=True)),
}


def standard_functions() -> dict[str, Function]:
    """Return the functions by their names."""
    found: dict[str, Function] = dict(_CONTROL)
    for module in (
        functions_collections,
        functions_encoding,
        functions_format,
        functions_network,
        functions_numbers,
        functions_regex,
        functions_sets,
        functions_text,
        functions_time,
    ):
        found |= module.FUNCTIONS
    return found
