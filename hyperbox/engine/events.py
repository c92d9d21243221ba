"""What happened, for `docker events`: one JSON object a line in RUN/events, appended in one write(2), so that writers need no lock."""

from __future__ import annotations

import os
import time

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]

LARGEST = 8 << 20  # bytes; past it the file becomes events.1 and the one before that is forgotten


class Happening:
    """One event: its kind ("container", "image", "network", "volume"), action, actor's id, and attributes."""

    __slots__ = ("action", "actor", "attributes", "kind")

    def __init__(self, kind: str, action: str, actor: str, attributes: Mapping[str, str]) -> None:
        self.kind = kind
        self.action = action
        self.actor = actor
        self.attributes = attributes

    def record(self, nanoseconds: int) -> Json:
        """Return the event as the API shows it."""
        event: Json = {
            "Type": self.kind,
            "Action": self.action,
            "Actor": {"ID": self.actor, "Attributes": dict(sorted(self.attributes.items()))},
            "scope": "local",
            "time": nanoseconds // 10**9,
            "timeNano": nanoseconds,
        }
        if self.kind == "container":
            return {"status": self.action, "id": self.actor, "from": self.attributes.get("image", ""), **event}
        return {"status": self.action, "id": self.actor, **event} if self.kind == "image" else event


def of_container(action: str, container: Container, attributes: Mapping[str, str] | None = None) -> Happening:
    """Return a container's event with its labels, image and name, as docker has them."""
    labels = container.config.get("Labels")
    found = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    found.update(attributes or {})
    found["image"] = str(container.config.get("Image", ""))
    found["name"] = container.name
    return Happening("container", action, container.id, found)


def emit(roots: Roots, action: str, container: Container, attributes: Mapping[str, str] | None = None) -> None:
    """Record a container's event."""
    emit_all(roots, [of_container(action, container, attributes)])


def emit_any(roots: Roots, kind: str, action: str, actor: str, attributes: Mapping[str, str]) -> None:
    """Record an event of any kind."""
    emit_all(roots, [Happening(kind, action, actor, attributes)])


def emit_all(roots: Roots, happenings: Sequence[Happening]) -> None:
    """Record events in one write, so that they stand together. Never fails: an event is no reason to stop."""
    nanoseconds = time.time_ns()
    lines = [files.dumps(each.record(nanoseconds + place)) + "\n" for place, each in enumerate(happenings)]
    try:
        descriptor = os.open(f"{roots.run}/events", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, "".join(lines).encode("utf-8", "surrogateescape"))
            if os.fstat(descriptor).st_size > LARGEST:
                os.rename(f"{roots.run}/events", f"{roots.run}/events.1")
        finally:
            os.close(descriptor)
    except OSError:
        return


def events(roots: Roots, since: str = "", until: str = "", filters: Filters | None = None) -> Iterator[Json]:
    """See `engine.api.Engine.events`."""
    from hyperbox.engine.events_read import read_events

    return read_events(roots, since, until, filters or {})
