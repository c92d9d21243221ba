"""Record what docker's builder (buildkit) makes of the cases.

    python3 golden/build/record.py --docker "COMMAND THAT RUNS docker" --root BUSYBOX.tar [--only CASE] [TOPIC …]

Folders of cases are made below --folder, which both sides see. All images that it makes are removed again.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cases import read_answers, read_cases, topics, write_answers
from run import BASE, Docker, import_base, run_case


def main() -> None:
    """Record the topics named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docker", required=True)
    parser.add_argument("--root", required=True, help="a tar of busybox's root file system")
    parser.add_argument("--folder", default="/tmp/hb-build-cases")
    parser.add_argument("--only", default="", help="this case; the topic's other answers stay")
    parser.add_argument("--new", action="store_true", help="only cases that have no answer yet")
    parser.add_argument("topics", nargs="*")
    options = parser.parse_args()
    docker = Docker(shlex.split(options.docker))
    os.makedirs(options.folder, exist_ok=True)
    base = import_base(docker, options.root, options.folder)
    made = [BASE]
    try:
        for topic in options.topics or topics():
            known = read_answers(topic)
            answers = {}
            for case in read_cases(topic):
                made.append(f"hb-golden-{case.name}")
                kept = (options.only and case.name != options.only) or options.new
                if kept and case.name in known:
                    builds = [command.line for command in case.commands if not command.shell]
                    answers[case.name] = list(zip(builds, known[case.name], strict=True))
                    continue
                answers[case.name] = run_case(docker, base, case, os.path.join(options.folder, case.name))
            write_answers(topic, answers)
            print(topic, len(answers), flush=True)
    finally:
        for name in [*made, *docker.seen]:
            docker(["image", "rm", "-f", name])
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
