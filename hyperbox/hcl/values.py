"""Values: a type and the data of it. None as data is null; UNKNOWN stands for what an error kept from being computed."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from hyperbox.hcl import numbers
from hyperbox.hcl.numbers import Number
from hyperbox.hcl.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    Type,
    list_of,
    map_of,
    object_of,
    set_of,
    tuple_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST = 300_000  # parts of one value; more can only be there to use up memory and time


class LimitError(Exception):
    """A definition asks for more than any real one: the message says of what."""


class Unknown:
    """The data of a value that is not known."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class Value(NamedTuple):
    """A value. `data`: str, bool, Number, bytes; a tuple of values (list, set, tuple); a dict of them (map, object); None; UNKNOWN."""

    type: Type
    data: object
    size: int = 1

    @property
    def null(self) -> bool:
        return self.data is None

    @property
    def known(self) -> bool:
        return self.data is not UNKNOWN

    @property
    def items(self) -> tuple[Value, ...]:
        """The elements of a list, set or tuple."""
        assert isinstance(self.data, tuple)
        return self.data

    @property
    def fields(self) -> dict[str, Value]:
        """The elements of a map or an object."""
        assert isinstance(self.data, dict)
        return self.data

    @property
    def text(self) -> str:
        assert isinstance(self.data, str)
        return self.data

    @property
    def number(self) -> Number:
        assert isinstance(self.data, Number)
        return self.data


ANY = Value(DYNAMIC, UNKNOWN)
NULL = Value(DYNAMIC, None)
TRUE = Value(BOOL, True)
FALSE = Value(BOOL, False)


def string(text: str) -> Value:
    if len(text) > MOST * 64:
        raise LimitError("a text is too long")
    return Value(STRING, text, 1 + len(text) // 64)


def number(value: int | Number) -> Value:
    return Value(NUMBER, value if isinstance(value, Number) else numbers.whole(value))


def boolean(value: bool) -> Value:
    return TRUE if value else FALSE


def null(type: Type) -> Value:
    return Value(type, None)


def unknown(type: Type) -> Value:
    return Value(type, UNKNOWN)


def tuple_value(items: Sequence[Value]) -> Value:
    kept = tuple(items)
    return Value(tuple_of([item.type for item in kept]), kept, _size(kept))


def list_value(items: Sequence[Value], element: Type | None = None) -> Value:
    """Return a list; its elements' type is that of the first one where it is not given."""
    kept = tuple(items)
    return Value(list_of(kept[0].type if element is None else element), kept, _size(kept))


def set_value(items: Sequence[Value], element: Type | None = None) -> Value:
    """Return a set: each value once, in the order in which sets are gone through."""
    inner = items[0].type if element is None else element
    unique: list[Value] = []
    seen = set()
    for item in items:
        mark = frozen(item)
        if mark not in seen:
            seen.add(mark)
            unique.append(item)
    kept = tuple(sorted(unique, key=_set_order))
    return Value(set_of(inner), kept, _size(kept))


def map_value(fields: Mapping[str, Value], element: Type | None = None) -> Value:
    kept = dict(sorted(fields.items()))
    inner = next(iter(kept.values())).type if element is None else element
    return Value(map_of(inner), kept, _size(tuple(kept.values())))


def object_value(fields: Mapping[str, Value]) -> Value:
    kept = dict(sorted(fields.items()))
    return Value(object_of({name: each.type for name, each in kept.items()}), kept, _size(tuple(kept.values())))


def _size(items: tuple[Value, ...]) -> int:
    size = 1 + sum(item.size for item in items)
    if size > MOST:
        raise LimitError("a value has too many parts")
    return size


def _set_order(item: Value) -> tuple[int, object]:
    """Return by what the elements of a set are ordered; those of several types (there should be none) apart."""
    match item.data:
        case bool() as flag:
            return (0, flag)
        case str() as text:
            return (1, text)
        case Number() as found:
            return (2, found.value)
        case None:
            return (4, "")
        case _:
            return (3, repr(frozen(item)))


def frozen(value: Value) -> object:
    """Return something by which equal values are equal and that a set can hold."""
    match value.data:
        case Number() as found:
            return (value.type.kind, found.value if isinstance(found.value, float) else Fraction(found.value))
        case tuple() as items:
            return (value.type.kind, tuple(frozen(item) for item in items))
        case dict() as fields:
            return (value.type.kind, tuple((name, frozen(item)) for name, item in fields.items()))
        case Unknown():
            return (value.type.kind, "?")
        case data:
            return (value.type.kind, data)


def wholly_known(value: Value) -> bool:
    match value.data:
        case Unknown():
            return False
        case Number():
            return True
        case tuple() as items:
            return all(wholly_known(item) for item in items)
        case dict() as fields:
            return all(wholly_known(item) for item in fields.values())
        case _:
            return True


def equal(one: Value, other: Value) -> bool | None:
    """Return whether two values are equal, None where that is not known."""
    if one.null and other.null:
        return True
    if not one.known or not other.known:
        return None
    if one.null or other.null:
        return False
    if one.type != other.type:
        return False
    if not wholly_known(one) or not wholly_known(other):
        return None
    return frozen(one) == frozen(other)


def iterable(value: Value) -> bool:
    """Return whether a known value has elements to go through."""
    return value.type.collection or value.type.kind in ("tuple", "object")


def elements(value: Value) -> list[tuple[Value, Value]]:
    """Return the (key, value) pairs of a value that can be gone through."""
    if isinstance(value.data, dict):
        return [(string(name), item) for name, item in value.data.items()]
    if value.type.kind == "set":
        return [(item, item) for item in value.items]
    return [(number(index), item) for index, item in enumerate(value.items)]
