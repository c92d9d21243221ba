"""YAML as Go's yaml.v3 writes it: block style, two spaces, sorted mappings left to the caller, strings quoted only where they must be."""

from __future__ import annotations

import re

from hyperbox.compose import go
from hyperbox.compose.kinds import Single
from hyperbox.compose.yaml_scalars import resolve

_OLD_BOOLEANS = frozenset(
    ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF")
)
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
# a plain scalar that needs no further look: it starts with a letter or a slash, and holds no indicator
_SIMPLE = re.compile(r"[A-Za-z/_][A-Za-z0-9_./-]*\Z")
_BREAKS = "\r\n\x85\u2028\u2029"
_AFTER_BREAK = re.compile(f"[{_BREAKS}](?=[^{_BREAKS}])")
_ESCAPES = {
    0: "0", 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 27: "e", 34: '"', 92: "\\",
    0x85: "N", 0xA0: "_", 0x2028: "L", 0x2029: "P",
}  # fmt: skip


def to_yaml(value: object, step: int = 2) -> str:
    """Return the text of one document, each level indented by `step`. Mappings keep their order."""
    out: list[str] = []
    _Writer(out, step).write(value, 0, False)
    return "".join(out)


class _Writer:
    __slots__ = ("out", "step")

    def __init__(self, out: list[str], step: int) -> None:
        self.out = out
        self.step = step

    def write(self, value: object, indent: int, in_sequence: bool) -> None:
        """Write a value whose line has begun; a collection that isn't empty begins its own lines unless it stands in a sequence."""
        if isinstance(value, dict) and value:
            self.mapping(value, indent, in_sequence)
        elif isinstance(value, list) and value:
            self.sequence(value, indent, in_sequence)
        else:
            self.out.append(scalar(value, indent) + "\n")

    def mapping(self, value: dict[str, object], indent: int, in_sequence: bool) -> None:
        margin = " " * indent
        first = in_sequence
        inner = indent + self.step
        for key, item in value.items():
            self.out.append("" if first else margin)
            first = False
            text = _key(key)
            if not text:
                self.complex_entry(key, item, indent)
                continue
            self.out.append(text)
            if isinstance(item, dict | list) and item:
                self.out.append(":\n")
                self.write(item, inner, False)
            else:
                self.out.append(": " + scalar(item, inner) + "\n")

    def complex_entry(self, key: str, item: object, indent: int) -> None:
        """Write an entry whose key is long or has several lines, in the form "? key" and ": value"."""
        self.out.append("? " + scalar(key, indent + self.step) + "\n" + " " * indent + ": ")
        self.write(item, indent + 2, True)

    def sequence(self, value: list[object], indent: int, in_sequence: bool) -> None:
        margin = " " * indent
        first = in_sequence
        for item in value:
            self.out.append(("" if first else margin) + "- ")
            first = False
            self.write(item, indent + 2, True)


def _key(key: str) -> str:
    """Return a key as it stands before its colon, or "" where it can't stand there."""
    if _SIMPLE.match(key) and key not in _OLD_BOOLEANS and resolve(key) is key and len(key) <= 128:
        return key
    if len(key.encode("utf-8", "surrogateescape")) > 128 or any(character in key for character in _BREAKS):
        return ""
    return _string(key, 0) if key else '""'


def scalar(value: object, indent: int) -> str:
    """Return a scalar, or an empty collection; `indent` is that of the lines of a literal block."""
    if isinstance(value, str):
        return _string(value, indent)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = go.format_float(value, 32 if isinstance(value, Single) else 64)
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(text, text)
    if isinstance(value, go.Timestamp):
        return value.text
    return "{}" if isinstance(value, dict) else "[]"


def _string(text: str, indent: int) -> str:
    if _SIMPLE.match(text) and text not in _OLD_BOOLEANS and resolve(text) is text:
        return text
    if any("\udc80" <= character <= "\udcff" for character in text):
        return _binary(text, indent)
    if not text:
        return '""'
    special, allowed = _analyze(text)
    if "\n" in text:
        if special or not allowed["block"]:
            return _double_quoted(text)
        return _literal(text, indent)
    typed = not isinstance(resolve(text), str) or text in _OLD_BOOLEANS or _is_base60(text)
    if typed:
        return _double_quoted(text)
    if allowed["plain"]:
        return text
    return _single_quoted(text, indent) if allowed["single"] else _double_quoted(text)


def _single_quoted(text: str, indent: int) -> str:
    """Quote; a break other than a line feed, which was no reason for a literal block, is followed by the indent of a new line."""
    quoted = text.replace("'", "''")
    if any(character in quoted for character in _BREAKS):
        quoted = _AFTER_BREAK.sub(lambda match: match.group() + " " * indent, quoted)
    return f"'{quoted}'"


