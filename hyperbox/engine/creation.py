"""Making a container: its records and its name; nothing runs yet."""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.engine import merge_config
from hyperbox.engine.state import Container, claim_name, new_id, new_state, now
from hyperbox.errors import Conflict, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.api import ContainerSpec
    from hyperbox.engine.state import Roots

    Json = dict[str, object]


def container_create(roots: Roots, spec: ContainerSpec, *, starts: bool = False) -> Json:
    """See `engine.api.Engine.container_create`."""
    from hyperbox.engine.events import emit

    container, warnings = create(roots, spec, starts=starts)
    emit(roots, "create", container)
    return {"Id": container.id, "Warnings": warnings}


def create(roots: Roots, spec: ContainerSpec, *, starts: bool = False) -> tuple[Container, list[str]]:
    """Make a container's folder and take its name; the folder appears in one step. Nothing is left where it raises.

    `starts`: the caller starts it at once; where it is killed before, the container is as if it had never been (`state.settled`).
    Returns the container and docker's warnings.
    """
    from hyperbox.engine.create_checks import check_drivers
    from hyperbox.engine.recovery import sweep
    from hyperbox.image.store import ImageStore

    sweep(roots)
    host_config, warnings = settled(roots, spec)
    store = ImageStore(f"{roots.data}/images")
    launch = store.launch(store.resolve(str(spec.config.get("Image") or "")))
    if spec.platform:
        from hyperbox.image.platform import require

        require(store.record(launch.image_id), str(spec.config["Image"]), spec.platform)
    container_id = new_id()
    config = merge_config.merged_config(spec.config, launch.config, container_id)
    merge_config.check(config, spec.host_config, spec.name)
    check_drivers(host_config)
    check_working_dir(config, launch.lowerdirs)
    host_config = network_mode_settled(roots, host_config)
    networking = networks_settled(roots, host_config, spec.networking_config, config)
    if host_config["NetworkMode"] == "host" and not spec.config.get("Hostname"):
        config["Hostname"] = os.uname().nodename
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
        "HostConfig": host_config,
        "NetworkingConfig": networking,
    }
    mounts = merge_config.list_at(host_config, "Mounts")
    if any(isinstance(mount, dict) and mount.get("Type") == "image" for mount in mounts):
        warnings.append("Image mount is an experimental feature")
    container = Container(roots, container_id, record, new_state())
    return record_container(roots, container, spec.archive, starts=starts), warnings


def settled(roots: Roots, spec: ContainerSpec) -> tuple[Json, list[str]]:
    """Check what docker checks before it looks for the image; returns HostConfig as it keeps it, and warnings. Raises EngineError."""
    from hyperbox.engine.create_checks import settle

    if spec.host_config.get("Mounts"):
        from hyperbox.engine.mounts import mount_point

        for mount in merge_config.list_at(spec.host_config, "Mounts"):
            if isinstance(mount, dict):
                mount_point(mount)
    merge_config.check_first(spec.config, spec.host_config)
    return settle(roots, spec.config, spec.host_config)


def check_working_dir(config: Json, lowerdirs: Sequence[str]) -> None:
    """See `rootfs.check_working_dir`, for containers that have one."""
    path = str(config.get("WorkingDir") or "/")
    if path != "/":
        from hyperbox.engine import rootfs

        rootfs.check_working_dir(lowerdirs, path)


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


def networks_settled(roots: Roots, host_config: Json, given: Json, config: Json) -> Json:
    """Return NetworkingConfig with docker's name of the default network; links of a network of the user's move to its endpoint.

    A hardware address that the user gave stands in Config too. Raises NotFound, InvalidParameter with docker's words.
    """
    if host_config.get("Links"):
        from hyperbox.engine import legacy_links

        legacy_links.check(roots, host_config["Links"])
    endpoints = given.get("EndpointsConfig")
    if not isinstance(endpoints, dict) or not endpoints:
        return given
    from hyperbox.engine.network_setup import check_wanted

    mode = str(host_config["NetworkMode"])
    endpoints = {("bridge" if name == "default" else name): dict(value or {}) for name, value in endpoints.items()}
    check_wanted(roots, endpoints)
    address = endpoints.get(mode, {}).get("MacAddress")
    if address:
        config["MacAddress"] = address
    return {**given, "EndpointsConfig": endpoints}


class Aside(Container):
    """A container whose folder is not in its place yet."""

    __slots__ = ("aside",)

    def __init__(self, container: Container, aside: str) -> None:
        super().__init__(container.roots, container.id, container.record, container.state)
        self.aside = aside

    def folder(self) -> str:
        """Return where its folder is meanwhile."""
        return self.aside


def fill(roots: Roots, container: Container, aside: str, archive: bytes) -> None:
    """Unpack a tar into the root of a container whose folder is still aside."""
    import io

    from hyperbox.engine.archive import unpack_into

    unpack_into(roots, Aside(container, aside), "/", io.BytesIO(archive), copy_owner=True)
    roots.reached("filled")


def record_container(roots: Roots, container: Container, archive: bytes, *, starts: bool) -> Container:
    """Take a new container's name, make its volumes, write its record and files aside and put all in its place.

    Raises Conflict for a name in use.
    """
    pid = os.getpid()
    maker = f"{pid}-{process.start_time(pid)}"
    if starts:
        container.record["Maker"] = maker
    aside = f"{roots.data}/making/{container.id}-{maker}"
    os.mkdir(aside, 0o710)
    roots.reached("making")
    mounts = uses_mounts(container.config, container.host_config)
    try:
        container.record["Name"] = take_name(roots, container)
        roots.reached("named")
        if mounts:
            from hyperbox.engine import mounts as mount_points
            from hyperbox.engine import volumes

            with volumes.lock(roots, shared=True):
                container.record["Mounts"] = mount_points.settle(roots, container)
                if archive:
                    fill(roots, container, aside, archive)
                put_in_place(container, aside)
        else:
            if archive:
                fill(roots, container, aside, archive)
            put_in_place(container, aside)
    except BaseException:
        from hyperbox.engine.recovery import forget_making

        forget_making(roots, os.path.basename(aside))
        raise
    roots.reached("created")
    return container


def put_in_place(container: Container, aside: str) -> None:
    """Write a container's record into its folder, and let the folder appear where containers are."""
    files.write_json(f"{aside}/container.json", container.record)
    os.rename(aside, container.folder())


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
