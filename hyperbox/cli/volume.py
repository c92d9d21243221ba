"""`docker volume`: ls, create, rm, prune. (`volume inspect` is in cli.inspect.)"""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import parse_filters
from hyperbox.cli.container_manage import ask, deleted, fail_with, prune_filters, reclaimed
from hyperbox.cli.disk_usage import volume_listing
from hyperbox.cli.output import natural_key
from hyperbox.cli.output_list import configured_format, show
from hyperbox.errors import EngineError, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]


def pairs(words: object) -> dict[str, str]:
    """Return --label's or --opt's words as a dict: k=v, and k alone with an empty value."""
    if isinstance(words, dict):
        return {str(key): str(value) for key, value in words.items()}
    output = {}
    for word in words if isinstance(words, list) else []:
        key, _, value = str(word).partition("=")
        output[key] = value
    return output


def list_volumes(invocation: Invocation) -> int:
    """docker volume ls"""
    flags = invocation.flags
    if flags.get("cluster"):  # there are none, which docker without a swarm says in the same way
        sys.stdout.write("" if flags["quiet"] else "VOLUME NAME   GROUP     DRIVER    AVAILABILITY   STATUS\n")
        return 0
    template = configured_format(invocation, "volumesFormat", quiet=bool(flags["quiet"]))
    answer = engine_for(invocation).volume_list(parse_filters(flags["filter"]))
    found = answer.get("Volumes")
    volumes = sorted(found if isinstance(found, list) else [], key=lambda volume: natural_key(str(volume["Name"])))
    show(volume_listing(), volumes, template, quiet=bool(flags["quiet"]), columns=("Driver", "Name"))
    return 0


def create(invocation: Invocation) -> int:
    """docker volume create [VOLUME]"""
    flags = invocation.flags
    # without one of the flags that ask for a cluster volume, docker makes nothing of --secret and --topology-*
    name = str(flags.get("name") or "")
    if invocation.arguments:
        if name:
            raise HyperBoxError(
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg"
            )
        name = invocation.arguments[0]
    config: Json = {
        "Name": name,
        "Driver": str(flags["driver"]),
        "DriverOpts": pairs(flags["opt"]),
        "Labels": pairs(flags["label"]),
    }
    sys.stdout.write(f"{engine_for(invocation).volume_create(config)['Name']}\n")
    return 0


def remove(invocation: Invocation) -> int:
    """docker volume rm VOLUME…"""
    engine = engine_for(invocation)
    errors: list[EngineError] = []
    for name in invocation.arguments:
        try:
            engine.volume_remove(name, force=bool(invocation.flags["force"]))
        except EngineError as error:
            errors.append(error)
            continue
        sys.stdout.write(f"{name}\n")
    return fail_with(errors)


def prune(invocation: Invocation) -> int:
    """docker volume prune"""
    everything = bool(invocation.flags["all"])
    filters = prune_filters(invocation)
    if everything:
        if "all" in filters:
            raise HyperBoxError("conflicting options: cannot specify both --all and --filter all=1")
        filters["all"] = ["true"]
    what = "all local volumes" if everything else "anonymous local volumes"
    ask(invocation, f"WARNING! This will remove {what} not used by at least one container.")
    answer = engine_for(invocation).volume_prune(filters)
    sys.stdout.write(deleted("Deleted Volumes", answer, "VolumesDeleted") + reclaimed(answer))
    return 0
