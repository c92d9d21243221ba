"""From a container's Binds, Mounts, Volumes, VolumesFrom and Tmpfs to its mount points, and from those to OCI mounts.

A mount point has the API's keys, and of our own: Anonymous (the volume goes with the container), NoCopy, Subpath, Options (of the OCI
mount), Create (a missing source is made).
"""

from __future__ import annotations

import os

from hyperbox.engine import rootfs, volumes
from hyperbox.errors import EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]

PROPAGATIONS = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
MODES = PROPAGATIONS | {"ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated", ""}
TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev")
TMPFS_WORDS = (
    "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec noiversion nomand "
    "norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave runbindable rw shared silent slave "
    "strictatime suid sync unbindable"
)
TMPFS_FLAGS = frozenset(TMPFS_WORDS.split())
TMPFS_VALUES = frozenset({"mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol"})
TMPFS_OPPOSITES = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


# --- settling -----------------------------------------------------------------------------------------------------------------
def settle(roots: Roots, container: Container) -> list[Json]:
    """Return the mount points of a container that is being made; the volumes that it names are made where they are missing.

    Call it with the volumes' lock held (shared). Raises InvalidParameter, NotFound with docker's words.
    """
    host = container.host_config
    found: dict[str, Json] = {}
    for text in _list(host.get("VolumesFrom")):
        for point in _inherited(roots, str(text)):
            found[str(point["Destination"])] = point
    own: set[str] = set()
    for point in [
        *(bind_point(str(text)) for text in _list(host.get("Binds"))),
        *(mount_point(_dict(value)) for value in _list(host.get("Mounts"))),
    ]:
        target = str(point["Destination"])
        if target in own:
            raise InvalidParameter(f"Duplicate mount point: {target}")
        own.add(target)
        found[target] = point
    for target in map(os.path.normpath, _dict(host.get("Tmpfs"))):
        if target in own:
            raise InvalidParameter(f"Duplicate mount point: {target}")
    for target in _dict(container.config.get("Volumes")):
        clean = os.path.normpath(target)
        if clean not in found and clean not in _dict(host.get("Tmpfs")):
            found[clean] = volume_point("", clean, "", writable=True)
    return [_with_volume(roots, point, container.id) for point in found.values()]


def _inherited(roots: Roots, text: str) -> list[Json]:
    from hyperbox.engine.state import find_container

    name, _, mode = text.partition(":")
    if mode not in ("", "ro", "rw", "z", "Z"):
        raise InvalidParameter(f"invalid mode: {mode}")
    points = volumes.points(find_container(roots, name))
    return [
        {**point, "RW": bool(point["RW"]) and mode != "ro", "Mode": "", "Anonymous": False, "NoCopy": True}
        for point in points
    ]


def volume_point(name: str, target: str, mode: str, *, writable: bool) -> Json:
    """Return the mount point of a volume, "" for an anonymous one."""
    return {
        "Type": "volume",
        "Name": name,
        "Source": "",
        "Destination": target,
        "Driver": "local",
        "Mode": mode,
        "RW": writable,
        "Propagation": "",
        "Anonymous": not name,
    }


