"""Texts in quotes and in JSON, booleans, and what Go's strconv says of a text that is none of what was asked for.

All that reads flags imports this: it imports nothing.
"""

from __future__ import annotations

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quote(text: str) -> str:
    """Return `text` in double quotes as strconv.Quote and %q write it; surrogates stand for bytes that were no UTF-8."""
    if text.isascii() and text.isprintable() and "\\" not in text and '"' not in text:
        return f'"{text}"'
    out = ""
    for letter in text:
        code = ord(letter)
        if letter in _ESCAPES:
            out += _ESCAPES[letter]
        elif 0xDC80 <= code <= 0xDCFF:
            out += f"\\x{code - 0xDC00:02x}"
        elif letter.isprintable():
            out += letter
        elif code < 0x80:
            out += f"\\x{code:02x}"
        else:
            out += f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return f'"{out}"'


def parse_bool(text: str) -> bool:
    """Return the boolean that strconv.ParseBool reads. Raises ValueError with its words."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(invalid_syntax("ParseBool", text))


def invalid_syntax(function: str, text: str) -> str:
    """Return what a function of strconv ("ParseInt", "Atoi" …) says of a text that it can't read."""
    return f"strconv.{function}: parsing {quote(text)}: invalid syntax"


def out_of_range(function: str, text: str) -> str:
    """Return what a function of strconv says of a number that its type can't hold."""
    return f"strconv.{function}: parsing {quote(text)}: value out of range"


def html_escaped(text: str) -> str:
    """Return JSON as encoding/json writes it where nobody asks it not to: <, >, & and what JavaScript takes for line ends as escapes."""
    if "<" in text or ">" in text or "&" in text:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return separators_escaped(text)


def separators_escaped(text: str) -> str:
    """Return JSON as encoding/json writes it in any case: what JavaScript takes for line ends as escapes."""
    return text if text.isascii() else text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
