"""An overlay folder as a layer's tar: the same bytes for the same folder, every time.

Marks of overlayfs become the whiteouts of the OCI image layer specification. Since the tar can be made again from the folder, a layer that was
built here needs no blob until somebody asks for one (`ingest.ensure_blob`). Times are whole seconds, entries are in the order of their names.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile

from hyperbox.image.deep import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 20
KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
OPAQUE = ".wh..wh..opq"
KEPT_ATTRIBUTES = ("user.", "security.capability")


def is_whiteout(status: os.stat_result) -> bool:
    """Return whether a file is overlayfs's mark of a removed one."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path: str) -> bool:
    """Return whether a folder hides what lies below it."""
    try:
        return os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


class Written:
    """What one pass over a folder has seen: bytes in regular files, and the names of files with several links."""

    __slots__ = ("links", "size")

    def __init__(self) -> None:
        self.size = 0
        self.links: dict[tuple[int, int], str] = {}


def layer_chunks(folder: str, *, newest: int | None = None, written: Written | None = None) -> Iterator[bytes]:
    """Yield the tar of an overlay's upper folder (the folder itself left out). Times after `newest` (seconds) become `newest`.

    Raises OSError; ValueError for a file that shrinks meanwhile.
    """
    seen = Written() if written is None else written
    for entry in Tree(folder):
        name, path = entry.name, entry.path
        if is_whiteout(entry.status):
            yield _mark(f"{name[: len(name) - len(entry.last)]}.wh.{entry.last}")
            continue
        member = _member(path, name, entry.status, seen, newest)
        if member is None:
            continue
        yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if member.type == tarfile.REGTYPE and member.size:
            seen.size += member.size
            yield from _content(path, member.size)
        elif member.type == tarfile.SYMTYPE:
            seen.size += len(os.fsencode(member.linkname))
        elif member.type == tarfile.DIRTYPE and is_opaque(path):
            yield _mark(f"{name}/{OPAQUE}")
    yield bytes(1024)


def _mark(name: str) -> bytes:
    return tarfile.TarInfo(name).tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _member(path: str, name: str, status: os.stat_result, seen: Written, newest: int | None) -> tarfile.TarInfo | None:
    kind = stat.S_IFMT(status.st_mode)
    if kind not in KINDS:
        return None  # a socket: no tar holds it
    member = tarfile.TarInfo(f"{name}/" if kind == stat.S_IFDIR else name)
    member.type, member.mode = KINDS[kind], stat.S_IMODE(status.st_mode)
    member.uid, member.gid = status.st_uid, status.st_gid
    member.mtime = int(status.st_mtime) if newest is None else min(int(status.st_mtime), newest)
    if kind == stat.S_IFLNK:
        member.linkname = os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        member.devmajor, member.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    elif kind == stat.S_IFREG:
        first = seen.links.get((status.st_dev, status.st_ino)) if status.st_nlink > 1 else None
        if first is not None:
            member.type, member.linkname = tarfile.LNKTYPE, first
            return member
        if status.st_nlink > 1:
            seen.links[status.st_dev, status.st_ino] = name
        member.size = status.st_size
    member.pax_headers = {
        f"SCHILY.xattr.{name}": os.getxattr(path, name, follow_symlinks=False).decode("utf-8", "surrogateescape")
        for name in os.listxattr(path, follow_symlinks=False)
        if name.startswith(KEPT_ATTRIBUTES)
    }
    return member


def _content(path: str, size: int) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    left = size
    try:
        while left:
            chunk = os.read(descriptor, min(CHUNK, left))
            if not chunk:
                raise ValueError(f"{path} became shorter while it was read")
            yield chunk
            left -= len(chunk)
    finally:
        os.close(descriptor)
    if size % 512:
        yield bytes(-size % 512)


def measure_layer(folder: str, *, newest: int | None = None) -> tuple[str, int, int]:
    """Return (diff id, bytes of the tar, bytes in its regular files) of an overlay folder."""
    seen = Written()
    hasher, length = hashlib.sha256(), 0
    for chunk in layer_chunks(folder, newest=newest, written=seen):
        hasher.update(chunk)
        length += len(chunk)
    return f"sha256:{hasher.hexdigest()}", length, seen.size


def write_layer(folder: str, write: Callable[[bytes], object], *, newest: int | None = None) -> None:
    """Give the layer's tar to `write`, piece by piece."""
    for chunk in layer_chunks(folder, newest=newest):
        write(chunk)
