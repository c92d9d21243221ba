"""From argv to an Invocation, by the rules of docker's command line (cobra and pflag).

Clusters of short flags, `--flag=value`, no abbreviations, `--`, flags between arguments except where the rest belongs to a container. The
tables are generated (`grammar.tables`); types and their words are in `grammar.values`; the flags of one level are read in `grammar.flags`.
"""

from __future__ import annotations

from hyperbox.errors import UnsupportedError, UsageError
from hyperbox.grammar import tables
from hyperbox.grammar.flags import FlagSet, is_separate_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from hyperbox.grammar.records import Command, Flag

# verbs that docker does not have; the rest of their words is theirs
OWN = frozenset({"project", "env", "doctor", "bench", "compat"})
DOCKER_CONFIG_VERBS = frozenset({"create", "inspect", "ls", "list", "rm", "remove"})
COMPLETION = frozenset({"__complete", "__completeNoDesc"})
LOG_LEVELS = frozenset({"panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"})
# what the usage line of a group has after its name, where that is anything
GROUP_USAGES = {"manifest": " COMMAND", "stack": " [OPTIONS]", "volume": " COMMAND"}
HELP_USAGE = "docker help [command]"


class Invocation:
    """What the user said.

    program     "docker", "docker-compose" or "hyperbox"
    path        canonical: "container ls", "compose up"; "help" (see `wanted_help`), "--version", "__complete", "hyperbox project" …
    typed       the command as docker's own messages name it, without the program: "ps", "container ls", "compose up"
    flags       long name -> value, defaults filled in: bool, int, float, str, list of str, dict of str
    given       the long names that the user gave
    arguments   the words that are no flags
    globals     flags before the command: docker's, for compose verbs also compose's own and --dry-run, wherever it stood
    """

    __slots__ = ("arguments", "flags", "given", "globals", "globals_given", "path", "program", "typed")

    def __init__(self, program: str, path: str, typed: str, arguments: Sequence[str]) -> None:
        self.program = program
        self.path = path
        self.typed = typed
        self.arguments = list(arguments)
        self.flags: dict[str, object] = {}
        self.given: dict[str, bool] = {}
        self.globals: dict[str, object] = {}
        self.globals_given: dict[str, bool] = {}


class Parser:
    """One command line on its way through the levels of commands: what the levels above have found."""

    __slots__ = ("globals", "globals_given", "help", "notices", "program")

    def __init__(self, program: str, notices: list[str]) -> None:
        self.program = program
        self.notices = notices
        self.help = False
        self.globals: dict[str, object] = {}
        self.globals_given: dict[str, bool] = {}

    def keep_globals(self, flags: FlagSet) -> None:
        """Add the flags of a root to the globals."""
        self.globals.update(flags.values)
        self.globals_given.update(flags.given)

    def invocation(self, path: str, typed: str, arguments: Sequence[str]) -> Invocation:
        """Return the record for a command, the globals in it."""
        made = Invocation(self.program, path, typed, arguments)
        made.globals = self.globals
        made.globals_given = self.globals_given
        return made

    def wanted_help(self, typed: str, *, to_stderr: bool = False, error: str = "") -> Invocation:
        """Return the invocation of help for the place `typed`; its flags say where it goes and what follows it on stderr."""
        made = self.invocation("help", typed, ())
        made.flags = {"to-stderr": to_stderr, "error": error}
        return made


class EarlyNotice(str):
    """A remark about a flag that stands before the command."""

    __slots__ = ()


def parse(argv: Sequence[str], notices: list[str] | None = None) -> Invocation:
    """Parse a whole command line (the program's name first). Help becomes the path "help".

    docker's remarks about deprecated flags, which it prints before anything else, on stderr those that are an EarlyNotice and on stdout
    the others, are appended to `notices`, also when the command line is wrong. Raises UsageError with docker's words and code, or
    UnsupportedError for what HyperBox refuses.
    """
    name = argv[0].rpartition("/")[2].removesuffix(".exe")
    words = list(argv[1:])
    program = name if name in ("docker", "docker-compose") else "hyperbox"
    parser = Parser(program, [] if notices is None else notices)
    if words and words[0] in COMPLETION:
        made = Invocation(program, "__complete", words[0], words[1:])
        return made
    if program == "docker-compose":
        from hyperbox.grammar.standalone import rewrite

        words = rewrite(words)
    return _parse_docker(parser, words)


