"""From a canonical compose service to a ContainerSpec: one line per key of the specification.

A key that is in neither table is an error that names it: nothing in a file is ignored silently. What docker compose itself ignores outside of swarm
(`deploy.placement` and its kind) is listed as ignored here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hyperbox.compose.model import EXTENSIONS, Json
from hyperbox.engine.api import ContainerSpec
from hyperbox.errors import ComposeError
from hyperbox.go.durations import parse_duration
from hyperbox.grammar.values import to_capabilities
from hyperbox.project.desired import Desired, ServiceWish, container_labels, container_name, number
from hyperbox.project.desired_mounts import FileWish, add_mounts

INTERFACE = "com.docker.network.endpoint.ifname"

RealPort = Callable[[str, int, Json], str]


def _text(value: object) -> str:
    return str(value)


def _bytes(value: object) -> int:
    return int(str(value))


def _whole(value: object) -> int:
    return int(float(str(value)))


def _nano_cpus(value: object) -> int:
    """Return billionths of a processor, reckoned as docker compose does: in 32 bits."""
    return int(_float32(_float32(float(str(value))) * 10**9))


def _float32(value: float) -> float:
    import struct

    return float(struct.unpack("f", struct.pack("f", value))[0])


def _seconds(value: object) -> int:
    return parse_duration(str(value)) // 10**9


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _map(value: object) -> Json:
    return (
        {str(key): "" if item is None else str(item) for key, item in value.items()} if isinstance(value, dict) else {}
    )


def _same(value: object) -> object:
    return value


def _environment(value: object) -> list[str]:
    assert isinstance(value, dict)
    return [str(key) if item is None else f"{key}={item}" for key, item in value.items()]


def _capabilities(value: object) -> list[str]:
    return to_capabilities(_list(value))


def _ports_exposed(value: object) -> Json:
    return {text: {} for text in _list(value)}


def _healthcheck(value: object) -> Json:
    assert isinstance(value, dict)
    if value.get("start_interval") and "start_period" not in value:
        raise ComposeError("healthcheck.start_interval requires healthcheck.start_period to be set")
    if value.get("disable"):
        return {"Test": ["NONE"]}
    check: Json = {"Test": value["test"]} if value.get("test") else {}
    for key, name in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start_period", "StartPeriod"),
        ("start_interval", "StartInterval"),
    ):
        if value.get(key):
            check[name] = parse_duration(str(value[key]))
    if value.get("retries") is not None:
        check["Retries"] = number(value["retries"], 0)
    return check


def _ulimits(value: object) -> list[Json]:
    assert isinstance(value, dict)
    rows: list[Json] = []
    for name, limit in sorted(value.items()):
        soft = limit.get("soft") if isinstance(limit, dict) else limit
        hard = limit.get("hard", soft) if isinstance(limit, dict) else limit
        rows.append({"Name": str(name), "Soft": number(soft, 0), "Hard": number(hard, 0)})
    return rows


def _restart(value: object) -> Json:
    name, _, count = str(value).partition(":")
    return {"Name": name, "MaximumRetryCount": int(count) if count.isdigit() else 0}


def _logging(value: object) -> Json:
    assert isinstance(value, dict)
    return {"Type": value.get("driver") or "json-file", "Config": _map(value.get("options"))}


def is_cdi_name(text: str) -> bool:
    """Return whether a device is named as the Container Device Interface does: vendor.com/class=name."""
    kind, equals, name = text.partition("=")
    vendor, slash, device_class = kind.partition("/")
    return bool(equals and slash and name and vendor and device_class) and not text.startswith("/")


def _devices(value: object) -> list[Json]:
    rows = []
    for row in value if isinstance(value, list) else []:
        source = str(row.get("source"))
        if is_cdi_name(source):
            continue
        rows.append(
            {
                "PathOnHost": source,
                "PathInContainer": row.get("target") or source,
                "CgroupPermissions": row.get("permissions") or "rwm",
            }
        )
    return rows


def _extra_hosts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}:{address}" for name, addresses in value.items() for address in _list(addresses)]
    return [text.replace("=", ":", 1) if "=" in text else text for text in _list(value)]


def device_request(row: Json, capabilities: list[str]) -> Json:
    """Return the Engine API's DeviceRequest of an entry of `gpus` or of a reservation's devices; a count of -1 is all."""
    ids = row.get("device_ids")
    count = row.get("count", 0 if ids else -1)
    return {
        "Driver": str(row.get("driver") or ""),
        "Count": -1 if count == "all" else number(count, 0),
        "DeviceIDs": _list(ids) if ids else None,
        "Capabilities": [capabilities],
        "Options": _map(row["options"]) if row.get("options") else None,
    }


def _add_device_requests(definition: Json, host: Json) -> None:
    """Fill in DeviceRequests: GPUs, reserved devices and devices by their CDI name."""
    requests: list[Json] = []
    deploy = definition.get("deploy")
    resources = (deploy if isinstance(deploy, dict) else {}).get("resources") or {}
    for row in (resources.get("reservations") or {}).get("devices") or ():
        requests.append(device_request(row, _list(row.get("capabilities") or [])))
    gpus = definition.get("gpus")
    for row in gpus if isinstance(gpus, list) else [{}] if gpus else []:
        given = row if isinstance(row, dict) else {}
        requests.append(device_request(given, [*_list(given.get("capabilities") or []), "gpu"]))
    devices = definition.get("devices")
    for row in devices if isinstance(devices, list) else []:
        if is_cdi_name(str(row.get("source"))):
            cdi = {
                "Driver": "cdi",
                "Count": 0,
                "DeviceIDs": [str(row["source"])],
                "Capabilities": None,
                "Options": None,
            }
            requests.append(cdi)
    if requests:
        host["DeviceRequests"] = requests


# key -> (where, name in the Engine API, conversion)
CONFIG: dict[str, tuple[str, Callable[[object], object]]] = {
    "command": ("Cmd", _list),
    "domainname": ("Domainname", _text),
    "entrypoint": ("Entrypoint", _list),
    "environment": ("Env", _environment),
    "expose": ("ExposedPorts", _ports_exposed),
    "healthcheck": ("Healthcheck", _healthcheck),
    "hostname": ("Hostname", _text),
    "stdin_open": ("OpenStdin", bool),
    "stop_grace_period": ("StopTimeout", _seconds),
    "stop_signal": ("StopSignal", _text),
    "tty": ("Tty", bool),
    "user": ("User", _text),
    "working_dir": ("WorkingDir", _text),
}
HOST_CONFIG: dict[str, tuple[str, Callable[[object], object]]] = {
    "annotations": ("Annotations", _map),
    "cap_add": ("CapAdd", _capabilities),
    "cap_drop": ("CapDrop", _capabilities),
    "cgroup": ("CgroupnsMode", _text),
    "cgroup_parent": ("CgroupParent", _text),
    "cpu_count": ("CpuCount", _bytes),
    "cpu_percent": ("CpuPercent", _whole),
    "cpu_period": ("CpuPeriod", _bytes),
    "cpu_quota": ("CpuQuota", _bytes),
    "cpu_rt_period": ("CpuRealtimePeriod", _bytes),
    "cpu_rt_runtime": ("CpuRealtimeRuntime", _bytes),
    "cpu_shares": ("CpuShares", _bytes),
    "cpus": ("NanoCpus", _nano_cpus),
    "cpuset": ("CpusetCpus", _text),
    "device_cgroup_rules": ("DeviceCgroupRules", _list),
    "devices": ("Devices", _devices),
    "dns": ("Dns", _list),
    "dns_opt": ("DnsOptions", _list),
    "dns_search": ("DnsSearch", _list),
    "extra_hosts": ("ExtraHosts", _extra_hosts),
    "group_add": ("GroupAdd", _list),
    "init": ("Init", bool),
    "isolation": ("Isolation", _text),
    "logging": ("LogConfig", _logging),
    "mem_limit": ("Memory", _bytes),
    "mem_reservation": ("MemoryReservation", _bytes),
    "mem_swappiness": ("MemorySwappiness", _bytes),
    "memswap_limit": ("MemorySwap", _bytes),
    "oom_kill_disable": ("OomKillDisable", bool),
    "oom_score_adj": ("OomScoreAdj", _bytes),
    "pids_limit": ("PidsLimit", _bytes),
    "privileged": ("Privileged", bool),
    "read_only": ("ReadonlyRootfs", bool),
    "restart": ("RestartPolicy", _restart),
    "runtime": ("Runtime", _text),
    "security_opt": ("SecurityOpt", _list),
    "shm_size": ("ShmSize", _bytes),
    "storage_opt": ("StorageOpt", _map),
    "sysctls": ("Sysctls", _map),
    "ulimits": ("Ulimits", _ulimits),
    "userns_mode": ("UsernsMode", _text),
    "uts": ("UTSMode", _text),
}
# what docker compose leaves empty where the docker CLI sends lists without entries, and the other way round: inspections show which
UNSET: Json = {
    **dict.fromkeys(
        (
            "BlkioDeviceReadBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteBps", "BlkioDeviceWriteIOps", "BlkioWeightDevice", "Devices",
            "Dns", "DnsOptions", "DnsSearch", "Ulimits",
        )
    ),
    "ExtraHosts": [],
}  # fmt: skip
# keys that other parts of this room or the verbs honour
ELSEWHERE = frozenset(
    {
        "attach", "blkio_config", "build", "configs", "container_name", "credential_spec", "depends_on", "deploy", "develop",
        "env_file", "external_links", "gpus", "image", "ipc", "label_file", "labels", "links", "mac_address", "network_mode",
        "networks", "pid", "platform", "ports", "post_start", "pre_stop", "profiles", "provider", "pull_policy", "scale", "secrets",
        "tmpfs", "volumes", "volumes_from", EXTENSIONS,
    }
)  # fmt: skip
REFUSED = {
    "models": "HyperBox does not run models",
    "use_api_socket": "HyperBox has no API socket to pass on",
}


def check_keys(service: ServiceWish) -> None:
    """Raise ComposeError naming the first key that is not honoured."""
    for key, value in service.definition.items():
        if key in REFUSED and value:
            raise ComposeError(f"services.{service.name}.{key}: {REFUSED[key]}")
        if (
            key not in CONFIG
            and key not in HOST_CONFIG
            and key not in ELSEWHERE
            and key not in REFUSED
            and not key.startswith("x-")
        ):
            raise ComposeError(f"services.{service.name}.{key}: HyperBox does not support this key")


def service_to_spec(
    desired: Desired,
    service: ServiceWish,
    index: int,
    image_id: str,
    real_port: RealPort,
    *,
    inherited: Mapping[str, str] | None = None,
    slug: str = "",
    container_ids: Mapping[str, str] | None = None,
) -> tuple[ContainerSpec, list[FileWish]]:
    """Return the spec of a service's container, and the files that are to be put into it before it starts.

    `real_port(service, index, port)` gives the host port that a published port gets; `inherited` the anonymous volumes (destination -> name) of the
    container that this one replaces; `slug` makes it a one-off container; `container_ids` those that `service:` modes refer to.
    """
    check_keys(service)
    definition = service.definition
    labels = container_labels(desired, service, index, image_id, slug=slug, container_ids=container_ids)
    config: Json = {"Image": service.image, "Labels": labels}
    config.update(AttachStdin=False, AttachStdout=True, AttachStderr=True, Env=None)
    host: Json = dict(UNSET)
    for key, (name, convert) in CONFIG.items():
        if key in definition and definition[key] is not None:
            config[name] = convert(definition[key])
    for key, (name, convert) in HOST_CONFIG.items():
        if key in definition and definition[key] is not None:
            host[name] = convert(definition[key])
    host.setdefault("LogConfig", {"Type": "json-file", "Config": {}})
    _deploy(service, host)
    _add_device_requests(definition, host)
    _blkio(definition, host)
    _modes(desired, service, host, container_ids or {})
    _ports(service, index, config, host, real_port)
    files = add_mounts(desired, service, host, inherited or {}, container_ids or {})
    name = container_name(desired, service, index)
    if slug:
        name = desired.separator.join((desired.name, service.name, "run", slug[:12]))
    endpoints = _networks(desired, service, name, index, host, one_off=bool(slug))
    platform = str(definition.get("platform") or "")
    return ContainerSpec(name, config, host, endpoints, project=desired.name, platform=platform), files


def _deploy(service: ServiceWish, host: Json) -> None:
    deploy = service.definition.get("deploy")
    if not isinstance(deploy, dict):
        return
    resources = deploy.get("resources") or {}
    limits, reservations = resources.get("limits") or {}, resources.get("reservations") or {}
    if limits.get("cpus"):
        host["NanoCpus"] = _nano_cpus(limits["cpus"])
    if limits.get("memory"):
        host["Memory"] = _bytes(limits["memory"])
    if limits.get("pids"):
        host["PidsLimit"] = number(limits["pids"], 0)
    if reservations.get("memory"):
        host["MemoryReservation"] = _bytes(reservations["memory"])
    policy = deploy.get("restart_policy")
    if isinstance(policy, dict):
        condition = str(policy.get("condition") or "")
        name = {"none": "no", "any": "always"}.get(condition, condition)
        host["RestartPolicy"] = {"Name": name, "MaximumRetryCount": number(policy.get("max_attempts"), 0)}


def _blkio(definition: Json, host: Json) -> None:
    blkio = definition.get("blkio_config")
    if not isinstance(blkio, dict):
        return
    if blkio.get("weight"):
        host["BlkioWeight"] = number(blkio["weight"], 0)
    names = {
        "weight_device": ("BlkioWeightDevice", "weight", "Weight"),
        "device_read_bps": ("BlkioDeviceReadBps", "rate", "Rate"),
        "device_read_iops": ("BlkioDeviceReadIOps", "rate", "Rate"),
        "device_write_bps": ("BlkioDeviceWriteBps", "rate", "Rate"),
        "device_write_iops": ("BlkioDeviceWriteIOps", "rate", "Rate"),
    }
    for key, (name, field, api) in names.items():
        if blkio.get(key):
            host[name] = [{"Path": row["path"], api: _bytes(row[field])} for row in blkio[key]]


def _modes(desired: Desired, service: ServiceWish, host: Json, container_ids: Mapping[str, str]) -> None:
    for key, name in (("ipc", "IpcMode"), ("pid", "PidMode"), ("network_mode", "NetworkMode")):
        mode = str(service.definition.get(key) or "")
        if mode.startswith("service:"):
            other = mode.removeprefix("service:")
            if other not in container_ids:
                raise ComposeError(f'services.{service.name}.{key}: service "{other}" has no container')
            mode = f"container:{container_ids[other]}"
        elif mode.startswith("container:"):
            mode = f"container:{desired.real('container', mode.removeprefix('container:'))}"
        if mode:
            host[name] = mode


def _ports(service: ServiceWish, index: int, config: Json, host: Json, real_port: RealPort) -> None:
    exposed = dict(config.get("ExposedPorts") or {})  # type: ignore[call-overload]
    bindings: dict[str, list[Json]] = {}
    ports = service.definition.get("ports")
    for port in ports if isinstance(ports, list) else []:
        key = f"{port['target']}/{port.get('protocol') or 'tcp'}"
        exposed[key] = {}
        bindings.setdefault(key, []).append(
            {"HostIp": port.get("host_ip") or "", "HostPort": real_port(service.name, index, port)}
        )
    if exposed:
        config["ExposedPorts"] = exposed
    if bindings:
        host["PortBindings"] = bindings


def _networks(desired: Desired, service: ServiceWish, name: str, ordinal: int, host: Json, *, one_off: bool) -> Json:
    links = [*_links(desired, service, ordinal), *_external_links(desired, service)]
    if host.get("NetworkMode"):
        if links:
            host["Links"] = links
        return {}
    networks = service.definition.get("networks")
    rows = networks if isinstance(networks, dict) else {}
    if not rows:
        host["NetworkMode"] = "none"
        return {}
    order = sorted(rows, key=lambda key: (-number((rows[key] or {}).get("priority"), 0), key))
    endpoints: dict[str, Json] = {}
    for key in order:
        wish = desired.networks.get(key)
        if wish is None:
            raise ComposeError(f'service "{service.name}" refers to undefined network {key}: invalid compose project')
        own = [] if one_off else [service.name]
        if service.container_name and service.container_name != name and not one_off:
            own.insert(0, service.container_name)  # the others in the project know it by the name in the file
        endpoint = _endpoint(rows[key], [name, *own])
        if links:
            endpoint["Links"] = links
        endpoints[wish.name] = endpoint
    own_address = service.definition.get("mac_address")
    first = endpoints[desired.networks[order[0]].name]
    if own_address and not first.get("MacAddress"):
        first["MacAddress"] = own_address
    host["NetworkMode"] = desired.networks[order[0]].name
    return {"EndpointsConfig": endpoints}


def named_twice(service: ServiceWish) -> tuple[str, ...]:
    """Return what docker compose says of interfaces that are named by an option as well (it does the opposite of what it says)."""
    networks = service.definition.get("networks")
    said = []
    for name, row in networks.items() if isinstance(networks, dict) else ():
        options = row.get("driver_opts") if isinstance(row, dict) else None
        if options and row.get("interface_name") and INTERFACE in options:
            said.append(
                f"ignoring services.{service.name}.networks.{name}.interface_name as {INTERFACE} driver_opts is already declared"
            )
    return tuple(said)


def _endpoint(given: Json | None, aliases: list[str]) -> Json:
    """Return the Engine API's EndpointSettings of what a service says of one of its networks."""
    if given is None:
        return {"Aliases": aliases, "IPAMConfig": None}
    fields = (("ipv4_address", "IPv4Address"), ("ipv6_address", "IPv6Address"), ("link_local_ips", "LinkLocalIPs"))
    endpoint: Json = {
        "Aliases": [*aliases, *_list(given.get("aliases") or [])],
        "IPAMConfig": {api: given[field] for field, api in fields if given.get(field)},
    }
    for field, api in (("mac_address", "MacAddress"), ("gw_priority", "GwPriority")):
        if given.get(field):
            endpoint[api] = given[field]
    for field, api in (
        ("ipv4_address", "IPAddress"),
        ("ipv6_address", "IPv6Gateway"),
    ):  # docker compose asks for them thus
        if given.get(field):
            endpoint[api] = given[field]
    options = _map(given.get("driver_opts"))
    if given.get("interface_name"):
        options[INTERFACE] = str(given["interface_name"])
    if options:
        endpoint["DriverOpts"] = options
    return endpoint


def _links(desired: Desired, service: ServiceWish, ordinal: int) -> list[str]:
    """Return `links` as docker compose has them: by the alias, by NAME-N and by the container's name, N being the linking container's."""
    rows = []
    for link in _list(service.definition.get("links") or []):
        other, _, alias = link.partition(":")
        wish = desired.services.get(other)
        for index in range(1, wish.scale + 1) if wish is not None else ():
            target = container_name(desired, wish, index)  # type: ignore[arg-type]
            short = f"{other}{desired.separator}{ordinal}"
            full = f"{desired.name}{desired.separator}{short}"
            rows += [f"{target}:{alias or other}", f"{target}:{short}", f"{target}:{full}"]
    return rows


def _external_links(desired: Desired, service: ServiceWish) -> list[str]:
    rows = []
    for link in _list(service.definition.get("external_links") or []):
        other, _, alias = link.partition(":")
        rows.append(f"{desired.real('container', other)}:{alias or other}")
    return rows
