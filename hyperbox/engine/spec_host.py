"""What a container's OCI configuration needs to know of the machine: read here, so that `spec` stays pure.

Users and groups are those of the container's own /etc/passwd and /etc/group, opened inside its root file system.
"""

from __future__ import annotations

import os

from hyperbox.errors import EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.state import Container

    Json = dict[str, object]
    # type, major, minor, mode, owner, group
    Node = tuple[str, int, int, int, int, int]

MAXIMUM_ID = 2147483647
UNKNOWN = -(1 << 40)  # what is not a number; below every id, so that it is never taken for one
ACCOUNT_FILE_LIMIT = 4 << 20  # bytes of /etc/passwd that are read: the file is the image's and may be hostile


class User:
    """Who a process runs as: numbers, supplementary groups (the own one first, as docker lists them), home."""

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...], home: str) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home


class Host:
    """The machine as a container's specification sees it.

    capabilities   names that the host itself may give (its bounding set), in the kernel's order
    namespaces     type ("pid", "ipc", "uts") -> path of another container's namespace to join
    link_environment  the variables that tell of linked containers
    hostname       another container's name, where its network and so its name is shared; "" otherwise
    limits         rlimit name ("nofile") -> this process's hard limit, -1 for none; filled only when asked for
    devices        path on the host -> (type, major, minor, mode, owner, group) of the devices that the container asks for
    profile        a custom seccomp profile, parsed, or None
    apparmor       whether the kernel can hold a process in a profile of AppArmor; looked at only where one is asked for
    shm            the folder to bind at /dev/shm where another container's is joined, or ""
    """

    __slots__ = (
        "apparmor",
        "capabilities",
        "cgroup_v2",
        "devices",
        "hostname",
        "init",
        "kernel",
        "limits",
        "link_environment",
        "machine",
        "namespaces",
        "profile",
        "shm",
        "user",
    )

    def __init__(self, user: User) -> None:
        system = os.uname()
        self.user = user
        self.machine = system.machine
        self.kernel = kernel_version(system.release)
        self.capabilities = bounding_capabilities()
        self.cgroup_v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        self.namespaces: dict[str, str] = {}
        self.link_environment: list[str] = []
        self.limits: dict[str, int] = {}
        self.devices: dict[str, Node] = {}
        self.profile: Json | None = None
        self.apparmor = False
        self.init = ""
        self.shm = ""
        self.hostname = ""


CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN "
    "NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
    "PERFMON BPF CHECKPOINT_RESTORE"
)  # by number, capabilities(7)


def kernel_version(release: str) -> tuple[int, int]:
    """Return (major, minor) of a kernel release such as "6.1.0-13-amd64"."""
    major, _, rest = release.partition(".")
    digits = ""
    for character in rest:
        if not character.isdigit():
            break
        digits += character
    return int(major) if major.isdigit() else 0, int(digits or 0)


def bounding_capabilities() -> tuple[str, ...]:
    """Return the capabilities ("CAP_…") in this process's bounding set, in the kernel's order; see proc(5)."""
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapBnd:"):
                mask = int(line[7:], 16)
                return tuple(f"CAP_{name}" for number, name in enumerate(CAPABILITIES.split()) if mask >> number & 1)
    return ()


def read_in_root(rootfs: str, path: str) -> bytes:
    """Return the content of a file inside a root file system, whose links can't lead outside; b"" where there is none."""
    from hyperbox.kernel import syscalls

    root = os.open(rootfs, os.O_PATH | os.O_CLOEXEC)
    try:
        descriptor = syscalls.openat2(root, path.lstrip("/"), os.O_RDONLY | os.O_NONBLOCK, syscalls.RESOLVE_IN_ROOT)
    except OSError:
        return b""
    finally:
        os.close(root)
    chunks, size = [], 0
    try:
        while size < ACCOUNT_FILE_LIMIT and (chunk := os.read(descriptor, 65536)):
            chunks.append(chunk)
            size += len(chunk)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(chunks)


def _rows(content: bytes, least: int) -> list[list[str]]:
    rows = [line.strip().split(":") for line in content.decode("utf-8", "replace").split("\n")]
    return [row for row in rows if len(row) >= least and not row[0].startswith("#")]


