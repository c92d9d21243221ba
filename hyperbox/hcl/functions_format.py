"""The functions `format` and `formatlist`, and JSON as they show it."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hyperbox.go.text import html_escaped, quote
from hyperbox.hcl import numbers
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.functions import Function, FunctionError, Parameter, text
from hyperbox.hcl.numbers import Number
from hyperbox.hcl.positions import clusters
from hyperbox.hcl.types import BOOL, NUMBER, STRING
from hyperbox.hcl.values import MOST, LimitError, Value, list_value, string, wholly_known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_VERB = re.compile(
    r"%(?P<flags>[0#+\- ]*)(?P<width>[1-9][0-9]*)?(?:\.(?P<precision>[0-9]*))?(?:\[(?P<argument>[0-9]+)\])?(?P<mode>[A-Za-z])?",
    re.ASCII,
)


class _Verb(NamedTuple):
    raw: str
    offset: int
    flags: str
    width: int
    precision: int
    mode: str

    def fail(self, reason: object) -> FunctionError:
        return FunctionError(f"unsupported value for {quote(self.raw)} at {self.offset}: {reason}")


def to_json(value: Value) -> str:
    """Return a value as JSON, as Go writes it."""
    match value.data:
        case None:
            return "null"
        case str() as found:
            return json_text(found)
        case bool() as flag:
            return "true" if flag else "false"
        case Number() as found_number:
            if found_number.infinite:
                raise FunctionError("cannot serialize infinity as JSON")
            return numbers.show(found_number)
        case dict() as fields:
            return "{" + ",".join(f"{json_text(name)}:{to_json(item)}" for name, item in fields.items()) + "}"
        case tuple() as items:
            return "[" + ",".join(to_json(item) for item in items) + "]"
        case _:
            raise FunctionError("value is not known")


def json_text(found: str) -> str:
    """Return a text in JSON with what HTML would take for itself escaped, as Go does."""
    return html_escaped(json.dumps(found, ensure_ascii=False))


def formatted(form: str, arguments: Sequence[Value]) -> str:
    """Return a text with its verbs replaced. Raises FunctionError."""
    shown: list[str] = []
    place, following, highest = 0, 1, 0
    while (start := form.find("%", place)) >= 0:
        shown.append(form[place:start])
        if form.startswith("%%", start):
            shown.append("%")
            place = start + 2
            continue
        match = _VERB.match(form, start)
        assert match is not None
        if match["mode"] is None:
            raise _bad_verb(form, match.end())
        argument = int(match["argument"] or following)
        highest = max(highest, argument)
        following = argument + 1
        verb = _Verb(
            match.group(),
            len(form[:start].encode()),
            match["flags"],
            int(match["width"] or -1),
            -1 if match["precision"] is None else int(match["precision"] or 0),
            match["mode"],
        )
        if max(verb.width, verb.precision) > 100_000:
            raise LimitError("a text is too long")
        shown.append(_shown(verb, argument, arguments))
        place = match.end()
    shown.append(form[place:])
    if highest < len(arguments):
        reason = f"only {highest} used by format string" if highest else "no verbs in format string"
        raise FunctionError(f"too many arguments; {reason}", highest + 1)
    return "".join(shown)


def _bad_verb(form: str, place: int) -> FunctionError:
    offset = len(form[:place].encode())
    if place >= len(form):
        return FunctionError(f"invalid format string starting at offset {offset}")
    return FunctionError(f"unrecognized format character '{form[place]}' at offset {offset}")


def _shown(verb: _Verb, argument: int, arguments: Sequence[Value]) -> str:
    if argument > len(arguments) or argument < 1:
        raise FunctionError(
            f"not enough arguments for {quote(verb.raw)} at {verb.offset}: need index {argument} but have {len(arguments)} total"
        )
    value = arguments[argument - 1]
    if verb.mode != "v" and value.null:
        raise verb.fail("null value cannot be formatted")
    try:
        if verb.mode == "v":
            return _padded(verb, _as_is(verb, value))
        if verb.mode == "t":
            return "true" if convert(value, BOOL).data else "false"
        if verb.mode in "bdoxXeEfgG":
            return _numeric(verb, convert(value, NUMBER).number)
        if verb.mode in "sq":
            return _padded(verb, _textual(verb, convert(value, STRING).text))
    except ConversionError as error:
        raise verb.fail(error) from None
    raise FunctionError(f"unsupported format verb '{verb.mode}' in {quote(verb.raw)} at offset {verb.offset}")


def _as_is(verb: _Verb, value: Value) -> str:
    if "#" not in verb.flags and not value.null:
        if value.type == STRING:
            return value.text
        if value.type == NUMBER:
            return numbers.show_general(value.number)
    return to_json(value)


def _textual(verb: _Verb, found: str) -> str:
    if verb.precision > 0:
        found = "".join(list(clusters(found))[: verb.precision])
    return json_text(found) if verb.mode == "q" else found


def _padded(verb: _Verb, shown: str) -> str:
    missing = verb.width - sum(1 for _ in clusters(shown))
    if missing <= 0:
        return shown
    pad = ("0" if "0" in verb.flags else " ") * missing
    return shown + pad if "-" in verb.flags else pad + shown


def _numeric(verb: _Verb, found: Number) -> str:
    if verb.mode in "bdoxX":
        if not found.whole:
            raise verb.fail("an integer is required")
        whole = int(found.value)
        digits = format(abs(whole), verb.mode)
        if "#" in verb.flags:
            digits = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb.mode, "") + digits
        if verb.precision >= 0:
            digits = digits.rjust(verb.precision, "0")
        return _signed(verb, whole < 0, digits)
    if found.infinite:
        return _signed(verb, found.value < 0, "Inf")
    return _signed(verb, found.value < 0, _fraction(verb, numbers.absolute(found)))


def _fraction(verb: _Verb, found: Number) -> str:
    from decimal import Context, Decimal

    assert not isinstance(found.value, float)
    context = Context(prec=2000)
    exact = context.divide(Decimal(found.value.numerator), Decimal(found.value.denominator))
    precision = 6 if verb.precision < 0 else verb.precision
    if verb.mode == "f":
        return f"{exact:.{precision}f}"
    if verb.mode in "eE":
        shown = f"{exact:.{precision}{verb.mode}}"
    elif verb.precision < 0:
        shown = numbers.show_general(found)
        shown = shown.upper() if verb.mode == "G" else shown
    else:
        shown = f"{exact:.{precision or 1}{verb.mode}}"
    return re.sub(r"([eE][+-])(\d)\Z", r"\g<1>0\2", shown)


def _signed(verb: _Verb, negative: bool, digits: str) -> str:
    sign = "-" if negative else "+" if "+" in verb.flags else " " if " " in verb.flags else ""
    missing = verb.width - len(sign) - len(digits)
    if missing <= 0:
        return sign + digits
    if "-" in verb.flags:
        return sign + digits + " " * missing
    if "0" in verb.flags and not digits.endswith("Inf"):
        return sign + "0" * missing + digits
    return " " * missing + sign + digits


def _format(form: Value, *arguments: Value) -> Value:
    return string(formatted(form.text, arguments))


def _format_list(form: Value, *arguments: Value) -> Value:
    lengths: list[tuple[int, int]] = []
    for place, each in enumerate(arguments):
        if each.type.kind in ("list", "set", "tuple") and not each.null:
            length = len(each.items)
            if lengths and length != lengths[0][1]:
                first, wanted = lengths[0]
                raise FunctionError(
                    f"argument {place + 1} has length {length}, which is inconsistent with argument {first} of length {wanted}",
                    place + 1,
                )
            lengths.append((place + 1, length))
    rows = lengths[0][1] if lengths else 1
    if rows * max(1, len(arguments)) > MOST:
        raise LimitError("a value has too many parts")
    made = []
    for row in range(rows):
        columns = {place - 1 for place, _ in lengths}
        values = [each.items[row] if place in columns else each for place, each in enumerate(arguments)]
        try:
            made.append(string(formatted(form.text, values)))
        except FunctionError as error:
            if not arguments:
                raise
            raise FunctionError(f"error on format iteration {row}: {error}") from None
    return list_value(made, STRING)


def _json_encode(value: Value) -> Value:
    return string(to_json(value)) if wholly_known(value) else Value(STRING, value.data)


FUNCTIONS: dict[str, Function] = {
    "format": Function(_format, (text("format"),), Parameter("args", allow_null=True)),
    "formatlist": Function(_format_list, (text("format"),), Parameter("args", allow_null=True)),
    "jsonencode": Function(_json_encode, (Parameter("val", allow_null=True),)),
}
