"""What images there are, in the Engine API's shapes: list, inspect, history."""

from __future__ import annotations

import os

from hyperbox.errors import InvalidParameter, NotFound, check_filters
from hyperbox.go.times import timestamp, timestamp_nanoseconds, timestamp_seconds
from hyperbox.image.parents import children, parent_of
from hyperbox.image.reference import DEFAULT_DOMAIN, platform_architecture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Filters = dict[str, list[str]]

FILTERS = frozenset({"dangling", "label", "before", "since", "reference", "until"})


def epoch(text: str) -> int:
    """Return the seconds of an RFC 3339 time, fractions cut; 0 for what is none."""
    try:
        return int(timestamp_seconds(text))
    except ValueError:
        return 0


def instant(text: object) -> int:
    """Return the nanoseconds of the epoch of an RFC 3339 time; 0 for what is none."""
    try:
        return timestamp_nanoseconds(str(text))
    except ValueError:
        return 0


def familiar(full: str) -> str:
    """Return docker's short form of a full name: docker.io/library/redis:1 -> redis:1."""
    domain, _, rest = full.partition("/")
    if domain != DEFAULT_DOMAIN:
        return full
    return rest.removeprefix("library/") if rest.count("/") == 1 else rest


def names_by_image(store: ImageStore) -> dict[str, tuple[list[str], list[str]]]:
    """Return for each image its tags and its digest references, short form, sorted."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for name, image_id in store.names():
        tags, digests = found.setdefault(image_id, ([], []))
        (digests if "@" in name else tags).append(familiar(name))
    for tags, digests in found.values():
        tags.sort()
        digests.sort()
    return found


def _labels(record: Json) -> object:
    config = record["Config"]
    return (config.get("Labels") or None) if isinstance(config, dict) else None


def image_list(
    store: ImageStore, *, all: bool = False, filters: Filters | None = None, digests: bool = False
) -> list[Json]:
    """`GET /images/json`. Without `all` images without a name that others were made of are left out. `digests` changes nothing: they are
    always told.
    """
    wanted = filters or {}
    check_filters(wanted, FILTERS)
    only_dangling = wanted.get("dangling", [""])[0].lower() in ("true", "1")
    names = names_by_image(store)
    rows: list[Json] = []
    moments: dict[str, int] = {}
    image_ids = store.image_ids()
    below = children(store, image_ids)
    parents = {child: parent for parent, each in below.items() for child in each}
    for image_id in image_ids:
        tags, digest_names = names.get(image_id, ([], []))
        if image_id in below and (only_dangling or not (all or tags or digest_names)):
            continue
        try:
            record = store.record(image_id)
        except NotFound:
            continue
        moments[image_id] = instant(record["Created"])
        rows.append(
            {
                "Containers": -1,
                "Created": epoch(str(record["Created"])),
                "Id": image_id,
                "Labels": _labels(record),
                "ParentId": parents.get(image_id, ""),
                "RepoDigests": list(digest_names),
                "RepoTags": list(tags),
                "SharedSize": -1,
                "Size": record["Size"],
            }
        )
    rows.sort(key=lambda row: (-moments[str(row["Id"])], str(row["Id"])))
    return [row for row in rows if _matches(store, row, moments[str(row["Id"])], wanted)]


def _matches(store: ImageStore, row: Json, created: int, filters: Filters) -> bool:
    """Return whether a row, made at `created` (nanoseconds of the epoch), passes. Raises InvalidParameter, NotFound."""
    if "dangling" in filters:
        dangling = filters["dangling"][0].lower()
        if dangling not in ("true", "false", "1", "0") or len(set(filters["dangling"])) > 1:
            raise InvalidParameter(f"invalid filter 'dangling=[{' '.join(sorted(set(filters['dangling'])))}]'")
        if (dangling in ("true", "1")) != (not row["RepoTags"]):
            return False
    labels = row["Labels"] if isinstance(row["Labels"], dict) else {}
    for text in filters.get("label", []):
        name, equals, value = text.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    for key, later in (("before", False), ("since", True)):
        for text in filters.get(key, []):
            other = instant(store.record(store.resolve(text))["Created"])
            if created <= other if later else created >= other:
                return False
    for text in filters.get("until", []):
        if created > until_moment(text) * 1e9:
            return False
    return "reference" not in filters or _reference_matches(row, filters["reference"])


def until_moment(text: str) -> float:
    """Return what the filter `until` means, in seconds of the epoch. Raises InvalidParameter."""
    import time

    from hyperbox.image.moments import to_moment

    try:
        return to_moment(text, time.time())
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def _reference_matches(row: Json, patterns: list[str]) -> bool:
    """Keep only the names of a row that one of the patterns matches; returns whether any is left. Raises InvalidParameter."""
    from hyperbox.go.patterns import compiled

    try:
        forms = [compiled(pattern) for pattern in patterns]
    except ValueError as error:
        raise InvalidParameter(str(error)) from None

    def fits(name: str) -> bool:
        plain = name.partition("@")[0]
        repository = plain.rpartition(":")[0] if ":" in plain.rpartition("/")[2] else plain
        return any(form.match(candidate) for candidate in (name, repository) for form in forms)

    tags, digests = row["RepoTags"], row["RepoDigests"]
    assert isinstance(tags, list)
    assert isinstance(digests, list)
    row["RepoTags"] = [name for name in tags if fits(name)]
    row["RepoDigests"] = [name for name in digests if fits(name)]
    return bool(row["RepoTags"] or row["RepoDigests"])


def image_inspect(store: ImageStore, reference: str, *, platform: str = "") -> Json:
    """`GET /images/{name}/json`."""
    image_id = store.resolve(reference)
    record = store.record(image_id)
    if platform:
        from hyperbox.image.platform import require

        require(record, reference, platform)
    document = store.config(image_id)
    tags, digests = names_by_image(store).get(image_id, ([], []))
    keys = record["Keys"]
    assert isinstance(keys, list)
    folders = [f"{store.path}/layers/{key}" for key in keys]
    first = folders[0] if folders else ""
    driver: Json = {"LowerDir": ":".join(folders[1:])} if len(folders) > 1 else {}
    driver |= {"MergedDir": first, "UpperDir": first, "WorkDir": f"{first}.work"}
    result: Json = {
        "Id": image_id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": parent_of(store, image_id),
        "Comment": str(document.get("comment") or _last_comment(document)),
        "Created": record["Created"],
        "DockerVersion": str(document.get("docker_version") or ""),
        "Author": str(document.get("author") or ""),
        "Architecture": record["Architecture"],
        "Os": record["Os"],
        "Size": record["Size"],
        "GraphDriver": {"Data": driver, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": record["DiffIds"]},
        "Metadata": {"LastTagTime": _last_tag_time(store, image_id)},
        "Config": _config(record["Config"]),
    }
    if document.get("variant"):
        result["Variant"] = document["variant"]
    return result


def _last_comment(document: Json) -> str:
    history = document.get("history")
    last = history[-1] if isinstance(history, list) and history else {}
    return str(last.get("comment", "")) if isinstance(last, dict) else ""


def _last_tag_time(store: ImageStore, image_id: str) -> str:
    newest = 0
    for name, owner in store.names():
        if owner == image_id:
            try:
                newest = max(newest, os.lstat(f"{store.path}/names/{name.replace('/', '%')}").st_mtime_ns)
            except OSError:
                continue
    return timestamp(newest) if newest else "0001-01-01T00:00:00Z"


# docker's order and defaults of an image's configuration; a key with None there is always shown
CONFIG_KEYS: tuple[tuple[str, object], ...] = (
    ("ArgsEscaped", ()),
    ("Cmd", None),
    ("Entrypoint", None),
    ("Env", None),
    ("ExposedPorts", ()),
    ("Healthcheck", ()),
    ("Labels", None),
    ("OnBuild", None),
    ("Shell", ()),
    ("StopSignal", ()),
    ("User", ""),
    ("Volumes", None),
    ("WorkingDir", ""),
)


def _config(value: object) -> Json:
    """Return the configuration as inspect shows it: docker's keys in docker's order, those it always shows included."""
    config = value if isinstance(value, dict) else {}
    shown: Json = {}
    for key, default in CONFIG_KEYS:
        found = config.get(key)
        if found or default != ():
            shown[key] = found if found else default
    return shown


def image_history(store: ImageStore, reference: str, *, platform: str = "") -> list[Json]:
    """`GET /images/{name}/history`, newest first; of a pulled or built image only the newest entry knows its id."""
    image_id = store.resolve(reference)
    record, document = store.record(image_id), store.config(image_id)
    if platform:
        from hyperbox.image.platform import require

        require(record, reference, platform)
    diff_ids = record["DiffIds"]
    assert isinstance(diff_ids, list)
    sizes = [store.layer_record(str(diff_id))["size"] for diff_id in diff_ids]
    history = document.get("history")
    steps = [step for step in history if isinstance(step, dict)] if isinstance(history, list) else []
    if sum(not step.get("empty_layer") for step in steps) != len(sizes):
        steps = [{} for _ in sizes]
    rows: list[Json] = []
    for step in steps:
        rows.append(
            {
                "Comment": step.get("comment", ""),
                "Created": epoch(str(step.get("created", ""))),
                "CreatedBy": step.get("created_by", ""),
                "Id": "<missing>",
                "Size": 0 if step.get("empty_layer") else sizes.pop(0),
                "Tags": None,
            }
        )
    rows.reverse()
    names, each = names_by_image(store), image_id
    for row in rows:
        row["Id"], row["Tags"] = each, names.get(each, ([], []))[0] or None
        each = parent_of(store, each)
        if not each:
            break
    return rows


def default_platform() -> str:
    """This machine's platform as images name it."""
    return f"linux/{platform_architecture()}"
