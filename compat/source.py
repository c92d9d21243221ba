"""The grammar's source, `compat/docker.json` and `compat/compose.json`, as typed records; read and written here only.

A document is {"program", "groups": [group], "commands": [command]}. A group has a path, a help line and flags; a command:

path         the canonical path, "container run"
places       the places where docker has it: "container run", "run"
aliases      other last words of the first place: "list"
usage        what follows the path in the usage line; further lines are whole
help         one line in our own words
arguments    {"min", "max", "words"}: how many words it takes; `words` "cobra" where docker uses cobra's own sentences, "exact" where it counts to 0
interspersed false: the first word ends the flags
status       native | engine | refused, and `why`: the sentence that a user of a refused command reads | absent: answered as docker
             does where the feature is switched off, and `why`: what is not there
flags        name, short, type, default (as docker shows it), help, hidden, deprecated (docker's notice), same (the flag whose value it
             sets), normal (the flag that it is taken for altogether, messages included), reads (the type that the parser reads it
             by, where that is stricter than the one that docker shows), optional (its value when the flag is given without one),
             why (present: the flag is refused with this sentence)
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
Json = dict[str, object]

PROGRAMS = ("docker", "compose")


def read(program: str) -> Json:
    """Return the document of "docker" or "compose"."""
    document: Json = json.loads((HERE / f"{program}.json").read_text())
    return document


def records(value: object) -> list[Json]:
    """Return `value`, checked to be a list of objects."""
    assert isinstance(value, list)
    assert all(isinstance(item, dict) for item in value)
    return value


def words(value: object) -> list[str]:
    """Return `value` (None for none), checked to be a list of strings."""
    if value is None:
        return []
    assert isinstance(value, list)
    assert all(isinstance(item, str) for item in value)
    return value


def text(record: Json, key: str) -> str:
    """Return the string at `key`, "" when there is none."""
    value = record.get(key, "")
    assert isinstance(value, str), (key, value)
    return value


def number(record: Json, key: str, default: int) -> int:
    """Return the number at `key`."""
    value = record.get(key, default)
    assert isinstance(value, int), (key, value)
    return value


def format_document(document: Json) -> str:
    """Return a document as text: one key, one flag a line, so that a change to a flag is a change to one line."""
    out = ["{", f' "program": {_dump(document["program"])},']
    for key in ("groups", "commands"):
        entries = records(document[key])
        out.append(f' "{key}": [')
        for index, entry in enumerate(entries):
            out.append("  {")
            out.extend(f'   "{name}": {_dump(value)},' for name, value in entry.items() if name != "flags")
            flags = records(entry["flags"])
            comma = "," if index + 1 < len(entries) else ""
            if flags:
                lines = ",\n".join("    " + _dump(flag) for flag in flags)
                out.append(f'   "flags": [\n{lines}\n   ]')
            else:
                out.append('   "flags": []')
            out.append("  }" + comma)
        out.append(" ]" + ("," if key == "groups" else ""))
    out.append("}")
    return "\n".join(out) + "\n"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def write(document: Json) -> None:
    """Write a document to its file."""
    (HERE / f"{text(document, 'program')}.json").write_text(format_document(document))
