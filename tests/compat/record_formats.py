"""Records what the real docker command line prints over the fixed objects, into golden/docker/formats/cases.json.

    python3 tests/compat/record_formats.py DOCKER…    DOCKER: a command that runs docker; it must see this checkout and /tmp

Only the real docker may write that file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading

from format_cases import COMMANDS  # type: ignore[import-not-found]
from stub_engine import OBJECTS, Handler, Server  # type: ignore[import-not-found]


def main(docker: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = f"{folder}/engine.sock"
        with Server(path, Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            cases = [record([*docker, "-H", f"unix://{path}"], command) for command in COMMANDS]
            server.shutdown()
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    OBJECTS.with_name("cases.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases")


def record(docker: list[str], command: list[str]) -> dict[str, object]:
    """Run one command line and return it with its output and exit code."""
    done = subprocess.run([*docker, *command], capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    return {
        "command": command,
        "stdout": done.stdout.decode("utf-8", "surrogateescape"),
        "stderr": done.stderr.decode("utf-8", "surrogateescape"),
        "code": done.returncode,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
