"""The JSON schema of HyperBox's configuration file, and its TOML text changed key by key; both from the one table in `settings`."""

from __future__ import annotations

import re

from hyperbox.cli import settings
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

SIZE = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\s*[0-9.]+\s*[bkmgtBKMGT]{0,2}\s*$"}]
}
_TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")


def value_schema(key: settings.Key) -> Json:
    """Return the schema of one key's value."""
    found: Json = {"description": key.help}
    if key.default is not None:
        found["default"] = key.default
    if key.kind == "choice":
        found["enum"] = list(key.choices)
    elif key.kind in ("integer", "number"):
        found.update({"type": key.kind, "minimum": key.choices[0], "maximum": key.choices[1]})
    elif key.kind == "boolean":
        found["type"] = "boolean"
    elif key.kind == "size":
        found.update(SIZE)
    elif key.kind == "network":
        found.update({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+){3}/[0-9]+$"})
    elif key.kind == "io":
        limits = dict.fromkeys(settings.IO_LIMITS, SIZE)
        device = {"type": "object", "properties": limits, "additionalProperties": False}
        found.update(
            {"type": "object", "patternProperties": {r"^(/dev/.+|[0-9]+:[0-9]+)$": device}, "additionalProperties": False}
        )  # fmt: skip
    else:
        found.update({"type": "string", "minLength": 1})
    return found


def schema() -> Json:
    """Return the JSON schema of config.toml (as its parsed document)."""
    tables: dict[str, Json] = {}
    for key in settings.KEYS:
        table, _, name = key.name.partition(".")
        tables.setdefault(table, {})[name] = value_schema(key)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "HyperBox's configuration",
        "type": "object",
        "properties": {
            table: {"type": "object", "properties": properties, "additionalProperties": False}
            for table, properties in tables.items()
        },
        "additionalProperties": False,
    }


def keys_markdown() -> str:
    """Return the table of all keys for the documentation."""
    lines = ["| key | default | environment | meaning |", "|---|---|---|---|"]
    for key in settings.KEYS:
        default = "" if key.default is None else f"`{settings.shown(key.default)}`"
        variable = f"`{key.variable}`" if key.variable else ""
        lines.append(f"| `{key.name}` | {default} | {variable} | {key.help} |")
    return "\n".join(lines) + "\n"


def with_value(text: str, name: str, value: object) -> str:
    """Return a TOML text in which the key "table.key" has a value (None: is not there); all other lines stay as they are. Pure.

    Raises HyperBoxError for a key that the text writes in another way than on a line of its own below its [table].
    """
    table, _, key = name.partition(".")
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # splitlines() knows more ends of lines than TOML
    start = next((number for number, line in enumerate(lines) if _header(line) == table), -1)
    assignment = re.compile(rf"\s*(\"{re.escape(key)}\"|{re.escape(key)})\s*=")
    end = len(lines)
    if start >= 0:
        end = next(
            (number for number in range(start + 1, len(lines)) if _header(lines[number]) is not None), len(lines)
        )
    place = next((number for number in range(start + 1, end) if start >= 0 and assignment.match(lines[number])), -1)
    if place >= 0 and lines[place].count('"""') % 2:
        raise HyperBoxError(f"{name} is written over several lines: change it by hand")
    if value is None:
        return "".join(lines[:place] + lines[place + 1 :]) if place >= 0 else text
    new = f"{key} = {settings.shown(value)}\n"
    if place >= 0:
        lines[place] = new
    elif start >= 0:
        lines.insert(start + 1, new)
    else:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines += ([] if not lines else ["\n"]) + [f"[{table}]\n", new]
    return "".join(lines)


def _header(line: str) -> str | None:
    match = _TABLE.match(line)
    if match:
        return match[1].strip()
    return "" if line.lstrip().startswith("[[") else None
