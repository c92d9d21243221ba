"""What killed commands and monitors have left: brought to an end by the next command.

making/frozen.…       a container that a dead `commit` has frozen: thawed, see `freezing`
making/ID-PID-START   whose maker is dead: the name is given back, the folder goes
removing/ID           whose monitor is dead: what the container held is given back, the folder goes
build/containers/ID   whose process is dead: see `transient`
RUN/runtime/expedited whose process is dead: the kernel's setting is put back, see `kernel.moves`
containers/ID         that says running and whose monitor is dead: what still runs in it is killed, the state becomes exited (137);
                      that was being started when its monitor died: created again; that a killed `run` had made: removed
"""

from __future__ import annotations

import os
import time

from hyperbox import files, process
from hyperbox.engine.state import (
    Container,
    Roots,
    is_settled,
    maker_is_alive,
    monitor_is_alive,
    new_state,
    now,
    read_container,
    release_name,
    update_state,
)
from hyperbox.errors import HyperBoxError, NotFound
from hyperbox.kernel import moves

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

KILLED = 137
STOPPED: Json = {
    "Monitor": 0,
    "MonitorStart": 0,
    "Pid": 0,
    "PidStart": 0,
    "Error": "the container's monitor was killed",
}
ENDED: Json = {"Status": "exited", "ExitCode": KILLED, "Error": ""}


def sweep(roots: Roots) -> None:
    """Remove what dead commands and monitors left in making/ and removing/: two empty folders, as a rule."""
    try:
        making, removing = os.listdir(f"{roots.data}/making"), os.listdir(f"{roots.data}/removing")
    except FileNotFoundError:
        roots.prepare()
        return
    for entry in making:
        if not maker_is_alive(entry):
            forget_making(roots, entry)
            sweep_temporaries(roots)
    for container_id in removing:
        finish_removal(roots, container_id)
    moves.mend(f"{roots.run}/runtime/{moves.RECORD}")
    try:
        steps = os.listdir(f"{roots.data}/build/containers")
    except FileNotFoundError:
        return
    if steps:
        from hyperbox.engine import transient

        transient.sweep(roots)


def forget_making(roots: Roots, entry: str) -> None:
    """Remove a half-made container, the claim on its name, and its anonymous volumes; thaw what a dead `commit` has frozen."""
    from hyperbox.engine import freezing

    if freezing.container_of(entry):
        freezing.thaw_after_reading(roots, entry)
        return
    from hyperbox.engine.volumes import forget_made_for

    if not os.path.isdir(f"{roots.data}/making/{entry}"):
        return  # its maker had finished it, and ended since we looked
    container_id = entry.partition("-")[0]
    for name in os.listdir(f"{roots.data}/names"):
        release_name(roots, name, container_id)
    forget_made_for(roots, container_id)
    files.remove_tree(f"{roots.data}/making/{entry}")


def finish_removal(roots: Roots, container_id: str) -> None:
    """Finish a removal whose process died; one that is under way (its monitor lives, or its lock is held) is left alone."""
    folder = f"{roots.data}/removing/{container_id}"
    try:
        descriptor = files.lock_if_free(f"{folder}/lock")
    except FileNotFoundError:
        forget_empty(folder)
        return
    if descriptor < 0:
        return
    try:
        container = read_set_aside(roots, container_id)
        if container is not None and monitor_is_alive(container):
            return  # as after most `run --rm`: nothing more is loaded for it
        from hyperbox.engine import removal

        if container is not None:
            end_processes(roots, container)
            release_name(roots, container.name, container_id)
            with_volumes = bool(container.host_config.get("AutoRemove")) or removal.wants_volumes_removed(folder)
            removal.remove_rest(roots, container, volumes=with_volumes)
        else:
            removal.remove_folder(folder)
        sweep_temporaries(roots)
    finally:
        os.close(descriptor)


