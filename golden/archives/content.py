"""The files that the recorded images are made of, and how an archive's entries are described."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import IO

# what docker puts into every container's root itself
MADE = frozenset(
    {".dockerenv", "dev", "dev/console", "dev/pts", "dev/shm", "etc", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "proc", "sys"}
)  # fmt: skip
CAPABILITY = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0".decode("latin-1")
ATTRIBUTES = {"SCHILY.xattr.user.note": "value", "SCHILY.xattr.security.capability": CAPABILITY}
# what a container does to them before it is committed: B is a busybox
CHANGES = (
    "B=/busybox; $B rm /dir/gone /hard; $B rm -r /opaque; $B mkdir /opaque; echo new >/opaque/new; $B rm /turned; $B mkdir /turned; "
    "echo in >/turned/file; $B chown 5:6 /dir/sub; $B mv /dir/sub/file /dir/sub/moved; echo more >>/soft; "
    "$B dd if=/busybox of=/sparse bs=1 count=10 seek=100000 2>/dev/null; $B ln /big-uid /dir/second; $B mknod /dir/node c 1 5; "
    "$B touch -d @1700000001 /opaque /opaque/new /turned /turned/file /sparse /dir /dir/kept /dir/sub /dir/node"
)
COMMIT = ("-c", "ENV C=3", "-c", "WORKDIR /dir", "-c", 'CMD ["/busybox","ls"]', "-m", "a message", "-a", "An Author")
IMPORT = ("-c", 'LABEL org.example.kind="round trip"', "-c", 'ENV A=1 B="two words"', "-c", 'CMD ["/busybox","true"]')


def content() -> bytes:
    """Return a tar with files of all kinds, the same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def put(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", mode: int = 0o644, **more: object) -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime, entry.size = kind, mode, 1700000000, len(data)
            for key, value in more.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(data))

        put("dir", tarfile.DIRTYPE, mode=0o1777)
        put("dir/kept", data=b"kept\n", uid=1000, gid=2000)
        put("dir/gone", data=b"gone\n")
        put("dir/sub", tarfile.DIRTYPE, mode=0o750, uid=12)
        put("dir/sub/file", data=b"x" * 700)
        put("opaque", tarfile.DIRTYPE, mode=0o755)
        put("opaque/old", data=b"old")
        put("setuid", data=b"#!", mode=0o4755)
        put("attributes", data=b"a", pax_headers=ATTRIBUTES)
        put("hard", tarfile.LNKTYPE, linkname="dir/kept")
        put("soft", tarfile.SYMTYPE, linkname="/dir/kept")
        put("broken", tarfile.SYMTYPE, linkname="../../nowhere")
        put("null", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
        put("fifo", tarfile.FIFOTYPE)
        put("big-uid", data=b"u", uid=3000000, gid=3000001)
        put("\u00fcml\u00e4ut", data=b"\n")
        put("l" * 90 + "/" + "o" * 120, data=b"long")
        put("epoch", mtime=0)
        put("turned", data=b"a file that becomes a folder")
    return buffer.getvalue()


def listing(archive: IO[bytes], *, times: bool = True) -> dict[str, dict[str, object]]:
    """Return what a tar holds, by name, without what docker puts into every container."""
    found: dict[str, dict[str, object]] = {}
    groups: dict[str, list[str]] = {}
    with tarfile.open(fileobj=archive, mode="r|") as entries:
        for entry in entries:
            name = entry.name.strip("/").removeprefix("./")
            if name in MADE or not name:
                continue
            if entry.islnk():
                groups.setdefault(entry.linkname, [entry.linkname]).append(name)
                continue
            file = entries.extractfile(entry) if entry.isfile() else None
            data = file.read() if file else b""
            described: dict[str, object] = {
                "kind": entry.type.decode(),
                "mode": oct(entry.mode),
                "owner": f"{entry.uid}:{entry.gid}",
                "attributes": {
                    key: value for key, value in entry.pax_headers.items() if key.startswith("SCHILY.xattr")
                },
            }
            if entry.isfile():
                described["content"] = f"{entry.size} {hashlib.sha256(data).hexdigest()[:16]}"
            if entry.issym():
                described["target"] = entry.linkname
            if entry.isdev():
                described["device"] = f"{entry.devmajor}:{entry.devminor}"
            if times and entry.mtime in (0, 1700000000, 1700000001):
                described["time"] = int(entry.mtime)
            found[name] = described
    for group in groups.values():  # which of a file's names comes first is no difference
        described = next(found.pop(name) for name in group if name in found)
        found["|".join(sorted(group))] = described
    return dict(sorted(found.items()))
