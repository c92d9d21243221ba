"""`docker compose events`, `export` and `commit`."""

from __future__ import annotations

import sys
import time

from hyperbox.cli.compose_project import session_by_name
from hyperbox.cli.output import go_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

LABEL = "com.docker.compose."


def event_row(event: Json) -> Json:
    """Return an event as compose tells it: without compose's own labels among the attributes."""
    actor = event.get("Actor")
    held = actor.get("Attributes") if isinstance(actor, dict) else None
    attributes = held if isinstance(held, dict) else {}
    return {
        "action": event.get("Action"),
        "attributes": {key: attributes[key] for key in sorted(attributes) if not key.startswith(LABEL)},
        "id": actor.get("ID") if isinstance(actor, dict) else "",
        "service": attributes.get(f"{LABEL}service", ""),
        "time": _stamp(event, "%Y-%m-%dT%H:%M:%S", 9) + "Z",
        "type": "container",
    }


def _stamp(event: Json, form: str, digits: int) -> str:
    nanoseconds = event.get("timeNano")
    seconds, rest = divmod(nanoseconds if isinstance(nanoseconds, int) else 0, 10**9)
    return f"{time.strftime(form, time.gmtime(seconds))}.{rest:09d}"[
        : len(time.strftime(form, time.gmtime(0))) + 1 + digits
    ]


def events(invocation: Invocation) -> int:
    """docker compose events [SERVICE…]"""
    flags = invocation.flags
    found = session_by_name(invocation)
    filters = {"type": ["container"], "label": [f"{LABEL}project={found.desired.name}"]}
    for event in found.engine.events(str(flags["since"]), str(flags["until"]), filters):
        row = event_row(event)
        if invocation.arguments and row["service"] not in invocation.arguments:
            continue
        if flags["json"]:
            sys.stdout.write(go_json(row) + "\n")
        else:
            attributes = row["attributes"]
            assert isinstance(attributes, dict)
            text = ", ".join(f"{key}={value}" for key, value in attributes.items())
            when = _stamp(event, "%Y-%m-%d %H:%M:%S", 6)
            sys.stdout.write(f"{when} container {row['action']} {row['id']} ({text})\n")
        sys.stdout.flush()
    return 0


def _of_service(invocation: Invocation) -> str:
    index = invocation.flags.get("index")
    found = session_by_name(invocation)
    return found.container(invocation.arguments[0], index if isinstance(index, int) else 0, running=False).container_id


def export(invocation: Invocation) -> int:
    """docker compose export SERVICE"""
    from hyperbox.cli import copy

    invocation.arguments[:] = [_of_service(invocation)]
    return copy.export(invocation)


def commit(invocation: Invocation) -> int:
    """docker compose commit SERVICE [REPOSITORY[:TAG]]"""
    from hyperbox.cli import copy

    invocation.arguments[0] = _of_service(invocation)
    return copy.commit(invocation)
