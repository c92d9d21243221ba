"""Events of a build as JSON objects in the shape of BuildKit's SolveStatus (`--progress=rawjson`)."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from hyperbox.build.api import Finding, Log, Status, Vertex
from hyperbox.go.times import short_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.api import Event

    Json = dict[str, object]


def moment(seconds: float) -> str:
    """Return a time as RFC 3339 has it, with nanoseconds."""
    whole, fraction = divmod(seconds, 1)
    return short_timestamp(int(whole) * 10**9 + round(fraction * 1e9))


def digest_of(vertex: str) -> str:
    """Return a vertex's digest in the form that clients parse."""
    return vertex if vertex.startswith("sha256:") else f"sha256:{hashlib.sha256(vertex.encode()).hexdigest()}"


def _times(value: Vertex | Status) -> Json:
    found: Json = {}
    if value.started is not None:
        found["started"] = moment(value.started)
    if value.completed is not None:
        found["completed"] = moment(value.completed)
    return found


def event_to_json(event: Event) -> Json:
    """Return one event as an object with one list: vertexes, statuses, logs or warnings."""
    if isinstance(event, Vertex):
        vertex: Json = {
            "digest": digest_of(event.digest),
            **({"inputs": [digest_of(one) for one in event.inputs]} if event.inputs else {}),
            "name": event.name,
        }
        vertex.update(_times(event))
        if event.cached:
            vertex["cached"] = True
        if event.error:
            vertex["error"] = event.error
        return {"vertexes": [vertex]}
    if isinstance(event, Status):
        status: Json = {"id": event.id, "vertex": digest_of(event.vertex), "current": event.current}
        if event.total:
            status["total"] = event.total
        status["timestamp"] = moment(event.timestamp)
        status.update(_times(event))
        return {"statuses": [status]}
    if isinstance(event, Log):
        data = b64encode(event.data).decode()
        log: Json = {
            "vertex": digest_of(event.vertex),
            "stream": event.stream,
            "data": data,
            "timestamp": moment(event.timestamp),
        }
        return {"logs": [log]}
    return {"warnings": [_finding(event)]}


def _finding(event: Finding) -> Json:
    ranges = [{"start": {"line": first}, "end": {"line": last}} for first, last in event.lines]
    return {
        "vertex": digest_of(event.vertex),
        "level": event.level,
        "short": b64encode(event.message.encode()).decode(),
        "detail": [b64encode(event.detail.encode()).decode()],
        "url": event.url,
        "sourceInfo": {"filename": event.file, "data": b64encode(event.source).decode(), "language": "Dockerfile"},
        "range": ranges,
    }
