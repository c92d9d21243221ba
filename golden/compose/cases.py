"""The format of the golden cases about compose files, shared by the recorder and the tests.

NAME.cases holds what is given, written by hand:

    === case-name: what it shows, in a sentence
    --- path/of/a/file
    content
    --- another (mode 000 | link TARGET)
    $ docker compose arguments
    $ (VARIABLE=value) (in folder) (sorted) (stdin file) arguments

NAME.recorded holds what docker compose answered: for each command its `$` line, the lines of stdout behind "| ", of stderr
behind "! ", and the exit code behind "? "; a last line without its newline has "|\\" or "!\\" before it. `{dir}` stands for the
case's folder, `{parent}` for the one above.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

FOLDER = os.path.dirname(os.path.abspath(__file__))
_TIME = re.compile(r'time="[^"]*"')
_PREFIX = re.compile(r"\(([^)]*)\) ?")


class Command(NamedTuple):
    """One run of docker compose."""

    line: str
    arguments: str
    environment: dict[str, str]
    folder: str
    stdin: str
    sort: bool


class File(NamedTuple):
    """A file that a case needs: its content, or the target of a link."""

    path: str
    content: str
    link: str


class Case(NamedTuple):
    """A case: its name, files and commands."""

    topic: str
    name: str
    files: tuple[File, ...]
    commands: tuple[Command, ...]


class Answer(NamedTuple):
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


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
    current: list[str] | None = None
    header = ""
    for line in body.splitlines(keepends=True):
        if line.startswith("--- "):
            if current is not None:
                files.append(_file(header, "".join(current)))
            header, current = line[4:].strip(), []
        elif line.startswith("$ "):
            commands.append(_command(line[2:].strip()))
        elif line.strip() == "$":
            commands.append(_command("config"))
        elif current is not None and not commands:
            current.append(line)
    if current is not None:
        files.append(_file(header, "".join(current)))
    return Case(topic, title.partition(":")[0].strip(), tuple(files), tuple(commands or [_command("config")]))


def _file(header: str, content: str) -> File:
    """Escapes in a content: `\\x..` after a first line `#escaped`, for bytes that no editor shows."""
    path, _, link = header.partition(" -> ")
    return File(path, content, link)


def file_bytes(file: File) -> bytes:
    """Return the bytes of a file."""
    if file.content.startswith("#escaped\n"):
        return file.content.removeprefix("#escaped\n").encode().decode("unicode_escape").encode("latin-1")
    return file.content.encode()


def _command(line: str) -> Command:
    environment: dict[str, str] = {}
    folder, stdin, sort = ".", "", False
    rest = line
    while match := _PREFIX.match(rest):
        rest = rest[match.end() :]
        word = match.group(1)
        if word == "sorted":
            sort = True
        elif word.startswith("in "):
            folder = word[3:]
        elif word.startswith("stdin "):
            stdin = word[6:]
        else:
            name, _, value = word.partition("=")
            environment[name] = value
    return Command(line, rest, environment, folder, stdin, sort)


def write_files(case: Case, folder: str) -> None:
    """Make a case's files below `folder`."""
    for file in case.files:
        path = os.path.join(folder, file.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if file.link:
            os.symlink(file.link, path)
        elif file.path.endswith("/"):
            os.makedirs(path, exist_ok=True)
        else:
            with open(path, "wb") as handle:
                handle.write(file_bytes(file))


def normalized(text: str, folder: str, sort: bool = False) -> str:
    """Return output with the folder and the times replaced, its lines sorted where their order is by chance."""
    text = _TIME.sub('time="…"', text.replace(folder, "{dir}").replace(os.path.dirname(folder), "{parent}"))
    return "\n".join(sorted(text.split("\n")[:-1])) + "\n" if sort and text else text


def normalized_errors(text: str, folder: str, sort: bool = False) -> str:
    """Return what went to stderr; warnings come in the order of Go's maps, so they are sorted."""
    lines = normalized(text, folder, sort).splitlines(keepends=True)
    warnings = [line for line in lines if line.startswith("time=")]
    return "".join(sorted(warnings) + [line for line in lines if not line.startswith("time=")])


def read_answers(topic: str) -> dict[str, list[Answer]]:
    """Return what was recorded for a topic, by case."""
    answers: dict[str, list[Answer]] = {}
    name = ""
    with open(f"{FOLDER}/{topic}.recorded", encoding="utf-8", errors="surrogateescape", newline="") as file:
        lines = file.read().split("\n")
    stdout: list[str] = []
    stderr: list[str] = []
    for line in lines:
        if line.startswith("=== "):
            name = line[4:]
            answers[name] = []
        elif line.startswith("$ "):
            stdout, stderr = [], []
        elif line.startswith(("| ", "|\\")):
            stdout.append(line[2:] + ("" if line[1] == "\\" else "\n"))
        elif line.startswith(("! ", "!\\")):
            stderr.append(line[2:] + ("" if line[1] == "\\" else "\n"))
        elif line.startswith("? "):
            answers[name].append(Answer("".join(stdout), "".join(stderr), int(line[2:])))
    return answers


def format_answer(command: Command, answer: Answer) -> str:
    """Return an answer as it is recorded."""
    out = [f"$ {command.line}\n"]
    for mark, text in (("|", answer.stdout), ("!", answer.stderr)):
        lines = text.split("\n")
        out += [f"{mark} {line}\n" for line in lines[:-1]]
        if lines[-1]:
            out.append(f"{mark}\\{lines[-1]}\n")
    out.append(f"? {answer.code}\n")
    return "".join(out)
