"""Control groups: where they lie, a project's budget, a container's counters; v2, and v1 on hybrid hosts.

A container's group is PARENT/PROJECT/ID below every hierarchy. On v2 the controllers are handed down from the root to the
project's group, which holds no process itself (no-internal-process rule). See cgroups(7) and the kernel's
Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.errors import EngineError
from hyperbox.files import subfolders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "/sys/fs/cgroup"
CPU_PERIOD = 100000  # microseconds


def is_v2() -> bool:
    """Return whether the unified hierarchy alone is mounted."""
    return os.path.exists(f"{ROOT}/cgroup.controllers")


def container_path(parent: str, project: str, container_id: str) -> str:
    """Return a container's cgroup path, beginning with "/"."""
    return f"/{parent.strip('/')}/{project}/{container_id}"


def hierarchies() -> list[str]:
    """Return the folders in which this machine's hierarchies are mounted: one on v2, one a controller on v1."""
    if is_v2():
        return [ROOT]
    device = os.lstat(ROOT).st_dev
    with os.scandir(ROOT) as entries:
        return [
            entry.path
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_dev != device
        ]


def v1_controllers() -> list[str]:
    """Return the controllers of the v1 hierarchies that are active, mounted here or not ("cpu,cpuacct" is one)."""
    with open("/proc/self/cgroup", "rb") as file:
        rows = [line.decode().split(":", 2)[1] for line in file]
    return [row.removeprefix("name=") for row in rows if row]


def mend_hierarchies() -> None:
    """Show the OCI runtime the v1 hierarchies as it wants them; for a private mount namespace only. Does nothing on v2.

    On a hybrid host crun refuses a v2 hierarchy that holds controllers, beside those of v1: it is hidden from it. Active v1 hierarchies that
    are not mounted are mounted.
    """
    if is_v2():
        return
    hide_unified()
    mount_missing_hierarchies()


def hide_unified() -> None:
    """Lay a file system that is not cgroup2's, which is what runtimes look at, over the v2 hierarchy of a hybrid host, if that has controllers.

    The host's own mount and the controllers stay as they are. Mounting those controllers as v1 hierarchies instead would take them from the
    whole machine. crun makes folders and plain files there, so it is a new tmpfs that goes with this mount namespace.
    """
    from hyperbox.kernel import syscalls

    if read(f"{ROOT}/unified/cgroup.controllers"):
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("tmpfs", f"{ROOT}/unified", "tmpfs", flags, "mode=755,size=1m")


def mount_missing_hierarchies() -> None:
    """Mount the active v1 hierarchies that are not mounted.

    A v1 hierarchy becomes active for the whole machine as soon as anyone mounts it, in any namespace (a Docker Engine beside us
    does). crun then expects it at /sys/fs/cgroup/NAME and would write plain files into the folder if it were not there. The
    folder itself is never changed, since its tmpfs is the host's: a new tmpfs is laid over it and the hierarchies are bound in.
    """
    device = os.lstat(ROOT).st_dev
    missing = []
    for name in v1_controllers():
        try:
            mounted = os.stat(f"{ROOT}/{name}").st_dev != device
        except FileNotFoundError:
            mounted = False
        if not mounted:
            missing.append(name)
    if missing:
        _lay_over(missing, device)


def _lay_over(missing: list[str], device: int) -> None:
    from hyperbox.kernel import syscalls

    kept, links = {}, {}
    with os.scandir(ROOT) as entries:
        for entry in entries:
            if entry.is_symlink():
                links[entry.name] = os.readlink(entry.path)
            elif entry.stat(follow_symlinks=False).st_dev != device:
                kept[entry.name] = os.open(entry.path, os.O_PATH | os.O_CLOEXEC)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("tmpfs", ROOT, "tmpfs", flags, "mode=755")
    for name, descriptor in kept.items():
        os.mkdir(f"{ROOT}/{name}", 0o755)
        syscalls.mount(f"/proc/self/fd/{descriptor}", f"{ROOT}/{name}", "", syscalls.MS_BIND)
        os.close(descriptor)
    for name, target in links.items():
        os.symlink(target, f"{ROOT}/{name}")
    for name in missing:
        os.mkdir(f"{ROOT}/{name}", 0o755)
        syscalls.mount("cgroup", f"{ROOT}/{name}", "cgroup", flags, name)


