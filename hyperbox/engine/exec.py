"""Running one more process in a container that runs.

    RUN/containers/ID/exec.EXECID      {"ID", "ContainerID", "Config", "Running", "ExitCode", "Pid"}; goes with the folder
    RUN/execs/EXECID                   claim: symbolic link to the container's id

Each exec has a small monitor of its own (`exec_monitor`), so that killing the command does not kill the process.
"""

from __future__ import annotations

import os

from hyperbox import bundle, files, process
from hyperbox.engine import control, life_events
from hyperbox.engine.state import Container, Roots, find_container, new_id, read_container
from hyperbox.errors import Conflict, EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from hyperbox.engine.ahead import Ahead
    from hyperbox.engine.attach import StreamAttachment

    Json = dict[str, object]

KEPT = 64  # records of ended execs that are kept for a container


def exec_create(roots: Roots, reference: str, config: Json) -> str:
    """See `engine.api.Engine.exec_create`."""
    container = find_container(roots, reference)
    if container.status == "paused":
        raise Conflict(f"Container {reference} is paused, unpause the container before exec")
    if container.status == "restarting":
        raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
    if container.status != "running":
        raise Conflict(f"container {container.id} is not running")
    if not config.get("Cmd"):
        raise EngineError("No exec command specified")
    exec_id = new_id()
    record: Json = {
        "ID": exec_id,
        "ContainerID": container.id,
        "Config": config,
        "Running": False,
        "ExitCode": None,
        "Pid": 0,
    }
    try:
        forget_old(roots, container)
        files.write_json(record_path(roots, container.id, exec_id), record)
    except FileNotFoundError:  # it ended meanwhile
        raise Conflict(f"container {container.id} is not running") from None
    roots.reached("exec-recorded")
    os.makedirs(f"{roots.run}/execs", 0o700, exist_ok=True)
    files.claim(f"{roots.run}/execs/{exec_id}", container.id)
    life_events.execution(roots, "exec_create", container, record)
    return exec_id


def record_path(roots: Roots, container_id: str, exec_id: str) -> str:
    """Return the path of an exec's record."""
    return f"{roots.container_run(container_id)}/exec.{exec_id}"


def forget_old(roots: Roots, container: Container) -> None:
    """Forget ended execs where a container has very many."""
    folder = roots.container_run(container.id)
    names = [name for name in os.listdir(folder) if name.startswith("exec.") and len(name) == 69]
    if len(names) < KEPT:
        return
    for name in names:
        record = read_record(roots, name[5:])
        if record.get("ExitCode") is not None:
            for path in (f"{folder}/{name}", f"{roots.run}/execs/{name[5:]}"):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    continue


def read_record(roots: Roots, exec_id: str) -> Json:
    """Return an exec's record. Raises NotFound."""
    owner = files.claim_owner(f"{roots.run}/execs/{exec_id}") if "/" not in exec_id else None
    try:
        record = files.read_json(record_path(roots, owner or "", exec_id))
    except (OSError, ValueError):
        raise NotFound(f"No such exec instance: {exec_id}") from None
    assert isinstance(record, dict)
    return record


def exec_start(
    roots: Roots, exec_id: str, *, detach: bool = False, ahead: Ahead | None = None
) -> StreamAttachment | None:
    """See `engine.api.Engine.exec_start`."""
    from hyperbox.engine.launch import error_of

    record = read_record(roots, exec_id)
    if record["Running"] or record["ExitCode"] is not None:
        raise Conflict(f"exec command {exec_id} has already run")
    container = read_container(roots, str(record["ContainerID"]))
    config = record["Config"]
    assert isinstance(config, dict)
    detach_keys = str(config.get("DetachKeys") or "")
    if detach_keys:
        from hyperbox.engine.attach import key_bytes

        key_bytes(detach_keys)  # bad ones are told before anything is started
    channel, data = start_monitor(roots, container.id, exec_id, ahead, attached=not detach)
    roots.reached("exec-forked")
    if not detach:
        bundle.preload("exec-attached")  # while the monitor is at work
    received = channel.receive()
    if (received is None or "error" in received[0]) and not still_runs(container):
        raise Conflict(f"container {container.id} is not running")
    if received is None:
        raise EngineError(f"the exec's monitor died in container {container.id}")
    if "error" in received[0]:
        raise error_of(received[0])
    if detach:
        data.close()
        channel.close()
        return None
    from hyperbox.engine.attach import StreamAttachment, key_bytes

    tty = bool(config.get("Tty"))
    return StreamAttachment(data, channel, tty=tty, fallback=lambda: 137, keys=key_bytes(detach_keys))


def still_runs(container: Container) -> bool:
    """Return whether a container's process runs still: it may have ended meanwhile, which its record does not tell yet."""
    return process.is_alive(container.pid) and process.ended_status(container.pid) is None


def start_monitor(
    roots: Roots, container_id: str, exec_id: str, ahead: Ahead | None, *, attached: bool
) -> tuple[control.Channel, _socket.socket]:
    """Have an exec monitored: by `ahead`, if there is one, else by a new process. See `launch.start_monitor`."""
    from hyperbox.engine.ahead import EXEC, send_ahead
    from hyperbox.engine.launch import start_interpreter

    ahead = ahead or send_ahead(roots, EXEC)
    if ahead is not None:
        return ahead.call({"container": container_id, "exec": exec_id, "attached": attached})
    ours, theirs = control.pair()
    data, their_data = control.pair()
    given = (theirs.fileno(), their_data.fileno() if attached else -1)
    start_interpreter(roots, ["exec", container_id, exec_id], given)
    theirs.close()
    their_data.close()
    return control.Channel(ours), data


def exec_inspect(roots: Roots, exec_id: str) -> Json:
    """See `engine.api.Engine.exec_inspect`."""
    record = read_record(roots, exec_id)
    config = record["Config"]
    assert isinstance(config, dict)
    words = list(config.get("Cmd") or [])
    tty = bool(config.get("Tty"))
    return {
        "ID": exec_id,
        "Running": record["Running"],
        "ExitCode": record["ExitCode"],
        "ProcessConfig": {
            "tty": tty,
            "entrypoint": words[0] if words else "",
            "arguments": words[1:],
            "privileged": bool(config.get("Privileged")),
            "user": str(config.get("User") or ""),
        },
        "OpenStdin": bool(config.get("AttachStdin")),
        "OpenStderr": bool(config.get("AttachStderr")),
        "OpenStdout": bool(config.get("AttachStdout")),
        "CanRemove": record["ExitCode"] is not None,
        "ContainerID": record["ContainerID"],
        "DetachKeys": "",
        "Pid": record["Pid"],
    }
