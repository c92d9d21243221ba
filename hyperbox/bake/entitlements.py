"""What a bake file may do to the machine without being asked: it reads and writes below the working folder, and no more."""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox.bake.entries import Agent, Entry, Secret
from hyperbox.bake.errors import BakeError
from hyperbox.bake.model import Target
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Entitlements:
    """What is granted with --allow and --set."""

    __slots__ = ("network_host", "reads", "security_insecure", "ssh", "writes")

    def __init__(self) -> None:
        self.network_host = False
        self.security_insecure = False
        self.ssh = False
        self.reads: list[str] = []
        self.writes: list[str] = []


class Missing(NamedTuple):
    """What is not granted: (what it is in a sentence, the flag that grants it), those that are always asked for first."""

    always: list[tuple[str, str]]
    files: list[tuple[str, str]]


def parse(words: Sequence[str]) -> Entitlements:
    """Return what --allow grants. Raises BakeError."""
    found = Entitlements()
    for word in words:
        key, _, value = word.partition("=")
        if word == "network.host":
            found.network_host = True
        elif word == "security.insecure":
            found.security_insecure = True
        elif word == "ssh":
            found.ssh = True
        elif key in ("fs.read", "fs.write", "fs"):
            found.reads += [value] if key != "fs.write" else []
            found.writes += [value] if key != "fs.read" else []
        elif key not in ("image", "image.load", "image.push"):
            raise BakeError(f"unknown entitlement key {quote(key)}")
    return found


def is_local(path: str) -> bool:
    """Return whether a context is a folder of this machine."""
    remote = (
        "http://",
        "https://",
        "git://",
        "ssh://",
        "git@",
        "github.com/",
        "target:",
        "docker-image:",
        "oci-layout:",
    )
    return not path.startswith(remote)


def missing(targets: Iterable[Target], granted: Entitlements, folder: str) -> Missing:
    """Return what the targets want and were not granted. Raises BakeError."""
    reads: set[str] = set()
    writes: set[str] = set()
    always: dict[str, str] = {}
    agents = False
    for target in targets:
        if "network.host" in target.texts("entitlements") and not granted.network_host:
            always[" - Running build containers that can access host network"] = "network.host"
        if "security.insecure" in target.texts("entitlements") and not granted.security_insecure:
            always[" - Running privileged containers that can make system changes"] = "security.insecure"
        agents |= _wanted(target, reads, writes) and not granted.ssh
    wanted_reads = _ungranted(granted.reads, reads, folder)
    wanted_writes = _ungranted(granted.writes, writes, folder)
    both = [path for path in wanted_reads if path in wanted_writes]
    files = [(" - Forwarding default SSH agent socket", "ssh")] if agents else []
    for path in both:
        files.append((f" - Read and write access to path {_relative(path, folder)}", f"fs={_relative(path, folder)}"))
    for kind, name, paths in (("Read", "fs.read", wanted_reads), ("Write", "fs.write", wanted_writes)):
        for path in (_relative(each, folder) for each in paths if each not in both):
            files.append((f" - {kind} access to path {path}", f"{name}={path}"))
    return Missing(list(always.items()), files)


def _wanted(target: Target, reads: set[str], writes: set[str]) -> bool:
    """Gather the paths that a target reads and writes; return whether it wants the default agent."""
    context = target.text("context") or "."
    folder = context.removeprefix("cwd://") or "."
    if is_local(context):
        reads.add(folder)
        dockerfile = (target.text("dockerfile") or "Dockerfile").removeprefix("cwd://")
        if target.text("dockerfile-inline") is None:
            reads.add(os.path.join(folder, dockerfile))
    reads.update(path.removeprefix("cwd://") for path in target.pairs("contexts").values() if is_local(path))
    for entry in target.entries("output"):
        if isinstance(entry, Entry) and entry.dest and entry.dest != "-":
            writes.add(entry.dest)
    for field, key, paths in (("cache-from", "src", reads), ("cache-to", "dest", writes)):
        for entry in target.entries(field):
            if isinstance(entry, Entry) and entry.type == "local" and key in dict(entry.attributes):
                paths.add(dict(entry.attributes)[key])
    reads.update(entry.src for entry in target.entries("secret") if isinstance(entry, Secret) and entry.src)
    agents = [entry for entry in target.entries("ssh") if isinstance(entry, Agent)]
    reads.update(path for entry in agents for path in entry.paths)
    return any(not entry.paths for entry in agents)


def _ungranted(granted: Sequence[str], wanted: set[str], folder: str) -> list[str]:
    if "*" in granted:
        return []
    allowed = [os.path.realpath(os.path.join(folder, path)) for path in (folder, *granted)]
    found = {_existing(os.path.join(folder, path)) for path in wanted}
    outer = [path for path in found if not any(_within(path, other) for other in found if other != path)]
    return sorted(path for path in outer if not any(_within(path, each) for each in allowed))


def _existing(path: str) -> str:
    """Return the part of a path that is there, without symbolic links."""
    found = os.path.realpath(path)
    while not os.path.lexists(found):
        found = os.path.dirname(found)
    return found


def _within(path: str, folder: str) -> bool:
    return path == folder or folder == "/" or path.startswith(folder + "/")


def _relative(path: str, folder: str) -> str:
    relative = os.path.relpath(path, os.path.realpath(folder))
    return path if relative.startswith("../..") else relative


def explain(found: Missing, arguments: Sequence[str], *, terminal: bool) -> str:
    """Return what is said of privileges that are not granted: which they are, and the command that grants them."""
    entries = [*found.always, *found.files]
    flags = " ".join(f"--allow={flag}" for _, flag in entries)
    lines = ["Your build is requesting privileges for following possibly insecure capabilities:", ""]
    lines += [what for what, _ in entries]
    lead = "In order to not see this message in the future pass" if terminal else "Pass"
    lines += ["", f"{lead} {quote(flags)} to grant requested privileges."]
    if "bake" in arguments:
        place = list(arguments).index("bake") + 1
        before, behind = " ".join(arguments[:place]), " ".join(arguments[place:])
        lines += ["", "Your full command with requested privileges:", "", f"{before} {flags} {behind}", ""]
    return "\n".join(lines) + "\n"
