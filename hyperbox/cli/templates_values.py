"""The values that templates work on, and how Go's fmt prints them with %v.

Python's own values stand for Go's: None nil, bool, int, float (float64), str, list ([]interface {}), dict (map[string]interface {}).
What Go knows more about is one of these:

    Struct    a typed record made from JSON by a table of its fields (`templates_types`)
    Record    an object with methods: what a list command formats (`*formatter.ContainerContext`)
    GoMap     a map whose element type is known;  GoList  a slice whose type is known
    Named     a string of a type of its own;  Number  an integer of another type than int;  Spoken  one that prints as a word
    JsonNumber  a number of untyped JSON: a string that prints as it was written
    Pointer   a pointer to a bool or an integer
    NIL_POINTER(type), MISSING  a nil pointer; no value at all (`<no value>`)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Missing:
    """No value: an absent map entry, or a nil interface that was unpacked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<no value>"


MISSING = Missing()


class JsonNumber(str):
    """encoding/json's Number."""

    __slots__ = ()


class Named(str):
    """A string whose type has a name of its own: container.NetworkMode."""

    __slots__ = ("type",)
    type: str

    def __new__(cls, value: str, type_name: str) -> Named:
        made = super().__new__(cls, value)
        made.type = type_name
        return made


class Number(int):
    """An integer of another type than int: int64, uint16."""

    type: str

    def __new__(cls, value: int, type_name: str) -> Number:
        made = super().__new__(cls, value)
        made.type = type_name
        return made


class Spoken(Number):
    """An integer that prints itself as a word: time.Month."""

    spoken: str

    def __new__(cls, value: int, type_name: str, spoken: str = "") -> Spoken:
        made = super().__new__(cls, value, type_name)
        assert isinstance(made, Spoken)
        made.spoken = spoken
        return made

    def text(self) -> str:
        return self.spoken


class Duration(int):
    """A time.Duration in nanoseconds: a number that prints itself as 1m30s."""

    __slots__ = ()

    def text(self) -> str:
        from hyperbox.go.durations import format_duration

        return format_duration(int(self))


class Pointer:
    """A pointer to a bool or an integer: it prints as what it points to, and is true even where that is false."""

    __slots__ = ("type", "value")

    def __init__(self, value: bool | int, type_name: str) -> None:
        self.value = value
        self.type = type_name


class NilPointer:
    """A nil pointer; `type` is what it would point to, `fields` the names that exist there."""

    __slots__ = ("fields", "type")

    def __init__(self, type_name: str, fields: Iterable[str] = ()) -> None:
        self.type = type_name
        self.fields = tuple(fields)


class GoList(list[object]):
    """A slice of a known type, e.g. "[]string"; `is_nil` tells nil from empty (JSON null from [])."""

    __slots__ = ("is_nil", "type")

    def __init__(self, items: Iterable[object], type_name: str, *, is_nil: bool = False) -> None:
        super().__init__(items)
        self.type = type_name
        self.is_nil = is_nil


class GoMap(dict[str, object]):
    """A map of a known type; `zero` is what `index` gives for an absent key, `key` the type of its keys."""

    __slots__ = ("is_nil", "key", "type", "zero")

    def __init__(
        self, items: Mapping[str, object], type_name: str, zero: object, *, is_nil: bool = False, key: str = "string"
    ) -> None:
        super().__init__(items)
        self.key = key
        self.type = type_name
        self.zero = zero
        self.is_nil = is_nil


