"""Takes what HyperBox writes into docker and what docker writes into HyperBox, and says where the two differ. By hand: it needs both.

    python3 golden/archives/exchange.py --run "COMMAND THAT RUNS A COMMAND BESIDE DOCKER" --hyperbox "COMMAND"

Both see /tmp, and a static busybox at --busybox. It ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable

from content import CHANGES, COMMIT, IMPORT, content, listing

Run = Callable[..., bytes]
NAME = "hb-exchange"
KEYS = ("Id", "RepoTags", "Comment", "Author", "Architecture", "Os", "Size", "RootFS", "Config")


def runner(prefix: list[str]) -> Run:
    def run(*words: str, stdin: bytes = b"") -> bytes:
        return subprocess.run([*prefix, *words], input=stdin, stdout=subprocess.PIPE, check=True).stdout

    return run


def described(engine: Run, name: str) -> dict[str, object]:
    (value,) = json.loads(engine("image", "inspect", name))
    return {key: value.get(key) for key in KEYS}


def root(engine: Run, name: str) -> dict[str, object]:
    container = engine("create", name, "x").decode().strip()
    try:
        found: dict[str, object] = listing(io.BytesIO(engine("export", container)))
    finally:
        engine("rm", container)
    for entry in found.values():
        attributes = entry["attributes"]  # type: ignore[index]
        for key in [key for key in attributes if key.startswith("SCHILY.xattr.user.")]:
            del attributes[key]  # docker's export keeps none of users
    return found


def made(engine: Run, busybox: str) -> None:
    """Make an image of two layers, by import, run and commit, with two names."""
    engine("import", *IMPORT, "-", f"{NAME}:base", stdin=content())
    engine("run", "--name", NAME, "-v", f"{busybox}:/busybox:ro", f"{NAME}:base", "/busybox", "sh", "-c", CHANGES)
    engine("commit", *COMMIT, NAME, f"{NAME}:one")
    engine("tag", f"{NAME}:one", f"{NAME}:two")
    engine("rm", NAME)


def clean(engine: Run) -> None:
    engine("rm", "-f", NAME)
    engine("rmi", "-f", f"{NAME}:base", f"{NAME}:one", f"{NAME}:two", f"{NAME}:imported")


def exchange(source: Run, target: Run, busybox: str, way: str) -> list[str]:
    """Make images in one engine, take them to the other, and return what differs there."""
    wrong = []

    def compare(what: str, ours: object, theirs: object) -> None:
        print(f"{way}: {what}: {'equal' if ours == theirs else 'DIFFERENT'}", flush=True)
        if ours != theirs:
            wrong.append(f"{way}: {what}\n  {ours}\n  {theirs}")

    try:
        made(source, busybox)
        names = [f"{NAME}:{tag}" for tag in ("base", "one", "two")]
        target("load", stdin=source("save", *names))
        for name in names:
            compare(f"inspect of {name}", described(source, name), described(target, name))
        compare("files of one", root(source, names[1]), root(target, names[1]))
        again = target("save", *names[1:])
        clean(source)
        source("load", stdin=again)
        compare("saved again, inspect", described(source, names[1]), described(target, names[1]))
        container = target("create", names[1], "x").decode().strip()
        exported = target("export", container)
        target("rm", container)
        source("import", "-", f"{NAME}:imported", stdin=exported)
        compare("exported and imported", root(source, f"{NAME}:imported"), root(target, names[1]))
        container = target("create", names[1], "x").decode().strip()
        copied = target("cp", f"{container}:/dir", "-")
        other = source("create", names[1], "x").decode().strip()
        source("cp", "-a", "-", f"{other}:/opaque", stdin=copied)
        back = source("cp", f"{other}:/opaque/dir", "-")
        compare("copied out, in and out", listing(io.BytesIO(copied)), listing(io.BytesIO(back)))
        target("rm", container)
        source("rm", other)
    finally:
        clean(source)
        clean(target)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True, type=shlex.split)
    parser.add_argument("--hyperbox", required=True, type=shlex.split)
    parser.add_argument("--busybox", default="/bin/busybox")
    arguments = parser.parse_args()
    docker, hyperbox = runner([*arguments.run, "docker"]), runner(arguments.hyperbox)
    wrong = exchange(hyperbox, docker, arguments.busybox, "hyperbox to docker")
    wrong += exchange(docker, hyperbox, arguments.busybox, "docker to hyperbox")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
