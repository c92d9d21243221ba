"""Volumes of the local driver, and what of them a container uses.

    DATA/volumes/NAME/volume.json   name, driver, options, labels, time of creation
    DATA/volumes/NAME/_data/        the content; mounted over by the options type, o and device
    DATA/volumes/NAME/copying       there while an image's content is copied in; found later: the copy is begun anew
    DATA/volumes.lock               shared while a container that uses volumes is being made, exclusive while volumes are removed

Lock order: volumes.lock before any container's lock. A container's mount points are settled when it is made and stand in its record under
"Mounts" (`engine.mounts`).
"""

from __future__ import annotations

import errno
import os

from hyperbox import files, process
from hyperbox.engine import life_events
from hyperbox.errors import Conflict, EmptyName, InvalidParameter, NotFound, check_filters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]

NAME_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
NAME_REST = NAME_FIRST | frozenset("_.-")
ANONYMOUS = "com.docker.volume.anonymous"
OPTIONS = frozenset({"type", "o", "device", "size"})
POINT_KEYS = ("Type", "Name", "Source", "Destination", "Driver", "Mode", "RW", "Propagation")


def lock(roots: Roots, *, shared: bool) -> files.Lock:
    """Return the lock of all volumes."""
    return files.Lock(f"{roots.data}/volumes.lock", shared=shared)


def folder(roots: Roots, name: str) -> str:
    """Return a volume's folder."""
    return f"{roots.data}/volumes/{name}"


def mountpoint(roots: Roots, name: str) -> str:
    """Return where a volume's content lies."""
    return f"{roots.data}/volumes/{name}/_data"


def check_name(name: str) -> None:
    """Raise InvalidParameter for a name that docker would not take."""
    if len(name) == 1:
        raise InvalidParameter(
            f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if not name or name[0] not in NAME_FIRST or not NAME_REST.issuperset(name):
        raise InvalidParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are '
            "allowed. If you intended to pass a host directory, use absolute path"
        )


def read(roots: Roots, name: str) -> Json:
    """Return a volume's record. Raises NotFound."""
    check = name and NAME_REST.issuperset(name) and name[0] in NAME_FIRST
    try:
        value = files.read_json(f"{folder(roots, name)}/volume.json") if check else None
    except (FileNotFoundError, NotADirectoryError):
        value = None
    if not name.strip():
        raise EmptyName("volume")
    if not isinstance(value, dict):
        raise NotFound(f"get {name}: no such volume")
    value["Name"] = name  # a killed `volume_move` leaves the old one inside
    return value


def describe(roots: Roots, record: Json) -> Json:
    """Return a volume as the API shows it."""
    return {
        "CreatedAt": record["CreatedAt"],
        "Driver": "local",
        "Labels": record["Labels"],
        "Mountpoint": mountpoint(roots, str(record["Name"])),
        "Name": record["Name"],
        "Options": record["Options"],
        "Scope": "local",
    }


def _text_map(value: object) -> dict[str, str] | None:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) and value else None


def volume_create(roots: Roots, config: Json, *, made_for: str = "") -> Json:
    """See `engine.api.Engine.volume_create`. `made_for`: the container whose anonymous volume it is, with which it goes if that fails."""
    name = str(config.get("Name") or "")
    driver = str(config.get("Driver") or "local")
    labels = _text_map(config.get("Labels"))
    if name:
        made_for = ""
    else:
        name = os.urandom(32).hex()
        labels = {**(labels or {}), ANONYMOUS: ""}
    if driver != "local":
        raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
    check_name(name)
    options = _text_map(config.get("DriverOpts"))
    for key in options or {}:
        if key not in OPTIONS:
            raise InvalidParameter(f'create {name}: invalid option: "{key}"')
    try:
        return describe(roots, read(roots, name))
    except NotFound:
        pass
    check_required(name, options or {})
    if options and "size" in options:
        raise InvalidParameter(f"create {name}: quota size requested but no quota support")
    made = make(roots, name, labels, options, made_for)
    life_events.volume(roots, "create", name)
    return made


def check_required(name: str, options: dict[str, str]) -> None:
    """Raise InvalidParameter with docker's words where a mount is described in part only."""
    if not options.keys() & {"type", "o", "device"}:
        return
    for key in ("device", "type"):
        if not options.get(key):
            raise InvalidParameter(f'create {name}: missing required option: "{key}"')


