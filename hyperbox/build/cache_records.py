"""The build cache's records as `builder du` and `builder prune` see them: results of steps, and the folders of cache mounts.

Records are removed one by one, least used first, each in one step; the layers that nothing needs any more go with the store's garbage. A mount that
a step uses right now is locked and stays; layers that a running build holds stay by its lease.
"""

from __future__ import annotations

import fcntl
import os
import time

from hyperbox import files
from hyperbox.build.image_config import timestamp
from hyperbox.errors import InvalidParameter
from hyperbox.go.durations import parse_duration
from hyperbox.image.store import ImageStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hyperbox.engine.state import Roots

    Json = dict[str, object]
    Filters = Mapping[str, Sequence[str]]

ID_LENGTH = 25
COLLECT_EVERY = 86400.0  # seconds
LEAST_KEPT = 2 << 30  # bytes


class Record:
    """One record: the API's object, the file or folder behind it, and when it was last used (seconds)."""

    __slots__ = ("path", "used", "value")

    def __init__(self, value: Json, path: str, used: float) -> None:
        self.value = value
        self.path = path
        self.used = used

    @property
    def is_mount(self) -> bool:
        return self.value["Type"] == "exec.cachemount"

    @property
    def size(self) -> int:
        size = self.value["Size"]
        assert isinstance(size, int)
        return size


def moment(seconds: object) -> str:
    """Return a time of a record as the API writes it."""
    value = float(seconds) if isinstance(seconds, (int, float)) else 0.0
    return timestamp(int(value), int(value % 1 * 1e9))


def all_records(roots: Roots) -> list[Record]:
    """Return all records, the least recently used first."""
    store = ImageStore(f"{roots.data}/images")
    store.prepare()
    found = [*_results(store), *_mounts(f"{roots.data}/build/mounts")]
    return sorted(found, key=lambda record: record.used)


def _results(store: ImageStore) -> list[Record]:
    raw: list[tuple[str, Json]] = []
    for name in os.listdir(f"{store.path}/cache"):
        if name.endswith(".json"):
            try:
                value = files.read_json(f"{store.path}/cache/{name}")
            except (OSError, ValueError):
                continue
            if isinstance(value, dict):
                raw.append((f"{store.path}/cache/{name}", value))
    images = {str(key) for image_id in store.image_ids() for key in _keys(store, image_id)}
    by_layers = {tuple(_texts(value["DiffIds"])): str(value["Key"]) for _, value in raw}
    leased = store._leased_keys()
    found = []
    for path, value in raw:
        layers = tuple(_texts(value["DiffIds"]))
        parent = by_layers.get(layers[:-1])
        last = store.layer_folder(layers[-1]).rpartition("/")[2] if layers else ""
        found.append(
            Record(
                {
                    "ID": identifier(str(value["Key"])),
                    "Parents": [identifier(parent)] if parent else [],
                    "Type": value.get("Type") or "regular",
                    "Description": value.get("Description") or "",
                    "InUse": last in leased,
                    "Shared": last in images,
                    "Size": value.get("Size") or 0,
                    "CreatedAt": moment(value.get("Created")),
                    "LastUsedAt": moment(value.get("LastUsed")),
                    "UsageCount": value.get("Uses") or 0,
                    "Mutable": False,
                    "Reclaimable": last not in leased,
                },
                path,
                float(str(value.get("LastUsed") or 0)),
            )
        )
    return found


def _keys(store: ImageStore, image_id: str) -> list[str]:
    try:
        return _texts(store.record(image_id)["Keys"])
    except (OSError, ValueError):
        return []


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def identifier(key: str) -> str:
    """Return a record's id as it is shown."""
    return key.removeprefix("sha256:")[:ID_LENGTH]


def _mounts(folder: str) -> list[Record]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        if not name.endswith(".json"):
            continue
        path = f"{folder}/{name[:-5]}"
        try:
            value = files.read_json(f"{path}.json")
        except (OSError, ValueError):
            continue
        assert isinstance(value, dict)
        busy = not _is_free(path)
        found.append(
            Record(
                {
                    "ID": identifier(name[:-5].replace(".", "")),
                    "Parents": [],
                    "Type": "exec.cachemount",
                    "Description": f'cached mount {value["Id"]} from exec with id "{value["Id"]}"',
                    "InUse": busy,
                    "Shared": False,
                    "Size": folder_size(path),
                    "CreatedAt": moment(value.get("Created")),
                    "LastUsedAt": moment(value.get("LastUsed")),
                    "UsageCount": value.get("Uses") or 0,
                    "Mutable": True,
                    "Reclaimable": not busy,
                },
                path,
                float(str(value.get("LastUsed") or 0)),
            )
        )
    return found


def _is_free(path: str) -> bool:
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def folder_size(path: str) -> int:
    """Return the bytes that a folder's files take on disk; one with several names counts once."""
    total, seen = 0, set()
    pending = [path]
    while pending:
        here = pending.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if (status.st_dev, status.st_ino) not in seen:
                        seen.add((status.st_dev, status.st_ino))
                        total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return total


# --- filters ------------------------------------------------------------------------------------------------------------------
def _truth(text: str) -> bool:
    if text.lower() not in ("", "1", "0", "true", "false"):
        raise InvalidParameter(f"invalid filter value {text}")
    return text.lower() in ("", "1", "true")


