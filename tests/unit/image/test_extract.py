"""Layers unpacked into folders. The unpacking process changes its root, so these need root."""

import gzip
import hashlib
import io
import os
import resource
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard

from hyperbox.errors import EngineError
from hyperbox.image.decompress import Decompressed
from hyperbox.image.extract import clean, extract_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing the root needs root")


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as writer:
        for info, data in members:
            writer.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unpacked(tmp_path: Path, data: bytes, **options: object) -> tuple[Path, str, int]:
    (tmp_path / "layer").write_bytes(data)
    target = tmp_path / "root"
    target.mkdir()
    diff_id, size = extract_layer(str(tmp_path / "layer"), str(target), **options)  # type: ignore[arg-type]
    return target, diff_id, size


def test_files_have_their_content_owner_mode_time_and_attributes(tmp_path: Path) -> None:
    root, _, size = unpacked(
        tmp_path,
        archive(
            member("bin", type=tarfile.DIRTYPE, mode=0o2775, uid=3, gid=4, mtime=1000),
            member("bin/su", b"su", mode=0o4711, uid=0, gid=0, mtime=5),
            member("bin/owned", b"o" * 70_000, mode=0o6750, uid=8, gid=9, pax_headers={"mtime": "7.000000009"}),
            member(
                "bin/x",
                b"x",
                pax_headers={"SCHILY.xattr.user.color": "blue", "SCHILY.xattr.trusted.overlay.opaque": "y"},
            ),
            member("bin/link", type=tarfile.SYMTYPE, linkname="/etc/passwd", uid=5, gid=6, mtime=11),
            member("bin/same", type=tarfile.LNKTYPE, linkname="bin/su", mode=0o4711, mtime=6),  # says it anew
            member("tmp", type=tarfile.DIRTYPE, mode=0o1777),
        ),
    )
    assert size == 2 + 70_000 + 1 + len("/etc/passwd")

    def shown(name: str) -> tuple[int, int, int, int]:
        status = os.lstat(root / name)
        return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns

    assert shown("bin") == (0o2775, 3, 4, 1000 * 10**9)
    assert shown("bin/su") == (0o4711, 0, 0, 6 * 10**9)
    assert shown("bin/owned") == (0o6750, 8, 9, 7_000_000_009)
    assert shown("bin/x")[:3] == (0o644, 0, 0)
    assert shown("bin/link")[1:] == (5, 6, 11 * 10**9)
    assert shown("tmp")[:3] == (0o1777, 0, 0)
    assert os.stat(root / "bin/su").st_ino == os.stat(root / "bin/same").st_ino
    assert os.getxattr(root / "bin/x", "user.color") == b"blue"
    with pytest.raises(OSError, match="No data"):
        os.getxattr(root / "bin/x", "trusted.overlay.opaque")


def test_whiteouts_become_those_of_overlayfs(tmp_path: Path) -> None:
    root, _, _ = unpacked(
        tmp_path, archive(member("etc/.wh.passwd"), member("opt/.wh..wh..opq"), member(".wh..wh.plnk"))
    )
    status = os.lstat(root / "etc/passwd")
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    assert os.getxattr(root / "opt", "trusted.overlay.opaque") == b"y"
    assert sorted(os.listdir(root)) == ["etc", "opt"]
    assert stat.S_IMODE(os.stat(root / "opt").st_mode) == 0o755


def test_folders_without_entries_of_their_own_are_for_everybody_to_read_and_for_nobody_to_write(tmp_path: Path) -> None:
    root, _, _ = unpacked(tmp_path, archive(member("a/b/c/file", b"1")))
    assert {stat.S_IMODE(os.stat(root / name).st_mode) for name in ("a", "a/b", "a/b/c")} == {0o755}


def test_no_name_and_no_link_leads_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root, _, _ = unpacked(
        tmp_path,
        archive(
            member("../../outside/one", b"1"),
            member(f"/{tmp_path}/outside/two", b"2"),
            member("up", type=tarfile.SYMTYPE, linkname="../.."),
            member("up/outside/three", b"3"),
            member("away", type=tarfile.SYMTYPE, linkname=str(outside)),
            member("./././five", b"5"),
            member("a/../../six", b"6"),
        ),
    )
    assert os.listdir(outside) == []
    assert (root / "outside/one").read_bytes() == b"1"
    assert (root / "outside/three").read_bytes() == b"3"
    assert (root / "five").read_bytes() == b"5"
    assert (root / "six").read_bytes() == b"6"