def write(path: str, value: str) -> None:
    """Write one value into a control file. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def read(path: str) -> str:
    """Return a control file's content without the last newline; "" where it is not there."""
    try:
        return files.read_text(path).rstrip("\n")
    except OSError:
        return ""


def delegate(path: str) -> None:
    """Hand down all controllers from the root to the children of `path` (v2; relative to the root, beginning with "/").

    Makes the groups on the way. What is above a scope of systemd's is left alone, which has handed down to it. Raises OSError.
    """
    folder, above = ROOT, path.rpartition(".scope/")[0]
    if above:
        folder, path = f"{ROOT}{above}.scope", path[len(above) + len(".scope") :]
    for name in ["", *path.strip("/").split("/")]:
        if name:
            folder += f"/{name}"
            try:
                os.mkdir(folder, 0o755)
            except FileExistsError:
                pass
        wanted = set(read(f"{folder}/cgroup.controllers").split()) - set(
            read(f"{folder}/cgroup.subtree_control").split()
        )
        for controller in sorted(wanted):
            try:
                write(f"{folder}/cgroup.subtree_control", f"+{controller}")
            except OSError as error:
                # a controller may be in use in another way (rt tasks in cpu, threaded groups): the others are still handed down
                if error.errno not in (16, 22, 95):
                    raise


# budget key -> v2 file, its value for no limit; v1 controller, file, its value for no limit
BUDGET_FILES = {
    "memory": ("memory.max", "max", "memory", "memory.limit_in_bytes", "-1"),
    "memory_high": ("memory.high", "max", "", "", ""),
    "pids": ("pids.max", "max", "pids", "pids.max", "max"),
    "cpu_weight": ("cpu.weight", "100", "cpu", "cpu.shares", "1024"),
}
IO_LIMITS = ("rbps", "wbps", "riops", "wiops")
# what v1 can't do for a whole project
V2_ONLY = {
    # memory.soft_limit_in_bytes only chooses whose memory is reclaimed once the whole machine is short of it
    "memory_high": "cgroup v1 has no limit that slows a group down",
    # blkio.throttle.* is flat without the unified hierarchy (block/blk-throttle.c, throtl_pd_init): groups below one are not in its limit
    "io": "cgroup v1 limits the input and output of each container by itself only",
}


def check_budget(budget: Mapping[str, object], *, v2: bool) -> None:
    """Raise EngineError for a limit that this version of cgroups has not. Pure."""
    for key, why in V2_ONLY.items():
        if budget.get(key) and not v2:
            raise EngineError(f"the budget's {key} needs cgroup v2: {why}")


