"""Run many compose files through docker compose and through ours, and tell what differs, grouped by cause.

    python3 golden/compose/compare.py --run "COMMAND THAT RUNS A SHELL BESIDE DOCKER" [--compose "docker-compose"]
        --ours "PATH/hyperbox compose" [--scratch FOLDER] [--mutate N] [--seed N] [--variants NAME,…] [--only-ours] FILE…

Each file is read where it lies, so that what it includes, extends or names beside it is found; the folders must be visible
to both sides at the same path. With --mutate N, N damaged copies of each file are tried instead of the file itself. With
--only-ours nothing is compared: what is looked for is a traceback in commands that never need a running project. Where both
sides answer the same lines in another order, and where docker itself answers differently a second time, it is no difference.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import re
import shlex
import subprocess
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mutate import mutations

CLEAN = "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root"
VARIANTS = {
    "yaml": "config",
    "json": "config --format json",
    "services": "config --services",
    "volumes": "config --volumes",
    "images": "config --images",
    "networks": "config --networks",
    "profiles": "config --profiles",
    "environment": "config --environment",
    "variables": "config --variables",
    "hash": "config --hash *",
    "raw": "config --no-interpolate",
    "raw-json": "config --no-interpolate --format json",
    "no-normalize": "config --no-normalize",
    "no-paths": "config --no-path-resolution",
    "no-consistency": "config --no-consistency",
    "no-env": "config --no-env-resolution",
    "quiet": "config --quiet",
    "every-profile": "--profile * config",
    "named": "-p other config",
    "build": "build --print",
    "ps": "ps -a",
    "ps-images": "images",
}
ONLY_OURS = {"up": "up --dry-run -d", "create": "create --dry-run", "down": "down --dry-run", "ls": "ls -a"}
_NAMES = re.compile(r"(additional properties )('.*')")
_TIME = re.compile(r'time="[^"]*"')


class Job(NamedTuple):
    """One command in one folder: the files given with -f, and the arguments."""

    folder: str
    files: tuple[str, ...]
    arguments: str


class Answer(NamedTuple):
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


def command_line(job: Job, compose: str) -> str:
    """Return the shell words of a job."""
    files = "".join(f" -f {shlex.quote(name)}" for name in job.files)
    arguments = " ".join(shlex.quote(word) for word in job.arguments.split())
    return f"{CLEAN} {compose}{files} {arguments}"


def run_jobs(jobs: list[Job], compose: str, runner: list[str], scratch: str) -> list[Answer]:
    """Run all jobs by one shell script, and return their answers."""
    os.makedirs(scratch, exist_ok=True)
    script = os.path.join(scratch, "script")
    with open(script, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("ulimit -v 8000000\n")
        for index, job in enumerate(jobs):
            result = f"{scratch}/{index}"
            file.write(
                f"cd {shlex.quote(job.folder)} && timeout 20 {command_line(job, compose)} </dev/null "
                f">{result}.out 2>{result}.err; echo $? >{result}.rc\n"
            )
    subprocess.run([*runner, "bash", script], check=True, cwd=scratch)
    return [_answer(f"{scratch}/{index}") for index in range(len(jobs))]


def _answer(path: str) -> Answer:
    texts = []
    for suffix in ("out", "err", "rc"):
        with open(f"{path}.{suffix}", encoding="utf-8", errors="surrogateescape", newline="") as file:
            texts.append(file.read())
        os.unlink(f"{path}.{suffix}")
    lines = [_by_chance(line) for line in texts[1].splitlines() if not line.startswith("hint: ")]
    if texts[2].strip() != "0":
        # which variables it warned of before it met the error is by chance
        lines = [line for line in lines if "variable is not set" not in line]
    return Answer(texts[0], "\n".join(sorted(lines)), int(texts[2]))


def _by_chance(line: str) -> str:
    """Return a line of stderr without the time, and with the names sorted that docker lists in any order."""
    line = _TIME.sub('time=""', line)
    return _NAMES.sub(lambda match: match[1] + ", ".join(sorted(match[2].split(", "))), line)


def same_data(one: str, other: str, arguments: str) -> bool:
    """Tell whether two outputs hold the same, whatever their order."""
    if one == other:
        return True
    if "json" in arguments or "build" in arguments:
        try:
            return bool(json.loads(one) == json.loads(other))
        except ValueError:
            return False
    listing = re.search(r"--(services|volumes|images|networks|profiles|environment|variables|hash)", arguments)
    return bool(listing) and sorted(one.splitlines()) == sorted(other.splitlines())


def same(one: Answer, other: Answer, arguments: str) -> bool:
    """Tell whether two answers are the same."""
    return one.code == other.code and one.stderr == other.stderr and same_data(one.stdout, other.stdout, arguments)


def cause(theirs: Answer, ours: Answer) -> str:
    """Return a short text that differences of one cause share: the messages or first lines without their names."""
    if theirs.code != ours.code or theirs.stderr != ours.stderr:
        text = (
            f"[{theirs.code}] {_first(theirs.stderr, ours.stderr)} | [{ours.code}] {_first(ours.stderr, theirs.stderr)}"
        )
    else:
        text = f"out: {_first(theirs.stdout, ours.stdout)} | {_first(ours.stdout, theirs.stdout)}"
    return re.sub(r"\d+", "N", re.sub(r'"[^"]*"|/[^ :]*', "…", text))[:240]


def _first(text: str, other: str) -> str:
    known = set(other.splitlines())
    return next((line.strip() for line in text.splitlines() if line not in known), "")[:160]


def jobs_of(path: str, variants: dict[str, str], overrides: bool) -> list[Job]:
    """Return the jobs for a file: alone, and together with the override files that lie beside it."""
    folder, name = os.path.split(os.path.abspath(path))
    jobs = [Job(folder, (name,), arguments) for arguments in variants.values()]
    base = re.sub(r"\.ya?ml$", "", name)
    if not overrides or "." in base.removeprefix("."):
        return jobs
    for other in sorted(os.listdir(folder)):
        if other != name and re.match(rf"{re.escape(base)}[.-][\w.-]+\.ya?ml$", other):
            jobs += [Job(folder, (name, other), arguments) for arguments in ("config", "config --format json")]
    return jobs


def mutated_jobs(path: str, count: int, seed: int, scratch: str) -> list[Job]:
    """Write damaged copies of a file beside it, in a folder of its own, and return the jobs for them."""
    folder, name = os.path.split(os.path.abspath(path))
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    jobs = []
    for index, changed in enumerate(mutations(text, count, random.Random(f"{seed}{folder}{name}"))):
        copy = os.path.join(scratch, "files", f"{abs(hash_of(path))}-{index}.yaml")
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "w", encoding="utf-8") as file:
            file.write(changed)
        jobs.append(Job(folder, (copy,), f"--project-directory {folder} config"))
    return jobs


def hash_of(text: str) -> int:
    """Return a number that stays the same from run to run."""
    return int.from_bytes(text.encode()[-64:], "big") % 10**12


def report(differences: list[tuple[Job, Answer, Answer]], limit: int, total: int) -> None:
    """Print the differences, the most frequent cause first."""
    groups: dict[str, list[tuple[Job, Answer, Answer]]] = collections.defaultdict(list)
    for job, theirs, ours in differences:
        groups[cause(theirs, ours)].append((job, theirs, ours))
    for text, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        print(f"== {len(members)} x {text}")
        for job, theirs, ours in members[:limit]:
            print(f"   (cd {job.folder}; {command_line(job, 'compose')})")
            if theirs.code != ours.code or theirs.stderr != ours.stderr:
                print(
                    f"   docker [{theirs.code}] {_first(theirs.stderr, ours.stderr)}\n   ours   [{ours.code}] {_first(ours.stderr, theirs.stderr)}"
                )
    print(f"{len(differences)} of {total} differ, by {len(groups)} causes")


def compare(jobs: list[Job], options: argparse.Namespace) -> None:
    """Run the jobs on both sides and report; what differs is asked of docker again, for what it answers by chance."""
    ours = run_jobs(jobs, options.ours, [], f"{options.scratch}/ours")
    theirs = run_jobs(jobs, options.compose, shlex.split(options.run), f"{options.scratch}/docker")
    different = [index for index in range(len(jobs)) if not same(theirs[index], ours[index], jobs[index].arguments)]
    for _ in range(options.again):
        if different:
            again = run_jobs(
                [jobs[i] for i in different], options.compose, shlex.split(options.run), f"{options.scratch}/docker"
            )
            different = [
                i for i, answer in zip(different, again, strict=True) if not same(answer, ours[i], jobs[i].arguments)
            ]
    report([(jobs[i], theirs[i], ours[i]) for i in different], options.limit, len(jobs))


def check_ours(jobs: list[Job], options: argparse.Namespace) -> None:
    """Run the jobs on our side alone and report tracebacks and codes that no command of compose ends with."""
    answers = run_jobs(jobs, options.ours, [], f"{options.scratch}/ours")
    bad = 0
    for job, answer in zip(jobs, answers, strict=True):
        if "Traceback" in answer.stderr or "internal error" in answer.stderr or answer.code > 127 or answer.code == 124:
            bad += 1
            print(f"(cd {job.folder}; {command_line(job, 'compose')})\n   [{answer.code}] {answer.stderr[-300:]}")
    print(f"{bad} of {len(jobs)} ended badly; codes {dict(collections.Counter(answer.code for answer in answers))}")


def main() -> None:
    """Compare the files named, or those listed one a line in a file given as @LIST."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, fromfile_prefix_chars="@"
    )
    parser.add_argument("--run", default="")
    parser.add_argument("--compose", default="docker-compose")
    parser.add_argument("--ours", default="hyperbox compose")
    parser.add_argument("--scratch", default="/tmp/compose-compare")
    parser.add_argument("--mutate", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0, help="with --mutate: another number damages other places")
    parser.add_argument("--variants", default="", help="names of " + ", ".join([*VARIANTS, *ONLY_OURS]))
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--again", type=int, default=5, help="times docker is asked again about what differs")
    parser.add_argument("--limit", type=int, default=2, help="files told of each cause")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    known = ONLY_OURS if options.only_ours else VARIANTS
    names = options.variants.split(",") if options.variants else list(known)
    chosen = {name: (VARIANTS | ONLY_OURS)[name] for name in names}
    jobs: list[Job] = []
    for path in options.files:
        if options.mutate:
            jobs += mutated_jobs(path, options.mutate, options.seed, options.scratch)
        else:
            jobs += jobs_of(path, chosen, not options.variants and not options.only_ours)
    (check_ours if options.only_ours else compare)(jobs, options)


if __name__ == "__main__":
    main()