def bind_point(text: str) -> Json:
    """Return the mount point of one of Binds, SOURCE:TARGET[:MODE]. Raises InvalidParameter with docker's words."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 3 or not parts[0] or not parts[1]:
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source, target = parts[0], parts[1]
    mode = parts[2] if len(parts) == 3 else ""
    words = mode.split(",")
    kind = "bind" if source[0] == "/" else "volume"
    if not MODES.issuperset(words) or ("ro" in words and "rw" in words):
        raise InvalidParameter(f"invalid mode: {mode}")
    if target[0] != "/":
        raise InvalidParameter(
            f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": invalid mount path: "
            f"'{target}' mount path must be absolute"
        )
    clean = os.path.normpath(target)
    if clean == "/":
        raise InvalidParameter(
            f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": "
            "invalid specification: destination can't be '/'"
        )
    writable = "ro" not in words
    if kind == "bind" and "nocopy" in words:
        raise InvalidParameter(
            f"invalid volume specification: '{text}': invalid mount config for type \"bind\": field VolumeOptions must not be specified"
        )
    if kind == "volume":
        volumes.check_name(source)
        return {**volume_point(source, clean, mode or "z", writable=writable), "NoCopy": "nocopy" in words}
    propagation = next((word for word in words if word in PROPAGATIONS), "rprivate")
    return {
        "Type": "bind",
        "Source": os.path.normpath(source),
        "Destination": clean,
        "Mode": mode,
        "RW": writable,
        "Propagation": propagation,
        "Create": True,
    }


def mount_point(mount: Json) -> Json:
    """Return the mount point of one of Mounts. Raises InvalidParameter with docker's words."""
    kind = str(mount.get("Type") or "")
    prefix = f'invalid mount config for type "{kind}": '
    target, source = str(mount.get("Target") or ""), str(mount.get("Source") or "")
    if kind not in ("bind", "volume", "tmpfs", "image"):
        raise InvalidParameter(prefix + "mount type unknown")
    if not target:
        raise InvalidParameter(prefix + "field Target must not be empty")
    if target[0] != "/":
        raise InvalidParameter(f"{prefix}invalid mount path: '{target}' mount path must be absolute")
    target = os.path.normpath(target)
    if target == "/":
        raise InvalidParameter(prefix + "invalid specification: destination can't be '/'")
    writable = not mount.get("ReadOnly")
    if kind == "volume":
        options = _dict(mount.get("VolumeOptions"))
        if source:
            volumes.check_name(source)
        subpath = str(options.get("Subpath") or "")
        check_subpath(prefix, subpath)
        if subpath and not source:
            raise InvalidParameter(f"{prefix}must not set Subpath when using anonymous volumes")
        point = volume_point(source, target, "z", writable=writable)
        driver = _dict(options.get("DriverConfig"))
        return {
            **point,
            "NoCopy": bool(options.get("NoCopy")),
            "Subpath": subpath,
            "Create": {
                "Labels": options.get("Labels"),
                "Driver": driver.get("Name"),
                "DriverOpts": driver.get("Options"),
            },
        }
    if kind == "image":
        if not source:
            raise InvalidParameter(prefix + "field Source must not be empty")
        subpath = str(_dict(mount.get("ImageOptions")).get("Subpath") or "")
        check_subpath(prefix, subpath)
        point = _tmpfs_point(target, False)
        return {**point, "Type": "image", "Name": source, "Propagation": "rprivate", "Subpath": subpath}
    if kind == "tmpfs":
        if source:
            raise InvalidParameter(prefix + "field Source must not be specified")
        return {**_tmpfs_point(target, writable), "Options": _tmpfs_mount_options(_dict(mount.get("TmpfsOptions")))}
    return _bind_mount(mount, prefix, source, target, writable=writable)


def check_subpath(prefix: str, subpath: str) -> None:
    """Raise InvalidParameter with docker's words for a path that is not inside."""
    if subpath.startswith("/") or os.path.normpath(subpath).split("/")[0] == "..":
        raise InvalidParameter(f"{prefix}subpath must be a relative path within the volume")


def _bind_mount(mount: Json, prefix: str, source: str, target: str, *, writable: bool) -> Json:
    options = _dict(mount.get("BindOptions"))
    if not source:
        raise InvalidParameter(prefix + "field Source must not be empty")
    if source[0] != "/":
        raise InvalidParameter(f"{prefix}invalid mount path: '{source}' mount path must be absolute")
    propagation = str(options.get("Propagation") or "rprivate")
    if propagation not in PROPAGATIONS:
        raise InvalidParameter(f"{prefix}invalid propagation mode: {propagation}")
    create = bool(options.get("CreateMountpoint"))
    if not create and not os.path.lexists(source):
        raise InvalidParameter(f"{prefix}bind source path does not exist: {source}")
    return {
        "Type": "bind",
        "Source": source,
        "Destination": target,
        "Mode": "",
        "RW": writable,
        "Propagation": propagation,
        "Create": create,
        "NonRecursive": bool(options.get("NonRecursive")),
        "ReadOnlyNonRecursive": bool(options.get("ReadOnlyNonRecursive")),
    }


