"""`hyperbox bench`: the same command lines through several docker-compatible programs, interleaved, as ratios.

Every measurement is a whole process, from its start until its exit. The programs take turns, so that a machine that gets slower meanwhile is slower
for all of them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import click

from hyperbox.cli.bench_cases import CASES, Case
from hyperbox.cli.bench_image import REPOSITORY, make_image, make_small_files
from hyperbox.cli.bench_memory import kept, memory_note
from hyperbox.cli.bench_registry import serve
from hyperbox.cli.bench_report import Row, row_to_line, rows_to_json, rows_to_svg, rows_to_table
from hyperbox.errors import HyperBoxError


class Program(NamedTuple):
    """A docker-compatible command line: a label and its words."""

    label: str
    words: tuple[str, ...]


class Run(NamedTuple):
    """One measured process: seconds, exit code, peak memory of all the program's processes in bytes, 0 where nobody looked."""

    seconds: float
    code: int
    peak: int


def measure(argv: list[str]) -> Run:
    """Run one command line to its end with its output thrown away."""
    with open(os.devnull, "r+b") as null:
        started = time.perf_counter()
        process = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null)
        _, status = os.waitpid(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(seconds, process.returncode, 0)


def measure_memory(argv: list[str], label: str) -> Run:
    """Run one command line to its end, and look often at what the program's processes have more than before (proportional set size)."""
    peak, before = 0, kept(label).memory
    with open(os.devnull, "r+b") as null:
        started = time.perf_counter()
        process = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null)
        while process.poll() is None:
            peak = max(peak, kept(label, process.pid).memory - before)
            time.sleep(0.05)
        seconds = time.perf_counter() - started
    return Run(seconds, process.returncode, peak)


def measure_many(argv: list[str], wide: int, count: int) -> Run:
    """Run a command line `count` times, `wide` at a time, with its output thrown away; seconds are those of one in the mean."""
    from concurrent.futures import ThreadPoolExecutor

    with open(os.devnull, "r+b") as null:
        actions = [(os.POSIX_SPAWN_DUP2, null.fileno(), target) for target in (0, 1, 2)]

        def one(_number: int) -> int:  # waits for its own process: others of ours may end meanwhile
            pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        started = time.perf_counter()
        with ThreadPoolExecutor(wide) as pool:
            codes = list(pool.map(one, range(count)))
        seconds = time.perf_counter() - started
    return Run(seconds / count, next(filter(None, codes), 0), 0)


class Large:
    """The images for pull and load, made when it is first asked for; served on loopback where no registry was given."""

    def __init__(self, folder: str, given: str) -> None:
        self.folder = folder
        self.given = given

    def archive(self) -> str:
        """Return the path of the archive."""
        make_image(self.folder)
        return f"{self.folder}/image.tar"

    def small_files(self) -> str:
        """Return the path of the archive of small files."""
        make_small_files(self.folder)
        return f"{self.folder}/small-files.tar"

    def registry(self) -> str:
        """Return the image's name in the registry."""
        if not self.given:
            make_image(self.folder)
            self.given = f"127.0.0.1:{serve(self.folder).server_port}"
        return f"{self.given}/{REPOSITORY}:1"