def budget_writes(folder: str, budget: Mapping[str, object], *, v2: bool) -> list[tuple[str, str]]:
    """Return the (file, value) pairs that put a project's budget in force; a key whose value is None takes its limit away.

    Keys: cpus (CPUs, a number), memory and memory_high (bytes), pids, cpu_weight (1-10000), io ({"MAJOR:MINOR": {"rbps": …,
    "wbps", "riops", "wiops"} or None}).
    `folder` is the project's path below each hierarchy. Pure.
    """
    writes = []
    for key, (file, unlimited, controller, old_file, old_unlimited) in BUDGET_FILES.items():
        if key not in budget or not (v2 or controller):
            continue
        value = budget[key]
        if value is None:
            value = unlimited if v2 else old_unlimited
        elif key == "cpu_weight" and not v2:
            assert isinstance(value, int)
            value = max(2, value * 1024 // 100)
        writes.append((f"{ROOT}{folder}/{file}" if v2 else f"{ROOT}/{controller}{folder}/{old_file}", str(value)))
    if "cpus" in budget:
        cpus = budget["cpus"]
        quota = -1 if cpus is None else max(1000, int(float(str(cpus)) * CPU_PERIOD))
        if v2:
            writes.append((f"{ROOT}{folder}/cpu.max", f"{'max' if quota < 0 else quota} {CPU_PERIOD}"))
        else:
            writes += [
                (f"{ROOT}/cpu{folder}/cpu.cfs_period_us", str(CPU_PERIOD)),
                (f"{ROOT}/cpu{folder}/cpu.cfs_quota_us", str(quota)),
            ]
    limits = budget.get("io")
    for device, values in limits.items() if isinstance(limits, dict) and v2 else ():
        words = " ".join(f"{key}={(values or {}).get(key) or 'max'}" for key in IO_LIMITS)
        writes.append((f"{ROOT}{folder}/io.max", f"{device} {words}"))
    return writes


def create_project(parent: str, project: str, budget: Mapping[str, object] | None = None) -> None:
    """Make a project's cgroup, with the controllers handed down and its budget in force; may be done again with another budget.

    Raises EngineError where a limit of the budget can't be set.
    """
    folder = f"/{parent.strip('/')}/{project}"
    v2 = is_v2()
    check_budget(budget or {}, v2=v2)
    if v2:
        delegate(folder)
    else:
        for hierarchy in hierarchies():
            _make_group(hierarchy + folder)
            _inherit_cpuset(hierarchy, folder)
    for file, value in budget_writes(folder, budget or {}, v2=v2):
        try:
            write(file, value)
        except OSError as error:
            raise EngineError(
                f"project {project}: {os.path.basename(file)} can't be set to {value}: {error.strerror}"
            ) from None


def _make_group(folder: str) -> None:
    """Make a group and those above it; one that is there, as a rule, costs one system call."""
    try:
        os.mkdir(folder, 0o755)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(folder, 0o755, exist_ok=True)


def _inherit_cpuset(hierarchy: str, folder: str) -> None:
    """Give the groups on the way the parent's CPUs and memory nodes: a v1 cpuset group begins with none and takes no process."""
    if os.path.basename(hierarchy) != "cpuset" or read(f"{hierarchy}{folder}/cpuset.mems"):  # written last
        return
    path = hierarchy
    for name in folder.strip("/").split("/"):
        above, path = path, f"{path}/{name}"
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not read(f"{path}/{file}"):
                write(f"{path}/{file}", read(f"{above}/{file}"))


def exists(path: str) -> bool:
    """Return whether a group is there in any hierarchy."""
    return any(os.path.isdir(hierarchy + path) for hierarchy in hierarchies())


def groups(path: str) -> list[str]:
    """Return the names of the groups directly below one, over all hierarchies, sorted."""
    found: set[str] = set()
    for hierarchy in hierarchies():
        found.update(subfolders(hierarchy + path))
    return sorted(found)


def remove_project(parent: str, project: str) -> None:
    """Remove a project's cgroup where nothing is in it any more; one that is in use stays. Idempotent."""
    for hierarchy in hierarchies():
        for folder in (f"{hierarchy}/{parent.strip('/')}/{project}", f"{hierarchy}/{parent.strip('/')}"):
            try:
                os.rmdir(folder)
            except OSError:
                break


def remove_group(path: str) -> None:
    """Remove a container's group in every hierarchy, groups below it first; what holds processes stays. Idempotent."""
    for hierarchy in hierarchies():
        _remove_tree(hierarchy + path)


def _remove_tree(folder: str) -> None:
    try:
        with os.scandir(folder) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for child in children:
        _remove_tree(child)
    try:
        os.rmdir(folder)
    except OSError:
        return


def killed_for_memory(path: str) -> bool:
    """Return whether the kernel killed something in a group for want of memory, since the group was made."""
    name = f"{path}/memory.events" if is_v2() else f"/memory{path}/memory.oom_control"
    for line in read(ROOT + name).splitlines():
        key, _, count = line.partition(" ")
        if key == "oom_kill":
            return count != "0"
    return False


def processes(path: str) -> list[int]:
    """Return the pids in a group and all below it, in ascending order."""
    # where the unified hierarchy is hidden (`hide_unified`) a runtime makes plain folders, and files that say nothing, in its place
    trees = [tree for tree in hierarchies() if os.path.exists(f"{tree}/cgroup.procs")]
    folder = next((tree + path for tree in trees if os.path.isdir(tree + path)), "")
    pids: list[int] = []
    for current, _, names in os.walk(folder) if folder else ():
        if "cgroup.procs" in names:
            pids += map(int, read(f"{current}/cgroup.procs").split())
    return sorted(set(pids))