def make(
    roots: Roots, name: str, labels: dict[str, str] | None, options: dict[str, str] | None, made_for: str = ""
) -> Json:
    """Make a volume in one step: whole, or not there; of two at once, both get the one that was first."""
    from hyperbox.engine.state import now

    base = f"{roots.data}/volumes"
    os.makedirs(base, 0o711, exist_ok=True)
    sweep_asides(roots)
    aside = f"{base}/.making-{os.getpid()}-{os.urandom(6).hex()}"
    created = now().partition(".")[0].removesuffix("Z") + "Z"
    record: Json = {"Name": name, "CreatedAt": created, "Labels": labels, "Options": options}
    if made_for:
        record["For"] = made_for
    try:
        os.mkdir(aside, 0o711)
        os.mkdir(f"{aside}/_data", 0o755)
        files.write_json(f"{aside}/volume.json", record)
        roots.reached("volume-making")
        try:
            os.rename(aside, folder(roots, name))
        except FileExistsError:
            record = read(roots, name)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            record = read(roots, name)
    finally:
        files.remove_tree(aside)
    roots.reached("volume")
    return describe(roots, record)


def sweep_asides(roots: Roots) -> None:
    """Remove the volumes that killed commands were making or removing; the maker's pid is in the name."""
    for name in files.subfolders(f"{roots.data}/volumes"):
        if name[0] == "." and not process.is_alive(int(name.split("-")[1])):
            files.remove_tree(f"{roots.data}/volumes/{name}")


def forget_made_for(roots: Roots, container_id: str) -> None:
    """Remove the anonymous volumes of a container that never came to be."""
    mine = []
    for name in names(roots):
        try:
            if read(roots, name).get("For") == container_id:
                mine.append(name)
        except (NotFound, ValueError):
            continue
    if mine:
        with lock(roots, shared=False):
            used = users(roots)
            for name in mine:
                if name not in used and os.path.isdir(folder(roots, name)):
                    delete(roots, name)


def names(roots: Roots) -> Iterator[str]:
    """Yield the names of all volumes."""
    for name in files.subfolders(f"{roots.data}/volumes"):
        if name[0] != ".":
            yield name


def users(roots: Roots) -> dict[str, list[str]]:
    """Return volume name -> ids of the containers that use it. It settles none of them: the caller may hold the volumes' lock."""
    from hyperbox.engine.state import container_ids, read_container

    found: dict[str, list[str]] = {}
    for container_id in container_ids(roots):
        try:
            container = read_container(roots, container_id)
        except NotFound:
            continue
        for point in points(container):
            if point.get("Type") == "volume":
                found.setdefault(str(point["Name"]), []).append(container.id)
    return found


def volume_inspect(roots: Roots, name: str) -> Json:
    """See `engine.api.Engine.volume_inspect`."""
    return describe(roots, read(roots, name))


def volume_list(roots: Roots, filters: Filters | None = None) -> Json:
    """See `engine.api.Engine.volume_list`."""
    wanted = filters or {}
    check_filters(wanted, ("dangling", "driver", "label", "name"))
    dangling = wanted.get("dangling") or ["true"]
    if len(dangling) > 1 or dangling[0].lower() not in ("true", "false", "1", "0"):
        raise InvalidParameter(f"invalid filter 'dangling=[{' '.join(dangling)}]'")
    used = users(roots) if "dangling" in wanted else {}
    volumes = []
    for name in names(roots):
        try:
            record = read(roots, name)
        except (NotFound, ValueError):
            continue
        if matches(record, wanted, in_use=name in used):
            volumes.append(describe(roots, record))
    return {"Volumes": sorted(volumes, key=lambda volume: str(volume["Name"])), "Warnings": None}


def has_label(record: Json, wanted: str) -> bool:
    """Return whether a record has the label KEY or KEY=VALUE."""
    labels = record.get("Labels")
    key, equals, value = wanted.partition("=")
    return isinstance(labels, dict) and key in labels and (not equals or labels[key] == value)


def matches(record: Json, filters: Filters, *, in_use: bool) -> bool:
    """Return whether a volume passes the filters."""
    if "name" in filters:
        from hyperbox.engine.listing_filters import search

        if not any(search(pattern, str(record["Name"])) for pattern in filters["name"]):
            return False
    if "driver" in filters and "local" not in filters["driver"]:
        return False
    if not all(has_label(record, label) for label in filters.get("label", ())):
        return False
    if "dangling" in filters:
        return (filters["dangling"][0].lower() in ("true", "1")) != in_use
    return True


