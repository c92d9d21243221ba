"""Where scenarios of docker command lines go otherwise than with docker, and why: (scenario, command) -> reason.

The exit code is docker's there too, but for those in OTHER_CODE.
"""

from __future__ import annotations

CHECKPOINT = "refused with our own words: there are no checkpoints here, with experimental features or without"
KEYS = "docker names only the HTTP status of its engine's answer; we say what is wrong"
PAGE = "docker's words are those of its HTTP router"
KEPT = "the image of a container stays, without a name, until the container goes"
OTHER_CODE = {
    ("flags-copy", "cp {DIR}/src/a hb-cc:/proc/x"),
    ("flags-networks", "network connect --ip 10.98.3.44 hb-nj hb-nidle"),
}
CLUSTER = "refused with our own words: there are no cluster volumes here, with a swarm or without"
SWARM = "refused with our own words: there is no swarm mode, nor could there be one"
PLUGINS = "refused with our own words: there are no engine plugins"
ENGINE = "refused with our own words: HyperBox is the only engine it speaks with"
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
    ("flags-images", "rmi -f hb-fb:one"): KEPT,
    ("flags-images", "ps -a --format {{.Names}} {{.Image}}"): KEPT,
    ("flags-images", "images"): KEPT,
    ("flags-images", "images --filter dangling=true --format {{.Repository}} {{.Tag}}"): KEPT,
    ("flags-images", "image prune -f --filter dangling=x"): KEPT,
    ("flags-images", "load -i {DIR}"): "docker names the request in which it met the folder",
    ("flags-images", "load"): "docker looks for a file of its own, of another format, in what is none",
    ("flags-copy", "cp {DIR}/src hb-cc:/tmp/renamed"): "docker logs the pipe that it breaks, too",
    (
        "flags-copy",
        "cp {DIR}/src/a hb-cc:/proc/x",
    ): "docker writes below the mount, where nobody sees it, and ends with 0; we fail",
    ("flags-volumes", "volume create --availability pause hb-vl"): CLUSTER,
    ("flags-volumes", "volume create --group g hb-vl"): CLUSTER,
    ("flags-volumes", "volume update hb-va"): CLUSTER,
    ("flags-volumes", "volume update --availability pause hb-va"): CLUSTER,
    (
        "flags-networks",
        "network connect --ip 10.98.3.44 hb-nj hb-nidle",
    ): "docker looks for the network of a container that does not run at its start only",
    **{
        ("flags-system", command): SWARM
        for command in ("node ls", "swarm leave", "service ls", "stack ls", "secret ls", "config ls")
    },
    ("flags-system", "plugin inspect x"): PLUGINS,
    ("flags-system", "plugin rm x"): PLUGINS,
    ("flags-system", "checkpoint ls x"): CHECKPOINT,
    ("flags-system", "--version"): "the version is another",
    ("flags-system", "-H unix:///nonexistent.sock ps"): ENGINE,
    ("flags-system", "-H tcp://127.0.0.1:1 ps"): ENGINE,
    ("flags-system", "-H bogus://x ps"): ENGINE,
    ("flags-system", "ps"): ENGINE,
    (
        "flags-context",
        "context inspect -f {{.Nope}} hb-y",
    ): "docker names the record's type in Go; we name the missing key",
}
