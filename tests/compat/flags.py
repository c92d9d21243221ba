"""The effect of each flag of `run` and `create`, asked of docker and compared: what `inspect` shows and what the container sees.

flags/cases.txt has one case a line: flags as a shell splits them; "#" begins a comment; "! COMMAND" is a docker command that is run first
(containers, networks and volumes that flags name; they are begun with "hb-flag-" and removed at the end). {DIR} is a folder with files that
`make_files` makes. flags/report.sh is what each container runs.

An effect is recorded as its difference from the first case, which has no flags: `inspect` as {path: value}, the report as lines
beginning with "+" and "-". What docker did is in golden/docker/flags.json:

    python3 tests/compat/flags.py DOCKER…       records it (DOCKER: a command that runs docker)

The image `busybox` and the device /dev/loop0 must be there.
"""

from __future__ import annotations

import json
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "flags"
# the limit of processes that containers inherit here
OWN_PROCESSES = resource.getrlimit(resource.RLIMIT_NPROC)[1]
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/flags.json"
WORKERS = 4

Effect = dict[str, object]
# sections of the report that tell of the machine, not of the flag
MACHINE = {
    "--privileged": ("dev", "devices.list", "masked"),
    "--network host": ("link", "address", "route", "hosts", "resolv", "net/"),
    "--uts host": ("hostname", "domain"),
    "--pid host": ("first", "namespace"),
    "--ipc host": ("kernel/",),
}
# keys of a container's description that no flag is about
DULL = re.compile(
    r"Id$|Created$|Name$|Args|State|ResolvConfPath|HostnamePath|HostsPath|LogPath|GraphDriver|Image$|ExecIDs|HostConfig\.Runtime$"
    r"|HostConfig\.CgroupParent$|NetworkSettings\.(Sandbox|EndpointID)|.*\.(NetworkID|EndpointID|DNSNames)"
)


def cases() -> tuple[list[list[str]], list[list[str]]]:
    """Return (commands to run first, flags of each case)."""
    first, found = [], [[]]
    for line in (FOLDER / "cases.txt").read_text().splitlines():
        if line.startswith("! "):
            first.append(shlex.split(line[2:]))
        elif line and not line.startswith("#"):
            found.append(shlex.split(line))
    return first, found


