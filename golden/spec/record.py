"""Records what docker gives its OCI runtime: record.py DOCKER... -- READ...

DOCKER is the command that is docker; READ the command to which a path is appended to print a file of the machine on which dockerd runs. An image
`busybox` must be there. Writes CASE.docker and profile-*.docker beside this file.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from cases import CASES, profile_name, text_form

HERE = Path(__file__).resolve().parent
STATE = "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby"
NAME = "golden-spec"


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    docker, read = arguments[:split], arguments[split + 1 :]
    for case, flags in CASES.items():
        subprocess.run([*docker, "rm", "-f", "-v", NAME], capture_output=True, check=False)
        words = [*docker, "run", "-d", "--name", NAME, *shlex.split(flags), "busybox", "sleep", "1000"]
        finished = subprocess.run(words, capture_output=True, text=True, check=False)
        if finished.returncode:
            print(f"{case}: {finished.stderr.strip()}", file=sys.stderr)
            continue
        container_id = finished.stdout.strip()
        text = subprocess.run(
            [*read, f"{STATE}/{container_id}/config.json"], capture_output=True, text=True, check=True
        ).stdout
        config = json.loads(text)
        root = str(config["root"]["path"])
        shown = text.replace(root, "ROOT").replace(f"/var/lib/docker/containers/{container_id}", "FILES")
        shown = (
            shown.replace("/var/lib/docker/volumes", "DATA/volumes")
            .replace(container_id, "ID")
            .replace(container_id[:12], "ID12")
        )
        form, seccomp = text_form(json.loads(shown))
        (HERE / f"{case}.docker").write_text(form)
        if seccomp:
            (HERE / f"{profile_name(seccomp)}.docker").write_text("\n".join(seccomp) + "\n")
    subprocess.run([*docker, "rm", "-f", "-v", NAME], capture_output=True, check=False)


if __name__ == "__main__":
    main(sys.argv[1:])
