"""A layer or an archive as plain bytes, whichever way it is compressed: gzip, zstd, bzip2, xz or not at all.

gzip is inflated by ISA-L (PyPI: isal) where that is installed, which took 0.21 s of CPU where zlib took 0.45 and zlib-ng 0.23 (93 MB of
Debian's /usr); by zlib elsewhere.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import cast

from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bz2 import BZ2Decompressor
    from collections.abc import Callable
    from lzma import LZMADecompressor
    from typing import IO, BinaryIO

CHUNK = 1 << 18
# what one read of the plain bytes gives at most
PLAIN_CHUNK = 1 << 20
# bytes that inflating xz may take: its strongest preset's need
XZ_MEMORY = 80 << 20


class Decompressed:
    """Reads a stream, compressed or not, as plain bytes, and hashes what it gives (the diff id) unless that is not wanted.

    Raises EngineError for broken data and for more than `limit` plain bytes.
    """

    def __init__(self, raw: BinaryIO, *, limit: int, hashed: bool = True) -> None:
        self.raw = raw
        self.hash = hashlib.sha256()
        self.hashed = hashed
        self.size = 0
        self.limit = limit
        head = raw.read(6)
        self.pending = [head] if head else []
        self.plain = False
        self.reader = self._reader(head)
        self.buffer = b""

    def _reader(self, head: bytes) -> object:
        if head[:2] == b"\x1f\x8b":
            self.new_inflate, self.inflate_errors = inflater()
            self.inflate = self.new_inflate(31)  # type: ignore[operator]
            return self._gzip
        if head[:4] == b"\x28\xb5\x2f\xfd":
            import zstandard

            chained = _Chained(head, self.raw)
            self.zstd = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
                cast("IO[bytes]", chained), read_across_frames=True
            )
            return lambda: self.zstd.read(CHUNK)
        if head[:6] == b"\xfd7zXZ\x00":
            import lzma

            return self._streams(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY), "xz")
        if head[:3] == b"BZh":
            import bz2

            return self._streams(bz2.BZ2Decompressor, "bzip2")
        self.plain = True
        return self._plain

    def _raw(self) -> bytes:
        return self.pending.pop() if self.pending else self.raw.read(CHUNK)

    def _plain(self) -> bytes:
        return self.pending.pop() if self.pending else self.raw.read(PLAIN_CHUNK)

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
                if not data.strip(b"\0"):
                    continue
                self.inflate = self.new_inflate(31)  # type: ignore[operator]
            try:
                out: bytes = self.inflate.decompress(data, PLAIN_CHUNK)
            except self.inflate_errors as error:
                raise EngineError(f"gzip: invalid data: {error}") from None
            if self.inflate.eof:
                if rest := self.inflate.unused_data:
                    self.pending.append(rest)
                self.inflate = _Ended()
            if out:
                return out

    def _streams(self, new: Callable[[], BZ2Decompressor | LZMADecompressor], kind: str) -> Callable[[], bytes]:
        """Return what reads one compressed stream after another."""
        from lzma import LZMAError

        present = new()
        begun = False

        def read() -> bytes:
            nonlocal present, begun
            while True:
                if present.eof:
                    if present.unused_data:
                        self.pending.append(present.unused_data)
                    present, begun = new(), False
                data = b""
                if present.needs_input:
                    data = self._raw()
                    if not data:
                        if begun:
                            raise EngineError("unexpected EOF")
                        return b""
                    data = data if begun else data.lstrip(b"\0")  # what may stand between two streams
                try:
                    out = present.decompress(data, PLAIN_CHUNK)
                except (OSError, LZMAError) as error:
                    raise EngineError(f"{kind}: invalid data: {error}") from None
                begun = begun or bool(data)
                if out:
                    return out

        return read

    def chunk(self) -> bytes:
        """Return the next plain bytes, as many as come at once; b"" at the end. Not to be mixed with `read`.

        Raises EngineError for data that is broken, or more than `limit` bytes.
        """
        data: bytes = self.reader()  # type: ignore[operator]
        if self.hashed:
            self.hash.update(data)
        self.size += len(data)
        if self.size > self.limit:
            raise EngineError(f"layer is larger than {self.limit} bytes when unpacked")
        return data

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` plain bytes, fewer only at the end. Raises EngineError as `chunk` does."""
        while size < 0 or len(self.buffer) < size:
            chunk = self.chunk()
            if not chunk:
                break
            self.buffer += chunk
        if size < 0:
            size = len(self.buffer)
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def drain(self) -> str:
        """Read to the end and return the digest of all plain bytes."""
        self.buffer = b""
        while self.chunk():
            pass
        return f"sha256:{self.hash.hexdigest()}"


def inflater() -> tuple[object, tuple[type[Exception], ...]]:
    """Return what makes an object that inflates, called as zlib.decompressobj is, and the errors that it raises."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj, (zlib.error,)
    return isal_zlib.decompressobj, (isal_zlib.error, zlib.error)  # type: ignore[return-value]


class _Ended:
    """A finished gzip member's decompressor, waiting for the next member."""

    eof = True
    unconsumed_tail = b""
    unused_data = b""


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
