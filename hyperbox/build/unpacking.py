"""ADD of an archive: recognized by its content, unpacked by a child that has changed its root to the destination."""

from __future__ import annotations

import os

from hyperbox import process
from hyperbox.build.jobs import JobFailed
from hyperbox.errors import HyperBoxError
from hyperbox.image.decompress import Decompressed
from hyperbox.image.extract import unpack
from hyperbox.image.tar_reader import Entry, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    NextChunk = Callable[[], bytes]

LIMIT = 1 << 40  # bytes when unpacked
CHUNK = 1 << 18


def bounded(file: IO[bytes]) -> NextChunk:
    """Return a function that gives a decompressing file piece by piece, up to a limit."""
    left = LIMIT

    def chunk() -> bytes:
        nonlocal left
        data = file.read(CHUNK)
        left -= len(data)
        if left < 0:
            raise JobFailed(f"archive is larger than {LIMIT} bytes when unpacked")
        return data

    return chunk


def plain_stream(descriptor: int) -> NextChunk:
    """Return what gives the bytes of a file from its beginning, decompressed where it is gzip, bzip2, xz or zstd."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    head = os.pread(descriptor, 6, 0)
    file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
    if head.startswith(b"BZh"):
        import bz2

        return bounded(bz2.BZ2File(file))
    if head.startswith(b"\xfd7zXZ\x00"):
        import lzma

        return bounded(lzma.LZMAFile(file))
    return Decompressed(file, limit=LIMIT, hashed=False).chunk


def is_archive(descriptor: int) -> bool:
    """Return whether a file is a tar, compressed or not: its first header can be read."""
    try:
        return next(iter(TarReader(plain_stream(descriptor))), None) is not None
    except (HyperBoxError, OSError, EOFError, ValueError):
        return False
    except Exception as error:  # the decompressors' own errors
        if type(error).__module__ in ("zstandard", "_lzma", "zlib", "lzma", "isal.isal_zlib"):
            return False
        raise


def unpack_into(descriptor: int, folder: int, owner: tuple[int, int] | None) -> None:
    """Unpack an archive into the folder behind a descriptor. Raises JobFailed with the reason."""

    def work() -> str:
        _in_child(descriptor, folder, owner)
        return ""

    done, answer = process.in_child(work, lambda error: str(error) or type(error).__name__)
    if not done:
        raise JobFailed(answer or "unpacking was killed")


def _in_child(descriptor: int, folder: int, owner: tuple[int, int] | None) -> None:
    next_chunk = plain_stream(descriptor)

    def adapt(entry: Entry) -> None:
        if os.path.normpath(entry.name.lstrip("/")).startswith(".."):
            raise JobFailed(f'invalid entry name "{entry.name}"')
        if owner is not None:
            entry.uid, entry.gid = owner
        entry.xattrs = {name: value for name, value in entry.xattrs.items() if name == "security.capability"}

    os.umask(0)
    os.fchdir(folder)
    os.chroot(".")
    unpack(next_chunk, whiteouts=False, adapt=adapt)
