"""What each instruction says: the words after its name, checked and put into a small record.

One function per instruction name in `READERS`; the rest of the builder switches on the record's type. Words are still unexpanded, for what a
variable holds is known only while a stage is solved.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hyperbox.build.dockerfile import (
    Dockerfile,
    DockerfileError,
    Heredoc,
    Instruction,
    suggestion,
)
from hyperbox.build.mounts import Mount, parse_mount
from hyperbox.files import loads
from hyperbox.go.text import invalid_syntax
from hyperbox.image.dockerfile_words import json_words, split_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class From(NamedTuple):
    """FROM: a base (image, earlier stage or scratch), the platform asked for, the stage's own name."""

    base: str
    platform: str
    name: str


class Run(NamedTuple):
    """RUN: `command` is one shell line or the words of the exec form."""

    command: tuple[str, ...]
    shell: bool
    heredocs: tuple[Heredoc, ...]
    mounts: tuple[Mount, ...]
    network: str
    security: str


class Copy(NamedTuple):
    """COPY or ADD: sources and destination unexpanded; `source_stage` is --from."""

    add: bool
    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]
    destination: str
    source_stage: str
    chown: str
    chmod: str
    link: bool
    parents: bool
    exclude: tuple[str, ...]
    checksum: str
    keep_git_dir: bool
    unpack: bool | None


class Pairs(NamedTuple):
    """ENV, LABEL: names and values in order, as written."""

    kind: str
    pairs: tuple[tuple[str, str], ...]


class Arg(NamedTuple):
    """ARG: names, each with a default or None."""

    names: tuple[tuple[str, str | None], ...]


class Command(NamedTuple):
    """CMD, ENTRYPOINT, SHELL: a shell line (one word, `shell` true) or the exec form's words."""

    kind: str
    command: tuple[str, ...]
    shell: bool


class Healthcheck(NamedTuple):
    """HEALTHCHECK: docker's test list, ("NONE",) included, and the options as written."""

    test: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


class Words(NamedTuple):
    """EXPOSE, VOLUME: words to expand one by one."""

    kind: str
    words: tuple[str, ...]


class Text(NamedTuple):
    """USER, WORKDIR, STOPSIGNAL, MAINTAINER: one text."""

    kind: str
    text: str


class Onbuild(NamedTuple):
    """ONBUILD: the instruction that the next build runs first."""

    text: str


Step = From | Run | Copy | Pairs | Arg | Command | Healthcheck | Words | Text | Onbuild