class Bench:
    """One run of the table. Holds what all cases share."""

    def __init__(self, programs: list[Program], image: str, runs: int, large: Large) -> None:
        self.programs = programs
        self.image = image
        self.runs = runs
        self.large = large
        # the shared setup that stands, and why programs failed at the last setup
        self.standing = ""
        self.failed: dict[str, str] = {}
        self.interrupted = False

    def words(self, text: str, case: Case, program: Program, folder: str) -> list[str]:
        """Return the argv of one of a case's command lines."""
        own = {"image": self.image, "name": f"bench-{case.shared or case.name}", "folder": folder}
        if "{registry}" in text or "{archive}" in text:
            own |= {"registry": self.large.registry(), "archive": self.large.archive()}
        if "{small_files}" in text:
            own["small_files"] = self.large.small_files()
        argv: list[str] = []
        for word in shlex.split(text):
            inner = shlex.join(program.words)  # for a shell's script
            argv.extend(program.words if word == "{cli}" else [word.format(cli=inner, **own)])
        return argv

    def quietly(self, commands: tuple[str, ...], case: Case, program: Program, folder: str) -> str:
        """Run commands that are not measured; returns the first failure, or "" ."""
        for command in commands:
            finished = subprocess.run(
                self.words(command, case, program, folder), capture_output=True, check=False, stdin=subprocess.DEVNULL
            )
            if finished.returncode != 0:
                return (
                    finished.stderr.decode(errors="replace").strip().splitlines()[-1:][0]
                    if finished.stderr
                    else f"exit code {finished.returncode}"
                )
        return ""

    def case(self, case: Case, pause: float, *, lasts: bool = False) -> Row:
        """Measure one case with every program in turn, after a pause (seconds) each time. With `lasts` the next one has the same setup."""
        times: dict[str, list[float]] = {program.label: [] for program in self.programs}
        peaks: dict[str, int] = {}
        missing: dict[str, str] = {}
        with tempfile.TemporaryDirectory(prefix="hyperbox-bench-") as folder:
            if case.compose:
                with open(f"{folder}/compose.yaml", "w") as file:
                    file.write(case.compose.replace("{image}", self.image))
            if case.dockerfile:
                with open(f"{folder}/Dockerfile", "w") as file:
                    file.write(case.dockerfile.replace("{image}", self.image))
            try:
                self.set_up(case, folder, missing)
                for number in range((case.runs or self.runs) + 1):
                    for program in self.programs:
                        if program.label not in missing:
                            time.sleep(pause)
                            self.once(case, program, folder, number, times, peaks, missing)
            except KeyboardInterrupt:
                self.interrupted, lasts = True, False
                missing |= {label: "interrupted" for label, measured in times.items() if not measured}
            self.standing = case.shared if lasts else ""
            for program in self.programs if not lasts else ():
                self.quietly(case.teardown, case, program, folder)
        name, what = (f"{case.name}-paused", f"{case.what}, after pauses") if pause else (case.name, case.what)
        return Row(name, what, case.goal, times, peaks if case.memory else {}, missing)

    def set_up(self, case: Case, folder: str, missing: dict[str, str]) -> None:
        """Make what a case needs, unless it stands; `missing` gets why a program can't be measured."""
        if not case.shared or case.shared != self.standing:
            self.failed = {}
            for program in self.programs:
                if failure := self.quietly(case.setup, case, program, folder):
                    self.failed[program.label] = failure
        missing |= self.failed

    def once(
        self,
        case: Case,
        program: Program,
        folder: str,
        number: int,
        times: dict[str, list[float]],
        peaks: dict[str, int],
        missing: dict[str, str],
    ) -> None:
        """Measure once; the first time is a warm-up that does not count."""
        failure = self.quietly(case.before, case, program, folder)
        if case.synced:
            os.sync()
        argv = self.words(case.timed, case, program, folder)
        if case.memory:
            run = measure_memory(argv, program.label)
        elif case.times > 1:
            run = measure_many(argv, case.wide, case.times)
        else:
            run = measure(argv)
        failure = failure or self.quietly(case.after, case, program, folder)
        if failure or run.code != 0:
            missing[program.label] = failure or f"exit code {run.code}"
        elif number:
            times[program.label].append(run.seconds)
            peaks[program.label] = max(peaks.get(program.label, 0), run.peak)


