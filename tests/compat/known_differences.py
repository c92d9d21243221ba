"""Where scenarios of docker command lines go otherwise than with docker, and why: (scenario, command) -> reason.

The exit code is docker's there too, but where the reason says so.
"""

from __future__ import annotations

CHECKPOINT = "refused with our own words: there are no checkpoints here, with experimental features or without"
KEYS = "docker names only the HTTP status of its engine's answer; we say what is wrong"
PAGE = "docker's words are those of its HTTP router"
KNOWN = {
    (
        "run",
        "run --rm --dns 9.9.9.9 --dns-search corp.example busybox cat /etc/resolv.conf",
    ): "docker adds comments of its own",
    ("run", "run --rm --init busybox sh -c cat /proc/1/comm"): "the init program is the machine's tini",
    ("behaviours", "top hb-bh -eo pid,comm"): "the pid is another",
    ("behaviours", "pull -q hb-bh-nope:5000/x"): "the words of a resolver that has no network",
    ("behaviours", "nosuch --help"): "help is in words of our own",
    ("empty-names", "rmi "): PAGE,
    ("empty-names", "history "): PAGE,
    ("flags-lifecycle", "start --detach-keys bogus -a hb-fl3"): KEYS,
    ("flags-lifecycle", "start --detach-keys ctrl- -a hb-fl3"): KEYS,
    ("flags-lifecycle", "start --checkpoint c1 hb-fl1"): CHECKPOINT,
    ("flags-lifecycle", "start --checkpoint-dir /nonexistent hb-fl1"): CHECKPOINT,
    ("flags-lifecycle", "start --checkpoint c1 --checkpoint-dir /nonexistent hb-fl1"): CHECKPOINT,
    ("flags-update", "attach --detach-keys bogus hb-up"): KEYS,
    ("flags-update", "update --memory-swap 10m hb-up"): "docker shows what the kernel said to runc",
}
