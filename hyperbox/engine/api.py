"""What every engine is: the record that describes a container to be, and the protocol that engines keep.

The shapes are those of the Docker Engine API 1.51 (https://docs.docker.com/reference/api/engine/version/v1.51/), as plain dicts
with its field names: what `container_inspect` returns is what `GET /containers/{id}/json` returns, `container_list` returns the
objects of `GET /containers/json`, and so on. The CLI formats those and nothing else, so that every engine behind it looks the same.

Filters are `dict[str, list[str]]` as in the API: OR within a key, AND across keys; an unknown key raises InvalidParameter
"invalid filter 'KEY'". References to a container are a full id, an unambiguous prefix of one, or a name with or without "/"; one that
nothing has raises NotFound, a prefix of several Conflict, in every function that takes one; so do those to images, networks and volumes.
Sizes are bytes, lengths of time seconds, moments seconds of the epoch, but where the API's objects have them otherwise.

Errors are those of `hyperbox.errors` with docker's words: NotFound "No such container: x", Conflict, InvalidParameter …
"""

from __future__ import annotations

from hyperbox.engine.container_spec import ContainerSpec as ContainerSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, Protocol

    Json = dict[str, object]
    Filters = dict[str, list[str]]
    OnEvent = Callable[[dict[str, object]], None]
else:
    Protocol = object


class Attachment(Protocol):
    """The streams of a running process, as one connected socket.

    Without a TTY the bytes that arrive are framed as the Engine API frames them (stream 1 or 2, three zero bytes, the length as
    32 bits big-endian, the bytes); with a TTY they are raw. What is written goes to the process's stdin as it is. End of file
    means that all output has been delivered.
    """

    tty: bool

    def fileno(self) -> int:
        """Return the socket's descriptor, for poll."""

    def read(self) -> list[tuple[int, bytes]] | None:
        """Read once (blocking) and return complete (stream, bytes) pairs; stream 1 with a TTY. None at the end."""

    def write(self, data: bytes) -> None:
        """Send all of `data` to stdin."""

    def close_stdin(self) -> None:
        """Half-close: the process reads end of file, its output still arrives."""

    def resize(self, rows: int, columns: int) -> None:
        """Set the TTY's window size (in characters). Without a TTY, or once the process has ended, nothing happens."""

    def wait(self) -> int:
        """Wait until the process has ended, and return its exit code. Deferred clean-up is not waited for."""

    def close(self) -> None:
        """Let go; the process runs on."""


