"""`docker history`."""

from __future__ import annotations

import time

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import number
from hyperbox.cli.output import short_id, truncate
from hyperbox.cli.output_list import Listing, show
from hyperbox.go.units import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
COMMAND_WIDTH = 45


def listing(*, short: bool, human: bool, now: float) -> Listing:
    """Return how the steps of an image are shown; `human`: ages and sizes in words."""

    def created_by(step: Json) -> str:
        text = str(step.get("CreatedBy") or "").replace("\t", " ")
        return truncate(text, COMMAND_WIDTH) if short else text

    def created_at(step: Json) -> str:
        seconds = number(step, "Created")
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds)) + zone(seconds) if seconds > 0 else ""

    methods: dict[str, Callable[..., object]] = {
        "ID": lambda step: short_id(str(step.get("Id") or "")) if short else str(step.get("Id") or ""),
        "CreatedAt": created_at,
        "CreatedSince": (
            (
                lambda step: (
                    human_duration(now - number(step, "Created")) + " ago" if number(step, "Created") > 0 else "N/A"
                )
            )
            if human
            else created_at
        ),
        "CreatedBy": created_by,
        "Size": lambda step: human_size(number(step, "Size")) if human else str(number(step, "Size")),
        "Comment": lambda step: str(step.get("Comment") or ""),
    }
    columns = ("ID", "CreatedSince" if human else "CreatedAt", "CreatedBy", "Size", "Comment")
    return Listing("*image.historyContext", methods, HEADERS, columns)


def zone(seconds: float) -> str:
    """Return the local offset as RFC 3339 writes it: Z or +01:00."""
    offset = time.strftime("%z", time.localtime(seconds))
    return "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"


def history(invocation: Invocation) -> int:
    """docker history IMAGE"""
    flags = invocation.flags
    platform = str(flags.get("platform") or "")
    if platform:
        from hyperbox.cli.image_transfer import check_platform

        check_platform(platform, "invalid platform: ")
    steps = engine_for(invocation).image_history(invocation.arguments[0], platform=platform)
    shown = listing(short=not flags["no-trunc"], human=bool(flags["human"]), now=time.time())
    show(shown, steps, str(flags["format"]), quiet=bool(flags["quiet"]))
    return 0
