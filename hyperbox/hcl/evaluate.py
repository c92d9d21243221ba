"""Evaluating expressions: each kind of node has its function; what is wrong is gathered, and an unknown value stands for it."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl import access
from hyperbox.hcl.convert import ConversionError, convert, convertible, unify
from hyperbox.hcl.evaluate_calls import evaluate_call
from hyperbox.hcl.evaluate_for import evaluate_for, evaluate_splat
from hyperbox.hcl.functions import FunctionError, call
from hyperbox.hcl.operators import OPERATORS, UNARY
from hyperbox.hcl.positions import Diagnostic, Range, between, did_you_mean
from hyperbox.hcl.syntax import (
    Binary,
    Call,
    Conditional,
    Element,
    Expression,
    For,
    GetAttribute,
    Join,
    JsonArray,
    JsonObject,
    JsonText,
    Key,
    Literal,
    Object,
    Parentheses,
    Reference,
    Relative,
    Splat,
    Symbol,
    Template,
    Tuple,
    Unary,
    Wrap,
    keyword,
)
from hyperbox.hcl.types import BOOL, DYNAMIC, STRING, Type, friendly
from hyperbox.hcl.values import ANY, Value, object_value, string, tuple_value, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.hcl.scope import Scope
    from hyperbox.hcl.syntax import Step

Problems = list[Diagnostic]


def evaluate(expression: Expression, scope: Scope | None, problems: Problems) -> Value:
    """Return an expression's value; None as the scope: only constants are allowed."""
    if scope is not None:
        scope.budget.charge(1)
    return _EVALUATORS[type(expression)](expression, scope, problems)


def _literal(expression: Literal, scope: Scope | None, problems: Problems) -> Value:
    return expression.value


def _wrapped(expression: Parentheses | Wrap, scope: Scope | None, problems: Problems) -> Value:
    return evaluate(expression.wrapped, scope, problems)


def _symbol(expression: Symbol, scope: Scope | None, problems: Problems) -> Value:
    found = scope.variable(expression.name) if scope is not None else None
    return ANY if found is None else found


def _reference(expression: Reference, scope: Scope | None, problems: Problems) -> Value:
    name, place = expression.root.name, expression.root.range
    if scope is None or not scope.has(lambda each: each.variables):
        problems.append(Diagnostic("Variables not allowed", "Variables may not be used here.", place))
        return ANY
    value = scope.variable(name)
    if value is None:
        known = {each for level in scope.chain() for each in level.variables or () if not each.startswith("*")}
        detail = f"There is no variable named {quote(name)}.{did_you_mean(name, known)}"
        problems.append(Diagnostic("Unknown variable", detail, place))
        return ANY
    return _walk(value, expression.steps, problems)


def _relative(expression: Relative, scope: Scope | None, problems: Problems) -> Value:
    return _walk(evaluate(expression.source, scope, problems), expression.steps, problems)


def _walk(value: Value, steps: Sequence[Step], problems: Problems) -> Value:
    for step in steps:
        mark = len(problems)
        if isinstance(step, GetAttribute):
            value = access.attribute(value, step.name, step.range, problems)
        else:
            value = access.element(value, step.key, step.range, problems)
        if len(problems) > mark:
            return ANY
    return value


def _element(expression: Element, scope: Scope | None, problems: Problems) -> Value:
    collection = evaluate(expression.collection, scope, problems)
    key = evaluate(expression.key, scope, problems)
    return access.element(collection, key, expression.bracket_range, problems)


def _tuple(expression: Tuple | JsonArray, scope: Scope | None, problems: Problems) -> Value:
    items = [evaluate(item, scope, problems) for item in expression.items]
    _charge(scope, items)
    return tuple_value(items)


def _charge(scope: Scope | None, items: Sequence[Value]) -> None:
    if scope is not None:
        scope.budget.charge(len(items))


def _key(expression: Key, scope: Scope | None, problems: Problems) -> Value:
    wrapped = expression.wrapped
    if not expression.forced:
        if isinstance(wrapped, Reference) and wrapped.steps:
            detail = (
                "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal "
                "name containing periods, wrap it in quotes to create a string literal."
            )
            problems.append(Diagnostic("Ambiguous attribute key", detail, expression.range))
            return ANY
        if name := keyword(wrapped):
            return string(name)
    return evaluate(wrapped, scope, problems)


def _object(expression: Object, scope: Scope | None, problems: Problems) -> Value:
    fields: dict[str, Value] = {}
    known = True
    for key_expression, value_expression in expression.items:
        mark = len(problems)
        key = evaluate(key_expression, scope, problems)
        failed = len(problems) > mark
        value = evaluate(value_expression, scope, problems)
        if failed:
            known = False
        elif key.null:
            problems.append(Diagnostic("Null value as key", "Can't use a null value as a key.", value_expression.range))
            known = False
        else:
            name = _name_of(key, key_expression.range, problems)
            known &= name is not None
            fields[name or ""] = value
    _charge(scope, list(fields.values()))
    return object_value(fields) if known else ANY


