"""From argv to an Invocation, by the rules of docker's command line (cobra and pflag).

Clusters of short flags, `--flag=value`, no abbreviations, `--`, flags between arguments except where the rest belongs to a container. The
tables are generated (`grammar.tables`); types and their words are in `grammar.values`.
"""

from __future__ import annotations

from hyperbox.errors import UnsupportedError, UsageError
from hyperbox.grammar import tables
from hyperbox.grammar.values import COMMA_LISTS, CONVERTERS, LISTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Flag = tuple[str, ...]

# verbs that docker does not have; the rest of their words is theirs
OWN = frozenset({"project", "env", "doctor", "bench", "compat"})
DOCKER_CONFIG_VERBS = frozenset({"create", "inspect", "ls", "list", "rm", "remove"})


class Invocation:
    """What the user said. See docs/architecture.md for each field."""

    __slots__ = ("arguments", "flags", "given", "globals", "notices", "path", "program", "typed")

    def __init__(
        self,
        program: str,
        path: str,
        typed: str,
        flags: dict[str, object],
        given: dict[str, bool],
        arguments: list[str],
        globals_: dict[str, object],
        notices: list[str],
    ) -> None:
        self.program = program
        self.path = path
        self.typed = typed
        self.flags = flags
        self.given = given
        self.arguments = arguments
        self.globals = globals_
        self.notices = notices


class Grammar:
    """One program's tables, and how it words its errors."""

    __slots__ = ("children", "commands", "compose", "flags", "name")

    def __init__(self, compose: bool) -> None:
        self.compose = compose
        self.name = "docker compose" if compose else "docker"
        self.flags: tuple[Flag, ...] = tables.COMPOSE_FLAGS if compose else tables.DOCKER_FLAGS
        self.commands = tables.COMPOSE_COMMANDS if compose else tables.DOCKER_COMMANDS
        self.children = tables.COMPOSE_CHILDREN if compose else tables.DOCKER_CHILDREN

    def usage_error(self, message: str, usage: str, typed: str) -> UsageError:
        """A flag that does not fit: docker shows the usage line and exits with 125, compose says the sentence alone and exits with 1."""
        if self.compose:
            return UsageError(message, exit_code=1)
        command = f"docker {typed}".strip()
        return UsageError(f"{message}\n\nUsage:  {usage}\n\nRun '{command} --help' for more information")


class Flags:
    """The flags of one level: looks names up, collects values."""

    __slots__ = ("deprecated", "given", "grammar", "long", "notices", "short", "typed", "usage", "values")

    def __init__(self, grammar: Grammar, usage: str, typed: str, rows: Sequence[Sequence[Flag]]) -> None:
        self.grammar = grammar
        self.usage = usage
        self.typed = typed
        self.long: dict[str, Flag] = {}
        self.short: dict[str, Flag] = {}
        self.values: dict[str, object] = {}
        self.given: dict[str, bool] = {}
        self.notices: list[str] = []
        self.deprecated = frozenset(flag[0] for flag in rows[2])
        for flag in rows[0]:
            self.values[flag[0]] = default_value(flag[2], flag[3])
        for group in rows:
            for flag in group:
                self.long[flag[0]] = flag
                if flag[1]:
                    self.short[flag[1]] = flag

    def error(self, message: str) -> UsageError:
        return self.grammar.usage_error(message, self.usage, self.typed)

    def set(self, flag: Flag, text: str) -> None:
        """Store one value given for `flag`; raises UsageError with docker's words when it does not fit."""
        name = flag[4] if len(flag) > 4 else flag[0]
        kind = flag[2]
        if kind in LISTS:
            held = self.values[name]
            values = held if isinstance(held, list) and name in self.given else []
            values.extend(text.split(",") if kind in COMMA_LISTS else [text])
            self.values[name] = values
        else:
            converter = CONVERTERS.get(kind)
            try:
                self.values[name] = text if converter is None else converter(text)
            except ValueError as error:
                spelled = f"-{flag[1]}, --{flag[0]}" if flag[1] else f"--{flag[0]}"
                raise self.error(f'invalid argument "{text}" for "{spelled}" flag: {error}') from None
        self.given[name] = True
        if flag[0] in self.deprecated:
            self.notices.append(f"Flag --{flag[0]} has been deprecated, use --{name} instead")


def default_value(kind: str, text: str) -> object:
    """Return a flag's value where it was not given, from the table's default text."""
    if kind in LISTS:
        return []
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
    if kind == "bool":
        return text == "true"
    converter = CONVERTERS.get(kind)
    if converter is None:
        return "" if text == "none" and kind == "command" else text
    return converter(text) if (text and text[0].isdigit()) or text[:1] == "-" else 0


class Help(Exception):
    """The user asked for help; not an error."""

    def __init__(self, typed: str, notices: list[str]) -> None:
        super().__init__(typed)
        self.typed = typed
        self.notices = notices


