"""A layer's tar into a folder that overlayfs can use as it is.

The work is done by a child process that has changed its root to that folder: whatever a name or a link in an untrusted archive says, it can't lead
outside. Whiteouts become overlayfs's own form (a character device 0/0; the attribute trusted.overlay.opaque).
See the OCI image layer specification and the kernel's Documentation/filesystems/overlayfs.rst.

A file costs four system calls (open, write, utimensat, close); owner and mode are set again only where creating could not give them.
"""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.errors import EngineError
from hyperbox.image.decompress import Decompressed
from hyperbox.image.deep import Reach
from hyperbox.image.tar_reader import Entry, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAXIMUM_ENTRIES = 5_000_000
# bytes that the names of all folders may have, which are kept until the end
MAXIMUM_NAMES = 128 << 20
# characters of names of folders that are known to be there
KNOWN_NAMES = 8 << 20
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
# zeros from this many bytes on become a hole
HOLE = 1 << 16
SPECIAL_BITS = 0o7000


def extract_layer(
    source: str, target: str, *, digest: str = "", limit: int = 1 << 40, whiteouts: bool = True
) -> tuple[str, int]:
    """Unpack the layer file `source` into the empty folder `target`; returns (diff id, bytes in its regular files).

    `digest` is the file's own where that has been checked: a plain tar's diff id is the same and is not computed again. Raises EngineError
    with the reason (bad archive, no space, too large); the caller removes `target` then.
    """

    def work() -> str:
        with open(source, "rb", buffering=0) as raw:
            return _in_child(Decompressed(raw, limit=limit), target, whiteouts, digest)

    done, answer = process.in_child(work, _reason)
    if not done:
        raise EngineError(f"failed to register layer: {answer or 'unpacking was killed'}")
    diff_id, size = answer.split()
    return diff_id, int(size)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'write'}: {error.strerror.lower()}"
    return str(error) or type(error).__name__


def _in_child(stream: Decompressed, target: str, whiteouts: bool, digest: str) -> str:
    os.umask(0)
    os.chdir(target)
    os.chroot(".")
    if stream.plain and digest:
        stream.hashed = False
        return f"{digest} {Unpacker(stream.chunk, whiteouts=whiteouts).run()}"
    size = Unpacker(stream.chunk, whiteouts=whiteouts).run()
    return f"{stream.drain()} {size}"


def unpack(
    next_chunk: Callable[[], bytes],
    *,
    whiteouts: bool,
    adapt: Callable[[Entry], None] = lambda entry: None,
    reach: Reach | None = None,
) -> int:
    """Unpack a plain tar stream into the current root folder; returns the bytes in its regular files.

    `next_chunk` gives the stream piece by piece, b"" at its end; `adapt` may change each entry's name, owner and the like first; the
    `reach` is that of an `adapt` which looks at files, for there is one current folder.

    Only for a process that has changed its root and has no umask.
    """
    return Unpacker(next_chunk, whiteouts=whiteouts, adapt=adapt, reach=reach).run()


