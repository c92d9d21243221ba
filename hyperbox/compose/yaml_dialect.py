"""Where yaml.v3 and libyaml read a stream otherwise: characters that stand in for others while libyaml scans, and marks in flow style.

yaml.v3 takes `\\'` in double quotes and refuses `\\/` there; a byte order mark is a character like any other but at the very start; a colon
before `,`, `[`, `]`, `{` or `}` belongs to a plain scalar; a question mark ends one in flow style, and nothing may follow it there.
"""

from __future__ import annotations

from typing import Any

# characters for private use: text that has one of them itself is read without
SLASH, MARK, COLON, QUOTE, NOTHING = (chr(0xE3A0 + index) for index in range(5))
BACK = {ord(SLASH): "/", ord(MARK): "\ufeff", ord(COLON): ":", ord(QUOTE): "'", ord(NOTHING): None}
_BOM = b"\xef\xbb\xbf"
# how many characters of one stream errors may have replaced
REPLACED = 200


def needs_care(data: bytes) -> bool:
    """Tell whether the stream may hold what is replaced before libyaml scans it."""
    return b"\\/" in data or data.find(_BOM, 1) > 0


def to_text(data: bytes) -> str | None:
    """Return the text of a stream, or None where none of this applies: not UTF-8, or with stand-ins of its own."""
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return None
    return None if any(chr(code) in text for code in BACK) else text


def stand_in(text: str) -> str:
    """Return the text with stand-ins for a slash behind a backslash, which is no escape in quotes, and for byte order marks."""
    return text.replace("\\/", f"\\{SLASH}").replace("\ufeff", MARK)


def replaced(text: str, problem: str, index: int) -> str:
    """Return the text without what libyaml stumbled over and yaml.v3 does not, or "" where both do."""
    if problem == "found unexpected ':'" and text[index : index + 1] == ":":
        return text[:index] + COLON + text[index + 1 :]
    if problem == "found unknown escape character" and text[index : index + 2] == "\\'":
        return text[:index] + QUOTE + NOTHING + text[index + 2 :]
    return ""


class Flow:
    """The collections that are open, for what a question mark in flow style makes of a plain scalar."""

    __slots__ = ("opened",)

    def __init__(self) -> None:
        # of each collection: the character that ends it ("" in block style), and its line
        self.opened: list[tuple[str, int]] = []

    def open(self, event: Any, *, mapping: bool) -> None:
        """Take note of a collection's start."""
        if not event.flow_style:
            self.opened.append(("", 0))
        elif mapping and event.start_mark.index == event.end_mark.index:
            self.opened.append(self.opened[-1])  # a single pair in a sequence: no braces of its own
        else:
            self.opened.append(("}" if mapping else "]", event.start_mark.line))

    def problem(self, event: Any) -> str:
        """Return yaml.v3's complaint about a plain scalar with a question mark, or ""."""
        end, line = self.opened[-1] if self.opened else ("", 0)
        if not end:
            return ""
        line = line or event.start_mark.line
        return f"{f'line {line}: ' if line else ''}did not find expected ',' or '{end}'"
