"""What killed commands and monitors have left: brought to an end by the next command.

making/ID-PID-START   whose maker is dead: the name is given back, the folder goes
removing/ID           whose monitor is dead: what the container held is given back, the folder goes
containers/ID         that says running and whose monitor is dead: what still runs in it is killed, the state becomes exited (137)
"""

from __future__ import annotations

import os
import time

from hyperbox import files
from hyperbox.engine.state import (
    Container,
    Roots,
    maker_is_alive,
    monitor_is_alive,
    now,
    read_container,
    release_name,
    update_state,
)
from hyperbox.errors import HyperBoxError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

KILLED = 137


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
    for container_id in removing:
        finish_removal(roots, container_id)


def forget_making(roots: Roots, entry: str) -> None:
    """Remove a half-made container and the claim on its name."""
    container_id = entry.partition("-")[0]
    for name in os.listdir(f"{roots.data}/names"):
        release_name(roots, name, container_id)
    files.remove_tree(f"{roots.data}/making/{entry}")


def finish_removal(roots: Roots, container_id: str) -> None:
    """Finish a removal whose process died; one that is under way is left alone."""
    from hyperbox.engine import removal

    folder = f"{roots.data}/removing/{container_id}"
    try:
        record = files.read_json(f"{folder}/container.json")
        state = files.read_json(f"{folder}/state.json")
    except FileNotFoundError:
        record, state = None, {}
    except ValueError:
        record, state = None, {}
    assert isinstance(state, dict)
    if not isinstance(record, dict):
        if time.time() - modified(folder) > 2:
            files.remove_tree(folder)
        return
    container = Container(roots, container_id, record, state)
    if monitor_is_alive(container) or time.time() - modified(folder) < 2:
        return
    end_processes(roots, container)
    release_name(roots, container.name, container_id)
    removal.remove_rest(roots, container, volumes=bool(container.host_config.get("AutoRemove")))


def modified(path: str) -> float:
    """Return when something in a folder last came or went; now, where it is gone."""
    try:
        return os.stat(path).st_ctime
    except FileNotFoundError:
        return time.time()


def recover(container: Container) -> Container:
    """Bring a container whose monitor died to its end, and return it as it is then."""
    from hyperbox.engine import removal
    from hyperbox.engine.events import emit

    roots = container.roots
    try:
        with container.lock():
            container = read_container(roots, container.id)
            if not container.running or monitor_is_alive(container):
                return container
            end_processes(roots, container)
            changes: Json = {"Status": "exited", "Pid": 0, "PidStart": 0, "Monitor": 0, "MonitorStart": 0}
            update_state(container, {**changes, "ExitCode": KILLED, "FinishedAt": now()})
            emit(roots, "die", container, {"exitCode": str(KILLED)})
            removed = bool(container.host_config.get("AutoRemove")) and removal.set_aside(roots, container)
    except FileNotFoundError:
        raise NotFound(f"No such container: {container.id}") from None
    if removed:
        removal.remove_rest(roots, container)
        raise NotFound(f"No such container: {container.id}")
    return container


def end_processes(roots: Roots, container: Container) -> None:
    """Kill what still runs in a container that has no monitor any more, and give back what it held."""
    from hyperbox.engine.monitor_setup import cgroup_path, take_down
    from hyperbox.kernel import cgroups

    path = cgroup_path(roots, container)
    for _ in range(200):
        pids = cgroups.processes(path)
        for pid in pids:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        if not pids:
            break
        time.sleep(0.005)
    try:
        take_down(roots, container)
    except (HyperBoxError, OSError):
        return