class Struct:
    """A typed record over the JSON object `raw`: its fields, in Go's order, are converted when they are asked for.

    `table` lists the fields (see templates_types); `pointer`: it is held by pointer; `text`: how it prints where it is a Stringer.
    """

    __slots__ = ("convert", "pointer", "raw", "table", "text", "type")

    def __init__(
        self,
        type_name: str,
        table: str,
        raw: object,
        convert: Callable[[object, str], object],
        *,
        pointer: bool = False,
        text: str | None = None,
    ) -> None:
        self.type = type_name
        self.table = table
        self.raw = raw
        self.convert = convert
        self.pointer = pointer
        self.text = text

    def names(self) -> list[tuple[str, str, str, bool]]:
        """Return (Go name, JSON name, type, embedded) of each field."""
        rows = []
        for field in self.table.split():
            name, _, kind = field.partition(":")
            go_name, _, json_name = name.partition("=")
            rows.append((go_name.lstrip("+"), json_name or go_name, kind or "s", field[0] == "+"))
        return rows

    def _value(self, json_name: str, kind: str, embedded: bool) -> object:
        raw = self.raw if isinstance(self.raw, dict) else {}
        return self.convert(raw if embedded else raw.get(json_name), kind)

    def field(self, wanted: str) -> object:
        """Return a field by its Go name, its own or an embedded record's; None where there is none (nil fields are never None)."""
        rows = self.names()
        for go_name, json_name, kind, embedded in rows:
            if go_name == wanted:
                value = self._value(json_name, kind, embedded)
                return MISSING if value is None else value
        for _, json_name, kind, embedded in rows:
            if embedded:
                inner = self._value(json_name, kind, embedded)
                found = inner.field(wanted) if isinstance(inner, Struct) else None
                if found is not None:
                    return found
        return None

    def fields(self) -> dict[str, object]:
        """Return all fields, in Go's order."""
        return {go_name: self._value(json_name, kind, embedded) for go_name, json_name, kind, embedded in self.names()}

    def typed_json(self) -> dict[str, object]:
        """Return JSON name -> value of the fields, the embedded records' too."""
        output: dict[str, object] = {}
        for _, json_name, kind, embedded in self.names():
            value = self._value(json_name, kind, embedded)
            if embedded and isinstance(value, Struct):
                output.update(value.typed_json())
            else:
                output[json_name] = value
        return output


class Record:
    """An object whose fields are methods: each computes its text from `item` when it is asked for.

    `methods` take no argument, `calls` take one string (`.Label "x"`). `json` of it is an object of all methods, keys sorted, or what
    `whole` makes of the item.
    """

    __slots__ = ("calls", "item", "methods", "type", "whole")

    def __init__(
        self,
        type_name: str,
        item: object,
        methods: Mapping[str, Callable[..., object]],
        calls: Mapping[str, Callable[..., object]],
        whole: Callable[[object], dict[str, object]] | None = None,
    ) -> None:
        self.whole = whole
        self.type = type_name
        self.item = item
        self.methods = methods
        self.calls = calls

    def to_json(self) -> dict[str, object]:
        if self.whole is not None:
            return self.whole(self.item)
        return {name: self.methods[name](self.item) for name in sorted(self.methods)}


def type_name(value: object) -> str:
    """Return Go's name for a value's type."""
    if value is None or value is MISSING:
        return "<nil>"
    if isinstance(value, Struct):
        return f"*{value.type}" if value.pointer else value.type
    if isinstance(value, (Record, GoList, GoMap, Named, Number)):
        return value.type
    if isinstance(value, (NilPointer, Pointer)):
        return f"*{value.type}"
    names: tuple[tuple[type, str], ...] = (
        (bool, "bool"),
        (Duration, "time.Duration"),
        (int, "int"),
        (float, "float64"),
        (complex, "complex128"),
        (JsonNumber, "json.Number"),
        (str, "string"),
        (list, "[]interface {}"),
        (tuple, "[]interface {}"),
        (dict, "map[string]interface {}"),
        (bytes, "[]uint8"),
    )
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return "func"


def kind_of(value: object) -> str:
    """Return the kind that comparisons and the like work by: bool, int, float, complex, string, list, map, struct, nil, other."""
    if value is None or value is MISSING:
        return "nil"
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return "other"


_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool,), "bool"),
    ((int,), "int"),
    ((float,), "float"),
    ((complex,), "complex"),
    ((str,), "string"),
    ((list, tuple, bytes), "list"),
    ((dict,), "map"),
    ((Struct, Record), "struct"),
    ((NilPointer, Pointer), "pointer"),
)


def is_true(value: object) -> bool:
    """Return Go's truth: not the zero value, not empty. A struct is always true."""
    if isinstance(value, (Struct, Record, Pointer)):
        return True
    if isinstance(value, (NilPointer, Missing)):
        return False
    return bool(value)


