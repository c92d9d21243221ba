"""In what our OCI configurations differ from docker's on purpose, and facts of the machine on which docker's were recorded."""

from __future__ import annotations

import fnmatch

# capabilities that the recording machine's root does not have
MACHINE_NAME = "vm"
LACKING = ("CAP_SYS_RESOURCE",)
# devices that the cases ask for: (type, major, minor, mode)
NODES = {"/dev/zero": ("c", 1, 5, 0o666, 0, 0), "/dev/full": ("c", 1, 7, 0o666, 0, 0)}

# (whose line, pattern, why)
CGROUP = "control groups lie below a parent of our own, one a project"
DEFAULT = "the specification's default, said or not"
RUNTIME = "runc adds these rules itself, crun does not: we give them"
TMPFS = "no propagation for a file system that nobody else sees; the size in bytes"
RECURSIVE = "`ro` beside `rro` for runtimes that know only the first; of a single file there is nothing below"
HOME = "runc reads HOME from the image's passwd itself, crun does not: we give it"
CALLER = "what a user other than root holds is gone with execve(2): we give it no more than stays"
RULES = "all is allowed last: the same as allowing it alone"
MACHINE = "the devices of the machine on which docker's were recorded"
VOLUME = "a volume's propagation is private, said or not; `ro` as above"
INTENDED = [
    ("docker", 'linux.cgroupsPath = "/docker/ID"', CGROUP),
    ("ours", 'linux.cgroupsPath = "/hyperbox/default/ID"', CGROUP),
    (
        "docker",
        'linux.cgroupsPath = "/golden-parent/ID"',
        "`monitor_setup.cgroup_path` honours the parent, this test gives the path",
    ),
    ("docker", "linux.resources.memory.disableOOMKiller = false", DEFAULT),
    ("ours", "process.terminal = false", DEFAULT),
    ("docker", "device deny c 10:229 rwm", "/dev/fuse is denied with all others"),
    ("ours", "device allow c 5:2 rwm", RUNTIME),
    ("ours", "device allow c 136:[*] rwm", RUNTIME),
    ("ours", "device allow c 1:7 rwm", RUNTIME),
    ("docker", "device allow a 7:-1 rmw", "-1 is every number"),
    ("ours", "device allow a 7:[*] rmw", "-1 is every number"),
    ("ours", 'process.env[[]*[]] = "HOME=/*"', HOME),
    ("docker", "mount /etc/* bind FILES/* rbind,rro,rprivate", RECURSIVE),
    ("ours", "mount /etc/* bind FILES/* rbind,rprivate,ro", RECURSIVE),
    ("docker", "mount /other bind /usr rbind,rro,rprivate", RECURSIVE),
    ("docker", "mount /usr-here bind /usr rbind,rro,rprivate", RECURSIVE),
    ("ours", "mount * bind /usr rbind,rprivate,ro,rro", RECURSIVE),
    ("docker", "mount * tmpfs tmpfs *,rprivate*", TMPFS),
    ("ours", "mount /scratch tmpfs tmpfs noexec,nosuid,nodev,size=1048576,mode=700", TMPFS),
    ("ours", "mount /run tmpfs tmpfs noexec,nosuid,nodev", TMPFS),
    ("ours", "mount /tmp tmpfs tmpfs nosuid,nodev,rw,size=1m,exec", TMPFS),
]
# the same for single cases
FOR_CASES = {
    "volume": [
        ("docker", "mount /* bind DATA/volumes/golden-spec/_data *", VOLUME),
        ("ours", "mount /* bind DATA/volumes/golden-spec/_data rbind,rprivate*", VOLUME),
    ],
    "user": [("docker", "capabilities effective *", CALLER), ("docker", "capabilities permitted *", CALLER)],
    "privileged": [("docker", "device *", RULES), ("docker", "node *", MACHINE)],
    "privileged-read-only": [("docker", "device *", RULES), ("docker", "node *", MACHINE)],
}


def unexplained(case: str, docker: list[str], ours: list[str]) -> list[str]:
    """Return the lines that only one of the two has and that no intended difference explains, as a diff."""
    rules = [*INTENDED, *FOR_CASES.get(case, ())]

    def is_intended(side: str, line: str) -> bool:
        return any(whose == side and fnmatch.fnmatchcase(line, pattern) for whose, pattern, _ in rules)

    left = [f"- {line}" for line in docker if line not in ours and not is_intended("docker", line)]
    right = [f"+ {line}" for line in ours if line not in docker and not is_intended("ours", line)]
    return left + right
