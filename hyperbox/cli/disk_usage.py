"""`docker system df`."""

from __future__ import annotations

import sys
import time

from hyperbox.cli import container_list, image_list
from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import joined_labels, label, number
from hyperbox.cli.output import table
from hyperbox.cli.output_list import Listing, record, show
from hyperbox.errors import HyperBoxError
from hyperbox.go.units import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
VOLUME_COLUMNS = ("Name", "Links", "Size")
VOLUME_HEADERS = {
    "Availability": "AVAILABILITY",
    "Driver": "DRIVER",
    "Group": "GROUP",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Mountpoint": "MOUNTPOINT",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Size": "SIZE",
    "Status": "STATUS",
}
CACHE_HEADERS = {
    "ID": "CACHE ID",
    "CacheType": "CACHE TYPE",
    "Size": "SIZE",
    "CreatedSince": "CREATED",
    "LastUsedSince": "LAST USED",
    "UsageCount": "USAGE",
    "Shared": "SHARED",
}
RUNNING = ("running", "paused", "restarting")
IMAGE_COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers")
CONTAINER_COLUMNS = ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names")


def objects(usage: Json, key: str) -> list[Json]:
    """Return one list of the engine's disk usage."""
    value = usage.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def share(part: int, whole: int) -> str:
    """Return a size, with its percentage where there is a whole."""
    text = human_size(part, precision=4)
    return f"{text} ({part * 100 // whole}%)" if whole > 0 else text


def summary(usage: Json) -> list[dict[str, str]]:
    """Return the four lines of the short form."""
    return [_images(usage), _containers(usage), _volumes(usage), _build_cache(usage)]


def _line(kind: str, total: int, active: int, size: int, reclaimable: str) -> dict[str, str]:
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": human_size(size, precision=4),
        "Reclaimable": reclaimable,
    }


def _images(usage: Json) -> dict[str, str]:
    images, layers = objects(usage, "Images"), number(usage, "LayersSize")
    active = [image for image in images if number(image, "Containers") > 0]
    used = sum(
        number(image, "Size") - number(image, "SharedSize")
        for image in active
        if number(image, "Size") != -1 and number(image, "SharedSize") != -1
    )
    return _line("Images", len(images), len(active), layers, share(layers - used, layers))


def _containers(usage: Json) -> dict[str, str]:
    containers = objects(usage, "Containers")
    active = [container for container in containers if container.get("State") in RUNNING]
    size = sum(number(container, "SizeRw") for container in containers)
    idle = size - sum(number(container, "SizeRw") for container in active)
    return _line("Containers", len(containers), len(active), size, share(idle, size))


def volume_use(volume: Json) -> tuple[int, int]:
    """Return a volume's users and size; -1 where the engine does not know."""
    use = volume.get("UsageData")
    return (number(use, "RefCount"), number(use, "Size")) if isinstance(use, dict) else (-1, -1)


def _volumes(usage: Json) -> dict[str, str]:
    uses = [volume_use(volume) for volume in objects(usage, "Volumes")]
    size = sum(bytes_ for _, bytes_ in uses if bytes_ != -1)
    idle = sum(bytes_ for links, bytes_ in uses if links == 0 and bytes_ != -1)
    return _line("Local Volumes", len(uses), sum(links > 0 for links, _ in uses), size, share(idle, size))


def _build_cache(usage: Json) -> dict[str, str]:
    records = objects(usage, "BuildCache")
    size = sum(number(entry, "Size") for entry in records if not entry.get("Shared"))
    used = sum(number(entry, "Size") for entry in records if entry.get("InUse") and not entry.get("Shared"))
    active = sum(bool(entry.get("InUse")) for entry in records)
    return _line("Build Cache", len(records), active, size, human_size(size - used, precision=4))


RAW = (
    ("type", "Type"),
    ("total", "TotalCount"),
    ("active", "Active"),
    ("size", "Size"),
    ("reclaimable", "Reclaimable"),
)


def disk_usage(invocation: Invocation) -> int:
    """docker system df"""
    template = str(invocation.flags["format"])
    from hyperbox.build.api import cache_usage
    from hyperbox.cli.connect import roots_from_environment

    usage = engine_for(invocation).disk_usage()
    usage["BuildCache"] = cache_usage(roots_from_environment())
    if invocation.flags["verbose"]:
        return _verbose(usage, template)
    methods: dict[str, Callable[..., object]] = {key: (lambda row, key=key: row[key]) for key in HEADERS}
    listing = Listing("*formatter.diskUsageImagesContext", methods, HEADERS, tuple(HEADERS), raw=RAW)
    show(listing, summary(usage), template)
    return 0


