"""The engine as a whole: version, info, disk usage, in the Engine API's shapes."""

from __future__ import annotations

import os

from hyperbox import files, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Roots

    Json = dict[str, object]

API_VERSION = "1.51"
# scripts sniff the server's version to know what it can do: that of the engine whose behaviour this one keeps
SERVER_VERSION = "28.5.2"
GIT_COMMIT = "hyperbox"


def _architecture() -> str:
    from hyperbox.image.reference import platform_architecture

    return platform_architecture()


def runtime_version(name: str) -> str:
    """Return what `NAME --version` says, or "" where it is not installed."""
    try:
        finished = process.run([name, "--version"], timeout=10)
    except (OSError, TimeoutError):
        return ""
    first = finished.out.decode(errors="replace").splitlines()[:1]
    return first[0].rpartition(" ")[2] if first else ""


def version(roots: Roots) -> Json:
    """`GET /version`."""
    machine = os.uname()
    details = {
        "ApiVersion": API_VERSION,
        "Arch": _architecture(),
        "MinAPIVersion": "1.24",
        "Os": "linux",
        "KernelVersion": machine.release,
        "GoVersion": "",
        "BuildTime": "",
    }
    components: list[Json] = [
        {
            "Name": "Engine",
            "Version": SERVER_VERSION,
            "Details": {**details, "GitCommit": GIT_COMMIT, "Experimental": "false"},
        }
    ]
    for name in ("crun", "runc"):
        found = runtime_version(name)
        if found:
            components.append({"Name": name, "Version": found, "Details": {"GitCommit": ""}})
    return {
        "Platform": {"Name": "HyperBox"},
        "Components": components,
        "Version": SERVER_VERSION,
        "ApiVersion": API_VERSION,
        "MinAPIVersion": "1.24",
        "GitCommit": GIT_COMMIT,
        "GoVersion": "",
        "Os": "linux",
        "Arch": _architecture(),
        "KernelVersion": machine.release,
        "BuildTime": "",
    }


def _memory() -> int:
    for line in files.read_text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _operating_system() -> str:
    try:
        for line in files.read_text("/etc/os-release").splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip('"')
    except OSError:
        pass
    return "Linux"


def engine_id(roots: Roots) -> str:
    """Return the id of this data folder, made at the first call."""
    path = f"{roots.data}/engine-id"
    found = files.claim_owner(path)
    if found is None:
        digits = os.urandom(16).hex()
        made = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        found = files.claim(path, made) or made
    return found


# docker's fields in docker's order; None where `info` fills them in or docker has null
INFO: dict[str, object] = {
    "ID": None,
    "Containers": None,
    "ContainersRunning": None,
    "ContainersPaused": None,
    "ContainersStopped": None,
    "Images": None,
    "Driver": "overlay2",
    "DriverStatus": [["Supports d_type", "true"], ["Native Overlay Diff", "true"]],
    "Plugins": {
        "Volume": ["local"],
        "Network": ["bridge", "host", "ipvlan", "macvlan", "null"],
        "Authorization": None,
        "Log": ["fluentd", "gelf", "journald", "json-file", "local", "splunk", "syslog"],
    },
    **dict.fromkeys(
        (
            "MemoryLimit",
            "SwapLimit",
            "KernelMemoryTCP",
            "CpuCfsPeriod",
            "CpuCfsQuota",
            "CPUShares",
            "CPUSet",
            "PidsLimit",
            "IPv4Forwarding",
        ),
        True,
    ),
    "Debug": False,
    "NFd": None,
    "OomKillDisable": None,
    "NGoroutines": 1,
    "SystemTime": None,
    "LoggingDriver": "json-file",
    "CgroupDriver": "cgroupfs",
    "CgroupVersion": None,
    "NEventsListener": 0,
    "KernelVersion": None,
    "OperatingSystem": None,
    "OSVersion": "",
    "OSType": "linux",
    "Architecture": None,
    "IndexServerAddress": "https://index.docker.io/v1/",
    "RegistryConfig": {
        "IndexConfigs": {"docker.io": {"Mirrors": [], "Name": "docker.io", "Official": True, "Secure": True}},
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
        "Mirrors": None,
    },
    "NCPU": None,
    "MemTotal": None,
    "GenericResources": None,
    "DockerRootDir": None,
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
    "Name": None,
    "Labels": [],
    "ExperimentalBuild": False,
    "ServerVersion": SERVER_VERSION,
    "Runtimes": None,
    "DefaultRuntime": None,
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
    "LiveRestoreEnabled": True,
    "Isolation": "",
    "InitBinary": "tini",
    "ContainerdCommit": {"ID": ""},
    "RuncCommit": {"ID": ""},
    "InitCommit": {"ID": ""},
    "SecurityOptions": None,
    "FirewallBackend": {"Driver": "nftables"},
    "CDISpecDirs": [],
    "Warnings": None,
}


