"""Streams are told by their first bytes, read over several members, and broken ones are errors in any form."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable

import pytest
import zstandard

from hyperbox.errors import EngineError
from hyperbox.image.decompress import PLAIN_CHUNK, Decompressed

PACKERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "plain": bytes,
}
CONTENT = b"begin" + os.urandom(300_000) + bytes(3 << 20) + b"end"
Pack = Callable[[bytes], bytes]


def plain(data: bytes) -> bytes:
    stream = Decompressed(io.BytesIO(data), limit=1 << 30)
    chunks = []
    while chunk := stream.chunk():
        assert len(chunk) <= PLAIN_CHUNK
        chunks.append(chunk)
    return b"".join(chunks)


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_every_form_is_read_over_several_members(pack: Pack) -> None:
    assert plain(pack(CONTENT)) == CONTENT
    assert plain(pack(CONTENT) + pack(b"more") + pack(b"")) == CONTENT + b"more"


@pytest.mark.parametrize("pack", [PACKERS[name] for name in ("gzip", "bzip2", "xz")], ids=["gzip", "bzip2", "xz"])
def test_what_is_cut_off_or_garbled_is_an_error(pack: Pack) -> None:
    packed = pack(CONTENT)
    with pytest.raises(EngineError, match="unexpected EOF"):
        plain(packed[: len(packed) // 2])
    garbled = packed[:1000] + os.urandom(100) + packed[1100:]
    with pytest.raises(EngineError):
        plain(garbled)
    assert plain(packed + bytes(4096)) == CONTENT


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_more_than_the_limit_is_refused(pack: Pack) -> None:
    stream = Decompressed(io.BytesIO(pack(bytes(5 << 20))), limit=4 << 20)
    with pytest.raises(EngineError, match="larger than"):
        stream.drain()


def test_an_xz_stream_that_wants_much_memory_is_refused() -> None:
    large = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 256 << 20}])
    with pytest.raises(EngineError, match="xz"):
        plain(large)
