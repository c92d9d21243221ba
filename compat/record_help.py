"""Records what the real docker's `--help` lists for each command into golden/docker/parse/help.json: usage, spellings, flags; no sentence.

python -m compat.record_help --docker "peer docker"
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from compat.source import PROGRAMS, read, records, text, words

TARGET = Path(__file__).resolve().parents[1] / "golden" / "docker" / "parse" / "help.json"
FLAG = re.compile(r"^ {2}(?:-(\w), | {4})--([\w-]+)(?: (\S+))?(?: {2,}|$)")
DEFAULT = re.compile(r"\(default (\"[^\"]*\"|[^\s()]+)\)\Z")


def listed(page: str) -> dict[str, object]:
    """Return {"usage", "aliases", "flags": [[name, short, type, default]]} of a help page."""
    usage, _, rest = page.partition("\n\n")
    aliases = re.search(r"^Aliases:\n  (.*)$", rest, re.MULTILINE)
    flags: list[list[str]] = []
    inside = False
    for line in rest.splitlines():
        if line in ("Options:", "Global Options:"):
            inside = True
        elif inside and not line:
            break
        elif inside:
            found = FLAG.match(line)
            if found:
                flags.append([found[2], found[1] or "", found[3] or "", line[found.end() :]])
            else:
                flags[-1][3] += " " + line.strip()
    for flag in flags:
        default = DEFAULT.search(flag[3])
        flag[3] = default[1] if default else ""
    return {"usage": usage, "aliases": aliases[1] if aliases else "", "flags": flags}


def places() -> list[str]:
    """Return every place of docker's and compose's commands, as typed after "docker"."""
    found: list[str] = []
    for program in PROGRAMS:
        prefix = "" if program == "docker" else "compose "
        document = read(program)
        found.extend((prefix + text(group, "path")).strip() for group in records(document["groups"]))
        found.extend(prefix + place for command in records(document["commands"]) for place in words(command["places"]))
    return found


def main() -> int:
    """Ask for every page and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docker", required=True)
    docker = shlex.split(parser.parse_args().docker)
    rows = []
    for place in places():
        finished = subprocess.run(
            [*docker, *place.split(), "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if finished.stdout.startswith("Usage:"):
            rows.append({"place": place, **listed(finished.stdout)})
    TARGET.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    print(f"{len(rows)} pages: {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