def info(roots: Roots) -> Json:
    """`GET /info`."""
    from hyperbox.engine.state import all_containers, now
    from hyperbox.image.store import ImageStore

    statuses = [container.status for container in all_containers(roots)]
    machine = os.uname()
    paused, running = statuses.count("paused"), statuses.count("running") + statuses.count("restarting")
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    runtimes = {name: {"path": path} for name in ("crun", "runc") if (path := process.find_program(name))}
    known: Json = {
        "ID": engine_id(roots),
        "Containers": len(statuses),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(statuses) - running - paused,
        "Images": len(ImageStore(f"{roots.data}/images").image_ids()),
        "NFd": len(os.listdir("/proc/self/fd")),
        "KernelMemoryTCP": not unified,
        "OomKillDisable": not unified,
        "SystemTime": now(),
        "CgroupVersion": "2" if unified else "1",
        "KernelVersion": machine.release,
        "OperatingSystem": _operating_system(),
        "Architecture": machine.machine,
        "NCPU": os.cpu_count(),
        "MemTotal": _memory(),
        "DockerRootDir": roots.data,
        "Name": machine.nodename,
        "Runtimes": runtimes,
        "DefaultRuntime": "crun" if "crun" in runtimes else "runc",
        "SecurityOptions": ["name=seccomp,profile=builtin", *(["name=cgroupns"] if unified else [])],
    }
    # the order of the fields is docker's
    return {key: known.get(key, value) for key, value in INFO.items()}


def folder_size(path: str) -> int:
    """Return the bytes of all regular files below a folder, links not followed."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(f"{folder}/{name}")
            except OSError:
                continue
            total += found.st_size if found.st_mode & 0o170000 == 0o100000 else 0
    return total


def disk_usage(roots: Roots) -> Json:
    """`GET /system/df`."""
    from hyperbox.engine.listing import container_list
    from hyperbox.engine.state import image_users
    from hyperbox.engine.volumes import volume_list
    from hyperbox.image.listing import image_list
    from hyperbox.image.store import ImageStore

    store = ImageStore(f"{roots.data}/images")
    users = image_users(roots)
    images = image_list(store)
    owners: dict[str, int] = {}
    for row in images:
        for key in store.record(str(row["Id"]))["Keys"]:  # type: ignore[attr-defined]
            owners[key] = owners.get(key, 0) + 1
    layers = 0
    for row in images:
        shared = 0
        for diff_id in store.record(str(row["Id"]))["DiffIds"]:  # type: ignore[attr-defined]
            record = store.layer_record(str(diff_id))
            if owners[store.layer_folder(str(diff_id)).rpartition("/")[2]] > 1:
                shared += int(str(record["size"]))
        row["Containers"], row["SharedSize"] = len(users.get(str(row["Id"]), [])), shared
    for name in os.listdir(f"{store.path}/layers") if images else []:
        if name.endswith(".json") and name[:-5] in owners:
            record = files.read_json(f"{store.path}/layers/{name}")  # type: ignore[assignment]
            layers += int(str(record["size"]))
    containers = container_list(roots, all=True, size=True)
    volumes = volume_list(roots)["Volumes"]
    assert isinstance(volumes, list)
    for volume in volumes:
        used = sum(any(mount.get("Name") == volume["Name"] for mount in row["Mounts"]) for row in containers)  # type: ignore[attr-defined]
        volume["UsageData"] = {"RefCount": used, "Size": folder_size(str(volume["Mountpoint"]))}
    return {"LayersSize": layers, "Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": []}
