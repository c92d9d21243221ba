"""How values look to the user: tables, JSON and times, as docker prints them. Text in, text out; nothing here opens a file.

    tabulate(text)               align tab-separated lines as Go's text/tabwriter does
    table(rows)                  the same for rows of cells (the header is the first row)
    go_json(value)               compact JSON as encoding/json writes it (`<` as \\u003c)
    go_time(seconds)             "2025-11-24 03:13:00 +0000 UTC"
    truncate(text, width)        cut with "…";  short_id(id)  the 12 characters that docker shows

Sizes and lengths of time are in `go.units`, `docker ls --format` lists in `cli.output_list`, templates in `cli.templates`.
A hot path: imports nothing beyond `hyperbox.files` and `hyperbox.go.text`.
"""

from __future__ import annotations

from hyperbox.files import dumps
from hyperbox.go.text import html_escaped, separators_escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIN_WIDTH = 10
PADDING = 3
TAB = 8


# --- tables -------------------------------------------------------------------------------------------------------------------
def table(rows: Iterable[Sequence[str]], *, min_width: int = MIN_WIDTH, padding: int = PADDING) -> str:
    """Return rows of cells as aligned lines, each ending in a newline. The first row is the header."""
    return tabulate("".join("\t".join(row) + "\n" for row in rows), min_width=min_width, padding=padding)


def tabulate(text: str, *, min_width: int = MIN_WIDTH, padding: int = PADDING, tabs: bool = False) -> str:
    """Return `text` with its tab-terminated cells padded (`tabs`: by tabs), by the rules of Go's text/tabwriter without flags.

    A column is a run of adjacent lines that have a tab-terminated cell at that place; what follows a line's last tab is not part of any
    column. Widths count characters.
    """
    lines = [line.split("\t") for line in text.split("\n")]
    widths = [[0] * (len(line) - 1) for line in lines]
    _measure(lines, widths, 0, len(lines), 0, min_width, padding)
    pad = _to_tab_stop if tabs else str.ljust
    output: list[str] = []
    for cells, places in zip(lines, widths, strict=True):
        output.append("".join(pad(cell, width) for cell, width in zip(cells, places, strict=False)) + cells[-1])
    return "\n".join(output)


def _to_tab_stop(cell: str, width: int) -> str:
    """Return a cell with tabs up to the tab stop behind a width."""
    stop = -(-width // TAB) * TAB
    return cell + "\t" * -(-(stop - len(cell)) // TAB)


def _measure(
    lines: list[list[str]], widths: list[list[int]], start: int, end: int, column: int, least: int, padding: int
) -> None:
    """Fill in the widths of the columns from `column` on for the lines start..end-1."""
    index = start
    while index < end:
        if len(lines[index]) - 1 <= column:
            index += 1
            continue
        first, width = index, least
        while index < end and len(lines[index]) - 1 > column:
            width = max(width, len(lines[index][column]) + padding)
            index += 1
        for line in range(first, index):
            widths[line][column] = width
        _measure(lines, widths, first, index, column + 1, least, padding)


# --- JSON ---------------------------------------------------------------------------------------------------------------------
def go_json(value: object, *, sort_keys: bool = False, escape_html: bool = True) -> str:
    """Return `value` as Go's encoding/json writes it: compact, and by default with <, > and & escaped.

    The keys of a dict keep their order (a Go struct) unless `sort_keys` (a Go map).
    """
    return (html_escaped if escape_html else separators_escaped)(dumps(value, sort_keys=sort_keys))


def indented_json(value: object, *, indent: str = "    ", sort_keys: bool = False) -> str:
    """Return `value` as docker's inspect prints it: one entry a line, empty lists and objects as [] and {}."""
    output: list[str] = []
    _indent(value, indent, "\n", sort_keys, output)
    return "".join(output)


def _indent(value: object, indent: str, line: str, sort_keys: bool, output: list[str]) -> None:
    inner = line + indent
    if isinstance(value, dict) and value:
        separator = "{"
        for key in sorted(value) if sort_keys else value:
            output.append(f"{separator}{inner}{dumps(str(key))}: ")
            _indent(value[key], indent, inner, sort_keys, output)
            separator = ","
        output.append(line + "}")
    elif isinstance(value, (list, tuple)) and value:
        separator = "["
        for item in value:
            output.append(separator + inner)
            _indent(item, indent, inner, sort_keys, output)
            separator = ","
        output.append(line + "]")
    else:
        output.append(dumps(value))


# --- times --------------------------------------------------------------------------------------------------------------------
def go_time(seconds: float) -> str:
    """Return a time of the epoch as Go's time.Time prints itself in the local zone: "2025-11-24 03:13:00 +0000 UTC"."""
    import time

    local = time.localtime(seconds)
    return f"{local.tm_year:04d}{time.strftime('-%m-%d %H:%M:%S %z %Z', local)}"


# --- words --------------------------------------------------------------------------------------------------------------------
def truncate(text: str, width: int) -> str:
    """Return at most `width` characters, the last one "…" where something was cut."""
    if len(text) <= width:
        return text
    return text[:width] if width <= 1 else text[: width - 1] + "…"


def short_id(identifier: str) -> str:
    """Return the 12 characters of an id that docker shows, without the algorithm's name."""
    return identifier.partition(":")[2][:12] if ":" in identifier else identifier[:12]


def natural_key(text: str) -> list[tuple[int, int]]:
    """Return a sort key that puts v2 before v10, as docker sorts names and ports: numbers by value, all else by character."""
    output: list[tuple[int, int]] = []
    index = 0
    while index < len(text):
        end = index
        while end < len(text) and text[end] in "0123456789":
            end += 1
        output.append((ord("0"), int(text[index:end])) if end > index else (ord(text[index]), 0))
        index = max(end, index + 1)
    return output
