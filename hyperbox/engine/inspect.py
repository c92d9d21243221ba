"""A container as `GET /containers/{id}/json` shows it: docker's keys in docker's order, with docker's values for what was not set.

The tables are the Docker Engine's defaults, as its own `docker inspect` shows them; tests compare them with recorded ones.
"""

from __future__ import annotations

from hyperbox.engine.state import Container, Roots, find_container

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

CONFIG_DEFAULTS: Json = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "ExposedPorts": None,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Healthcheck": None,
    "ArgsEscaped": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "NetworkDisabled": None,
    "MacAddress": None,
    "OnBuild": None,
    "Labels": {},
    "StopSignal": None,
    "StopTimeout": None,
    "Shell": None,
}
# left out where they have no value, as Go's "omitempty" does
CONFIG_OPTIONAL = frozenset(
    {
        "ExposedPorts",
        "Healthcheck",
        "ArgsEscaped",
        "NetworkDisabled",
        "MacAddress",
        "StopSignal",
        "StopTimeout",
        "Shell",
    }
)
NEVER = "0001-01-01T00:00:00Z"
HEALTH_KEYS = ("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
# of those that are optional: what is shown though it is empty
POINTERS = frozenset({"Healthcheck"})
HOST_DEFAULTS: Json = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "bridge",
    "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "Annotations": None,
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "host",
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "StorageOpt": None,
    "Tmpfs": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 64 << 20,
    "Sysctls": None,
    "Runtime": "",
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": [],
    "BlkioDeviceReadBps": [],
    "BlkioDeviceWriteBps": [],
    "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteIOps": [],
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": [],
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": [],
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "Mounts": None,
    "MaskedPaths": None,
    "ReadonlyPaths": None,
    "Init": None,
}
HOST_OPTIONAL = frozenset({"Annotations", "StorageOpt", "Tmpfs", "Sysctls", "Mounts", "Init"})
ENDPOINT_DEFAULTS: Json = {
    "IPAMConfig": None,
    "Links": None,
    "Aliases": None,
    "MacAddress": "",
    "DriverOpts": None,
    "GwPriority": 0,
    "NetworkID": "",
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "DNSNames": None,
}
# what a container has of a network only while it runs
ENDPOINT_LIVE = (
    "MacAddress",
    "EndpointID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
)
NETWORK_DEFAULTS: Json = {
    "Bridge": "",
    "SandboxID": "",
    "SandboxKey": "",
    "Ports": {},
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}


def container_inspect(roots: Roots, reference: str, *, size: bool = False) -> Json:
    """See `engine.api.Engine.container_inspect`."""
    return container_json(roots, find_container(roots, reference), size=size)


def container_json(roots: Roots, container: Container, *, size: bool = False) -> Json:
    """Return the whole description of one container."""
    from hyperbox.engine.volumes import mount_points

    record, folder = container.record, container.folder()
    started = container.state["StartedAt"] != NEVER
    result: Json = {
        "Id": container.id,
        "Created": record["Created"],
        "Path": record["Path"],
        "Args": record["Args"],
        "State": state_json(container),
        "Image": record["ImageID"],
        "ResolvConfPath": f"{folder}/resolv.conf" if started else "",
        "HostnamePath": f"{folder}/hostname" if started else "",
        "HostsPath": f"{folder}/hosts" if started else "",
        "LogPath": roots.log(container.id) if started and log_type(container) != "none" else "",
        "Name": f"/{container.name}",
        "RestartCount": container.state["RestartCount"],
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": apparmor_profile(container),
        "ExecIDs": exec_ids(roots, container),
        "HostConfig": with_defaults(host_config(container), HOST_DEFAULTS, HOST_OPTIONAL),
        "GraphDriver": graph_driver(container),
    }
    if size:
        from hyperbox.engine.sizes import image_size, written_size

        result["SizeRw"] = written = written_size(f"{folder}/upper")
        result["SizeRootFs"] = written + image_size(roots, container)
    result["Mounts"] = mount_points(roots, container)
    config = with_defaults(container.config, CONFIG_DEFAULTS, CONFIG_OPTIONAL)
    health = config.get("Healthcheck")
    if isinstance(health, dict):
        config["Healthcheck"] = {key: health[key] for key in HEALTH_KEYS if key in health}
    result["Config"] = config
    result["NetworkSettings"] = network_settings(container)
    return result


def with_defaults(given: Json, defaults: Json, optional: frozenset[str]) -> Json:
    """Return `given` in the order of `defaults`, filled up from there; `optional` keys are left out where they have no value."""
    result: Json = {}
    for key, default in defaults.items():
        value = given.get(key)
        if value is None and not (key in given and isinstance(default, list)):
            value = default
        if key not in optional or value not in (None, {}, [], "") or (key in POINTERS and value is not None):
            result[key] = value
    for key, value in given.items():
        if key not in defaults:
            result[key] = value
    return result


def log_type(container: Container) -> str:
    """Return the container's log driver."""
    config = container.host_config.get("LogConfig")
    return str(config.get("Type") or "json-file") if isinstance(config, dict) else "json-file"


def apparmor_profile(container: Container) -> str:
    """Return the AppArmor profile that the container asks for, "" without one."""
    options = container.host_config.get("SecurityOpt")
    for option in options if isinstance(options, list) else ():
        if str(option).startswith("apparmor="):
            return str(option)[9:]
    return ""


