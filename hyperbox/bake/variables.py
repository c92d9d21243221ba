"""Variables of bake files: their types, their defaults, and what the environment says in place of those."""

from __future__ import annotations

import csv
import math
from typing import NamedTuple

from hyperbox.bake.merged import body_of
from hyperbox.go.text import invalid_syntax, parse_bool
from hyperbox.hcl import numbers
from hyperbox.hcl.body import Schema
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.evaluate import evaluate
from hyperbox.hcl.functions import FunctionError
from hyperbox.hcl.functions_encoding import FUNCTIONS as ENCODINGS
from hyperbox.hcl.positions import Diagnostic, Range
from hyperbox.hcl.syntax import Attribute, Block, Expression, start_range
from hyperbox.hcl.type_expressions import type_constraint
from hyperbox.hcl.types import BOOL, DYNAMIC, STRING, Type, friendly, map_of
from hyperbox.hcl.values import Value, boolean, list_value, map_value, number, set_value, string, tuple_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_SCHEMA = Schema({"default": False, "type": False, "description": False}, {"validation": ()})
_VALIDATION = Schema({"condition": False, "error_message": False})


class ResolveError(Exception):
    """What keeps a name from being resolved. `undefined`: there is no such name."""

    def __init__(self, message: str, *, undefined: bool = False) -> None:
        super().__init__(message)
        self.undefined = undefined


class Validation(NamedTuple):
    condition: Expression
    message: Expression | None


class Variable(NamedTuple):
    """A variable as it is defined; `type` is None where none is given."""

    name: str
    default: Attribute | None
    type: Type | None
    description: str
    validations: tuple[Validation, ...]
    place: Range


class Listed(NamedTuple):
    """A variable as --list shows it."""

    name: str
    type: str
    value: str | None
    description: str


def variable_of(block: Block, problems: list[Diagnostic]) -> Variable:
    """Return the variable that a block defines."""
    body = body_of(block)
    content, _ = body.take(_SCHEMA, problems)
    attributes = content.attributes
    type = None
    if "type" in attributes:
        told: list[Diagnostic] = []
        type = type_constraint(attributes["type"].expression, told)
        problems += told
    validations = []
    for each in content.blocks:
        inner = body_of(each).take_all(_VALIDATION, problems).attributes
        if "condition" in inner:
            message = inner["error_message"].expression if "error_message" in inner else None
            validations.append(Validation(inner["condition"].expression, message))
    description = _description(attributes.get("description"), problems)
    return Variable(
        block.labels[0], attributes.get("default"), type, description, tuple(validations), body.missing_range
    )


def _description(attribute: Attribute | None, problems: list[Diagnostic]) -> str:
    if attribute is None:
        return ""
    mark = len(problems)
    value = evaluate(attribute.expression, None, problems)
    try:
        found = convert(value, STRING)
    except ConversionError as error:
        reason = str(error)
    else:
        if isinstance(found.data, str):
            return found.data
        reason = "null value is not allowed" if found.null else "value must be known"
    if len(problems) == mark or reason:
        place = start_range(attribute.expression)
        problems.append(Diagnostic("Unsuitable value type", f"Unsuitable value: {reason}", place))
    return ""


def with_default(variable: Variable, default: Value | None) -> Value:
    """Return a variable's default as a value of its type. Raises ResolveError."""
    if variable.type is None:
        return string("") if default is None else default
    if default is None:
        return Value(variable.type, None)
    try:
        return convert(default, variable.type)
    except ConversionError as error:
        name = friendly(variable.type)
        raise ResolveError(f"invalid type {name} for variable {variable.name} default value: {error}") from None


def overridden(variable: Variable, value: Value, lookup: Callable[[str], str | None]) -> Value:
    """Return what the environment says of a variable, else its value. Raises ResolveError."""
    written = lookup(f"{variable.name}_JSON") if variable.type is not None else None
    if written is not None and variable.type is not None:
        return _from_json(variable.name, variable.type, written)
    given = lookup(variable.name)
    if given is None:
        return value
    type = value.type if variable.type is None else variable.type
    if variable.type is None and (type == DYNAMIC or variable.default is None):
        return string(given)
    if type.primitive:
        return _primitive(variable.name, type, given)
    if variable.type is None or type.kind in ("object", "dynamic"):
        raise ResolveError(f"unsupported type {friendly(type)} for variable {variable.name}")
    try:
        return _from_csv(variable.name, type, given)
    except ResolveError as error:
        raise ResolveError(f"failed to convert variable {variable.name} from CSV: {error}") from None