def _number(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isascii() and digits.isdigit() else UNKNOWN


def _checked(number: int) -> int:
    if not 0 <= number <= MAXIMUM_ID:
        raise InvalidParameter(f"uids and gids must be in range 0-{MAXIMUM_ID}")
    return number


def resolve_user(rootfs: str, wanted: str, extra_groups: Sequence[str] = ()) -> User:
    """Return who `wanted` ("", name, uid, with ":" and a group's name or gid) is in the image at `rootfs`.

    Raises EngineError with docker's words for a name that the image does not have.
    """
    user_part, _, group_part = wanted.partition(":")
    accounts = _rows(read_in_root(rootfs, "etc/passwd"), 4) if wanted != "0:0" or extra_groups else []
    name, uid, gid, home = "", 0, 0, "/"
    number = _number(user_part) if user_part else 0
    row = next((row for row in accounts if row[0] == user_part and user_part), None) or next(
        (row for row in accounts if number != UNKNOWN and _number(row[2]) == number), None
    )
    if row is not None:
        name, uid, gid = row[0], _number(row[2]), max(_number(row[3]), 0)
        home = row[5] if len(row) > 5 and row[5] else "/"
    elif number != UNKNOWN:
        uid = _checked(number)
    else:
        raise EngineError(f"unable to find user {user_part}: no matching entries in passwd file")
    groups = _rows(read_in_root(rootfs, "etc/group"), 3) if name or group_part or extra_groups else []
    supplementary = [_number(entry[2]) for entry in groups if name and len(entry) > 3 and name in entry[3].split(",")]
    if group_part:
        gid, supplementary = _group_number(groups, group_part), []
    members = [gid, *supplementary, *(_group_number(groups, group) for group in extra_groups)]
    return User(_checked(uid), gid, tuple(dict.fromkeys(member for member in members if member >= 0)), home)


def _group_number(groups: list[list[str]], wanted: str) -> int:
    for row in groups:
        if row[0] == wanted:
            return _number(row[2])
    number = _number(wanted)
    if number == UNKNOWN:
        raise EngineError(f"unable to find group {wanted}: no matching entries in group file")
    return _checked(number)


def read_host(container: Container, rootfs: str) -> Host:
    """Return what `spec.container_to_oci` needs to know for this container, whose root file system is mounted at `rootfs`.

    Raises EngineError or InvalidParameter with docker's words where the machine does not have what the container asks for.
    """
    host_config = container.host_config
    user = resolve_user(rootfs, str(container.config.get("User") or ""), _texts(host_config.get("GroupAdd")))
    host = Host(user)
    if host_config.get("Init"):
        host.init = find_init()
    if host_config.get("Ulimits"):
        host.limits = hard_limits()
    refuse_requests(_entries(host_config, "DeviceRequests"))
    host.devices.update(rated_devices(host_config))
    for entry in _entries(host_config, "Devices"):
        path = str(entry["PathOnHost"])
        found = device_nodes(path)
        if not found:
            raise EngineError(
                f'error gathering device information while adding custom device "{path}": not a device node'
            )
        host.devices.update(found)
    join_others(container, host)
    if host_config.get("Privileged"):
        host.devices.update({path: node for path, node in device_nodes("/dev").items() if _is_shown(path)})
    for option in _texts(host_config.get("SecurityOpt")):
        key, _, value = option.partition("=")
        if key == "seccomp" and value.startswith("{"):
            host.profile = _parse_profile(value)
    host.apparmor = has_apparmor(host_config)
    return host


def has_apparmor(host_config: Json) -> bool:
    """Return whether a profile of AppArmor is asked for and the kernel knows AppArmor; docker ignores the option where it doesn't."""
    if not any(option.startswith("apparmor") for option in _texts(host_config.get("SecurityOpt"))):
        return False
    try:
        with open("/sys/module/apparmor/parameters/enabled", "rb") as file:
            return file.read(1) == b"Y"
    except OSError:
        return False


def refuse_requests(requests: list[Json]) -> None:
    """Raise EngineError, as docker without device drivers does, for GPUs and for devices by their CDI name."""
    for request in requests:
        if request.get("Driver") == "cdi":
            unknown = ", ".join(_texts(request.get("DeviceIDs")))
            raise EngineError(f"CDI device injection failed: unresolvable CDI devices {unknown}")
        wanted = " ".join(f"[{' '.join(_texts(each))}]" for each in list(request.get("Capabilities") or ()))  # type: ignore[call-overload]
        raise EngineError(
            f'could not select device driver "{request.get("Driver") or ""}" with capabilities: [{wanted}]'
        )


def join_others(container: Container, host: Host) -> None:
    """Fill in what other containers give this one: namespaces, shared memory, variables."""
    host_config = container.host_config
    if any(str(host_config.get(key) or "").startswith("container:") for key in ("PidMode", "IpcMode")):
        from hyperbox.engine import shared_namespaces

        host.namespaces.update(shared_namespaces.joined(container))
        folder = f"{container.roots.container_run(container.id)}/shm"
        host.shm = shared_namespaces.mount_shared_memory(container, folder)
    network = str(host_config.get("NetworkMode") or "")
    if network.startswith("container:"):
        from hyperbox.engine.state import find_container

        host.hostname = str(find_container(container.roots, network[10:]).config.get("Hostname") or "")
    if host_config.get("Links"):
        from hyperbox.engine import legacy_links

        host.link_environment = legacy_links.environment(container.roots, container)


def exec_host(container: Container, rootfs: str, user: str = "") -> Host:
    """Return the host record for an exec; `user` is the exec's own or "" for the container's. `rootfs`: /proc/PID/root."""
    own = str(container.config.get("User") or "")
    host = Host(resolve_user(rootfs, user or own, () if user else _texts(container.host_config.get("GroupAdd"))))
    if container.host_config.get("Ulimits"):
        host.limits = hard_limits()
    host.apparmor = has_apparmor(container.host_config)
    return host


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _parse_profile(text: str) -> Json:
    from hyperbox import files

    try:
        profile = files.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from None
    if not isinstance(profile, dict):
        raise InvalidParameter("Decoding seccomp profile failed: not an object")
    return profile


def _entries(host_config: Json, key: str) -> list[Json]:
    entries = host_config.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def rated_devices(host_config: Json) -> dict[str, Node]:
    """Return the block devices that blkio limits name, as `device_nodes` does. Raises EngineError with docker's words."""
    found = {}
    for name in ("WeightDevice", "DeviceReadBps", "DeviceWriteBps", "DeviceReadIOps", "DeviceWriteIOps"):
        for entry in _entries(host_config, f"Blkio{name}"):
            path = str(entry["Path"])
            try:
                device = os.stat(path).st_rdev
            except OSError as error:
                raise EngineError(f"stat {path}: {_reason(error)}") from None
            found[path] = ("b", os.major(device), os.minor(device), 0, 0, 0)
    return found


def _is_shown(path: str) -> bool:
    """Return whether a privileged container gets this node: not those that its own /dev makes."""
    parts = path.split("/")
    return parts[2] not in ("pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev")


def device_nodes(path: str) -> dict[str, Node]:
    """Return path -> (type, major, minor, mode) of a device node, or of all below a folder. Raises EngineError for no device."""
    import stat

    try:
        status = os.stat(path)
    except OSError as error:
        raise EngineError(
            f'error gathering device information while adding custom device "{path}": {_reason(error)}'
        ) from None
    if stat.S_ISDIR(status.st_mode):
        result: dict[str, Node] = {}
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if name not in ("pts", "shm", "fd", "mqueue")]
            for name in names:
                node = f"{folder}/{name}"
                mode = os.lstat(node).st_mode
                if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                    result.update(device_nodes(node))
        return result
    kind = "b" if stat.S_ISBLK(status.st_mode) else "c" if stat.S_ISCHR(status.st_mode) else ""
    if not kind:
        raise EngineError(f'error gathering device information while adding custom device "{path}": not a device node')
    device = status.st_rdev
    mode, owner, group = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    return {path: (kind, os.major(device), os.minor(device), mode, owner, group)}


def _reason(error: OSError) -> str:
    return "no such file or directory" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()


def hard_limits() -> dict[str, int]:
    """Return docker's name of each rlimit -> this process's hard limit, -1 for unlimited. See getrlimit(2)."""
    import resource

    names = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
    numbers = {"locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15}
    return {
        name: resource.getrlimit(numbers.get(name, getattr(resource, f"RLIMIT_{name.upper()}", 0)))[1]
        for name in names.split()
    }


def find_init() -> str:
    """Return the path of a small init for `--init`. Raises EngineError where none is installed."""
    from hyperbox import process

    for name in ("docker-init", "tini-static", "tini", "catatonit", "/usr/libexec/podman/catatonit", "dumb-init"):
        path = process.find_program(name)
        if path:
            return path
    raise EngineError(
        'exec: "docker-init": executable file not found in $PATH', hint="install the package tini, or catatonit"
    )
