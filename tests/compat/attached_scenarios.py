"""An attached docker compose while other things happen: files change, other commands work on its project, signals come.

A scenario is a file in attached/. What stands in it before the first step are files, as in compose_scenarios; its steps:

    & up web                    docker compose up web, which stays; it is not a terminal's
    ~ web-1  | line             wait until it has written this since the last step that waited
    $ scale web=2               docker compose scale web=2, meanwhile; its stdout is compared, unless "(silent)" stands before
    ! echo x >src/x             a command of the shell in the scenario's folder
    ^ INT                       a signal to it
    .                           wait for its end

What the real docker did is in golden/docker/attached/NAME.json; only it writes there:

    python3 tests/compat/attached_scenarios.py [--only NAME] RUN…     (RUN: a command that runs a command line beside docker)

The image `busybox` must be there.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compose_scenarios as scenarios

FOLDER = Path(__file__).resolve().parent / "attached"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/attached"
PATIENCE = 30.0  # seconds that something may take
STEPS = ("& ", "~ ", "$ ", "! ", "^ ", ".")
Case = dict[str, object]


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def read(name: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return a scenario's files, and its steps: (sign, the rest)."""
    files: dict[str, str] = {}
    steps: list[tuple[str, str]] = []
    path = ""
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if line.startswith("--- "):
            path = line[4:]
            files[path] = ""
        elif line.startswith(STEPS):
            path = ""
            steps.append((line[0], line[2:]))
        elif path:
            files[path] += line + "\n"
    return files, steps


class Attached:
    """A command that stays, and what it has written."""

    def __init__(self, run: Sequence[str], program: Sequence[str], words: str, folder: Path) -> None:
        self.words, self.folder = words, folder
        self.pid, self.output, self.seen = folder / ".pid", folder / ".output", 0
        self.pid.unlink(missing_ok=True)
        line = shlex.join([*program, "compose", *shlex.split(words)])
        keep = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("HYPERBOX_")]
        clean = [f"{name}={value}" for name, value in scenarios.CLEAN.items()]
        told = f"echo $$ >{self.pid}.new; mv {self.pid}.new {self.pid}; exec {line}"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [*run, "env", "-i", *clean, *keep, "sh", "-c", told],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder,
            )  # fmt: skip

    def await_text(self, text: str) -> None:
        """Wait until a text has been written. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while True:
            data = self.output.read_bytes()
            place = data.find(text.encode(), self.seen)
            if place >= 0:
                self.seen = place + len(text.encode())
                return
            if time.monotonic() > deadline or (
                self.process.poll() is not None and self.output.stat().st_size == len(data)
            ):
                raise TimeoutError(f"{text!r} did not come: {data.decode('utf-8', 'replace')}")
            time.sleep(0.02)

    def signal(self, name: str) -> None:
        """Send it a signal, to the very process."""
        os.kill(int(self.pid.read_text()), getattr(signal, f"SIG{name}"))

    def end(self) -> Case:
        """Wait for its end; return what it did."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.signal("KILL")
            code = self.process.wait()
        text = scenarios.PLAN.sub("", scenarios.normalised(self.output.read_text(errors="replace"), self.folder))
        return {"command": self.words, "lines": text.split("\n"), "code": code}


def play(run: Sequence[str], program: Sequence[str], name: str, folder: Path) -> list[Case]:
    """Go through a scenario; return what its commands did."""
    cases: list[Case] = []
    attached: Attached | None = None
    for sign, rest in read(name)[1]:
        if sign == "&":
            attached = Attached(run, program, rest, folder)
            continue
        if sign == "!":
            subprocess.run(rest, shell=True, cwd=folder, check=True)
            continue
        if sign == "$":
            silent = rest.startswith("(silent) ")
            line = rest.removeprefix("(silent) ")
            step = scenarios.Step(line, tuple(shlex.split(line)), {}, False, False, "")
            done = scenarios.run_step(run, program, step, folder)
            if not silent:
                cases.append({key: done[key] for key in ("command", "stdout", "code")})
            continue
        assert attached is not None
        if sign == "~":
            attached.await_text(rest)
        elif sign == "^":
            attached.signal(rest)
        else:
            cases.append(attached.end())
            attached = None
    return cases


def write_files(name: str, folder: Path) -> None:
    """Write a scenario's files into a folder."""
    for path, text in read(name)[0].items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def recorded(name: str) -> list[Case]:
    """Return what docker compose did in a scenario."""
    value = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(value, list)
    return value


def comparable(case: Case) -> Case:
    """Return a case without what chance decides: the order of the steps of `up` before and after it shows output."""
    lines = case.get("lines")
    if not isinstance(lines, list):
        return case
    steps = sorted(line for line in lines if line.startswith((" Container ", " Network ")))
    return {**case, "lines": [line for line in lines if line not in steps], "steps": steps}


def main(arguments: list[str]) -> None:
    """Record the scenarios."""
    wanted = names()
    if arguments[0] == "--only":
        wanted, arguments = [arguments[1]], arguments[2:]
    for name in wanted:
        folder = Path(tempfile.mkdtemp(prefix=f"hb-{name}-"))
        write_files(name, folder)
        cases = play(arguments, ["docker"], name, folder)
        shutil.rmtree(folder)
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / f"{name}.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
        print(f"{name}: {len(cases)}")


if __name__ == "__main__":
    main(sys.argv[1:])
