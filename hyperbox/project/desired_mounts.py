"""The mounts of a service's container: volumes, tmpfs, and the files of configs and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from hyperbox.compose.model import Json
from hyperbox.errors import ComposeError
from hyperbox.project.desired import Desired, ServiceWish, number


class FileWish(NamedTuple):
    """A file with given content that is put into a container before it starts: a config or secret that is no file on the host."""

    target: str
    content: str
    mode: int
    uid: int
    gid: int


def add_mounts(
    desired: Desired,
    service: ServiceWish,
    host: Json,
    inherited: Mapping[str, str],
    container_ids: Mapping[str, str],
) -> list[FileWish]:
    """Fill Binds, Mounts, Tmpfs and VolumesFrom, anonymous volumes carried over from the container that is replaced; returns the files to put in."""
    binds: list[str] = []
    mounts: list[Json] = []
    volumes = service.definition.get("volumes")
    targets = set()
    for row in volumes if isinstance(volumes, list) else []:
        targets.add(str(row.get("target")))
        _volume(desired, service, row, binds, mounts, inherited)
    for target, name in inherited.items():
        if target not in targets:  # made for a VOLUME of the image
            mounts.append({"Type": "volume", "Source": name, "Target": target})
    files = _files(desired, service, mounts)
    if binds:
        host["Binds"] = binds
    if mounts:
        host["Mounts"] = mounts
    tmpfs = service.definition.get("tmpfs")
    if tmpfs:
        rows = [str(text).partition(":") for text in (tmpfs if isinstance(tmpfs, list) else [tmpfs])]
        host["Tmpfs"] = {path: options for path, _, options in rows}
    _volumes_from(desired, service, host, container_ids)
    return files


def _volume(
    desired: Desired,
    service: ServiceWish,
    row: Json,
    binds: list[str],
    mounts: list[Json],
    inherited: Mapping[str, str],
) -> None:
    """Add one volume. As docker compose has it, binds and named volumes without anything special are Binds, all else Mounts."""
    kind, source, target = str(row.get("type")), str(row.get("source") or ""), str(row.get("target"))
    options = row.get(kind)
    extra = options if isinstance(options, dict) else None
    mode = "ro" if row.get("read_only") is True else "rw"
    mount: Json = {"Type": kind, "Target": target}
    if source:
        mount["Source"] = source
    if kind == "bind" and not _needs_mount(extra):
        labels = [str(extra["selinux"])] if extra and extra.get("selinux") else []
        binds.append(f"{source}:{target}:{','.join([mode, *labels])}")
        return
    if kind == "volume" and source:
        wish = desired.volumes.get(source)  # none of what `run --volume` names: it is the engine's own then
        if wish is not None and not (extra and (extra.get("labels") or extra.get("nocopy") or extra.get("subpath"))):
            binds.append(f"{wish.name}:{target}:{mode}")
            return
        mount["Source"] = source if wish is None else wish.name
    elif kind == "volume" and target in inherited:
        mount["Source"] = inherited[target]
    if mode == "ro":
        mount["ReadOnly"] = True
    if extra is not None and kind in OPTIONS:
        mount[OPTIONS[kind][0]] = OPTIONS[kind][1](extra)
    mounts.append(mount)


def _needs_mount(bind: Json | None) -> bool:
    """Return whether a bind says something that can't be said among Binds: a source that is not to be made, propagation, recursion."""
    return bind is not None and not (
        bind.get("create_host_path") is True and not bind.get("propagation") and not bind.get("recursive")
    )


def _bind_options(bind: Json) -> Json:
    result: Json = {}
    if bind.get("propagation"):
        result["Propagation"] = bind["propagation"]
    result.update(RECURSIVE.get(str(bind.get("recursive") or ""), {}))
    if bind.get("create_host_path") is True:
        result["CreateMountpoint"] = True
    return result


def _volume_options(volume: Json) -> Json:
    result: Json = {}
    if volume.get("nocopy") is True:
        result["NoCopy"] = True
    labels = volume.get("labels")
    if isinstance(labels, dict) and labels:
        result["Labels"] = {str(key): str(value) for key, value in labels.items()}
    if volume.get("subpath"):
        result["Subpath"] = volume["subpath"]
    return result


def _tmpfs_options(tmpfs: Json) -> Json:
    names = {"size": "SizeBytes", "mode": "Mode"}
    return {names[key]: number(tmpfs[key], 0) for key in names if tmpfs.get(key)}