def _name_of(key: Value, place: Range, problems: Problems) -> str | None:
    try:
        converted = convert(key, STRING)
    except ConversionError as error:
        problems.append(Diagnostic("Incorrect key type", f"Can't use this value as a key: {error}.", place))
        return None
    return converted.text if converted.known else None


def _operand(value: Value, want: Type, side: str, place: Range, problems: Problems) -> Value:
    try:
        return convert(value, want)
    except ConversionError as error:
        detail = f"Unsuitable value for {side} operand: {error}."
        problems.append(Diagnostic("Invalid operand", detail, place))
        return ANY


def _binary(expression: Binary, scope: Scope | None, problems: Problems) -> Value:
    """Evaluate a chain of operators from its innermost left operand on, so that a long one is not a deep one."""
    chain = [expression]
    while isinstance(chain[-1].left, Binary):
        chain.append(chain[-1].left)
    mark = len(problems)
    left = evaluate(chain[-1].left, scope, problems)
    for link in reversed(chain):
        left = _operate(link, left, mark, scope, problems)
    return left


def _operate(link: Binary, left: Value, mark: int, scope: Scope | None, problems: Problems) -> Value:
    function, result = OPERATORS[link.operator]
    right = evaluate(link.right, scope, problems)
    if scope is not None:
        scope.budget.charge(left.size + right.size)
    one = _operand(left, function.parameters[0].type, "left", link.left.range, problems)
    other = _operand(right, function.parameters[1].type, "right", link.right.range, problems)
    if len(problems) > mark:
        return unknown(result)
    try:
        return call(function, (one, other))
    except FunctionError as error:
        problems.append(Diagnostic("Operation failed", f"Error during operation: {error}.", link.range))
        return unknown(result)


def _unary(expression: Unary, scope: Scope | None, problems: Problems) -> Value:
    mark = len(problems)
    function, result = UNARY[expression.operator]
    value = evaluate(expression.operand, scope, problems)
    operand = _operand(value, function.parameters[0].type, "unary", expression.operand.range, problems)
    if len(problems) > mark:
        return unknown(result)
    try:
        return call(function, (operand,))
    except FunctionError as error:
        problems.append(Diagnostic("Operation failed", f"Error during operation: {error}.", expression.range))
        return unknown(result)


def _conditional(expression: Conditional, scope: Scope | None, problems: Problems) -> Value:
    """Both results are evaluated, for their types; what is wrong with the one that is not chosen is not told."""
    true_problems: Problems = []
    false_problems: Problems = []
    true = evaluate(expression.true, scope, true_problems)
    false = evaluate(expression.false, scope, false_problems)
    if scope is not None:
        scope.budget.charge(true.size + false.size)
    result = _result_type(true, false)
    if result is None:
        reason = describe_difference(true.type, false.type)
        detail = f"The true and false result expressions must have consistent types. {reason}."
        place = between(expression.true.range, expression.false.range)
        problems.append(Diagnostic("Inconsistent conditional result types", detail, place))
        return ANY
    choice = _condition(evaluate(expression.condition, scope, problems), expression, problems)
    if choice is None:
        return unknown(result)
    problems += true_problems if choice else false_problems
    chosen = true if choice else false
    try:
        return chosen if result == DYNAMIC or chosen.type == result else convert(chosen, result)
    except ConversionError as error:
        detail = f"The {str(choice).lower()} result value has the wrong type: {error}."
        place = (expression.true if choice else expression.false).range
        problems.append(Diagnostic("Inconsistent conditional result types", detail, place))
        return unknown(result)


def _result_type(true: Value, false: Value) -> Type | None:
    for one, other in ((true, false), (false, true)):
        if one.null and one.type == DYNAMIC:
            return other.type
    if DYNAMIC in (true.type, false.type):
        return DYNAMIC
    return true.type if true.type == false.type else unify((true.type, false.type), unsafe=True)


def _condition(value: Value, expression: Conditional, problems: Problems) -> bool | None:
    place = expression.condition.range
    if value.null:
        detail = "The condition value is null. Conditions must either be true or false."
        problems.append(Diagnostic("Null condition", detail, place))
        return None
    if not value.known:
        return None
    try:
        return bool(convert(value, BOOL).data)
    except ConversionError:
        detail = "The condition expression must be of type bool."
        problems.append(Diagnostic("Incorrect condition type", detail, place))
        return None


