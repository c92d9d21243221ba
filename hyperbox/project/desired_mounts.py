"""The mounts of a service's container: volumes, tmpfs, and the files of configs and secrets."""

from __future__ import annotations

from collections.abc import Mapping
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
    kind, source, target = str(row.get("type")), str(row.get("source") or ""), str(row.get("target"))
    read_only = row.get("read_only") is True
    if kind == "tmpfs":
        options = row.get("tmpfs")
        mounts.append(
            {
                "Type": "tmpfs",
                "Target": target,
                "TmpfsOptions": _tmpfs(options if isinstance(options, dict) else {}),
                "ReadOnly": read_only,
            }
        )
    elif kind == "bind":
        _bind(row, source, target, read_only, binds, mounts)
    elif kind == "volume":
        _named(desired, service, row, source, target, read_only, binds, mounts, inherited)
    elif kind == "image":
        raise ComposeError(f"services.{service.name}.volumes: type image is not supported")
    else:
        raise ComposeError(f"services.{service.name}.volumes: type {kind} is not supported")


def _tmpfs(options: Json) -> Json:
    result: Json = {}
    if options.get("size"):
        result["SizeBytes"] = number(options["size"], 0)
    if options.get("mode"):
        result["Mode"] = number(options["mode"], 0)
    return result


def _bind(row: Json, source: str, target: str, read_only: bool, binds: list[str], mounts: list[Json]) -> None:
    options = row.get("bind")
    bind = options if isinstance(options, dict) else {}
    if bind.get("create_host_path", True) is not False and not bind.get("recursive"):
        words = ["ro" if read_only else "rw"]
        words += [str(bind[key]) for key in ("propagation", "selinux") if bind.get(key)]
        binds.append(f"{source}:{target}:{','.join(words)}")
        return
    result: Json = {}
    if bind.get("propagation"):
        result["Propagation"] = bind["propagation"]
    if bind.get("recursive"):
        result.update(
            {
                "disabled": {"NonRecursive": True},
                "writable": {"ReadOnlyNonRecursive": True},
                "readonly": {"ReadOnlyForceRecursive": True},
            }.get(str(bind["recursive"]), {})
        )
    mounts.append({"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only, "BindOptions": result})


def _named(
    desired: Desired,
    service: ServiceWish,
    row: Json,
    source: str,
    target: str,
    read_only: bool,
    binds: list[str],
    mounts: list[Json],
    inherited: Mapping[str, str],
) -> None:
    options = row.get("volume")
    volume = options if isinstance(options, dict) else {}
    if not source:
        mount: Json = {"Type": "volume", "Target": target, "ReadOnly": read_only, "VolumeOptions": {}}
        if target in inherited:
            mount["Source"] = inherited[target]
        mounts.append(mount)
        return
    wish = desired.volumes.get(source)
    if wish is None:
        raise ComposeError(f'service "{service.name}" refers to undefined volume {source}: invalid compose project')
    if volume.get("subpath"):
        extra: Json = {"Subpath": volume["subpath"], "NoCopy": volume.get("nocopy") is True}
        mounts.append(
            {"Type": "volume", "Source": wish.name, "Target": target, "ReadOnly": read_only, "VolumeOptions": extra}
        )
        return
    words = ["ro" if read_only else "rw", *(["nocopy"] if volume.get("nocopy") else [])]
    binds.append(f"{wish.name}:{target}:{','.join(words)}")


def _files(desired: Desired, service: ServiceWish, mounts: list[Json]) -> list[FileWish]:
    """Return the configs and secrets whose content is given (environment, content); those that are files become bind mounts."""
    assert desired.project is not None
    files: list[FileWish] = []
    for kind, defined, folder in (
        ("secrets", desired.project.secrets, "/run/secrets/"),
        ("configs", desired.project.configs, "/"),
    ):
        rows = service.definition.get(kind)
        for row in rows if isinstance(rows, list) else []:
            source = str(row.get("source"))
            found = defined.get(source)
            if found is None:
                raise ComposeError(
                    f'service "{service.name}" refers to undefined {kind[:-1]} {source}: invalid compose project'
                )
            if found.get("external"):
                raise ComposeError(f"unsupported external {kind[:-1]} {found.get('name') or source}")
            target = str(row.get("target") or source)
            target = target if target.startswith("/") else folder + target
            owner = {key: str(row[key]) for key in ("uid", "gid", "mode") if row.get(key) is not None}
            if found.get("file"):  # docker compose ignores uid, gid and mode of a file as well: it is mounted as it is
                mounts.append(
                    {"Type": "bind", "Source": found["file"], "Target": target, "ReadOnly": True, "BindOptions": {}}
                )
            else:
                mode = int(owner.get("mode", "0444"), 8)
                content = str(found.get("content", ""))
                files.append(FileWish(target, content, mode, number(owner.get("uid"), 0), number(owner.get("gid"), 0)))
    return files


def _volumes_from(desired: Desired, service: ServiceWish, host: Json, container_ids: Mapping[str, str]) -> None:
    rows = service.definition.get("volumes_from")
    names = []
    for text in rows if isinstance(rows, list) else []:
        if str(text).startswith("container:"):
            name, colon, mode = str(text).removeprefix("container:").partition(":")
            names.append(f"{desired.real('container', name)}{colon}{mode}")
            continue
        other, colon, mode = str(text).partition(":")
        if other not in container_ids:
            raise ComposeError(f'services.{service.name}.volumes_from: service "{other}" has no container')
        names.append(f"{container_ids[other]}{colon}{mode}")
    if names:
        host["VolumesFrom"] = names
