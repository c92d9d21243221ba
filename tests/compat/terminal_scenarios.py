"""What docker compose shows on a terminal: command lines run on a pty, whose screen a terminal emulator (pyte) reads, by docker and by HyperBox.

A scenario is a file in terminal/, written like those of compose_scenarios; a step may have marks of its own:

    $ (40x120) up -d            a terminal of 40 lines and 120 columns (24x80 where nothing is said)
    $ (off=1) stop              stdout is no terminal; (off=2): stderr; (off=0): stdin, it has nothing but its end
    $ (keys=Attaching:^C) up    when the screen has the words "Attaching", Ctrl-C is typed; several with commas between
    $ (keys=one:?w,two:=6x20,three:!touch it) up    ?: the screen of that moment is kept as well; =: the terminal's size changes;
                                !: a command is run in the scenario's folder

The golden file has of each step the lines of its screen, those scrolled away included, each letter's color told by marks like <green>, what of
the cursor a user notices, and the exit code. Times are 0.0s there, and spinners *. Only the real docker writes it:

    python3 tests/compat/terminal_scenarios.py [--only NAME] RUN…     (RUN: a command that runs a command line beside docker)

The image `busybox` must be there, and a registry at REGISTRY for scenarios that name it: `serve` gives one.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import compose_scenarios as scenarios

from tests.real_registry import put_image, real_registry

FOLDER = Path(__file__).resolve().parent / "terminal"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/terminal"
REGISTRY = "127.0.0.1:5979"
PATIENCE = 60.0  # seconds that a step may take
REST = 0.4  # seconds for which a screen that is kept has not changed
TIMES = (
    (re.compile(r"\d+\.\ds"), "0.0s"),
    (re.compile(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]"), "*"),
    (re.compile(r"(?<=-run-)[0-9a-f]{12}\b"), "<SLUG>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<LONG>"),
    (re.compile(r"(?<=sha256:)[0-9a-f]+(?=\.\.\.)"), "<CUT>"),
    (re.compile(r"\b[0-9a-f]{12}(?=_hb-)"), "<REPLACED>"),
)
Case = dict[str, object]


class Terminal:
    """A command on a pty, and the screen that what it writes makes."""

    def __init__(self, argv: Sequence[str], folder: Path, size: tuple[int, int], off: str) -> None:
        rows, columns = size
        self.screen = pyte.HistoryScreen(columns, rows, history=1000, ratio=1)
        self.stream = pyte.ByteStream(self.screen)
        self.stream.feed(b"$ \r\n")  # a prompt: docker's display begins a line lower at the very top
        self.drawings = 0
        self.folder = folder
        self.screens: list[list[str]] = []
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def controlling() -> None:
            os.setsid()
            fcntl.ioctl(0 if off != "0" else 2, termios.TIOCSCTTY, 0)

        nowhere: int = subprocess.DEVNULL
        self.process = subprocess.Popen(
            argv, stdin=nowhere if off == "0" else slave, cwd=folder, preexec_fn=controlling,
            stdout=nowhere if off == "1" else slave, stderr=nowhere if off == "2" else slave,
        )  # fmt: skip
        os.close(slave)

    def run(self, keys: list[tuple[str, str]]) -> int:
        """Read until the end, typing keys when their words are on the screen; returns the exit code."""
        deadline, changed = time.monotonic() + PATIENCE, time.monotonic()
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    data = os.read(self.master, 65536)
                except OSError:  # nobody holds the other side any more
                    break
                self.drawings += data.count(b"\x1b[?25l")
                self.stream.feed(data)
                changed = time.monotonic()
            if keys and any(keys[0][0] in line for line in self.screen.display):
                if keys[0][1].startswith("?") and time.monotonic() - changed < REST:
                    continue
                self._press(keys.pop(0)[1])
        else:
            self.process.kill()
        os.close(self.master)
        return self.process.wait()

    def _press(self, key: str) -> None:
        """Do what a key of a scenario says."""
        if key.startswith("?"):
            self.screens.append([self._line(self.screen.buffer[number]) for number in range(self.screen.lines)])
            key = key[1:]
        if key.startswith("!"):
            subprocess.run(key[1:], shell=True, cwd=self.folder, check=False)
        elif key.startswith("="):
            rows, columns = map(int, key[1:].split("x"))
            self.screen.resize(rows, columns)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        else:
            os.write(self.master, key.encode())

    def lines(self) -> list[str]:
        """Return the lines of the screen, with their colors, without those below the last."""
        rows = [*self.screen.history.top, *(self.screen.buffer[number] for number in range(self.screen.lines))]
        lines = [self._line(row) for row in rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines[1:]

    def _line(self, row: object) -> str:
        text, colors = "", ["default"] * self.screen.columns
        for number in range(self.screen.columns):
            cell = row[number]  # type: ignore[index]
            text += cell.data
            if cell.data != " ":
                colors[number] = f"{'bold-' * cell.bold}{cell.fg}"
        for pattern, replacement in TIMES:
            text = pattern.sub(lambda found, by=replacement: by.ljust(len(found.group())), text)
        marked, color = "", "default"
        for letter, own in zip(text.rstrip(), colors, strict=False):
            if own != color and letter != " ":
                marked, color = f"{marked}<{own}>", own
            marked += letter
        return marked


def read(name: str) -> tuple[dict[str, str], list[scenarios.Step]]:
    """Return a scenario's files and steps."""
    return scenarios.read(name, FOLDER)  # type: ignore[no-any-return]


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def run_step(run: Sequence[str], program: Sequence[str], step: scenarios.Step, folder: Path) -> Case:
    """Run one step and return what its terminal showed."""
    given = {**scenarios.CLEAN, "TERM": "xterm", **step.environment}
    off, typed = given.pop("off", ""), given.pop("keys", "")
    size = next((mark for mark in step.marks if mark[0].isdigit()), "24x80")
    rows, columns = map(int, size.split("x"))
    keep = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("HYPERBOX_")]
    variables = [f"{name}={value}" for name, value in given.items() if value != "-"]
    compose = [] if step.docker else ["compose"]
    argv = [*run, "env", "-i", *variables, *keep, *program, *compose, *step.words]
    terminal = Terminal(argv, folder, (rows, columns), off)
    keys = [
        (words, re.sub(r"\^(.)", _control, key))
        for words, _, key in (one.partition(":") for one in typed.split(",") if one)
    ]
    code = terminal.run(keys)
    lines = [scenarios.normalised(line, folder) for line in terminal.lines()]
    screens = [[scenarios.normalised(line, folder) for line in screen] for screen in terminal.screens]
    return {
        "command": step.line,
        "lines": lines,
        "drawn": terminal.drawings > 0,
        "once": terminal.drawings == 1,
        "column": terminal.screen.cursor.x,
        "hidden": terminal.screen.cursor.hidden,
        "code": code,
        **({"screens": screens} if screens else {}),
    }


