"""Scenarios of docker compose: a folder of files and command lines, run in order by docker compose and by HyperBox, with the same outcome.

A scenario is a file in compose/. Its lines:

    --- path/of/a/file          what follows, up to the next such line or command, is the file's content
    | text                      a line of stdin for the next command
    $ up -d                     docker compose up -d, in the scenario's folder
    $ (VARIABLE=value) ps       the same with an environment variable
    $ (sorted) logs             stdout is compared as sorted lines
    $ (docker) ps -a            docker ps -a
    # comment

stderr is compared as a set of lines: steps that run side by side end in any order. What the real docker did is in
golden/docker/compose/NAME.json; only it writes there:

    python3 tests/compat/compose_scenarios.py [--only NAME] RUN…     (RUN: a command that runs a command line beside docker)

The image `busybox` must be there. A scenario removes what it makes; its project is called hb-NAME.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scenarios import Case, normal

FOLDER = Path(__file__).resolve().parent / "compose"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/compose"
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
# names that are made by chance, and sizes and times that are measured
PATTERNS = (
    (re.compile(r"(?<=-run-)[0-9a-f]{12}\b"), "<SLUG>"),
    (re.compile(r"<SHORT>_(?=hb-)"), "<REPLACED>_"),
    (re.compile(r'time="[^"]*"'), 'time=""'),
    (re.compile(r"`(since|until)` time \(\d+\)"), r"`\1` time (<MOMENT>)"),
    # how a registry that can't be reached is told depends on the machine's resolver
    (re.compile(r'(?<=Get "https://registry-1.docker.io/v2/": ).*'), "<UNREACHABLE>"),
)
# the plan that our --dry-run shows beside docker compose's lines
PLAN = re.compile(r"^ DRY-RUN MODE -  (\[[\d,]+\] -> )?#\d+ .*\n", re.MULTILINE)
_WORD = re.compile(r"\(([^)]*)\) ?")


class Step(NamedTuple):
    """One command line of a scenario."""

    line: str
    words: tuple[str, ...]
    environment: dict[str, str]
    sort: bool
    docker: bool
    stdin: str
    marks: frozenset[str] = frozenset()


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def read(name: str, source: Path = FOLDER) -> tuple[dict[str, str], list[Step]]:
    """Return a scenario's files and steps."""
    files: dict[str, str] = {}
    steps: list[Step] = []
    path, stdin = "", ""
    for line in (source / f"{name}.txt").read_text().splitlines():
        if line.startswith("--- "):
            path = line[4:]
            files[path] = ""
        elif line.startswith("$ "):
            path = ""
            steps.append(_step(line[2:], stdin))
            stdin = ""
        elif path:
            files[path] += line + "\n"
        elif line.startswith("| "):
            stdin += line[2:] + "\n"
    return files, steps


def _step(line: str, stdin: str) -> Step:
    rest, environment, marks = line, dict[str, str](), set[str]()
    while found := _WORD.match(rest):
        rest = rest[found.end() :]
        name, equals, value = found.group(1).partition("=")
        if equals:
            environment[name] = value
        else:
            marks.add(name)
    return Step(
        line, tuple(shlex.split(rest)), environment, "sorted" in marks, "docker" in marks, stdin, frozenset(marks)
    )


def write_files(name: str, folder: Path, source: Path = FOLDER) -> None:
    """Write a scenario's files into a folder."""
    for path, text in read(name, source)[0].items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if path.endswith(".sh"):
            target.chmod(0o755)


def normalised(text: str, folder: Path) -> str:
    """Return output without what differs from run to run."""
    text = normal(text.replace(str(folder), "{dir}"))
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def sorted_lines(text: str) -> str:
    """Return text with its lines in order, each once."""
    return "".join(sorted({f"{line}\n" for line in text.split("\n") if line}))


def run_step(run: Sequence[str], program: Sequence[str], step: Step, folder: Path) -> Case:
    """Run one step and return what it did, normalised. `run` stands before everything, `program` is docker."""
    variables = [f"{name}={value}" for name, value in {**CLEAN, **step.environment}.items()]
    keep = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("HYPERBOX_")]
    compose = [] if step.docker else ["compose"]
    done = subprocess.run(
        [*run, "env", "-i", *variables, *keep, *program, *compose, *step.words],
        input=step.stdin.encode(),
        capture_output=True,
        timeout=120,
        check=False,
        cwd=folder,
    )
    stdout = normalised(done.stdout.decode("utf-8", "replace"), folder)
    stderr = PLAN.sub("", normalised(done.stderr.decode("utf-8", "replace"), folder))
    return {
        "command": step.line,
        "stdout": sorted_lines(stdout) if step.sort else stdout,
        "stderr": sorted_lines(stderr),
        "code": done.returncode,
    }


def recorded(name: str) -> list[Case]:
    """Return what docker compose did in a scenario."""
    value = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(value, list)
    return [{**case, "stderr": sorted_lines(case["stderr"])} for case in value]


def main(arguments: list[str]) -> None:
    """Record the scenarios."""
    wanted = names()
    if arguments[0] == "--only":
        wanted, arguments = [arguments[1]], arguments[2:]
    for name in wanted:
        folder = Path(tempfile.mkdtemp(prefix=f"hb-{name}-"))
        write_files(name, folder)
        cases = [run_step(arguments, ["docker"], step, folder) for step in read(name)[1]]
        shutil.rmtree(folder)
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        print(f"{name}: {len(cases)}")


if __name__ == "__main__":
    main(sys.argv[1:])
