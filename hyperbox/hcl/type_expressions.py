"""Types as a source writes them: `string`, `list(number)`, `object({name = string, port = optional(number)})`."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl.positions import Diagnostic, Range, between
from hyperbox.hcl.syntax import (
    Call,
    Expression,
    JsonArray,
    JsonObject,
    JsonText,
    Key,
    Object,
    Parentheses,
    Tuple,
    keyword,
)
from hyperbox.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, Type, list_of, map_of, object_of, set_of, tuple_of

Problems = list[Diagnostic]
_SIMPLE = {"bool": BOOL, "string": STRING, "number": NUMBER}
_COLLECTIONS = {"list": list_of, "set": set_of, "map": map_of}
_OBJECT = "The object type constructor requires one argument specifying the attribute types and values as a map."
_TUPLE = "The tuple type constructor requires one argument specifying the element types as a list."


def exact_type(expression: Expression, problems: Problems) -> Type:
    """Return the type that an expression writes, which may not leave anything open."""
    return _type(expression, problems, constraint=False)


def type_constraint(expression: Expression, problems: Problems) -> Type:
    """Return the type that an expression writes: `any` and optional attributes are allowed."""
    return _type(expression, problems, constraint=True)


def _told(problems: Problems, detail: str, place: Range) -> Type:
    problems.append(Diagnostic("Invalid type specification", detail, place))
    return DYNAMIC


def _needs_argument(name: str) -> str:
    if name in _COLLECTIONS:
        return f"The {name} type constructor requires one argument specifying the element type."
    return _OBJECT if name == "object" else _TUPLE


def _type(expression: Expression, problems: Problems, *, constraint: bool) -> Type:
    word = keyword(expression)
    if word in _SIMPLE:
        return _SIMPLE[word]
    if word == "any":
        if constraint:
            return DYNAMIC
        detail = 'The keyword "any" cannot be used in this type specification: an exact type is required.'
        return _told(problems, detail, expression.range)
    if word in _COLLECTIONS or word in ("object", "tuple"):
        return _told(problems, _needs_argument(word), expression.range)
    if word:
        return _told(problems, f"The keyword {quote(word)} is not a valid type specification.", expression.range)
    call = call_of(expression)
    if call is None:
        detail = (
            "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, "
            "like list(string)."
        )
        return _told(problems, detail, expression.range)
    return _constructed(call, expression, problems, constraint=constraint)


def call_of(expression: Expression) -> Call | None:
    """Return the call that an expression is, None for any other."""
    if isinstance(expression, JsonText):
        from hyperbox.hcl.json_source import expression_of

        parsed = expression_of(expression)
        return parsed if isinstance(parsed, Call) else None
    if isinstance(expression, Parentheses):
        return None
    return expression if isinstance(expression, Call) else None


def _constructed(call: Call, expression: Expression, problems: Problems, *, constraint: bool) -> Type:
    arguments = between(call.open_range, call.close_range)
    name = call.name
    if name in _SIMPLE:
        return _told(problems, f"Primitive type keyword {quote(name)} does not expect arguments.", arguments)
    if name == "any":
        return _told(problems, 'Type constraint keyword "any" does not expect arguments.', arguments)
    known = name in _COLLECTIONS or name in ("object", "tuple")
    if known and len(call.arguments) != 1:
        more = call.arguments[1:]
        return _told(problems, _needs_argument(name), between(more[0].range, more[-1].range) if more else arguments)
    if name in _COLLECTIONS:
        return _COLLECTIONS[name](_type(call.arguments[0], problems, constraint=constraint))
    if name == "object":
        return _object(call.arguments[0], problems, constraint=constraint)
    if name == "tuple":
        return _tuple(call.arguments[0], problems, constraint=constraint)
    if name == "optional":
        detail = 'Keyword "optional" is valid only as a modifier for object type attributes.'
        return _told(problems, detail, call.name_range)
    return _told(problems, f"Keyword {quote(name)} is not a valid type constructor.", expression.range)


def _tuple(argument: Expression, problems: Problems, *, constraint: bool) -> Type:
    if not isinstance(argument, Tuple | JsonArray):
        return _told(problems, "Tuple type constructor requires a list of element types.", argument.range)
    return tuple_of([_type(item, problems, constraint=constraint) for item in argument.items])


def _object(argument: Expression, problems: Problems, *, constraint: bool) -> Type:
    if not isinstance(argument, Object | JsonObject):
        detail = "Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types."
        return _told(problems, detail, argument.range)
    attributes: dict[str, Type] = {}
    optional = set()
    for key, value in argument.items:
        name = keyword(key)
        if not name:
            _told(problems, "Object constructor map keys must be attribute names.", _key_range(key))
            continue
        inner = _optional(value, problems, constraint=constraint)
        if inner is not value:
            optional.add(name)
        attributes[name] = _type(inner, problems, constraint=constraint)
    return object_of(attributes, frozenset(optional) if constraint else frozenset())


def _key_range(key: Key | JsonText) -> Range:
    return key.range


def _optional(value: Expression, problems: Problems, *, constraint: bool) -> Expression:
    """Return the type within `optional(TYPE)`, any other expression itself."""
    call = call_of(value)
    if call is None or call.name != "optional" or not call.arguments:
        return value
    place = between(call.open_range, call.close_range)
    if not constraint:
        detail = "Optional attribute modifier is only for type constraints, not for exact types."
        _told(problems, detail, call.name_range)
    elif len(call.arguments) != 1:
        _told(problems, "Optional attribute modifier expects only one argument: the attribute type.", place)
    return call.arguments[0]
