"""Completion by cobra's protocol: from the words so far to candidates or to the kind of live names that fit. Pure; `cli.complete` prints.

https://github.com/spf13/cobra/blob/main/site/content/completions/_index.md
"""

from __future__ import annotations

from hyperbox.errors import HyperBoxError
from hyperbox.grammar import tables, tables_help
from hyperbox.grammar.complete_table import ARGUMENTS, FILTERS, FLAGS, FLAGS_OF, RUN, SERVICES
from hyperbox.grammar.flags import FlagSet, is_separate_value
from hyperbox.grammar.help import DRY_RUN, with_implied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from hyperbox.errors import UsageError
    from hyperbox.grammar.records import Flag

DEFAULT, ERROR, NO_SPACE, NO_FILES, EXTENSIONS, FOLDERS = 0, 1, 2, 4, 8, 16
# types whose flag is offered again though it was given
REPEATED = frozenset({"stringArray", "strings", "stringToString"})


class Completion:
    """The answer: (word, description) pairs and cobra's directive; `live` names what only the engine or a compose file knows."""

    __slots__ = ("candidates", "directive", "globals", "live", "words")

    def __init__(self, directive: int, candidates: Sequence[tuple[str, str]] = (), live: str = "") -> None:
        self.directive = directive
        self.candidates = list(candidates)
        self.live = live
        self.globals: dict[str, object] = {}
        self.words: list[str] = []


class Level:
    """The command that the words lead to: its table and place, and the words left for it."""

    __slots__ = ("compose", "globals", "place", "table", "words")

    def __init__(self) -> None:
        self.compose = False
        self.table: ModuleType = tables
        self.place = ""
        self.words: list[str] = []
        self.globals: dict[str, object] = {}

    @property
    def is_leaf(self) -> bool:
        """Whether it takes arguments rather than commands."""
        return self.place in self.table.PLACES

    @property
    def path(self) -> str:
        """The canonical path, "compose " in front for compose's."""
        path = self.table.PLACES.get(self.place, self.place)
        return f"compose {path}" if self.compose else str(path)

    def flags(self) -> tuple[Flag, ...]:
        """The flags that it reads."""
        if self.is_leaf:
            found: tuple[Flag, ...] = self.table.COMMANDS[self.table.PLACES[self.place]][7]
            return found
        group: tuple[Flag, ...] = self.table.GROUPS.get(self.place, ())
        return group

    def child(self, word: str) -> str:
        """Return the place that `word` leads to, or ""."""
        step = f"{self.place} {word}".strip()
        step = self.table.ALIASES.get(step, step)
        return step if word and (step in self.table.PLACES or step in self.table.GROUPS) else ""


def _raise(message: str) -> UsageError:
    from hyperbox.errors import UsageError

    return UsageError(message)


def find_level(words: list[str]) -> Level:
    """Follow the complete words (without the one being typed) down to the command that they name. Raises UsageError."""
    level = Level()
    level.words = words
    while not level.is_leaf:
        position = _command_position(level)
        if position < 0:
            break
        before, word = level.words[:position], level.words[position]
        flags = FlagSet(level.flags(), _raise, [])
        flags.read(before, interspersed=False)
        level.globals.update(flags.values)
        level.words = level.words[position + 1 :]
        if word == "compose" and not level.place and not level.compose:
            from hyperbox.grammar import tables_compose

            level.compose, level.table, level.place = True, tables_compose, ""
        else:
            level.place = level.child(word)
    return level


def _command_position(level: Level) -> int:
    """Return where in the level's words the next command stands, or -1."""
    is_value = False
    for position, word in enumerate(level.words):
        if is_value:
            is_value = False
        elif len(word) > 1 and word[0] == "-":
            is_value = is_separate_value(word, level.flags())
        elif level.child(word) or (word == "compose" and not level.place and not level.compose):
            return position
        else:
            return -1
    return -1


def complete(words: Sequence[str]) -> Completion:
    """Return what may stand in place of the last of `words` (docker's words, without the program)."""
    if not words:
        return Completion(ERROR)
    typed = words[-1]
    try:
        level = find_level(list(words[:-1]))
        found = _complete_at(level, typed)
    except HyperBoxError:
        return Completion(DEFAULT)
    found.globals = level.globals
    return found


