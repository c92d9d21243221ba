"""A project's cgroup: its budget, kept over reboots, and its counters.

    DATA/budgets/PROJECT.json   the budget that `project_limit` was given: put in force by every start of a container of the project
    RUN/cgroup                  where systemd manages cgroups: symbolic link to the group in which those of projects are (`kernel.systemd`);
                                made by the first start after the machine's, so that one boot has one answer

A container's own limits lie below it, in the container's group. Hot paths use `create`: one open that finds nothing, as a rule.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.errors import EngineError
from hyperbox.kernel import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.state import Roots

    Json = dict[str, object]


def budget_path(roots: Roots, project: str) -> str:
    """Return the path of a project's budget. Raises EngineError for a name that is no project's."""
    if not project or "/" in project or project.startswith("."):
        raise EngineError(f"invalid project name: {project!r}")
    return f"{roots.data}/budgets/{project}.json"


def budget_of(roots: Roots, project: str) -> Json:
    """Return a project's budget; empty where it has none."""
    try:
        found = files.read_json(budget_path(roots, project))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def parent(roots: Roots) -> str:
    """Return the group in which those of projects are, beginning with "/"."""
    return f"/{(files.claim_owner(f'{roots.run}/cgroup') or roots.cgroup).strip('/')}"


def claim_parent(roots: Roots) -> str:
    """Return the same for those who will make a group in it: where systemd manages cgroups its scope is made if it is not there."""
    if not cgroups.is_v2():
        return parent(roots)
    from hyperbox.kernel import systemd

    path = files.claim_owner(f"{roots.run}/cgroup")
    if path is None and not systemd.manages():
        return parent(roots)
    path = path or systemd.scope_path(roots.cgroup)
    if not systemd.is_scope(path) or systemd.is_there(path):
        return path
    with files.Lock(f"{roots.run}/cgroup.lock"):
        why = "" if systemd.is_there(path) else systemd.start_scope(path)
        if why and files.claim_owner(f"{roots.run}/cgroup") is not None:
            # there was one before: containers may be in it
            raise EngineError(f"systemd did not make a scope for containers: {why}")
        # where systemd can't be asked we do without, as on a host that it does not manage; `hyperbox doctor` tells
        files.claim(f"{roots.run}/cgroup", parent(roots) if why else path)
    return parent(roots)


def leave_caller(roots: Roots) -> Callable[[], object]:
    """Begin to take this monitor out of the session or service of the command that started it, which may end and end all in it.

    Returns what waits until that is done; it does nothing where systemd does not manage cgroups.
    """
    if not cgroups.is_v2():
        return bool
    from hyperbox.kernel import systemd

    path = claim_parent(roots)
    return systemd.begin_move(path) if systemd.is_scope(path) else bool


def create(roots: Roots, project: str) -> None:
    """Make a project's cgroup with its budget in force. Raises EngineError, OSError."""
    cgroups.create_project(parent(roots), project, budget_of(roots, project))


def project_limit(roots: Roots, project: str, budget: Json) -> None:
    """See `engine.api.Engine.project_limit`."""
    path = budget_path(roots, project)
    wanted = with_device_numbers(budget)
    cgroups.check_budget(wanted, v2=cgroups.is_v2())
    before = budget_of(roots, project)
    if wanted == before:
        return
    place = parent(roots)
    if cgroups.exists(f"{place}/{project}"):
        try:
            cgroups.create_project(place, project, with_lifted(wanted, before))
        except EngineError:
            cgroups.create_project(place, project, with_lifted(before, wanted))
            raise
    if wanted:
        os.makedirs(os.path.dirname(path), 0o711, exist_ok=True)
        files.write_json(path, wanted, durable=True)
    else:
        files.remove_tree(path)


def with_lifted(wanted: Json, before: Json) -> Json:
    """Return a budget with None for each limit that was there before and is not any more. Pure."""
    lifted: Json = {key: wanted.get(key) for key in (*wanted, *before) if key != "io"}
    devices, old = wanted.get("io") or {}, before.get("io") or {}
    assert isinstance(devices, dict)
    assert isinstance(old, dict)
    if devices or old:
        lifted["io"] = {device: devices.get(device) for device in (*devices, *old)}
    return lifted


def with_device_numbers(budget: Json) -> Json:
    """Return a budget whose io devices are MAJOR:MINOR. Raises EngineError for a path that is no block device."""
    import stat

    limits = budget.get("io")
    if not isinstance(limits, dict):
        return {key: value for key, value in budget.items() if value is not None}
    found: Json = {}
    for device, values in limits.items():
        number = str(device)
        if number.startswith("/"):
            try:
                status = os.stat(number)
            except OSError as error:
                raise EngineError(f"the budget's io: {device}: {error.strerror}") from None
            if not stat.S_ISBLK(status.st_mode):
                raise EngineError(f"the budget's io: {device} is not a block device")
            number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        found[number] = values
    return {**{key: value for key, value in budget.items() if value is not None}, "io": found}


def project_stats(roots: Roots, project: str) -> Json:
    """See `engine.api.Engine.project_stats`."""
    from hyperbox.engine.stats import v1_counters, v2_counters

    path = f"{parent(roots)}/{project}"
    if not cgroups.exists(path):
        return {}
    v2 = cgroups.is_v2()
    counters = v2_counters(path) if v2 else v1_counters(path)
    cpu, memory, pids = (_part(counters, name) for name in ("cpu_stats", "memory_stats", "pids_stats"))
    entries = _part(counters, "blkio_stats").get("io_service_bytes_recursive")
    moved = {
        name: sum(int(each["value"]) for each in (entries if isinstance(entries, list) else ()) if each["op"] == name)
        for name in ("read", "write")
    }
    return {
        "cpu": _part(cpu, "cpu_usage").get("total_usage", 0),
        "memory": memory.get("usage", 0),
        "memory_limit": memory.get("limit", 0),
        "pids": pids.get("current", 0),
        "pids_limit": pids.get("limit", 0),
        "read": moved["read"],
        "written": moved["write"],
        "oom_kills": oom_kills(path, v2=v2),
        "pressure": {name: pressure(cgroups.read(f"{cgroups.ROOT}{path}/{name}.pressure")) for name in ("cpu", "memory", "io")}
        if v2
        else {},
    }  # fmt: skip


def _part(counters: Json, name: str) -> Json:
    value = counters.get(name)
    return value if isinstance(value, dict) else {}


def oom_kills(path: str, *, v2: bool) -> int:
    """Return how many processes the kernel killed in a group, and below it, for want of memory."""
    from hyperbox.engine.stats import pairs

    if v2:
        return pairs(cgroups.read(f"{cgroups.ROOT}{path}/memory.events")).get("oom_kill", 0)
    folders = [path, *(f"{path}/{name}" for name in cgroups.groups(path))]
    return sum(pairs(cgroups.read(f"{cgroups.ROOT}/memory{each}/memory.oom_control")).get("oom_kill", 0) for each in folders)  # fmt: skip


def pressure(text: str) -> dict[str, dict[str, float]]:
    """Return a pressure file (Documentation/accounting/psi.rst) as {"some": {"avg10": percent, …, "total": microseconds}, "full": …}. Pure."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        name, *fields = line.split()
        found[name] = {key: float(value) for key, _, value in (field.partition("=") for field in fields)}
    return found


def project_remove(roots: Roots, project: str) -> None:
    """See `engine.api.Engine.project_remove`."""
    files.remove_tree(budget_path(roots, project))
    cgroups.remove_project(parent(roots), project)