def make_files(folder: Path) -> None:
    """Fill the folder that {DIR} stands for."""
    (folder / "data").mkdir(parents=True)
    (folder / "data/file").write_text("content\n")
    (folder / "env").write_text('# comment\nONE=1\n TWO=two words # kept\nQUOTED="a"\nHOME_LESS\nEMPTY=\n')
    (folder / "labels").write_text("# comment\nfrom.file=1\nbare\n")
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    (folder / "seccomp.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))


class Target:
    """A docker, and the folder that its flags speak of."""

    def __init__(self, docker: Sequence[str], folder: Path) -> None:
        self.docker, self.folder = list(docker), folder

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run one docker command to its end."""
        return subprocess.run(
            [*self.docker, *arguments], capture_output=True, text=True, errors="replace", timeout=120, check=False
        )

    def normal(self, text: str) -> str:
        """Return text without what differs from run to run."""
        text = text.replace(str(self.folder), "<DIR>")
        text = re.sub(r"/var/lib/docker/|/var/tmp/hyperbox-sandbox/[^/]+/data/", "<DATA>/", text)
        text = re.sub(r"/(docker|hyperbox-[a-z0-9]+/default)/[0-9a-f]{64}", "/<CGROUP>", text)
        text = re.sub(r"hb-flag-\d+", "hb-flag-N", re.sub(r"\b[0-9a-f]{64}\b", "<ID>", text))
        text = re.sub(r"\b[0-9a-f]{12}\b", "<SHORT>", text)
        text = re.sub(r"\b(172\.17\.0|10\.213\.7)\.(?!77\b)\d+", r"\1.x", text)
        text = re.sub(
            r"<DATA>/(overlay2/<ID>/merged|images/layers/<SHORT>\w*|images/layers/\w+)", "<DATA>/<IMAGE>", text
        )
        text = re.sub(r"(OCI runtime create failed: ).*", r"\1<REASON>", text)
        # what the kernel gives a machine by its memory
        text = re.sub(rf"(Max processes +){OWN_PROCESSES} +{OWN_PROCESSES} +", r"\1<OWN> <OWN> ", text)
        return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<TIME>", text)


def flat(value: object, path: str = "") -> Effect:
    """Return {path: leaf} of a JSON value; a list is a leaf, an empty object too."""
    if isinstance(value, dict) and value:
        result: Effect = {}
        for key, item in value.items():
            result |= flat(item, f"{path}.{key}" if path else key)
        return result
    return {path: value}


def described(target: Target, names: Sequence[str]) -> dict[str, Effect]:
    """Return the description of each container, flat and normal."""
    done = target.run(["inspect", *names])
    found: dict[str, Effect] = {}
    for container in json.loads(done.stdout):
        values = {path: value for path, value in flat(container).items() if not DULL.match(path)}
        found[container["Name"][1:]] = {
            path: settled(path, json.loads(target.normal(json.dumps(value))))
            if isinstance(value, (str, list))
            else value
            for path, value in values.items()
        }
    return found


def settled(path: str, value: object) -> object:
    """Return a value without docker's order by chance: that of the variables."""
    return sorted(value) if path == "Config.Env" and isinstance(value, list) else value


def difference(base: Effect, own: Effect) -> Effect:
    """Return what `own` has otherwise; "(none)" for what it lacks."""
    paths = dict.fromkeys([*base, *own])
    return {path: own.get(path, "(none)") for path in paths if base.get(path, "(none)") != own.get(path, "(none)")}


def differences(case: str, expected: Effect, found: Effect) -> list[str]:
    """Return what differs between two effects of a case, a line each."""
    lines = []
    for key in dict.fromkeys([*expected, *found]):
        docker, ours = expected.get(key), found.get(key)
        if isinstance(docker, dict) and isinstance(ours, dict):
            lines += [
                f"{case}: {path}: docker {docker.get(path, '(as ever)')!r}, hyperbox {ours.get(path, '(as ever)')!r}"
                for path in dict.fromkeys([*docker, *ours])
                if docker.get(path, "(as ever)") != ours.get(path, "(as ever)")
            ]
        elif isinstance(docker, list) and isinstance(ours, list):
            lines += [f"{case}: docker has {line}" for line in docker if line not in ours]
            lines += [f"{case}: hyperbox has {line}" for line in ours if line not in docker]
        elif docker != ours:
            lines.append(f"{case}: {key}: docker {docker!r}, hyperbox {ours!r}")
    return lines


def told(flags: str, lines: list[str]) -> list[str]:
    """Return the report's lines without what tells of the machine with these flags."""
    dull = tuple(section for flag, sections in MACHINE.items() if flag in flags for section in sections)
    return [line for line in lines if not line.startswith(dull)] if dull else lines


def lines_difference(base: list[str], own: list[str]) -> list[str]:
    """Return own lines that the base lacks ("+…") and the other way round ("-…"), sorted."""
    return sorted([f"+{line}" for line in set(own) - set(base)] + [f"-{line}" for line in set(base) - set(own)])


def effects(docker: Sequence[str], folder: Path, only: str = "", idle: Collection[str] = ()) -> dict[str, Effect]:
    """Return flags -> the effect of each case; those in `idle` are not started and have an empty report."""
    target = Target(docker, folder)
    first, every = cases()
    wanted = [flags for flags in every if not flags or only in " ".join(flags)]
    report = (FOLDER / "report.sh").read_text()
    made = [command[command.index("--name") + 1] for command in first if "--name" in command]
    names = [f"hb-flag-{number}" for number in range(len(wanted))]
    target.run(["rm", "-f", "-v", *names, *made])
    for command in first:
        done = target.run(command)
        assert done.returncode == 0, (command, done.stderr)

    def create(number: int) -> Effect:
        flags = [word.replace("{DIR}", str(folder)) for word in wanted[number]]
        done = target.run(["create", "--name", names[number], *flags, "busybox", "sh", "-c", report])
        return {"code": done.returncode, "stderr": target.normal(done.stderr)}

    def start(name: str) -> dict[str, Any]:
        if shlex.join(wanted[names.index(name)]) in idle:
            return {"code": 0, "report": None}
        done = target.run(["start", "-a", name])
        text = done.stdout.replace("\r", "") + done.stderr.replace(name, "NAME")
        return {"code": done.returncode, "report": target.normal(text).splitlines()}

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            created = list(pool.map(create, range(len(wanted))))
            good = [name for name, result in zip(names, created, strict=True) if result["code"] == 0]
            inspected = described(target, good)
            started = dict(zip(good, pool.map(start, good), strict=True))
    finally:
        target.run(["rm", "-f", "-v", *names, *made])
        for command in first:
            if command[:2] in (["network", "create"], ["volume", "create"]):
                target.run([command[0], "rm", command[-1]])
    result: dict[str, Effect] = {}
    for flags, name, creation in zip(wanted, names, created, strict=True):
        effect: Effect = {key: value for key, value in creation.items() if value}
        if name in inspected:
            effect["inspect"] = difference(inspected[names[0]], inspected[name])
            if started[name]["code"]:
                effect["start"] = started[name]
            elif started[name]["report"] is None:
                effect["report"] = []
            else:
                base, own = (told(shlex.join(flags), list(started[each]["report"])) for each in (names[0], name))
                effect["report"] = lines_difference(base, own)
        result[shlex.join(flags)] = effect
    return result


def recorded() -> dict[str, Effect]:
    """Return what docker did."""
    value = json.loads(GOLDEN.read_text())
    assert isinstance(value, dict)
    return value


def main(arguments: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "files"
        make_files(folder)
        found = effects(arguments, folder)
    lines = ",\n".join(
        f"{json.dumps(flags)}: {json.dumps(effect, indent=1, ensure_ascii=False)}" for flags, effect in found.items()
    )
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")
    print(len(found))


if __name__ == "__main__":
    main(sys.argv[1:])