def _is_own(words: list[str]) -> bool:
    if words[0] == "config":
        return len(words) < 2 or words[1] not in DOCKER_CONFIG_VERBS
    return words[0] in OWN


def docker_error(message: str, usage: str, typed: str) -> UsageError:
    """A flag that does not fit: docker shows the usage line and ends with 125."""
    command = f"docker {typed}".strip()
    return UsageError(f"{message}\n\nUsage:  {usage}\n\nRun '{command} --help' for more information")


def _parse_docker(parser: Parser, words: list[str]) -> Invocation:
    root = FlagSet(
        tables.GROUPS[""],
        lambda message: docker_error(message, "docker [OPTIONS] COMMAND [ARG...]", ""),
        parser.notices,
    )
    try:
        rest = root.read(words, interspersed=False)
    finally:
        parser.notices[:] = map(EarlyNotice, parser.notices)
    parser.keep_globals(root)
    parser.help = root.help
    _check_globals(root)
    if not rest:
        if root.values["version"] and not root.help:
            return parser.invocation("--version", "", ())
        return parser.wanted_help("", to_stderr=not root.help)
    first = rest[0]
    if parser.program == "hyperbox" and _is_own(rest):
        return parser.invocation(f"hyperbox {first}", first, [*rest[1:], "--help"] if parser.help else rest[1:])
    if first == "compose":
        if root.values["version"] and not root.help:  # which the plugin does not know
            raise docker_error("unknown flag: --version", "docker [OPTIONS] compose [ARG...]", "")
        return _parse_compose(parser, rest[1:])
    if first == "help":
        return _parse_help(parser, rest[1:])
    if first in ("build", "builder") or rest[:2] == ["image", "build"]:
        # not `docker buildx …`: the builder that `buildx use` chose is not asked
        parser.globals["is-plain-build"] = True
    return _descend(parser, tables, "", _to_buildx(rest))


def command_words(words: list[str]) -> tuple[str, list[str]]:
    """Return what --config says and the words behind docker's own flags; none where those are wrong."""
    root = FlagSet(tables.GROUPS[""], lambda message: UsageError(message), [])
    try:
        rest = root.read(words, interspersed=False)
    except UsageError:
        return "", []
    return str(root.values["config"]) if "config" in root.given else "", rest


def is_known(word: str) -> bool:
    """Return whether a word is one of docker's own commands."""
    return word in tables.PLACES or word in tables.GROUPS or word in tables.ALIASES or word == "help"


def _check_globals(root: FlagSet) -> None:
    """What docker checks of its own flags before it looks at the command. Raises UsageError (exit code 1)."""
    level = root.values["log-level"]
    assert isinstance(level, str)
    if level and level.lower() not in LOG_LEVELS:
        raise UsageError(f"Unable to parse logging level: {level}", exit_code=1)
    if root.typed.get("host", 0) > 1:
        raise root.error(f'invalid argument "{root.values["host"]}" for "-H, --host" flag: specify only one -H')
    if root.values["context"] and root.values["host"]:
        raise UsageError("conflicting options: cannot specify both --host and --context", exit_code=1)


def _to_buildx(words: list[str]) -> list[str]:
    """`docker build`, `docker image build`, `docker builder …` and `docker bake` are answered by docker's plugin buildx: return its words."""
    if words[0] in ("build", "bake"):
        return ["buildx", *words]
    if words[:2] == ["image", "build"]:
        return ["buildx", *words[1:]]
    if words[0] == "builder":
        words = ["buildx", *words[1:]]
    if words[0] == "buildx" and words[1:2] in (["b"], ["f"]):
        return ["buildx", "build" if words[1] == "b" else "bake", *words[2:]]
    return words


def _parse_help(parser: Parser, words: list[str]) -> Invocation:
    """Parse what follows `docker help`: the words of a command."""
    flags = FlagSet((), lambda message: docker_error(message, HELP_USAGE, "help"), parser.notices)
    words = flags.read(words, interspersed=True)
    if parser.help or flags.help:
        return parser.wanted_help("help")
    if words[:1] == ["compose"]:
        return _parse_compose(parser, [*words[1:], "--help"])
    if words == ["help"]:
        return parser.wanted_help("help")
    if parser.program == "hyperbox" and words and _is_own(words):
        return parser.invocation(f"hyperbox {words[0]}", words[0], [*words[1:], "--help"])
    place = ""
    for index, word in enumerate(words):
        step = f"{place} {word}" if place and word else word
        step = tables.ALIASES.get(step, step)
        if not word or (step not in tables.PLACES and step not in tables.GROUPS):
            raise UsageError(f"unknown help topic: {' '.join(words[index:])}", exit_code=1)
        place = step
    return parser.wanted_help(place)