def read_set_aside(roots: Roots, container_id: str) -> Container | None:
    """Return a container that was set aside; None where nothing but files of its folder is left to remove."""
    folder = f"{roots.data}/removing/{container_id}"
    # in the order in which these go: without a state, all that the record is needed for was done
    state = read_or_nothing(f"{folder}/state.json")
    if not state and not os.path.lexists(f"{folder}/state.json"):
        return None
    record = read_or_nothing(f"{folder}/container.json")
    return Container(roots, container_id, record, {**new_state(), **state}) if record else None


def forget_empty(folder: str) -> None:
    """Remove the folder of a removal that was killed just before its last act."""
    try:
        os.rmdir(folder)
    except OSError:  # gone, or not empty: its lock is about to be made or taken
        return


def read_or_nothing(path: str) -> Json:
    """Return a record, empty where it is gone or was half-written by a full disk."""
    try:
        value = files.read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def recover(container: Container) -> Container:
    """Bring a container whose monitor died to its end, and return it as it is then. Raises NotFound where it is gone then."""
    from hyperbox.engine import life_events, removal
    from hyperbox.engine.events import emit_all

    roots = container.roots
    try:
        with container.lock():
            container = read_container(roots, container.id)
            if is_settled(container):
                return container
            ran, ended = container.running, container.status == "exited"
            end_processes(roots, container)
            roots.reached("recovering")
            sweep_temporaries(roots)
            if not ended:
                update_state(container, STOPPED if not ran else {**STOPPED, **ENDED, "FinishedAt": now()})
            if ran:
                emit_all(roots, life_events.ended(container, {"exitCode": str(KILLED)}))
            if never_was(container) or container.host_config.get("AutoRemove"):
                removal.set_aside(roots, container)
                removal.remove_rest(roots, container)
                raise NotFound(f"No such container: {container.id}")
    except FileNotFoundError:
        raise NotFound(f"No such container: {container.id}") from None
    return container


def never_was(container: Container) -> bool:
    """Return whether a container was to be started at once by a command that was killed before it ran."""
    pid, _, started = str(container.record.get("Maker") or "0-0").partition("-")
    return container.status == "created" and int(pid) > 0 and not process.is_alive(int(pid), int(started))


def thaw(roots: Roots, container: Container) -> None:
    """Thaw a container's processes: frozen ones don't take the signal that kills them, on cgroup v1."""
    from hyperbox.engine import freezing

    try:
        freezing.freeze(roots, container, frozen=False)
    except HyperBoxError:  # nothing is in it any more
        return


def end_processes(roots: Roots, container: Container) -> None:
    """Kill what still runs in a container that has no monitor any more, and give back what it held.

    An OCI runtime that the monitor was waiting for is in the monitor's session, and would go on to start the container.
    """
    from hyperbox.engine import network_store
    from hyperbox.engine.monitor_setup import cgroup_path, take_down
    from hyperbox.kernel import cgroups

    path = cgroup_path(roots, container)
    monitor, started = container.state["Monitor"], container.state["MonitorStart"]
    assert isinstance(monitor, int)
    assert isinstance(started, int)
    quiet = 0
    for _ in range(200):
        pids = [*(process.session_members(monitor, started) if monitor else ()), *cgroups.processes(path)]
        for pid in pids:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        if pids:
            thaw(roots, container)
        quiet = 0 if pids else quiet + 1
        if quiet == 2:  # what left the session between the two looks is in the group now
            break
        time.sleep(0.005)
    try:
        take_down(roots, container)
        network_store.release_all(roots, container.id)
    except (HyperBoxError, OSError):
        return


def sweep_temporaries(roots: Roots) -> None:
    """Remove the temporary files of `files.write_atomic` and half-made claims whose writers were killed."""
    folders = [f"{roots.data}/networks", f"{roots.data}/projects", f"{roots.run}/networks"]
    folders += [f"{roots.run}/networks/{name}" for name in files.subfolders(f"{roots.run}/networks")]
    folders += [f"{roots.data}/containers/{name}" for name in files.subfolders(f"{roots.data}/containers")]
    for folder in folders:
        files.sweep_temporaries(folder)
