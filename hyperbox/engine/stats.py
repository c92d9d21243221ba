"""What a container uses and which processes it runs: `container_stats` and `container_top`, from the cgroup files and proc(5).

Counters of cgroup v1 and v2 have the shape of the Engine API's ContainerStats; times are in nanoseconds.
"""

from __future__ import annotations

import os

from hyperbox import process
from hyperbox.engine.events import emit
from hyperbox.engine.state import NEVER, find_container, now
from hyperbox.errors import Conflict, EngineError, InvalidParameter
from hyperbox.kernel import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]

TICKS = os.sysconf("SC_CLK_TCK")
UNLIMITED = 1 << 62  # cgroup v1 writes "no limit" as a number about that large
BLKIO_V2 = (("rbytes", "read"), ("wbytes", "write"))


# --- top ----------------------------------------------------------------------------------------------------------------------
def container_top(roots: Roots, reference: str, ps_args: str = "-ef") -> Json:
    """See `engine.api.Engine.container_top`: the machine's ps(1), of which the container's own processes are kept."""
    container = find_container(roots, reference)
    if container.status == "restarting":
        raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
    if container.status not in ("running", "paused"):
        raise Conflict(f"container {container.id} is not running")
    import re

    for name, value in re.findall(r"\s+(\S*)=\s*(PID\S*)", ps_args):
        if name != "pid":  # the column of pids could not be found then
            raise InvalidParameter(f'specifying "{name}={value}" is not allowed')
    words, pids = ps_args.split(), container_pids(roots, container)
    try:
        finished = process.run(["ps", *words, "-q" + ",".join(map(str, pids))], timeout=20)
        if finished.code != 0:  # some options don't go with -q
            finished = process.run(["ps", *words], timeout=20)
    except FileNotFoundError:
        raise EngineError("ps: executable file not found in $PATH") from None
    if finished.code != 0:
        reason = finished.err.decode(errors="replace").partition("\n")[0]
        raise EngineError(f"ps: {reason or f'exit status {finished.code}'}")
    processes = of_processes(finished.out.decode(errors="replace"), set(pids))
    emit(roots, "top", container)
    return processes


def of_processes(output: str, pids: set[int]) -> Json:
    """Return ps's titles and the lines of those processes, split at white space; the last column keeps its own."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise EngineError("Couldn't find PID field in ps output")
    place = titles.index("PID")
    rows = []
    for line in lines[1:]:
        fields = line.split()
        if len(fields) <= place or not fields[place].isdigit() or int(fields[place]) not in pids:
            continue
        rows.append([*fields[: len(titles) - 1], " ".join(fields[len(titles) - 1 :])])
    return {"Titles": titles, "Processes": rows}


def container_pids(roots: Roots, container: Container) -> list[int]:
    """Return the pids of all processes in a container, as this process sees them."""
    found = cgroups.processes(cgroup_of(roots, container))
    return found or ([container.pid] if container.pid else [])


def cgroup_of(roots: Roots, container: Container) -> str:
    """Return a container's cgroup path."""
    from hyperbox.engine.monitor_setup import cgroup_path

    return cgroup_path(roots, container)


# --- stats --------------------------------------------------------------------------------------------------------------------
def container_stats(roots: Roots, reference: str) -> Json:
    """See `engine.api.Engine.container_stats`; of a container that does not run only the names are filled in."""
    container = find_container(roots, reference)
    sample: Json = {
        "read": NEVER,
        "preread": NEVER,
        "pids_stats": {},
        "blkio_stats": dict.fromkeys(BLKIO_KEYS),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": {},
        "precpu_stats": {},
        "memory_stats": {},
        "name": container.name if container.name.startswith("/") else f"/{container.name}",
        "id": container.id,
    }
    if container.status not in ("running", "paused"):
        return sample
    path = cgroup_of(roots, container)
    counters = v2_counters(path) if cgroups.is_v2() else v1_counters(path)
    return {**sample, **counters, "read": now(), "networks": interfaces(container.pid)}


