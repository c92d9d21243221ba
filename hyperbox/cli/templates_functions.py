"""The functions that templates can call: Go's built-in ones and docker's own.

Each takes the evaluated arguments and returns a value, or raises CallError with Go's words. `SIGNATURES` names the parameters' types: the
evaluator checks count and types before it calls. "any..." takes the rest.
"""

from __future__ import annotations

from hyperbox.cli.output import go_json
from hyperbox.cli.templates_values import (
    MISSING,
    Duration,
    GoList,
    GoMap,
    JsonNumber,
    Named,
    NilPointer,
    Number,
    Pointer,
    Record,
    Struct,
    kind_of,
    plain,
    text_of,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class CallError(Exception):
    """A function refuses its arguments; the text follows "error calling NAME: "."""


# --- comparisons --------------------------------------------------------------------------------------------------------------
BASIC = ("bool", "int", "float", "complex", "string")


def _basic(value: object) -> str:
    kind = kind_of(value)
    if kind not in BASIC:
        raise CallError("invalid type for comparison")
    return kind


def _incompatible(first: object, second: object) -> CallError:
    return CallError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")


def equal(first: object, *others: object) -> object:
    """eq: whether the first is equal to any of the others."""
    if not others:
        raise CallError("missing argument for comparison")
    kind = kind_of(first)
    for other in others:
        other_kind = kind_of(other)
        if kind in BASIC and other_kind in BASIC:
            if kind != other_kind:
                raise _incompatible(first, other)
            if first == other:
                return True
        elif "nil" in (kind, other_kind) or (
            (_is_nil(first) or _is_nil(other)) and kind not in BASIC and other_kind not in BASIC
        ):
            if _is_nil(first) and _is_nil(other):
                return True
        elif kind in BASIC or other_kind in BASIC:
            raise _incompatible(first, other)
        elif other_kind in ("map", "list") or kind in ("map", "list"):
            odd = other if other_kind in ("map", "list") else first
            raise CallError(f"non-comparable type {text_of(odd)}: {type_name(odd)}")
        elif kind != other_kind:
            raise _incompatible(first, other)
        elif _same(first, other):
            return True
    return False


def _is_nil(value: object) -> bool:
    """Return whether a value is nil, of whatever type."""
    return value is None or value is MISSING or isinstance(value, NilPointer) or bool(getattr(value, "is_nil", False))


def _same(first: object, other: object) -> bool:
    """Return whether two objects are one: records are made anew each time that they are looked at."""
    if isinstance(first, Struct) and isinstance(other, Struct):
        return first.raw is other.raw and first.type == other.type
    return first is other


def not_equal(first: object, second: object) -> object:
    """ne"""
    return not equal(first, second)


def less(first: object, second: object) -> object:
    """lt"""
    kind, other = _basic(first), _basic(second)
    if kind != other:
        raise _incompatible(first, second)
    if kind in ("bool", "complex"):
        raise CallError("invalid type for comparison")
    return first < second  # type: ignore[operator]


def less_or_equal(first: object, second: object) -> object:
    """le"""
    return bool(less(first, second)) or bool(equal(first, second))


def greater(first: object, second: object) -> object:
    """gt"""
    return not less_or_equal(first, second)


def greater_or_equal(first: object, second: object) -> object:
    """ge"""
    return not less(first, second)


# --- collections --------------------------------------------------------------------------------------------------------------
def _position(value: object, length: int) -> int:
    if value is None or value is MISSING:
        raise CallError("cannot index slice/array with nil")
    if isinstance(value, bool) or not isinstance(value, int):
        raise CallError(f"cannot index slice/array with type {type_name(value)}")
    if value == length:  # within the slice's capacity, as Go sees it
        raise CallError("reflect: slice index out of range")
    if not 0 <= value < length:
        raise CallError(f"index out of range: {value}")
    return value


def index(item: object, *keys: object) -> object:
    """index: item[key][key]…; an absent key of a map gives the zero value of its elements."""
    if item is None or item is MISSING:
        raise CallError("index of untyped nil")
    for key in keys:
        if item is None or item is MISSING or isinstance(item, NilPointer):
            raise CallError("index of nil pointer")
        if isinstance(item, dict):
            wanted = item.key if isinstance(item, GoMap) else "string"
            if not isinstance(key, str) or type_name(key) != wanted:
                if key is None or key is MISSING:
                    raise CallError(f"value is nil; should be {wanted}")
                raise CallError(f"value has type {type_name(key)}; should be {wanted}")
            item = item.get(key, item.zero if isinstance(item, GoMap) else MISSING)
        elif isinstance(item, (list, tuple)):
            item = item[_position(key, len(item))]
        elif isinstance(item, str):
            data = item.encode("utf-8", "surrogateescape")
            if key == len(data) and isinstance(key, int):
                raise CallError("reflect: string index out of range")
            item = data[_position(key, len(data))]
        else:
            raise CallError(f"can't index item of type {type_name(item).removeprefix('*')}")
    return item


def slice_of(item: object, *positions: object) -> object:
    """slice: item[a:b:c]."""
    if item is None or item is MISSING:
        raise CallError("slice of untyped nil")
    if len(positions) > 3:
        raise CallError(f"too many slice indexes: {len(positions)}")
    if isinstance(item, str):
        if len(positions) == 3:
            raise CallError("cannot 3-index slice a string")
        data: bytes | list[object] = item.encode("utf-8", "surrogateescape")
    elif isinstance(item, (list, tuple)):
        data = list(item)
    else:
        raise CallError(f"can't slice item of type {type_name(item)}")
    bounds = [0, len(data), len(data)]
    for place, position in enumerate(positions):
        if isinstance(position, JsonNumber):
            raise CallError("cannot index slice/array with type interface {}")
        if not isinstance(position, int) or isinstance(position, bool):
            _position(position, 0)
        assert isinstance(position, int)
        if not 0 <= position <= len(data):
            raise CallError(f"index out of range: {position}")
        bounds[place] = position
    if bounds[0] > bounds[1]:
        raise CallError(f"invalid slice index: {bounds[0]} > {bounds[1]}")
    if len(positions) == 3 and bounds[1] > bounds[2]:
        raise CallError(f"invalid slice index: {bounds[1]} > {bounds[2]}")
    part = data[bounds[0] : bounds[1]]
    if isinstance(part, bytes):
        return part.decode("utf-8", "surrogateescape")
    return GoList(part, type_name(item))


def length(item: object) -> object:
    """len"""
    if item is None:
        raise CallError("reflect: call of reflect.Value.Type on zero Value")
    if item is MISSING or isinstance(item, NilPointer):
        raise CallError("len of nil pointer")
    if isinstance(item, str):
        return len(item.encode("utf-8", "surrogateescape"))
    if isinstance(item, (list, tuple, dict)):
        return len(item)
    raise CallError(f"len of type {type_name(item).removeprefix('*')}")


def call(spelled: str, function: object = MISSING, *arguments: object) -> object:
    """call: there are no function values here, so it always refuses. `spelled` is the first argument as written."""
    if function is MISSING or function is None:
        raise CallError("call of nil")
    raise CallError(f"non-function {spelled} of type {type_name(function)}")


# --- escapes ------------------------------------------------------------------------------------------------------------------
def _joined(values: tuple[object, ...]) -> str:
    from hyperbox.cli.templates_printf import sprint

    return sprint(values)


def _shown(values: tuple[object, ...]) -> str:
    """Return the text that the escaping functions work on: there nil is no value, and a pointer what it points to."""
    return _joined(tuple("<no value>" if value is None or value is MISSING else _pointed(value) for value in values))


def _pointed(value: object) -> object:
    return text_of(value) if isinstance(value, Pointer) or (isinstance(value, Struct) and value.pointer) else value


HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"}
SCRIPT = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def html(*values: object) -> object:
    """html"""
    return "".join(HTML.get(character, character) for character in _shown(values))


def javascript(*values: object) -> object:
    """js"""
    output = []
    for character in _shown(values):
        if character in SCRIPT:
            output.append(SCRIPT[character])
        elif character < " " or not character.isprintable():
            output.append(f"\\u{ord(character):04X}")
        else:
            output.append(character)
    return "".join(output)


def urlquery(*values: object) -> object:
    """urlquery"""
    output = []
    for byte in _shown(values).encode("utf-8", "surrogateescape"):
        character = chr(byte)
        if character.isascii() and (character.isalnum() or character in "-_.~"):
            output.append(character)
        else:
            output.append("+" if byte == 32 else f"%{byte:02X}")
    return "".join(output)


# --- docker's own -------------------------------------------------------------------------------------------------------------
def json(value: object) -> object:
    """json: compact; escaped for HTML only where an object of a list writes itself, as its own marshaller does that."""
    return go_json(plain(value), escape_html=isinstance(value, Record))


def split(text: str, separator: str) -> object:
    """split: strings.Split."""
    return GoList(text.split(separator) if separator else list(text), "[]string")


def join(items: list[object], separator: str) -> object:
    """join: strings.Join."""
    return separator.join(str(item) for item in items)


def title(text: str) -> object:
    """title: strings.Title, the first letter of each word upper."""
    output, inside = [], False
    for character in text:
        output.append(character if inside else character.upper())
        inside = character.isalnum() or character in "_'"
    return "".join(output)


def lower(text: str) -> object:
    """lower"""
    return text.lower()


def upper(text: str) -> object:
    """upper"""
    return text.upper()


def pad(text: str, before: int, after: int) -> object:
    """pad: spaces before and after, nothing around an empty text."""
    if not text:
        return text
    if before < 0 or after < 0:
        raise CallError("strings: negative Repeat count")
    return " " * min(before, 1 << 20) + text + " " * min(after, 1 << 20)


def truncate(text: str, width: int) -> object:
    """truncate: at most `width` bytes of it."""
    data = text.encode("utf-8", "surrogateescape")
    if width < 0:
        raise CallError(f"runtime error: slice bounds out of range [:{width}]")
    return text if len(data) < width else data[:width].decode("utf-8", "surrogateescape")


def printed(*values: object) -> object:
    """print"""
    return _joined(values)


def printed_line(*values: object) -> object:
    """println"""
    from hyperbox.cli.templates_printf import sprintln

    return sprintln(values)


def printed_format(text: str, *values: object) -> object:
    """printf"""
    from hyperbox.cli.templates_printf import sprintf

    return sprintf(text, values)


def _not(value: object) -> object:
    from hyperbox.cli.templates_values import is_true

    return not is_true(value)


FUNCTIONS: dict[str, tuple[Callable[..., object], tuple[str, ...]]] = {
    "and": (printed, ("any", "any...")),
    "or": (printed, ("any", "any...")),
    "not": (_not, ("any",)),
    "call": (call, ("any", "any...")),
    "html": (html, ("any...",)),
    "index": (index, ("any", "any...")),
    "slice": (slice_of, ("any", "any...")),
    "js": (javascript, ("any...",)),
    "len": (length, ("any",)),
    "print": (printed, ("any...",)),
    "printf": (printed_format, ("string", "any...")),
    "println": (printed_line, ("any...",)),
    "urlquery": (urlquery, ("any...",)),
    "eq": (equal, ("any", "any...")),
    "ne": (not_equal, ("any", "any")),
    "lt": (less, ("any", "any")),
    "le": (less_or_equal, ("any", "any")),
    "gt": (greater, ("any", "any")),
    "ge": (greater_or_equal, ("any", "any")),
    "json": (json, ("any",)),
    "split": (split, ("string", "string")),
    "join": (join, ("[]string", "string")),
    "title": (title, ("string",)),
    "lower": (lower, ("string",)),
    "upper": (upper, ("string",)),
    "pad": (pad, ("string", "int", "int")),
    "truncate": (truncate, ("string", "int")),
}


def _header_text(text: str, *_ignored: object) -> object:
    return text


# in the header of a table docker's own functions give their argument back
HEADER_FUNCTIONS = {
    **FUNCTIONS,
    "json": (_header_text, ("string",)),
    "split": (_header_text, ("string", "string")),
    "join": (_header_text, ("string", "string")),
    "title": (_header_text, ("string",)),
    "lower": (_header_text, ("string",)),
    "upper": (_header_text, ("string",)),
    "truncate": (_header_text, ("string", "int")),
}


def fits(value: object, wanted: str) -> bool:
    """Return whether a value is assignable to a parameter's type."""
    if wanted == "any":
        return True
    if wanted == "string":
        return isinstance(value, str) and not isinstance(value, (JsonNumber, Named))
    if wanted == "int":
        return isinstance(value, int) and not isinstance(value, (bool, Number, Duration))
    return isinstance(value, GoList) and (
        value.type == wanted or (wanted, value.type) == ("[]string", "strslice.StrSlice")
    )


__all__ = ["FUNCTIONS", "HEADER_FUNCTIONS", "CallError", "Record", "Struct", "fits"]
