"""From the flags of `run` and `create` to the ContainerSpec: what docker's command line sends to the engine. A hot path.

`FLAGS` maps each flag to its place in HostConfig; what needs more than a place has a function. The grammar has checked the values. Ports
are in `container_spec_ports`, mounts and devices in `container_spec_mounts`.
"""

from __future__ import annotations

import os

from hyperbox.engine.container_spec import ContainerSpec
from hyperbox.errors import HyperBoxError
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

# flag -> field of HostConfig; its value as the grammar gives it, and only where it was given
FLAGS = {
    "annotation": "Annotations",
    "blkio-weight": "BlkioWeight",
    "cap-add": "CapAdd",
    "cap-drop": "CapDrop",
    "cgroup-parent": "CgroupParent",
    "cgroupns": "CgroupnsMode",
    "cpu-count": "CpuCount",
    "cpu-percent": "CpuPercent",
    "cpu-period": "CpuPeriod",
    "cpu-quota": "CpuQuota",
    "cpu-rt-period": "CpuRealtimePeriod",
    "cpu-rt-runtime": "CpuRealtimeRuntime",
    "cpu-shares": "CpuShares",
    "cpus": "NanoCpus",
    "cpuset-cpus": "CpusetCpus",
    "cpuset-mems": "CpusetMems",
    "device-cgroup-rule": "DeviceCgroupRules",
    "dns": "Dns",
    "dns-option": "DnsOptions",
    "dns-search": "DnsSearch",
    "group-add": "GroupAdd",
    "init": "Init",
    "ipc": "IpcMode",
    "isolation": "Isolation",
    "link": "Links",
    "memory": "Memory",
    "memory-reservation": "MemoryReservation",
    "memory-swap": "MemorySwap",
    "memory-swappiness": "MemorySwappiness",
    "oom-kill-disable": "OomKillDisable",
    "oom-score-adj": "OomScoreAdj",
    "pid": "PidMode",
    "pids-limit": "PidsLimit",
    "privileged": "Privileged",
    "publish-all": "PublishAllPorts",
    "read-only": "ReadonlyRootfs",
    "rm": "AutoRemove",
    "runtime": "Runtime",
    "shm-size": "ShmSize",
    "sysctl": "Sysctls",
    "userns": "UsernsMode",
    "uts": "UTSMode",
    "volume-driver": "VolumeDriver",
    "volumes-from": "VolumesFrom",
}
CONFIG_FLAGS = {
    "hostname": "Hostname",
    "domainname": "Domainname",
    "user": "User",
    "workdir": "WorkingDir",
    "stop-signal": "StopSignal",
    "stop-timeout": "StopTimeout",
}
DEVICE_RATES = {
    "device-read-bps": "BlkioDeviceReadBps",
    "device-write-bps": "BlkioDeviceWriteBps",
    "device-read-iops": "BlkioDeviceReadIOps",
    "device-write-iops": "BlkioDeviceWriteIOps",
}
HEALTH_FLAGS = {
    "health-interval": "Interval",
    "health-timeout": "Timeout",
    "health-start-period": "StartPeriod",
    "health-start-interval": "StartInterval",
    "health-retries": "Retries",
}
# flags that `container_spec_checks` looks at
CAREFUL = ("pid", "uts", "userns", "cgroupns", "memory-swappiness", "mac-address", "cap-add", "cap-drop")
PROXIES = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "noProxy": "NO_PROXY",
    "ftpProxy": "FTP_PROXY",
    "allProxy": "ALL_PROXY",
}