def _descend(parser: Parser, table: ModuleType, place: str, words: list[str]) -> Invocation:
    """Go from the group `place` of a program towards the command that `words` name: cobra's Traverse."""
    compose = table is not tables
    before: list[str] = []
    is_value = False
    group: tuple[Flag, ...] = table.GROUPS[place] if compose or place else ()
    for index, word in enumerate(words):
        if is_value:
            before.append(word)
            is_value = False
        elif len(word) > 1 and word[0] == "-":
            before.append(word)
            is_value = is_separate_value(word, group)
        else:
            if not word:
                break
            found = f"{place} {word}" if place else word
            found = table.ALIASES.get(found, found)
            command = table.PLACES.get(found)
            if command is None and found not in table.GROUPS:
                break
            if before:
                _group_flags(parser, table, place, before, lambda message: UsageError(message, exit_code=1))
            if command is not None:
                return _leaf(parser, compose, table.COMMANDS[command], found, words[index + 1 :])
            return _descend(parser, table, found, words[index + 1 :])
    return _group(parser, table, place, words)


def _group_flags(parser: Parser, table: ModuleType, place: str, words: list[str], error: object) -> list[str]:
    """Read a group's own flags; compose's become globals. Returns the words that are left."""
    compose = table is not tables
    assert callable(error)
    flags = FlagSet(table.GROUPS[place] if compose or place else (), error, parser.notices)
    rest = flags.read(words, interspersed=not compose)
    if compose:
        parser.keep_globals(flags)
    elif place == "buildx":
        parser.globals.update(flags.values)
    parser.help = parser.help or flags.help
    return rest


def _group(parser: Parser, table: ModuleType, place: str, words: list[str]) -> Invocation:
    """A command line that ends at a group: its help, or an unknown command."""
    compose = table is not tables
    if compose:
        typed = f"compose {place}".strip()
        rest = _group_flags(parser, table, place, words, lambda message: UsageError(message, exit_code=1))
        if parser.help or not rest or place:
            return parser.wanted_help(typed)
        return parser.wanted_help(typed, error=f'unknown docker command: "{typed} {rest[0]}"')
    if place == "checkpoint" and not {"--help", "-h"} & set(words):
        raise UnsupportedError(
            "docker checkpoint is only supported on a Docker daemon with experimental features enabled"
        )
    usage = f"docker {place}{GROUP_USAGES.get(place, '')}" if place else "docker [OPTIONS] COMMAND [ARG...]"
    if not place:
        return _no_command(parser, words, usage)
    rest = _group_flags(parser, table, place, words, lambda message: docker_error(message, usage, place))
    if parser.help:
        return parser.wanted_help(place)
    if not rest or place == "completion":
        return parser.wanted_help(place, to_stderr=place != "completion" and not place.startswith("buildx"))
    if place.startswith("buildx"):
        return parser.wanted_help(place, error=f'ERROR: unknown command: "{rest[0]}"')
    full = f"docker {place}"
    raise UsageError(
        f"docker: unknown command: {full} {rest[0]}\n\nUsage:  {usage}\n\nRun '{full} --help' for more information",
        exit_code=1,
    )


def _no_command(parser: Parser, words: list[str], usage: str) -> Invocation:
    """What docker makes of words of which the first names no command: its own flags count behind it too, --version above all."""
    flags = FlagSet(tables.GROUPS[""], lambda message: docker_error(message, usage, ""), parser.notices)
    rest = flags.read(words, interspersed=True)
    if parser.help or flags.help:
        return parser.wanted_help("")
    if flags.values["version"] or parser.globals.get("version"):
        return parser.invocation("--version", "", ())
    raise UsageError(
        f"docker: unknown command: docker {rest[0]}\n\nRun 'docker --help' for more information", exit_code=1
    )


def usage_line(compose: bool, command: Command, place: str) -> str:
    """Return the usage line of the command at `place`, without "Usage:"; further lines start with a tab."""
    table = _compose_tables() if compose else tables
    first, *more = table.USAGES[command[0]]
    program = "docker compose" if compose else "docker"
    return "\n\t".join([f"{program} {place} {first}" if first else f"{program} {place}", *more])


