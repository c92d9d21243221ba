"""HostConfig as the Docker Engine takes it when it makes a container: checked against itself and this machine, and settled.

What the machine can't honour is refused, or left out with a warning, in docker's words and in docker's order. Nothing is made here.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.errors import InvalidParameter, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Roots

    Json = dict[str, object]

# keys that need nothing of this module: what a plain `run` sets
PLAIN = frozenset(
    {"RestartPolicy", "NetworkMode", "AutoRemove", "Binds", "LogConfig", "ContainerIDFile", "PortBindings", "Init"}
)
SMALLEST_MEMORY = 6 << 20  # bytes
BLKIO = "/sys/fs/cgroup/blkio"
SECURITY_KEYS = frozenset({"label", "apparmor", "seccomp", "no-new-privileges", "writable-cgroups"})
UNDEFINED = "This would result in undefined behavior"


def settle(roots: Roots, config: Json, given: Json) -> tuple[Json, list[str]]:
    """Return HostConfig as docker keeps it, and warnings. `config` is the user's own. Raises InvalidParameter, NotFound."""
    mode = str(given.get("NetworkMode") or "default")
    if PLAIN.issuperset(given) and mode != "host" and not mode.startswith("container:"):
        return given, []
    host = {**given}
    warnings: list[str] = []
    check_modes(config, host, warnings)
    check_names(host)
    check_memory(host, warnings)
    check_cpu(host, warnings)
    check_cpusets(host)
    check_block_io(host, warnings)
    check_other(host)
    check_runtime(host)
    join_others(roots, host)
    settle_security(host)
    if host.get("Mounts"):
        host["Mounts"] = [labelled_mount(mount) for mount in objects(host["Mounts"])]
    return host, warnings


def check_limits(host: Json) -> list[str]:
    """Check the limits of an update, take out what this machine can't honour, and return warnings. Raises InvalidParameter."""
    from hyperbox.engine import merge_config

    warnings: list[str] = []
    merge_config.check_memory(host, update=True)
    check_memory(host, warnings)
    check_cpu(host, warnings)
    check_cpusets(host)
    check_block_io(host, warnings)
    return warnings


def number(value: object) -> int:
    """Return a number of HostConfig; 0 for null."""
    return int(value) if isinstance(value, (int, float)) else 0


def texts(value: object) -> list[str]:
    """Return a list of HostConfig as strings; null is an empty one."""
    return [str(item) for item in value] if isinstance(value, list) else []


def objects(value: object) -> list[Json]:
    """Return a list of objects; null is an empty one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# --- modes --------------------------------------------------------------------------------------------------------------------
def check_modes(config: Json, host: Json, warnings: list[str]) -> None:
    """Raise InvalidParameter where namespaces and what is asked of them don't go together."""
    network = str(host.get("NetworkMode") or "")
    joined = network.startswith("container:")
    conflicts = (
        (joined and config.get("Hostname"), "hostname and the network mode"),
        (host.get("UTSMode") == "host" and config.get("Hostname"), "hostname and the UTS mode"),
        (network == "host" and host.get("Links"), f"host type networking can't be used with links. {UNDEFINED}"),
        (joined and host.get("Links"), f"container type network can't be used with links. {UNDEFINED}"),
        (joined and host.get("Dns"), "dns and the network mode"),
        (joined and host.get("ExtraHosts"), "custom host-to-IP mapping and the network mode"),
        (
            joined and (host.get("PortBindings") or host.get("PublishAllPorts")),
            "port publishing and the container type network mode",
        ),
        (joined and config.get("ExposedPorts"), "port exposing and the container type network mode"),
    )
    for holds, words in conflicts:
        if holds:
            raise InvalidParameter(f"conflicting options: {words}")
    if network == "host" and host.get("PortBindings"):
        warnings.append("Published ports are discarded when using host network mode")
    ipc = str(host.get("IpcMode") or "")
    if ipc not in ("", "private", "shareable", "host", "none") and not ipc.startswith("container:"):
        raise InvalidParameter(f"invalid IPC mode: {ipc}")
    pid = str(host.get("PidMode") or "")
    if pid not in ("", "host") and not pid.startswith("container:"):
        raise InvalidParameter(f"invalid PID mode: {pid}")
    for key, word, modes in (
        ("UTSMode", "UTS", ("", "host")),
        ("UsernsMode", "user namespace", ("", "host")),
        ("CgroupnsMode", "cgroup namespace", ("", "host", "private")),
    ):
        if str(host.get(key) or "") not in modes:
            raise InvalidParameter(f"invalid {word} mode: {host[key]}")
    isolation = str(host.get("Isolation") or "")
    if isolation.lower() not in ("", "default"):
        raise InvalidParameter(f"invalid isolation ({isolation}): linux only supports 'default'")


