"""`hyperbox compat`: which commands of docker are native, need an engine, or are refused; as a table, `--markdown` or `--json`."""

from __future__ import annotations

import sys

from hyperbox.errors import UsageError
from hyperbox.grammar import tables, tables_compose, tables_help

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperbox.grammar.parse import Invocation

USAGE = "hyperbox compat [--flags] [--markdown | --json]"
Row = tuple[str, str, str]


def command_rows() -> Iterator[Row]:
    """Yield (command, state, sentence or help line) for every place of docker's commands and compose's, in order."""
    for program, table in (("docker", tables), ("compose", tables_compose)):
        for place, path in sorted(table.PLACES.items()):
            if place.startswith("completion "):
                continue
            _, _, _, _, _, state, why, _ = table.COMMANDS[path]
            full = f"docker {place}" if program == "docker" else f"docker compose {place}"
            yield full, state, why or tables_help.LINES[program, path]


def flag_rows() -> Iterator[Row]:
    """Yield (command and flag, "refused", sentence) for the refused flags of commands that are not refused themselves."""
    for prefix, table in (("docker ", tables), ("docker compose ", tables_compose)):
        for path, command in sorted(table.COMMANDS.items()):
            if command[5] == "refused":
                continue
            for name, _, _, _, notes in command[7]:
                if notes is not None and "why" in notes:
                    yield f"{prefix}{path} --{name}", "refused", notes["why"]


def show_table(invocation: Invocation) -> int:
    """Print the states of all commands, with --flags those of the refused flags too; returns 0."""
    words = invocation.arguments
    unknown = [word for word in words if word not in ("--flags", "--markdown", "--json", "--help")]
    if "--help" in words:
        sys.stdout.write(f"Usage:  {USAGE}\n\nPrint which commands of docker are supported\n")
        return 0
    if unknown or ("--markdown" in words and "--json" in words):
        raise UsageError(f"Usage:  {USAGE}", exit_code=125)
    rows = [*command_rows(), *(flag_rows() if "--flags" in words else ())]
    if "--json" in words:
        from hyperbox.files import dumps

        sys.stdout.write(
            "".join(dumps({"Command": name, "State": state, "Note": note}) + "\n" for name, state, note in rows)
        )
    elif "--markdown" in words:
        sys.stdout.write(markdown(rows))
    else:
        width = max(len(name) for name, _, _ in rows)
        sys.stdout.write(
            "".join(
                f"{name:<{width}}   {state:<8}  {note}\n" for name, state, note in [("COMMAND", "STATE", "NOTE"), *rows]
            )
        )
    return 0


def markdown(rows: list[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| command | state | note |", "|---|---|---|"]
    lines.extend(f"| `{name}` | {state} | {note.replace('|', chr(92) + '|')} |" for name, state, note in rows)
    return "\n".join(lines) + "\n"
