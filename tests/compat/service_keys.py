"""One service key at a time: what `inspect` shows of a container that compose made with it, or how compose refuses it.

keys/together.txt has the cases that can stand in one project, keys/alone.txt those that may fail: each is a project of its own, brought up.
A case begins with "== NAME"; what follows is the service. All see the networks, volumes, configs and secrets of keys/top.yaml. What is
recorded of a container is where its inspection differs from that of a service without keys (`base`), and that one whole. It is in
golden/docker/keys/; only docker's own output goes there:

    python3 tests/compat/service_keys.py RUN…     (RUN: a command that runs a command line beside docker)
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from compose_scenarios import CLEAN, normalised, sorted_lines

FOLDER = Path(__file__).resolve().parent / "keys"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/keys"
FILES = {
    "plain.txt": "plain\n",
    "vars.env": "ONE=1\nTWO=two\n",
    "labels.env": "one=1\ntwo=2\n",
    "folder/file.txt": "file\n",
    "spec.json": '{"defaultAction": "SCMP_ACT_ALLOW"}',
}
ENVIRONMENT = {**CLEAN, "TOKEN": "s3cret"}
TOGETHER, ALONE = "hb-keys", "hb-key"
# what is of one moment or of one machine
LEFT_OUT = re.compile(
    r"^(Id|Created|ResolvConfPath|HostnamePath|HostsPath|LogPath|State|Name|GraphDriver|Storage|Image|ImageManifestDescriptor)\b"
    r"|^Config\.(Hostname$|Labels\.com\.docker\.compose\.(config-hash|project\.|version|service|image$))"
    r"|^HostConfig\.(MaskedPaths|ReadonlyPaths|ConsoleSize|CgroupnsMode$|Runtime$)"
    r"|^NetworkSettings\.(?!Networks)"
)

# what every container has
USUAL = (
    "private",
    "json-file",
    "no",
    64 << 20,
    f"{ALONE}_default",
    ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
)

Leaves = dict[str, object]


def cases(name: str) -> Iterator[tuple[str, str]]:
    """Yield (name, service) of each case of a file."""
    for block in (FOLDER / f"{name}.txt").read_text().split("== ")[1:]:
        case, _, text = block.partition("\n")
        yield case, text


def service(case: str, text: str, command: str) -> str:
    """Return a case as an entry of `services`; it has the image and command that all have unless it names its own."""
    own = {line.partition(":")[0] for line in text.splitlines()}
    lines = [f"  {case}:"]
    lines += [] if "image" in own else ["    image: busybox"]
    lines += [] if own & {"command", "entrypoint"} or not command else [f"    command: {command}"]
    lines += [f"    {line}" for line in text.splitlines() if line != "image:"]
    return "\n".join(lines) + "\n"


def leaves(value: object, path: str = "") -> Leaves:
    """Return {path: value} of a JSON value; lists are values."""
    if isinstance(value, dict) and value:
        found: Leaves = {}
        for key, item in value.items():
            found.update(leaves(item, f"{path}.{key}" if path else key))
        return found
    return {path: value}


def write_files(folder: Path) -> None:
    """Write what the cases refer to."""
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


class Runner:
    """Runs command lines in a folder as a user would and returns what they said, normalised."""

    def __init__(self, run: Sequence[str], docker: Sequence[str], folder: Path) -> None:
        keep = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("HYPERBOX_")]
        self.start = [*run, "env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items()), *keep, *docker]
        self.folder = folder

    def __call__(self, *words: str) -> tuple[str, str, int]:
        done = subprocess.run([*self.start, *words], capture_output=True, timeout=300, check=False, cwd=self.folder)
        out = done.stdout.decode("utf-8", "replace")
        return out, normalised(done.stderr.decode("utf-8", "replace"), self.folder), done.returncode

    def inspected(self, project: str) -> dict[str, Leaves]:
        """Return the leaves of the inspection of a project's containers, by the container's name."""
        ids = self("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}")[0].split()
        if not ids:
            return {}
        rows = json.loads(self("inspect", *ids)[0])
        names = {row["Id"]: row["Name"].lstrip("/") for row in rows}
        return {row["Name"].lstrip("/"): self.container_leaves(row, names) for row in rows}

    def normal(self, value: object) -> object:
        """Return a JSON value with its texts normalised; keys may be container's ids too."""
        if isinstance(value, dict):
            return {key: self.normal(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.normal(item) for item in value]
        return normalised(value, self.folder) if isinstance(value, str) else value

    def container_leaves(self, row: dict[str, object], names: dict[str, str]) -> Leaves:
        """Return what is compared of one container: no ids but names, no folder of this run."""
        text = json.dumps(row)
        for container_id, name in names.items():
            text = text.replace(container_id, f"<{name}>")
        value = self.normal(json.loads(text))
        mounts = value.get("Mounts")
        if isinstance(mounts, list):
            value["Mounts"] = sorted(mounts, key=lambda mount: str(mount.get("Destination")))
        labels = row["Config"]["Labels"]  # type: ignore[index]
        own = {str(row["Name"]).lstrip("/"): "{container}", str(labels["com.docker.compose.service"]): "{service}"}
        found = {path: leaf for path, leaf in leaves(value).items() if not LEFT_OUT.search(path)}
        for path, leaf in found.items():
            if path in ("Config.Env", "HostConfig.ExtraHosts") and leaf:  # docker compose has no order there
                found[path] = sorted(leaf)
            if path == "HostConfig.Ulimits" and leaf:
                found[path] = sorted(leaf, key=lambda limit: str(limit["Name"]))
            if path.endswith(".Aliases") and isinstance(leaf, list):
                found[path] = [own.get(item, item) for item in leaf]
        return found


def differences(base: Leaves, own: Leaves) -> Leaves:
    """Return what a container has otherwise than the one without keys; what it lacks is "<none>"."""
    found = {path: value for path, value in own.items() if path not in base or base[path] != value}
    return {**found, **{path: "<none>" for path in base if path not in own}}


def together(run: Runner) -> dict[str, Leaves]:
    """Make all cases that can stand together and return what each changes, by the container's name; `base` is whole."""
    text = "services:\n" + "".join(service(case, lines, "[sleep, '600']") for case, lines in cases("together"))
    (run.folder / "compose.yaml").write_text((FOLDER / "top.yaml").read_text() + text)
    try:
        said = run("compose", "-p", TOGETHER, "create")
        assert said[2] == 0, [line for line in said[1].splitlines() if not line.endswith(("Creating", "Created"))]
        found = run.inspected(TOGETHER)
    finally:
        run("compose", "-p", TOGETHER, "down", "-v", "-t", "0")
    base = found[f"{TOGETHER}-base-1"]
    lines = said[1].splitlines(keepends=True)
    warnings = "".join(line for line in lines if not line.endswith((" Creating\n", " Created\n")))
    return {
        "": {"stderr": sorted_lines(warnings)},
        **{
            name.replace(f"{TOGETHER}-", "", 1): own if own is base else differences(base, own)
            for name, own in sorted(found.items())
        },
    }


def alone(run: Runner, case: str, text: str) -> dict[str, object]:
    """Bring one case up and return how that ended, and the container."""
    top = (FOLDER / "top.yaml").read_text()
    for kind in ("configs", "secrets"):
        top = top.replace(f"{kind}:\n", f"{kind}:\n  outside: {{external: true}}\n")
    models = "models: {llm: {model: hb-keys-absent/model}}\n" if "models:" in text else ""
    (run.folder / "compose.yaml").write_text(f"{top}{models}services:\n" + service(case, text, "['true']"))
    (run.folder / "Dockerfile").write_text("FROM busybox\n")
    try:
        out, err, code = run("compose", "-p", ALONE, "up", "-d", "--no-build" if "build:" in text else "--quiet-pull")
        found = run.inspected(ALONE)
    finally:
        run("compose", "-p", ALONE, "down", "-v", "-t", "0")
    state = sorted(found)
    return {"stdout": out, "stderr": sorted_lines(err), "code": code, "containers": state, "inspect": own_part(found)}


def own_part(found: dict[str, Leaves]) -> Leaves:
    """Return what of a lone container may tell of its key: values that say something."""
    return {
        path: value
        for row in found.values()
        for path, value in row.items()
        if value not in ("", 0, None, False, [], {}, *USUAL)
        and path.startswith(("HostConfig.", "Mounts", "Config.Env"))
    }


def recorded(name: str) -> dict[str, dict[str, object]]:
    """Return what docker compose did: "together" or "alone"."""
    value = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(value, dict)
    return value


def write(name: str, found: dict[str, object]) -> None:
    """Write one golden file, a case a line."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"{json.dumps(case)}: {json.dumps(value, sort_keys=True)}" for case, value in found.items())
    (GOLDEN / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
    print(f"{name}: {len(found)}")


def main(arguments: list[str]) -> None:
    """Record both files."""
    folder = Path(tempfile.mkdtemp(prefix="hb-keys-"))
    write_files(folder)
    run = Runner(arguments, ["docker"], folder)
    write("together", dict(together(run)))
    write("alone", {case: alone(run, case, text) for case, text in cases("alone")})
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