def _is_base60(text: str) -> bool:
    return ":" in text and _BASE60.match(text) is not None


def _analyze(text: str) -> tuple[bool, dict[str, bool]]:
    """Return whether the text has characters that only double quotes can hold, and which styles could hold it."""
    special = any(not _is_printable(character) for character in text)
    tab = "\t" in text
    indicators = text.startswith(("---", "...")) or text[0] in "#,[]{}&*!|>'\"%@`"
    indicators = indicators or (text[0] in "?:-" and (len(text) == 1 or text[1] in " \t"))
    indicators = indicators or text.endswith(":") or ": " in text or ":\t" in text or " #" in text or "\t#" in text
    has_break = any(character in text for character in _BREAKS)
    indicators = indicators or (has_break and _has_indicator_at_break(text))
    space_break = any(" " + character in text for character in _BREAKS) if has_break else False
    break_space = any(character + " " in text for character in _BREAKS) if has_break else False
    edge = text[0] in " " + _BREAKS or text[-1] in " " + _BREAKS
    unquotable = space_break or tab or special
    return space_break or special, {
        "plain": not (indicators or has_break or edge or break_space or unquotable),
        "single": not (break_space or unquotable),
        "block": text[-1] != " " and not (space_break or special),
    }


def _has_indicator_at_break(text: str) -> bool:
    return any(f":{character}" in text or f"{character}#" in text for character in _BREAKS)


def _is_printable(character: str) -> bool:
    """libyaml's set: tab and line breaks are not special, U+FEFF and control characters are."""
    code = ord(character)
    if character in "\t\n":
        return True
    return 0x20 <= code <= 0x7E or 0xA0 <= code < 0xD800 or (0xE000 <= code <= 0xFFFD and code != 0xFEFF)


def _double_quoted(text: str) -> str:
    out = ['"']
    # a byte order mark at the start has yaml.v3 escape all that follows, too
    marked = text[0] == "\ufeff"
    for character in text:
        code = ord(character)
        if (
            not marked
            and _is_printable(character)
            and character not in '"\\'
            and character not in _BREAKS
            and code != 9
        ):
            out.append(character)
        elif code in _ESCAPES:
            out.append("\\" + _ESCAPES[code])
        else:
            out.append(f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}")
    out.append('"')
    return "".join(out)


def _literal(text: str, indent: int) -> str:
    hint = "2" if text[0] in " " + _BREAKS else ""
    if text[-1] not in _BREAKS:
        hint += "-"
    elif len(text) == 1 or text[-2] in _BREAKS:
        hint += "+"
    margin = " " * indent
    out = []
    begins = True
    for character in text:
        if character in _BREAKS:
            out.append(character)
            begins = True
        else:
            out.append(margin + character if begins else character)
            begins = False
    return f"|{hint}\n" + "".join(out).removesuffix("\n")


def _binary(text: str, indent: int) -> str:
    import base64

    encoded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
    lines = [encoded[start : start + 70] for start in range(0, len(encoded), 70)]
    if len(lines) == 1:
        return "!!binary " + _string(encoded, indent)
    margin = " " * indent
    return "!!binary |\n" + "\n".join(margin + line for line in lines)


class _NaturalKey:
    """Orders keys as yaml.v3 does: letters after other characters, runs of digits by their number."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: _NaturalKey) -> bool:
        return _less(self.text, other.text)


def _less(left: str, right: str) -> bool:
    digits = False
    for index, (one, two) in enumerate(zip(left, right, strict=False)):
        if one == two:
            digits = one.isdecimal()
            continue
        one_letter, two_letter = one.isalpha(), two.isalpha()
        if one_letter and two_letter:
            return one < two
        if one_letter or two_letter:
            return one_letter if digits else two_letter
        return _less_numbers(left, right, index)
    return len(left) < len(right)


def _less_numbers(left: str, right: str, index: int) -> bool:
    lead = 0
    if left[index] == "0" or right[index] == "0":
        position = index - 1
        while position >= 0 and left[position].isdecimal():
            if left[position] != "0":
                lead = 1
                break
            position -= 1
    one, one_end = _digits(left, index, lead)
    two, two_end = _digits(right, index, lead)
    if one != two:
        return one < two
    if one_end != two_end:
        return one_end < two_end
    return left[index] < right[index]


def _digits(text: str, index: int, value: int) -> tuple[int, int]:
    while index < len(text) and text[index].isdecimal():
        value = value * 10 + ord(text[index]) - 48
        index += 1
    # Go's int64 wraps around
    return (value + 2**63) % 2**64 - 2**63, index


def natural_key(text: str) -> _NaturalKey:
    """Return a sort key for a mapping's keys."""
    return _NaturalKey(text)
