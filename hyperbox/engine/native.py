"""The native engine as one object: `engine/api.py`'s protocol, each method a function of the same name in the module that holds its topic.

A facade and nothing else: no policy, no state but where things are. Every method imports what it needs when it is called, so that
a command pays for its own topic alone. Container functions take `Roots` first, image functions the `ImageStore`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from hyperbox.engine.ahead import Ahead
    from hyperbox.engine.api import Attachment, ContainerSpec, Filters, Json, OnEvent
    from hyperbox.engine.state import Roots
    from hyperbox.image.store import ImageStore

# what the steps of a compose command import, each in a process of its own; see `NativeEngine.preload`
STEP_MODULES = (
    "fcntl",
    *(f"hyperbox.engine.{name}" for name in ("containers", "create_checks", "creation", "events", "launch", "listing")),
    *(
        f"hyperbox.engine.{name}"
        for name in ("network_manage", "network_sweep", "recovery", "removal", "spec", "volumes")
    ),
    *("hyperbox.image.store", "hyperbox.runtime.adapters"),
)
# and what they do where a monitor sleeps; see `monitor_end`
END_MODULES = (
    "_ctypes",
    *(f"hyperbox.engine.{name}" for name in ("monitor_end", "network", "network_setup", "project_groups")),
)


class NativeEngine:
    """Containers over an OCI runtime, with no daemon. One instance, one thread; as many processes as you like."""

    __slots__ = ("_ahead", "roots")

    def __init__(self, roots: Roots, ahead: Ahead | None = None) -> None:
        """`ahead` is the monitor of the next container or exec that this object starts, waiting already."""
        self.roots = roots
        self._ahead = ahead

    def _take_ahead(self) -> Ahead | None:
        ahead, self._ahead = self._ahead, None
        return ahead

    @property
    def store(self) -> ImageStore:
        """Return the image store."""
        from hyperbox.image.store import ImageStore

        return ImageStore(f"{self.roots.data}/images", self.roots.reached)

    def preload(self, *, ends: bool = False) -> None:
        for name in (*STEP_MODULES, *(END_MODULES if ends else ())):
            __import__(name)

    def version(self) -> Json:
        from hyperbox.engine.system import version

        return version(self.roots)

    def info(self) -> Json:
        from hyperbox.engine.system import info

        return info(self.roots)

    def disk_usage(self) -> Json:
        from hyperbox.engine.system import disk_usage

        return disk_usage(self.roots)

    def events(self, since: str = "", until: str = "", filters: Filters | None = None) -> Iterator[Json]:
        from hyperbox.engine.events import events

        return events(self.roots, since, until, filters)

    # --- containers ------------------------------------------------------------------------------------------------------
    def container_check(self, spec: ContainerSpec) -> None:
        """Raise what `container_create` raises before it looks for the image."""
        from hyperbox.engine.creation import settled

        settled(self.roots, spec)

    def container_create(self, spec: ContainerSpec, *, starts: bool = False) -> Json:
        from hyperbox.engine.creation import container_create

        return container_create(self.roots, spec, starts=starts)

    def container_start(self, reference: str) -> None:
        from hyperbox.engine.launch import container_start

        container_start(self.roots, reference, self._take_ahead())

    def container_run(
        self,
        spec: ContainerSpec,
        *,
        stdin: bool,
        detach_keys: str = "",
        on_created: Callable[[str, list[str]], None] | None = None,
    ) -> tuple[str, Attachment]:
        from hyperbox.engine.launch import container_run

        ahead = self._take_ahead()
        return container_run(self.roots, spec, stdin=stdin, detach_keys=detach_keys, on_created=on_created, ahead=ahead)

    def container_attach(
        self, reference: str, *, stdin: bool, stdout: bool, stderr: bool, logs: bool = False, detach_keys: str = ""
    ) -> Attachment:
        from hyperbox.engine.attach import container_attach

        return container_attach(
            self.roots, reference, stdin=stdin, stdout=stdout, stderr=stderr, logs=logs, detach_keys=detach_keys
        )

    def container_stop(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        from hyperbox.engine.containers import container_stop

        container_stop(self.roots, reference, timeout=timeout, signal=signal)

    def container_kill(self, reference: str, signal: str = "SIGKILL") -> None:
        from hyperbox.engine.containers import container_kill

        container_kill(self.roots, reference, signal)

    def container_restart(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        from hyperbox.engine.containers import container_restart

        container_restart(self.roots, reference, timeout=timeout, signal=signal)

    def container_pause(self, reference: str) -> None:
        from hyperbox.engine.containers import container_pause

        container_pause(self.roots, reference)

    def container_unpause(self, reference: str) -> None:
        from hyperbox.engine.containers import container_unpause

        container_unpause(self.roots, reference)

    def container_wait(self, reference: str, condition: str = "not-running") -> int:
        from hyperbox.engine.containers import container_wait

        return container_wait(self.roots, reference, condition)

    def container_hurry(self, reference: str) -> object:
        from hyperbox.engine.containers import container_hurry

        return container_hurry(self.roots, reference)

    def container_remove(
        self, reference: str, *, force: bool = False, volumes: bool = False, link: bool = False
    ) -> None:
        from hyperbox.engine.removal import container_remove

        container_remove(self.roots, reference, force=force, volumes=volumes, link=link)

    def container_rename(self, reference: str, name: str) -> None:
        from hyperbox.engine.changes import container_rename

        container_rename(self.roots, reference, name)

    def container_update(self, reference: str, changes: Json) -> Json:
        from hyperbox.engine.changes import container_update

        return container_update(self.roots, reference, changes)

    def container_inspect(self, reference: str, *, size: bool = False) -> Json:
        from hyperbox.engine.inspect import container_inspect

        return container_inspect(self.roots, reference, size=size)

    def container_list(
        self, *, all: bool = False, limit: int = -1, size: bool = False, filters: Filters | None = None
    ) -> list[Json]:
        from hyperbox.engine.listing import container_list

        return container_list(self.roots, all=all, limit=limit, size=size, filters=filters)

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
        from hyperbox.engine.logs import container_logs

        return container_logs(
            self.roots,
            reference,
            stdout=stdout,
            stderr=stderr,
            follow=follow,
            since=since,
            until=until,
            tail=tail,
            timestamps=timestamps,
            details=details,
        )

    def container_top(self, reference: str, ps_args: str = "-ef") -> Json:
        from hyperbox.engine.stats import container_top

        return container_top(self.roots, reference, ps_args)

    def container_stats(self, reference: str) -> Json:
        from hyperbox.engine.stats import container_stats

        return container_stats(self.roots, reference)

    def container_changes(self, reference: str) -> list[Json]:
        from hyperbox.engine.differences import container_changes

        return container_changes(self.roots, reference)

    def container_archive_get(self, reference: str, path: str) -> tuple[Json, Iterator[bytes]]:
        from hyperbox.engine.archive import container_archive_get

        return container_archive_get(self.roots, reference, path)

    def container_archive_stat(self, reference: str, path: str) -> Json:
        from hyperbox.engine.archive import container_archive_stat

        return container_archive_stat(self.roots, reference, path)

    def container_archive_put(
        self, reference: str, path: str, source: BinaryIO, *, no_overwrite: bool = False, copy_owner: bool = False
    ) -> None:
        from hyperbox.engine.archive import container_archive_put

        container_archive_put(self.roots, reference, path, source, no_overwrite=no_overwrite, copy_owner=copy_owner)

    def container_export(self, reference: str) -> Iterator[bytes]:
        from hyperbox.engine.archive import container_export

        return container_export(self.roots, reference)

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
        from hyperbox.engine.archive import container_commit

        return container_commit(
            self.roots,
            reference,
            repository=repository,
            tag=tag,
            comment=comment,
            author=author,
            pause=pause,
            changes=changes,
        )

    def container_prune(self, filters: Filters | None = None) -> Json:
        from hyperbox.engine.removal import container_prune

        return container_prune(self.roots, filters)

    def exec_create(self, reference: str, config: Json) -> str:
        from hyperbox.engine.exec import exec_create

        return exec_create(self.roots, reference, config)

    def exec_start(self, exec_id: str, *, detach: bool = False) -> Attachment | None:
        from hyperbox.engine.exec import exec_start

        return exec_start(self.roots, exec_id, detach=detach, ahead=self._take_ahead())

    def exec_inspect(self, exec_id: str) -> Json:
        from hyperbox.engine.exec import exec_inspect

        return exec_inspect(self.roots, exec_id)

    # --- images ----------------------------------------------------------------------------------------------------------
    def image_list(
        self, *, all: bool = False, filters: Filters | None = None, digests: bool = False, containers: bool = False
    ) -> list[Json]:
        from hyperbox.image.listing import image_list

        rows = image_list(self.store, all=all, filters=filters, digests=digests)
        if containers:
            from hyperbox.engine.state import image_users

            users = image_users(self.roots)
            for row in rows:
                row["Containers"] = len(users.get(str(row["Id"]), ()))
        return rows

    def image_inspect(self, reference: str, *, platform: str = "") -> Json:
        from hyperbox.image.listing import image_inspect

        return image_inspect(self.store, reference, platform=platform)

    def image_history(self, reference: str, *, platform: str = "") -> list[Json]:
        from hyperbox.image.listing import image_history

        if not reference:
            from hyperbox.errors import NotFound

            raise NotFound("page not found")

        return image_history(self.store, reference, platform=platform)

    def image_pull(
        self, reference: str, *, platform: str = "", auth: Json | None = None, on_event: OnEvent | None = None
    ) -> str:
        from hyperbox.engine.images import image_pull

        return image_pull(self.roots, self.store, reference, platform=platform, auth=auth, on_event=on_event)

    def image_push(self, reference: str, *, auth: Json | None = None, on_event: OnEvent | None = None) -> None:
        from hyperbox.engine.images import image_push

        image_push(self.roots, self.store, reference, auth=auth, on_event=on_event)

    def image_tag(self, reference: str, repository: str, tag: str) -> None:
        from hyperbox.engine.images import image_tag

        image_tag(self.roots, self.store, reference, repository, tag)

    def image_remove(self, reference: str, *, force: bool = False, prune: bool = True) -> list[Json]:
        from hyperbox.engine.images import image_remove

        return image_remove(self.roots, self.store, reference, force=force, prune=prune)

    def image_load(self, source: BinaryIO, *, platform: str = "", on_event: OnEvent | None = None) -> list[str]:
        from hyperbox.engine.images import image_load

        return image_load(self.roots, self.store, source, platform=platform, on_event=on_event)

    def image_save(self, references: Sequence[str], *, platform: str = "") -> Iterator[bytes]:
        from hyperbox.engine.images import image_save

        return image_save(self.roots, self.store, references, platform=platform)

    def image_import(
        self, source: BinaryIO, *, repository: str, tag: str, message: str, changes: Sequence[str], platform: str = ""
    ) -> str:
        from hyperbox.engine.images import image_import

        return image_import(
            self.roots,
            self.store,
            source,
            repository=repository,
            tag=tag,
            message=message,
            changes=changes,
            platform=platform,
        )

    def image_prune(self, filters: Filters | None = None) -> Json:
        from hyperbox.engine.images import image_prune

        return image_prune(self.roots, self.store, filters)

    # --- volumes ---------------------------------------------------------------------------------------------------------
    def volume_create(self, config: Json) -> Json:
        from hyperbox.engine.volumes import volume_create

        return volume_create(self.roots, config)

    def volume_list(self, filters: Filters | None = None) -> Json:
        from hyperbox.engine.volumes import volume_list

        return volume_list(self.roots, filters)

    def volume_inspect(self, name: str) -> Json:
        from hyperbox.engine.volumes import volume_inspect

        return volume_inspect(self.roots, name)

    def volume_remove(self, name: str, *, force: bool = False) -> None:
        from hyperbox.engine.volumes import volume_remove

        volume_remove(self.roots, name, force=force)

    def volume_move(self, name: str, new: str, labels: dict[str, str]) -> None:
        from hyperbox.engine.volumes import volume_move

        volume_move(self.roots, name, new, labels)

    def volume_prune(self, filters: Filters | None = None) -> Json:
        from hyperbox.engine.volumes import volume_prune

        return volume_prune(self.roots, filters)

    # --- networks --------------------------------------------------------------------------------------------------------
    def network_create(self, config: Json) -> Json:
        from hyperbox.engine.network import network_create

        return network_create(self.roots, config)

    def network_list(self, filters: Filters | None = None) -> list[Json]:
        from hyperbox.engine.network import network_list

        return network_list(self.roots, filters)

    def network_inspect(self, reference: str, *, verbose: bool = False) -> Json:
        from hyperbox.engine.network import network_inspect

        return network_inspect(self.roots, reference, verbose=verbose)

    def network_remove(self, reference: str) -> None:
        from hyperbox.engine.network import network_remove

        network_remove(self.roots, reference)

    def network_connect(self, reference: str, container: str, endpoint: Json) -> None:
        from hyperbox.engine.network import network_connect

        network_connect(self.roots, reference, container, endpoint)

    def network_disconnect(self, reference: str, container: str, *, force: bool = False) -> None:
        from hyperbox.engine.network import network_disconnect

        network_disconnect(self.roots, reference, container, force=force)

    def network_prune(self, filters: Filters | None = None) -> Json:
        from hyperbox.engine.network import network_prune

        return network_prune(self.roots, filters)

    # --- projects ---------------------------------------------------------------------------------------------------------
    def project_limit(self, project: str, budget: Json) -> None:
        from hyperbox.engine.project_groups import project_limit

        project_limit(self.roots, project, budget)

    def project_stats(self, project: str) -> Json:
        from hyperbox.engine.project_groups import project_stats

        return project_stats(self.roots, project)

    def project_remove(self, project: str) -> None:
        from hyperbox.engine.project_groups import project_remove

        project_remove(self.roots, project)

    def restore(self) -> list[str]:
        from hyperbox.engine.restore import restore

        return restore(self.roots)

    def restore_failures(self) -> dict[str, str]:
        from hyperbox.engine.restore import failures

        return failures(self.roots)