def _tmpfs_point(target: str, writable: bool) -> Json:
    return {"Type": "tmpfs", "Source": "", "Destination": target, "Mode": "", "RW": writable, "Propagation": ""}


def _tmpfs_mount_options(options: Json) -> list[str]:
    output = list(TMPFS_DEFAULTS)
    if options.get("SizeBytes"):
        output.append(f"size={options['SizeBytes']}")
    mode = options.get("Mode")
    if isinstance(mode, int) and mode:
        output.append(f"mode={mode:o}")
    for pair in _list(options.get("Options")):
        words = [str(word) for word in _list(pair)]
        output.append("=".join(words))
    return output


def _with_volume(roots: Roots, point: Json, container_id: str) -> Json:
    """Return a mount point with its volume made, or its image found, and its source filled in."""
    if point["Type"] == "image":
        return _with_image(roots, point)
    if point["Type"] != "volume":
        return point
    name = str(point["Name"])
    if not name or not os.path.exists(f"{volumes.folder(roots, name)}/volume.json"):
        config = _dict(point.get("Create"))
        name = str(volumes.volume_create(roots, {**config, "Name": name}, made_for=container_id)["Name"])
    return {**point, "Name": name, "Source": volumes.mountpoint(roots, name)}


def _with_image(roots: Roots, point: Json) -> Json:
    """Return an image's mount point with the layers that are its content. Raises NotFound for an image that is not there."""
    from hyperbox.image.store import ImageStore

    store = ImageStore(f"{roots.data}/images")
    launch = store.launch(store.resolve(str(point["Name"])))
    layers = list(launch.lowerdirs)
    return {**point, "ImageID": launch.image_id, "Layers": layers, "Source": layers[0] if layers else ""}


# --- OCI mounts ---------------------------------------------------------------------------------------------------------------
def oci_mounts(roots: Roots, container: Container) -> list[Json]:
    """Return the OCI mounts of a container whose root is mounted; volumes are filled from the image, missing sources made.

    Call it in the monitor's mount namespace. Raises EngineError.
    """
    output = [oci_mount(roots, container, point) for point in volumes.points(container)]
    for target, options in _dict(container.host_config.get("Tmpfs")).items():
        output.append(_tmpfs(os.path.normpath(target), tmpfs_options(str(options or ""))))
    return output


def tmpfs_options(text: str) -> list[str]:
    """Return the options of one --tmpfs: docker's defaults, and what the user said."""
    given = [word for word in text.split(",") if word]
    for word in given:
        name, equals, _ = word.partition("=")
        if (name not in TMPFS_VALUES) if equals else (word not in TMPFS_FLAGS):
            raise InvalidParameter(f'invalid tmpfs option "{name}"')
    opposed = {TMPFS_OPPOSITES[word] for word in given if word in TMPFS_OPPOSITES}
    defaults = [word for word in TMPFS_DEFAULTS if word not in opposed and word not in given]
    return [*defaults, *given]


def _tmpfs(target: str, options: list[str]) -> Json:
    return {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options}