# --- environment and labels ---------------------------------------------------------------------------------------------------
def read_pairs(path: str, *, from_environment: bool) -> list[str]:
    """Return the KEY=VALUE lines of a file, raw; a key alone takes our own variable's value (`from_environment`), or is left out.

    Raises HyperBoxError with docker's words.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except IsADirectoryError:
        raise HyperBoxError(f"invalid env file ({path}): read {path}: is a directory") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HyperBoxError(f"open {path}: {reason}") from None
    if b"\0" in data:
        raise HyperBoxError(f"invalid env file ({path}): it holds a null byte")
    from hyperbox.compose.key_values import KeyValueError, read_key_values

    try:
        pairs = read_key_values(data, os.environ.get if from_environment else lambda name: None)
    except KeyValueError as error:
        raise HyperBoxError(f"invalid env file ({path}): {error}") from None
    return [f"{key}={value}" for key, value in pairs]


def environment_list(given: Sequence[object], files: Sequence[object]) -> list[str]:
    """Return Env: the files' lines, then --env's words, of which the last of a name stands.

    A name without a value takes our own variable's, and stays bare without one.
    """
    lines = [line for path in files for line in read_pairs(str(path), from_environment=True)]
    words = {}
    for word in given:
        name, equals, _ = str(word).partition("=")
        words[name] = f"{name}={os.environ[name]}" if not equals and name in os.environ else str(word)
    return [*lines, *words.values()]


def proxy_environment(invocation: Invocation, given: list[str]) -> list[str]:
    """Return the proxy variables of config.json's `proxies`, of this engine's address or else `default`, in both cases, that the user has
    not set."""
    from hyperbox.cli.configuration_file import load

    proxies = load(invocation).get("proxies")
    if not isinstance(proxies, dict):
        return []
    chosen = proxies.get(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", proxies.get("default"))
    if not isinstance(chosen, dict):
        return []
    taken = {word.partition("=")[0] for word in given}
    output: list[str] = []
    for key, name in PROXIES.items():
        value = chosen.get(key)
        if isinstance(value, str) and value:
            output.extend(f"{spelled}={value}" for spelled in (name, name.lower()) if spelled not in taken)
    return output


def labels(invocation: Invocation) -> dict[str, str]:
    """Return Labels: the files', then --label's."""
    lines = [
        line for path in words_of(invocation.flags["label-file"]) for line in read_pairs(path, from_environment=False)
    ]
    output = {}
    for line in [*lines, *words_of(invocation.flags["label"])]:
        key, _, value = line.partition("=")
        output[key] = value
    return output


# --- config -------------------------------------------------------------------------------------------------------------------
def healthcheck(invocation: Invocation) -> Json | None:
    """Return Healthcheck, or None where no flag names one. Raises HyperBoxError."""
    flags, given = invocation.flags, invocation.given
    value: Json = {field: flags[flag] for flag, field in HEALTH_FLAGS.items() if flag in given}
    command = str(flags["health-cmd"])
    if flags["no-healthcheck"]:
        if value or command:
            raise HyperBoxError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for flag, field in HEALTH_FLAGS.items():
        number = value.get(field)
        if isinstance(number, int) and number < 0:
            raise HyperBoxError(f"--{flag} cannot be negative")
    if command:
        value["Test"] = ["CMD-SHELL", command]
    return value or None


def container_config(invocation: Invocation) -> Json:
    """Return the API's ContainerConfig. Raises HyperBoxError."""
    flags, given = invocation.flags, invocation.given
    image, *command = invocation.arguments
    config: Json = {field: flags[flag] for flag, field in CONFIG_FLAGS.items() if flag in given}
    config["Image"] = image
    config["Tty"] = bool(flags["tty"])
    config["OpenStdin"] = bool(flags["interactive"])
    streams = [stream.lower() for stream in words_of(flags["attach"])]
    detached = bool(flags.get("detach"))
    for name in ("stdin", "stdout", "stderr"):
        wanted = name in streams or (name == "stdin" and flags["interactive"]) or (name != "stdin" and not streams)
        config["Attach" + name.capitalize()] = bool(wanted) and not detached
    config["StdinOnce"] = bool(config["OpenStdin"] and config["AttachStdin"])
    environment = environment_list(words_of(flags["env"]), words_of(flags["env-file"]))
    environment = [*proxy_environment(invocation, environment), *environment]
    if environment:
        config["Env"] = environment
    if command:
        config["Cmd"] = command
    if "entrypoint" in given:
        config["Entrypoint"] = [str(flags["entrypoint"])]
    found = labels(invocation)
    if found:
        config["Labels"] = found
    check = healthcheck(invocation)
    if check is not None:
        config["Healthcheck"] = check
    return config