def describe_difference(true: Type, false: Type) -> str:
    """Return how the types of a conditional's results differ, as HCL says it."""
    if true.kind == false.kind == "object":
        one, other = dict(true.attributes), dict(false.attributes)
        for name, each in one.items():
            if name not in other:
                return f"The 'true' value includes object attribute {quote(name)}, which is absent in the 'false' value"
            if each != other[name]:
                return f"Type mismatch for object attribute {quote(name)}: {describe_difference(each, other[name])}"
        for name in other:
            if name not in one:
                return f"The 'false' value includes object attribute {quote(name)}, which is absent in the 'true' value"
    elif true.kind == false.kind == "tuple":
        if len(true.items) != len(false.items):
            return f"The 'true' tuple has length {len(true.items)}, but the 'false' tuple has length {len(false.items)}"
        for place, (each, against) in enumerate(zip(true.items, false.items, strict=True)):
            if each != against:
                return f"Type mismatch for tuple element {place}: {describe_difference(each, against)}"
    elif true.kind == false.kind and true.collection and true.inner.kind == false.inner.kind in ("object", "tuple"):
        return f"Mismatched {true.kind} element types: {describe_difference(true.inner, false.inner)}"
    if friendly(true) == friendly(false):
        return "At least one deeply-nested attribute or element is not compatible across both the 'true' and the 'false' value"
    return f"The 'true' value is {friendly(true)}, but the 'false' value is {friendly(false)}"


def _template(expression: Template, scope: Scope | None, problems: Problems) -> Value:
    texts: list[str] = []
    known = True
    summary = "Invalid template interpolation value"
    for part in expression.parts:
        value = evaluate(part, scope, problems)
        if value.null:
            detail = "The expression result is null. Cannot include a null value in a string template."
            problems.append(Diagnostic(summary, detail, part.range))
        elif not value.known:
            known = False
        else:
            try:
                texts.append(convert(value, STRING).text)
            except ConversionError as error:
                detail = f"Cannot include the given value in a string template: {error}."
                problems.append(Diagnostic(summary, detail, part.range))
    return _joined(texts, scope) if known else unknown(STRING)


def _joined(texts: list[str], scope: Scope | None) -> Value:
    joined = string("".join(texts))
    if scope is not None:
        scope.budget.charge(joined.size)
    return joined


def _join(expression: Join, scope: Scope | None, problems: Problems) -> Value:
    items = evaluate(expression.items, scope, problems)
    if not items.known or items.type == DYNAMIC:
        return unknown(STRING)
    texts = []
    summary = "Invalid template interpolation value"
    for item in items.items:
        if item.null:
            detail = "An iteration result is null. Cannot include a null value in a string template."
            problems.append(Diagnostic(summary, detail, expression.range))
        elif not item.known:
            return unknown(STRING)
        elif convertible(item.type, STRING, unsafe=True):
            texts.append(convert(item, STRING).text)
    return _joined(texts, scope)


def _json_text(expression: JsonText, scope: Scope | None, problems: Problems) -> Value:
    if scope is None:
        return string(expression.text)
    if expression.template is None:
        problems += [each for each in expression.problems if isinstance(each, Diagnostic)]
        return ANY
    return evaluate(expression.template, scope, problems)


def _json_object(expression: JsonObject, scope: Scope | None, problems: Problems) -> Value:
    fields: dict[str, Value] = {}
    places: dict[str, Range] = {}
    known = True
    for name_expression, value_expression in expression.items:
        key = evaluate(name_expression, scope, problems)
        value = evaluate(value_expression, scope, problems)
        place = name_expression.range
        if key.null:
            detail = "Cannot use null value as an object key."
            problems.append(Diagnostic("Invalid object key expression", detail, place))
            continue
        if not key.known:
            known = False
            continue
        try:
            name = convert(key, STRING).text
        except ConversionError as error:
            detail = f"Cannot use this expression as an object key: {error}."
            problems.append(Diagnostic("Invalid object key expression", detail, place))
            continue
        if name in fields:
            detail = f"An attribute named {quote(name)} was already defined at {places[name]}."
            problems.append(Diagnostic("Duplicate object attribute", detail, place))
            continue
        fields[name], places[name] = value, place
    return object_value(fields) if known else ANY


_EVALUATORS: dict[type, Callable[..., Value]] = {
    Literal: _literal,
    Reference: _reference,
    Relative: _relative,
    Call: evaluate_call,
    Conditional: _conditional,
    Element: _element,
    Tuple: _tuple,
    Key: _key,
    Object: _object,
    For: evaluate_for,
    Splat: evaluate_splat,
    Symbol: _symbol,
    Binary: _binary,
    Unary: _unary,
    Parentheses: _wrapped,
    Template: _template,
    Wrap: _wrapped,
    Join: _join,
    JsonText: _json_text,
    JsonArray: _tuple,
    JsonObject: _json_object,
}