BLKIO_KEYS = (
    "io_service_bytes_recursive",
    "io_serviced_recursive",
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def pairs(text: str) -> dict[str, int]:
    """Return a control file of "key value" lines as a dict."""
    output = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        output[key] = _number(value.strip())
    return output


def system_cpu() -> int:
    """Return the time that all CPUs have spent since boot, in nanoseconds (proc(5), /proc/stat)."""
    with open("/proc/stat", "rb") as file:
        fields = file.readline().split()
    return sum(int(field) for field in fields[1:8]) * 1_000_000_000 // TICKS


def memory_limit(value: str) -> int:
    """Return a limit in bytes; the machine's memory where there is none."""
    limit = _number(value)
    if limit and limit < UNLIMITED:
        return limit
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def cpu_stats(total: int, kernel: int, user: int, throttled: dict[str, int], throttled_time: int) -> Json:
    """Return the API's cpu_stats."""
    return {
        "cpu_usage": {"total_usage": total, "usage_in_kernelmode": kernel, "usage_in_usermode": user},
        "system_cpu_usage": system_cpu(),
        "online_cpus": os.cpu_count() or 1,
        "throttling_data": {
            "periods": throttled.get("nr_periods", 0),
            "throttled_periods": throttled.get("nr_throttled", 0),
            "throttled_time": throttled_time,
        },
    }


def v2_counters(path: str) -> Json:
    """Return a group's counters on the unified hierarchy (cgroup-v2.rst)."""
    folder = cgroups.ROOT + path
    cpu = pairs(cgroups.read(f"{folder}/cpu.stat"))
    used = cpu_stats(
        cpu.get("usage_usec", 0) * 1000,
        cpu.get("system_usec", 0) * 1000,
        cpu.get("user_usec", 0) * 1000,
        cpu,
        cpu.get("throttled_usec", 0) * 1000,
    )
    entries: list[Json] = []
    for line in cgroups.read(f"{folder}/io.stat").splitlines():
        device, *fields = line.split()
        major, _, minor = device.partition(":")
        values = dict(field.split("=", 1) for field in fields if "=" in field)
        for key, operation in BLKIO_V2:
            entries.append(
                {
                    "major": _number(major),
                    "minor": _number(minor),
                    "op": operation,
                    "value": _number(values.get(key, "")),
                }
            )
    return {
        "pids_stats": {
            "current": _number(cgroups.read(f"{folder}/pids.current")),
            "limit": pids_limit(cgroups.read(f"{folder}/pids.max")),
        },
        "cpu_stats": used,
        "memory_stats": {
            "usage": _number(cgroups.read(f"{folder}/memory.current")),
            "stats": pairs(cgroups.read(f"{folder}/memory.stat")),
            "limit": memory_limit(cgroups.read(f"{folder}/memory.max")),
        },
        "blkio_stats": {**dict.fromkeys(BLKIO_KEYS), "io_service_bytes_recursive": entries},
    }


def v1_counters(path: str) -> Json:
    """Return a group's counters on the hierarchies of cgroup v1."""

    def read(controller: str, file: str) -> str:
        return cgroups.read(f"{cgroups.ROOT}/{controller}{path}/{file}")

    kernel_and_user = pairs(read("cpuacct", "cpuacct.stat"))
    throttled = pairs(read("cpu", "cpu.stat"))
    used = cpu_stats(
        _number(read("cpuacct", "cpuacct.usage")),
        kernel_and_user.get("system", 0) * 1_000_000_000 // TICKS,
        kernel_and_user.get("user", 0) * 1_000_000_000 // TICKS,
        throttled,
        throttled.get("throttled_time", 0),
    )
    entries: list[Json] = []
    text = read("blkio", "blkio.throttle.io_service_bytes_recursive") or read(
        "blkio", "blkio.throttle.io_service_bytes"
    )
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3:
            major, _, minor = fields[0].partition(":")
            entries.append(
                {"major": _number(major), "minor": _number(minor), "op": fields[1].lower(), "value": _number(fields[2])}
            )
    return {
        "pids_stats": {
            "current": _number(read("pids", "pids.current")),
            "limit": pids_limit(read("pids", "pids.max")),
        },
        "cpu_stats": used,
        "memory_stats": {
            "usage": _number(read("memory", "memory.usage_in_bytes")),
            "max_usage": _number(read("memory", "memory.max_usage_in_bytes")),
            "stats": pairs(read("memory", "memory.stat")),
            "limit": memory_limit(read("memory", "memory.limit_in_bytes")),
        },
        "blkio_stats": {**dict.fromkeys(BLKIO_KEYS), "io_service_bytes_recursive": entries},
    }


def pids_limit(text: str) -> int:
    """Return pids.max; no limit is the largest number, as in the API."""
    return _number(text) if text.isdigit() else (1 << 64) - 1


def interfaces(pid: int) -> Json:
    """Return the counters of a process's network interfaces but loopback (proc(5), /proc/PID/net/dev)."""
    output: Json = {}
    try:
        with open(f"/proc/{pid}/net/dev", encoding="utf-8") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return output
    names = ("bytes", "packets", "errors", "dropped")
    for line in lines:
        name, _, rest = line.partition(":")
        fields = [_number(field) for field in rest.split()]
        if name.strip() == "lo" or len(fields) < 12:
            continue
        received = {f"rx_{key}": fields[place] for place, key in enumerate(names)}
        sent = {f"tx_{key}": fields[8 + place] for place, key in enumerate(names)}
        output[name.strip()] = {**received, **sent}
    return output
