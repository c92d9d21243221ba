"""`docker compose events`, `export` and `commit`."""

from __future__ import annotations

import os
import sys
import time

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import session_of_name
from hyperbox.cli.output import go_json
from hyperbox.errors import ComposeError
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer

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


def check_moments(since: str, until: str) -> None:
    """Raise ComposeError for moments that can't be read, or that are in the wrong order."""
    from hyperbox.image.moments import to_moment

    present = time.time()
    try:
        first, last = (int(to_moment(text, present)) if text else 0 for text in (since, until))
    except ValueError as error:
        raise ComposeError(str(error)) from None
    if since and until and first > last:
        said = f"`since` time ({first}) cannot be after `until` time ({last})"
        raise ComposeError(f"Error response from daemon: {said}")


def events(invocation: Invocation) -> int:
    """docker compose events [SERVICE…]"""
    flags = invocation.flags
    check_moments(str(flags["since"]), str(flags["until"]))
    found = session_of_name(invocation)
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


def _of_service(invocation: Invocation) -> ObservedContainer:
    index = invocation.flags.get("index")
    found = session_of_name(invocation)
    return found.container(invocation.arguments[0], index if isinstance(index, int) else 0, running=False)


def export(invocation: Invocation) -> int:
    """docker compose export SERVICE"""
    from hyperbox.cli import copy

    row = _of_service(invocation)
    invocation.arguments[:] = [row.container_id]
    target = str(invocation.flags["output"])
    said = f"export {row.name} to {target}"
    with step_progress(invocation) as progress:
        if progress.dry_run:
            progress.event(StepEvent(row.name, "Exporting", "working", said))
            progress.event(StepEvent(row.name, "Exported", "done", said))
            return 0
        folder = os.path.dirname(target) or "."
        if target and not os.path.isdir(folder):
            raise ComposeError(f'failed to export container: invalid output path: directory "{folder}" does not exist')
        if target:
            progress.event(StepEvent(row.name, "Exporting", "working", said))
        return copy.export(invocation)


def commit(invocation: Invocation) -> int:
    """docker compose commit SERVICE [REPOSITORY[:TAG]]"""
    from hyperbox.cli import copy

    row = _of_service(invocation)
    invocation.arguments[0] = row.container_id
    with step_progress(invocation) as progress:
        progress.event(StepEvent(row.name, "Committing", "working", f"Commit {row.name}"))
        if progress.dry_run:
            progress.event(StepEvent(row.name, "Committed", "done", f"Commit {row.name}"))
            return 0
        image_id = copy.commit_container(invocation)
        progress.event(StepEvent(row.name, f"Committed as {image_id}", "done", f"Commit {row.name}"))
    return 0