def check_names(host: Json) -> None:
    """Raise InvalidParameter for a capability or a tmpfs path that can't be."""
    from hyperbox.engine.spec import capability_name
    from hyperbox.engine.spec_host import CAPABILITIES

    known = {f"CAP_{name}" for name in CAPABILITIES.split()} | {"ALL"}
    for key in ("CapAdd", "CapDrop"):
        for name in map(capability_name, texts(host.get(key))):
            if name not in known:
                raise InvalidParameter(f'invalid {key}: unknown capability: "{name}"')
    tmpfs = host.get("Tmpfs")
    for path in tmpfs if isinstance(tmpfs, dict) else ():
        if not str(path).startswith("/"):
            raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")


def check_runtime(host: Json) -> None:
    """Raise InvalidParameter for a runtime that there is not."""
    from hyperbox.runtime.adapters import API_NAMES, KINDS

    runtime = str(host.get("Runtime") or "")
    if API_NAMES.get(runtime, runtime) not in ("", *KINDS):
        raise InvalidParameter(f"unknown or invalid runtime name: {runtime}")


def check_drivers(host: Json) -> None:
    """Raise InvalidParameter or NotFound for what docker refuses once it knows what the container is to run."""
    driver = str(host.get("VolumeDriver") or "local")
    if driver != "local":
        raise NotFound(f'error looking up volume plugin {driver}: plugin "{driver}" not found')
    if host.get("StorageOpt"):
        raise InvalidParameter("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")


def labelled_mount(mount: Json) -> Json:
    """Return a mount whose volume has labels and no name with docker's label of such volumes among them."""
    options = mount.get("VolumeOptions")
    if (
        mount.get("Type") != "volume"
        or mount.get("Source")
        or not isinstance(options, dict)
        or not options.get("Labels")
    ):
        return mount
    return {**mount, "VolumeOptions": {**options, "Labels": {**options["Labels"], "com.docker.volume.anonymous": ""}}}