def _from_json(name: str, type: Type, written: str) -> Value:
    try:
        return convert(ENCODINGS["jsondecode"].run(string(written)), type)
    except (FunctionError, ConversionError) as error:
        raise ResolveError(f"failed to convert variable {name} from JSON: {error}") from None


def _primitive(name: str, type: Type, given: str) -> Value:
    if type == STRING:
        return string(given)
    if type == BOOL:
        try:
            return boolean(parse_bool(given))
        except ValueError as error:
            raise ResolveError(f"failed to parse {name} as bool: {error}") from None
    try:
        found = float(given)
    except ValueError:
        raise ResolveError(f"failed to parse {name} as number: {invalid_syntax('ParseFloat', given)}") from None
    if not math.isfinite(found):
        raise ResolveError(f"failed to parse {name} as number: invalid number value")
    return number(numbers.from_float(found))


def _from_csv(name: str, type: Type, given: str) -> Value:
    kinds = type.items if type.kind == "tuple" else (type.inner,)
    if not all(each.primitive for each in kinds):
        raise ResolveError(f"unsupported type {friendly(type)} for CSV specification")
    pieces = _pieces(given)
    if type.kind == "map":
        return _map_from_csv(name, type, pieces)
    if type.kind == "tuple" and len(pieces) != len(kinds):
        raise ResolveError(f"tuple expects {len(kinds)} elements but only {len(pieces)} provided")
    items = []
    for place, piece in enumerate(pieces):
        try:
            items.append(_primitive(name, kinds[place] if type.kind == "tuple" else kinds[0], piece))
        except ResolveError as error:
            raise ResolveError(f"failed to parse element of type {friendly(type)}: {error}") from None
    if type.kind == "tuple":
        return tuple_value(items)
    return (set_value if type.kind == "set" else list_value)(items, kinds[0])


def _map_from_csv(name: str, type: Type, pieces: list[str]) -> Value:
    fields = {}
    for piece in pieces:
        parts = piece.split(":")
        if len(parts) != 2:
            raise ResolveError(f"expected one k/v pair but got {len(parts)} pieces from {piece}")
        try:
            fields[parts[0]] = _primitive(name, type.inner, parts[1])
        except ResolveError as error:
            raise ResolveError(f"failed to parse element from type {friendly(map_of(type.inner))}: {error}") from None
    return map_value(fields, type.inner)


def _pieces(given: str) -> list[str]:
    if not given:
        raise ResolveError("failed to parse  as CSV: EOF")
    try:
        return next(csv.reader([given], strict=True))
    except csv.Error:
        reason = 'extraneous or missing " in quoted-field'
        raise ResolveError(
            f"failed to parse {given} as CSV: parse error on line 1, column {len(given)}: {reason}"
        ) from None


def validate(variable: Variable, scope: object, problems: list[Diagnostic]) -> None:
    """Tell of the conditions of a variable that its value does not meet."""
    from hyperbox.hcl.scope import Scope

    assert isinstance(scope, Scope)
    for condition, message in variable.validations:
        mark = len(problems)
        found = evaluate(condition, scope, problems)
        if len(problems) > mark:
            continue
        try:
            holds = convert(found, BOOL) if found.type == DYNAMIC or found.type == STRING else found
        except ConversionError:
            holds = found
        if holds.type != BOOL or not isinstance(holds.data, bool):
            reason = "bool required" if not found.null else "condition must not be null"
            detail = f"Invalid condition result value: {reason}"
            problems.append(Diagnostic("Invalid condition result", detail, condition.range))
        elif not holds.data:
            text = evaluate(message, scope, problems) if message is not None else string("")
            if len(problems) == mark:
                shown = text.data if isinstance(text.data, str) else ""
                problems.append(Diagnostic("Validation failed", shown, condition.range))


def listed(variable: Variable, value: Value) -> Listed:
    """Return how --list shows a variable."""
    from hyperbox.hcl.functions_format import to_json

    shown: str | None = None
    if not value.null:
        shown = value.text if value.type == STRING and value.known else to_json(value)
    return Listed(variable.name, "" if variable.type is None else friendly(variable.type), shown, variable.description)
