"""Conversions between types: what HCL does by itself where a value of another type is wanted, and what it says where it can't."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl import numbers
from hyperbox.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, Type, friendly, settled
from hyperbox.hcl.values import (
    UNKNOWN,
    Value,
    boolean,
    list_value,
    map_value,
    null,
    number,
    object_value,
    set_value,
    string,
    tuple_value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class ConversionError(Exception):
    """A value that can't be converted; the message is cty's."""


def convert(value: Value, want: Type) -> Value:
    """Return a value as one of another type. Raises ConversionError."""
    if value.type == settled(want):
        return value
    if not convertible(value.type, want, unsafe=True):
        raise ConversionError(mismatch(value.type, want))
    return _apply(value, want, unsafe=True)


def convertible(have: Type, want: Type, *, unsafe: bool) -> bool:
    """Return whether values of a type can be (unsafe: can perhaps be) converted to another."""
    if want == DYNAMIC or (unsafe and have == DYNAMIC) or have == settled(want):
        return True
    if have.primitive and want.primitive:
        return want == STRING or (unsafe and have == STRING)
    match (have.kind, want.kind):
        case ("object", "object"):
            attributes = dict(have.attributes)
            return all(
                convertible(attributes[name], each, unsafe=unsafe) if name in attributes else name in want.optional
                for name, each in want.attributes
            )
        case ("tuple", "tuple"):
            pairs = zip(have.items, want.items, strict=False)
            return len(have.items) == len(want.items) and all(convertible(*pair, unsafe=unsafe) for pair in pairs)
        case ("list" | "set", "list") | ("set", "set") | ("map", "map"):
            return convertible(have.inner, want.inner, unsafe=unsafe)
        case ("list", "set"):
            return unsafe and convertible(have.inner, want.inner, unsafe=unsafe)
        case ("tuple", "list" | "set"):
            return _structural(have.items, want.inner, unsafe=unsafe)
        case ("object", "map"):
            return _structural([each for _, each in have.attributes], want.inner, unsafe=unsafe, mixed=True)
        case ("map", "object"):
            return unsafe and all(
                name in want.optional or convertible(have.inner, each, unsafe=unsafe) for name, each in want.attributes
            )
        case _:
            return False


def _structural(types: Sequence[Type], want: Type, *, unsafe: bool, mixed: bool = False) -> bool:
    if not types:
        return True
    if want == DYNAMIC:
        found = unify(types, unsafe=unsafe)
        if found is None:
            return False
        if found == DYNAMIC and not mixed:
            return all(each == DYNAMIC for each in types)
        want = found
    return all(each == want or convertible(each, want, unsafe=unsafe) for each in types)


def _apply(value: Value, want: Type, *, unsafe: bool) -> Value:
    """Convert a value that is convertible by its type."""
    have = value.type
    if want == DYNAMIC or have == settled(want):
        return value
    if not value.known:
        return Value(_replaced(have, settled(want)), UNKNOWN)
    if value.null:
        return null(_replaced(have, settled(want)))
    if have.primitive:
        return _primitive(value, want)
    match (have.kind, want.kind):
        case ("object" | "map", "object"):
            return _to_object(value, want, unsafe=unsafe)
        case ("tuple", "tuple"):
            items = zip(value.items, want.items, strict=True)
            return tuple_value([_apply(item, each, unsafe=unsafe) for item, each in items])
        case (_, "map"):
            return _to_map(value, want, unsafe=unsafe)
        case _:
            return _to_sequence(value, want, unsafe=unsafe)


def _primitive(value: Value, want: Type) -> Value:
    if want == STRING:
        if value.type == BOOL:
            return string("true" if value.data else "false")
        return string(numbers.show(value.number))
    if want == NUMBER:
        found = numbers.parse(value.text)
        if found is None:
            raise ConversionError("a number is required")
        return number(found)
    text = value.text
    if text in ("true", "1", "false", "0"):
        return boolean(text in ("true", "1"))
    if text.lower() in ("true", "false"):
        raise ConversionError(f'a bool is required; to convert from string, use lowercase "{text.lower()}"')
    raise ConversionError("a bool is required")


def _to_object(value: Value, want: Type, *, unsafe: bool) -> Value:
    fields: dict[str, Value] = {}
    wanted = dict(want.attributes)
    for name, each in value.fields.items():
        if name not in wanted:
            continue
        if not convertible(each.type, wanted[name], unsafe=unsafe):
            reason = mismatch(each.type, wanted[name])
            raise ConversionError(f"map element type is incompatible with attribute {quote(name)}: {reason}")
        fields[name] = _apply(each, wanted[name], unsafe=unsafe)
    for name, each_type in wanted.items():
        if name not in fields:
            if name not in want.optional:
                raise ConversionError(f"map has no element for required attribute {quote(name)}")
            fields[name] = null(settled(each_type))
    return object_value(fields)


def _to_sequence(value: Value, want: Type, *, unsafe: bool) -> Value:
    make = set_value if want.kind == "set" else list_value
    items = value.items
    inner = want.inner
    if not items:
        kept = value.type.inner if inner == DYNAMIC and value.type.collection else settled(inner)
        return make((), kept)
    if inner == DYNAMIC and value.type.kind == "tuple":
        inner = unify(value.type.items, unsafe=unsafe) or inner
    converted = [_apply(item, inner, unsafe=unsafe) for item in items]
    if value.type.kind == "tuple" and want.kind == "list":
        converted = _alike(converted, unsafe=unsafe)
    if any(item.type != converted[0].type for item in converted):
        raise ConversionError(f"element types must all match for conversion to {want.kind}")
    return make(converted)


def _to_map(value: Value, want: Type, *, unsafe: bool) -> Value:
    fields = value.fields
    inner = want.inner
    if not fields:
        kept = value.type.inner if inner == DYNAMIC and value.type.collection else settled(inner)
        return map_value({}, kept)
    if inner == DYNAMIC and value.type.kind == "object":
        inner = unify([each for _, each in value.type.attributes], unsafe=unsafe) or inner
    converted = {name: _apply(each, inner, unsafe=unsafe) for name, each in fields.items()}
    if inner.collection or inner.kind == "object":
        converted = dict(zip(converted, _alike(list(converted.values()), unsafe=unsafe), strict=True))
    kinds = list(converted.values())
    if any(each.type != kinds[0].type for each in kinds):
        what = "attribute" if value.type.kind == "object" else "element"
        raise ConversionError(f"{what} types must all match for conversion to map")
    return map_value(converted)


def _alike(items: list[Value], *, unsafe: bool) -> list[Value]:
    common = unify([item.type for item in items], unsafe=unsafe)
    if common is None:
        raise ConversionError("cannot find a common base type for all elements")
    return [_apply(item, common, unsafe=unsafe) for item in items]


def _replaced(have: Type, want: Type) -> Type:
    """Return the type of a value without data: what is wanted, with what is there in place of any type."""
    if have == DYNAMIC or want.primitive:
        return want
    if want == DYNAMIC:
        return have
    if want.element is not None:
        if have.element is not None:
            return Type(want.kind, _replaced(have.element, want.element))
        parts = have.items or tuple(each for _, each in have.attributes)
        common = unify(parts, unsafe=True) if parts else None
        return Type(want.kind, _replaced(common or DYNAMIC, want.element))
    return want


def unify(types: Sequence[Type], *, unsafe: bool) -> Type | None:
    """Return the type to which values of several types are converted where they must be alike, None where there is none."""
    if not types:
        return None
    kinds = {each.kind for each in types}
    others = kinds - {"dynamic"}
    for collection, structure in (("map", "object"), ("list", "tuple"), ("set", None)):
        if collection in kinds and others == {collection}:
            return DYNAMIC if "dynamic" in kinds else _unify_collections(types, unsafe=unsafe)
        if structure and collection in kinds and others == {collection, structure}:
            found = _unify_mixed(types, collection, structure, unsafe=unsafe)
            if found is not None:
                return found
    if others in ({"object"}, {"tuple"}):
        return DYNAMIC if "dynamic" in kinds else _unify_structures(types, unsafe=unsafe)
    if {"object", "tuple"} <= kinds:
        return None
    for want in _by_generality(types):
        if all(each == want or convertible(each, want, unsafe=unsafe) for each in types):
            return want
    return None


def _unify_collections(types: Sequence[Type], *, unsafe: bool) -> Type | None:
    inner = unify([each.inner for each in types], unsafe=unsafe)
    if inner is None:
        return None
    found = Type(types[0].kind, inner)
    return found if all(each == found or convertible(each, found, unsafe=unsafe) for each in types) else None


def _unify_mixed(types: Sequence[Type], collection: str, structure: str, *, unsafe: bool) -> Type | None:
    gathered = _gathered([each for each in types if each.kind == structure], collection, unsafe=unsafe)
    if gathered is None:
        return None
    found = unify([gathered if each.kind == structure else each for each in types], unsafe=unsafe)
    return found if found is not None and found.kind == collection else None


def _gathered(types: Sequence[Type], collection: str, *, unsafe: bool) -> Type | None:
    """Return the list or map that several tuples or objects become together."""
    inner = unify([part for each in types for part in parts_of(each)], unsafe=unsafe)
    if inner is None:
        return None
    found = Type(collection, inner)
    return found if all(convertible(each, found, unsafe=unsafe) for each in types) else None


def parts_of(type: Type) -> tuple[Type, ...]:
    return type.items if type.kind == "tuple" else tuple(each for _, each in type.attributes)


def _unify_structures(types: Sequence[Type], *, unsafe: bool) -> Type | None:
    first = types[0]
    collection = "list" if first.kind == "tuple" else "map"
    names = [name for name, _ in first.attributes]
    if any(len(each.items) != len(first.items) or [name for name, _ in each.attributes] != names for each in types):
        return _gathered(types, collection, unsafe=unsafe)
    columns = zip(*(parts_of(each) for each in types), strict=True)
    unified = [unify(column, unsafe=unsafe) for column in columns]
    parts = [each for each in unified if each is not None]
    if len(parts) != len(unified):
        return None
    attributes = tuple(zip(names, parts, strict=True)) if first.kind == "object" else ()
    found = Type(first.kind, attributes=attributes, items=tuple(parts) if first.kind == "tuple" else ())
    if all(each == found or convertible(each, found, unsafe=unsafe) for each in types):
        return found
    return _gathered(types, collection, unsafe=unsafe)


def _by_generality(types: Sequence[Type]) -> list[Type]:
    """Return types, those first to which the others are rather converted."""
    order = {"dynamic": 0, "string": 1}
    return sorted(types, key=lambda each: order.get(each.kind, 2))


def mismatch(have: Type, want: Type) -> str:
    """Return why a type can't be converted to another."""
    if have.kind == want.kind == "object":
        return _object_mismatch(have, want)
    if want.element == DYNAMIC and (have.kind, want.kind) in (("tuple", "list"), ("tuple", "set"), ("object", "map")):
        return f"all {want.kind} elements must have the same type"
    if have.kind in ("tuple", "object") and want.collection:
        return _element_mismatch(have, want)
    if have.collection and want.collection:
        fits = have.kind == "map" if want.kind == "map" else have.kind in ("list", "set")
        if fits:
            return f"incorrect {want.kind} element type: {mismatch(have.inner, want.inner)}"
    return f"{friendly(want, constraint=True)} required"


def _object_mismatch(have: Type, want: Type) -> str:
    attributes = dict(have.attributes)
    missing = [name for name, _ in want.attributes if name not in attributes and name not in want.optional]
    if missing:
        names = [quote(name) for name in missing]
        if len(names) == 1:
            return f"attribute {names[0]} is required"
        if len(names) == 2:
            return f"attributes {names[0]} and {names[1]} are required"
        return f"attributes {', '.join(names[:-1])}, and {names[-1]} are required"
    for name, each in want.attributes:
        if name in attributes and not convertible(attributes[name], each, unsafe=True):
            return f"attribute {quote(name)}: {mismatch(attributes[name], each)}"
    return "incorrect object attributes"


def _element_mismatch(have: Type, want: Type) -> str:
    structure = "object" if want.kind == "map" else "tuple"
    if have.kind != structure:
        return f"{friendly(want, constraint=True)} required"
    names = [str(index) for index in range(len(have.items))] or [quote(name) for name, _ in have.attributes]
    for name, each in zip(names, parts_of(have), strict=True):
        if not convertible(each, want.inner, unsafe=True):
            return f"element {name}: {mismatch(each, want.inner)}"
    return f"all elements must be {friendly(want.inner, constraint=True)}"