def test_a_hard_link_to_a_file_outside_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    data = archive(member("x", type=tarfile.LNKTYPE, linkname=f"{tmp_path}/secret"))
    with pytest.raises(EngineError, match=r"failed to register layer: .*no such file"):
        unpacked(tmp_path, data)


def test_later_entries_replace_earlier_ones(tmp_path: Path) -> None:
    root, _, _ = unpacked(
        tmp_path,
        archive(
            member("a/b/file", b"1"),
            member("a", b"now a file"),
            member("c", b"file"),
            member("c", type=tarfile.DIRTYPE),
            member("d", type=tarfile.DIRTYPE, mode=0o700),
            member("d", type=tarfile.DIRTYPE, mode=0o755),
            member("link", type=tarfile.SYMTYPE, linkname="c"),
            member("link", b"a file instead"),
            member("e/f/g", b"1"),
            member("e", type=tarfile.SYMTYPE, linkname="c"),
            member("e/f/h", b"2"),
        ),
    )
    assert (root / "a").read_bytes() == b"now a file"
    assert (root / "c").is_dir()
    assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o755
    assert not os.path.islink(root / "link")
    assert (root / "c/f/h").read_bytes() == b"2"


def test_long_zeros_become_holes(tmp_path: Path) -> None:
    data = b"a" * 100 + b"\0" * (8 << 20) + b"end" + b"\0" * (4 << 20)
    root, _, size = unpacked(tmp_path, archive(member("disk", data)))
    assert size == len(data)
    assert (root / "disk").read_bytes() == data
    assert os.stat(root / "disk").st_blocks * 512 < 5 << 20


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: data,
        gzip.compress,
        zstandard.compress,
        lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    ],
)
def test_the_diff_id_is_the_digest_of_the_plain_tar(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    plain = archive(member("a", os.urandom(300_000)), member("b", b"b"))
    root, diff_id, _ = unpacked(tmp_path, pack(plain))
    assert diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert sorted(os.listdir(root)) == ["a", "b"]


def test_a_plain_layer_of_a_known_digest_is_not_hashed_again(tmp_path: Path) -> None:
    assert unpacked(tmp_path, archive(member("a", b"1")), digest="sha256:known")[1] == "sha256:known"


def test_a_compressed_layer_is_hashed_whatever_is_known(tmp_path: Path) -> None:
    assert unpacked(tmp_path, gzip.compress(archive(member("a", b"1"))), digest="sha256:known")[1] != "sha256:known"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(archive(member("a", os.urandom(4000))))[:-9], "unexpected EOF"),
        (gzip.compress(archive(member("a", b"1" * 4000)))[:40], "unexpected EOF"),
        (gzip.compress(b"0" * 5000)[:20] + b"\xff" * 50, "gzip: invalid data"),
        (archive(member("a", b"1" * 4000))[:2000], "unexpected EOF"),
        (b"no archive at all" * 60, "archive/tar: invalid tar header"),
        (b"BZh91AY", "unexpected EOF"),
        (archive(member("a", type=b"Q")), "unhandled tar entry type b'Q' for a"),
    ],
)
def test_a_broken_layer_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(EngineError, match=f"failed to register layer: {reason}"):
        unpacked(tmp_path, data)


def test_a_layer_that_grows_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="layer is larger than 1000000 bytes when unpacked"):
        unpacked(tmp_path, gzip.compress(archive(member("a", b"\0" * (64 << 20)))), limit=1_000_000)


def test_unpacking_needs_little_memory_however_large_the_files_are(tmp_path: Path) -> None:
    data = gzip.compress(archive(member("zeros", b"\0" * (160 << 20)), member("noise", os.urandom(1 << 20) * 40)), 1)
    (tmp_path / "layer").write_bytes(data)
    del data
    (tmp_path / "root").mkdir()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20), resource.RLIM_INFINITY))
            extract_layer(str(tmp_path / "layer"), str(tmp_path / "root"))
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (tmp_path / "root/zeros").stat().st_size == 160 << 20


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *(("./a", "a"), ("a/", "a"), ("a//b", "a/b"), ("a/./b", "a/b"), ("a/../b", "b"), ("a/..", "")),
        *(("..", ""), ("/", ""), ("./", ""), (".", ""), (".a", ".a"), ("a.", "a."), ("../../a", "a")),
    ],
)
def test_names_are_paths_below_the_root(name: str, path: str) -> None:
    assert clean(name) == path


def test_read_gives_any_amounts() -> None:
    plain = os.urandom(3 << 20)
    stream = Decompressed(io.BytesIO(gzip.compress(plain, 1)), limit=1 << 30)
    assert stream.read(5) + stream.read(1 << 20) + stream.read() == plain