def _control(found: re.Match[str]) -> str:
    return chr(ord(found.group(1).upper()) - 64)


HEADING = re.compile(r"(<blue>)?(\[\+\] [A-Z][a-z]+ \d+/\d+)$")


# the plan that our --dry-run shows below docker compose's lines
PLAN = re.compile(r" DRY-RUN MODE -  (\[[\d,]+\] -> )?#\d+ ")


def comparable(case: Case) -> Case:
    """Return a case without what chance decides: the order of steps that ran side by side, and the color of a heading that was drawn once."""
    lines = case["lines"]
    assert isinstance(lines, list)
    blocks: list[list[str]] = []
    for line in lines:
        if "exited with code" in line and any("Gracefully" in block[0] for block in blocks):
            continue  # whether docker still hears of it is chance
        step = line.startswith((" <", " *", "   <"))
        if not (step and blocks and HEADING.match(blocks[-1][0])):
            blocks.append([])
        blocks[-1].append(HEADING.sub(r"\2", line) if not step else line)
    blocks = blocks[: next((number for number, block in enumerate(blocks) if PLAN.match(block[0])), len(blocks))]
    ordered = [line for first, *rest in blocks for line in (first, *sorted(rest))]
    screens = case.get("screens", [])
    assert isinstance(screens, list)
    plain = {"screens": [[HEADING.sub(r"\2", line) for line in screen] for screen in screens]} if screens else {}
    return {**{key: value for key, value in case.items() if key != "once"}, "lines": ordered, **plain}


def recorded(name: str) -> list[Case]:
    """Return what docker compose showed in a scenario."""
    value = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(value, list)
    return value


@contextmanager
def registry(folder: Path) -> Iterator[None]:
    """Serve images at REGISTRY."""
    with real_registry(folder, int(REGISTRY.partition(":")[2])) as host:
        put_image(host, "hb/live:one", {"one": b"hello\n"})
        put_image(host, "hb/live:two", {"two": b"hello\n" * 100_000})
        yield


def main(arguments: list[str]) -> None:
    """Record the scenarios, or serve the registry until stdin ends."""
    if arguments == ["serve"]:
        with tempfile.TemporaryDirectory() as kept, registry(Path(kept)):
            print("serving", flush=True)
            sys.stdin.read()
        return
    wanted = names()
    if arguments[0] == "--only":
        wanted, arguments = [arguments[1]], arguments[2:]
    for name in wanted:
        folder = Path(tempfile.mkdtemp(prefix=f"hb-{name}-"))
        scenarios.write_files(name, folder, FOLDER)
        cases = [run_step(arguments, ["docker"], step, folder) for step in read(name)[1]]
        shutil.rmtree(folder)
        GOLDEN.mkdir(parents=True, exist_ok=True)
        text = json.dumps(cases, ensure_ascii=False, indent=1)
        (GOLDEN / f"{name}.json").write_text(f"{text}\n")
        print(f"{name}: {len(cases)}")


if __name__ == "__main__":
    main(sys.argv[1:])