def volume_listing() -> Listing:
    """Return how volumes are shown here: those of `volume ls` with their users and sizes."""

    def size(volume: Json) -> str:
        known = volume_use(volume)[1]
        return "N/A" if known < 0 else human_size(known, precision=4)

    methods: dict[str, Callable[..., object]] = {
        "Availability": lambda _volume: "N/A",
        "Driver": lambda volume: str(volume.get("Driver") or ""),
        "Group": lambda _volume: "N/A",
        "Labels": joined_labels,
        "Links": lambda volume: "N/A" if volume_use(volume)[0] < 0 else str(volume_use(volume)[0]),
        "Mountpoint": lambda volume: str(volume.get("Mountpoint") or ""),
        "Name": lambda volume: str(volume.get("Name") or ""),
        "Scope": lambda volume: str(volume.get("Scope") or ""),
        "Size": size,
        "Status": lambda _volume: "N/A",
    }
    return Listing(
        "*formatter.volumeContext",
        methods,
        VOLUME_HEADERS,
        VOLUME_COLUMNS,
        raw=(("name", "Name"), ("driver", "Driver")),
        calls={"Label": label},
        identity="Name",
    )


def cache_listing(now: float) -> Listing:
    """Return how records of the build cache are shown."""
    from hyperbox.go.times import timestamp_seconds

    def since(entry: Json, key: str) -> str:
        text = str(entry.get(key) or "")
        return human_duration(now - timestamp_seconds(text)) + " ago" if text else ""

    methods: dict[str, Callable[..., object]] = {
        "ID": lambda entry: str(entry.get("ID") or "")[:12] + ("" if entry.get("InUse") else "*"),
        "Parent": lambda entry: ", ".join(str(one) for one in entry.get("Parents") or []),
        "CacheType": lambda entry: str(entry.get("Type") or ""),
        "Description": lambda entry: str(entry.get("Description") or ""),
        "Size": lambda entry: human_size(number(entry, "Size")),
        "CreatedAt": lambda entry: str(entry.get("CreatedAt") or ""),
        "CreatedSince": lambda entry: since(entry, "CreatedAt"),
        "LastUsedAt": lambda entry: str(entry.get("LastUsedAt") or ""),
        "LastUsedSince": lambda entry: since(entry, "LastUsedAt"),
        "UsageCount": lambda entry: str(number(entry, "UsageCount")),
        "InUse": lambda entry: "true" if entry.get("InUse") else "false",
        "Shared": lambda entry: "true" if entry.get("Shared") else "false",
    }
    return Listing("*formatter.buildCacheContext", methods, CACHE_HEADERS, tuple(CACHE_HEADERS))


def _columns(listing: Listing, items: Sequence[object], columns: Sequence[str]) -> str:
    rows = [[listing.headers[name] for name in columns]]
    rows.extend([str(listing.methods[name](item)) for name in columns] for item in items)
    return table(rows)


def _first_row(image: Json) -> image_list.Row:
    """Return an image under its first tag: here each image is one line."""
    row = image_list.rows_of({**image, "RepoDigests": []}, digests=False)[0]
    row.digest = ""
    return row


def _verbose(usage: Json, template: str) -> int:
    now = time.time()
    short = template in ("", "table")
    images = [_first_row(image) for image in objects(usage, "Images")]
    parts: list[tuple[str, Listing, list[object], Sequence[str]]] = [
        ("Images", image_list.listing(short=short, now=now), list(images), IMAGE_COLUMNS),
        (
            "Containers",
            container_list.listing(short=short, now=now),
            [{**container, "SizeRootFs": 0} for container in objects(usage, "Containers")],
            CONTAINER_COLUMNS,
        ),
        ("Volumes", volume_listing(), list(objects(usage, "Volumes")), VOLUME_COLUMNS),
        ("BuildCache", cache_listing(now), list(objects(usage, "BuildCache")), tuple(CACHE_HEADERS)),
    ]
    if template not in ("", "table"):
        sys.stdout.write(_by_template(parts, template.removeprefix("table").lstrip()))
        return 0
    titles = {
        "Images": "Images space usage:",
        "Containers": "Containers space usage:",
        "Volumes": "Local Volumes space usage:",
        "BuildCache": f"Build cache usage: {_build_cache(usage)['Size']}",
    }
    sys.stdout.write(
        "\n".join(f"{titles[key]}\n\n{_columns(listing, items, columns)}" for key, listing, items, columns in parts)
    )
    return 0


def _by_template(parts: Sequence[tuple[str, Listing, list[object], Sequence[str]]], template: str) -> str:
    from hyperbox.cli import templates
    from hyperbox.cli.output import go_json
    from hyperbox.cli.templates_values import Record, plain

    value: Json = {key: [record(listing, item) for item in items] for key, listing, items, _ in parts}
    if template == "json":
        return go_json({key: plain(items) for key, items in value.items()})
    methods = {key: (lambda _usage, key=key: value[key]) for key in value}
    usage = Record("*formatter.diskUsageContext", value, methods, {})
    try:
        return templates.render(template.replace("\\t", "\t").replace("\\n", "\n"), usage)
    except templates.ParseError as error:
        raise HyperBoxError(f"template parsing error: {error}") from None
    except templates.ExecuteError as error:
        raise HyperBoxError(str(error)) from None
