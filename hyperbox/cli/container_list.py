"""`docker ps`: the list of containers. A hot path: imports nothing dear; templates load only when one is given."""

from __future__ import annotations

import time

from hyperbox.cli.container_ports import displayed
from hyperbox.cli.output import go_time, short_id, truncate
from hyperbox.cli.output_list import Listing, configured_format, show, warn_of_format
from hyperbox.go.units import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "ID": "CONTAINER ID",
    "Names": "NAMES",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
}
COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
RAW = (
    ("container_id", "ID"),
    ("image", "Image"),
    ("command", "Command"),
    ("created_at", "CreatedAt"),
    ("state", "State"),
    ("status", "Status"),
    ("names", "Names"),
    ("labels", "Labels"),
    ("ports", "Ports"),
)
COMMAND_WIDTH = 20
MOUNT_WIDTH = 15


def labels_of(item: Json) -> dict[str, str]:
    """Return an API object's labels."""
    labels = item.get("Labels")
    return labels if isinstance(labels, dict) else {}


def joined_labels(item: Json) -> str:
    """Return the labels as docker joins them: k=v,k=v sorted."""
    return ",".join(sorted(f"{key}={value}" for key, value in labels_of(item).items()))


def label(item: Json, name: str) -> str:
    """Return one label, or ""."""
    return labels_of(item).get(name, "")


def number(item: Json, key: str) -> int:
    """Return a number of an API object, 0 where it is absent."""
    value = item.get(key)
    return int(value) if isinstance(value, (int, float)) else 0


def words(item: Json, key: str) -> list[str]:
    """Return a list of texts of an API object."""
    value = item.get(key)
    return [str(one) for one in value] if isinstance(value, list) else []


def names(item: Json, *, short: bool) -> str:
    """Return the names without their slash; `short`: only the container's own, not those that links gave it."""
    all_names = [name.removeprefix("/") for name in words(item, "Names")]
    if short:
        all_names = next(([name] for name in all_names if "/" not in name), all_names)
    return ",".join(all_names)


def image(item: Json, *, short: bool) -> str:
    """Return the image as the user named it; `short`: without the digest of a tagged name, and ids cut."""
    name = str(item.get("Image") or "")
    if not name:
        return "<no image>"
    if not short:
        return name
    cut = short_id(str(item.get("ImageID") or ""))
    if cut and cut == short_id(name):
        return cut
    return name.partition("@")[0] or name


def command(item: Json, *, short: bool) -> str:
    """Return the quoted command."""
    from hyperbox.go.text import quote

    text = str(item.get("Command") or "")
    return quote(truncate(text, COMMAND_WIDTH) if short else text)


def size(item: Json) -> str:
    """Return the size of the writable layer, and of all where it is known."""
    own = human_size(number(item, "SizeRw"))
    whole = number(item, "SizeRootFs")
    return f"{own} (virtual {human_size(whole)})" if whole > 0 else own


def mounts(item: Json, *, short: bool) -> str:
    """Return the names or sources of the mounts."""
    value = item.get("Mounts")
    output = []
    for mount in value if isinstance(value, list) else []:
        name = str(mount.get("Name") or mount.get("Source") or "")
        output.append(truncate(name, MOUNT_WIDTH) if short else name)
    return ",".join(output)


def local_volumes(item: Json) -> str:
    """Return how many mounts are volumes of the local driver."""
    value = item.get("Mounts")
    return str(sum(mount.get("Driver") == "local" for mount in value) if isinstance(value, list) else 0)


def networks(item: Json) -> str:
    """Return the names of the networks."""
    settings = item.get("NetworkSettings")
    value = settings.get("Networks") if isinstance(settings, dict) else None
    return ",".join(sorted(value)) if isinstance(value, dict) else ""


