"""The format of the golden cases about building, shared by the recorder and the tests.

NAME.cases holds what is given, written by hand:

    === case-name: what it shows, in a sentence
    --- path/of/a/file (mode 600)
    content
    --- a/folder/
    --- a/link -> target
    ~ a line for `sh -c`, run in the case's folder
    $ (VARIABLE=value) (stdin file) (out path) arguments of docker build

The image `hb-base` (a small busybox) is there. All files of a case get the same times; `~` lines come in order with the builds.
A build without (out …) is tagged hb-golden-NAME and its image is looked at; (out none): nothing is; `{image}` stands for that name.

NAME.recorded holds what docker did, for each command its `$` line and then:

    ? the exit code
    | a line of stdout
    ! a line of stderr behind the progress: the failing step's output, the excerpt of the Dockerfile, errors, warnings
    # a step's name; from a case's second build on, with its state (CACHED) behind it
    = a path that the image has and hb-base has not (see `image.py`), or of the output of `-o`
    - a path of hb-base that the image has not
    @ a value of the image's configuration
    % a line of its history
"""

from __future__ import annotations

import os
import re
import shutil
from typing import NamedTuple

FOLDER = os.path.dirname(os.path.abspath(__file__))
MODIFIED = 1_600_000_000  # the time that all files of a context have
_PREFIX = re.compile(r"\(((?:stdin|out) [^)]*|[A-Z_0-9]+=[^)]*)\) ?")


class Command(NamedTuple):
    """One build, or (`shell`) one line that changes the context."""

    line: str
    shell: bool
    arguments: str
    environment: dict[str, str]
    stdin: str
    out: str


class File(NamedTuple):
    """A file that a case needs: its content, or the target of a link."""

    path: str
    content: str
    link: str
    mode: int


class Case(NamedTuple):
    """A case: its name, files and commands."""

    topic: str
    name: str
    files: tuple[File, ...]
    commands: tuple[Command, ...]


def topics() -> list[str]:
    """Return the names of the files of cases."""
    return sorted(name.removesuffix(".cases") for name in os.listdir(FOLDER) if name.endswith(".cases"))


def read_cases(topic: str) -> list[Case]:
    """Return the cases of a topic."""
    with open(f"{FOLDER}/{topic}.cases", encoding="utf-8", newline="") as file:
        text = file.read()
    return [_parse_case(topic, part) for part in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]]


def _parse_case(topic: str, text: str) -> Case:
    title, _, body = text.partition("\n")
    files: list[File] = []
    commands: list[Command] = []
    current: list[str] = []
    header = ""
    for line in body.splitlines(keepends=True):
        if line.startswith("--- "):
            if header:
                files.append(_file(header, "".join(current)))
            header, current = line[4:].strip(), []
        elif line.startswith("$ "):
            commands.append(_build(line[2:].strip()))
        elif line.startswith("~ "):
            commands.append(Command(line[2:].strip(), True, "", {}, "", ""))
        else:
            current.append(line)
    if header:
        files.append(_file(header, "".join(current)))
    return Case(topic, title.partition(":")[0].strip(), tuple(files), tuple(commands or [_build(".")]))


def _file(header: str, content: str) -> File:
    header, _, mode = header.partition(" (mode ")
    path, _, link = header.partition(" -> ")
    return File(path, content, link, int(mode.rstrip(")"), 8) if mode else 0o644)


def _build(line: str) -> Command:
    environment: dict[str, str] = {}
    stdin, out, rest = "", "", line
    while match := _PREFIX.match(rest):
        rest = rest[match.end() :]
        word = match.group(1)
        if word.startswith("stdin "):
            stdin = word[6:]
        elif word.startswith("out "):
            out = word[4:]
        else:
            name, _, value = word.partition("=")
            environment[name] = value
    return Command(line, False, rest, environment, stdin, out)


def write_files(case: Case, folder: str) -> None:
    """Make a case's folder anew, all its files with the modes, owner and times that the cases state."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for file in case.files:
        path = os.path.join(folder, file.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if file.link:
            os.symlink(file.link, path)
        elif file.path.endswith("/"):
            os.makedirs(path, exist_ok=True)
        else:
            with open(path, "w", encoding="utf-8", newline="") as handle:
                handle.write(file.content)
            os.chmod(path, file.mode)
    set_times(folder)


def set_times(folder: str) -> None:
    """Give all that is in a context the same modification time."""
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.utime(os.path.join(parent, name), (MODIFIED, MODIFIED), follow_symlinks=False)


def read_answers(topic: str) -> dict[str, list[list[str]]]:
    """Return what was recorded for a topic: case -> for each command the lines behind its `$` line."""
    answers: dict[str, list[list[str]]] = {}
    try:
        with open(f"{FOLDER}/{topic}.recorded", encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")[:-1]
    except FileNotFoundError:
        return answers
    name = ""
    for line in lines:
        if line.startswith("=== "):
            name = line[4:]
            answers[name] = []
        elif line.startswith("$ "):
            answers[name].append([])
        else:
            answers[name][-1].append(line)
    return answers


def write_answers(topic: str, answers: dict[str, list[tuple[str, list[str]]]]) -> None:
    """Write what was recorded: case -> (command line, lines) pairs."""
    with open(f"{FOLDER}/{topic}.recorded", "w", encoding="utf-8", newline="") as file:
        for name, commands in answers.items():
            file.write(f"=== {name}\n")
            for line, lines in commands:
                file.write("".join(f"{text}\n" for text in [f"$ {line}", *lines]))