class Unpacker:
    """One archive on its way into the root folder. Remembers what it made, so that it asks the kernel as little as possible."""

    __slots__ = (
        "_adapt",
        "_exact",
        "_folders",
        "_gid",
        "_made",
        "_made_length",
        "_reach",
        "_reader",
        "_uid",
        "_whiteouts",
    )

    def __init__(
        self,
        next_chunk: Callable[[], bytes],
        *,
        whiteouts: bool,
        adapt: Callable[[Entry], None] = lambda entry: None,
        reach: Reach | None = None,
    ) -> None:
        self._reader = TarReader(next_chunk)
        self._whiteouts = whiteouts
        self._adapt = adapt
        self._reach = reach or Reach()
        self._folders = FolderTimes()
        # parents that are known to be there
        self._made: set[str] = {""}
        self._made_length = 0
        self._uid, self._gid = os.geteuid(), os.getegid()
        # whether what is made has the owner and mode that we make it with: not below a folder with the setgid bit or a default ACL,
        # of which there may be some where the root is not of our making
        self._exact = whiteouts

    def run(self) -> int:
        """Unpack everything and return the bytes in regular files. Raises EngineError, OSError; what was unpacked until then stays."""
        os.umask(0)
        size = 0
        for count, entry in enumerate(self._reader):
            if count > MAXIMUM_ENTRIES:
                raise EngineError(f"more than {MAXIMUM_ENTRIES} entries in one layer")
            self._adapt(entry)
            path = clean(entry.name)
            parent, _, name = path.rpartition("/")
            if parent not in self._made:
                self._parents(parent)
            if self._whiteouts and name.startswith(WHITEOUT):
                self._replaced(f"{parent}/{name[len(WHITEOUT) :]}".lstrip("/"))
                self._whiteout(parent, name)
                continue
            if entry.kind == "5":
                self._know(path)
            else:
                self._replaced(path)
            self._entry(entry, "/" + path)
            if entry.kind == "0":
                size += entry.size
            elif entry.kind == "2":
                size += len(os.fsencode(entry.linkname))
        self._folders.set(self._reach)
        return size

    def _know(self, folder: str) -> None:
        """Remember that a folder is there, among so many that their names stay small."""
        self._made_length += len(folder)
        if self._made_length > KNOWN_NAMES:
            self._made, self._made_length = {""}, len(folder)
        self._made.add(folder)

    def _forget(self) -> None:
        self._made, self._made_length = {""}, 0
        self._reach.forget()

    def _parents(self, path: str) -> None:
        """Make a folder that has no entry of its own (yet), and those above it."""
        missing: list[str] = []
        while path not in self._made:
            try:
                os.mkdir(self._reach.near("/" + path), 0o755)
            except FileNotFoundError:
                missing.append(path)
                path = path.rpartition("/")[0]
                continue
            except FileExistsError:
                if not os.path.isdir(self._reach.near("/" + path)):
                    raise
            self._know(path)
            break
        for folder in reversed(missing):
            os.mkdir(self._reach.near("/" + folder), 0o755)
            self._know(folder)

    def _replaced(self, path: str) -> None:
        """Know nothing any more of the folders below a path at which something else is made."""
        if path in self._made:
            self._forget()

    def _entry(self, entry: Entry, whole: str) -> None:
        kind = entry.kind
        path = self._reach.near(whole)
        if kind == "5":
            self._folder(entry, path)
            self._folders.add(whole, entry.mtime)
            return
        if path == "/":
            return
        if kind == "0":
            self._file(entry, path)
            return
        if kind not in "12346":
            raise EngineError(f"unhandled tar entry type {kind.encode('latin-1')!r} for {entry.name}")
        _clear(path)
        if kind == "1":
            self._reach.link(os.path.normpath("/" + entry.linkname), whole)
            path = self._reach.near(whole)
            if os.path.islink(path):
                return
        elif kind == "2":
            os.symlink(entry.linkname, path)
        elif kind == "6":
            os.mkfifo(path, entry.mode & 0o777)
        else:
            format_bits = 0o020000 if kind == "3" else 0o060000
            os.mknod(path, (entry.mode & 0o777) | format_bits, os.makedev(*entry.device))
        # a further name of a file says anew what the file is like, as with docker
        self._attributes(entry, path, there=kind == "1")
        os.utime(path, ns=(entry.mtime, entry.mtime), follow_symlinks=False)

    def _attributes(self, entry: Entry, target: str | int, *, there: bool = False) -> None:
        """Give the owner, the mode and the extended attributes to what was just made with the entry's permissions, or was `there`."""
        mode = entry.mode & 0o7777
        follow = isinstance(target, int)
        exact = self._exact and not there
        if not exact or entry.uid != self._uid or entry.gid != self._gid:
            os.chown(target, entry.uid, entry.gid, follow_symlinks=follow)
        if entry.kind != "2" and (not exact or mode & SPECIAL_BITS):  # after chown, which takes setuid away
            os.chmod(target, mode)
        for name, value in entry.xattrs.items():
            if name.startswith("trusted.overlay."):
                continue  # would speak to overlayfs itself
            self._exact = self._exact and not name.startswith("system.posix_acl")
            try:
                os.setxattr(target, name, value, follow_symlinks=follow)
            except OSError as error:
                if error.errno not in (95, 1):  # the file system has none of that kind
                    raise

    def _folder(self, entry: Entry, path: str) -> None:
        there = False
        try:
            os.mkdir(path, entry.mode & 0o777)
        except FileExistsError:
            there = not os.path.islink(path) and os.path.isdir(path)
            if not there:
                _clear(path)
                os.mkdir(path, entry.mode & 0o777)
                self._forget()
        self._attributes(entry, path, there=there)
        self._exact = self._exact and not entry.mode & 0o2000

    def _file(self, entry: Entry, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, entry.mode & 0o777)
        except FileExistsError:
            _clear(path)
            descriptor = os.open(path, flags, entry.mode & 0o777)
        try:
            if entry.spans is not None:
                for offset, piece in self._reader.sparse_content(entry):
                    os.lseek(descriptor, offset, os.SEEK_SET)
                    files.write_all(descriptor, piece)
                os.ftruncate(descriptor, entry.size)
            elif entry.size:
                _write_content(descriptor, self._reader.content(), entry.size)
            self._attributes(entry, descriptor)
            os.utime(descriptor, ns=(entry.mtime, entry.mtime))
        except OSError as error:
            if not isinstance(error.filename, str):
                error.filename = f"write {path}" if error.filename is None else path
            raise
        finally:
            os.close(descriptor)

    def _whiteout(self, parent: str, name: str) -> None:
        folder = "/" + parent
        if name == OPAQUE:
            os.setxattr(self._reach.near(folder), "trusted.overlay.opaque", b"y")
            return
        if name.startswith(".wh..wh."):  # AUFS bookkeeping
            return
        path = self._reach.near(f"{folder}/{name[len(WHITEOUT) :]}")
        _clear(path)
        os.mknod(path, 0o600 | 0o020000, 0)


