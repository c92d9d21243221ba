"""The graph of a build: nodes that say what to do, made from the Dockerfile by `build.stages`. Nothing here opens anything.

A node's operation holds exactly what its result depends on, so that the cache's key is made of it; what must not count (proxies, the origin of a
secret) stands in the node itself.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.dockerfile import Instruction

    Json = dict[str, object]


class ImageBase(NamedTuple):
    """A base image that is in the store: its layers, bottom first. Its configuration counts only through what the steps take from it."""

    image_id: str
    diff_ids: tuple[str, ...]


class Files(NamedTuple):
    """A context: the files of a folder, named by its place in the request ("" is the main one)."""

    context: str


class Tree(NamedTuple):
    """All files of a context as a layer of its own: what FROM and a bind mount see of it."""

    context: str


class Download(NamedTuple):
    """ADD of a URL: one file of this name. The content counts, and the checksum where there is one."""

    url: str
    name: str
    checksum: str


class Clone(NamedTuple):
    """ADD of a git repository: its files at a commit."""

    url: str
    reference: str
    subfolder: str
    keep_git_dir: bool
    checksum: str


class Inline(NamedTuple):
    """A here-document of COPY or ADD: a file."""

    name: str
    text: str


class From(NamedTuple):
    """One source of a COPY: the node's input (an index), the pattern as it is, and whether archives are unpacked."""

    input: int
    path: str
    unpack: bool = False
    required: bool = False


class Copy(NamedTuple):
    """COPY and ADD. `input` 0 is what is copied onto.

    --link changes nothing: as in docker without containerd's image store, a layer is made over what is there.
    """

    sources: tuple[From, ...]
    inline: tuple[Inline, ...]
    destination: str
    chown: str
    chmod: str
    parents: bool
    exclude: tuple[str, ...]
    created: int | None


class Mount(NamedTuple):
    """One mount of a RUN: `input` is the index of the node whose files it shows, -1 for none."""

    kind: str
    target: str
    source: str
    input: int
    writable: bool
    id: str
    sharing: str
    uid: int
    gid: int
    mode: int
    size: int
    required: bool
    variable: str


class Run(NamedTuple):
    """RUN; `input` 0 is its root file system."""

    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    working_dir: str
    user: str
    mounts: tuple[Mount, ...]
    network: str
    hosts: tuple[tuple[str, str], ...]
    shm_size: int
    ulimits: tuple[tuple[str, int, int], ...]
    cgroup_parent: str


class MakeFolder(NamedTuple):
    """WORKDIR: a folder that must be there."""

    path: str
    user: str
    created: int | None


Operation = ImageBase | Files | Tree | Download | Clone | Copy | Run | MakeFolder


class Node:
    """One vertex: what to do to which inputs, how it is called, and the instruction that it comes from."""

    __slots__ = ("digest", "ignore_cache", "inputs", "instruction", "name", "operation", "proxies")

    def __init__(
        self,
        operation: Operation,
        inputs: tuple[Node, ...],
        name: str,
        instruction: Instruction | None = None,
        *,
        ignore_cache: bool = False,
        proxies: tuple[str, ...] = (),
    ) -> None:
        self.operation = operation
        self.inputs = inputs
        self.name = name
        self.instruction = instruction
        self.ignore_cache = ignore_cache
        self.proxies = proxies
        self.digest: str = fingerprint([type(operation).__name__, operation, [node.digest for node in inputs]])


def fingerprint(value: object) -> str:
    """Return the digest of a value made of lists, tuples, strings, numbers, truth values and None."""
    return f"sha256:{hashlib.sha256(files.dumps(value).encode('utf-8', 'surrogateescape')).hexdigest()}"


SCRATCH = Node(ImageBase("", ()), (), "scratch")


def ancestors(node: Node) -> list[Node]:
    """Return all nodes that a node needs and the node itself, inputs before those who use them, each once."""
    found: dict[int, Node] = {}
    pending: list[tuple[Node, bool]] = [(node, False)]
    while pending:
        here, opened = pending.pop()
        if id(here) in found:
            continue
        if opened:
            found[id(here)] = here
        else:
            pending.append((here, True))
            pending += [(each, False) for each in reversed(here.inputs)]
    return list(found.values())
