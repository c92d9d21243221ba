"""The checks of `hyperbox doctor`: each looks at one thing that HyperBox needs or can use, and says how it is."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

from hyperbox import files, process
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperbox.engine.state import Roots

OK, NOTE, BAD = "ok", "note", "bad"


class Finding(NamedTuple):
    """What a check found: its subject, "ok", "note" (something is missing that not everybody needs) or "bad", in words, and how to mend it."""

    subject: str
    state: str
    what: str
    hint: str = ""
    mend: Callable[[], object] | None = None


def everything(roots: Roots) -> Iterator[Finding]:
    """Yield what all checks find, those of the machine first."""
    for check in (privileges, runtimes, monitors, cgroup_mode, nftables, firewalls, kernel, criu, disk):
        yield from check(roots)
    for check in (configuration, hosts, projects, leases, leftovers):
        try:
            yield from check(roots)
        except (HyperBoxError, OSError) as error:
            yield Finding(check.__name__, BAD, str(error))


def privileges(roots: Roots) -> Iterator[Finding]:
    """Root, for which the native engine is written."""
    del roots
    if os.geteuid() == 0:
        yield Finding("privileges", OK, "root")
    else:
        yield Finding("privileges", BAD, "not root", "the native engine needs root: sudo hyperbox doctor")


def runtimes(roots: Roots) -> Iterator[Finding]:
    """An OCI runtime."""
    from hyperbox.engine.system import runtime_version
    from hyperbox.runtime.adapters import runtime_names

    del roots
    found = runtime_names()
    if found:
        yield Finding("runtime", OK, ", ".join(f"{name} {runtime_version(name)}".strip() for name in found))
    else:
        yield Finding("runtime", BAD, "neither crun nor runc is installed", "apt install crun")


def monitors(roots: Roots) -> Iterator[Finding]:
    """What monitors are while nothing happens."""
    del roots
    if process.find_program("busybox") is None:
        what = "the program busybox is not installed: the monitor of each container keeps 5 MB, be it idle or not"
        yield Finding("monitors", NOTE, what, "apt install busybox-static")
    else:
        yield Finding("monitors", OK, "small while nothing happens")


def cgroup_mode(roots: Roots) -> Iterator[Finding]:
    """cgroups, and which of their controllers limits need."""
    from hyperbox.engine import project_groups
    from hyperbox.kernel import cgroups, systemd

    needed = ("cpu", "memory", "pids", "io")
    if cgroups.is_v2():
        there = cgroups.read(f"{cgroups.ROOT}/cgroup.controllers").split()
        missing = [name for name in needed if name not in there]
        text = "version 2"
        place = project_groups.parent(roots)
        if systemd.is_scope(place):
            text += f" in systemd's {place.rpartition('/')[2]}"
        elif systemd.manages():
            made = os.path.isdir(f"{cgroups.ROOT}{place}")
            text += f": {place}, as systemd made no scope" if made else ", by systemd"
    else:
        mounted = {os.path.basename(path) for path in cgroups.hierarchies()}
        mounted |= {part for name in mounted for part in name.split(",")}
        missing = [name for name in ("cpu", "memory", "pids", "blkio", "freezer", "devices") if name not in mounted]
        text = "version 1: a project's io and memory_high budgets can't be kept"
    if missing:
        yield Finding("cgroups", BAD, f"{text}; without {', '.join(missing)}", "limits of these kinds can't be kept")
    else:
        yield Finding("cgroups", OK, text)


def nftables(roots: Roots) -> Iterator[Finding]:
    """The program nft, and the kernel's nf_tables with what our rules use."""
    from hyperbox.engine import network_rules
    from hyperbox.kernel.nftables import Rules

    if process.find_program("nft") is None:
        yield Finding("nftables", BAD, "the program nft is not installed", "apt install nftables")
        return
    try:
        rules = Rules(network_rules.table_name(roots))
        laid = rules.has_chain(network_rules.VERSION)
        rules.close()
    except (OSError, HyperBoxError) as error:
        yield Finding("nftables", BAD, f"the kernel has no nftables: {error}", "modprobe nf_tables")
        return
    tried = process.run(["nft", "-c", "-f", "-"], input=network_rules.table_text(roots).encode(), timeout=30)
    if tried.code:
        why = tried.err.decode("utf-8", "replace").strip().splitlines()
        yield Finding("nftables", BAD, f"the kernel refuses our rules: {why[0] if why else tried.code}")
    else:
        yield Finding("nftables", OK, "our table is laid" if laid else "our table will be laid by the first container")


def firewalls(roots: Roots) -> Iterator[Finding]:
    """Other firewalls that drop what is forwarded."""
    from hyperbox.engine import network_firewalls, network_rules

    group = network_rules.group(roots)
    missing, sources = network_firewalls.missing_rules(group), network_firewalls.untrusted_sources(roots)
    foreign = network_firewalls.dropping_tables()
    if missing or sources:
        which = sorted({f"{os.path.basename(path)} {rule[0]}" for path, rule in missing})
        which += [f"firewalld ({each})" for each in sources]
        yield Finding(
            "firewalls", BAD, f"dropped by {', '.join(which)}", mend=partial(network_firewalls.accept, roots, group)
        )
    if foreign:
        yield Finding(
            "firewalls",
            NOTE,
            f"the policy for forwarded packets is drop in {', '.join(foreign)}",
            f"let them pass there: meta iifgroup & 0xffffff00 == {group:#x} accept, and oifgroup as well",
        )
    if not missing and not sources and not foreign:
        yield Finding("firewalls", OK, "no other firewall is in the way")


