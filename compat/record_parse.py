"""Records how the real docker takes each case of `compat.parse_cases` into golden/docker/parse/cases.json.

    python -m compat.record_parse --docker "peer docker"

`--docker` is the command that runs the real docker with docker compose. The engine that the cases name does not exist, so that
nothing is done: what docker accepts ends with some other error, of which only the fact is kept.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from compat.parse_cases import all_cases

TARGET = Path(__file__).resolve().parents[1] / "golden" / "docker" / "parse" / "cases.json"
NOTICE = re.compile(r"(?:Flag .* has been deprecated, .*\n)*")
WRONG = re.compile(
    r"Unable to parse logging level|conflicting options: cannot specify both --host and|"
    r"unknown (?:shorthand )?flag|flag needs an argument|invalid argument .* flag: |bad flag syntax|unknown command|unknown docker command"
    r"|unknown help topic|accepts (?:no|\d|at|between)|requires (?:at (?:least|most) )?\d"
)


def outcome(code: int, out: str, err: str) -> dict[str, object]:
    """Return {"kind": "help"|"error"|"accepted", …} of one run."""
    notices_match = NOTICE.match(out)
    notices = notices_match.group(0) if notices_match else ""
    rest = out[len(notices) :]
    if code == 0 or rest.startswith("Usage:") or err.startswith("Usage:"):
        shown = rest if rest.startswith("Usage:") else err if err.startswith("Usage:") else ""
        if shown:
            error = err if rest.startswith("Usage:") else ""
            stream = "stdout" if rest.startswith("Usage:") else "stderr"
            return {
                "kind": "help",
                "code": code,
                "notices": notices,
                "stream": stream,
                "usage": shown.splitlines()[0],
                "error": error,
            }
    if code and WRONG.search(err):
        return {"kind": "error", "code": code, "notices": notices, "stderr": err}
    return {"kind": "accepted", "notices": notices}


def main() -> int:
    """Run every case and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docker", required=True)
    parser.add_argument("--all", action="store_true", help="record again what is recorded")
    options = parser.parse_args()
    docker = shlex.split(options.docker)
    known = (
        {}
        if options.all or not TARGET.exists()
        else {tuple(row["words"]): row for row in json.loads(TARGET.read_text())}
    )
    rows = []
    for case in all_cases():
        if tuple(case) in known:
            rows.append(known[tuple(case)])
            continue
        finished = subprocess.run(
            [*docker, "--host", "unix:///nonexistent.sock", *case],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        rows.append({"words": case, **outcome(finished.returncode, finished.stdout, finished.stderr)})
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    print(f"{len(rows)} cases: {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