def state_json(container: Container) -> Json:
    """Return the API's State object."""
    state = container.state
    status = container.status
    result: Json = {
        "Status": status,
        "Running": container.running,
        "Paused": status == "paused",
        "Restarting": status == "restarting",
        "OOMKilled": state["OOMKilled"],
        "Dead": status == "dead",
        "Pid": state["Pid"],
        "ExitCode": state["ExitCode"],
        "Error": state["Error"],
        "StartedAt": state["StartedAt"],
        "FinishedAt": state["FinishedAt"],
    }
    if state.get("Health"):
        result["Health"] = state["Health"]
    return result


def host_config(container: Container) -> Json:
    """Return HostConfig with the values that docker derives: the log's type, swap, and the paths that are hidden."""
    from hyperbox.engine.spec import MASKED_PATHS, READONLY_PATHS

    given = container.host_config
    result = {**given}
    log = given.get("LogConfig")
    if isinstance(log, dict):
        result["LogConfig"] = {"Type": log.get("Type") or "json-file", "Config": log.get("Config") or {}}
    policy = given.get("RestartPolicy")
    if isinstance(policy, dict):
        result["RestartPolicy"] = {
            "Name": policy.get("Name") or "no",
            "MaximumRetryCount": policy.get("MaximumRetryCount") or 0,
        }
    memory = given.get("Memory")
    if isinstance(memory, int) and memory > 0 and not given.get("MemorySwap"):
        result["MemorySwap"] = 2 * memory
    if not given.get("ShmSize"):
        result["ShmSize"] = HOST_DEFAULTS["ShmSize"]
    if result.get("Links"):
        from hyperbox.engine import legacy_links

        result["Links"] = legacy_links.shown(container.roots, container)
    for key in ("IpcMode", "CgroupnsMode", "Runtime"):
        if not given.get(key):
            result.pop(key, None)
    result.setdefault("Runtime", "crun")
    if not given.get("Privileged"):
        for key, paths in (("MaskedPaths", MASKED_PATHS), ("ReadonlyPaths", READONLY_PATHS)):
            if result.get(key) is None:
                result[key] = list(paths)
    return result


def graph_driver(container: Container) -> Json:
    """Return where the container's file system lies."""
    folder, layers = container.folder(), container.record["Layers"]
    assert isinstance(layers, list)
    data = {
        "ID": container.id,
        "LowerDir": ":".join(map(str, layers)),
        "MergedDir": f"{folder}/merged",
        "UpperDir": f"{folder}/upper",
        "WorkDir": f"{folder}/work",
    }
    return {"Data": data, "Name": "overlay2"}


def exec_ids(roots: Roots, container: Container) -> list[str] | None:
    """Return the ids of the execs that run in the container, None without any."""
    import os

    from hyperbox import files

    if not container.running:
        return None
    try:
        names = os.listdir(roots.container_run(container.id))
    except FileNotFoundError:
        return None
    found = []
    for name in names:
        if name.startswith("exec.") and len(name) == 69:
            try:
                record = files.read_json(f"{roots.container_run(container.id)}/{name}")
            except (OSError, ValueError):
                continue
            if isinstance(record, dict) and record["Running"]:
                found.append(name[5:])
    return found or None


def endpoints(container: Container) -> dict[str, Json]:
    """Return the container's networks by name: as they are while it runs, without the addresses otherwise."""
    settings = container.state.get("NetworkSettings")
    known = settings.get("Networks") if isinstance(settings, dict) else None
    config = container.record.get("NetworkingConfig")
    wanted = config.get("EndpointsConfig") if isinstance(config, dict) else None
    mode = str(container.host_config.get("NetworkMode") or "bridge")
    if mode.startswith("container:"):
        return {}
    names = list(known or wanted or ({} if container.record.get("Networkless") else {mode: {}}))
    result = {}
    for name in names:
        endpoint: Json = {**ENDPOINT_DEFAULTS}
        for source in (wanted, known):
            found = source.get(name) if isinstance(source, dict) else None
            if isinstance(found, dict):
                endpoint.update(found)
        if not container.running:
            asked = wanted.get(name) if isinstance(wanted, dict) else None
            address = asked.get("MacAddress") if isinstance(asked, dict) else None
            endpoint.update({key: ENDPOINT_DEFAULTS[key] for key in ENDPOINT_LIVE}, MacAddress=address or "")
            if not known and isinstance(asked, dict):  # before the first start it is what was asked for
                endpoint.update({key: asked[key] for key in ("IPAddress", "IPv6Gateway") if asked.get(key)})
        endpoint.pop("Driver", None)
        result[name] = endpoint
    return result


def network_settings(container: Container) -> Json:
    """Return the API's NetworkSettings; the fields of the default bridge stand at the top too, as docker keeps them."""
    networks = endpoints(container)
    settings = container.state.get("NetworkSettings")
    given: Json = {}
    if not container.running and "bridge" in networks:
        given["MacAddress"] = networks["bridge"]["MacAddress"]
    if container.running and isinstance(settings, dict):
        given = {key: value for key, value in settings.items() if key != "Networks" and value is not None}
        bridge = networks.get("bridge")
        if bridge is not None:
            given.update({key: bridge[key] for key in ENDPOINT_LIVE if key in bridge})
    if "host" in networks and container.state["StartedAt"] != NEVER:
        from hyperbox.engine import network_store

        networks["host"]["NetworkID"] = network_store.find(container.roots, "host")["Id"]
        if container.running:
            given["SandboxID"] = container.id
            networks["host"]["EndpointID"] = container.id[::-1]
    if container.running and given.get("SandboxID"):
        given["SandboxKey"] = f"/proc/{container.pid}/ns/net"
    return {**NETWORK_DEFAULTS, **given, "Networks": networks}