# --- host config --------------------------------------------------------------------------------------------------------------
def ulimits(words: list[str]) -> list[Json]:
    """Return Ulimits for NAME=SOFT[:HARD] words."""
    output: list[Json] = []
    for word in words:
        name, _, limits = word.partition("=")
        soft, _, hard = limits.partition(":")
        output.append({"Name": name, "Hard": int(hard or soft), "Soft": int(soft)})
    return sorted(output, key=lambda limit: str(limit["Name"]))


def rates(words: list[str], *, in_bytes: bool) -> list[Json]:
    """Return device rates for PATH:RATE words."""
    from hyperbox.go.units import parse_bytes

    output: list[Json] = []
    for word in words:
        path, _, rate = word.rpartition(":")
        output.append({"Path": path, "Rate": parse_bytes(rate) if in_bytes else int(rate)})
    return output


def security_options(
    words: list[str], folder: str = "", refusal: str = "Invalid --security-opt"
) -> tuple[list[str], bool]:
    """Return SecurityOpt with a seccomp profile's file (relative to `folder`) read in, and whether the system paths are to be left as they are.

    Raises HyperBoxError, with `refusal` for an option that is none.
    """
    output = []
    unconfined = False
    for word in words:
        key, separator, value = word.partition("=" if "=" in word else ":")
        if separator and not value:
            raise HyperBoxError(f'{refusal}: "{word}"')
        if key == "systempaths" and value == "unconfined":
            unconfined = True
            continue
        if key == "seccomp" and value not in ("unconfined", "builtin") and separator:
            from hyperbox.files import dumps, loads, read_text

            path = os.path.normpath(os.path.join(folder, value)) if folder else value
            try:
                value = dumps(loads(read_text(path)))
            except OSError as error:
                verb = "read" if isinstance(error, IsADirectoryError) else "open"
                reason = f"{verb} {path}: {(error.strerror or str(error)).lower()}"
                raise HyperBoxError(f"opening seccomp profile ({value}) failed: {reason}") from None
            except ValueError as error:
                raise HyperBoxError(f"compacting json for seccomp profile ({value}) failed: {error}") from None
            word = f"seccomp={value}"
        elif not separator and key != "no-new-privileges":
            raise HyperBoxError(f'{refusal}: "{word}"')
        output.append(word)
    return output, unconfined


def log_config(invocation: Invocation) -> Json | None:
    """Return LogConfig, or None for the engine's default. Raises HyperBoxError."""
    driver = str(invocation.flags["log-driver"])
    options = {}
    for word in words_of(invocation.flags["log-opt"]):
        key, _, value = word.partition("=")
        options[key] = value
    if driver == "none" and options:
        raise HyperBoxError("invalid logging opts for driver none")
    return {"Type": driver, "Config": options} if driver or options else None


def restart_policy(text: str) -> Json:
    """Return RestartPolicy for NAME[:COUNT]. Raises HyperBoxError with docker's words."""
    name, colon, count = text.partition(":")
    if colon and not name:
        raise HyperBoxError("invalid restart policy format: no policy provided before colon")
    if colon and not count.removeprefix("-").isdigit():
        raise HyperBoxError("invalid restart policy format: maximum retry count must be an integer")
    return {"Name": name, "MaximumRetryCount": int(count) if colon else 0}


