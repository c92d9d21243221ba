"""`docker buildx ls | inspect | use | stop | rm | version`: there is one builder, `default`, which needs no process of its own."""

from __future__ import annotations

import os
import sys

from hyperbox.cli.connect import engine_for
from hyperbox.cli.output_list import Listing, show
from hyperbox.cli.version import BUILDX_VERSION
from hyperbox.errors import ExitStatus, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

# the buildx whose flags `docker build` takes
# what answers for BuildKit
VERSION = "hyperbox"
DEFAULT = "default"
HEADERS = {
    "Name": "NAME/NODE",
    "DriverEndpoint": "DRIVER/ENDPOINT",
    "Status": "STATUS",
    "BuildKit": "BUILDKIT",
    "Platforms": "PLATFORMS",
}


def version(invocation: Invocation) -> int:
    """Print the line by which tools find out which flags `docker build` takes: those of this buildx."""
    del invocation
    sys.stdout.write(f"github.com/docker/buildx v{BUILDX_VERSION} hyperbox\n")
    return 0


def platforms(engine_platform: str) -> list[str]:
    """Return the platforms that builds are for: this machine's own."""
    return [engine_platform]


def own_platform(invocation: Invocation) -> str:
    """Return this machine's platform as the engine tells it. Raises Unavailable where there is no engine."""
    told = engine_for(invocation).version()
    return f"{told.get('Os') or 'linux'}/{told.get('Arch') or 'amd64'}"


def check_name(name: str) -> None:
    """Raise HyperBoxError for a builder that is not there."""
    if name not in ("", DEFAULT):
        raise HyperBoxError(f'ERROR: no builder "{name}" found')


def current(invocation: Invocation) -> str:
    """Return the builder that --builder or BUILDX_BUILDER names."""
    chosen = invocation.flags.get("builder") or invocation.globals.get("builder")
    return str(chosen or os.environ.get("BUILDX_BUILDER") or "")


def inspect(invocation: Invocation) -> int:
    """`docker buildx inspect`."""
    check_name(invocation.arguments[0] if invocation.arguments else current(invocation))
    shown = ", ".join(platforms(own_platform(invocation)))
    print(
        f"Name:          {DEFAULT}\nDriver:        docker\n\nNodes:\nName:             {DEFAULT}\nEndpoint:         {DEFAULT}\n"
        f"Status:           running\nBuildKit version: {VERSION}\nPlatforms:        {shown}"
    )
    return 0


def list_builders(invocation: Invocation) -> int:
    """`docker buildx ls`."""
    template = str(invocation.flags["format"] or "table")
    shown = platforms(own_platform(invocation))
    if template == "json":
        from hyperbox.cli.output import go_json

        node: Json = {"Endpoint": DEFAULT, "Name": DEFAULT, "Platforms": shown, "Status": "running", "Version": VERSION}
        print(go_json({"Current": True, "Driver": "docker", "Dynamic": False, "Name": DEFAULT, "Nodes": [node]}))
        return 0
    star = "*" if template.startswith("table") else ""
    bare = not star
    rows: list[dict[str, str]] = [
        {"Name": f"{DEFAULT}{star}", "DriverEndpoint": "docker"},
        {
            "Name": DEFAULT if bare else f" \\_ {DEFAULT}",
            "DriverEndpoint": DEFAULT if bare else f" \\_ {DEFAULT}",
            "Status": "running",
            "BuildKit": VERSION,
            "Platforms": ", ".join(shown),
        },
    ]

    def field(name: str) -> Callable[..., object]:
        return lambda row: row.get(name, "")

    listing = Listing("*formatter.builderContext", {name: field(name) for name in HEADERS}, HEADERS, tuple(HEADERS))
    show(listing, rows, template)
    return 0


def use(invocation: Invocation) -> int:
    """`docker buildx use`: only `default` can be chosen, and it always is."""
    name = invocation.arguments[0]
    if name != DEFAULT:
        raise HyperBoxError(f'ERROR: failed to find instance "{name}": HyperBox has one builder, `default`')
    return 0


def stop(invocation: Invocation) -> int:
    """`docker buildx stop`: no process runs between builds."""
    check_name(invocation.arguments[0] if invocation.arguments else current(invocation))
    return 0


def remove(invocation: Invocation) -> int:
    """`docker buildx rm`: the only builder can't be removed."""
    if invocation.flags["all-inactive"] and not invocation.arguments:
        return 0
    for name in invocation.arguments or [current(invocation)]:
        reason = (
            f'no builder "{name}" found'
            if name not in ("", DEFAULT)
            else f"context builder cannot be removed, run `docker context rm {DEFAULT}` to remove this context"
        )
        print(f"failed to remove {name}: {reason}", file=sys.stderr)
    print("ERROR: failed to remove one or more builders", file=sys.stderr)
    raise ExitStatus(1)
