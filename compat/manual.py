"""The pages of man/: one for each command and group, in roff's man macros (groff_man(7)); a shortcut is a link to its command's page."""

from __future__ import annotations

from pathlib import Path

import jinja2

from compat.help_tables import shown_default
from compat.source import PROGRAMS, Json, read, records, text, words

TEMPLATE = Path(__file__).resolve().parent / "templates" / "man"
RUNS = frozenset({"docker container run", "docker container exec", "docker compose run", "docker compose exec"})


def roff(value: str) -> str:
    """Return `value` as roff reads it literally: backslashes, hyphens, quotes and leading dots escaped."""
    escaped = (
        value.replace("\\", "\\(rs")
        .replace("-", "\\-")
        .replace("'", "\\(aq")
        .replace("`", "\\(ga")
        .replace('"', "\\(dq")
    )
    escaped = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in escaped)
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


def _flag_head(flag: Json) -> str:
    """Return the line that names a flag: short and long in bold, its type in italics."""
    name, short, kind = text(flag, "name"), text(flag, "short"), text(flag, "type")
    parts = [f"\\fB\\-{short}\\fR, " if short else "", f"\\fB\\-\\-{roff(name)}\\fR"]
    if kind != "bool":
        parts.append(f" \\fI{roff(kind)}\\fR")
    return "".join(parts)


def _flags(entry: Json) -> list[dict[str, str]]:
    found = []
    for flag in records(entry["flags"]):
        if not flag.get("hidden"):
            found.append(
                {
                    "head": _flag_head(flag),
                    "text": text(flag, "help"),
                    "default": shown_default(flag),
                    "why": text(flag, "why"),
                }
            )
    return found


def _children(document: Json, place: str) -> list[tuple[str, str]]:
    """Return (path, line) of what lies directly below a group."""
    found = []
    for entry in [*records(document["groups"]), *records(document["commands"])]:
        for path in words(entry.get("places")) or [text(entry, "path")]:
            parent = path.rpartition(" ")[0]
            if path and parent == place and not entry.get("hidden"):
                found.append((path, text(entry, "help")))
    return sorted(found)


def page_name(full: str) -> str:
    """Return the file of a command's page: "docker container run" -> "docker-container-run.1"."""
    return full.replace(" ", "-") + ".1"


def manual_pages() -> dict[str, str]:
    """Return path -> content of every page."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["roff"] = roff
    template = environment.from_string(TEMPLATE.read_text())
    pages: dict[str, str] = {}
    for program in PROGRAMS:
        document = read(program)
        base = "docker" if program == "docker" else "docker compose"
        for group in records(document["groups"]):
            if not group.get("hidden"):
                full = f"{base} {text(group, 'path')}".strip()
                pages[f"man/man1/{page_name(full)}"] = template.render(
                    _group_values(program, document, group, base, full)
                )
        for command in records(document["commands"]):
            if command.get("hidden"):
                continue
            first, *others = words(command["places"])
            pages[f"man/man1/{page_name(f'{base} {first}')}"] = template.render(
                _command_values(program, command, base, first)
            )
            for place in others:
                pages[f"man/man1/{page_name(f'{base} {place}')}"] = f".so man1/{page_name(f'{base} {first}')}\n"
    return {path: content.rstrip() + "\n" for path, content in pages.items()}


def _group_values(program: str, document: Json, group: Json, base: str, full: str) -> dict[str, object]:
    children = [(f"{base} {path}".replace(" ", "-"), line) for path, line in _children(document, text(group, "path"))]
    if full == "docker":
        children.append(("docker-compose", text(records(read("compose")["groups"])[0], "help")))
    parent = full.rpartition(" ")[0]
    return {
        "title": full.replace(" ", "-"),
        "manual": "HyperBox manual",
        "line": text(group, "help"),
        "usages": [(full, "[OPTIONS] COMMAND")],
        "why": "",
        "spellings": [],
        "commands": children,
        "flags": _flags(group),
        "compose": program == "compose",
        "runs": False,
        "see": [parent.replace(" ", "-")] if parent else [name for name, _ in children[:3]],
    }


def _command_values(program: str, command: Json, base: str, place: str) -> dict[str, object]:
    full = f"{base} {place}"
    first, *more = words(command["usage"])
    parent = place.rpartition(" ")[0]
    aliases = [f"{base} {parent} {alias}".replace("  ", " ") for alias in words(command.get("aliases"))]
    others = [f"{base} {other}" for other in words(command["places"])[1:]]
    usages = [(full, first)]
    for line in more:
        name, _, rest = line.partition(" [")
        usages.append((name, "[" + rest) if rest else (line, ""))
    return {
        "title": full.replace(" ", "-"),
        "manual": "HyperBox manual",
        "line": text(command, "help"),
        "usages": usages,
        "why": text(command, "why"),
        "spellings": [full, *aliases, *others] if aliases or others else [],
        "commands": [],
        "flags": _flags(command),
        "compose": program == "compose",
        "runs": full in RUNS,
        "see": [f"{base} {parent}".strip().replace(" ", "-")],
    }
