"""A container's records to its OCI runtime configuration, with docker's defaults. Pure: it opens nothing.

The result is what the Docker Engine gives its runtime for the same container; see the OCI runtime specification's config.md and
config-linux.md. What is read from the machine stands in `spec_host.Host`, what is mounted is prepared by `rootfs` and `volumes`.
"""

from __future__ import annotations

from hyperbox.engine.spec_resources import device_rules, devices, resources
from hyperbox.engine.spec_seccomp import custom_profile, default_profile
from hyperbox.errors import EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.spec_host import Host, User
    from hyperbox.engine.state import Container

    Json = dict[str, object]

DEFAULT_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_TARGET = "/sbin/docker-init"
SHM_SIZE = 64 << 20  # bytes

MASKED_PATHS = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
]
READONLY_PATHS = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
]


def texts(value: object) -> list[str]:
    """Return a JSON list of strings; [] for null."""
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def container_to_oci(
    container: Container,
    *,
    rootfs: str,
    mounts: list[Json],
    netns_path: str,
    cgroup_path: str,
    host: Host,
) -> Json:
    """Return the OCI configuration of a container.

    mounts        the volumes, binds and tmpfs that `volumes.prepare_mounts` gives
    netns_path    the network namespace to join, or "" for the host's
    cgroup_path   where its cgroup lies below each hierarchy, beginning with "/"
    """
    config, host_config = container.config, container.host_config
    read_only = bool(host_config.get("ReadonlyRootfs"))
    capabilities = capability_set(host_config, host)
    linux = _linux(host_config, capabilities, host, netns_path=netns_path, cgroup_path=cgroup_path)
    propagation = {option for mount in mounts for option in texts(mount.get("options"))}
    if propagation & {"shared", "rshared"}:
        linux["rootfsPropagation"] = "shared"
    elif propagation & {"slave", "rslave"}:
        linux["rootfsPropagation"] = "slave"
    result: Json = {
        "ociVersion": "1.0.2",
        "process": container_process(container, capabilities, host),
        "root": {"path": rootfs, "readonly": read_only} if read_only else {"path": rootfs},
        "mounts": all_mounts(
            container, mounts, host, has_network=bool(netns_path) or _mode(host_config, "NetworkMode") == "host"
        ),
        "linux": linux,
    }
    if _mode(host_config, "UTSMode") != "host":
        result["hostname"] = host.hostname or str(config.get("Hostname") or container.id[:12])
        if config.get("Domainname"):
            linux["sysctl"] = {**sysctls(host_config, netns_path), "kernel.domainname": str(config["Domainname"])}
    annotations = host_config.get("Annotations")
    if isinstance(annotations, dict) and annotations:
        result["annotations"] = {str(key): str(value) for key, value in annotations.items()}
    return result


def _linux(host_config: Json, capabilities: list[str], host: Host, *, netns_path: str, cgroup_path: str) -> Json:
    """Return the `linux` object: limits, namespaces, devices, and, unless it is privileged, what is hidden, read-only and filtered."""
    linux: Json = {
        "resources": {"devices": device_rules(host_config, host), **resources(host_config, host)},
        "cgroupsPath": cgroup_path,
        "namespaces": namespaces(host_config, netns_path, host),
        "devices": devices(host_config, host),
        "sysctl": sysctls(host_config, netns_path),
    }
    if not host_config.get("Privileged"):
        masked, read_only = host_config.get("MaskedPaths"), host_config.get("ReadonlyPaths")
        linux["maskedPaths"] = MASKED_PATHS if masked is None else texts(masked)
        linux["readonlyPaths"] = READONLY_PATHS if read_only is None else texts(read_only)
        seccomp = seccomp_profile(host_config, capabilities, host)
        if seccomp is not None:
            linux["seccomp"] = seccomp
    return linux


def _mode(host_config: Json, key: str) -> str:
    return str(host_config.get(key) or "")


def container_process(container: Container, capabilities: list[str], host: Host) -> Json:
    """Return the `process` object of a container's first process."""
    config, host_config = container.config, container.host_config
    arguments = [*texts(config.get("Entrypoint")), *texts(config.get("Cmd"))]
    if host.init:
        arguments = [INIT_TARGET, "--", *arguments]
    tty = bool(config.get("Tty"))
    process = process_object(
        arguments,
        environment=environment(
            container, tty=tty, home=host.user.home, linked=host.link_environment, hostname=host.hostname
        ),
        working_dir=str(config.get("WorkingDir") or "/"),
        user=host.user,
        capabilities=capabilities,
        tty=tty,
    )
    _limit(process, host_config, host, size=host_config.get("ConsoleSize"))
    confine(process, host_config, host, free=False)
    process["oomScoreAdj"] = (
        host_config.get("OomScoreAdj") or 0
    )  # said always: the monitor's own is whatever the user's shell had
    return process


def _limit(process: Json, host_config: Json, host: Host, *, size: object) -> None:
    """Give a process its terminal's `size` (rows and columns) and the container's limits."""
    if process["terminal"] and isinstance(size, list) and len(size) == 2 and any(size):
        process["consoleSize"] = {"height": size[0], "width": size[1]}
    limits = rlimits(host_config, host)
    if limits:
        process["rlimits"] = limits