def parse_flags(words: Sequence[str], flags: Flags, *, interspersed: bool) -> list[str]:
    """Read flags off `words` into `flags` and return the arguments. Raises UsageError, or Help for --help."""
    arguments: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if len(word) < 2 or word[0] != "-":
            arguments.append(word)
            if not interspersed:
                arguments.extend(words[index:])
                break
        elif word == "--":
            arguments.extend(words[index:])
            break
        elif word[1] == "-":
            index = _long(word, words, index, flags)
        else:
            index = _cluster(word, words, index, flags)
    return arguments


def _long(word: str, words: Sequence[str], index: int, flags: Flags) -> int:
    name, equals, value = word[2:].partition("=")
    if not name or name[0] in "-=":
        raise flags.error(f"bad flag syntax: {word}")
    flag = flags.long.get(name)
    if flag is None:
        if name == "help":
            raise Help(flags.typed, flags.notices)
        raise flags.error(f"unknown flag: --{name}")
    if not equals:
        if flag[2] == "bool":
            value = "true"
        elif index < len(words):
            value = words[index]
            index += 1
        else:
            raise flags.error(f"flag needs an argument: --{name}")
    flags.set(flag, value)
    return index


def _cluster(word: str, words: Sequence[str], index: int, flags: Flags) -> int:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = flags.short.get(letter)
        if flag is None:
            if letter == "h":
                if not flags.grammar.compose:
                    flags.notices.append("Flag shorthand -h has been deprecated, use --help")
                raise Help(flags.typed, flags.notices)
            raise flags.error(f"unknown shorthand flag: '{letter}' in -{letter}{letters}")
        if len(letters) > 1 and letters[0] == "=":
            flags.set(flag, letters[1:])
            return index
        if flag[2] == "bool":
            flags.set(flag, "true")
            continue
        if letters:
            flags.set(flag, letters)
        elif index < len(words):
            flags.set(flag, words[index])
            index += 1
        else:
            raise flags.error(f"flag needs an argument: '{letter}' in -{letter}")
        return index
    return index


def parse(argv: Sequence[str]) -> Invocation:
    """Parse a whole command line (the program's name first). Raises UsageError or UnsupportedError; help becomes the path "help"."""
    name = argv[0].rpartition("/")[2]
    words = list(argv[1:])
    if name == "docker-compose":
        from hyperbox.grammar.standalone import rewrite

        return _parse_compose("docker-compose", rewrite(words), {})
    program = "docker" if name == "docker" else "hyperbox"
    if words and program == "hyperbox" and _is_own(words):
        return Invocation(program, f"hyperbox {words[0]}", words[0], {}, {}, words[1:], {}, [])
    if words and words[0] in ("__complete", "__completeNoDesc"):
        return Invocation(program, "__complete", words[0], {}, {}, words[1:], {}, [])
    return _parse_docker(program, words)


def _is_own(words: list[str]) -> bool:
    if words[0] == "config":
        return len(words) < 2 or words[1] not in DOCKER_CONFIG_VERBS
    return words[0] in OWN


def _help(
    program: str, typed: str, globals_: dict[str, object], notices: list[str], *, failed: bool = False
) -> Invocation:
    return Invocation(program, "help", typed, {}, {"no-arguments": True} if failed else {}, [], globals_, notices)


def _parse_docker(program: str, words: list[str]) -> Invocation:
    grammar = Grammar(compose=False)
    root = Flags(grammar, tables.DOCKER_USAGE, "", (grammar.flags, (), ()))
    try:
        rest = parse_flags(words, root, interspersed=False)
        if root.values["version"]:
            return Invocation(program, "--version", "", {}, {}, [], root.values, [])
        if not rest:
            return _help(program, "", root.values, [], failed=True)
        if rest[0] == "compose":
            return _parse_compose(program, rest[1:], root.values)
        if rest[0] == "help":
            return _parse_help(program, rest[1:], root.values, grammar)
        if rest[0] == "buildx":
            rest = _without_buildx(rest)
        return _parse_command(program, grammar, rest, root.values)
    except Help as wanted:
        return _help(program, wanted.typed, root.values, wanted.notices)


def _without_buildx(words: list[str]) -> list[str]:
    """`docker buildx build` is `docker build`; the other verbs of buildx have a path of their own."""
    if len(words) > 1 and words[1] in ("build", "b"):
        return ["build", *words[2:]]
    raise UnsupportedError(f"HyperBox has no `docker buildx {words[1] if len(words) > 1 else ''}`".replace(" `", " `"))


def _parse_help(program: str, words: list[str], globals_: dict[str, object], grammar: Grammar) -> Invocation:
    path = ""
    for word in words:
        found = grammar.children.get(path, {}).get(word)
        if found is None:
            raise UsageError(f"unknown help topic: {' '.join(words)}", exit_code=1)
        path = found
    return _help(program, path, globals_, [])


