"""Events as `docker events` prints them."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, object]


TYPES = {
    "Message": (
        "events.Message",
        "Status=status ID=id From=from Type Action Actor:Actor Scope=scope Time=time:i TimeNano=timeNano:i",
    ),
    "Actor": ("events.Actor", "ID Attributes:{}s"),
}


def event_line(event: Json) -> str:
    """Return docker's own line: time, type, action, id and attributes, these in the order of their names."""
    nanoseconds = event["timeNano"]
    assert isinstance(nanoseconds, int)
    seconds, rest = divmod(nanoseconds, 10**9)
    zone = time.strftime("%z", time.localtime(seconds))
    offset = "Z" if zone in ("+0000", "") else f"{zone[:3]}:{zone[3:]}"
    when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(seconds))}.{rest:09d}{offset}"
    actor = event["Actor"]
    assert isinstance(actor, dict)
    line = f"{when} {event['Type']} {event['Action']} {actor['ID']}"
    attributes = actor["Attributes"]
    if attributes:
        line += f" ({', '.join(f'{key}={attributes[key]}' for key in sorted(attributes))})"
    return line


def event_printer(template: str) -> Callable[[Json], str]:
    """Return what turns an event into its line: docker's own, JSON, or a Go template."""
    if not template:
        return event_line
    if template in ("json", "{{json .}}"):  # the event's own keys, in its own order
        from hyperbox import files

        return files.dumps
    from hyperbox.cli import templates
    from hyperbox.cli.templates_types import typed
    from hyperbox.errors import HyperBoxError

    try:
        parsed = templates.parse(template)
        templates.execute(parsed, typed("Message", {}, pointer=True, types=TYPES))
    except (templates.ParseError, templates.ExecuteError) as error:
        raise HyperBoxError(f"Error parsing format: {error}", exit_code=64) from None

    def line(event: Json) -> str:
        try:
            return templates.execute(parsed, typed("Message", event, pointer=True, types=TYPES))
        except templates.ExecuteError as error:
            raise HyperBoxError(str(error)) from None

    return line
