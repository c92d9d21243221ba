"""Taking containers away: in one step for everybody else, the rest afterwards."""

from __future__ import annotations

import os
import time

from hyperbox import files
from hyperbox.engine import life_events
from hyperbox.engine.events import emit, emit_all
from hyperbox.engine.state import Container, Roots, find_container, read_container, release_name, update_state
from hyperbox.errors import Conflict, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]
    Filters = dict[str, list[str]]

WITHOUT_VOLUMES = "without-volumes"
LAST = (WITHOUT_VOLUMES, "state.json", "container.json", "lock")


def container_remove(
    roots: Roots, reference: str, *, force: bool = False, volumes: bool = False, link: bool = False
) -> None:
    """See `engine.api.Engine.container_remove`."""
    from hyperbox.engine.recovery import sweep

    sweep(roots)

    if link:
        from hyperbox.engine.legacy_links import remove_link

        remove_link(roots, reference)
        return
    container = find_container(roots, reference)
    while not remove_found(roots, container, reference, force=force, volumes=volumes):
        container = read_again(container)


def read_again(container: Container) -> Container:
    """Return a container as it is now. Raises Conflict where it was removed meanwhile."""
    try:
        return read_container(container.roots, container.id)
    except NotFound:
        raise Conflict(f"removal of container {container.id} is already in progress") from None


def remove_found(roots: Roots, container: Container, reference: str, *, force: bool, volumes: bool) -> bool:
    """Remove a container; with `force` False where it was started again just then, and is to be ended once more."""
    from hyperbox.engine.containers import end_and_let_go, end_now, wait_for_monitor

    if container.running:
        if not force:
            lead = f'cannot remove container "{reference.lstrip("/")}": container is'
            if container.status == "paused":
                raise Conflict(f"{lead} paused and must be unpaused first")
            state = "restarting" if container.status == "restarting" else "running"
            raise Conflict(f"{lead} {state}: stop the container before removing or force remove")
        if container.host_config.get("AutoRemove"):
            end_and_let_go(container)
            if not os.path.isdir(container.folder()):
                return True
        else:
            end_now(container)
    wait_for_monitor(container)
    try:
        with container.lock():
            container = read_container(roots, container.id)
            if container.running:
                return False
            if volumes:
                files.claim(f"{container.folder()}/{WITHOUT_VOLUMES}", "rm")
            set_aside(roots, container)
            remove_rest(roots, container, volumes=volumes)
            return True
    except (FileNotFoundError, NotFound):
        raise Conflict(f"removal of container {container.id} is already in progress") from None


def record_end(container: Container, changes: Json, started: float, *, again: bool = False) -> bool:
    """Record `changes` of the state of a container that has ended for good; returns whether it goes by itself (`--rm`), and is set aside.

    `started` is when its process was started (time.monotonic), 0.0 where it was not; `again`: that its process died was told before.
    """
    roots = container.roots
    try:
        update_state(container, {**changes, "Status": "exited"})
    except NotFound:  # removed meanwhile, by force
        pass
    code = container.state["ExitCode"]
    duration = str(int(time.monotonic() - started)) if started else "0"
    told = life_events.ended(container, {"exitCode": str(code), "execDuration": duration})
    emit_all(roots, life_events.stopped(container) if again else told)
    roots.reached("ended")
    removed = goes_by_itself(container)
    roots.reached("recorded")
    return removed


def goes_by_itself(container: Container) -> bool:
    """Set a container that has ended for good aside where it is to go then (`--rm`); returns whether this call did it."""
    return bool(container.host_config.get("AutoRemove")) and set_aside(container.roots, container)


def present_folder(roots: Roots, container: Container) -> str:
    """Return where a container's folder is now: in its place or set aside."""
    aside = f"{roots.data}/removing/{container.id}"
    return aside if os.path.isdir(aside) else container.folder()


def set_aside(roots: Roots, container: Container) -> bool:
    """Take the container away for everybody: its folder moves to removing/ and its name is free. Returns whether this call did it."""
    try:
        os.rename(container.folder(), f"{roots.data}/removing/{container.id}")
    except FileNotFoundError:
        return False
    roots.reached("set-aside")
    release_name(roots, container.name, container.id)
    return True


def remove_rest(roots: Roots, container: Container, *, volumes: bool = True) -> None:
    """Remove what is left of a container that was set aside; may be done again. `volumes`: its anonymous ones too."""
    if os.path.isdir(roots.container_run(container.id)):  # a monitor that was killed has not given back what it held
        from hyperbox.engine.monitor_setup import take_down

        take_down(roots, container)
    roots.reached("removing")
    if container.record.get("Mounts"):
        from hyperbox.engine.volumes import release_volumes

        release_volumes(roots, container, remove=volumes)
    roots.reached("volumes-released")
    emit(roots, "destroy", container)
    remove_folder(f"{roots.data}/removing/{container.id}")
    let_image_go(roots, container)


def let_image_go(roots: Roots, container: Container) -> None:
    """Remove an image that was removed while this container used it, where it was the last one that did."""
    images, image_id = f"{roots.data}/images", str(container.record.get("ImageID") or "")
    if not image_id or not os.path.lexists(f"{images}/kept/{image_id.removeprefix('sha256:')}.json"):
        return
    from hyperbox.engine.state import image_users
    from hyperbox.image import removal
    from hyperbox.image.store import ImageStore

    store = ImageStore(images)
    if removal.release_kept(store, image_users(roots)):
        store.collect_garbage()


def wants_volumes_removed(folder: str) -> bool:
    """Return whether a container that was set aside is removed with its anonymous volumes (`rm -v`)."""
    return os.path.lexists(f"{folder}/{WITHOUT_VOLUMES}")


def remove_folder(folder: str) -> None:
    """Remove the folder of a container that was set aside; what says what it was, and the lock, go last."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        if name not in LAST:
            files.remove_tree(f"{folder}/{name}")
    for name in LAST:
        files.remove_tree(f"{folder}/{name}")
    files.remove_tree(folder)


def container_prune(roots: Roots, filters: Filters | None = None) -> Json:
    """See `engine.api.Engine.container_prune`."""
    from hyperbox.engine.listing import prune_candidates
    from hyperbox.engine.sizes import written_size

    deleted: list[str] = []
    freed = 0
    for container in prune_candidates(roots, filters or {}):
        size = written_size(f"{container.folder()}/upper")
        try:
            container_remove(roots, container.id)
        except (Conflict, NotFound):
            continue
        deleted.append(container.id)
        freed += size
    life_events.pruned(roots, "container", freed)
    return {"ContainersDeleted": deleted or None, "SpaceReclaimed": freed}
