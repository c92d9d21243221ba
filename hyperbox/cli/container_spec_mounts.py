"""-v, --mount, --tmpfs and --device as the Engine API's Binds, Volumes, Mounts, Tmpfs and Devices. The grammar has checked --mount."""

from __future__ import annotations

import os

from hyperbox.errors import HyperBoxError
from hyperbox.go.text import TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, object]

MODES = frozenset("rwm")


def volumes(words: list[str]) -> tuple[list[str], dict[str, object]]:
    """Return Binds and the anonymous Volumes of -v's words; a source that begins with "." is made absolute."""
    binds: list[str] = []
    anonymous: dict[str, object] = {}
    for word in dict.fromkeys(words):  # the same twice is once
        if not word:
            raise HyperBoxError("invalid empty volume spec")
        parts = word.split(":")
        if "" in parts:
            raise HyperBoxError(f"invalid spec: {word}: empty section between colons")
        if len(parts) == 1:
            anonymous[word] = {}
            continue
        if parts[0][0] == ".":
            parts[0] = os.path.abspath(parts[0])
        binds.append(":".join(parts))
    return binds, anonymous


def tmpfs(words: list[str]) -> dict[str, str]:
    """Return --tmpfs's words as path -> options."""
    output = {}
    for word in words:
        path, _, options = word.partition(":")
        output[path] = options
    return output


def _size(text: str) -> int:
    from hyperbox.go.units import parse_bytes

    return parse_bytes(text)


def _nested(mount: Json, key: str) -> Json:
    value = mount.setdefault(key, {})
    assert isinstance(value, dict)
    return value


def _put(group: str, name: str, convert: Callable[[str], object] = str) -> Callable[[Json, str], None]:
    """Return what stores a value under GROUP.NAME of a mount (or NAME itself, without a group)."""

    def put(mount: Json, value: str) -> None:
        (_nested(mount, group) if group else mount)[name] = convert(value)

    return put


def _truth(text: str) -> bool:
    return not text or text in TRUE


def _source(mount: Json, value: str) -> None:
    mount["Source"] = os.path.abspath(value) if value.startswith(".") else value


def _recursive(mount: Json, value: str) -> None:
    options = _nested(mount, "BindOptions")
    if value == "disabled":
        options["NonRecursive"] = True
    elif value == "writable":
        options["ReadOnlyNonRecursive"] = True
    elif value == "readonly":
        options["ReadOnlyForceRecursive"] = True


def _pair_of(group: str, name: str) -> Callable[[Json, str], None]:
    def put(mount: Json, value: str) -> None:
        key, _, text = value.partition("=")
        _nested(_nested(mount, group), name)[key] = text

    return put


def _driver(mount: Json, value: str) -> None:
    _nested(_nested(mount, "VolumeOptions"), "DriverConfig")["Name"] = value


def _driver_option(mount: Json, value: str) -> None:
    key, _, text = value.partition("=")
    _nested(_nested(_nested(mount, "VolumeOptions"), "DriverConfig"), "Options")[key] = text


MOUNT_FIELDS: dict[str, Callable[[Json, str], None]] = {
    "type": _put("", "Type", str.lower),
    "source": _source,
    "src": _source,
    "target": _put("", "Target"),
    "dst": _put("", "Target"),
    "destination": _put("", "Target"),
    "readonly": _put("", "ReadOnly", _truth),
    "ro": _put("", "ReadOnly", _truth),
    "consistency": _put("", "Consistency"),
    "bind-propagation": _put("BindOptions", "Propagation", str.lower),
    "bind-nonrecursive": _put("BindOptions", "NonRecursive", _truth),
    "bind-recursive": _recursive,
    "bind-create-src": _put("BindOptions", "CreateMountpoint", _truth),
    "volume-subpath": _put("VolumeOptions", "Subpath"),
    "volume-nocopy": _put("VolumeOptions", "NoCopy", _truth),
    "volume-label": _pair_of("VolumeOptions", "Labels"),
    "volume-driver": _driver,
    "volume-opt": _driver_option,
    "image-subpath": _put("ImageOptions", "Subpath"),
    "tmpfs-size": _put("TmpfsOptions", "SizeBytes", _size),
    "tmpfs-mode": _put("TmpfsOptions", "Mode", lambda text: int(text, 8)),
}


def mount(text: str) -> Json:
    """Return one --mount as the API's Mount."""
    from hyperbox.grammar.values import split_commas

    value: Json = {"Type": "volume"}
    for field in split_commas(text):
        key, _, word = field.partition("=")
        MOUNT_FIELDS[key.lower()](value, word)
    options = value.get("VolumeOptions")
    if isinstance(options, dict):
        options.setdefault("DriverConfig", {})
    return value


def is_cdi_name(text: str) -> bool:
    """Return whether a --device is no path but the qualified name of a CDI device, VENDOR/CLASS=NAME."""
    kind, equals, name = text.partition("=")
    vendor, slash, group = kind.partition("/")
    return bool(equals and slash and name and vendor[:1].isalnum() and group[:1].isalnum())


def gpu_request(text: str) -> Json:
    """Return the request of one --gpus, which `grammar.checks.check_gpus` has let pass."""
    from hyperbox.grammar.values import split_commas

    request: Json = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    counted = False
    for field in split_commas(text):
        key, equals, value = field.partition("=")
        if not equals or key == "count":
            count = value if equals else field
            request["Count"], counted = -1 if count == "all" else int(count), True
        elif key == "driver":
            request["Driver"] = value
        elif key == "device":
            request["DeviceIDs"] = value.split(",")
        elif key == "capabilities":
            request["Capabilities"] = [[*value.split(","), "gpu"]]
        else:
            pairs = (option.partition("=") for option in split_commas(value))
            request["Options"] = {name: given for name, _, given in pairs}
    if not counted and request["DeviceIDs"] is None:
        request["Count"] = 1
    return request


def device_requests(words: list[str]) -> list[Json]:
    """Return one request for all CDI names among the --device words."""
    names = [word for word in words if is_cdi_name(word)]
    request: Json = {"Driver": "cdi", "Count": 0, "DeviceIDs": names, "Capabilities": None, "Options": None}
    return [request] if names else []


def device(text: str) -> Json:
    """Return one --device, HOST[:CONTAINER[:PERMISSIONS]]. Raises HyperBoxError."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise HyperBoxError(f"bad format for path: {text}")
    inside, permissions = parts[0], "rwm"
    if len(parts) > 1:
        if len(parts) == 2 and parts[1] and MODES.issuperset(parts[1]):
            permissions = parts[1]
        else:
            inside = parts[1] or parts[0]
    if len(parts) == 3:
        permissions = parts[2]
    if not MODES.issuperset(permissions) or len(set(permissions)) < len(permissions):
        raise HyperBoxError(f"bad mode specified: {permissions}")
    if not inside.startswith("/"):
        raise HyperBoxError(f"{inside} is not an absolute path")
    return {"PathOnHost": parts[0], "PathInContainer": inside, "CgroupPermissions": permissions}
