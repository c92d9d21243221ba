"""Records archives that the real docker and skopeo write, and what they hold.

    python3 golden/archives/record.py --run "COMMAND THAT RUNS A COMMAND BESIDE DOCKER" --busybox PATH

`PATH` is a static busybox where docker runs, which must see /tmp. What it writes beside this file is only ever written by it:
saved.tar.gz (docker save of two images, three names), docker-archive.tar.gz and oci-archive.tar.gz (skopeo's layouts of the second image),
export.tar.gz (docker export of a container of it), recorded.json (ids, layers, configurations, and what is in the containers).
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import shlex
import subprocess
import tempfile
from pathlib import Path

from content import CHANGES, COMMIT, IMPORT, content, listing

HERE = Path(__file__).resolve().parent
NAMES = ("hb-archive-base:one", "hb-archive-commit:one", "hb-archive-commit:two")
KEYS = ("Id", "RepoTags", "Comment", "Author", "Architecture", "Os", "Size", "RootFS", "Config")


class Docker:
    """Runs commands beside docker."""

    def __init__(self, run: list[str]) -> None:
        self.run = run

    def __call__(self, *words: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run([*self.run, *words], input=stdin, stdout=subprocess.PIPE, check=True)
        return done.stdout

    def image(self, name: str) -> dict[str, object]:
        """Return what inspect tells of an image."""
        (value,) = json.loads(self("docker", "image", "inspect", name))
        return {key: value.get(key) for key in KEYS}

    def export(self, name: str) -> bytes:
        """Return the root of a container of an image, as a tar."""
        container = self("docker", "create", name, "x").decode().strip()
        try:
            return self("docker", "export", container)
        finally:
            self("docker", "rm", container)


def write(name: str, data: bytes) -> None:
    (HERE / name).write_bytes(gzip.compress(data, 9, mtime=0))


def record(docker: Docker, busybox: str) -> None:
    docker("docker", "import", *IMPORT, "-m", "made for archives", "-", NAMES[0], stdin=content())
    volume = ("-v", f"{busybox}:/busybox:ro")
    docker("docker", "run", "--name", "hb-archive", *volume, NAMES[0], "/busybox", "sh", "-c", CHANGES)
    docker("docker", "commit", *COMMIT, "hb-archive", NAMES[1])
    docker("docker", "tag", NAMES[1], NAMES[2])
    write("saved.tar.gz", docker("docker", "save", *NAMES))
    exported = docker.export(NAMES[1])
    write("export.tar.gz", exported)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for kind in ("docker-archive", "oci-archive"):
            docker("skopeo", "copy", "-q", f"docker-daemon:{NAMES[1]}", f"{kind}:{folder}/{kind}.tar:{NAMES[1]}")
            write(f"{kind}.tar.gz", Path(folder, f"{kind}.tar").read_bytes())
    copies = {
        "dir": docker("docker", "cp", "hb-archive:/dir", "-"),
        "dir/.": docker("docker", "cp", "hb-archive:/dir/.", "-"),
        "soft": docker("docker", "cp", "hb-archive:/soft", "-"),
        "soft, followed": docker("docker", "cp", "-L", "hb-archive:/soft", "-"),
        "sparse": docker("docker", "cp", "hb-archive:/sparse", "-"),
    }
    recorded = {
        "images": {name: docker.image(name) for name in NAMES},
        "base": listing(io.BytesIO(docker.export(NAMES[0]))),
        "commit": listing(io.BytesIO(exported)),
        "changes": docker("docker", "diff", "hb-archive").decode().splitlines(),
        "copies": {name: listing(io.BytesIO(data)) for name, data in copies.items()},
    }
    (HERE / "recorded.json").write_text(json.dumps(recorded, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True, type=shlex.split)
    parser.add_argument("--busybox", default="/bin/busybox")
    arguments = parser.parse_args()
    docker = Docker(arguments.run)
    try:
        record(docker, arguments.busybox)
    finally:
        docker("docker", "rm", "-f", "hb-archive")
        docker("docker", "rmi", "-f", *NAMES)


if __name__ == "__main__":
    main()
