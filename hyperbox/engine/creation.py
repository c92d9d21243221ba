"""Making a container: its records and its name; nothing runs yet."""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.engine import merge_config
from hyperbox.engine.state import Container, claim_name, new_id, new_state, now, release_name
from hyperbox.errors import Conflict, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.engine.state import Roots

    Json = dict[str, object]


def container_create(roots: Roots, spec: ContainerSpec) -> Json:
    """See `engine.api.Engine.container_create`."""
    from hyperbox.engine.events import emit

    container = create(roots, spec)
    emit(roots, "create", container)
    return {"Id": container.id, "Warnings": []}


def create(roots: Roots, spec: ContainerSpec) -> Container:
    """Make a container's folder and take its name; the folder appears in one step. Nothing is left where it raises."""
    from hyperbox.engine.recovery import sweep
    from hyperbox.image.store import ImageStore

    sweep(roots)
    if spec.name:
        merge_config.check_name(spec.name)
    store = ImageStore(f"{roots.data}/images")
    launch = store.launch(store.resolve(str(spec.config.get("Image") or "")))
    container_id = new_id()
    config = merge_config.merged_config(spec.config, launch.config, container_id)
    merge_config.check(config, spec.host_config)
    entrypoint, command = merge_config.list_at(config, "Entrypoint"), merge_config.list_at(config, "Cmd")
    words = [*entrypoint, *command]
    record: Json = {
        "Id": container_id,
        "Name": spec.name,
        "Created": now(),
        "Path": words[0],
        "Args": words[1:],
        "ImageID": launch.image_id,
        "Layers": list(launch.lowerdirs),
        "Project": spec.project,
        "Platform": spec.platform,
        "Config": config,
        "HostConfig": network_mode_settled(roots, spec.host_config),
        "NetworkingConfig": spec.networking_config,
    }
    container = Container(roots, container_id, record, new_state())
    if uses_mounts(config, spec.host_config):
        from hyperbox.engine import mounts, volumes

        with volumes.lock(roots, shared=True):
            record["Mounts"] = mounts.settle(roots, container)
            return record_container(roots, container)
    return record_container(roots, container)


def uses_mounts(config: Json, host_config: Json) -> bool:
    """Return whether a container has mount points of its own."""
    return bool(config.get("Volumes")) or any(host_config.get(key) for key in ("Binds", "Mounts", "VolumesFrom"))


def network_mode_settled(roots: Roots, host_config: Json) -> Json:
    """Return HostConfig with the network mode that docker shows: "bridge" for the default, a container's full id for its name."""
    from hyperbox.engine.state import find_id

    mode = str(host_config.get("NetworkMode") or "default")
    if mode == "default":
        mode = "bridge"
    elif mode.startswith("container:"):
        try:
            mode = f"container:{find_id(roots, mode[10:])}"
        except NotFound:
            pass
    return {**host_config, "NetworkMode": mode}


def record_container(roots: Roots, container: Container) -> Container:
    """Write a new container's record aside, take its name, and put it in its place. Raises Conflict for a name in use."""
    pid = os.getpid()
    aside = f"{roots.data}/making/{container.id}-{pid}-{process.start_time(pid)}"
    os.mkdir(aside, 0o710)
    roots.reached("making")
    try:
        container.record["Name"] = take_name(roots, container)
        roots.reached("named")
        files.write_json(f"{aside}/container.json", container.record)
        os.rename(aside, container.folder())
    except BaseException:
        release_name(roots, container.name, container.id)
        files.remove_tree(aside)
        raise
    roots.reached("created")
    return container


def take_name(roots: Roots, container: Container) -> str:
    """Claim the container's name, or a generated one, and return it. Raises Conflict."""
    if container.name:
        claim_name(roots, container.name, container.id)
        return container.name
    from hyperbox.engine.names import generated_name

    for attempt in range(40):
        name = generated_name() + (str(attempt) if attempt > 4 else "")
        try:
            claim_name(roots, name, container.id)
        except Conflict:
            continue
        return name
    name = container.id[:12]
    claim_name(roots, name, container.id)
    return name
