import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbox.errors import EngineError
from hyperbox.image.tar_reader import BadArchive, Entry, TarReader, nanoseconds, number, pax_records


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def read(data: bytes, size: int = 700) -> list[tuple[Entry, bytes]]:
    pieces = chunks(data, size)
    reader = TarReader(lambda: next(pieces, b""))
    found = []
    for entry in reader:
        if entry.spans is None:
            content = b"".join(bytes(piece) for piece in reader.content())
        else:
            holed = bytearray(entry.size)
            for offset, piece in reader.sparse_content(entry):
                holed[offset : offset + len(piece)] = piece
            content = bytes(holed)
        found.append((entry, content))
    return found


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def archive(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as writer:
        for info, data in members:
            writer.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MEMBERS = (
    member("etc/", type=tarfile.DIRTYPE, mode=0o1755),
    member("etc/passwd", b"root" * 300, mode=0o4644, uid=1000, gid=2000, mtime=1_700_000_000),
    member("etc/empty"),
    member("deep/" + "longname-" * 20 + "/file", b"x"),
    member("l" * 120, type=tarfile.SYMTYPE, linkname="t" * 150),
    member("hard", type=tarfile.LNKTYPE, linkname="etc/passwd"),
    member("dev/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=1),
    member("fifo", type=tarfile.FIFOTYPE),
)


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("size", [1, 511, 512, 700, 1 << 20])
def test_entries_are_what_was_written_wherever_the_chunks_end(format: int, size: int) -> None:
    found = read(archive(*MEMBERS, format=format), size)
    for (info, data), (entry, content) in zip(MEMBERS, found, strict=True):
        assert (entry.name.rstrip("/"), entry.linkname) == (info.name.rstrip("/"), info.linkname)
        assert (entry.mode, entry.uid, entry.gid, entry.mtime) == (info.mode, info.uid, info.gid, info.mtime * 10**9)
        assert content == data
        assert (entry.isdir(), entry.isreg(), entry.issym(), entry.islnk()) == (
            info.isdir(),
            info.isreg(),
            info.issym(),
            info.islnk(),
        )
    assert found[6][0].device == (8, 1)


def test_ustar_prefixes_are_joined() -> None:
    name = "a" * 80 + "/" + "b" * 80
    assert read(archive(member(name, b"1"), format=tarfile.USTAR_FORMAT))[0][0].name == name


def test_pax_headers_give_exact_times_large_numbers_and_attributes() -> None:
    info = member("x", b"1", mtime=12, pax_headers={"mtime": "12.000000007", "SCHILY.xattr.user.a": "v=1\n"})
    entry, _ = read(archive(info))[0]
    assert entry.mtime == 12_000_000_007
    assert entry.xattrs == {"user.a": b"v=1\n"}
    big = member("y", uid=1 << 30)
    assert read(archive(big))[0][0].uid == 1 << 30
    assert read(archive(big, format=tarfile.GNU_FORMAT))[0][0].uid == 1 << 30


def test_global_pax_headers_are_passed_over_as_docker_does() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uid": "7"}) as writer:
        writer.addfile(tarfile.TarInfo("x"))
    assert [entry.uid for entry, _ in read(buffer.getvalue())] == [0]


@pytest.mark.parametrize(
    "options", ["--format=gnu", *(f"--format=posix --sparse-version={version}" for version in ("0.0", "0.1", "1.0"))]
)
def test_sparse_files_of_gnu_tar_are_read_in_all_its_formats(tmp_path: Path, options: str) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        for number in range(40):
            file.seek(number * 100_000)
            file.write(b"data%d" % number)
        file.truncate(5_000_000)
    packed = subprocess.run(
        ["tar", "-C", str(tmp_path), "-cS", *options.split(), "sparse"], capture_output=True, check=True
    )
    assert len(packed.stdout) < 1_000_000
    [(entry, content)] = read(packed.stdout)
    assert entry.name == "sparse"
    assert content == (tmp_path / "sparse").read_bytes()


def test_numbers_are_octal_or_base_256() -> None:
    assert number(b"0000644\0") == 0o644
    assert number(b"   644 \0") == 0o644
    assert number(b"\0" * 8) == 0
    assert number(b"\x80\0\0\0\0\0\x01\x00") == 256
    assert number(b"\xff" * 12) == -1
    with pytest.raises(BadArchive):
        number(b"0000689\0")


def test_times_before_the_epoch_and_bad_ones() -> None:
    assert nanoseconds(b"-1.5") == -1_500_000_000
    for bad in (b"x", b"1.x", b"9" * 30, b""):
        with pytest.raises(BadArchive):
            nanoseconds(bad)


@pytest.mark.parametrize("data", [b"12 a=b", b"x a=b\n", b"6 a=b", b"5 ab\n", b"999999 a=b\n", b"0 a=b\n", b" a=b\n"])
def test_malformed_pax_records_are_refused(data: bytes) -> None:
    with pytest.raises(BadArchive):
        pax_records(data)


def test_what_is_cut_off_or_no_archive_is_refused_with_the_words_of_go() -> None:
    whole = archive(member("x", b"1" * 5000))
    with pytest.raises(BadArchive, match="unexpected EOF"):
        read(whole[:2000])
    with pytest.raises(BadArchive, match="unexpected EOF"):
        read(whole[:100])
    with pytest.raises(BadArchive, match="archive/tar: invalid tar header"):
        read(b"this is no archive" * 100)
    assert read(b"") == []


def test_headers_that_would_fill_the_memory_are_refused() -> None:
    info = member("x", type=b"x")[0]
    info.size = 1 << 40
    with pytest.raises(BadArchive, match="too long"):
        read(info.tobuf(tarfile.GNU_FORMAT) + b"0" * 1024)
    info.type = b"L"
    with pytest.raises(BadArchive, match="too long"):
        read(info.tobuf(tarfile.GNU_FORMAT) + b"0" * 1024)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6000), st.binary(min_size=1, max_size=12)), min_size=1, max_size=4))
def test_a_damaged_archive_is_read_or_refused_but_never_breaks_the_reader(damages: list[tuple[int, bytes]]) -> None:
    data = bytearray(archive(*MEMBERS))
    for position, replacement in damages:
        data[position : position + len(replacement)] = replacement
        # a checksum that fits, so that the damage gets past it
        start = position // 512 * 512
        block = data[start : start + 512]
        if len(block) == 512:
            total = sum(block) - sum(block[148:156]) + 256
            data[start + 148 : start + 156] = b"%06o\0 " % total
    try:
        read(bytes(data))
    except EngineError:
        return


def test_the_present_content_need_not_be_read(tmp_path: Path) -> None:
    del tmp_path
    data = archive(member("a", os.urandom(3000)), member("b", b"2"))
    pieces = chunks(data, 512)
    assert [entry.name for entry in TarReader(lambda: next(pieces, b""))] == ["a", "b"]
