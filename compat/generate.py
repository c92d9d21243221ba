"""Generates hyperbox/grammar/tables.py from compat/docker.json and compat/compose.json.

    python -m compat.generate            write what differs
    python -m compat.generate --check    exit with 1 and name the files that are not up to date

The JSON files are the source. A command is {"path", "usage", "args": [least, most (-1: any number)], "aliases", "same_as" (the canonical path of a
shortcut), "refused" (the sentence that says why), "flags": [[name, short, type, default]], "hidden" and "deprecated": the same with the name
of the flag that is meant}. `flags` at the top are the program's global flags.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# what may stand between a program's flags and the command's own words
INTERSPERSE_OFF = {"container run", "container create", "container exec", "container top", "run", "exec"}


def read_program(name: str) -> dict[str, object]:
    """Return the source table of one program ("docker" or "compose")."""
    table: dict[str, object] = json.loads((ROOT / "compat" / f"{name}.json").read_text())
    return table


def flag_row(flag: list[str]) -> tuple[str, ...]:
    """Return the generated row of a flag: name, short, type, default, and for another spelling the name that is meant."""
    return tuple(flag)


def command_row(command: dict[str, object], by_path: dict[str, dict[str, object]]) -> tuple[object, ...]:
    """Return (usage, canonical path, least, most, interspersed, refused, flags, hidden, deprecated) of a command."""
    canonical = str(command.get("same_as", command["path"]))
    source = by_path.get(canonical, command)
    least, most = (int(number) for number in source["args"]) if "args" in source else (0, 0)  # type: ignore[attr-defined]
    rows = {
        kind: tuple(flag_row(flag) for flag in source.get(kind, ()))  # type: ignore[attr-defined]
        for kind in ("flags", "hidden", "deprecated")
    }
    interspersed = canonical not in INTERSPERSE_OFF
    refused = str(source.get("refused", ""))
    return (
        str(command["usage"]),
        canonical,
        least,
        most,
        interspersed,
        refused,
        rows["flags"],
        rows["hidden"],
        rows["deprecated"],
    )


def program_tables(name: str) -> dict[str, object]:
    """Return the literals of one program: FLAGS, COMMANDS (path -> row) and CHILDREN (path -> {word: path})."""
    source = read_program(name)
    commands: list[dict[str, object]] = source["commands"]  # type: ignore[assignment]
    by_path = {str(command["path"]): command for command in commands}
    rows: dict[str, object] = {}
    children: dict[str, dict[str, str]] = {"": {}}
    for command in commands:
        path = str(command["path"])
        parent, _, word = path.rpartition(" ")
        children.setdefault(parent, {})[word] = path
        for alias in command.get("aliases", ()):  # type: ignore[attr-defined]
            children[parent][alias] = path
        if command.get("group"):
            children.setdefault(path, {})
        rows[path] = command_row(command, by_path)
    flags = tuple(flag_row(flag) for flag in source["flags"])  # type: ignore[attr-defined]
    return {"USAGE": source["usage"], "FLAGS": flags, "COMMANDS": rows, "CHILDREN": children}


def render() -> str:
    """Return the text of hyperbox/grammar/tables.py."""
    lines = [
        '"""GENERATED from compat/*.json by `python -m compat.generate`: docker\'s and docker compose\'s grammar."""',
        "",
    ]
    for name in ("docker", "compose"):
        for constant, value in program_tables(name).items():
            if isinstance(value, dict):
                lines.append(
                    f"{name.upper()}_{constant}: dict[str, {'tuple[object, ...]' if constant == 'COMMANDS' else 'dict[str, str]'}] = {{"
                )
                lines.extend(f"    {key!r}: {item!r}," for key, item in value.items())
                lines.append("}")
            else:
                lines.append(f"{name.upper()}_{constant} = {value!r}")
    return "\n".join(lines) + "\n"


def outputs() -> dict[str, str]:
    """Return what is generated: path below the repository -> text."""
    return {"hyperbox/grammar/tables.py": render()}


def main() -> int:
    """Write the generated files, or with --check only compare them."""
    stale = []
    for name, text in outputs().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    for name in stale:
        print(f"{'not up to date' if '--check' in sys.argv else 'written'}: {name}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
