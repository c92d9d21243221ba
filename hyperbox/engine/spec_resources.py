"""HostConfig's limits and devices to OCI `linux.resources` and `linux.devices`. Pure.

One form serves both versions of cgroups: the runtime translates it (shares to weight, memory+swap to swap alone).
"""

from __future__ import annotations

from hyperbox.errors import InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.spec_host import Host, Node

    Json = dict[str, object]

CPU_PERIOD = 100000  # microseconds

# kind, major, minor of the devices that every container may use: null zero full random urandom tty console ptmx pts
DEFAULT_DEVICES = (
    ("c", 1, 3),
    ("c", 1, 5),
    ("c", 1, 7),
    ("c", 1, 8),
    ("c", 1, 9),
    ("c", 5, 0),
    ("c", 5, 1),
    ("c", 5, 2),
    ("c", 136, None),
)


def number(value: object) -> int:
    """Return a JSON number as int; 0 for null."""
    return int(value) if isinstance(value, (int, float)) else 0


def resources(host_config: Json, host: Host) -> Json:
    """Return memory, cpu, pids and blockIO; a limit that is not set is left out, so that the parent's holds."""
    result: Json = {}
    for key, value in (
        ("memory", memory(host_config)),
        ("cpu", cpu(host_config)),
        ("pids", pids(host_config)),
        ("blockIO", block_io(host_config, host.devices)),
    ):
        if value:
            result[key] = value
    return result


def memory(host_config: Json) -> Json:
    """Return `memory`. Sizes are bytes; swap means memory and swap together and is twice the memory unless given."""
    result: Json = {}
    limit, swap = number(host_config.get("Memory")), number(host_config.get("MemorySwap"))
    if limit > 0:
        result["limit"] = limit
        result["swap"] = swap if swap != 0 else limit * 2
    elif swap:
        result["swap"] = swap
    if number(host_config.get("MemoryReservation")) > 0:
        result["reservation"] = host_config["MemoryReservation"]
    swappiness = host_config.get("MemorySwappiness")
    if isinstance(swappiness, int) and swappiness >= 0:
        result["swappiness"] = swappiness
    if host_config.get("OomKillDisable"):
        result["disableOOMKiller"] = True
    return result


def cpu(host_config: Json) -> Json:
    """Return `cpu`; NanoCpus (billionths of a CPU) become a quota in a period of 100 ms."""
    result: Json = {}
    nano = number(host_config.get("NanoCpus"))
    if nano > 0:
        result["quota"] = nano * CPU_PERIOD // 10**9
        result["period"] = CPU_PERIOD
    for key, name in (
        ("CpuShares", "shares"),
        ("CpuQuota", "quota"),
        ("CpuPeriod", "period"),
        ("CpuRealtimePeriod", "realtimePeriod"),
        ("CpuRealtimeRuntime", "realtimeRuntime"),
    ):
        if number(host_config.get(key)):
            result[name] = number(host_config[key])
    for key, name in (("CpusetCpus", "cpus"), ("CpusetMems", "mems")):
        if host_config.get(key):
            result[name] = str(host_config[key])
    return result


def pids(host_config: Json) -> Json:
    """Return `pids`; 0 and -1 mean no limit."""
    limit = number(host_config.get("PidsLimit"))
    return {"limit": limit} if limit > 0 else {}


BLOCK_IO = (
    ("BlkioDeviceReadBps", "throttleReadBpsDevice"),
    ("BlkioDeviceWriteBps", "throttleWriteBpsDevice"),
    ("BlkioDeviceReadIOps", "throttleReadIOPSDevice"),
    ("BlkioDeviceWriteIOps", "throttleWriteIOPSDevice"),
)


def block_io(host_config: Json, numbers: dict[str, Node]) -> Json:
    """Return `blockIO`; `numbers` says which device each path is (see `Host.devices`)."""
    result: Json = {}
    if number(host_config.get("BlkioWeight")):
        result["weight"] = number(host_config["BlkioWeight"])
    for key, name, field, target in (
        ("BlkioWeightDevice", "weightDevice", "Weight", "weight"),
        *((key, name, "Rate", "rate") for key, name in BLOCK_IO),
    ):
        entries = host_config.get(key)
        if not isinstance(entries, list) or not entries:
            continue
        rows = []
        for entry in entries:
            _, major, minor, *_ = numbers.get(str(entry["Path"]), ("b", 0, 0, 0, 0, 0))
            rows.append({"major": major, "minor": minor, target: number(entry[field])})
        result[name] = rows
    return result


def device_rules(host_config: Json, host: Host) -> list[Json]:
    """Return the device cgroup's rules: nothing but the default devices, those asked for, and the user's rules."""
    if host_config.get("Privileged"):
        return [{"allow": True, "access": "rwm"}]
    rules: list[Json] = [{"allow": False, "access": "rwm"}]
    for kind, major, minor in DEFAULT_DEVICES:
        rule: Json = {"allow": True, "type": kind, "major": major, "access": "rwm"}
        if minor is not None:
            rule["minor"] = minor
        rules.append(rule)
    for path, _, access in asked_devices(host_config, host):
        kind, major, minor, *_ = host.devices[path]
        if access:
            rules.append({"allow": True, "type": kind, "major": major, "minor": minor, "access": access})
    for text in _texts(host_config.get("DeviceCgroupRules")):
        rules.append(parse_device_rule(text))
    return rules


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def parse_device_rule(text: str) -> Json:
    """Return a rule such as "c 42:* rmw" as OCI's object. Raises InvalidParameter with docker's words."""
    kind, _, rest = text.partition(" ")
    numbers, _, access = rest.partition(" ")
    major, _, minor = numbers.partition(":")
    valid = kind in ("a", "b", "c") and access and not access.strip("rwm") and len(access) <= 3
    if not valid or not all(part == "*" or part.isdigit() for part in (major, minor)):
        raise InvalidParameter(f"invalid device cgroup rule format: '{text}'")
    rule: Json = {"allow": True, "type": kind, "access": access}
    for name, part in (("major", major), ("minor", minor)):
        if part != "*":
            rule[name] = int(part)
    return rule


def asked_devices(host_config: Json, host: Host) -> list[tuple[str, str, str]]:
    """Return (path on the host, path in the container, access) of every device node; a folder stands for all in it."""
    result = []
    entries = host_config.get("Devices")
    for entry in entries if isinstance(entries, list) else ():
        source, target = str(entry["PathOnHost"]), str(entry.get("PathInContainer") or entry["PathOnHost"])
        access = "".join(letter for letter in str(entry.get("CgroupPermissions") or "rwm") if letter in "rwm")
        if source in host.devices:
            result.append((source, target, access))
            continue
        prefix = source.rstrip("/") + "/"
        result += [(path, target + path[len(source) :], access) for path in host.devices if path.startswith(prefix)]
    return result


def devices(host_config: Json, host: Host) -> list[Json]:
    """Return `linux.devices`: those asked for, or all of the host's for a privileged container."""
    if host_config.get("Privileged"):
        rows = [(path, path, "rwm") for path in host.devices]
        own = {path for path, _, _ in rows}
        rows += [row for row in asked_devices(host_config, host) if row[1] not in own]
    else:
        rows = asked_devices(host_config, host)
    result: list[Json] = []
    for source, target, _ in rows:
        kind, major, minor, mode, owner, group = host.devices[source]
        node = {"path": target, "type": kind, "major": major, "minor": minor, "fileMode": mode}
        result.append({**node, "uid": owner, "gid": group})
    return result
