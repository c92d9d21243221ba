"""What happened, for `docker events`: one JSON object a line in RUN/events, appended in one write(2), so that writers need no lock."""

from __future__ import annotations

import os
import time

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]

LARGEST = 8 << 20  # bytes; past it the file becomes events.1 and the one before that is forgotten


def emit(roots: Roots, action: str, container: Container, attributes: Mapping[str, str] | None = None) -> None:
    """Record a container's event with its labels, image and name, as docker does."""
    labels = container.config.get("Labels")
    described = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    described.update(attributes or {})
    described["image"] = str(container.config.get("Image", ""))
    described["name"] = container.name
    emit_any(roots, "container", action, container.id, described)


def emit_any(roots: Roots, kind: str, action: str, actor: str, attributes: Mapping[str, str]) -> None:
    """Record an event of any kind ("container", "image", "network", "volume"). Never fails: an event is no reason to stop."""
    nanoseconds = time.time_ns()
    event: Json = {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor, "Attributes": dict(sorted(attributes.items()))},
        "scope": "local",
        "time": nanoseconds // 10**9,
        "timeNano": nanoseconds,
    }
    if kind == "container":
        event = {"status": action, "id": actor, "from": attributes.get("image", ""), **event}
    try:
        descriptor = os.open(f"{roots.run}/events", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, files.dumps(event).encode("utf-8", "surrogateescape") + b"\n")
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