def _leaf(parser: Parser, compose: bool, command: Command, place: str, words: list[str]) -> Invocation:
    """Parse the flags and arguments of one command."""
    typed = f"compose {place}" if compose else place

    def error(message: str) -> UsageError:
        if compose:
            return UsageError(message, exit_code=1)
        return docker_error(message, usage_line(compose, command, place), place)

    if command[5] == "refused" and command[6].startswith(
        "is only supported"
    ):  # docker says so before it looks at a word
        raise UnsupportedError(f"docker {typed} {command[6]}")
    flags = FlagSet(command[7], error, parser.notices, dry_run=compose)
    arguments = flags.read(words, interspersed=command[4])
    if parser.help or flags.help:
        return parser.wanted_help(typed)
    check_count(compose, command, place, arguments)
    if "time" in flags.typed and "timeout" in flags.typed:
        raise UsageError("conflicting options: cannot specify both --timeout and --time", exit_code=1)
    if command[5] == "refused":
        raise UnsupportedError(f"docker {typed}: {command[6]}")
    made = parser.invocation(f"compose {command[0]}" if compose else command[0], typed, arguments)
    if "dry-run" in flags.given and compose:
        made.globals["dry-run"] = flags.values["dry-run"]
        made.globals_given["dry-run"] = True
    if compose:
        flags.values.pop("dry-run", None)
        flags.given.pop("dry-run", None)
    made.flags = flags.values
    made.given = flags.given
    if flags.refused:
        raise _refused_flags(typed, flags.refused)
    return made


def _refused_flags(typed: str, refused: list[tuple[str, str]]) -> UnsupportedError:
    """Return the error for flags that are not honoured: of those that docker refuses too all, in the order of their names."""
    for name, why in refused:
        if not why.startswith(('"', "Error response")):
            return UnsupportedError(f"docker {typed}: --{name}: {why}")
    whys = [why for _, why in sorted(refused)]
    return UnsupportedError("\n".join(whys) if whys[0].startswith('"') else whys[0])


def check_count(compose: bool, command: Command, place: str, arguments: list[str]) -> None:
    """Raise docker's UsageError (exit code 1) where there are too few or too many arguments."""
    least, most, count = command[1], command[2], len(arguments)
    if count >= least and (most < 0 or count <= most):
        return
    name = f"docker compose {place}" if compose else f"docker {place}"
    prefix = "ERROR: " if place.startswith("buildx ") else ""
    if command[3] == "cobra":
        raise UsageError(prefix + _cobra_words(name, least, most, arguments), exit_code=1)
    lead = "Run"
    if most == 0:
        reason = "requires 0 arguments" if command[3] == "exact" else "accepts no arguments"
    elif least == most:
        reason = f"requires {_arguments(least)}"
    elif most < 0:
        reason, lead = f"requires at least {_arguments(least)}", "See"
    elif least == 0:
        reason, lead = f"requires at most {_arguments(most)}", "SRun"  # docker 28's own slip
    else:
        reason = f"requires at least {least} and at most {_arguments(most)}"
    usage = usage_line(compose, command, place)
    raise UsageError(
        f"{prefix}docker: '{name}' {reason}\n\nUsage:  {usage}\n\n{lead} '{name} --help' for more information",
        exit_code=1,
    )


def _arguments(count: int) -> str:
    return f"{count} argument" + ("" if count == 1 else "s")


def _cobra_words(name: str, least: int, most: int, arguments: list[str]) -> str:
    count = len(arguments)
    if most == 0:
        return f'unknown command "{arguments[0]}" for "{name}"'
    if most < 0:
        return f"requires at least {least} arg(s), only received {count}"
    if least == most:
        return f"accepts {least} arg(s), received {count}"
    if least == 0:
        return f"accepts at most {most} arg(s), received {count}"
    return f"accepts between {least} and {most} arg(s), received {count}"


def _compose_tables() -> ModuleType:
    from hyperbox.grammar import tables_compose

    return tables_compose


def _parse_compose(parser: Parser, words: list[str]) -> Invocation:
    table = _compose_tables()
    defaults = FlagSet(table.GROUPS[""], lambda message: UsageError(message, exit_code=1), parser.notices)
    parser.globals.update(defaults.values)
    return _descend(parser, table, "", words)