def seconds(text: str) -> float:
    """Return a Go duration ("24h", "1h30m") in seconds. Raises InvalidParameter."""
    try:
        return parse_duration(text) / 1e9
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def _before(text: str) -> float:
    """Return the time that `until` means: a duration back from now, or a point in time."""
    if text[:1].isdigit() and text[-1:] in "smh":
        return time.time() - seconds(text)
    if text.isdigit():
        return float(text)
    import datetime

    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise InvalidParameter(f"invalid until value: {text}") from None


def _matcher(name: str, text: str) -> Callable[[Record], bool]:
    """Return the test of one filter; one that is not known lets nothing through, as with BuildKit. Raises InvalidParameter for a bad value."""
    if name in ("until", "unused-for"):
        limit = _before(text) if name == "until" else time.time() - seconds(text)
        return lambda record: record.used < limit
    if name in ("inuse", "shared", "private", "mutable", "immutable", "reclaimable"):
        wanted = _truth(text)
        field = {"inuse": "InUse", "private": "Shared", "immutable": "Mutable"}.get(name, name.capitalize())
        opposite = name in ("private", "immutable")
        return lambda record: (bool(record.value[field]) != opposite) == wanted
    if name in ("id", "parents", "parent", "type", "description"):
        field = {"id": "ID", "type": "Type", "description": "Description"}.get(name, "Parents")

        def matches(record: Record) -> bool:
            value = record.value[field]
            if isinstance(value, list):
                return any(str(each).startswith(text) for each in value)
            return text in str(value) if field == "Description" else str(value).startswith(text)

        return matches
    return lambda record: False


def chosen(records: Sequence[Record], filters: Filters) -> list[Record]:
    """Return the records that all filters let through; of several values of one any. Raises InvalidParameter for a bad value."""
    tests: list[list[Callable[[Record], bool]]] = []
    for name, values in filters.items():
        plain, negated = name.removesuffix("!").removesuffix("~"), name.endswith("!")
        matchers = [_matcher(plain, value) for value in values]
        if negated:
            tests += [[lambda record, test=test: not test(record)] for test in matchers]  # type: ignore[misc]
        else:
            tests.append(matchers)
    return [record for record in records if all(any(test(record) for test in group) for group in tests)]


# --- what the command line calls --------------------------------------------------------------------------------------------
def usage(roots: Roots, filters: Filters) -> list[Json]:
    """See `build.api.cache_usage`."""
    return [record.value for record in reversed(chosen(all_records(roots), filters))]


def prune(roots: Roots, all: bool, filters: Filters, limits: tuple[int, int, int]) -> Json:
    """See `build.api.cache_prune`; `limits` are the space to reserve, to use at most, and to leave free."""
    from hyperbox.engine import transient

    transient.sweep(roots)
    store = ImageStore(f"{roots.data}/images")
    records = all_records(roots)
    doomed = [record for record in chosen(records, filters) if not record.value["InUse"]]
    if not all:
        doomed = [record for record in doomed if record.value["Type"] not in ("internal", "frontend")]
    doomed = within(records, doomed, limits, store.path)
    freed = 0
    removed: list[Record] = []
    for record in doomed:
        gone = remove_mount(record.path) if record.is_mount else remove_result(record.path)
        if gone:
            removed.append(record)
            freed += record.size if record.is_mount else 0
    _forget_keys(f"{roots.data}/build/keys", store)
    freed += store.collect_garbage()
    return {
        "CachesDeleted": [record.value["ID"] for record in removed],
        "SpaceReclaimed": freed,
        "Records": [record.value for record in removed],
    }


def collect(roots: Roots) -> None:
    """Once a day: let the least used results go where all of them take more than a tenth of the disk, as docker's builder does by default."""
    marker = f"{roots.data}/build/collected"
    try:
        if time.time() - os.stat(marker).st_mtime < COLLECT_EVERY:
            return
    except FileNotFoundError:
        pass
    files.write_atomic(marker, "")
    disk = os.statvfs(roots.data)
    most = max(disk.f_blocks * disk.f_frsize // 10, LEAST_KEPT)
    if sum(record.size for record in all_records(roots)) > most:
        prune(roots, True, {}, (0, most, 0))


def within(records: Sequence[Record], doomed: list[Record], limits: tuple[int, int, int], path: str) -> list[Record]:
    """Return as many of the doomed, least used first, as have to go to keep to the limits; all of them where there is no limit."""
    reserved, most, free = limits
    if not any(limits):
        return doomed
    total = sum(record.size for record in records)
    disk = os.statvfs(path)
    excess = 0
    if most:
        excess = max(excess, total - most)
    if free:
        excess = max(excess, free - disk.f_bavail * disk.f_frsize)
    if not most and not free:
        excess = total - reserved
    excess = min(excess, total - reserved)
    chosen_ones = []
    for record in doomed:
        if excess <= 0:
            break
        chosen_ones.append(record)
        excess -= record.size
    return chosen_ones


def remove_result(path: str) -> bool:
    """Remove a record; its layers go with the garbage."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def remove_mount(path: str) -> bool:
    """Remove a cache mount's folder, where no step uses it."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        files.remove_tree(f"{path}.json")
        files.remove_tree(path)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _forget_keys(folder: str, store: ImageStore) -> None:
    """Remove what leads to records that are gone."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    kept = {name[:-5] for name in os.listdir(f"{store.path}/cache") if name.endswith(".json")}
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.removeprefix("sha256:") not in kept and (target != "seen" or not kept):
            files.remove_tree(f"{folder}/{name}")
