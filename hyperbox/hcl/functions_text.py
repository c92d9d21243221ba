"""Functions of texts."""

from __future__ import annotations

import posixpath

from hyperbox.hcl.functions import Function, FunctionError, Parameter, numeric, text, whole_number
from hyperbox.hcl.positions import clusters
from hyperbox.hcl.types import STRING, list_of
from hyperbox.hcl.values import MOST, LimitError, Value, list_value, number, string

_STRINGS = list_of(STRING)


def _upper(value: Value) -> Value:
    return string("".join(_single(each, each.upper()) for each in value.text))


def _lower(value: Value) -> Value:
    return string("".join(_single(each, each.lower()) for each in value.text))


def _single(letter: str, changed: str) -> str:
    """Return a letter's other case where that is one letter, as in Go."""
    return changed if len(changed) == 1 else letter


def _reverse(value: Value) -> Value:
    return string("".join(reversed(list(clusters(value.text)))))


def _length(value: Value) -> Value:
    return number(sum(1 for _ in clusters(value.text)))


def _part(value: Value, offset: Value, length: Value) -> Value:
    start, count = whole_number(offset), whole_number(length)
    letters = list(clusters(value.text))
    if start < 0:
        start = max(0, start + len(letters))
    elif count == 0:
        return string("")
    rest = letters[start:]
    return string("".join(rest if count <= 0 else rest[:count]))


def _join(separator: Value, *lists: Value) -> Value:
    if not lists:
        raise FunctionError("at least one list is required")
    texts = []
    for place, each in enumerate(lists):
        for index, item in enumerate(each.items):
            if item.null:
                where = f"element {index} of list {place + 1}" if len(lists) > 1 else f"element {index}"
                raise FunctionError(f"{where} is null; cannot concatenate null values", place + 1)
            texts.append(item.text)
    _check_length(sum(len(each) for each in texts) + len(separator.text) * len(texts))
    return string(separator.text.join(texts))


def _check_length(length: int) -> None:
    if length > MOST * 64:
        raise LimitError("a text is too long")


def _sort(value: Value) -> Value:
    for index, item in enumerate(value.items):
        if item.null:
            raise FunctionError(f"given list element {index} is null; a null string cannot be sorted")
    return list_value(sorted(value.items, key=lambda item: item.text), STRING)


def _split(separator: Value, value: Value) -> Value:
    parts = value.text.split(separator.text) if separator.text else list(value.text)
    return list_value([string(part) for part in parts], STRING)


def _chomp(value: Value) -> Value:
    return string(value.text.rstrip("\r\n"))


def _indent(spaces: Value, value: Value) -> Value:
    count = whole_number(spaces)
    if count < 0:
        raise FunctionError("panic in function implementation: strings: negative Repeat count")
    _check_length(len(value.text) + count * (1 + value.text.count("\n")))
    return string(value.text.replace("\n", "\n" + " " * count))


def _title(value: Value) -> Value:
    words, before = [], " "
    for letter in value.text:
        inside = before.isalnum() or before == "_" or (before > "\x7f" and not before.isspace())
        words.append(letter if inside else _single(letter, letter.title()))
        before = letter
    return string("".join(words))


def _trim(value: Value, letters: Value) -> Value:
    return string(value.text.strip(letters.text) if letters.text else value.text)


def _trim_space(value: Value) -> Value:
    return string(value.text.strip())


def _trim_prefix(value: Value, prefix: Value) -> Value:
    return string(value.text.removeprefix(prefix.text))


def _trim_suffix(value: Value, suffix: Value) -> Value:
    return string(value.text.removesuffix(suffix.text))


def _replace(value: Value, old: Value, new: Value) -> Value:
    times = value.text.count(old.text) if old.text else len(value.text) + 1
    _check_length(len(value.text) + times * len(new.text))
    return string(value.text.replace(old.text, new.text))


def _sanitize(value: Value) -> Value:
    """Replace each character that a target's name can't have by an underscore."""
    return string("".join(each if each.isascii() and (each.isalnum() or each in "_-") else "_" for each in value.text))


def _base_name(value: Value) -> Value:
    stripped = value.text.rstrip("/")
    if not stripped:
        return string("/" if value.text else ".")
    return string(stripped.rpartition("/")[2])


def _folder_name(value: Value) -> Value:
    folder = value.text[: value.text.rfind("/") + 1]
    cleaned = posixpath.normpath(folder) if folder else "."
    return string("/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned)


_STR = (text("str"),)
FUNCTIONS: dict[str, Function] = {
    "basename": Function(_base_name, (text("path"),)),
    "chomp": Function(_chomp, _STR),
    "dirname": Function(_folder_name, (text("path"),)),
    "indent": Function(_indent, (numeric("spaces"), text("str"))),
    "join": Function(_join, (text("separator"),), Parameter("lists", _STRINGS)),
    "lower": Function(_lower, _STR),
    "replace": Function(_replace, (text("str"), text("substr"), text("replace"))),
    "reverse": Function(_reverse, _STR),
    "sanitize": Function(_sanitize, (text("name"),)),
    "sort": Function(_sort, (Parameter("list", _STRINGS),)),
    "split": Function(_split, (text("separator"), text("str"))),
    "strlen": Function(_length, _STR),
    "substr": Function(_part, (text("str"), numeric("offset"), numeric("length"))),
    "title": Function(_title, _STR),
    "trim": Function(_trim, (text("str"), text("cutset"))),
    "trimprefix": Function(_trim_prefix, (text("str"), text("prefix"))),
    "trimspace": Function(_trim_space, _STR),
    "trimsuffix": Function(_trim_suffix, (text("str"), text("suffix"))),
    "upper": Function(_upper, _STR),
}
