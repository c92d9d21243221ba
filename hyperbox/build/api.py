"""What a build is asked, what it tells on its way, and what it gives: the contract between the command line and the solver.

Everything is an immutable record of plain values, made by the caller, who alone reads the environment, the terminal and docker's own
configuration. Below this page nothing is printed: a build speaks through `on_event` alone, in BuildKit's terms (a vertex is one step of the
graph; its states, its progress figures and its log lines are told by the vertex's digest). See docs/build.md.
"""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hyperbox.engine.state import Roots

    Json = dict[str, object]


class Source(NamedTuple):
    """Where a context's files come from.

    kind      "folder" (an absolute path), "archive" (the path of a tar, plain or compressed), "git" (a URL with an optional
              #reference:subfolder), "url" (http or https: a tar, or one Dockerfile), "image" (a reference, of docker-image://),
              "layout" (a path, of oci-layout://), "stage" (target:NAME of another build is resolved by the caller) or "empty"
    location  the path, URL or reference; "" for an empty context
    """

    kind: str
    location: str = ""


class Secret(NamedTuple):
    """A secret that steps may mount: the file at `path`, or `value` where the caller took it from a variable."""

    id: str
    path: str = ""
    value: bytes | None = None


class Agent(NamedTuple):
    """An ssh agent that steps may use: the path of its socket, or the paths of private keys for an agent of the build's own."""

    id: str
    socket: str = ""
    keys: tuple[str, ...] = ()


class Cache(NamedTuple):
    """One --cache-from or --cache-to: `kind` "local", "inline" or "registry"; `attributes` ref, src, dest, mode, compression …"""

    kind: str
    attributes: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute, or `default` where it was not given."""
        return dict(self.attributes).get(name, default)


class Output(NamedTuple):
    """One --output: `kind` "image" (into the store), "local" (a folder), "tar", "oci" or "docker" (an archive).

    `destination` is an absolute path; "" for the store; "-" for `Request.stdout`.
    `attributes` are the rest as given: name, push, compression, compression-level, rewrite-timestamp …
    """

    kind: str
    destination: str = ""
    attributes: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute, or `default` where it was not given."""
        return dict(self.attributes).get(name, default)


class Ulimit(NamedTuple):
    """A limit of the processes of RUN steps; -1 is unlimited."""

    name: str
    soft: int
    hard: int


def no_credentials(domain: str) -> Json | None:
    """Answer for every registry that there are none."""
    del domain
    return None


class BuildRequest(NamedTuple):
    """Everything that one build depends on.

    dockerfile         the Dockerfile's bytes where they don't come from the context: inline, stdin, a file outside of it. None: the file
                       `dockerfile_path` of the context
    dockerfile_path    relative to the context's root, or what messages call it where `dockerfile` is given; "" is Dockerfile
    ignore             the text of an ignore file that goes before the context's own (FILE.dockerignore beside a Dockerfile outside)
    build_args         name -> value, in the order given; a name whose value the caller could not find is left out
    platforms          as given; empty for the machine's own
    contexts           named contexts, name -> source
    pull               ask the registry for every base image again
    network            "default", "none" or "host", for RUN steps that say nothing
    hosts              (name, address) pairs for /etc/hosts of RUN steps; "host-gateway" is an address too
    shm_size           bytes, 0 for the default
    cgroup_parent      "" for a group of the build's own
    allow              entitlements ("network.host")
    credentials        registry domain -> the API's AuthConfig, or None
    source_date_epoch  seconds; None leaves times as they are. The build argument SOURCE_DATE_EPOCH sets it too
    outputs            empty: nothing is kept but the cache
    stdout             the descriptor that an output's destination "-" means
    """

    context: Source
    dockerfile: bytes | None = None
    dockerfile_path: str = ""
    ignore: str | None = None
    target: str = ""
    build_args: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    contexts: tuple[tuple[str, Source], ...] = ()
    secrets: tuple[Secret, ...] = ()
    agents: tuple[Agent, ...] = ()
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    network: str = "default"
    hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    allow: tuple[str, ...] = ()
    cache_from: tuple[Cache, ...] = ()
    cache_to: tuple[Cache, ...] = ()
    outputs: tuple[Output, ...] = (Output("image"),)
    credentials: Callable[[str], Json | None] = no_credentials
    source_date_epoch: int | None = None
    stdout: int = 1


