"""Records what docker says of templates that are none, as golden/docker/templates/malformed.json: [template, stderr of `inspect -f`].

    python3 tests/compat/record_templates.py DOCKER… <TEMPLATES     templates as a JSON array; only those that end with 64 are kept

tests/unit/cli/test_malformed_templates.py replays them without docker.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/templates/malformed.json"
BAD_TEMPLATE = 64


def recorded() -> list[tuple[str, str]]:
    """Return (template, what docker printed on stderr)."""
    return [(template, told) for template, told in json.loads(GOLDEN.read_text())]


def main(docker: list[str]) -> None:
    rows = []
    for template in json.load(sys.stdin):
        done = subprocess.run(
            [*docker, "inspect", "-f", template, "hb-nope"], capture_output=True, text=True, check=False
        )
        if done.returncode == BAD_TEMPLATE:
            rows.append(json.dumps([template, done.stderr], ensure_ascii=False))
    GOLDEN.write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1:])
