"""Functions of sets, and the booleans."""

from __future__ import annotations

from itertools import product
from math import prod

from hyperbox.hcl.convert import ConversionError, convert, unify
from hyperbox.hcl.functions import Function, FunctionError, Parameter
from hyperbox.hcl.operators import AND, NOT, OR
from hyperbox.hcl.types import DYNAMIC, Type, set_of, tuple_of
from hyperbox.hcl.values import MOST, LimitError, Value, boolean, frozen, list_value, set_value, tuple_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SET = set_of(DYNAMIC)
Marks = dict[object, Value]


def _operation(combine: Callable[[Marks, Marks], list[Value]]) -> Callable[..., Value]:
    def run(*sets: Value) -> Value:
        types = [each.type.inner for each in sets if each.items or each.type.inner != DYNAMIC]
        common = unify(types, unsafe=True) if types else DYNAMIC
        if common is None:
            raise FunctionError("given sets must all have compatible element types")
        converted = []
        for place, each in enumerate(sets):
            try:
                converted.append(convert(each, set_of(common)))
            except ConversionError as error:
                raise FunctionError(str(error), place) from None
        found = list(converted[0].items)
        for each in converted[1:]:
            found = combine(_marked(found), _marked(list(each.items)))
        if len({item.type for item in found if not item.null}) > 1:
            raise FunctionError("given sets must all have compatible element types")
        return set_value(found, common)

    return run


def _marked(items: list[Value]) -> Marks:
    return {frozen(item): item for item in items}


def _union(one: Marks, other: Marks) -> list[Value]:
    return list({**one, **other}.values())


def _intersection(one: Marks, other: Marks) -> list[Value]:
    return [item for mark, item in one.items() if mark in other]


def _difference(one: Marks, other: Marks) -> list[Value]:
    return [item for mark, item in one.items() if mark not in other]


def _either(one: Marks, other: Marks) -> list[Value]:
    return _difference(one, other) + _difference(other, one)


def _has_element(collection: Value, item: Value) -> Value:
    if collection.type.inner != item.type:
        return boolean(False)
    return boolean(frozen(item) in _marked(list(collection.items)))


def _product(*sets: Value) -> Value:
    if len(sets) < 2:
        raise FunctionError("at least two arguments are required")
    types = [_item_type(each, place) for place, each in enumerate(sets)]
    count = prod(len(each.items) for each in sets)
    if count * len(sets) > MOST:
        raise LimitError("a value has too many parts")
    rows = []
    for row in product(*(each.items for each in sets)):
        rows.append(tuple_value([convert(item, type) for item, type in zip(row, types, strict=True)]))
    inner = tuple_of(types)
    return set_value(rows, inner) if any(each.type.kind == "set" for each in sets) else list_value(rows, inner)


def _item_type(value: Value, place: int) -> Type:
    if value.type.kind in ("set", "list"):
        return value.type.inner
    if value.type.kind != "tuple":
        raise FunctionError("a set or a list is required", place)
    if not value.items:
        return DYNAMIC
    common = unify(value.type.items, unsafe=True)
    if common is None:
        raise FunctionError("all elements must be of the same type", place)
    return common


_FIRST = (Parameter("first_set", _SET),)
_OTHERS = Parameter("other_sets", _SET)
FUNCTIONS: dict[str, Function] = {
    "and": AND,
    "not": NOT,
    "or": OR,
    "sethaselement": Function(_has_element, (Parameter("set", _SET), Parameter("elem"))),
    "setintersection": Function(_operation(_intersection), _FIRST, _OTHERS),
    "setproduct": Function(_product, (), Parameter("sets")),
    "setsubtract": Function(_operation(_difference), (Parameter("a", _SET), Parameter("b", _SET))),
    "setsymmetricdifference": Function(_operation(_either), _FIRST, _OTHERS),
    "setunion": Function(_operation(_union), _FIRST, _OTHERS),
}
