"""What may follow where, for completion: data only. Live kinds (`live:…`) are looked up by `cli.complete`.

A kind is a tuple of words, or a string: "none" (nothing fits), "files", "folders", "environment", or "live:WHAT[:STATE]".
"""

from __future__ import annotations

RUN = ("container run", "container create")
CAPABILITIES = (
    "ALL", "CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_AUDIT_WRITE", "CAP_BLOCK_SUSPEND", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_KILL",
    "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_PERFMON", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYSLOG",
    "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_PACCT", "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_WAKE_ALARM",
)  # fmt: skip
SIGNALS = (
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT",
    "RTMAX", *(f"RTMAX-{number}" for number in range(1, 15)), "RTMIN", *(f"RTMIN+{number}" for number in range(1, 16)),
    "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
)  # fmt: skip
ULIMITS = tuple(
    name + "="
    for name in (
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending",
        "stack",
    )
)  # fmt: skip
PLATFORMS = (
    "linux/386", "linux/amd64", "linux/arm", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/arm64/v8",
    "linux/ppc64le", "linux/riscv64", "linux/s390x",
)  # fmt: skip
RESTART = ("no", "always", "on-failure", "unless-stopped")
PULL = ("always", "missing", "never")
LOG_DRIVERS = ("json-file", "local", "none")
LOG_OPTIONS = ("compress=", "env=", "env-regex=", "labels=", "labels-regex=", "max-file=", "max-size=", "tag=")
STATES = ("created", "dead", "exited", "paused", "removing", "restarting", "running")

# path -> kinds of the first, second … argument; the last one repeats where it ends with "…"
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "container run": ("live:images",),
    "container create": ("live:images",),
    "container exec": ("live:containers:unpaused", "…"),
    "container attach": ("live:containers:unpaused", "…"),
    "container commit": ("live:containers:running", "…"),
    "container diff": ("live:containers:running", "…"),
    "container export": ("live:containers:all", "…"),
    "container inspect": ("live:containers:all", "…"),
    "container kill": ("live:containers:running", "…"),
    "container logs": ("live:containers:all", "…"),
    "container pause": ("live:containers:unpaused", "…"),
    "container port": ("live:containers:running", "…"),
    "container rename": ("live:containers:all", "…"),
    "container restart": ("live:containers:all", "…"),
    "container rm": ("live:containers:stopped", "…"),
    "container start": ("live:containers:stopped", "…"),
    "container stats": ("live:containers:running", "…"),
    "container stop": ("live:containers:running", "…"),
    "container top": ("live:containers:running", "…"),
    "container unpause": ("live:containers:paused", "…"),
    "container update": ("live:containers:all", "…"),
    "container wait": ("live:containers:running", "…"),
    "container cp": ("files", "…"),
    "image build": ("folders", "…"),
    "image pull": ("live:images",),
    "image push": ("live:images",),
    "image history": ("live:images",),
    "image inspect": ("live:images", "…"),
    "image rm": ("live:images", "…"),
    "image save": ("live:images", "…"),
    "image tag": ("live:images", "live:images"),
    "image ls": ("live:images",),
    "image import": ("files", "…"),
    "manifest inspect": ("files", "…"),
    "inspect": ("live:objects", "…"),
    "network connect": ("live:networks", "live:containers:all"),
    "network disconnect": ("live:networks", "live:containers:all"),
    "network inspect": ("live:networks", "…"),
    "network rm": ("live:networks", "…"),
    "volume inspect": ("live:volumes", "…"),
    "volume rm": ("live:volumes", "…"),
    "context export": ("live:contexts", "files"),
    "context import": ("none", "files"),
    "context inspect": ("live:contexts", "…"),
    "context rm": ("live:contexts", "…"),
    "context update": ("live:contexts",),
    "context use": ("live:contexts",),
    **dict.fromkeys(("buildx inspect", "buildx rm", "buildx stop", "buildx use"), ("live:builders", "…")),
    "buildx bake": ("live:targets", "…"),
    "logout": ("live:registries",),
    "completion": ("none",),
    "compose cp": ("live:services", "…"),
    "compose wait": ("live:services", "…"),
    "compose scale": ("live:scale", "…"),
    "compose exec": ("live:services",),
    "compose run": ("live:services",),
    "compose port": ("live:services",),
    "compose publish": ("files",),
}
SERVICES = frozenset(
    {
        "attach", "build", "commit", "config", "create", "down", "events", "export", "images", "kill", "logs", "pause", "ps", "pull",
        "push", "restart", "rm", "start", "stats", "stop", "top", "unpause", "up", "volumes", "watch",
    }
)  # fmt: skip

