"""Functions of lists, tuples, maps and objects."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl.convert import ConversionError, convert, convertible, unify
from hyperbox.hcl.functions import Function, FunctionError, Parameter, numeric, text, whole_number
from hyperbox.hcl.operators import EQUAL, NOT_EQUAL
from hyperbox.hcl.types import DYNAMIC, NUMBER, STRING, friendly, list_of
from hyperbox.hcl.values import (
    Value,
    boolean,
    equal,
    frozen,
    list_value,
    map_value,
    number,
    object_value,
    string,
    tuple_value,
)

_SEQUENCES = ("list", "tuple", "set")
_NO_COLLECTION = "collection must be a list, a map or a tuple"
_ANY_LIST = list_of(DYNAMIC)


def _has_index(collection: Value, key: Value) -> Value:
    if collection.type.kind in ("list", "tuple"):
        fits = key.type == NUMBER and key.number.whole and 0 <= key.number.value < len(collection.items)
        return boolean(fits)
    if collection.type.kind == "map":
        return boolean(key.type == STRING and key.text in collection.fields)
    raise FunctionError(_NO_COLLECTION)


def _index(collection: Value, key: Value) -> Value:
    kind = collection.type.kind
    wanted = {"tuple": NUMBER, "list": NUMBER, "map": STRING}.get(kind)
    if wanted is None:
        raise FunctionError(_NO_COLLECTION)
    if key.type != wanted:
        raise FunctionError(f"key for {kind} must be {wanted.kind}")
    if kind == "tuple":
        try:
            place = whole_number(key)
        except FunctionError as error:
            raise FunctionError(f"invalid key for tuple: {error}") from None
        if not 0 <= place < len(collection.items):
            raise FunctionError(f"key must be between 0 and {len(collection.items)} inclusive")
        return collection.items[place]
    if not _has_index(collection, key).data:
        raise FunctionError("invalid index")
    return collection.items[whole_number(key)] if kind == "list" else collection.fields[key.text]


def _length(collection: Value) -> Value:
    if collection.type.kind not in (*_SEQUENCES, "map"):
        raise FunctionError(_NO_COLLECTION)
    return number(len(collection.fields if collection.type.kind == "map" else collection.items))


def _element(collection: Value, index: Value) -> Value:
    if index.number.value < 0:
        raise FunctionError("cannot use element function with a negative index")
    if collection.type.kind not in ("list", "tuple"):
        raise FunctionError(f"cannot read elements from {friendly(collection.type)}")
    try:
        place = whole_number(index)
    except FunctionError as error:
        raise FunctionError(f"invalid index: {error}") from None
    if not collection.items:
        raise FunctionError("cannot use element function with an empty list")
    return collection.items[place % len(collection.items)]


def _coalesce(*values: Value) -> Value:
    common = unify([each.type for each in values], unsafe=True)
    if common is None:
        raise FunctionError("all arguments must have the same type")
    for each in values:
        if not each.null:
            try:
                return convert(each, common)
            except ConversionError as error:
                raise FunctionError(str(error)) from None
    raise FunctionError("no non-null arguments")


def _coalesce_list(*values: Value) -> Value:
    if not values:
        raise FunctionError("at least one argument is required")
    for each in values:
        if each.type.kind not in ("list", "tuple"):
            raise FunctionError("coalescelist arguments must be lists or tuples")
    for each in values:
        if not each.null and each.items:
            return each
    raise FunctionError("no non-null arguments")


def _compact(collection: Value) -> Value:
    return list_value([item for item in collection.items if not item.null and item.text], STRING)


def _contains(collection: Value, value: Value) -> Value:
    if collection.type.kind not in _SEQUENCES:
        raise FunctionError("argument must be list, tuple, or set")
    return boolean(any(equal(value, item) for item in collection.items))


def _first_ones(collection: Value) -> Value:
    seen = set()
    kept = []
    for item in collection.items:
        mark = frozen(item)
        if mark not in seen:
            seen.add(mark)
            kept.append(item)
    return list_value(kept, collection.type.inner)


def _chunks(collection: Value, size: Value) -> Value:
    try:
        count = whole_number(size)
    except FunctionError as error:
        raise FunctionError(f"invalid size: {error}") from None
    if count < 0:
        raise FunctionError("the size argument must be positive")
    items = collection.items
    if not items:
        return list_value((), collection.type)
    step = count or len(items)
    inner = collection.type.inner
    return list_value([list_value(items[start : start + step], inner) for start in range(0, len(items), step)])


def _flatten(collection: Value) -> Value:
    if collection.type.kind not in _SEQUENCES:
        raise FunctionError("can only flatten lists, sets and tuples")
    flat: list[Value] = []
    pending = list(reversed(collection.items))
    while pending:
        item = pending.pop()
        if not item.null and item.known and item.type.kind in _SEQUENCES:
            pending += reversed(item.items)
        else:
            flat.append(item)
    return tuple_value(flat)


def _keys(collection: Value) -> Value:
    if collection.type.kind not in ("map", "object"):
        raise FunctionError("must have map or object type", 0)
    keys = [string(name) for name in collection.fields]
    return list_value(keys, STRING) if collection.type.kind == "map" else tuple_value(keys)


def _values(collection: Value) -> Value:
    if collection.type.kind not in ("map", "object"):
        raise FunctionError("values() requires a map as the first argument")
    found = list(collection.fields.values())
    return list_value(found, collection.type.inner) if collection.type.kind == "map" else tuple_value(found)


def _lookup(collection: Value, key: Value, default: Value) -> Value:
    kind = collection.type.kind
    if kind not in ("map", "object"):
        raise FunctionError("lookup() requires a map as the first argument", 0)
    if kind == "map" and not convertible(default.type, collection.type.inner, unsafe=True):
        raise FunctionError("the default value must have the same type as the map elements", 2)
    if key.text in collection.fields:
        return collection.fields[key.text]
    try:
        return convert(default, collection.type.inner) if kind == "map" else default
    except ConversionError:
        raise FunctionError("the default value must have the same type as the map elements", 2) from None


def _merge(*maps: Value) -> Value:
    fields: dict[str, Value] = {}
    for each in maps:
        if each.type.kind not in ("map", "object") and each.type != DYNAMIC:
            raise FunctionError(f"arguments must be maps or objects, got {quote(friendly(each.type))}")
        if not each.null:
            fields.update(each.fields)
    if maps and maps[0].type.kind == "map" and all(each.type == maps[0].type for each in maps):
        return map_value(fields, maps[0].type.inner)
    return object_value(fields)


def _reverse_list(collection: Value) -> Value:
    if collection.type.kind not in _SEQUENCES:
        raise FunctionError(f"can only reverse list or tuple values, not {friendly(collection.type)}", 0)
    items = collection.items[::-1]
    return tuple_value(items) if collection.type.kind == "tuple" else list_value(items, collection.type.inner)


def _slice(collection: Value, start: Value, end: Value) -> Value:
    if collection.type.kind == "set":
        raise FunctionError(
            "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the "
            "result is not important",
            0,
        )
    if collection.type.kind not in ("list", "tuple"):
        raise FunctionError("must be a list or tuple value", 0)
    first = _bound(start, "start", 1, len(collection.items))
    last = _bound(end, "end", 2, len(collection.items))
    if first > last:
        raise FunctionError("start index must not be greater than end index", 1)
    items = collection.items[first:last]
    return tuple_value(items) if collection.type.kind == "tuple" else list_value(items, collection.type.inner)


def _bound(value: Value, name: str, argument: int, length: int) -> int:
    try:
        found = whole_number(value)
    except FunctionError as error:
        raise FunctionError(f"invalid {name} index: {error}", argument) from None
    if found < 0:
        raise FunctionError(f"{name} index must not be less than zero", argument)
    if found > length:
        raise FunctionError(f"{name} index must not be greater than the length of the list", argument)
    return found


def _zip(keys: Value, values: Value) -> Value:
    if values.type.kind not in ("list", "tuple"):
        raise FunctionError("values argument must be a list or tuple value")
    if len(keys.items) != len(values.items):
        raise FunctionError(f"number of keys ({len(keys.items)}) does not match number of values ({len(values.items)})")
    fields = {}
    for index, (key, value) in enumerate(zip(keys.items, values.items, strict=True)):
        if key.null:
            raise FunctionError(f"keys list has null value at index {index}")
        fields[key.text] = value
    return map_value(fields, values.type.inner) if values.type.kind == "list" else object_value(fields)


def _concat(*sequences: Value) -> Value:
    if not sequences:
        raise FunctionError("at least one argument is required")
    if all(each.type.kind == "list" for each in sequences):
        common = unify([each.type for each in sequences], unsafe=True)
        if common is not None:
            try:
                converted = [convert(each, common) for each in sequences]
            except ConversionError as error:
                raise FunctionError(str(error), 0) from None
            return list_value([item for each in converted for item in each.items], common.inner)
    for place, each in enumerate(sequences):
        if each.type.kind not in ("list", "tuple"):
            raise FunctionError(f"all arguments must be lists or tuples; got {friendly(each.type)}", place)
    return tuple_value([item for each in sequences for item in each.items])


def _range(*limits: Value) -> Value:
    from hyperbox.hcl import numbers

    if not 1 <= len(limits) <= 3:
        raise FunctionError("must have one, two, or three arguments")
    start, end = (numbers.whole(0), limits[0].number) if len(limits) == 1 else (limits[0].number, limits[1].number)
    step = limits[2].number if len(limits) == 3 else numbers.whole(-1 if end.value < start.value else 1)
    if step.value == 0:
        raise FunctionError("step must not be zero", 2)
    down = step.value < 0
    if down and end.value > start.value:
        raise FunctionError("end must be less than start when step is negative", 1)
    if not down and end.value < start.value:
        raise FunctionError("end must be greater than start when step is positive", 1)
    found: list[Value] = []
    current = start
    while current.value > end.value if down else current.value < end.value:
        if len(found) >= 1024:
            raise FunctionError(
                "more than 1024 values were generated; either decrease the difference between start and end or use a smaller step"
            )
        found.append(number(current))
        current = numbers.add(current, step)
    return list_value(found, NUMBER)


def _index_of(collection: Value, value: Value) -> Value:
    if collection.type.kind not in ("list", "tuple"):
        raise FunctionError("argument must be a list or tuple")
    if not collection.items:
        raise FunctionError("cannot search an empty list")
    for index, item in enumerate(collection.items):
        if equal(item, value):
            return number(index)
    raise FunctionError("item not found")


_COLLECTION = Parameter("collection")
_LIST = Parameter("list")
FUNCTIONS: dict[str, Function] = {
    "chunklist": Function(_chunks, (Parameter("list", _ANY_LIST), numeric("size"))),
    "coalesce": Function(_coalesce, (), Parameter("vals", allow_null=True)),
    "coalescelist": Function(_coalesce_list, (), Parameter("vals", allow_null=True)),
    "compact": Function(_compact, (Parameter("list", list_of(STRING)),)),
    "concat": Function(_concat, (), Parameter("seqs")),
    "contains": Function(_contains, (_LIST, Parameter("value"))),
    "distinct": Function(_first_ones, (Parameter("list", _ANY_LIST),)),
    "element": Function(_element, (_LIST, numeric("index"))),
    "equal": EQUAL,
    "flatten": Function(_flatten, (_LIST,)),
    "hasindex": Function(_has_index, (_COLLECTION, Parameter("key"))),
    "index": Function(_index, (_COLLECTION, Parameter("key"))),
    "indexof": Function(_index_of, (_LIST, Parameter("value"))),
    "keys": Function(_keys, (Parameter("inputMap"),)),
    "length": Function(_length, (_COLLECTION,)),
    "lookup": Function(_lookup, (Parameter("inputMap"), text("key"), Parameter("default"))),
    "merge": Function(_merge, (), Parameter("maps", allow_null=True)),
    "notequal": NOT_EQUAL,
    "range": Function(_range, (), numeric("params")),
    "reverselist": Function(_reverse_list, (_LIST,)),
    "slice": Function(_slice, (_LIST, numeric("start_index"), numeric("end_index"))),
    "values": Function(_values, (Parameter("mapping"),)),
    "zipmap": Function(_zip, (Parameter("keys", list_of(STRING)), Parameter("values"))),
}
