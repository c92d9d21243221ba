"""Archives made to do harm are refused with one clear sentence, or stay inside: nothing outside is written, and memory stays bounded."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Command

pytestmark = pytest.mark.system
MEMORY = 400 << 10  # KiB that the processes of a command may use at most
Build = Callable[[tarfile.TarFile, str], None]


def put(
    archive: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    data: bytes = b"harm",
    **pax: str,
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, 0o777
    entry.pax_headers = pax
    if kind == tarfile.REGTYPE:
        entry.size = len(data)
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        entry.devmajor, entry.devminor = 1, 3
    archive.addfile(entry, io.BytesIO(data) if kind == tarfile.REGTYPE else None)


def dots(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "../" * 20 + outside.lstrip("/") + "/victim")


def absolute_name(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, f"{outside}/victim")


def absolute_link(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "link", tarfile.SYMTYPE, outside)
    put(archive, "link/victim")


def relative_link(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "link", tarfile.SYMTYPE, "../" * 20 + outside.lstrip("/"))
    put(archive, "link/victim")


def link_chain(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "a", tarfile.SYMTYPE, ".")
    put(archive, "a/b", tarfile.SYMTYPE, "../" * 20)
    put(archive, f"a/b/{outside.lstrip('/')}/victim")


def file_through_link(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "victim", tarfile.SYMTYPE, f"{outside}/victim")
    put(archive, "victim")


def hard_link(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "link", tarfile.LNKTYPE, "../" * 20 + outside.lstrip("/") + "/victim")
    put(archive, "link")


def hard_link_through_link(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "link", tarfile.SYMTYPE, outside)
    put(archive, "hard", tarfile.LNKTYPE, "link/victim")
    put(archive, "hard")


def pax_path(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "innocent", path=f"../../../..{outside}/victim")
    put(archive, "innocent", tarfile.SYMTYPE, "x", linkpath=outside, path="link")
    put(archive, "link/victim")


def duplicates(archive: tarfile.TarFile, outside: str) -> None:
    for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE):
        put(archive, "same", kind, outside if kind == tarfile.SYMTYPE else "")
    put(archive, "same/victim")


def devices(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "null", tarfile.CHRTYPE)
    put(archive, "disk", tarfile.BLKTYPE)
    put(archive, "pipe", tarfile.FIFOTYPE)


def long_name(archive: tarfile.TarFile, outside: str) -> None:
    put(archive, "/".join(["n" * 200] * 30))
    put(archive, "x" * 300)


def overlay_marks(archive: tarfile.TarFile, outside: str) -> None:
    put(
        archive,
        "marked",
        tarfile.DIRTYPE,
        **{"SCHILY.xattr.trusted.overlay.redirect": outside, "SCHILY.xattr.trusted.overlay.opaque": "y"},
    )
    put(archive, ".wh..wh..opq")
    put(archive, f".wh.../../..{outside}/victim")


BUILDS = (
    dots, absolute_name, absolute_link, relative_link, link_chain, file_through_link, hard_link, hard_link_through_link, pax_path,
    duplicates, devices, long_name, overlay_marks,
)  # fmt: skip


def tar_of(build: Build, outside: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        put(archive, "bin", tarfile.DIRTYPE)
        build(archive, outside)
    return buffer.getvalue()


def saved(layer: bytes, **changes: object) -> bytes:
    """Return an archive as `docker save` makes it, with one layer."""
    import hashlib

    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    document = json.dumps(config).encode()
    manifest = {"Config": "config.json", "RepoTags": ["hb-hostile:x"], "Layers": ["layer.tar"], **changes}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        put(archive, "config.json", data=document)
        put(archive, "layer.tar", data=layer)
        put(archive, "manifest.json", data=json.dumps([manifest]).encode())
    return buffer.getvalue()


class Memory(threading.Thread):
    """Adds up what the processes of a command have taken at most, as long as it runs: KiB in `peak`."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.peak = max(self.peak, sum(highest(pid) for pid in family(self.pid)))


def family(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from family(int(child))
    except OSError:
        return


def highest(pid: int) -> int:
    """Return the most memory that a process has had, in KiB; 0 where it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def measured(hyperbox: Command, *arguments: str, stdin: Iterator[bytes] | bytes = b"") -> tuple[int, str]:
    """Run a command and return its code and stderr; fail where its processes took too much memory or one gave a traceback."""
    begun = time.monotonic()
    with subprocess.Popen(
        [*hyperbox.argv, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=hyperbox.environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        memory = Memory(process.pid)
        memory.start()
        try:
            for chunk in [stdin] if isinstance(stdin, bytes) else stdin:
                process.stdin.write(chunk)
            process.stdin.close()
        except BrokenPipeError:
            pass
        errors = process.stderr.read().decode()
        memory.over.set()
        process.wait()
    memory.join()
    print(f"{arguments}: {time.monotonic() - begun:.1f} s, {memory.peak >> 10} MiB, {process.returncode}")
    assert memory.peak < MEMORY, f"{memory.peak} KiB: {arguments}"
    assert "Traceback" not in errors, errors
    assert "internal error" not in errors, errors
    assert process.returncode == 0 or errors.strip(), arguments
    return process.returncode, errors


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_text("untouched")
    yield str(folder)
    assert (folder / "victim").read_text() == "untouched"
    assert [path.name for path in folder.iterdir()] == ["victim"]
    assert (folder / "victim").stat().st_mode & 0o777 != 0o777


@pytest.fixture
def container(hyperbox: Command, busybox: str) -> Iterator[str]:
    name = "hostile-cp"
    hyperbox("run", "-d", "--name", name, busybox, "sleep", "600")
    yield name
    hyperbox("rm", "-f", name)


def test_nothing_is_written_outside(hyperbox: Command, container: str, outside: str) -> None:
    for build in BUILDS:
        archive = tar_of(build, outside)
        measured(hyperbox, "import", "-", "hb-hostile:imported", stdin=archive)
        measured(hyperbox, "load", stdin=saved(archive))
        measured(hyperbox, "cp", "-", f"{container}:/tmp", stdin=archive)
        assert (Path(outside) / "victim").read_text() == "untouched", build.__name__
    hyperbox("rmi", "-f", "hb-hostile:imported", "hb-hostile:x")


def test_manifests_name_no_files_outside(hyperbox: Command, outside: str) -> None:
    layer = tar_of(devices, outside)
    for changes in (
        {"Layers": [f"../../..{outside}/victim"]},
        {"Config": f"{outside}/victim"},
        {"RepoTags": ["../../x:y"]},
        {"Layers": 7},
    ):
        code, errors = measured(hyperbox, "load", stdin=saved(layer, **changes))
        assert code == 1, errors


def test_what_is_no_archive_is_refused(hyperbox: Command, container: str, outside: str) -> None:
    packed = gzip.compress(tar_of(dots, outside))
    for data in (
        packed[: len(packed) // 2],
        b"",
        b"no tar at all" * 100,
        os.urandom(5000),
        tar_of(devices, outside)[:700],
    ):
        code, errors = measured(hyperbox, "load", stdin=data)
        assert code == 1, errors
    code, errors = measured(hyperbox, "cp", "-", f"{container}:/tmp", stdin=b"no tar at all" * 100)
    assert code == 1, errors
