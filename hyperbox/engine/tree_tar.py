"""Trees as tars, in the order of names: what cp, export and commit write."""

from __future__ import annotations

import os
import stat

from hyperbox import files
from hyperbox.image.deep import Tree
from hyperbox.image.layer import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    from typing import Literal

CHUNK = 1 << 20
PAX_FORMAT: Literal[2] = 2  # tarfile's, which is not imported before it is needed
# so much is written at once: small files are many writes otherwise, and each wakes who reads
PIECE = 1 << 16


class TarStream:
    """A tar on its way to a descriptor. `length` is what was put so far, in bytes; `end` it."""

    __slots__ = ("_held", "_held_bytes", "_writer", "length")

    def __init__(self, writer: int) -> None:
        self._writer = writer
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.length = 0

    def put(self, data: bytes) -> None:
        """Write `data`, now or with others. Raises OSError."""
        self._held.append(data)
        self._held_bytes += len(data)
        self.length += len(data)
        if self._held_bytes >= PIECE:
            self._flush()

    def entry(self, member: tarfile.TarInfo) -> None:
        """Write an entry's header."""
        self.put(member.tobuf(PAX_FORMAT, "utf-8", "surrogateescape"))

    def content(self, path: str, size: int) -> None:
        """Write exactly `size` bytes of a file, and the padding; one that shrinks meanwhile is filled with zeros."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        left = size
        try:
            while left:
                chunk = os.read(descriptor, min(CHUNK, left)) or bytes(min(CHUNK, left))
                self.put(chunk)
                left -= len(chunk)
        finally:
            os.close(descriptor)
        if size % 512:
            self.put(bytes(-size % 512))

    def end(self) -> None:
        """Write the end of the tar and all that waits."""
        self.put(bytes(1024))
        self._flush()

    def _flush(self) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        files.write_all(self._writer, held[0] if len(held) == 1 else b"".join(held))


def header(path: str, name: str, status: os.stat_result, links: dict[tuple[int, int], str]) -> tarfile.TarInfo | None:
    """Return the tar header of one file, or None for what no tar holds (sockets)."""
    import tarfile

    kind = stat.S_IFMT(status.st_mode)
    if kind not in KINDS:
        return None
    member = tarfile.TarInfo(name + ("/" if kind == stat.S_IFDIR else ""))
    member.type, member.mode = KINDS[kind], stat.S_IMODE(status.st_mode)
    member.uid, member.gid, member.mtime = status.st_uid, status.st_gid, int(status.st_mtime)
    if kind == stat.S_IFLNK:
        member.linkname = os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        member.devmajor, member.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    elif kind == stat.S_IFREG:
        first = links.get((status.st_dev, status.st_ino)) if status.st_nlink > 1 else None
        if first is not None:
            member.type, member.linkname = tarfile.LNKTYPE, first
        else:
            member.size = status.st_size
            if status.st_nlink > 1:
                links[status.st_dev, status.st_ino] = name
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        extended: dict[str, str] = {}
        for attribute in os.listxattr(path, follow_symlinks=False):
            if attribute == "security.capability" or attribute.startswith("user."):
                value = os.getxattr(path, attribute, follow_symlinks=False)
                extended[f"SCHILY.xattr.{attribute}"] = value.decode("utf-8", "surrogateescape")
        member.pax_headers = extended
    return member


def write_tree(writer: int, path: str, name: str, *, one_device: bool = False) -> int:
    """Write a whole tar of `path`, its top entry called `name`, in the order of names; returns its length.

    For a process of its own, whose current folder it changes. `one_device`: nothing that is mounted in it, and no entry for itself.
    """
    tar = TarStream(writer)
    links: dict[tuple[int, int], str] = {}
    top = os.lstat(path)
    if name != "." or not one_device:
        _put(tar, path, name, top, links)
    if stat.S_ISDIR(top.st_mode):
        tree = Tree(path, current=True)
        before = "" if name == "." else f"{name}/"
        for entry in tree:
            _put(tar, entry.path, before + entry.name, entry.status, links)
            if one_device and entry.status.st_dev != top.st_dev:
                tree.skip()
    tar.end()
    return tar.length


def _put(tar: TarStream, path: str, name: str, status: os.stat_result, links: dict[tuple[int, int], str]) -> None:
    """Write an entry and what is in it."""
    member = header(path, name, status, links)
    if member is not None:
        tar.entry(member)
        if member.isreg():
            tar.content(path, member.size)
