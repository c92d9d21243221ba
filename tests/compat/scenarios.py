"""Scenarios: docker command lines that are run in order on docker and on HyperBox, and must print and return the same.

A scenario is a file in scenarios/: one command line a line without the word `docker`, as a shell splits it. {DIR} stands for a folder
of the scenario's own, in which the commands run. Other lines begin with a sign and a blank:

    # a comment; `# behaviour 18, 19` names what of docs/behaviours.md the next commands show
    | TEXT            a line of stdin for the next command
    $ NAME=VALUE      an environment variable for the next command
    + NAME TEXT       a file of that name in {DIR} with that text, written before the next command
    ! alone           the engine holds nothing but the image `busybox`: the commands look at all it has, or prune it

What the real docker did is in golden/docker/scenarios/NAME.json:

    python3 tests/compat/scenarios.py DOCKER…            records them all (DOCKER: a command that runs docker in the same folder, with the
    python3 tests/compat/scenarios.py --only NAME DOCKER…     variables DOCKER_*, NO_COLOR and *_PROXY of its environment)

The image `busybox` must be there. A scenario removes what it makes; its names begin with "hb-".
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent / "scenarios"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/scenarios"

Case = dict[str, object]
# what differs from run to run or from machine to machine
PATTERNS = (
    (re.compile(r"/var/lib/docker/|/var/tmp/hyperbox-sandbox/[^/]+/(alone/)?data/"), "<DATA>/"),
    (re.compile(r"/root/\.docker\b"), "<HOME>/.docker"),
    (re.compile(r"<DATA>/(tmp/docker-import-\d+|images/staging/load\.\d+)/"), "<UNPACKED>/"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<ID>"),
    (re.compile(r"<DATA>/(image/overlay2/imagedb/content/sha256/<ID>|images/records/<ID>\.json)"), "<IMAGE RECORD>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<SHORT>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<TIME>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]+"), "<TIME>"),
    (re.compile(r"(Less than a second|About an? \w+|\d+ (second|minute|hour|day|week|month)s?)( ago)?"), "<AGE>"),
    (re.compile(r"(?<=<AGE>) +"), " "),
    (re.compile(r"(?<=\bCREATED) +|(?<=\bSTATUS) +|(?<=IMAGE ID) +"), " "),
    (re.compile(r"(<AGE> (\((Paused|health: starting|healthy|unhealthy)\)|Created)) +"), r"\1 "),
    (
        re.compile(r"from 0\.01 to \d+\.00, as there are only \d+ CPUs"),
        "from 0.01 to <CPUS>, as there are only <CPUS> CPUs",
    ),
    (re.compile(r"available: 0-\d+"), "available: <CPUS>"),
    (re.compile(r"Docker version (\d+\.\d+\.\d+)\S*, build \w+"), r"Docker version \1, build <COMMIT>"),
    # columns of `top` are twenty wide
    (re.compile(r"(?m)^(?=.{20}\S)\d{2,7} +(?=\S)"), "<PID> "),
    (re.compile(r"\b(\d+\.){3}\d+:53\b"), "<RESOLVER>"),
    # docker tells of the pipe that it breaks in two of three runs
    (
        re.compile(
            r"time=\"[^\"]+\" level=error msg=\"Can't add file [^\"]+ to tar: io: read/write on closed pipe\"\n"
        ),
        "",
    ),
    (re.compile(r"\b(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|60\d{3})\b"), "<PORT>"),
)


# bytes of the image `busybox` when docker was recorded; the busybox of another distribution has another size
RECORDED_SIZE = 1984291


def own_sizes() -> dict[str, str]:
    """Return how docker shows the size of the tests' own image `busybox`, and how that of the recordings: text to text."""
    archive = Path(os.environ.get("HYPERBOX_TEST_IMAGES", "nowhere"), "busybox.tar")
    if not archive.exists():
        return {}
    with tarfile.open(archive) as tar:
        size = sum(member.size or len(member.linkname) for member in tar)  # as lstat(2) counts
    forms = [(str(each), f"{each / 1e6:.3g}MB", f"{each / 1e6:.4g}MB") for each in (size, RECORDED_SIZE)]
    return {own: recorded for own, recorded in zip(*forms, strict=True) if own != recorded}


OWN_SIZES = own_sizes()
BUSYBOX = re.compile(r"BusyBox v[\d.]+ \([^)]+\)")
RECORDED_BUSYBOX = "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1)"


class Step(NamedTuple):
    """One command of a scenario, with what it needs: stdin, variables, and the files that are written before it is run."""

    command: list[str]
    stdin: str
    environment: dict[str, str]
    files: dict[str, str]


def normal(text: str) -> str:
    """Return a command's output without ids, times, ages and ports that nobody chose."""
    for own, recorded in OWN_SIZES.items():
        text = text.replace(own, recorded)
    text = BUSYBOX.sub(RECORDED_BUSYBOX, text)
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


def is_alone(name: str) -> bool:
    """Return whether a scenario needs an engine that holds nothing but its image."""
    return "! alone" in (FOLDER / f"{name}.txt").read_text().splitlines()


def steps(name: str) -> Iterator[Step]:
    """Yield the steps of a scenario."""
    stdin, environment, files = "", dict[str, str](), dict[str, str]()
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        sign, _, text = line.partition(" ")
        if sign == "|":
            stdin += text + "\n"
        elif sign == "$":
            key, _, value = text.partition("=")
            environment[key] = value
        elif sign == "+":
            file, _, content = text.partition(" ")
            files[file] = content + "\n"
        elif line and sign not in ("#", "!"):
            yield Step(shlex.split(line), stdin, environment, files)
            stdin, environment, files = "", {}, {}


class Runner:
    """A docker and a folder that steps are run in.

    `environment` is what the commands see besides each step's own variables.
    """

    def __init__(self, docker: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self.docker, self.folder, self.environment = list(docker), folder, environment

    def filled(self, text: str) -> str:
        """Return `text` with the folder's name for {DIR}."""
        return text.replace("{DIR}", str(self.folder))

    def normal(self, text: bytes) -> str:
        """Return a command's output without what differs from run to run."""
        shown = text.decode("utf-8", "replace").replace(str(self.folder), "<DIR>")
        return normal(shown.replace(f"{self.environment['HOME']}/.docker", "<HOME>/.docker"))

    def run(self, step: Step) -> Case:
        """Run one step and return what it did, normalised."""
        for name, content in step.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.filled(content))
        variables = {key: self.filled(value) for key, value in step.environment.items()}
        done = subprocess.run(
            [*self.docker, *map(self.filled, step.command)],
            input=step.stdin.encode(),
            capture_output=True,
            cwd=self.folder,
            env={**self.environment, **variables},
            timeout=120,
            check=False,
        )
        case: Case = {"command": step.command}
        if variables:
            case["environment"] = step.environment
        return {**case, "stdout": self.normal(done.stdout), "stderr": self.normal(done.stderr), "code": done.returncode}


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
        with tempfile.TemporaryDirectory(prefix="hb-scenario-") as folder:
            runner = Runner(arguments, Path(folder), dict(os.environ))
            cases = [runner.run(step) for step in steps(name)]
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        total += len(cases)
        print(f"{name}: {len(cases)}")
    print(f"{total} invocations")


if __name__ == "__main__":
    main(sys.argv[1:])
