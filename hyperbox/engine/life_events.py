"""The events that go with others: of a container's volumes and networks as it starts and ends, of execs, of images."""

from __future__ import annotations

from hyperbox.engine.events import Happening, emit_all, emit_any, of_container
from hyperbox.engine.state import Container, Roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Json = dict[str, object]


def begun(container: Container) -> list[Happening]:
    """Return the events of a container that has started: volumes mounted, networks joined, and the start."""
    return [*volumes(container, mounted=True), *networks(container, "connect"), of_container("start", container)]


def ended(container: Container, attributes: Mapping[str, str]) -> list[Happening]:
    """Return the events of a container whose process has ended: networks and volumes given back, and how it ended.

    That it was stopped comes before that it died: docker tells of the end once it has written it down, and of the stop meanwhile.
    """
    died = of_container("die", container, attributes)
    return [*networks(container, "disconnect"), *volumes(container, mounted=False), *stopped(container), died]


def stopped(container: Container) -> list[Happening]:
    """Return the event of a stop, if it is one that ended the container."""
    return [of_container("stop", container)] if container.stopped_by_stop() else []


def networks(container: Container, action: str) -> list[Happening]:
    """Return an event for each network that the container is on."""
    settings = container.state.get("NetworkSettings")
    endpoints = settings.get("Networks") if isinstance(settings, dict) else None
    found = []
    for name, endpoint in endpoints.items() if isinstance(endpoints, dict) else ():
        kind = {"host": "host", "none": "null"}.get(name) or str(endpoint.get("Driver") or "bridge")
        attributes = {"container": container.id, "name": name, "type": kind}
        found.append(Happening("network", action, str(endpoint.get("NetworkID") or ""), attributes))
    return found


def volumes(container: Container, *, mounted: bool) -> list[Happening]:
    """Return an event for each volume of the container."""
    points = container.record.get("Mounts")
    found = []
    for point in points if isinstance(points, list) else ():
        if point["Type"] != "volume":
            continue
        attributes = {"container": container.id, "driver": "local"}
        if mounted:
            attributes |= {
                "destination": str(point["Destination"]),
                "propagation": str(point.get("Propagation") or ""),
                "read/write": "true" if point["RW"] else "false",
            }
        found.append(Happening("volume", "mount" if mounted else "unmount", str(point["Name"]), attributes))
    return found


def while_mounted(container: Container, *between: Happening) -> list[Happening]:
    """Return events that happen while the volumes of a container are mounted for looking into its files."""
    return [*volumes(container, mounted=True), *between, *volumes(container, mounted=False)]


def volume(roots: Roots, action: str, name: str) -> None:
    """Record that a volume was made or removed."""
    emit_any(roots, "volume", action, name, {"driver": "local"})


def execution(roots: Roots, action: str, container: Container, record: Json, **attributes: str) -> None:
    """Record an event of an exec: "exec_create", "exec_start" with its command, "exec_die", "exec_detach"."""
    config = record["Config"]
    assert isinstance(config, dict)
    words = [str(word) for word in config.get("Cmd") or ()]
    if action in ("exec_create", "exec_start"):
        action = f"{action}: {words[0] if words else ''} {' '.join(words[1:])}"
    emit_all(roots, [of_container(action, container, {"execID": str(record["ID"]), **attributes})])


def images(roots: Roots, events: Sequence[tuple[str, str, str]], labels: object = None) -> None:
    """Record events of images: (action, id, name); `labels` are the image's, which stand among the attributes."""
    given = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    emit_all(roots, [Happening("image", action, actor, {**given, "name": name}) for action, actor, name in events])


def pruned(roots: Roots, kind: str, freed: object) -> None:
    """Record that the unused ones of a kind were removed."""
    emit_any(roots, kind, "prune", "", {"reclaimed": str(freed or 0)})