class Vertex(NamedTuple):
    """A step's state; told when it is known, when it starts, and when it has ended (completed, cached, or with an error).

    name       as BuildKit prints it: "[internal] load build definition from Dockerfile", "[build 2/5] RUN make", "exporting to image"
    inputs     the digests of the vertices that it waits for
    started    seconds since the epoch, None before
    completed  the same
    """

    digest: str
    name: str
    inputs: tuple[str, ...] = ()
    started: float | None = None
    completed: float | None = None
    cached: bool = False
    error: str = ""


class Status(NamedTuple):
    """A figure of a vertex: "transferring context" with bytes so far, "naming to docker.io/library/x", a layer's download."""

    vertex: str
    id: str
    current: int = 0
    total: int = 0
    timestamp: float = 0.0
    started: float | None = None
    completed: float | None = None


class Log(NamedTuple):
    """Bytes that a step wrote; stream 1 is stdout, 2 stderr. Not split at line ends."""

    vertex: str
    stream: int
    data: bytes
    timestamp: float


class Finding(NamedTuple):
    """A build check's finding: the rule's name and sentence, its page, and the lines of the Dockerfile that it is about."""

    vertex: str
    rule: str
    message: str
    detail: str
    url: str
    file: str
    source: bytes
    lines: tuple[tuple[int, int], ...]
    level: int = 1


Event = Vertex | Status | Log | Finding


class Step(NamedTuple):
    """What became of one step: its name, whether the cache had it, how long it took (seconds), its result's digest."""

    name: str
    cached: bool
    seconds: float
    digest: str


class BuildResult(NamedTuple):
    """What was built.

    image_id         the configuration's digest; "" where no output is an image
    manifest_digest  of the manifest, in the same case
    names            the full references that now mean the image (docker.io/library/app:latest)
    steps            in the order in which they ended
    """

    image_id: str
    manifest_digest: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]


class BuildFailed(EngineError):
    """A build came to its end without a result.

    message   what stands behind "ERROR: failed to build: " and the like: 'failed to solve: process "/bin/sh -c false" did not …'
    vertex    the digest of the vertex that failed, "" where it is about none
    excerpt   the lines of the Dockerfile around the instruction, as docker prints them; "" where it is about none
    """

    def __init__(self, message: str, *, vertex: str = "", excerpt: str = "", exit_code: int = 1) -> None:
        super().__init__(message, exit_code=exit_code)
        self.vertex = vertex
        self.excerpt = excerpt


def build(
    roots: Roots, request: BuildRequest, on_event: Callable[[Event], None] = lambda event: None, *, lifeline: int = -1
) -> BuildResult:
    """Build and export what `request` says, until the descriptor `lifeline` becomes readable: that is a KeyboardInterrupt.

    `on_event` is called by one thread at a time, not always the caller's. Raises BuildFailed, or another HyperBoxError for a request that is
    wrong in itself. Killing the process at any point leaves only what the next command sweeps.
    """
    from hyperbox.build import apart
    from hyperbox.build.solver import solve

    if apart.has_threads():
        return apart.solve_apart(roots, request, on_event, lifeline=lifeline)
    return solve(roots, request, on_event, lifeline=lifeline)


def cache_usage(roots: Roots, filters: Mapping[str, Sequence[str]] | None = None) -> list[Json]:
    """Return the build cache's records in the API's shape (BuildCache: ID, Parents, Type, Description, InUse, Shared, Size, …).

    Filters as of `docker buildx du`. Raises InvalidParameter for one that it does not know.
    """
    from hyperbox.build.cache_records import usage

    return usage(roots, filters or {})


def cache_prune(
    roots: Roots,
    *,
    all: bool = False,
    filters: Mapping[str, Sequence[str]] | None = None,
    reserved_space: int = 0,
    max_used_space: int = 0,
    min_free_space: int = 0,
) -> Json:
    """Remove records that nothing uses; returns {"CachesDeleted": [id], "SpaceReclaimed": bytes, "Records": [BuildCache]}.

    Without `all` internal and frontend records stay, as with docker. Sizes are in bytes, 0 for none. What a running build, an image or a
    container uses is never removed.
    """
    from hyperbox.build.cache_records import prune

    return prune(roots, all, filters or {}, (reserved_space, max_used_space, min_free_space))
