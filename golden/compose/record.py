"""Record what docker compose answers to the cases.

    python3 golden/compose/record.py --run "COMMAND THAT RUNS A SHELL BESIDE DOCKER" [--compose "docker compose"] [TOPIC …]

All commands of a run are batched in one shell script, in folders below --folder (visible to both sides).
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cases import FOLDER, Answer, Case, format_answer, normalized, normalized_errors, read_cases, topics, write_files

CLEAN = "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root"


def script_lines(case: Case, folder: str, compose: str) -> list[str]:
    """Return the shell lines that run a case's commands, leaving out, err and rc files beside the folder."""
    lines = []
    for index, command in enumerate(case.commands):
        environment = " ".join(shlex.quote(f"{name}={value}") for name, value in command.environment.items())
        stdin = f"{folder}/{command.stdin}" if command.stdin else "/dev/null"
        result = f"{folder}.{index}"
        lines.append(
            f"cd {shlex.quote(os.path.join(folder, command.folder))} && timeout 20 {CLEAN} {environment} {compose} {command.arguments} "
            f"<{stdin} >{result}.out 2>{result}.err; echo $? >{result}.rc"
        )
    return lines


def read_answer(case: Case, index: int, folder: str) -> Answer:
    """Return what the script left for one command."""
    command = case.commands[index]
    texts = []
    for suffix in ("out", "err", "rc"):
        with open(f"{folder}.{index}.{suffix}", encoding="utf-8", errors="surrogateescape", newline="") as file:
            texts.append(file.read())
    stdout = normalized(texts[0], folder, command.sort)
    return Answer(stdout, normalized_errors(texts[1], folder, command.sort), int(texts[2]))


def record(topic: str, options: argparse.Namespace) -> int:
    """Record one topic; returns how many cases it has."""
    cases = read_cases(topic)
    base = os.path.join(options.folder, topic)
    shutil.rmtree(base, ignore_errors=True)
    lines = ["ulimit -v 8000000"]
    for case in cases:
        folder = os.path.join(base, case.name)
        os.makedirs(folder)
        write_files(case, folder)
        lines += script_lines(case, folder, options.compose)
    script = os.path.join(base, "script")
    with open(script, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    subprocess.run([*shlex.split(options.run), "bash", script], check=True, cwd=base)
    with open(f"{FOLDER}/{topic}.recorded", "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        for case in cases:
            folder = os.path.join(base, case.name)
            file.write(f"=== {case.name}\n")
            for index, command in enumerate(case.commands):
                file.write(format_answer(command, read_answer(case, index, folder)))
    shutil.rmtree(base)
    return len(cases)


def main() -> None:
    """Record the topics named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True)
    parser.add_argument("--compose", default="docker compose")
    parser.add_argument("--folder", default="/tmp/compose-cases")
    parser.add_argument("topics", nargs="*")
    options = parser.parse_args()
    for topic in options.topics or topics():
        print(topic, record(topic, options))


if __name__ == "__main__":
    main()