def host_config(invocation: Invocation) -> Json:
    """Return the API's HostConfig but for ports, mounts and networks. Raises HyperBoxError."""
    flags, given = invocation.flags, invocation.given
    host: Json = {field: flags[flag] for flag, field in FLAGS.items() if flag in given}
    if any(flag in given for flag in CAREFUL):
        from hyperbox.cli import container_spec_checks
        from hyperbox.grammar.values import to_capabilities

        container_spec_checks.check(invocation)
        for field in ("CapAdd", "CapDrop"):
            if field in host:
                host[field] = to_capabilities(words_of(host[field]))
    host["RestartPolicy"] = restart_policy(str(flags["restart"]))
    if flags["add-host"]:
        host["ExtraHosts"] = [_extra_host(word) for word in words_of(flags["add-host"])]
    if flags["ulimit"]:
        host["Ulimits"] = ulimits(words_of(flags["ulimit"]))
    for flag, field in DEVICE_RATES.items():
        if flags[flag]:
            host[field] = rates(words_of(flags[flag]), in_bytes=flag.endswith("bps"))
    if flags["blkio-weight-device"]:
        pairs = [word.rpartition(":") for word in words_of(flags["blkio-weight-device"])]
        host["BlkioWeightDevice"] = [{"Path": path, "Weight": int(weight)} for path, _, weight in pairs]
    if flags["storage-opt"]:
        if not all("=" in word for word in words_of(flags["storage-opt"])):
            raise HyperBoxError("invalid storage option")
        host["StorageOpt"] = dict(word.partition("=")[::2] for word in words_of(flags["storage-opt"]))
    if flags["security-opt"]:
        host["SecurityOpt"], unconfined = security_options(words_of(flags["security-opt"]))
        if unconfined:
            host["MaskedPaths"] = []
            host["ReadonlyPaths"] = []
    logging = log_config(invocation)
    if logging is not None:
        host["LogConfig"] = logging
    if flags["cidfile"]:
        host["ContainerIDFile"] = str(flags["cidfile"])
    return host


def _extra_host(word: str) -> str:
    """Return NAME:ADDRESS for NAME:ADDRESS or NAME=ADDRESS."""
    name, equals, address = word.partition("=")
    if not equals or ":" in name:
        name, _, address = word.partition(":")
    return f"{name}:{address.removeprefix('[').removesuffix(']')}"


def add_mounts(invocation: Invocation, config: Json, host: Json) -> None:
    """Fill in Binds, Volumes, Mounts, Tmpfs, Devices and DeviceRequests."""
    flags = invocation.flags
    if not (flags["volume"] or flags["mount"] or flags["tmpfs"] or flags["device"] or flags["gpus"]):
        return
    from hyperbox.cli import container_spec_mounts as mounts

    binds, anonymous = mounts.volumes(words_of(flags["volume"]))
    devices = words_of(flags["device"])
    for key, value in (
        ("Binds", binds),
        ("Mounts", [mounts.mount(word) for word in words_of(flags["mount"])]),
        ("Tmpfs", mounts.tmpfs(words_of(flags["tmpfs"]))),
        ("Devices", [mounts.device(word) for word in devices if not mounts.is_cdi_name(word)]),
        ("DeviceRequests", [*map(mounts.gpu_request, words_of(flags["gpus"])), *mounts.device_requests(devices)]),
    ):
        if value:
            host[key] = value
    if anonymous:
        config["Volumes"] = anonymous


def add_ports(invocation: Invocation, config: Json, host: Json) -> None:
    """Fill in ExposedPorts and PortBindings."""
    flags = invocation.flags
    if not (flags["publish"] or flags["expose"]):
        return
    from hyperbox.cli.container_spec_ports import ports

    exposed, bindings = ports(words_of(flags["publish"]), words_of(flags["expose"]))
    config["ExposedPorts"] = exposed
    if bindings:
        host["PortBindings"] = bindings


def container_spec(invocation: Invocation) -> ContainerSpec:
    """Return the container that the flags and arguments of `run` or `create` describe. Raises HyperBoxError with docker's words."""
    config = container_config(invocation)
    host = host_config(invocation)
    add_mounts(invocation, config, host)
    add_ports(invocation, config, host)
    networking: Json = {}
    flags = invocation.flags
    host["NetworkMode"] = "default"
    if any(name in invocation.given for name in NETWORK_FLAGS):
        from hyperbox.cli.container_spec_networks import networks

        host["NetworkMode"], networking = networks(invocation)
        endpoints = networking.get("EndpointsConfig")
        if isinstance(endpoints, dict) and any("Links" in each for each in endpoints.values()):
            del host["Links"]
    platform = str(flags["platform"]) or os.environ.get("DOCKER_DEFAULT_PLATFORM", "")
    return ContainerSpec(str(flags["name"]), config, host, networking, platform=platform)


NETWORK_FLAGS = ("network", "network-alias", "ip", "ip6", "link-local-ip", "mac-address")
