"""Attributes and elements of values, and what is said where they are not there."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.positions import Diagnostic, Range
from hyperbox.hcl.types import DYNAMIC, NUMBER, STRING, friendly
from hyperbox.hcl.values import ANY, Value, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.numbers import Number

_NOT_THERE = "The given key does not identify an element in this collection value"


def attribute(value: Value, name: str, place: Range, problems: list[Diagnostic]) -> Value:
    """Return `value.name`."""
    type = value.type
    if value.null:
        detail = "This value is null, so it does not have any attributes."
        return _told(problems, "Attempt to get attribute from null value", detail, place)
    if type == DYNAMIC:
        return ANY
    if type.kind == "object":
        types = dict(type.attributes)
        if name in types:
            return value.fields[name] if value.known else unknown(types[name])
        detail = f"This object does not have an attribute named {quote(name)}."
    elif type.kind == "map":
        if not value.known:
            return unknown(type.inner)
        if name in value.fields:
            return value.fields[name]
        detail = f"This map does not have an element with the key {quote(name)}."
        return _told(problems, "Missing map element", detail, place)
    elif type.kind in ("list", "set") and type.inner.kind == "object":
        detail = _list_of_objects(type.kind, name, dict(type.inner.attributes))
    elif type.primitive:
        detail = f"Can't access attributes on a primitive-typed value ({friendly(type)})."
    else:
        detail = "This value does not have any attributes."
    return _told(problems, "Unsupported attribute", detail, place)


def _list_of_objects(kind: str, name: str, attributes: dict[str, object]) -> str:
    lead = f"Can't access attributes on a {kind} of objects. Did you mean to access"
    if kind == "set":
        return f"{lead} an attribute across all elements of the set?"
    what = f"attribute {quote(name)}" if name in attributes else "an attribute"
    return f"{lead} {what} for a specific element of the list, or across all elements of the list?"


def element(value: Value, key: Value, place: Range, problems: list[Diagnostic]) -> Value:
    """Return `value[key]`."""
    summary = "Invalid index"
    type = value.type
    if value.null:
        detail = "This value is null, so it does not have any indices."
        return _told(problems, "Attempt to index null value", detail, place)
    if key.null:
        return _told(problems, summary, "Can't use a null value as an indexing key.", place)
    if DYNAMIC in (type, key.type):
        return ANY
    if type.kind == "set":
        detail = (
            "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's "
            "only possible to perform operations across all elements of the set."
        )
        return _told(problems, summary, detail, place)
    if type.kind not in ("list", "tuple", "map", "object"):
        return _told(problems, summary, "This value does not have any indices.", place)
    try:
        converted = convert(key, NUMBER if type.kind in ("list", "tuple") else STRING)
    except ConversionError as error:
        return _told(problems, summary, f"{_NOT_THERE}: {error}.", place)
    if not value.known or not converted.known:
        return unknown(type.inner) if type.collection else ANY
    if type.kind in ("list", "tuple"):
        wrong = wrong_index(converted.number, len(value.items))
        if wrong:
            return _told(problems, summary, f"{_NOT_THERE}: {wrong}.", place)
        return value.items[int(converted.number.value)]
    if converted.text in value.fields:
        return value.fields[converted.text]
    hint = ""
    if type.kind == "object" and key.type == NUMBER:
        hint = " An object only supports looking up attributes by name, not by numeric index."
    return _told(problems, summary, f"{_NOT_THERE}.{hint}", place)


def wrong_index(index: Number, length: int) -> str:
    """Return why a number is no index into so many elements, "" where it is one."""
    if not index.whole:
        return "indexing a sequence requires a whole number, but the given index has a fractional part"
    if index.value < 0:
        return "a negative number is not a valid index for a sequence"
    if index.value < length:
        return ""
    if not length:
        return "the collection has no elements"
    return "the given index is greater than or equal to the length of the collection"


def _told(problems: list[Diagnostic], summary: str, detail: str, place: Range) -> Value:
    problems.append(Diagnostic(summary, detail, place))
    return ANY
