"""Containers as `GET /containers/json` shows them, newest first, and its filters."""

from __future__ import annotations

import os
import time

from hyperbox.engine.state import Container, Roots, all_containers, read_container, settled
from hyperbox.errors import InvalidParameter, NotFound
from hyperbox.go.times import timestamp_seconds
from hyperbox.go.units import human_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Json = dict[str, object]
    Filters = dict[str, list[str]]

# filters that look at containers which do not run, too
OF_ALL = ("status", "before", "since")


def container_list(
    roots: Roots, *, all: bool = False, limit: int = -1, size: bool = False, filters: Filters | None = None
) -> list[Json]:
    """See `engine.api.Engine.container_list`."""
    everything = all or limit > 0 or any(name in (filters or {}) for name in OF_ALL)
    containers = list(all_containers(roots) if everything else running_containers(roots))
    containers.sort(key=lambda container: str(container.record["Created"]), reverse=True)
    if filters:
        from hyperbox.engine.listing_filters import matching

        containers = matching(roots, containers, filters)
    if limit > 0:
        containers = containers[:limit]
    meant: dict[str, str] = {}
    return [listed(roots, container, size=size, meant=meant) for container in containers]


def running_containers(roots: Roots) -> Iterator[Container]:
    """Yield the containers that run. Only those with a runtime folder are read: it is there while a monitor is."""
    try:
        container_ids = os.listdir(f"{roots.run}/containers")
    except FileNotFoundError:
        return
    for container_id in container_ids:
        try:
            container = settled(read_container(roots, container_id))
        except NotFound:
            continue
        if container.running:
            yield container


def image_shown(roots: Roots, container: Container, meant: dict[str, str]) -> str:
    """Return the name of a container's image as it was given, or its id where that name means another image by now, or none.

    `meant` keeps what names were found to mean.
    """
    from hyperbox.image.store import ImageStore

    name, image_id = str(container.config.get("Image") or ""), str(container.record["ImageID"])
    if name not in meant:
        try:
            meant[name] = ImageStore(f"{roots.data}/images").resolve(name) if name else ""
        except (NotFound, InvalidParameter):
            meant[name] = ""
    return name if meant[name] == image_id else image_id


def listed(roots: Roots, container: Container, *, size: bool, meant: dict[str, str]) -> Json:
    """Return one container's entry."""
    from hyperbox.engine.inspect import endpoints
    from hyperbox.engine.volumes import mount_points

    record, config = container.record, container.config
    result: Json = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": image_shown(roots, container, meant),
        "ImageID": record["ImageID"],
        "Command": command_text(record),
        "Created": int(timestamp_seconds(str(record["Created"]))),
        "Ports": ports(container),
        "Labels": config.get("Labels") or {},
        "State": container.status,
        "Status": status_text(container.state, time.time()),
        "HostConfig": {"NetworkMode": container.host_config.get("NetworkMode") or "bridge"},
        "NetworkSettings": {"Networks": endpoints(container)},
        "Mounts": mount_points(roots, container),
    }
    if size:
        from hyperbox.engine.sizes import image_size, written_size

        result["SizeRw"] = written = written_size(f"{container.folder()}/upper")
        result["SizeRootFs"] = written + image_size(roots, container)
    return result


def command_text(record: Json) -> str:
    """Return the command in one line; words with a blank stand in quotation marks, as docker has it."""
    arguments = record["Args"]
    assert isinstance(arguments, list)
    return " ".join([str(record["Path"]), *(f"'{word}'" if " " in word else str(word) for word in arguments)])


def ports(container: Container) -> list[Json]:
    """Return the API's list of ports of a running container."""
    settings = container.state.get("NetworkSettings")
    known = settings.get("Ports") if isinstance(settings, dict) and container.running else None
    result: list[Json] = []
    for name, bindings in known.items() if isinstance(known, dict) else ():
        number, _, protocol = str(name).partition("/")
        if not bindings:
            result.append({"PrivatePort": int(number), "Type": protocol})
        for binding in bindings or ():
            result.append(
                {
                    "IP": binding["HostIp"],
                    "PrivatePort": int(number),
                    "PublicPort": int(binding["HostPort"] or 0),
                    "Type": protocol,
                }
            )
    return result


def status_text(state: Json, present: float) -> str:
    """Return docker's sentence about a container's state ("Up 2 hours (healthy)") at `present` (seconds of the epoch)."""
    status = state["Status"]
    if status == "created":
        return "Created"
    if status == "dead":
        return "Dead"
    if status in ("exited", "restarting"):
        ago = human_duration(present - timestamp_seconds(str(state["FinishedAt"])))
        return f"{'Exited' if status == 'exited' else 'Restarting'} ({state['ExitCode']}) {ago} ago"
    since = human_duration(present - timestamp_seconds(str(state["StartedAt"])))
    if status == "paused":
        return f"Up {since} (Paused)"
    health = state.get("Health")
    if isinstance(health, dict):
        word = health["Status"]
        return f"Up {since} ({'health: starting' if word == 'starting' else word})"
    return f"Up {since}"


def prune_candidates(roots: Roots, filters: Filters) -> list[Container]:
    """Return the containers that `container prune` removes: none that runs, and those that the filters let through."""
    from hyperbox.engine.listing_filters import prunable

    return prunable([container for container in all_containers(roots) if not container.running], filters)