def platform(item: Json) -> object:
    """Return the platform where the engine tells it."""
    from hyperbox.cli.templates_types import convert
    from hyperbox.cli.templates_values import NilPointer, Struct

    descriptor = item.get("ImageManifestDescriptor")
    found = descriptor.get("platform") if isinstance(descriptor, dict) else None
    if not isinstance(found, dict):
        return NilPointer("formatter.Platform")
    text = "/".join(str(found[key]) for key in ("os", "architecture", "variant") if found.get(key))
    return Struct("formatter.Platform", "", found, convert, text=text)


def listing(*, short: bool, now: float) -> Listing:
    """Return how containers are shown; `short`: ids, images, commands and mounts are cut."""
    methods = {
        "ID": lambda item: short_id(str(item["Id"])) if short else str(item["Id"]),
        "Names": lambda item: names(item, short=short),
        "Image": lambda item: image(item, short=short),
        "Command": lambda item: command(item, short=short),
        "CreatedAt": lambda item: go_time(number(item, "Created")),
        "RunningFor": lambda item: human_duration(now - number(item, "Created")) + " ago",
        "Platform": platform,
        "Ports": lambda item: displayed(item.get("Ports")),
        "State": lambda item: str(item.get("State", "")),
        "Status": lambda item: str(item.get("Status", "")),
        "Size": size,
        "Labels": joined_labels,
        "Mounts": lambda item: mounts(item, short=short),
        "LocalVolumes": local_volumes,
        "Networks": networks,
    }
    return Listing(
        "*formatter.ContainerContext", methods, HEADERS, COLUMNS, calls={"Label": label}, raw=RAW, quiet_first=True
    )


def parse_filters(pairs: object) -> dict[str, list[str]]:
    """Return --filter's words as the engine's filters: keys in lower case. The grammar has checked that each has a "="."""
    filters: dict[str, list[str]] = {}
    for pair in pairs if isinstance(pairs, list) else []:
        key, equals, value = str(pair).partition("=")
        if not equals:
            from hyperbox.errors import UsageError

            raise UsageError(
                f'invalid argument "{pair}" for "--filter" flag: bad format of filter (expected name=value)'
            )
        values = filters.setdefault(key.strip().lower(), [])
        if value.strip() not in values:
            values.append(value.strip())
    return filters


def asks_for_size(template: str) -> bool:
    """Return whether a template reads .Size, by running it over an empty container. Raises HyperBoxError where it fails on that."""
    from hyperbox.cli import templates
    from hyperbox.cli.output_list import record
    from hyperbox.errors import HyperBoxError

    asked = []

    def asked_size(_item: Json) -> str:
        asked.append(True)
        return "0B"

    empty = listing(short=True, now=0.0)
    empty.methods = {**empty.methods, "Size": asked_size}
    try:
        templates.execute(templates.parse(template), record(empty, {"Id": ""}))
    except templates.ParseError as error:
        raise HyperBoxError(f"failed to parse template: {error}") from None
    except templates.ExecuteError as error:
        raise HyperBoxError(f"failed to execute template: {error}") from None
    return bool(asked)


def list_containers(invocation: Invocation) -> int:
    """docker ps"""
    from hyperbox.cli.connect import engine_for

    flags = invocation.flags
    template = configured_format(invocation, "psFormat", quiet=bool(flags["quiet"]))
    quiet = bool(flags["quiet"])
    last = flags["last"] if "last" in invocation.given else 1 if flags["latest"] else -1
    limit = last if isinstance(last, int) else -1
    wants_size = bool(flags["size"]) or (bool(template) and not quiet and asks_for_size(template))
    containers: Sequence[Json] = engine_for(invocation).container_list(
        all=bool(flags["all"]) or limit > 0,
        limit=limit,
        size=wants_size,
        filters=parse_filters(flags["filter"]),
    )
    warn_of_format(str(flags["format"]), quiet)
    columns = (*COLUMNS, "Size") if flags["size"] else COLUMNS
    show(listing(short=not flags["no-trunc"], now=time.time()), containers, template, quiet=quiet, columns=columns)
    return 0