def oci_mount(roots: Roots, container: Container, point: Json) -> Json:
    """Return the OCI mount of one mount point. Raises EngineError."""
    target, writable = str(point["Destination"]), bool(point["RW"])
    if point["Type"] == "tmpfs":
        options = [str(word) for word in _list(point.get("Options"))]
        return _tmpfs(target, options if writable else [*options, "ro"])
    if point["Type"] == "image":
        return {
            "destination": target,
            "type": "bind",
            "source": _image_source(container, point),
            "options": ["rbind", "ro"],
        }
    if point["Type"] == "volume":
        source = _volume_source(roots, container, point)
        options = ["rbind", "rprivate"]
    else:
        source = str(point["Source"])
        if not os.path.lexists(source):
            if not point.get("Create"):
                raise InvalidParameter(
                    f'invalid mount config for type "bind": bind source path does not exist: {source}'
                )
            os.makedirs(source, 0o755, exist_ok=True)
        options = ["bind" if point.get("NonRecursive") else "rbind", str(point["Propagation"])]
    if not writable:
        flat = point.get("NonRecursive") or point.get("ReadOnlyNonRecursive") or not os.path.isdir(source)
        options += ["ro"] if flat else ["ro", "rro"]
    return {"destination": target, "type": "bind", "source": source, "options": options}


def _volume_source(roots: Roots, container: Container, point: Json) -> str:
    name = str(point["Name"])
    record = volumes.volume_create(roots, {"Name": name})  # made anew where somebody removed it by force
    source = volumes.mountpoint(roots, name)
    options = _dict(record.get("Options"))
    if options:
        _mount_driver_options(name, source, {str(key): str(value) for key, value in options.items()})
    if not point.get("NoCopy"):
        from hyperbox.engine.volume_copy import copy_up

        copy_up(volumes.folder(roots, name), f"{container.folder()}/merged", str(point["Destination"]))
    subpath = str(point.get("Subpath") or "")
    return _inside(source, subpath) if subpath else source


def _image_source(container: Container, point: Json) -> str:
    """Mount an image's layers, which nobody can write to, below the container's runtime folder; returns the folder to bind."""
    folder = f"{container.roots.container_run(container.id)}/image-{str(point['Destination']).replace('/', '%')}"
    os.makedirs(folder, 0o755, exist_ok=True)
    rootfs.mount_layers([str(layer) for layer in _list(point.get("Layers"))], folder)
    subpath = str(point.get("Subpath") or "")
    return _inside(folder, subpath) if subpath else folder


def _inside(source: str, subpath: str) -> str:
    """Return the path of a folder inside a volume; links in it can't lead out. Raises EngineError."""
    root = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = rootfs.open_in_root(root, subpath, os.O_PATH)
    except OSError as error:
        path = f"{source}/{subpath}"
        raise EngineError(
            f"cannot access path {path}: lstat {path}: {(error.strerror or str(error)).lower()}"
        ) from None
    finally:
        os.close(root)
    try:
        return os.readlink(f"/proc/self/fd/{found}")
    finally:
        os.close(found)


# words of mount(8)'s -o that are flags of mount(2)
FLAGS = {
    "ro": 1,
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "sync": 16,
    "noatime": 1024,
    "nodiratime": 2048,
    "bind": 4096,
    "rbind": 4096 | 16384,
    "relatime": 1 << 21,
    "rw": 0,
    "defaults": 0,
}


def _mount_driver_options(name: str, target: str, options: dict[str, str]) -> None:
    """Mount what the local driver's options type, o and device say, in this mount namespace. Raises EngineError."""
    from hyperbox.kernel import syscalls

    flags, data = 0, []
    for word in options.get("o", "").split(","):
        if word in FLAGS:
            flags |= FLAGS[word]
        elif word:
            data.append(word)
    device, kind = options.get("device", ""), options.get("type", "")
    if flags & syscalls.MS_BIND:
        kind = ""
    try:
        syscalls.mount(device, target, kind, flags, ",".join(data))
    except OSError as error:
        about = f"mount {device}:{target}" + (f", flags: {flags:#x}" if flags else "")
        about += f", data: {','.join(data)}" if data else ""
        raise EngineError(
            f"error while mounting volume '{target}': failed to mount local volume: {about}: {(error.strerror or str(error)).lower()}"
        ) from None