# --- limits -------------------------------------------------------------------------------------------------------------------
def check_memory(host: Json, warnings: list[str]) -> None:
    """Raise InvalidParameter for limits of memory that contradict each other; `merge_config.check` has seen the limit and swap."""
    memory, reservation = number(host.get("Memory")), number(host.get("MemoryReservation"))
    swappiness = host.get("MemorySwappiness")
    if isinstance(swappiness, int):
        if swappiness == -1:
            host["MemorySwappiness"] = None
        elif not 0 <= swappiness <= 100:
            raise InvalidParameter(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    if 0 < reservation < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if 0 < memory < reservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    if host.get("OomKillDisable") and not memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    if isinstance(host.get("PidsLimit"), int) and number(host["PidsLimit"]) <= 0:
        host["PidsLimit"] = None


def check_cpu(host: Json, warnings: list[str]) -> None:
    """Raise InvalidParameter for shares of the processors that can't be given."""
    if number(host.get("CpuPercent")):
        warnings.append("linux does not support CPU percent. Percent discarded.")
        host["CpuPercent"] = 0
    nano, period, quota = (number(host.get(key)) for key in ("NanoCpus", "CpuPeriod", "CpuQuota"))
    if nano > 0 and period > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if nano > 0 and quota > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    count = os.cpu_count() or 1
    if nano < 0 or nano > count * 10**9:
        raise InvalidParameter(f"range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")
    if period and not 1000 <= period <= 1000000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    shares = number(host.get("CpuShares"))
    if shares < 0:
        raise InvalidParameter(f"invalid CPU shares ({shares}): value must be a positive integer")


def check_cpusets(host: Json) -> None:
    """Raise InvalidParameter for processors or memory nodes that this machine has not."""
    for key, path, word, plural in (
        ("CpusetCpus", "/sys/devices/system/cpu/online", "cpuset cpus", "CPUs"),
        ("CpusetMems", "/sys/devices/system/node/online", "cpuset mems", "memory nodes"),
    ):
        wanted = str(host.get(key) or "")
        if not wanted:
            continue
        try:
            numbers = range_list(wanted)
        except ValueError as error:
            raise InvalidParameter(f"Invalid value {wanted} for {word}: {error}") from None
        try:
            available = files.read_text(path).strip()
        except OSError:
            available = "0"
        if not numbers <= range_list(available):
            raise InvalidParameter(f"Requested {plural} are not available - requested {wanted}, available: {available}")


def range_list(text: str) -> set[int]:
    """Return the numbers of a list such as "0-2,7". Raises ValueError with docker's words."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()) or len(first + last) > 10:
            raise ValueError(f"invalid format: {text}")
        low, high = int(first), int(last)
        if low > high or high > 8191:
            raise ValueError(f"invalid format: {text}")
        found.update(range(low, high + 1))
    return found


def check_block_io(host: Json, warnings: list[str]) -> None:
    """Leave out, with a warning, the limits of block devices that this machine's cgroups don't have; check the rest."""
    if not any(key.startswith("Blkio") for key in host):
        return
    v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    for key, name, words in (
        ("BlkioWeight", "blkio.weight", "weight or the cgroup is not mounted. Weight"),
        ("BlkioWeightDevice", "blkio.weight_device", "weight_device or the cgroup is not mounted. Weight-device"),
        (
            "BlkioDeviceReadBps",
            "blkio.throttle.read_bps_device",
            "read limit or the cgroup is not mounted. Block I/O BPS read",
        ),
        (
            "BlkioDeviceWriteBps",
            "blkio.throttle.write_bps_device",
            "write limit or the cgroup is not mounted. Block I/O BPS write",
        ),
        (
            "BlkioDeviceReadIOps",
            "blkio.throttle.read_iops_device",
            "Read limit in IO or the cgroup is not mounted. Block I/O IOPS read",
        ),
        (
            "BlkioDeviceWriteIOps",
            "blkio.throttle.write_iops_device",
            "write limit in IO or the cgroup is not mounted. Block I/O IOPS write",
        ),
    ):
        if host.get(key) and not v2 and not os.path.exists(f"{BLKIO}/{name}"):
            kind = "BPS " if "Bps" in key else "IOPS " if "IOps" in key else ""
            warnings.append(f"Your kernel does not support {kind}Block I/O {words} discarded.")
            del host[key]
    weight = number(host.get("BlkioWeight"))
    if weight and not 10 <= weight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")


def check_other(host: Json) -> None:
    """Raise InvalidParameter for a size of shared memory, an out-of-memory score or another host's address that can't be."""
    if number(host.get("ShmSize")) < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    score = number(host.get("OomScoreAdj"))
    if not -1000 <= score <= 1000:
        raise InvalidParameter(f"Invalid value {score}, range for oom score adj is [-1000, 1000]")
    for text in texts(host.get("ExtraHosts")):
        address = text.partition(":")[2]
        if address != "host-gateway" and not is_address(address.removeprefix("[").removesuffix("]")):
            raise InvalidParameter(f'invalid IP address in add-host: "{address}"')


def is_address(text: str) -> bool:
    """Return whether a text is an address of IPv4, or one of IPv6, of an interface or not."""
    import _socket

    try:
        _socket.inet_pton(_socket.AF_INET6 if ":" in text else _socket.AF_INET, text.partition("%")[0])
    except OSError:
        return False
    return True


# --- others' namespaces, and security ----------------------------------------------------------------------------------------
def join_others(roots: Roots, host: Json) -> None:
    """Put full ids where pid and ipc name another container; its absence is told at the start, as docker does."""
    from hyperbox.engine.state import find_id

    for key in ("PidMode", "IpcMode"):
        mode = str(host.get(key) or "")
        if mode.startswith("container:"):
            try:
                host[key] = f"container:{find_id(roots, mode[10:])}"
            except NotFound:
                raise NotFound(f"No such container: {mode[10:]}") from None


def settle_security(host: Json) -> None:
    """Check SecurityOpt; labels are off where the container is privileged or lives in the host's namespaces. Raises InvalidParameter."""
    options = texts(host.get("SecurityOpt"))
    for option in options:
        if option == "no-new-privileges":
            continue
        key, separator, value = option.partition("=")
        if not separator:
            key, separator, value = option.partition(":")
        if not separator:
            raise InvalidParameter(f'invalid --security-opt 1: "{option}"')
        if key not in SECURITY_KEYS:
            raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
        if key in ("no-new-privileges", "writable-cgroups") and value not in (
            "1",
            "t",
            "T",
            "TRUE",
            "true",
            "True",
            "0",
            "f",
            "F",
            "FALSE",
            "false",
            "False",
        ):
            raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
    labelled = any(option.partition("=")[0] == "label" for option in options)
    if not labelled and (host.get("Privileged") or host.get("PidMode") == "host" or host.get("IpcMode") == "host"):
        options = [*options, "label=disable"]
    if options:
        host["SecurityOpt"] = options
