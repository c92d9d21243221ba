"""Types of values, as the library cty of HashiCorp's HCL has them."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Type(NamedTuple):
    """A type: its kind, and by kind the type of its elements, those of its attributes (sorted by name), those of its items."""

    kind: str
    element: Type | None = None
    attributes: tuple[tuple[str, Type], ...] = ()
    items: tuple[Type, ...] = ()
    optional: frozenset[str] = frozenset()

    @property
    def inner(self) -> Type:
        """The type of a collection's elements."""
        assert self.element is not None
        return self.element

    @property
    def primitive(self) -> bool:
        return self.kind in ("string", "number", "bool")

    @property
    def collection(self) -> bool:
        return self.element is not None


STRING = Type("string")
NUMBER = Type("number")
BOOL = Type("bool")
DYNAMIC = Type("dynamic")
BYTES = Type("bytes")


def list_of(element: Type) -> Type:
    return Type("list", element)


def set_of(element: Type) -> Type:
    return Type("set", element)


def map_of(element: Type) -> Type:
    return Type("map", element)


def object_of(attributes: Mapping[str, Type], optional: frozenset[str] = frozenset()) -> Type:
    return Type("object", attributes=tuple(sorted(attributes.items())), optional=optional)


def tuple_of(items: Sequence[Type]) -> Type:
    return Type("tuple", items=tuple(items))


def settled(type: Type) -> Type:
    """Return a type without the mark of its attributes that may be missing, at any depth."""
    if type.element is not None:
        return Type(type.kind, settled(type.element))
    if type.kind == "object":
        return Type("object", attributes=tuple((name, settled(each)) for name, each in type.attributes))
    if type.kind == "tuple":
        return Type("tuple", items=tuple(settled(each) for each in type.items))
    return type


def friendly(type: Type, *, constraint: bool = False) -> str:
    """Return a type's name in messages."""
    if type.element is not None:
        inner = type.element
        return f"{type.kind} of {friendly(inner, constraint=constraint)}"
    if type.kind == "dynamic":
        return "any type" if constraint else "dynamic"
    return type.kind