def _image_options(image: Json) -> Json:
    return {"Subpath": image["subpath"]} if image.get("subpath") else {}


RECURSIVE: dict[str, Json] = {
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}
# type of a volume -> (name in the Engine API, conversion)
OPTIONS: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "bind": ("BindOptions", _bind_options),
    "image": ("ImageOptions", _image_options),
    "tmpfs": ("TmpfsOptions", _tmpfs_options),
    "volume": ("VolumeOptions", _volume_options),
}


def _files(desired: Desired, service: ServiceWish, mounts: list[Json]) -> list[FileWish]:
    """Return the configs and secrets whose content is given (environment, content); those that are files become bind mounts."""
    for kind, row, found in _wanted(desired, service):
        source = row.get("source")
        if found is None:
            raise ComposeError(
                f'service "{service.name}" refers to undefined {kind[:-1]} {source}: invalid compose project'
            )
        if found.get("external"):
            raise ComposeError(f"unsupported external {kind[:-1]} {found.get('name') or source}")
        if found.get("file"):  # docker compose ignores uid, gid and mode of a file as well: it is mounted as it is
            mount: Json = {"Type": "bind", "Source": found["file"], "Target": _target(kind, row), "ReadOnly": True}
            mounts.append({**mount, "BindOptions": {}} if kind == "secrets" else mount)
    return list(given_files(desired, service))


def given_files(desired: Desired, service: ServiceWish) -> tuple[FileWish, ...]:
    """Return the configs and secrets whose content is given: each start of one of the service's containers puts them in."""
    return tuple(
        _file_wish(row, _target(kind, row), str(found["content"]))
        for kind, row, found in _wanted(desired, service)
        # docker compose makes no file of nothing
        if found and found.get("content") and not found.get("file") and not found.get("external")
    )


def _wanted(desired: Desired, service: ServiceWish) -> Iterator[tuple[str, Json, Json | None]]:
    """Yield the secrets and configs of a service: "secrets" | "configs", its row, and what the project says of it."""
    if desired.project is None:
        return
    for kind, defined in (("secrets", desired.project.secrets), ("configs", desired.project.configs)):
        rows = service.definition.get(kind)
        for row in rows if isinstance(rows, list) else []:
            yield kind, row, defined.get(str(row.get("source")))


def _target(kind: str, row: Json) -> str:
    """Return the path of a secret or config in its container."""
    target = str(row.get("target") or row.get("source"))
    return target if target.startswith("/") else {"secrets": "/run/secrets/", "configs": "/"}[kind] + target


def _file_wish(row: Json, target: str, content: str) -> FileWish:
    owner = {key: str(row[key]) for key in ("uid", "gid", "mode") if row.get(key) is not None}
    mode = int(owner.get("mode", "0444"), 8)
    return FileWish(target, content, mode, number(owner.get("uid"), 0), number(owner.get("gid"), 0))


def ignored_owners(desired: Desired, service: ServiceWish) -> tuple[str, ...]:
    """Return what is to be said of configs and secrets that are files: they are mounted as they are, whatever owner and mode are asked for."""
    assert desired.project is not None
    said = []
    for kind, word, defined in (
        ("secrets", "secrets", desired.project.secrets),
        ("configs", "config", desired.project.configs),
    ):
        rows = service.definition.get(kind)
        for row in rows if isinstance(rows, list) else []:
            found = defined.get(str(row.get("source"))) or {}
            if found.get("file") and any(row.get(key) is not None for key in ("uid", "gid", "mode")):
                said.append(f"{word} `uid`, `gid` and `mode` are not supported, they will be ignored")
    return tuple(said)


def _volumes_from(desired: Desired, service: ServiceWish, host: Json, container_ids: Mapping[str, str]) -> None:
    rows = service.definition.get("volumes_from")
    names = []
    for text in rows if isinstance(rows, list) else []:
        if str(text).startswith("container:"):
            name, colon, mode = str(text).removeprefix("container:").partition(":")
            names.append(f"{desired.real('container', name)}{colon}{mode}")
            continue
        other = str(text).partition(":")[0]
        if other not in container_ids:
            raise ComposeError(f'services.{service.name}.volumes_from: service "{other}" has no container')
        names.append(container_ids[other])  # docker compose forgets the mode of a service's volumes
    if names:
        host["VolumesFrom"] = names
