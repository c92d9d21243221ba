"""Shell scripts as users have them, run with docker and with HyperBox as `docker`, and compared.

scripts/NAME.sh runs under bash with `docker` in PATH; what it printed and its exit code with the real docker are in
golden/docker/scripts.json:

    python3 tests/compat/scripts.py FOLDER [NAME…]       records them, or those named (FOLDER: where the command `docker` lies)

The image `busybox` must be there, and GNU make.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scenarios import behaviours, normal  # type: ignore[import-not-found]

FOLDER = Path(__file__).resolve().parent / "scripts"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/scripts.json"

__all__ = ["behaviours"]
Case = dict[str, object]


def names() -> list[str]:
    """Return the names of all scripts."""
    return sorted(path.stem for path in FOLDER.glob("*.sh"))


def run(name: str, folder: str, environment: Mapping[str, str]) -> Case:
    """Run one script with the `docker` of a folder and return what it did."""
    done = subprocess.run(
        ["bash", str(FOLDER / f"{name}.sh")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**environment, "PATH": f"{folder}:{environment['PATH']}"},
        timeout=180,
        check=False,
    )
    return {
        "stdout": normal(done.stdout.decode("utf-8", "replace")).splitlines(),
        "stderr": normal(done.stderr.decode("utf-8", "replace")).splitlines(),
        "code": done.returncode,
    }


def recorded() -> dict[str, Case]:
    """Return what the scripts did with docker."""
    value = json.loads(GOLDEN.read_text())
    assert isinstance(value, dict)
    return value


def main(folder: str, wanted: list[str]) -> None:
    found = recorded() if wanted else {}
    for name in wanted or names():
        found[name] = run(name, folder, os.environ)
    GOLDEN.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")
    print(len(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