def wanted_cases(only: tuple[str, ...], pauses: tuple[float, ...]) -> list[tuple[Case, float, bool]]:
    """Return what to measure in order: case, pause (seconds), and whether the next one shares its setup."""
    chosen = [
        (case, pause)
        for case in CASES
        if not only or case.name in only or case.shared in only
        for pause in (pauses[:1] if case.runs else pauses)
    ]
    following = [*(case.shared for case, _ in chosen), ""][1:]  # of no cases too: `--only memory` has none
    return [
        (case, pause, bool(case.shared) and case.shared == after)
        for (case, pause), after in zip(chosen, following, strict=True)
    ]


def find_programs(against: tuple[str, ...]) -> list[Program]:
    """Return HyperBox itself and the peers: those given as LABEL=COMMAND or COMMAND, else docker and podman where they are on PATH."""
    programs = [Program("hyperbox", (os.path.realpath(sys.argv[0]),))]
    for text in against or [name for name in ("docker", "podman") if shutil.which(name)]:
        label, equals, command = text.partition("=")
        words = tuple(shlex.split(command if equals else text))
        if not words or shutil.which(words[0]) is None:
            raise HyperBoxError(f"bench: {text}: no such program")
        if os.path.realpath(str(shutil.which(words[0]))) == programs[0].words[0]:
            continue  # `docker` is a link to us
        programs.append(Program(label if equals else os.path.basename(words[0]), words))
    return programs


@click.command(
    name="bench", help="Time the same commands through HyperBox and other docker-compatible programs, in turn."
)
@click.option(
    "--against", multiple=True, metavar="[LABEL=]COMMAND", help="A program to compare with; may be given several times."
)
@click.option(
    "--image",
    default="busybox:latest",
    show_default=True,
    help="An image with sh, true, sleep and head that all programs have.",
)
@click.option("--runs", default=15, show_default=True, help="Measurements of each case and program.")
@click.option(
    "--pause",
    "pauses",
    multiple=True,
    type=float,
    default=(0.0, 0.02),
    metavar="SECONDS",
    help="Wait so long before each measurement; may be given several times. Default: short commands without and with 0.02.",
)
@click.option(
    "--registry",
    default="",
    metavar="HOST:PORT",
    help="A registry that `python -m hyperbox.cli.bench_registry` serves.",
)
@click.option(
    "--only", multiple=True, metavar="CASE", help="Measure this case, or these, as 'scale'; may be given several times."
)
@click.option("--json", "as_json", type=click.Path(dir_okay=False), help="Write all times to this file.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Write a plot of the ratios to this SVG file.")
def bench(
    against: tuple[str, ...],
    image: str,
    runs: int,
    pauses: tuple[float, ...],
    registry: str,
    only: tuple[str, ...],
    as_json: str | None,
    plot: str | None,
) -> None:
    """Measure and print the table on stdout; progress on stderr. An interrupt ends it after the present case, with what there is."""
    programs = find_programs(against)
    unknown = set(only) - {case.name for case in CASES} - {case.shared for case in CASES} - {"memory"}
    if unknown:
        raise HyperBoxError(f"bench: no such case: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="hyperbox-bench-image-") as folder:
        runner = Bench(programs, image, runs, Large(folder, registry))
        for case, pause, lasts in wanted_cases(only, pauses):
            print(f"bench: {case.what}{', after pauses' if pause else ''}", file=sys.stderr)
            rows.append(runner.case(case, pause, lasts=lasts))
            print(f"bench:   {row_to_line(rows[-1])}", file=sys.stderr)
            if runner.interrupted:
                notes.append("not measured: the cases that would have followed: interrupted")
                break
    if (not only or "memory" in only) and not runner.interrupted:
        notes += [memory_note(program.label, program.words, image) for program in programs]
    labels = [program.label for program in programs]
    print("\n".join([rows_to_table(rows, labels), *notes]))
    if as_json:
        with open(as_json, "w") as file:
            json.dump(rows_to_json(rows, notes, runs=runs, pauses=pauses), file, indent=1)
    if plot:
        with open(plot, "w") as file:
            file.write(rows_to_svg(rows, labels))
