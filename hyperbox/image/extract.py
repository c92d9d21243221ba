"""A layer's tar into a folder that overlayfs can use as it is.

The work is done by a child process that has changed its root to that folder: whatever a name or a link in an untrusted archive says, it can't lead
outside. Whiteouts become overlayfs's own form (a character device 0/0; the attribute trusted.overlay.opaque).
See the OCI image layer specification and the kernel's Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from typing import cast

from hyperbox import process
from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, BinaryIO

CHUNK = 1 << 18
MAXIMUM_ENTRIES = 5_000_000
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


class Decompressed:
    """Reads a plain, gzip or zstd stream as plain bytes, and hashes what it gives (the diff id)."""

    def __init__(self, raw: BinaryIO, *, limit: int) -> None:
        self.raw = raw
        self.hash = hashlib.sha256()
        self.size = 0
        self.limit = limit
        head = raw.read(6)
        self.pending = [head]
        self.reader = self._reader(head)
        self.buffer = b""

    def _reader(self, head: bytes) -> object:
        if head[:2] == b"\x1f\x8b":
            self.inflate = zlib.decompressobj(31)
            return self._gzip
        if head[:4] == b"\x28\xb5\x2f\xfd":
            import zstandard

            chained = _Chained(head, self.raw)
            self.zstd = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
                cast("IO[bytes]", chained), read_across_frames=True
            )
            return lambda: self.zstd.read(CHUNK)
        if head[:6] == b"\xfd7zXZ\x00" or head[:3] == b"BZh":
            raise EngineError("unsupported layer compression: only gzip, zstd and plain tar are read")
        return self._plain

    def _raw(self) -> bytes:
        return self.pending.pop() if self.pending else self.raw.read(CHUNK)

    def _plain(self) -> bytes:
        return self._raw()

    def _gzip(self) -> bytes:
        while True:
            if self.inflate.unconsumed_tail:
                data = self.inflate.unconsumed_tail
            else:
                data = self._raw()
                if not data:
                    if not self.inflate.eof:
                        raise EngineError("unexpected EOF")
                    return b""
            if self.inflate.eof:  # several members one after another
                data = self.inflate.unused_data + data
                if not data.strip(b"\0"):
                    return b""
                self.inflate = zlib.decompressobj(31)
            try:
                out = self.inflate.decompress(data, 1 << 20)
            except zlib.error as error:
                raise EngineError(f"gzip: invalid data: {error}") from None
            if self.inflate.eof and self.inflate.unused_data:
                rest = self.inflate.unused_data
                self.pending.append(rest)
                self.inflate = _Fresh(self.inflate)  # type: ignore[assignment]
            if out:
                return out

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` plain bytes, fewer only at the end."""
        while size < 0 or len(self.buffer) < size:
            chunk: bytes = self.reader()  # type: ignore[operator]
            if not chunk:
                break
            self.hash.update(chunk)
            self.size += len(chunk)
            if self.size > self.limit:
                raise EngineError(f"layer is larger than {self.limit} bytes when unpacked")
            self.buffer += chunk
        if size < 0:
            size = len(self.buffer)
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def drain(self) -> str:
        """Read to the end and return the digest of all plain bytes."""
        self.buffer = b""
        while chunk := self.reader():  # type: ignore[operator]
            self.hash.update(chunk)
            self.size += len(chunk)
            if self.size > self.limit:
                raise EngineError(f"layer is larger than {self.limit} bytes when unpacked")
        return f"sha256:{self.hash.hexdigest()}"


class _Fresh:
    """A finished gzip member's decompressor, waiting for the next member."""

    eof = True
    unconsumed_tail = b""
    unused_data = b""

    def __init__(self, old: object) -> None:
        del old


class _Chained:
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, raw: BinaryIO) -> None:
        self.head = head
        self.raw = raw

    def read(self, size: int = -1) -> bytes:
        if self.head:
            out, self.head = self.head, b""
            return out
        return self.raw.read(size)