# --- printing -----------------------------------------------------------------------------------------------------------------
def float_text(value: float) -> str:
    """Return a float as Go's %v does: the shortest form that reads back, %e from 1e21 on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = repr(value).partition("e")
    size = abs(value)
    if size != 0 and (size < 1e-4 or size >= 1e21):
        return shortest_exponent(value)
    if exponent:
        return f"{value:.0f}" if size >= 1 else f"{value:.{len(mantissa) + abs(int(exponent))}f}".rstrip("0")
    return mantissa.removesuffix(".0")


def shortest_exponent(value: float) -> str:
    """Return the shortest %e form: 1e+21."""
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        mantissa, _, exponent = f"{value:.17e}".partition("e")
        for digits in range(18):
            candidate = f"{value:.{digits}e}"
            if float(candidate) == value:
                mantissa, _, exponent = candidate.partition("e")
                break
    power = int(exponent)
    return f"{mantissa.removesuffix('.0')}e{'-' if power < 0 else '+'}{abs(power):02d}"


def text_of(value: object, *, depth: int = 0) -> str:
    """Return a value as fmt's %v prints it (inside another value where `depth` is not 0)."""
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, NilPointer):
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return value.text() if isinstance(value, (Duration, Spoken)) else str(int(value))
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, complex):
        imaginary = float_text(value.imag)
        return f"({float_text(value.real)}{'' if imaginary[0] in '+-' else '+'}{imaginary}i)"
    if isinstance(value, Fields):
        return "{" + " ".join(text_of(field, depth=depth + 1) for field in value.values()) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{text_of(value[key], depth=depth + 1)}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(text_of(item, depth=depth + 1) for item in value) + "]"
    return _object_text(value, depth)


def _object_text(value: object, depth: int) -> str:
    if isinstance(value, Struct):
        if value.text is not None:
            return value.text
        if value.pointer and depth:
            return f"{address(value):#x}"
        return "{" + " ".join(text_of(field, depth=depth + 1) for field in value.fields().values()) + "}"
    if isinstance(value, Record):
        return "{" + " ".join(f"{name}:{text_of(field)}" for name, field in value.to_json().items()) + "}"
    if isinstance(value, Missing):
        return "<no value>"
    if isinstance(value, Pointer) and not depth:
        return text_of(value.value)
    return f"{address(value):#x}"


def address(value: object) -> int:
    """Return where a thing might be in Go's memory."""
    return 0xC000000000 + (id(value) & 0xFFFFFF0)


# records that write their JSON themselves, in Go's order and without their empty fields; the others pass on what they came from
OMIT_EMPTY = frozenset({"v1.DockerOCIImageConfig", "v1.HealthcheckConfig"})


class Fields(dict[str, object]):
    """The fields of a Go struct: its JSON keeps their order."""


def plain(value: object) -> object:
    """Return a value as plain data for JSON: records become dicts, maps have their keys sorted, unknown things null."""
    if isinstance(value, Record):
        return {name: plain(field) for name, field in value.to_json().items()}
    if isinstance(value, Struct):
        return plain_struct(value)
    if isinstance(value, Pointer):
        return value.value
    if isinstance(value, dict):
        if isinstance(value, GoMap) and value.is_nil:
            return None
        return {key: plain(value[key]) for key in (value if isinstance(value, Fields) else sorted(value))}
    if isinstance(value, (list, tuple)):
        if isinstance(value, GoList) and value.is_nil:
            return None
        return [plain(item) for item in value]
    if isinstance(value, JsonNumber):
        from hyperbox.files import loads

        return loads(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value if isinstance(value, (str, int, float)) else None


def plain_struct(value: Struct) -> object:
    """Return a typed record's JSON: what it came from, with the keys of the maps in it sorted."""
    if not isinstance(value.raw, dict):
        return value.raw
    fields = value.typed_json()
    if value.type in OMIT_EMPTY:
        return {key: plain(field) for key, field in fields.items() if is_true(field)}
    return {key: plain(fields[key]) if key in fields else plain(item) for key, item in value.raw.items()}