def _complete_at(level: Level, typed: str) -> Completion:
    given = level.words
    flag: Flag | None = None
    after_dashes = "--" in given
    if not after_dashes:
        if typed.startswith("-") and "=" in typed:
            flag = _find_flag(level, typed.partition("=")[0])
        elif given and len(given[-1]) > 1 and given[-1][0] == "-" and "=" not in given[-1]:
            flag = _find_flag(level, given[-1])
            if flag is not None and flag[2] == "bool":
                flag = None
            elif flag is not None:
                given = given[:-1]
    flags = FlagSet(level.flags(), _raise, [], dry_run=level.compose)
    compose_leaf_off = level.is_leaf and not level.table.COMMANDS[level.table.PLACES[level.place]][4]
    arguments = flags.read(given, interspersed=not compose_leaf_off)
    ended = after_dashes or (compose_leaf_off and arguments)
    if flag is not None:
        return _value_of(level, flag)
    if typed.startswith("-") and not ended:
        if "=" in typed:
            return Completion(NO_FILES)
        return _flag_names(level, flags, typed)
    if not level.is_leaf:
        return Completion(DEFAULT) if arguments else Completion(NO_FILES, _commands(level, typed))
    return _argument(level, flags, arguments)


def _find_flag(level: Level, word: str) -> Flag | None:
    """Return the flag that `word` ("--name", "-n", "-abn") ends with, or None."""
    if word.startswith("--"):
        return next((flag for flag in level.flags() if flag[0] == word[2:]), None)
    return next((flag for flag in level.flags() if flag[1] == word[-1]), None)


def _flag_names(level: Level, flags: FlagSet, typed: str) -> Completion:
    key = ("compose" if level.compose else "docker", level.table.PLACES.get(level.place, level.place))
    rows = with_implied(tables_help.FLAGS[key], level.compose, key[1])
    if level.compose:
        rows = [DRY_RUN, *(row for row in rows if row is not DRY_RUN)] if level.place else rows
    found = []
    for name, short, kind, _, line in rows:
        if name in flags.given and kind not in REPEATED:
            continue
        if f"--{name}".startswith(typed):
            found.append((f"--{name}", line))
        if short and f"-{short}".startswith(typed):
            found.append((f"-{short}", line))
    return Completion(NO_FILES, found)


def _commands(level: Level, typed: str) -> list[tuple[str, str]]:
    """Return the commands and groups below a group that begin with `typed`."""
    program = "compose" if level.compose else "docker"
    found = []
    for paths in (level.table.PLACES, level.table.GROUPS):
        for path in paths:
            parent, _, word = path.rpartition(" ")
            if path and parent == level.place and word.startswith(typed) and path != "completion":
                found.append((word, tables_help.LINES[program, level.table.PLACES.get(path, path)]))
    if not level.compose and not level.place:
        extra = (("compose", tables_help.LINES["compose", ""]), ("help", "Show help for a command"))
        found.extend(entry for entry in extra if entry[0].startswith(typed))
    return sorted(found)


def _argument(level: Level, flags: FlagSet, arguments: list[str]) -> Completion:
    """Complete the next argument of a command."""
    path = level.path
    kinds = ARGUMENTS.get(path)
    if kinds is None:
        if level.compose and path.removeprefix("compose ") in SERVICES:
            kinds = ("live:services", "…")
        else:
            return Completion(NO_FILES)
    position = len(arguments)
    if kinds[-1] == "…":
        kind = kinds[min(position, len(kinds) - 2)]
    elif position < len(kinds):
        kind = kinds[position]
    else:
        return Completion(NO_FILES)
    if path == "container rm" and flags.values["force"]:
        kind = "live:containers:all"
    found = _of_kind(kind)
    found.words = arguments
    return found


def _value_of(level: Level, flag: Flag) -> Completion:
    """Complete the value of a flag."""
    path = level.path
    name = (flag[4] or {}).get("same", flag[0])
    if name == "filter":
        keys = FILTERS.get(path)
        return Completion(DEFAULT) if keys is None else Completion(NO_SPACE, [(key, "") for key in keys])
    kind = FLAGS_OF.get((path, name))
    if kind is None and (
        not level.compose
        or name in ("profile", "project-name", "project-directory", "exit-code-from", "no-attach", "signal")
    ):
        kind = FLAGS.get(name)
    if kind is None:
        return Completion(NO_FILES if path in RUN else DEFAULT)
    return _of_kind(kind)


def _of_kind(kind: str | tuple[str, ...]) -> Completion:
    if isinstance(kind, tuple):
        spaceless = any(word.endswith(("=", "-", ":")) for word in kind)
        return Completion(NO_SPACE | NO_FILES if spaceless else NO_FILES, [(word, "") for word in kind])
    if kind == "environment":
        return Completion(NO_FILES, live="environment")
    if kind == "none":
        return Completion(NO_FILES)
    if kind == "files":
        return Completion(DEFAULT)
    if kind == "folders":
        return Completion(FOLDERS)
    if kind == "compose-files":
        return Completion(EXTENSIONS, [("yaml", ""), ("yml", "")])
    if kind in ("live:scale", "live:links"):
        return Completion(NO_SPACE, live=kind)
    return Completion(NO_FILES, live=kind)
