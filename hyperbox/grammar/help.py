"""The text of `--help`: docker's layout and flags, our own words. Pure; `cli.help` prints it."""

from __future__ import annotations

from hyperbox.grammar import tables, tables_help
from hyperbox.grammar.parse import usage_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

    Row = tuple[str, str, str, str, str]

COMMON = (
    "run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info",
)  # fmt: skip
# groups that `docker --help` leaves out: those that need a swarm or an experimental engine
UNLISTED = frozenset({"checkpoint", "completion", "config", "node", "secret", "service", "stack"})
# what docker does not list below a group though it is there
UNLISTED_PLACES = frozenset({"builder build"})
OWN = (
    ("project", "Look after HyperBox projects: ports, address, limits"),
    ("env", "Print the project's addresses and ports for a shell"),
    ("doctor", "Check that this machine has what HyperBox needs"),
    ("config", "Look at HyperBox's settings and change them"),
    ("bench", "Measure HyperBox beside other engines"),
    ("compat", "Print which commands of docker are supported"),
)
DRY_RUN: Row = ("dry-run", "", "bool", "", "Tell what would be done, do nothing")
ORPHAN = 5


def help_text(
    typed: str, width: int, program: str, config: str, *, legacy: bool = True, plugins: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the help of the place `typed` ("" is docker's own), wrapped to `width` columns.

    `program` is "hyperbox" where our own verbs are listed too; `config` is the folder of the client's configuration; without `legacy` docker's
    own help leaves out what a group has as well. `plugins` are the names of docker's plugins that add commands, and what they say they do.
    """
    if typed == "help":
        return "Usage:  docker help [command]\n\nShow help for a command\n"
    compose = typed == "compose" or typed.startswith("compose ")
    place = typed.removeprefix("compose").strip() if compose else typed
    if compose:
        from hyperbox.grammar import tables_compose

        table: ModuleType = tables_compose
    else:
        table = tables
    if place in table.GROUPS:
        return _group_help(compose, table, place, width, program, config, legacy=legacy, plugins=plugins)
    return _command_help(compose, table, place, width)


def _command_help(compose: bool, table: ModuleType, place: str, width: int) -> str:
    command = table.COMMANDS[table.PLACES[place]]
    key = ("compose" if compose else "docker", command[0])
    out = f"Usage:  {usage_line(compose, command, place)}\n\n{tables_help.LINES[key]}\n"
    spellings = tables_help.SPELLINGS.get((key[0], place))
    if spellings:
        out += f"\nAliases:\n  {', '.join(spellings)}\n"
    rows = with_implied(tables_help.FLAGS[key], compose, command[0])
    if rows:
        out += f"\nOptions:\n{flag_lines(rows, width)}"
    return out


def with_implied(rows: Sequence[Row], compose: bool, path: str) -> list[Row]:
    """Return the rows with those that docker lists though they are everywhere: --help of run and create, --dry-run of compose."""
    if compose:
        return sorted([*(row for row in rows if row[0] != "dry-run"), DRY_RUN])
    if path in ("container run", "container create"):
        return sorted([*rows, ("help", "", "bool", "", "Print this help")])
    return list(rows)


def _group_help(
    compose: bool,
    table: ModuleType,
    place: str,
    width: int,
    program: str,
    config: str,
    *,
    legacy: bool,
    plugins: Sequence[tuple[str, str]],
) -> str:
    name = f"docker {'compose ' if compose else ''}{place}".strip()
    key = ("compose" if compose else "docker", place)
    buildx = not compose and place.partition(" ")[0] == "buildx"
    options = "[OPTIONS] " if compose or buildx or not place else ""
    out = f"Usage:  {name} {options}COMMAND\n\n{tables_help.LINES[key]}\n"
    if compose:
        out += f"\nOptions:\n{flag_lines(with_implied(tables_help.FLAGS[key], True, place), width)}"
    elif buildx:
        out += f"\nOptions:\n{flag_lines(tables_help.FLAGS[key], width)}"
    for title, entries in sections(compose, table, place, program, legacy=legacy):
        if title == "Management Commands" and not compose and not place:
            entries = sorted([*entries, *((f"{word}*", line) for word, line in plugins)])
        pad = max(11, *(len(word) for word, _ in entries)) if entries else 11
        lines = "".join(f"  {word:<{pad}} {line}\n" for word, line in entries)
        out += f"\n{title}:\n{lines}"
    if not compose and not place:
        rows = [(n, s, t, d.replace("$HOME/.docker", config), h) for n, s, t, d, h in tables_help.FLAGS[key]]
        rows = [(n, s, t, d.replace("/root/.docker", config), h) for n, s, t, d, h in rows]
        out += f"\nGlobal Options:\n{flag_lines(rows, width)}"
    return out + f"\nRun '{name} COMMAND --help' for more information on a command.\n"


def sections(
    compose: bool, table: ModuleType, place: str, program: str, *, legacy: bool
) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Yield the titled lists of commands below a group, as (title, [(word, line)]); empty lists are left out.

    Without `legacy` those that a group has as well are, but for the common ones.
    """
    key = "compose" if compose else "docker"
    groups = [(word, tables_help.LINES[key, path]) for word, path in _children(table.GROUPS, place)]
    commands = [
        (word, tables_help.LINES[key, table.PLACES[path]])
        for word, path in _children(table.PLACES, place)
        if path not in UNLISTED_PLACES
    ]
    if compose or place:
        found = [("Management Commands", groups), ("Commands", commands)]
    else:
        groups = [*groups, ("compose", tables_help.LINES["compose", ""])]
        by_word = dict(commands)
        found = [
            ("Common Commands", [(word, by_word.pop(word)) for word in COMMON]),
            ("Management Commands", [entry for entry in groups if entry[0] not in UNLISTED | {"swarm"}]),
            ("Swarm Commands", [entry for entry in groups if entry[0] == "swarm"]),
            ("Commands", list(by_word.items()) if legacy else []),
        ]
        if program == "hyperbox":
            found.append(("HyperBox Commands", list(OWN)))
    for title, entries in found:
        if entries:
            yield title, entries if title in ("Common Commands", "HyperBox Commands") else sorted(entries)


def is_legacy(word: str) -> bool:
    """Return whether a word is a command of docker's that a group has as well, and none of the common ones."""
    return word in tables.PLACES and word not in COMMON


def _children(paths: Iterable[str], place: str) -> list[tuple[str, str]]:
    """Return (last word, path) of the paths directly below `place`."""
    found = []
    for path in paths:
        parent, _, word = path.rpartition(" ")
        if path and parent == place:
            found.append((word, path))
    return found


def flag_lines(rows: Sequence[Row], width: int) -> str:
    """Return the lines of flags as pflag lays them out: two columns, the second wrapped to `width`."""
    heads = []
    for name, short, kind, _, _ in rows:
        head = f"  -{short}, --{name}" if short else f"      --{name}"
        heads.append(head if kind == "bool" else f"{head} {kind}")
    column = max((len(head) for head in heads), default=0) + 3
    out = ""
    for head, (_, _, _, default, text) in zip(heads, rows, strict=True):
        if default:
            text += f" (default {default})"
        out += f"{head:<{column}}{wrap(text, column, width)}\n"
    return out


def wrap(text: str, indent: int, width: int) -> str:
    """Wrap `text` for a column that begins at `indent`; the last line may be a little longer rather than hold one short word."""
    room = width - indent
    out = ""
    if room < 24:
        indent, room = 16, width - 16
        out = "\n" + " " * indent
    if room < 24:
        return text
    lines = []
    while len(text) >= room:
        cut = text.rfind(" ", 0, room - ORPHAN)
        if cut <= 0:
            break
        lines.append(text[:cut])
        text = text[cut + 1 :]
    return out + ("\n" + " " * indent).join([*lines, text])
