"""What stands between quotes: escape sequences."""

from __future__ import annotations

import re

from hyperbox.go.text import quote
from hyperbox.hcl import tokens
from hyperbox.hcl.positions import Diagnostic, Range, after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.tokens import Token

_PARTS = re.compile(r"\\u[0-9a-fA-F]{0,4}|\\U[0-9a-fA-F]{0,8}|\\[^\r\n]?|\$\$\{|%%\{|\$|%|[^\\$%]+")
_SIMPLE = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\", "$${": "${", "%%{": "%{"}


def literal_text(token: Token, problems: list[Diagnostic]) -> str:
    """Return the text that a literal token stands for."""
    if token.kind != tokens.QUOTED:
        return token.text.replace("$${", "${").replace("%%{", "%{")
    text, position = "", token.range.start
    for part in _PARTS.findall(token.text):
        end = after(position, part)
        text += _part_text(part, Range(token.range.file, position, end), problems)
        position = end
    return text


def _part_text(part: str, place: Range, problems: list[Diagnostic]) -> str:
    if part in _SIMPLE:
        return _SIMPLE[part]
    if not part.startswith("\\"):
        return part
    if len(part) == 1:
        detail = "Backslash must be followed by an escape sequence selector character."
    elif part[1] in "uU":
        digits, count = (4, "four") if part[1] == "u" else (8, "eight")
        if len(part) == digits + 2:
            code = int(part[2:], 16)
            if code < 0xD800 or 0xDFFF < code < 0x110000:
                return chr(code)
            detail = f"Cannot encode character U+{code:04x} in UTF-8."
        else:
            detail = f"The \\{part[1]} escape sequence must be followed by {count} hexadecimal digits."
    else:
        detail = f"The symbol {quote(part[1:])} is not a valid escape sequence selector."
        part = part[1:]
    problems.append(Diagnostic("Invalid escape sequence", detail, place))
    return part