def process_object(
    arguments: list[str],
    *,
    environment: list[str],
    working_dir: str,
    user: User,
    capabilities: list[str],
    tty: bool,
) -> Json:
    """Return an OCI `process`. Only root holds its capabilities from the start: others get them as execve(2) gives them."""
    held = {"bounding": capabilities}
    if user.uid == 0:
        held["effective"] = held["permitted"] = capabilities
    return {
        "terminal": tty,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": arguments,
        "env": environment,
        "cwd": working_dir,
        "capabilities": held,
    }


def environment(
    container: Container,
    *,
    tty: bool,
    home: str,
    extra: list[str] | None = None,
    linked: list[str] | None = None,
    hostname: str = "",
) -> list[str]:
    """Return the environment of a process: docker's defaults, of linked containers, then the container's own, then `extra`.

    A later NAME=VALUE replaces an earlier one in its place; a NAME without "=" removes it.
    """
    hostname = hostname or str(container.config.get("Hostname") or container.id[:12])
    values = {"PATH": f"PATH={DEFAULT_PATH}", "HOSTNAME": f"HOSTNAME={hostname}"}
    if tty:
        values["TERM"] = "TERM=xterm"
    for entry in [*(linked or ()), *texts(container.config.get("Env")), *(extra or ())]:
        name, separator, _ = entry.partition("=")
        if separator:
            values[name] = entry
        else:
            values.pop(name, None)
    values.setdefault("HOME", f"HOME={home}")
    return list(values.values())


def exec_process(container: Container, config: Json, host: Host) -> Json:
    """Return the OCI `process` of an exec (the API's ExecConfig) in a container; `host.user` is who it runs as."""
    host_config = container.host_config
    privileged = bool(config.get("Privileged"))
    tty = bool(config.get("Tty"))
    capabilities = list(host.capabilities) if privileged else capability_set(host_config, host)
    process = process_object(
        texts(config.get("Cmd")),
        environment=environment(container, tty=tty, home=host.user.home, extra=texts(config.get("Env"))),
        working_dir=str(config.get("WorkingDir") or container.config.get("WorkingDir") or "/"),
        user=host.user,
        capabilities=capabilities,
        tty=tty,
    )
    _limit(process, host_config, host, size=config.get("ConsoleSize"))
    confine(process, host_config, host, free=privileged)
    return process


def confine(process: Json, host_config: Json, host: Host, *, free: bool) -> None:
    """Give a process what holds it: no new privileges, unless it is `free` of that, and a profile of AppArmor."""
    if no_new_privileges(host_config) and not free:
        process["noNewPrivileges"] = True
    profile = security_options(host_config).get("apparmor", "")
    if profile and host.apparmor:
        process["apparmorProfile"] = profile


def capability_name(name: str) -> str:
    """Return docker's spelling of a capability: upper case with "CAP_", but ALL as it is."""
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else "CAP_" + upper


def capability_set(host_config: Json, host: Host) -> list[str]:
    """Return the capabilities that a container's first process may have, in docker's order."""
    if host_config.get("Privileged"):
        return list(host.capabilities)
    added = [capability_name(name) for name in texts(host_config.get("CapAdd"))]
    dropped = [capability_name(name) for name in texts(host_config.get("CapDrop"))]
    if "ALL" in added:
        return [name for name in host.capabilities if name not in dropped]
    base = [] if "ALL" in dropped else [name for name in DEFAULT_CAPABILITIES if name not in dropped]
    return base + [name for name in dict.fromkeys(added) if name not in base and name not in dropped]


def security_options(host_config: Json) -> dict[str, str]:
    """Return SecurityOpt as key -> value; a bare "no-new-privileges" is "true". Both "=" and the old ":" part them."""
    options = {}
    for text in texts(host_config.get("SecurityOpt")):
        key, separator, value = text.partition("=")
        if not separator:
            key, separator, value = text.partition(":")
        options[key] = value if separator else "true"
    return options


def is_on(host_config: Json, option: str) -> bool:
    """Return whether a boolean security option is on."""
    return security_options(host_config).get(option, "false").lower() in ("true", "1", "t")


def no_new_privileges(host_config: Json) -> bool:
    """Return whether the process may gain no privileges by executing a file."""
    return is_on(host_config, "no-new-privileges")


def seccomp_profile(host_config: Json, capabilities: list[str], host: Host) -> Json | None:
    """Return the seccomp object, None where it is unconfined. A custom profile is parsed already and stands in `host`."""
    wanted = security_options(host_config).get("seccomp", "builtin")
    if wanted == "unconfined":
        return None
    if wanted in ("builtin", ""):
        return default_profile(capabilities, host.machine)
    if host.profile is None:
        raise InvalidParameter("Decoding seccomp profile failed: not a profile")
    try:
        return custom_profile(host.profile, capabilities, host.machine, host.kernel)
    except ValueError as error:
        raise EngineError(str(error)) from None


