"""The keys and types of everything that docker prints as JSON: recorded from docker, and compared.

SETUP makes containers in all states, a network and a volume; LOOKS are the commands whose output is taken apart into {path: type} ("! …":
only run). A list's
elements stand under "[]"; what is a name of ours in a path is kept, other ids are "<ID>". What docker printed is in golden/docker/shapes.json:

    python3 tests/compat/shapes.py DOCKER…       records it (DOCKER: a command that runs docker)

The image `busybox` must be there.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/shapes.json"

SETUP = """\
network create --subnet 10.213.8.0/24 --label n=1 -o com.docker.network.bridge.enable_icc=false hb-shape-net
volume create --label v=1 hb-shape-volume
create --name hb-shape-created -p 8041:80 --expose 81 -v hb-shape-volume:/v -v /anonymous --tmpfs /t --mount type=tmpfs,dst=/m \
--health-cmd true -l a=b --ulimit nofile=64 --device /dev/null:/dev/other --add-host a:1.2.3.4 --log-opt max-size=1m busybox sleep 600
run -d --name hb-shape-running -p 8042:80 -p 127.0.0.1:8043:81/udp -v hb-shape-volume:/v --health-cmd true --health-interval 200ms \
--network hb-shape-net --network-alias web --ip 10.213.8.77 busybox sleep 600
run -d --name hb-shape-plain busybox sleep 600
run -d --name hb-shape-paused busybox sleep 600
pause hb-shape-paused
run --name hb-shape-exited busybox sh -c 'exit 3'
run -d --name hb-shape-restarting --restart always busybox false
run -d --name hb-shape-sick --health-cmd 'echo ill; false' --health-interval 100ms --health-retries 1 busybox sleep 600
"""
STATES = ("created", "running", "plain", "paused", "exited", "restarting", "sick")
LOOKS = [
    *(f"inspect hb-shape-{state}" for state in STATES),
    "inspect -s hb-shape-plain",
    "container inspect hb-shape-plain",
    "image inspect busybox",
    "network inspect bridge",
    "network inspect hb-shape-net",
    "network inspect -v hb-shape-net",
    "network inspect host",
    "network inspect none",
    "volume inspect hb-shape-volume",
    "info --format json",
    "version --format json",
    "system df --format json",
    "system df -v --format json",
    "ps -a --filter name=hb-shape --format json",
    "ps -as --filter name=hb-shape-plain --format json",
    "images --format json",
    "images --digests --format json",
    "network ls --format json",
    "volume ls --format json",
    "history busybox --format json",
    "stats --no-stream --format json hb-shape-plain",
    "stats -a --no-stream --format json hb-shape-exited",
    "! rm -f hb-shape-running hb-shape-sick hb-shape-restarting",  # docker keeps 256 events, and their health checks make many
    "! start hb-shape-exited",
    "! network connect hb-shape-net hb-shape-plain",
    "! network disconnect hb-shape-net hb-shape-plain",
    "! run --rm -v hb-shape-volume:/v busybox true",
    "events --since 1h --until 0s --filter container=hb-shape-exited --format json",
    "events --since 1h --until 0s --filter network=hb-shape-net --filter type=network --format json",
    "events --since 1h --until 0s --filter volume=hb-shape-volume --filter event=mount --format json",
    "context ls --format json",
    "context inspect",
]
CLEAN = [
    f"rm -f -v {' '.join(f'hb-shape-{state}' for state in STATES)}",
    "network rm hb-shape-net",
    "volume rm hb-shape-volume",
]

Shape = dict[str, list[str]]


def kind(value: object) -> str:
    """Return a JSON value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "list", dict: "object"}[type(value)]


def take_apart(value: object, path: str, shape: Shape) -> None:
    """Add a value's paths and types to `shape`."""
    word = kind(value)
    types = shape.setdefault(path or ".", [])
    if word not in types:
        types.append(word)
        types.sort()
    if isinstance(value, dict):
        for key, item in value.items():
            name = re.sub(r"\b([0-9a-f]{64}|[0-9a-f]{12})\b", "<ID>", key)
            take_apart(item, f"{path}.{name}", shape)
    elif isinstance(value, list):
        for item in value:
            take_apart(item, f"{path}[]", shape)


def shape_of(text: str) -> Shape:
    """Return the shape of one JSON document, or of one a line."""
    shape: Shape = {}
    try:
        take_apart(json.loads(text), "", shape)
    except ValueError:
        for line in text.splitlines():
            take_apart(json.loads(line), "", shape)
    return shape


def shapes(docker: Sequence[str]) -> dict[str, Shape]:
    """Make everything, look, and remove it again."""

    def run(line: str, *, check: bool = True) -> str:
        done = subprocess.run([*docker, *shlex.split(line)], capture_output=True, text=True, timeout=120, check=False)
        assert not check or done.returncode in (0, 3), (line, done.stderr)
        return done.stdout

    def state(name: str, template: str) -> str:
        return run(f"inspect -f '{template}' hb-shape-{name}").strip()

    for line in CLEAN:
        run(line, check=False)
    try:
        for line in SETUP.splitlines():
            run(line)
        deadline = time.monotonic() + 30
        while (
            state("running", "{{.State.Health.Status}}") != "healthy"
            or state("sick", "{{.State.Health.Status}}") != "unhealthy"
            or state("restarting", "{{.State.Status}}") != "restarting"
        ):
            assert time.monotonic() < deadline, "the containers do not become what they should"
        found = {}
        for line in LOOKS:
            text = run(line.removeprefix("! "))
            if line[0] != "!":
                found[line] = shape_of(text)
        return found
    finally:
        for line in CLEAN:
            run(line, check=False)


def recorded() -> dict[str, Shape]:
    """Return the shapes of docker's answers."""
    value = json.loads(GOLDEN.read_text())
    assert isinstance(value, dict)
    return value


def main(arguments: list[str]) -> None:
    found = shapes(arguments)
    lines = ",\n".join(f"{json.dumps(look)}: {json.dumps(shape)}" for look, shape in found.items())
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")
    print(len(found))


if __name__ == "__main__":
    main(sys.argv[1:])
