"""Scenarios: docker command lines that are run in order on docker and on HyperBox, and must print and return the same.

A scenario is a file in scenarios/: one command line a line without the word `docker`, as a shell splits it; "#" begins a comment
(`# behaviour 18, 19` names what of docs/behaviours.md the next commands show), a line "| TEXT" gives stdin to the next command.
What the real docker did is in golden/docker/scenarios/NAME.json:

    python3 tests/compat/scenarios.py DOCKER…            records them all (DOCKER: a command that runs docker)
    python3 tests/compat/scenarios.py --only NAME DOCKER…

The image `busybox` must be there. A scenario removes what it makes; its names begin with "hb-".
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "scenarios"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/scenarios"

Case = dict[str, object]
# what differs from run to run or from machine to machine
PATTERNS = (
    (re.compile(r"/var/lib/docker/|/var/tmp/hyperbox-sandbox/[^/]+/data/"), "<DATA>/"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<ID>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<SHORT>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<TIME>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]+"), "<TIME>"),
    (re.compile(r"(Less than a second|About an? \w+|\d+ (second|minute|hour|day|week|month)s?)( ago)?"), "<AGE>"),
    (re.compile(r"(?<=<AGE>) +"), " "),
    (re.compile(r"(?<=\bCREATED) +|(?<=\bSTATUS) +|(?<=IMAGE ID) +"), " "),
    (re.compile(r"\b(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|60\d{3})\b"), "<PORT>"),
)


def normal(text: str) -> str:
    """Return a command's output without ids, times, ages and ports that nobody chose."""
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def behaviours(path: Path) -> list[int]:
    """Return the numbers of docs/behaviours.md that the comments `# behaviour N, …` of a file name."""
    found = re.findall(r"(?m)^# behaviour ([0-9, ]+)", path.read_text())
    return sorted({int(number) for numbers in found for number in numbers.split(",")})


def steps(name: str) -> Iterator[tuple[list[str], str]]:
    """Yield (command, stdin) of each step."""
    stdin = ""
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if line.startswith("| "):
            stdin += line[2:] + "\n"
        elif line and not line.startswith("#"):
            yield shlex.split(line), stdin
            stdin = ""


def run_step(docker: Sequence[str], command: Sequence[str], stdin: str) -> Case:
    """Run one step and return what it did, normalised."""
    done = subprocess.run(
        [*docker, *command],
        input=stdin.encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    return {
        "command": list(command),
        "stdout": normal(done.stdout.decode("utf-8", "replace")),
        "stderr": normal(done.stderr.decode("utf-8", "replace")),
        "code": done.returncode,
    }


def recorded(name: str) -> list[Case]:
    """Return what docker did in a scenario."""
    value = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(value, list)
    return [{**case, "stdout": normal(case["stdout"]), "stderr": normal(case["stderr"])} for case in value]


def main(arguments: list[str]) -> None:
    wanted = names()
    if arguments[0] == "--only":
        wanted, arguments = [arguments[1]], arguments[2:]
    total = 0
    for name in wanted:
        cases = [run_step(arguments, command, stdin) for command, stdin in steps(name)]
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        total += len(cases)
        print(f"{name}: {len(cases)}")
    print(f"{total} invocations")


if __name__ == "__main__":
    main(sys.argv[1:])
