"""Events of a build as JSON objects in the shape of BuildKit's SolveStatus (`--progress=rawjson`)."""

from __future__ import annotations

from base64 import b64encode

from hyperbox.build.api import Finding, Log, Status, Vertex
from hyperbox.cli.output import go_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.api import Event

    Json = dict[str, object]


def _times(value: Vertex | Status) -> Json:
    found: Json = {}
    if value.started is not None:
        found["started"] = go_time(value.started)
    if value.completed is not None:
        found["completed"] = go_time(value.completed)
    return found


def event_to_json(event: Event) -> Json:
    """Return one event as an object with one list: vertexes, statuses, logs or warnings."""
    if isinstance(event, Vertex):
        vertex: Json = {
            "digest": event.digest,
            **({"inputs": list(event.inputs)} if event.inputs else {}),
            "name": event.name,
        }
        vertex.update(_times(event))
        if event.cached:
            vertex["cached"] = True
        if event.error:
            vertex["error"] = event.error
        return {"vertexes": [vertex]}
    if isinstance(event, Status):
        status: Json = {"id": event.id, "vertex": event.vertex, "current": event.current}
        if event.total:
            status["total"] = event.total
        status["timestamp"] = go_time(event.timestamp)
        status.update(_times(event))
        return {"statuses": [status]}
    if isinstance(event, Log):
        data = b64encode(event.data).decode()
        log: Json = {
            "vertex": event.vertex,
            "stream": event.stream,
            "data": data,
            "timestamp": go_time(event.timestamp),
        }
        return {"logs": [log]}
    return {"warnings": [_finding(event)]}


def _finding(event: Finding) -> Json:
    ranges = [{"start": {"line": first}, "end": {"line": last}} for first, last in event.lines]
    return {
        "vertex": event.vertex,
        "level": event.level,
        "short": b64encode(event.message.encode()).decode(),
        "detail": [b64encode(event.detail.encode()).decode()],
        "url": event.url,
        "sourceInfo": {"filename": event.file, "data": b64encode(event.source).decode(), "language": "Dockerfile"},
        "range": ranges,
    }