# flag -> kind, for every command that has it and no line of its own in FLAGS_OF
FLAGS: dict[str, str | tuple[str, ...]] = {
    "cap-add": CAPABILITIES,
    "cap-drop": CAPABILITIES,
    "platform": PLATFORMS,
    "restart": RESTART,
    "env": "environment",
    "signal": SIGNALS,
    "stop-signal": SIGNALS,
    "attach": ("stderr", "stdin", "stdout"),
    "cgroupns": ("host", "private"),
    "detach-keys": ("ctrl-",),
    "ipc": ("container:", "host", "none", "private", "shareable"),
    "pid": ("container:", "host"),
    "userns": ("host",),
    "uts": ("host",),
    "link": "live:links",
    "network": "live:networks",
    "volumes-from": "live:containers:all",
    "volume-driver": ("local",),
    "log-driver": LOG_DRIVERS,
    "log-opt": LOG_OPTIONS,
    "security-opt": ("apparmor=", "label=", "no-new-privileges", "seccomp=", "systempaths=unconfined"),
    "storage-opt": ("size=",),
    "ulimit": ULIMITS,
    "pull": PULL,
    "runtime": ("crun", "runc"),
    "context": "live:contexts",
    "builder": "live:builders",
    "log-level": ("debug", "info", "warn", "error", "fatal", "panic"),
    "profile": "live:profiles",
    "project-name": "live:projects",
    "project-directory": "folders",
    "exit-code-from": "live:services",
    "no-attach": "live:services",
}
FLAGS_OF: dict[tuple[str, str], str | tuple[str, ...]] = {
    ("container run", "env-file"): "files",
    ("container create", "env-file"): "files",
    ("container run", "label-file"): "files",
    ("container create", "label-file"): "files",
    ("container run", "cidfile"): "files",
    ("container create", "cidfile"): "files",
    ("container run", "volume"): "live:volumes",
    ("container create", "volume"): "live:volumes",
    ("inspect", "type"): ("container", "image", "network", "volume"),
    ("network create", "driver"): ("bridge", "host", "ipvlan", "macvlan", "none"),
    ("volume create", "driver"): ("local",),
    ("image build", "network"): ("default", "host", "none"),
    ("image build", "progress"): ("auto", "none", "plain", "quiet", "rawjson", "tty"),
    ("compose ", "progress"): ("auto", "tty", "plain", "json", "quiet"),
    ("compose ", "ansi"): ("never", "always", "auto"),
    ("compose ", "file"): "compose-files",
    ("compose up", "attach"): "live:services",
    ("compose up", "scale"): "live:scale",
    ("compose create", "scale"): "live:scale",
    ("compose ps", "status"): STATES,
    ("compose up", "pull"): PULL,
    ("compose run", "pull"): PULL,
    ("compose create", "pull"): (*PULL, "build"),
    ("compose down", "rmi"): ("all", "local"),
    ("compose config", "format"): ("yaml", "json"),
    ("compose ls", "format"): ("table", "json"),
    ("compose images", "format"): ("table", "json"),
    ("compose ps", "format"): ("table", "json"),
    ("compose version", "format"): ("pretty", "json"),
    ("compose pull", "policy"): ("always", "missing"),
    ("compose port", "protocol"): ("tcp", "udp"),
}
FILTERS: dict[str, tuple[str, ...]] = {
    "container ls": (
        "ancestor=", "before=", "exited=", "expose=", "health=", "id=", "label=", "name=", "network=", "publish=", "since=", "status=",
        "volume=",
    ),
    "image ls": ("before=", "dangling=", "label=", "reference=", "since=", "until="),
    "network ls": ("dangling=", "driver=", "id=", "label=", "name=", "scope=", "type="),
    "volume ls": ("dangling=", "driver=", "label=", "name="),
    "system events": ("container=", "daemon=", "event=", "image=", "label=", "network=", "node=", "scope=", "type=", "volume="),
    "container prune": ("label=", "until="),
    "image prune": ("dangling=", "label=", "until="),
    "network prune": ("label=", "until="),
    "volume prune": ("all=", "label="),
    "system prune": ("label=", "until="),
    "compose ps": ("status=",),
    "compose ls": ("name=",),
}  # fmt: skip