class FolderTimes:
    """Times of folders, to be set when nothing is made in them any more; packed, for there may be a million."""

    __slots__ = ("_blocks", "_last", "_length", "_open")

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._open = bytearray()
        self._last = ""
        self._length = 0

    def add(self, path: str, time: int) -> None:
        """Remember a folder's time (nanoseconds). Raises EngineError where the names have become too much."""
        above = self._last  # of each path only that is kept in which it differs from the one before
        while above and not path.startswith(f"{above}/"):
            above = above.rpartition("/")[0]
        self._last = path
        record = b"%d\0%b\0%d\0" % (len(above), os.fsencode(path[len(above) :]), time)
        self._length += len(record)
        if self._length > MAXIMUM_NAMES:
            raise EngineError(f"more than {MAXIMUM_NAMES >> 20} MiB of names of folders in one layer")
        self._open += record
        if len(self._open) > 1 << 20:
            self._blocks.append(bytes(self._open))
            self._open.clear()

    def set(self, reach: Reach) -> None:
        """Set all; a folder that was given twice has the later time. What is gone is left out."""
        path = ""
        for block in (*self._blocks, bytes(self._open)):
            fields = block.split(b"\0")
            for above, rest, time in zip(fields[:-1:3], fields[1::3], fields[2::3], strict=True):
                path = path[: int(above)] + os.fsdecode(rest)
                try:
                    os.utime(reach.near(path), ns=(int(time), int(time)), follow_symlinks=False)
                except OSError:
                    pass


def clean(name: str) -> str:
    """Return an entry's name as a path below the root, without "." and "..", "" for the root itself."""
    name = name.removeprefix("./").strip("/")
    if "//" in name or "./" in name or name.startswith(".") or name.endswith("."):
        return os.path.normpath("/" + name).lstrip("/")
    return name


def is_hole(piece: memoryview) -> bool:
    """Return whether a piece of a file is a long stretch of zeros."""
    return len(piece) >= HOLE and not piece[0] and not piece[-1] and not piece.tobytes().strip(b"\0")


def _write_content(descriptor: int, pieces: Iterator[memoryview], size: int) -> None:
    """Write a file of `size` bytes, leaving holes for its long stretches of zeros."""
    hole = False
    for piece in pieces:
        hole = is_hole(piece)
        if hole:
            os.lseek(descriptor, len(piece), os.SEEK_CUR)
        else:
            files.write_all(descriptor, piece)
    if hole:
        os.ftruncate(descriptor, size)


def _clear(path: str) -> None:
    """Remove what an earlier entry of the same archive put there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        files.remove_tree(path)