def kernel(roots: Roots) -> Iterator[Finding]:
    """What the kernel must have, and pressure information."""
    del roots
    try:
        with open("/proc/filesystems", encoding="ascii") as file:
            systems = file.read().split()
    except OSError:
        systems = []
    spaces = [
        name for name in ("mnt", "net", "pid", "uts", "ipc", "cgroup") if not os.path.exists(f"/proc/self/ns/{name}")
    ]
    release = os.uname().release
    overlay = "overlay" in systems or loads_by_itself("overlay", f"/lib/modules/{release}/modules.dep")
    if not overlay:
        yield Finding("kernel", BAD, f"{release} without overlay", "modprobe overlay")
    if spaces:
        yield Finding("kernel", BAD, f"{release} without the namespaces {', '.join(spaces)}")
    if overlay and not spaces:
        yield Finding("kernel", OK, release)
    if not os.path.exists("/proc/pressure/cpu"):
        yield Finding(
            "pressure", NOTE, "the kernel tells no pressure: `hyperbox project stats` has none", "boot with psi=1"
        )


def loads_by_itself(module: str, listed: str) -> bool:
    """Return whether the kernel can load a module when it is needed first: it is in the list that depmod(8) made, and modprobe is there."""
    try:
        with open(listed, encoding="utf-8", errors="replace") as file:
            there = any(line.partition(":")[0].rpartition("/")[2].startswith(f"{module}.ko") for line in file)
    except OSError:
        return False
    return there and process.find_program("modprobe") is not None


def criu(roots: Roots) -> Iterator[Finding]:
    """CRIU, which checkpoints would need."""
    del roots
    path = process.find_program("criu")
    yield Finding("criu", OK, path) if path else Finding("criu", NOTE, "not installed: only checkpoints need it")


def disk(roots: Roots) -> Iterator[Finding]:
    """Room in the data folder."""
    path = roots.data
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    text = f"{roots.data}: {free >> 20} MiB free"
    yield Finding("disk", OK, text) if free > 1 << 30 else Finding("disk", NOTE, text, "hyperbox system prune")


def configuration(roots: Roots) -> Iterator[Finding]:
    """The configuration files."""
    from hyperbox.cli import settings

    del roots
    settings.read()
    there = [path for path in settings.paths(os.environ) if os.path.exists(path)]
    yield Finding("configuration", OK, ", ".join(there) or "no file: the defaults hold")


def hosts(roots: Roots) -> Iterator[Finding]:
    """The hosts file: writable, and without blocks of projects that are gone."""
    from hyperbox.cli import settings
    from hyperbox.cli.project_change import stale_names
    from hyperbox.cli.project_place import remove_names
    from hyperbox.project import identity

    found = settings.values()
    path = str(found["hosts.file"])
    known = {str(record["Id"]) for record in identity.read_all(f"{roots.data}/projects")}
    for project_id in stale_names(known):
        yield Finding(
            "hosts", BAD, f"{path} names the project {project_id}, which is gone",
            mend=partial(remove_names, project_id),
        )  # fmt: skip
    if found["hosts.write"] and not os.access(path, os.W_OK):
        yield Finding("hosts", NOTE, f"{path} can't be written", "hyperbox config set hosts.write false")
    else:
        yield Finding("hosts", OK, path if found["hosts.write"] else "switched off")


def projects(roots: Roots) -> Iterator[Finding]:
    """The folders of all projects."""
    from hyperbox.project import identity

    records = identity.read_all(f"{roots.data}/projects")
    gone = [str(record["Id"]) for record in records if not os.path.isdir(str(record["Folder"]))]
    for project_id in gone:
        yield Finding(
            "projects", NOTE, f"the folder of {project_id} is gone",
            f"moved: hyperbox project adopt {project_id} FOLDER; deleted: hyperbox project rm -f {project_id}",
        )  # fmt: skip
    broken = identity.broken(f"{roots.data}/projects")
    for path in broken:
        yield Finding("projects", BAD, f"{path} is no record of a project", mend=partial(os.unlink, path))
    begun = files.claim_owner(f"{roots.data}/projects/renaming")
    if begun is not None:
        yield Finding(
            "projects", BAD, f"{begun.replace('/', ' was being renamed to ')} when the command was killed",
            mend=finish_renaming,
        )  # fmt: skip
    if not gone and not broken and begun is None:
        yield Finding("projects", OK, f"{len(records)} recorded")


def finish_renaming() -> None:
    """Finish what a killed `project rename` has begun. Raises HyperBoxError."""
    from hyperbox.cli.connect import native_engine
    from hyperbox.cli.project_rename import finish

    finish(native_engine())


def leases(roots: Roots) -> Iterator[Finding]:
    """Host ports for one more project."""
    from hyperbox.cli.project_settings import bounds
    from hyperbox.project import identity, ports

    records = identity.read_all(f"{roots.data}/projects")
    taken = [lease for record in records for lease in ports.leases_of(record)]
    lease = ports.choose_lease(taken, bounds())
    yield Finding("ports", OK, f"the next project leases {lease.start}-{lease.start + lease.size - 1}")


def leftovers(roots: Roots) -> Iterator[Finding]:
    """What crashes left."""
    from hyperbox.engine.leftovers import find

    found = find(roots) if os.geteuid() == 0 and os.path.isdir(roots.run) else []
    for each in found:
        yield Finding("leftovers", BAD, each.what, mend=each.remove)
    if not found:
        yield Finding("leftovers", OK, "none")
