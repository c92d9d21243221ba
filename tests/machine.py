"""What a set of roots has on this machine: mounts, links, rules, control groups, processes, claims and files; to prove that nothing is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.conftest import wait_until

CONTROL_GROUPS = Path("/sys/fs/cgroup")


class Roots:
    """The folders and the control group of one HyperBox, as the environment gives them."""

    def __init__(self, data: str, run: str, cgroup: str) -> None:
        self.data = Path(data)
        self.run = Path(run)
        self.cgroup = cgroup

    @classmethod
    def of_environment(cls) -> Roots:
        """Return the roots of the sandbox that this test runs in."""
        return cls(*(os.environ[f"HYPERBOX_{name}"] for name in ("DATA", "RUN", "CGROUP")))

    @property
    def table(self) -> str:
        return re.sub(r"[^A-Za-z0-9]", "_", self.cgroup)


def text_of(path: Path | str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def processes(roots: Roots) -> Iterator[str]:
    """Yield what runs in the roots' control groups, their monitors, and OCI runtimes at work for them."""
    namespace = os.readlink("/proc/self/ns/net")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        name = text_of(entry / "comm").strip()
        words = text_of(entry / "cmdline").replace("\0", " ").strip()
        try:
            same = os.readlink(entry / "ns/net") == namespace
        except OSError:
            continue
        ours = name == "hyperbox-monito" or (name in ("crun", "runc") and str(roots.run) in words)
        if f"/{roots.cgroup}/" in text_of(entry / "cgroup") or (same and ours):
            yield f"process {entry.name} {name}: {words}"


def mounts(roots: Roots) -> Iterator[str]:
    """Yield mounts below the roots in this mount namespace, the runtime folder itself excepted."""
    for line in text_of("/proc/self/mountinfo").splitlines():
        target = line.split()[4]
        if target.startswith((f"{roots.data}/", f"{roots.run}/")):
            yield f"mount {target}"


def links() -> Iterator[str]:
    """Yield the network links of this namespace that lead into containers."""
    shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines():
        name = line.split()[1].rstrip(":").partition("@")[0]
        if name != "lo" and not name.startswith("br-"):
            yield f"link {name}"


def bridges() -> list[str]:
    """Return the names of the bridges of this namespace."""
    shown = subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True)
    return [line.split()[1].rstrip(":") for line in shown.stdout.splitlines()]


def published(roots: Roots) -> Iterator[str]:
    """Yield the elements of the roots' maps and sets of published and opened ports."""
    maps = [("map", kind) for kind in ("published4", "published4_any", "published6", "published6_any")]
    for what, kind in [*maps, ("set", "open4"), ("set", "open6"), ("set", "trusted")]:
        shown = subprocess.run(
            ["nft", "list", what, "inet", roots.table, kind], capture_output=True, text=True, check=False
        ).stdout
        if "elements" in shown:
            yield f"published {shown[shown.index('elements') :].split('}')[0]}"


def forgotten_bridges(roots: Roots) -> Iterator[str]:
    """Yield the bridges that the roots' rules know and that are not there any more."""
    shown = subprocess.run(
        ["nft", "list", "set", "inet", roots.table, "bridges"], capture_output=True, text=True, check=False
    ).stdout
    present = bridges()
    yield from (f"rule for {name}" for name in sorted(set(re.findall(r'"([^"]+)"', shown))) if name not in present)


def control_groups(roots: Roots) -> Iterator[str]:
    """Yield the control groups of containers (the third level: PARENT/PROJECT/ID)."""
    for hierarchy in (CONTROL_GROUPS, *(path for path in CONTROL_GROUPS.iterdir() if path.is_dir())):
        for group in (hierarchy / roots.cgroup).glob("*/*/cgroup.procs"):
            yield f"control group {group.parent}"


def files(roots: Roots) -> Iterator[str]:
    """Yield files, folders and claims that belong to a container, an exec, a volume or a command that has ended."""
    for name in ("making", "containers", "removing", "names", "images/staging"):
        yield from (f"file {path}" for path in (roots.data / name).glob("*"))
    yield from (f"volume {path}" for path in (roots.data / "volumes").glob("*"))
    for name in ("containers", "execs", "networks/containers", "runtime/crun", "runtime/runc"):
        # newer versions of crun keep compiled seccomp filters beside their containers, in .cache
        yield from (f"file {path}" for path in (roots.run / name).glob("*") if path.name != ".cache")
    for network in (roots.run / "networks").glob("*"):
        if network.is_dir() and network.name != "containers":
            yield from (f"file {path}" for path in network.glob("*"))
    for root in (roots.data, roots.run):
        yield from (f"file {path}" for path in root.glob("**/*.tmp.*") if "/layers/" not in str(path))
    yield from nameless_networks(roots)


def nameless_networks(roots: Roots) -> Iterator[str]:
    """Yield network records without a name and names without a record."""
    folder = roots.data / "networks"
    owners = {os.readlink(path) for path in (folder / "names").glob("*")}
    records = {path.name.removesuffix(".json") for path in folder.glob("*.json")}
    yield from (f"network {name}" for name in owners ^ records)


def kernel_settings(roots: Roots) -> list[str]:
    """Return the kernel's setting if a process that is gone has changed it: see `hyperbox.kernel.moves`."""
    record = roots.run / "runtime/expedited"
    return ["/sys/kernel/rcu_expedited"] if record.exists() and record.stat().st_size else []


def leftovers(roots: Roots) -> list[str]:
    """Return what is there of containers that should be gone, one line each."""
    return [
        *processes(roots),
        *mounts(roots),
        *links(),
        *published(roots),
        *forgotten_bridges(roots),
        *control_groups(roots),
        *kernel_settings(roots),
        *files(roots),
    ]


def assert_clean(roots: Roots, seconds: float = 10.0, before: Collection[str] = ()) -> None:
    """Fail with the list of what is left, unless there is nothing within `seconds` (removals finish in the background).

    `before`: what was there already, of other tests; the last test of all looks for that.
    """
    left: list[str] = []

    def clean() -> bool:
        left[:] = [line for line in leftovers(roots) if line not in before]
        return not left

    try:
        wait_until(clean, seconds)
    except AssertionError:
        raise AssertionError("left behind:\n" + "\n".join(left)) from None


def forget(roots: Roots) -> None:
    """End what runs in roots that end with their test, and remove what they have on the machine besides their folders."""
    for line in processes(roots):
        os.kill(int(line.split()[1]), signal.SIGKILL)
    for network in (roots.run / "networks").glob("[0-9a-f]*"):
        subprocess.run(["ip", "link", "delete", f"br-{network.name[:12]}"], check=False, capture_output=True)
    subprocess.run(["nft", "delete", "table", "inet", roots.table], check=False, capture_output=True)
    for group in (*CONTROL_GROUPS.glob(roots.cgroup), *CONTROL_GROUPS.glob(f"*/{roots.cgroup}")):
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)


def host_state() -> list[str]:
    """Return what the host has of all that containers could leave: mounts, links, tables of rules, control groups of ours."""
    state = []
    for line in text_of("/proc/self/mountinfo").splitlines():
        state.append(f"mount {line.split()[4]}")
    shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    state += [f"link {line.split()[1].rstrip(':')}" for line in shown.splitlines()]
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    state += [f"rules {line}" for line in tables.splitlines()]
    for hierarchy in (CONTROL_GROUPS, *(path for path in CONTROL_GROUPS.iterdir() if path.is_dir())):
        state += [f"control group {path}" for path in hierarchy.glob("hyperbox*")]
    return sorted(state)


if __name__ == "__main__":
    print("\n".join(host_state()))