class Engine(Protocol):
    """An engine: containers, images, networks and volumes. Safe to use from many processes at once; one instance, one thread."""

    # --- system ---------------------------------------------------------------------------------------------------------------
    def preload(self, *, ends: bool = False) -> None:
        """Load now what processes forked from this one will need to make, start, stop and remove containers; changes nothing.

        `ends`: some that run will be stopped or removed.
        """

    def version(self) -> Json:
        """`GET /version`."""

    def info(self) -> Json:
        """`GET /info`; succeeds whenever the engine can be used at all (scripts use it as a test of life)."""

    def disk_usage(self) -> Json:
        """`GET /system/df`: {"LayersSize", "Images", "Containers", "Volumes", "BuildCache"}."""

    def events(self, since: str = "", until: str = "", filters: Filters | None = None) -> Iterator[Json]:
        """`GET /events`: the past ones from `since`, then new ones as they happen until `until`; without it, for ever."""

    # --- containers -----------------------------------------------------------------------------------------------------------
    def container_create(self, spec: ContainerSpec, *, starts: bool = False) -> Json:
        """Record a new container; returns {"Id", "Warnings"}. Nothing is left of it when it raises, nor, where the caller `starts` it
        at once, when the caller is killed before it runs.

        Raises NotFound "No such image: NAME:TAG" (it never pulls), Conflict where the name is in use, InvalidParameter.
        """

    def container_start(self, reference: str) -> None:
        """Start it; starting a running one does nothing. Raises EngineError with the runtime's reason; it stays "created" then."""

    def container_run(
        self,
        spec: ContainerSpec,
        *,
        stdin: bool,
        detach_keys: str = "",
        on_created: Callable[[str, list[str]], None] | None = None,
    ) -> tuple[str, Attachment]:
        """Create and start in one go with the caller attached from the first byte; the fast path of `run`. Returns (id, attachment).

        `on_created` hears the id and the warnings once the container is recorded, before it starts.

        If create fails nothing is left; if start fails the container stays (removed if AutoRemove) and the error has `.container_id`.
        """

    def container_attach(
        self, reference: str, *, stdin: bool, stdout: bool, stderr: bool, logs: bool = False, detach_keys: str = ""
    ) -> Attachment:
        """Attach to a container (running, or created: then `container_start` follows, and no byte is missed).

        Raises Conflict for one that is not running, paused or restarting, InvalidParameter for detach keys that are none.
        """

    def container_stop(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Send the stop signal, after `timeout` seconds SIGKILL (None: the container's own; -1: never). Not running: does nothing.

        Returns once it has ended. Raises InvalidParameter for a signal that is none.
        """

    def container_kill(self, reference: str, signal: str = "SIGKILL") -> None:
        """Send a signal to its first process. Raises Conflict "container ID is not running", InvalidParameter for a signal that is none."""

    def container_restart(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Stop, then start; what is not running is started. Raises what these two raise."""

    def container_pause(self, reference: str) -> None:
        """Freeze all of its processes. Raises Conflict for one that is paused already or not running."""

    def container_unpause(self, reference: str) -> None:
        """Thaw them. Raises Conflict "Container ID is not paused"."""

    def container_wait(self, reference: str, condition: str = "not-running") -> int:
        """Wait for "not-running", "next-exit" or "removed", and return the exit code."""

    def container_hurry(self, reference: str) -> object:
        """Have the health of a starting container checked at once, and often while what is returned is kept: somebody waits for it.

        Checks that fail beside the regular ones don't count. Nothing to hurry, or no such container, is no error.
        """

    def container_remove(
        self, reference: str, *, force: bool = False, volumes: bool = False, link: bool = False
    ) -> None:
        """Remove it; `volumes`: its anonymous volumes too. Raises Conflict for a running one without `force`."""

    def container_rename(self, reference: str, name: str) -> None:
        """Give it another name. Raises Conflict where the name is in use, InvalidParameter where it is none, or the one that it has."""

    def container_update(self, reference: str, changes: Json) -> Json:
        """`POST /containers/{id}/update`: change limits or RestartPolicy, of a running one at once. Returns {"Warnings"}.

        Raises Conflict and InvalidParameter for limits that contradict each other or what it has, EngineError where the kernel refuses them.
        """

    def container_inspect(self, reference: str, *, size: bool = False) -> Json:
        """`GET /containers/{id}/json`."""

    def container_list(
        self, *, all: bool = False, limit: int = -1, size: bool = False, filters: Filters | None = None
    ) -> list[Json]:
        """`GET /containers/json`, newest first."""

    def container_logs(
        self,
        reference: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        follow: bool = False,
        since: float = 0.0,
        until: float = 0.0,
        tail: int = -1,
        timestamps: bool = False,
        details: bool = False,
    ) -> Iterator[tuple[int, bytes]]:
        """Yield (stream, bytes) as logged, times in seconds of the epoch; with `follow`, until the container ends."""

    def container_top(self, reference: str, ps_args: str = "-ef") -> Json:
        """{"Titles": […], "Processes": [[…]]}, the columns those of ps(1) with `ps_args`. Raises Conflict where it is not running."""

    def container_stats(self, reference: str) -> Json:
        """`GET /containers/{id}/stats?stream=false&one-shot=true`: one sample."""

    def container_changes(self, reference: str) -> list[Json]:
        """What differs from the image: [{"Path", "Kind"}], 0 changed, 1 added, 2 deleted."""

    def container_archive_get(self, reference: str, path: str) -> tuple[Json, Iterator[bytes]]:
        """`GET /containers/{id}/archive`: the stat of `path` and a tar of it. Raises NotFound where there is no such path."""

    def container_archive_stat(self, reference: str, path: str) -> Json:
        """`HEAD /containers/{id}/archive`: the stat of `path`. Raises NotFound where there is no such path."""

    def container_archive_put(
        self, reference: str, path: str, source: BinaryIO, *, no_overwrite: bool = False, copy_owner: bool = False
    ) -> None:
        """`PUT /containers/{id}/archive`: unpack a tar in the folder `path`, never outside the container.

        `no_overwrite`: a folder never takes a file's place, nor the reverse; `copy_owner`: owners are those of the tar, not root.
        Raises NotFound where there is no such folder; what was unpacked before a failure stays.
        """

    def container_export(self, reference: str) -> Iterator[bytes]:
        """Its whole root file system as a tar."""

    def container_commit(
        self,
        reference: str,
        *,
        repository: str,
        tag: str,
        comment: str,
        author: str,
        pause: bool,
        changes: Sequence[str],
    ) -> str:
        """Make an image of it and return the image's id; `pause`: frozen meanwhile. `changes` are instructions of a Dockerfile.

        Raises InvalidParameter for a name or a change that is none.
        """

    def container_prune(self, filters: Filters | None = None) -> Json:
        """Remove all that don't run and that the filters let through: {"ContainersDeleted" (ids), "SpaceReclaimed" (bytes)}."""

    def exec_create(self, reference: str, config: Json) -> str:
        """`POST /containers/{id}/exec` with its ExecConfig; returns the exec's id. Raises Conflict where the container does not run."""

    def exec_start(self, exec_id: str, *, detach: bool = False) -> Attachment | None:
        """Start it; None when detached. Raises NotFound for an id of none, Conflict where it has run already or the container has ended."""

    def exec_inspect(self, exec_id: str) -> Json:
        """`GET /exec/{id}/json`. Raises NotFound "No such exec instance: ID"."""

    # --- images ---------------------------------------------------------------------------------------------------------------
    def image_list(
        self, *, all: bool = False, filters: Filters | None = None, digests: bool = False, containers: bool = False
    ) -> list[Json]:
        """`GET /images/json`, newest first; `containers`: with the number of containers of each, which costs a look at all of them."""

    def image_inspect(self, reference: str, *, platform: str = "") -> Json:
        """`GET /images/{name}/json`. Raises NotFound "No such image: NAME:TAG"; for a `platform` that it is not of, too."""

    def image_history(self, reference: str, *, platform: str = "") -> list[Json]:
        """`GET /images/{name}/history`, newest first."""

    def image_pull(
        self, reference: str, *, platform: str = "", auth: Json | None = None, on_event: OnEvent | None = None
    ) -> str:
        """Pull one reference (a tag or a digest) and return the image's id. Killed or failed, it leaves no image; what was fetched is used again.

        Raises NotFound where the registry has none, or none for the platform, EngineError for what else it answers or a network's failure.

        `on_event` receives the objects of docker's progress stream: {"status", "id", "progressDetail": {"current", "total"}}.
        """

    def image_push(self, reference: str, *, auth: Json | None = None, on_event: OnEvent | None = None) -> None:
        """Push one tag; `auth` and `on_event` as for a pull. Raises NotFound for a tag that is not there, EngineError with the registry's words."""

    def image_tag(self, reference: str, repository: str, tag: str) -> None:
        """Give an image one more name, taken from the image that had it. Raises InvalidParameter for a name that is none, or has a digest."""

    def image_remove(self, reference: str, *, force: bool = False, prune: bool = True) -> list[Json]:
        """[{"Untagged": …} | {"Deleted": …}] in docker's order; `prune`: its untagged parents too.

        Raises Conflict while a container uses it or, by id, several names are on it; with `force` only for one that runs.
        """

    def image_load(self, source: BinaryIO, *, platform: str = "", on_event: OnEvent | None = None) -> list[str]:
        """Load an archive (docker's or OCI's layout, gzip or zstd or plain) and return docker's lines ("Loaded image: x:y").

        Raises EngineError for an archive that is none, or holds what it does not say.
        """

    def image_save(self, references: Sequence[str], *, platform: str = "") -> Iterator[bytes]:
        """An archive that both docker's and OCI's readers load. Raises NotFound before the first byte where one of them is not there."""

    def image_import(
        self, source: BinaryIO, *, repository: str, tag: str, message: str, changes: Sequence[str], platform: str = ""
    ) -> str:
        """Make an image of one root file system tar (plain or compressed) and return its id. `changes` are instructions of a Dockerfile.

        Raises InvalidParameter for a name or a change that is none, EngineError for a tar that is none.
        """

    def image_prune(self, filters: Filters | None = None) -> Json:
        """Remove images that no container uses: {"ImagesDeleted", "SpaceReclaimed" (bytes)}; untagged ones unless the filter dangling=false."""

    # --- volumes --------------------------------------------------------------------------------------------------------------
    def volume_create(self, config: Json) -> Json:
        """`POST /volumes/create` {"Name", "Driver", "DriverOpts", "Labels"}; an existing name is returned as it is.

        Raises InvalidParameter for a name or an option that is none, NotFound for a driver that there is not.
        """

    def volume_list(self, filters: Filters | None = None) -> Json:
        """{"Volumes": […], "Warnings": […]}."""

    def volume_inspect(self, name: str) -> Json:
        """`GET /volumes/{name}`. Raises NotFound "get NAME: no such volume"."""

    def volume_remove(self, name: str, *, force: bool = False) -> None:
        """Remove it with its data. Raises Conflict "remove NAME: volume is in use - [ID, …]"; `force`: no such volume is no error."""

    def volume_move(self, name: str, new: str, labels: dict[str, str]) -> None:
        """Give a volume another name (or the same) and these labels, its data and options kept.

        Raises Conflict while a container uses it, or where the new name is taken. A kill leaves both old, or the name new and the labels old.
        """

    def volume_prune(self, filters: Filters | None = None) -> Json:
        """{"VolumesDeleted", "SpaceReclaimed"}; only anonymous ones unless the filter all=true."""

    # --- networks -------------------------------------------------------------------------------------------------------------
    def network_create(self, config: Json) -> Json:
        """`POST /networks/create` {"Name", "Driver", "Internal", "IPAM", "Options", "Labels", "EnableIPv6" …}; {"Id", "Warning"}.

        Raises Conflict where the name is in use, Forbidden for a subnet that another has, InvalidParameter for addresses that don't fit.
        """

    def network_list(self, filters: Filters | None = None) -> list[Json]:
        """`GET /networks`."""

    def network_inspect(self, reference: str, *, verbose: bool = False) -> Json:
        """`GET /networks/{id}` with its Containers."""

    def network_remove(self, reference: str) -> None:
        """Remove it. Raises Forbidden for a predefined one, and while a container is on it."""

    def network_connect(self, reference: str, container: str, endpoint: Json) -> None:
        """Join a container (running or not) to a network; `endpoint` is an EndpointSettings.

        Raises Forbidden where it is on it already, or for the network of the host.
        """

    def network_disconnect(self, reference: str, container: str, *, force: bool = False) -> None:
        """Take it off again, running or not. Raises Forbidden where it is not on it."""

    def network_prune(self, filters: Filters | None = None) -> Json:
        """Remove those that no container is on, none of the predefined: {"NetworksDeleted" (names)}."""

    # --- projects: HyperBox's own ---------------------------------------------------------------------------------------------
    def project_limit(self, project: str, budget: Json) -> None:
        """Keep a project's budget (see `kernel.cgroups.budget_writes`; io devices as /dev/NAME too) and put it in force at once.

        An empty one takes all limits away. Raises EngineError where this machine can't keep a limit; the budget from before stays then.
        """

    def project_stats(self, project: str) -> Json:
        """A project's own counters, {} while none of its containers ever ran since the machine's start.

        {"cpu" (nanoseconds), "memory", "memory_limit", "read", "written" (bytes), "pids", "pids_limit", "oom_kills", "pressure"}; pressure is
        {"cpu", "memory", "io": {"some", "full": {"avg10", "avg60", "avg300": percent, "total": microseconds}}} where the kernel has it.
        """

    def project_remove(self, project: str) -> None:
        """Forget a project's budget and remove its cgroup, if nothing is in it. Idempotent."""

    def restore(self) -> list[str]:
        """Start the containers that a reboot ended and that their restart policies want back; returns their names. Does it once a boot."""

    def restore_failures(self) -> dict[str, str]:
        """Which containers could not come back, by name, and why."""
