"""The flags whose OCI configurations are kept here, and the text form in which two configurations are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

# name -> what stands between `run -d` and the image; the command is always `sleep 1000`
CASES = {
    "default": "",
    "tty": "-t",
    "interactive": "-i",
    "privileged": "--privileged",
    "privileged-read-only": "--privileged --read-only",
    "cap-add": "--cap-add SYS_ADMIN --cap-add net_admin",
    "cap-drop": "--cap-drop ALL --cap-add CHOWN",
    "cap-add-all": "--cap-add ALL --cap-drop SYS_ADMIN",
    "cap-seccomp": "--cap-add SYS_PTRACE --cap-add BPF --cap-add SYSLOG",
    "user": "-u 1000:1001 --group-add 2000 --group-add 2001",
    "user-root-group": "-u 0:5",
    "workdir": "-w /work/dir",
    "environment": "-e A=1 -e B= -e PATH=/bin:/x -e HOSTNAME=other",
    "hostname": "-h front --domainname example.org",
    "read-only": "--read-only --tmpfs /run --tmpfs /tmp:rw,size=1m,exec",
    "memory": "-m 64m --memory-reservation 32m",
    "memory-swap": "-m 64m --memory-swap 128m --memory-swappiness 10 --oom-kill-disable",
    "cpus": "--cpus 1.5 --cpu-shares 512",
    "cpu-quota": "--cpu-period 50000 --cpu-quota 25000 --cpuset-cpus 0 --cpuset-mems 0",
    "pids": "--pids-limit 100",
    "ulimit": "--ulimit nofile=1024:2048 --ulimit core=0",
    "oom-score": "--oom-score-adj 500",
    "sysctl": "--sysctl net.ipv4.ip_forward=1 --sysctl net.ipv4.ip_unprivileged_port_start=1024",
    "shm": "--shm-size 8m",
    "ipc-host": "--ipc host",
    "ipc-none": "--ipc none",
    "pid-host": "--pid host",
    "uts-host": "--uts host",
    "network-host": "--network host",
    "network-none": "--network none",
    "cgroupns-private": "--cgroupns private",
    "cgroup-parent": "--cgroup-parent /golden-parent",
    "device": "--device /dev/zero:/dev/mine:r --device /dev/full",
    "device-cgroup-rule": "--device-cgroup-rule 'c 1:3 mr' --device-cgroup-rule 'a 7:* rmw'",
    "no-new-privileges": "--security-opt no-new-privileges",
    "seccomp-unconfined": "--security-opt seccomp=unconfined",
    "bind": "-v /tmp:/data -v /usr:/other:ro",
    "volume": "-v golden-spec:/data -v golden-spec:/more:ro",
    "mount": "--mount type=bind,src=/usr,dst=/usr-here,ro --mount type=tmpfs,dst=/scratch,tmpfs-size=1m,tmpfs-mode=700",
    "annotation": "--annotation org.example.key=value",
}


def leaves(value: object, path: str = "") -> Iterator[str]:
    """Yield a configuration as one line a value: "process.args[0] = "sleep""."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from leaves(value[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield f"{path} = {json.dumps(value)}"


def seccomp_lines(profile: dict[str, object]) -> list[str]:
    """Return what a seccomp profile means, one line a system call and condition: two that group calls otherwise are equal."""
    found = {
        f"{key} = {json.dumps(profile[key])}" for key in ("defaultAction", "defaultErrnoRet", "flags") if key in profile
    }
    found |= {f"architecture {name}" for name in profile.get("architectures") or ()}  # type: ignore[attr-defined]
    for rule in profile["syscalls"]:  # type: ignore[attr-defined]
        given = [
            {key: item for key, item in each.items() if item or key != "valueTwo"} for each in rule.get("args") or ()
        ]
        arguments = " ".join(json.dumps(each, sort_keys=True) for each in given)
        for name in rule["names"]:
            found.add(f"{name}: {rule['action']} {rule.get('errnoRet', '')} {arguments}".rstrip())
    return sorted(found)


def profile_name(lines: list[str]) -> str:
    """Return the name under which a profile is kept: its beginning and a hash."""
    return "profile-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def mount_lines(mounts: list[dict[str, object]]) -> list[str]:
    """Return mounts in the order in which they are made, a line each."""
    return [
        f"mount {each['destination']} {each.get('type', 'bind')} {each['source']} {','.join(each.get('options') or ())}"  # type: ignore[arg-type]
        for each in mounts
    ]


def device_lines(rules: list[dict[str, object]]) -> list[str]:
    """Return the device rules in their order, a line each; docker gives the default ones twice, which means the same."""
    lines = []
    for rule in rules:
        number = f"{rule.get('major', '*')}:{rule.get('minor', '*')}"
        line = (
            f"device {'allow' if rule['allow'] else 'deny'} {rule.get('type', 'a')} {number} {rule.get('access', '')}"
        )
        lines.append(line)
    return list(dict.fromkeys(lines))


def text_form(config: dict[str, object]) -> tuple[str, list[str]]:
    """Return a configuration as text, and the lines of its seccomp profile."""
    config = json.loads(json.dumps(config))
    config.pop("ociVersion", None)
    linux, process = config["linux"], config["process"]  # type: ignore[index]
    profile = linux.pop("seccomp", None)
    lines: list[str] = []
    seccomp: list[str] = []
    if profile is not None:
        seccomp = seccomp_lines(profile)
        lines.append(f"seccomp {profile_name(seccomp)}")
    for kind, names in sorted(process.pop("capabilities", {}).items()):
        lines.append(f"capabilities {kind} {' '.join(sorted(names))}")
    lines += mount_lines(config.pop("mounts"))  # type: ignore[arg-type]
    lines += device_lines(linux["resources"].pop("devices", []))
    lines += [f"node {json.dumps(each, sort_keys=True)}" for each in linux.pop("devices", None) or ()]
    for each in linux.pop("namespaces"):
        lines.append(
            f"namespace {each['type']} {'joined' if each.get('path') and each['type'] != 'network' else ''}".rstrip()
        )
    for name, value in sorted((linux.pop("sysctl", None) or {}).items()):
        lines.append(f"sysctl {name} = {value}")
    lines += [f"masked {path}" for path in linux.pop("maskedPaths", None) or ()]
    lines += [f"read-only {path}" for path in linux.pop("readonlyPaths", None) or ()]
    return "\n".join([*leaves(config), *lines]) + "\n", seccomp