def delete(roots: Roots, name: str) -> None:
    """Take a volume away in one step and remove its content."""
    sweep_asides(roots)
    aside = f"{roots.data}/volumes/.removing-{os.getpid()}-{os.urandom(6).hex()}"
    os.rename(folder(roots, name), aside)
    roots.reached("volume-removing")
    life_events.volume(roots, "destroy", name)
    files.remove_tree(aside)


def volume_remove(roots: Roots, name: str, *, force: bool = False) -> None:
    """See `engine.api.Engine.volume_remove`; with `force` one that is not there is no error."""
    os.makedirs(roots.data, 0o711, exist_ok=True)
    with lock(roots, shared=False):
        try:
            read(roots, name)
        except NotFound:
            if force:
                return
            raise
        holders = users(roots).get(name)
        if holders:
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(holders)}]")
        delete(roots, name)


def volume_move(roots: Roots, name: str, new: str, labels: dict[str, str]) -> None:
    """See `engine.api.Engine.volume_move`."""
    check_name(new)
    with lock(roots, shared=False):
        record = read(roots, name)
        holders = users(roots).get(name) if new != name else None
        if holders:
            raise Conflict(f"rename {name}: volume is in use - [{', '.join(holders)}]")
        if new != name:
            if os.path.lexists(folder(roots, new)):
                raise Conflict(f"rename {name}: there is a volume {new} already")
            os.rename(folder(roots, name), folder(roots, new))
            files.sync_folder(f"{roots.data}/volumes")
            roots.reached("volume-moved")
        files.write_json(f"{folder(roots, new)}/volume.json", {**record, "Name": new, "Labels": labels}, durable=True)
        roots.reached("volume-labelled")


def volume_prune(roots: Roots, filters: Filters | None = None) -> Json:
    """See `engine.api.Engine.volume_prune`."""
    from hyperbox.engine.sizes import folder_size
    from hyperbox.go.text import parse_bool

    wanted = dict(filters or {})
    check_filters(wanted, ("all", "label", "label!"))
    try:
        everything = parse_bool(wanted.pop("all", ["false"])[0])
    except ValueError as error:
        raise InvalidParameter(f"invalid filter 'all': {error}") from None
    unwanted = wanted.pop("label!", [])
    deleted: list[str] = []
    freed = 0
    with lock(roots, shared=False):
        used = users(roots)
        for name in sorted(names(roots)):
            try:
                record = read(roots, name)
            except (NotFound, ValueError):
                continue
            anonymous = has_label(record, ANONYMOUS)
            if record.get("Options"):  # what lies elsewhere is never pruned
                continue
            if name in used or not (everything or anonymous) or not matches(record, wanted, in_use=False):
                continue
            if any(has_label(record, label) for label in unwanted):
                continue
            freed += folder_size(mountpoint(roots, name))
            delete(roots, name)
            deleted.append(name)
    life_events.pruned(roots, "volume", freed)
    return {"VolumesDeleted": deleted or None, "SpaceReclaimed": freed}


# --- a container's ------------------------------------------------------------------------------------------------------------
def points(container: Container) -> list[Json]:
    """Return a container's mount points as its record has them, our own notes included."""
    value = container.record.get("Mounts")
    return [point for point in value if isinstance(point, dict)] if isinstance(value, list) else []


def mount_points(roots: Roots, container: Container) -> list[Json]:
    """Return a container's mount points as the API shows them."""
    return [{key: point[key] for key in POINT_KEYS if key in point} for point in points(container)]


def prepare_mounts(roots: Roots, container: Container) -> list[Json]:
    """Return the OCI mounts of a container that is about to start; sources are made and filled. See `engine.mounts`."""
    if not points(container) and not container.host_config.get("Tmpfs"):
        return []
    from hyperbox.engine.mounts import oci_mounts

    return oci_mounts(roots, container)


def release_volumes(roots: Roots, container: Container, *, remove: bool) -> None:
    """Let go of a removed container's volumes; `remove`: its anonymous ones go, unless others use them. Idempotent."""
    own = {str(point["Name"]) for point in points(container) if point.get("Anonymous")}
    if not remove or not own:
        return
    with lock(roots, shared=False):
        used = users(roots)
        for name in own:
            if name not in used and os.path.isdir(folder(roots, name)):
                delete(roots, name)