def _parse_command(program: str, grammar: Grammar, words: list[str], globals_: dict[str, object]) -> Invocation:
    path, typed, index = "", "", 0
    while index < len(words):
        children = grammar.children.get(path)
        if children is None:
            break
        word = words[index]
        if word[:1] == "-":
            _group_flags(grammar, path, words[index:])
        found = children.get(word)
        if found is None:
            raise _unknown_command(grammar, path, word)
        path, typed, index = found, f"{typed} {word}".strip(), index + 1
    if path in grammar.children:
        if grammar.compose or path:
            return _help(program, f"compose {path}".strip() if grammar.compose else path, globals_, [], failed=True)
    return _leaf(program, grammar, path, typed, words[index:], globals_)


def _group_flags(grammar: Grammar, path: str, words: list[str]) -> None:
    usage = str(grammar.commands[path][0]) if path else grammar.name
    flags = Flags(grammar, usage, path, ((), (), ()))
    parse_flags(words, flags, interspersed=False)


def _unknown_command(grammar: Grammar, path: str, word: str) -> UsageError:
    if grammar.compose:
        return UsageError(f'unknown docker command: "compose {f"{path} {word}".strip()}"', exit_code=1)
    full = f"docker {path} {word}" if path else f"docker {word}"
    usage = f"\n\nUsage:  docker {path}" if path else ""
    again = f"docker {path}".strip()
    return UsageError(
        f"docker: unknown command: {full}{usage}\n\nRun '{again} --help' for more information", exit_code=1
    )


def _leaf(
    program: str, grammar: Grammar, path: str, typed: str, words: list[str], globals_: dict[str, object]
) -> Invocation:
    usage, canonical, least, most, interspersed, refused, *rows = grammar.commands[path]
    prefix = "compose " if grammar.compose else ""
    flags = Flags(grammar, str(usage), path, rows)  # type: ignore[arg-type]
    try:
        arguments = parse_flags(words, flags, interspersed=bool(interspersed))
    except Help as wanted:
        return _help(program, prefix + path, globals_, wanted.notices)
    if refused:
        raise UnsupportedError(f"{grammar.name} {path}: {refused}")
    assert isinstance(least, int)
    assert isinstance(most, int)
    _check_count(grammar, str(usage), path, len(arguments), least, most)
    if grammar.compose and flags.values.pop("dry-run", False):
        globals_["dry-run"] = True
    return Invocation(
        program, prefix + str(canonical), prefix + typed, flags.values, flags.given, arguments, globals_, flags.notices
    )


def _check_count(grammar: Grammar, usage: str, path: str, count: int, least: int, most: int) -> None:
    """Raise docker's UsageError (exit code 1) where there are too few or too many arguments."""
    if count >= least and (most < 0 or count <= most):
        return
    command = f"{grammar.name} {path}"
    plural = "" if (least if count < least else most) == 1 else "s"
    lead = "Run"
    if most == 0:
        reason = "accepts no arguments"
    elif least == most:
        reason = f"requires {least} argument{plural}"
    elif count < least and most < 0:
        reason, lead = f"requires at least {least} argument{plural}", "See"
    elif least == 0:
        reason, lead = f"requires at most {most} argument{plural}", "SRun"
    else:
        reason = f"requires at least {least} and at most {most} arguments"
    if grammar.compose and path in ("exec", "port", "run"):
        raise UsageError(f"requires at least {least} arg(s), only received {count}", exit_code=1)
    raise UsageError(
        f"docker: '{command}' {reason}\n\nUsage:  {usage}\n\n{lead} '{command} --help' for more information",
        exit_code=1,
    )


def _parse_compose(program: str, words: list[str], docker_globals: dict[str, object]) -> Invocation:
    grammar = Grammar(compose=True)
    hidden = (
        ("workdir", "", "string", "", "project-directory"),
        ("verbose", "", "bool", "", "verbose"),
        ("version", "v", "bool", "", "version"),
        ("no-ansi", "", "bool", "", "no-ansi"),
    )
    root = Flags(grammar, tables.COMPOSE_USAGE, "compose", (grammar.flags, hidden, ()))
    try:
        rest = parse_flags(words, root, interspersed=False)
        globals_ = {**docker_globals, **root.values}
        if root.values.get("version"):
            return _parse_command(program, grammar, ["version"], globals_)
        if not rest:
            return _help(program, "compose", globals_, [], failed=True)
        if rest[0] == "help":
            path = " ".join(rest[1:])
            return _help(program, f"compose {path}".strip(), globals_, [])
        return _parse_command(program, grammar, ["config" if rest[0] == "convert" else rest[0], *rest[1:]], globals_)
    except Help as wanted:
        return _help(program, f"compose {wanted.typed.removeprefix('compose')}".strip(), root.values, wanted.notices)
