"""Comma-separated values as Go reads them, which refuses quotes where they don't belong."""

from __future__ import annotations

import re

from hyperbox.hcl.functions import FunctionError

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_BARE = re.compile(r"[^,\n]*")


def csv_rows(text: str) -> list[list[str]]:
    """Return the rows of a text; empty lines are passed over. Raises FunctionError."""
    text = text.replace("\r\n", "\n")
    rows: list[list[str]] = []
    place, line = 0, 1
    while place < len(text):
        if text[place] == "\n":
            place, line = place + 1, line + 1
            continue
        row: list[str] = []
        more = True
        while more:
            field, place = _field(text, place, line)
            row.append(field)
            more = text[place : place + 1] == ","
            place += 1
        line += 1 + sum(field.count("\n") for field in row)
        rows.append(row)
    return rows


def _field(text: str, place: int, line: int) -> tuple[str, int]:
    """Return the field that begins at a place, and where it ends."""
    if text[place : place + 1] != '"':
        match = _BARE.match(text, place)
        assert match is not None
        if '"' in match.group():
            raise FunctionError(f'CSV parse error on line {line}: bare " in non-quoted-field')
        return match.group(), match.end()
    match = _QUOTED.match(text, place)
    if match is None or text[match.end() : match.end() + 1] not in ("", ",", "\n"):
        raise FunctionError(f'CSV parse error on line {line}: extraneous or missing " in quoted-field')
    return match[1].replace('""', '"'), match.end()
