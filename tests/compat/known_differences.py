"""Where scenarios of docker command lines go otherwise than with docker, and why: (scenario, command) -> reason.

The exit code is docker's there too, but for those in OTHER_CODE.
"""

from __future__ import annotations

OTHER_CODE = {
    ("flags-copy", "cp {DIR}/src/a hb-cc:/proc/x"),
}
KNOWN = {
    ("behaviours", "nosuch --help"): "the help of every command is in words of our own",
    (
        "flags-update",
        "update --memory-swap 10m hb-up",
    ): "docker leaves this to its runtime and shows what the kernel said to runc about a file of cgroups v1; we refuse it before, in docker's "
    "words for the same values at `run`, whatever the runtime and the version of cgroups",
    (
        "flags-copy",
        "cp {DIR}/src/a hb-cc:/proc/x",
    ): "docker copies below what is mounted on /proc, /sys, /dev and --tmpfs, where the running container never sees it, and ends with 0; we "
    "copy to where the container looks: into its tmpfs, and fail where the kernel takes no files",
}