FLAGS: dict[str, frozenset[str]] = {
    "FROM": frozenset({"platform"}),
    "RUN": frozenset({"mount", "network", "security", "device"}),
    "COPY": frozenset({"from", "chown", "chmod", "link", "parents", "exclude"}),
    "ADD": frozenset({"chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "start-interval", "retries"}),
    "ONBUILD": frozenset(),
}
MAY_BE_EMPTY = frozenset({"RUN", "CMD", "ENTRYPOINT"})
REPEATABLE = frozenset({"mount", "exclude", "device"})
BOOLEAN = frozenset({"link", "parents", "keep-git-dir", "unpack"})


def read(instruction: Instruction, dockerfile: Dockerfile) -> Step:
    """Return what an instruction says. Raises DockerfileError with its line."""
    if not instruction.rest and instruction.name not in MAY_BE_EMPTY:
        raise DockerfileError(f"{instruction.name} requires {_requirement(instruction.name)}", instruction.first)
    step: Step = READERS[instruction.name](instruction, dockerfile.escape)
    return step


def _requirement(name: str) -> str:
    if name in ("FROM",):
        return "either one or three arguments"
    if name in ("COPY", "ADD"):
        return "at least two arguments, but only one was provided. Destination could not be determined"
    if name in ("USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"):
        return "exactly one argument"
    return "at least one argument"


def flags_of(instruction: Instruction) -> dict[str, list[str]]:
    """Return an instruction's flags by name; raises DockerfileError for an unknown, repeated or malformed one."""
    allowed = FLAGS[instruction.name]
    found: dict[str, list[str]] = {}
    for flag in instruction.flags:
        name, equals, value = flag[2:].partition("=")
        if name not in allowed:
            raise DockerfileError(f"unknown flag: --{name}{suggestion(name, sorted(allowed))}", instruction.first)
        if name in found and name not in REPEATABLE:
            raise DockerfileError(f"duplicate flag specified: --{name}", instruction.first)
        if name in BOOLEAN:
            if value.lower() not in ("", "true", "false"):
                raise DockerfileError(f"expecting boolean value for flag --{name}, not: {value}", instruction.first)
            value = "true" if not equals else value.lower()
        elif not equals:
            raise DockerfileError(f"missing a value on flag: --{name}", instruction.first)
        found.setdefault(name, []).append(value)
    return found


def _one(flags: dict[str, list[str]], name: str) -> str:
    return flags[name][0] if name in flags else ""


def string_list(instruction: Instruction) -> tuple[str, ...] | None:
    """Return the words of a JSON list, or None where it is none. Raises DockerfileError for a list of other things than strings."""
    words = json_words(instruction.rest)
    if words is None and instruction.rest.startswith("["):
        try:
            value = loads(instruction.rest)
        except ValueError:
            return None
        if isinstance(value, list):
            message = "when using JSON array syntax, arrays must be comprised of strings only"
            raise DockerfileError(message, instruction.first, plain=True)
    return words


def _from(instruction: Instruction, escape: str) -> From:
    words = split_words(instruction.rest, escape)
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
        raise DockerfileError("FROM requires either one or three arguments", instruction.first)
    name = words[2].lower() if len(words) == 3 else ""
    if name and not re.fullmatch(r"[a-z][a-z0-9-_.]*", name):
        raise DockerfileError(
            f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols',
            instruction.first,
        )
    return From(words[0], _one(flags_of(instruction), "platform"), name)


def _run(instruction: Instruction, escape: str) -> Run:
    flags = flags_of(instruction)
    if "device" in flags:
        raise DockerfileError("RUN --device is not supported", instruction.first)
    network = _one(flags, "network") or "default"
    if network not in ("default", "none", "host"):
        raise DockerfileError(f'invalid network mode "{network}"', instruction.first)
    security = _one(flags, "security") or "sandbox"
    if security != "sandbox":
        raise DockerfileError(f"RUN --security={security} is not supported", instruction.first)
    mounts = tuple(parse_mount(text, instruction.first) for text in flags.get("mount", []))
    words = string_list(instruction)
    shell = words is None
    return Run((instruction.rest,) if words is None else words, shell, instruction.heredocs, mounts, network, security)


def _copy(instruction: Instruction, escape: str) -> Copy:
    flags = flags_of(instruction)
    found = string_list(instruction)
    words = tuple(instruction.rest.split()) if found is None else found  # white space parts them, in quotes too
    if len(words) < 2:
        raise DockerfileError(f"{instruction.name} requires {_requirement(instruction.name)}", instruction.first)
    marks = {f"<<{'-' if heredoc.chomp else ''}{heredoc.name}" for heredoc in instruction.heredocs}
    sources = tuple(word for word in words[:-1] if word.replace('"', "").replace("'", "") not in marks)
    return Copy(
        add=instruction.name == "ADD",
        sources=sources,
        heredocs=instruction.heredocs,
        destination=words[-1],
        source_stage=_one(flags, "from"),
        chown=_one(flags, "chown"),
        chmod=_one(flags, "chmod"),
        link=_one(flags, "link") == "true",
        parents=_one(flags, "parents") == "true",
        exclude=tuple(flags.get("exclude", [])),
        checksum=_one(flags, "checksum"),
        keep_git_dir=_one(flags, "keep-git-dir") == "true",
        unpack=None if "unpack" not in flags else _one(flags, "unpack") == "true",
    )


def _pairs(instruction: Instruction, escape: str) -> Pairs:
    words = split_words(instruction.rest, escape)
    if "=" not in words[0]:  # the old form: one name, the rest of the line its value
        name, *behind = instruction.rest.split(None, 1)
        value = behind[0] if behind else ""
        if not value.strip():
            raise DockerfileError(f"{instruction.name} must have two arguments", instruction.first, plain=True)
        return Pairs(instruction.name, ((name, value.strip()),))
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise DockerfileError(
                f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value',
                instruction.first,
                plain=True,
            )
        if not name:
            raise DockerfileError(f"{instruction.name} names can not be blank", instruction.first)
        pairs.append((name, value))
    return Pairs(instruction.name, tuple(pairs))


def _arg(instruction: Instruction, escape: str) -> Arg:
    names: list[tuple[str, str | None]] = []
    for word in split_words(instruction.rest, escape):
        name, equals, value = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank", instruction.first)
        names.append((name, value if equals else None))
    return Arg(tuple(names))


def _command(instruction: Instruction, escape: str) -> Command:
    words = string_list(instruction)
    if instruction.name == "SHELL" and words == ():
        raise DockerfileError("SHELL requires at least one argument", instruction.first)
    if instruction.name == "SHELL" and words is None:
        raise DockerfileError("SHELL requires the arguments to be in JSON form", instruction.first)
    if words is None:
        return Command(instruction.name, (instruction.rest,), True)
    return Command(instruction.name, words, False)


def _healthcheck(instruction: Instruction, escape: str) -> Healthcheck:
    flags = flags_of(instruction)
    kind, _, rest = instruction.rest.partition(" ")
    rest = rest.strip()
    options = tuple((name, values[0]) for name, values in flags.items())
    for name, value in options:
        _check_health_option(name, value, instruction.first)
    if kind.upper() == "NONE":
        if rest:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments", instruction.first)
        return Healthcheck(("NONE",), ())
    if kind.upper() != "CMD":
        raise DockerfileError(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)', instruction.first)
    if not rest:
        raise DockerfileError("Missing command after HEALTHCHECK CMD", instruction.first)
    words = json_words(rest)
    return Healthcheck(("CMD-SHELL", rest) if words is None else ("CMD", *words), options)


def _check_health_option(name: str, value: str, line: int) -> None:
    """Raise DockerfileError for a HEALTHCHECK flag that is no duration of a millisecond or more, or no count."""
    from hyperbox.go.durations import parse_duration

    if name == "retries":
        try:
            count = int(value)
        except ValueError:
            raise DockerfileError(invalid_syntax("ParseInt", value), line) from None
        if count < 0:
            raise DockerfileError(f"--retries cannot be negative ({count})", line)
        return
    try:
        nanoseconds = parse_duration(value) if value else 0
    except ValueError as error:
        raise DockerfileError(str(error), line) from None
    if nanoseconds < 10**6 and nanoseconds != 0:
        raise DockerfileError(f'Interval "{name}" cannot be less than 1ms', line)


def _words(instruction: Instruction, escape: str) -> Words:
    words = string_list(instruction) if instruction.name == "VOLUME" else None
    if words == ():
        raise DockerfileError("VOLUME requires at least one argument", instruction.first)
    if words is not None and not all(word.strip() for word in words):
        raise DockerfileError("VOLUME specified can not be an empty string", instruction.first)
    if words is not None:
        return Words(instruction.name, words)
    return Words(instruction.name, tuple(instruction.rest.split()))  # white space parts them, in quotes too


def _text(instruction: Instruction, escape: str) -> Text:
    return Text(instruction.name, instruction.rest)


def _onbuild(instruction: Instruction, escape: str) -> Onbuild:
    name = instruction.rest.split(None, 1)[0].upper()
    if name == "ONBUILD":
        raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", instruction.first)
    if name in ("FROM", "MAINTAINER"):
        raise DockerfileError(f"{name} isn't allowed as an ONBUILD trigger", instruction.first)
    return Onbuild(instruction.original.split(None, 1)[1])


READERS: dict[str, Callable[[Instruction, str], Step]] = {
    "FROM": _from,
    "RUN": _run,
    "COPY": _copy,
    "ADD": _copy,
    "ENV": _pairs,
    "LABEL": _pairs,
    "ARG": _arg,
    "CMD": _command,
    "ENTRYPOINT": _command,
    "SHELL": _command,
    "HEALTHCHECK": _healthcheck,
    "EXPOSE": _words,
    "VOLUME": _words,
    "USER": _text,
    "WORKDIR": _text,
    "STOPSIGNAL": _text,
    "MAINTAINER": _text,
    "ONBUILD": _onbuild,
}