def extract_layer(source: str, target: str, *, limit: int = 1 << 40, whiteouts: bool = True) -> tuple[str, int]:
    """Unpack the layer file `source` into the empty folder `target`; returns (diff id, bytes in its regular files).

    Raises EngineError with the reason (bad archive, no space, too large); the caller removes `target` then.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            with open(source, "rb", buffering=0) as raw:
                stream = Decompressed(raw, limit=limit)
                message = _in_child(stream, target, whiteouts)
            code = 0
        except BaseException as error:
            message = _reason(error)
        try:
            os.write(writer, message.encode("utf-8", "replace")[:4000])
        finally:
            os._exit(code)
    os.close(writer)
    answer = b""
    while chunk := os.read(reader, 4096):
        answer += chunk
    os.close(reader)
    if process.wait(pid) != 0:
        raise EngineError(f"failed to register layer: {answer.decode('utf-8', 'replace') or 'unpacking was killed'}")
    digest, size = answer.decode().split()
    return digest, int(size)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'write'}: {error.strerror.lower()}"
    if isinstance(error, tarfile.TarError):
        return f"archive/tar: {error}"
    return str(error) or type(error).__name__


def _in_child(stream: Decompressed, target: str, whiteouts: bool) -> str:
    "idna".encode("idna") if False else None  # codecs that tarfile needs are loaded before the root changes
    tarfile.TarInfo("x").tobuf(tarfile.PAX_FORMAT)
    os.umask(0)
    os.chdir(target)
    os.chroot(".")
    size = unpack(stream, whiteouts=whiteouts)
    return f"{stream.drain()} {size}"


def unpack(stream: object, *, whiteouts: bool, adapt: Callable[[tarfile.TarInfo], None] = lambda member: None) -> int:
    """Unpack a plain tar stream into the current root folder; returns the bytes in its regular files.

    `adapt` may change each entry's name, owner and the like first.

    Only for a process that has changed its root.
    """
    size = 0
    folders: list[tuple[str, float]] = []
    made: set[str] = {""}
    with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|", bufsize=CHUNK, errorlevel=2) as archive:
        for count, member in enumerate(archive):
            if count > MAXIMUM_ENTRIES:
                raise EngineError(f"more than {MAXIMUM_ENTRIES} entries in one layer")
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
            adapt(member)
            path = os.path.normpath("/" + member.name).lstrip("/")
            parent, _, name = path.rpartition("/")
            if parent not in made:
                os.makedirs("/" + parent, 0o755, exist_ok=True)
                made.add(parent)
            if whiteouts and name.startswith(WHITEOUT):
                _whiteout(parent, name)
                continue
            _entry(archive, member, "/" + path, folders)
            size += member.size if member.isreg() else 0
            if member.isdir():
                made.add(path)
            elif path in made:
                made.discard(path)
    for path, mtime in reversed(folders):
        try:
            os.utime(path, (mtime, mtime), follow_symlinks=False)
        except OSError:
            pass
    return size


def _whiteout(parent: str, name: str) -> None:
    folder = "/" + parent
    if name == OPAQUE:
        os.setxattr(folder, "trusted.overlay.opaque", b"y")
        return
    if name.startswith(".wh..wh."):  # AUFS bookkeeping
        return
    path = f"{folder}/{name[len(WHITEOUT) :]}"
    _clear(path)
    os.mknod(path, 0o600 | 0o020000, 0)


def _clear(path: str) -> None:
    """Remove what an earlier entry of the same archive put there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        import shutil

        shutil.rmtree(path)


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, folders: list[tuple[str, float]]) -> None:
    if member.isdir():
        _folder(member, path)
        folders.append((path, member.mtime))
        return
    if path == "/":
        return
    if member.isreg():
        _file(archive, member, path)
    elif member.issym():
        _clear(path)
        os.symlink(member.linkname, path)
    elif member.islnk():
        _clear(path)
        os.link(os.path.normpath("/" + member.linkname), path, follow_symlinks=False)
        return
    elif member.ischr() or member.isblk():
        _clear(path)
        os.mknod(
            path,
            (member.mode & 0o7777) | (0o020000 if member.ischr() else 0o060000),
            os.makedev(member.devmajor, member.devminor),
        )
    elif member.isfifo():
        _clear(path)
        os.mkfifo(path, member.mode & 0o7777)
    else:
        raise EngineError(f"unhandled tar entry type {member.type!r} for {member.name}")
    _attributes(member, path)
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)


def _folder(member: tarfile.TarInfo, path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if os.path.islink(path) or not os.path.isdir(path):
            _clear(path)
            os.mkdir(path, 0o755)
    _attributes(member, path)


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        _clear(path)
        descriptor = os.open(path, flags, 0o600)
    try:
        content = archive.extractfile(member)
        assert content is not None
        while chunk := content.read(CHUNK):
            if not chunk.strip(b"\0") and len(chunk) >= 4096:
                os.lseek(descriptor, len(chunk), os.SEEK_CUR)  # a hole instead of zeros
                continue
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
        os.ftruncate(descriptor, member.size)
    finally:
        os.close(descriptor)


def _attributes(member: tarfile.TarInfo, path: str) -> None:
    os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        os.chmod(path, member.mode & 0o7777)
    for name, value in member.pax_headers.items():
        if name.startswith("SCHILY.xattr."):
            attribute = name[13:]
            if attribute.startswith("trusted.overlay."):
                continue  # would speak to overlayfs itself
            try:
                os.setxattr(path, attribute, value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
            except OSError as error:
                if error.errno not in (95, 1):  # the file system has none of that kind
                    raise