# by their numbers, see setrlimit(2)
RLIMITS = (
    *("cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile"),
    *("memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"),
)


def rlimits(host_config: Json, host: Host) -> list[Json]:
    """Return the rlimits. Raises EngineError for one above this host's hard limit, which only CAP_SYS_RESOURCE may raise."""
    result: list[Json] = []
    for limit in _objects(host_config.get("Ulimits")):
        name, soft, hard = str(limit.get("Name")), limit.get("Soft", 0), limit.get("Hard", 0)
        assert isinstance(soft, int)
        assert isinstance(hard, int)
        most = host.limits.get(name, -1)
        if most >= 0 and "CAP_SYS_RESOURCE" not in host.capabilities and (hard < 0 or hard > most):
            from hyperbox.runtime.words import START

            number = RLIMITS.index(name) if name in RLIMITS else -1
            raise EngineError(
                f"{START}error setting rlimits for ready process: error setting rlimit type {number}: operation not permitted"
            )
        unlimited = (1 << 64) - 1
        values = {"soft": soft if soft >= 0 else unlimited, "hard": hard if hard >= 0 else unlimited}
        result.append({"type": f"RLIMIT_{name.upper()}", **values})
    return result


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def namespaces(host_config: Json, netns_path: str, host: Host) -> list[Json]:
    """Return the namespaces that the container gets or joins; the host's own are left out."""
    result: list[Json] = [{"type": "mount"}]
    if netns_path:
        result.append({"type": "network", "path": netns_path})
    for kind, key in (("uts", "UTSMode"), ("pid", "PidMode"), ("ipc", "IpcMode")):
        if kind in host.namespaces:
            result.append({"type": kind, "path": host.namespaces[kind]})
        elif _mode(host_config, key) != "host":
            result.append({"type": kind})
    mode = _mode(host_config, "CgroupnsMode") or (
        "private" if host.cgroup_v2 and not host_config.get("Privileged") else "host"
    )
    if mode == "private":
        result.append({"type": "cgroup"})
    return result


def sysctls(host_config: Json, netns_path: str) -> Json:
    """Return the sysctls: in a network of its own anyone may bind any port and ping, unless the user says otherwise."""
    asked = host_config.get("Sysctls")
    values: Json = {str(key): str(value) for key, value in asked.items()} if isinstance(asked, dict) else {}
    if netns_path and not _mode(host_config, "NetworkMode").startswith("container:"):
        values.setdefault("net.ipv4.ip_unprivileged_port_start", "0")
        values.setdefault("net.ipv4.ping_group_range", "0 2147483647")
    return values


def all_mounts(container: Container, mounts: list[Json], host: Host, *, has_network: bool) -> list[Json]:
    """Return all mounts in order: the kernel's file systems, the user's, then hosts, resolv.conf and hostname."""
    host_config = container.host_config
    privileged = bool(host_config.get("Privileged"))
    taken = {str(mount["destination"]) for mount in mounts}
    base = [
        mount for mount in _kernel_mounts(host_config, host, privileged=privileged) if mount["destination"] not in taken
    ]
    if host.init:
        base.append(_bind(host.init, INIT_TARGET, "ro"))
    options = ["rprivate", "ro"] if host_config.get("ReadonlyRootfs") else ["rprivate"]
    folder = container.folder()
    own: list[Json] = [
        {"destination": target, "type": "bind", "source": f"{folder}/{name}", "options": ["rbind", *options]}
        for name, target in (
            ("resolv.conf", "/etc/resolv.conf"),
            ("hostname", "/etc/hostname"),
            ("hosts", "/etc/hosts"),
        )
        if has_network and target not in taken
    ]
    ordered = sorted(mounts, key=lambda mount: str(mount["destination"]).rstrip("/").count("/"))
    return [*base, *ordered, *own]


def _bind(source: str, target: str, *options: str) -> Json:
    return {"destination": target, "type": "bind", "source": source, "options": ["bind", *options]}


def _kernel_mounts(host_config: Json, host: Host, *, privileged: bool) -> list[Json]:
    read_only = [] if privileged else ["ro"]
    cgroups = [] if is_on(host_config, "writable-cgroups") else read_only
    strict = ["nosuid", "noexec", "nodev"]
    terminal = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    device = ["nosuid", "strictatime", "mode=755", "size=65536k"]
    ipc = _mode(host_config, "IpcMode")
    result: list[Json] = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": strict},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": device},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": terminal},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*strict, *read_only]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*cgroups, *strict]},
    ]
    if ipc == "host":
        host_shm = {**_bind("/dev/shm", "/dev/shm"), "options": ["rbind", "rprivate"]}
        return [
            *result,
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": strict},
            host_shm,
        ]
    result.append({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": strict})
    if host.shm:
        result.append(_bind(host.shm, "/dev/shm"))
    elif ipc != "none":
        size = host_config.get("ShmSize") or SHM_SIZE
        shm = [*strict, "mode=1777", f"size={size}"]
        result.append({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": shm})
    return result
