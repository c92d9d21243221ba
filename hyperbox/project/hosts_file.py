"""Blocks of ours in /etc/hosts, one for each project; every other byte of that file stays as it is.

    # hyperbox OWNER begin
    127.89.0.1 shop.hyperbox web.shop.hyperbox
    # hyperbox OWNER end

A block counts only where both its marks are there. The file is replaced by rename with its owner and mode; one that can't be (a bind mount, in
a container, or in a folder in which nothing can be made) is written in place. Writers exclude each other by a lock on the folder that the file
is in, so no lock file is left beside it; somebody else's edit that comes while ours is prepared is read again and stays.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WHAT = "# hyperbox"
EDITS = 100  # by others while we write, then theirs are no longer waited for


def find_block(lines: Sequence[bytes], owner: str) -> tuple[int, int] | None:
    """Return the first line of an owner's block and the one after its last, or None. Pure."""
    begin, end = f"{WHAT} {owner} begin".encode(), f"{WHAT} {owner} end".encode()
    stripped = [line.rstrip(b"\r\n") for line in lines]
    if begin not in stripped:
        return None
    first = stripped.index(begin)
    if end not in stripped[first:]:
        return None
    return first, stripped.index(end, first) + 1


def with_block(content: bytes, owner: str, lines: Sequence[str]) -> bytes:
    """Return a hosts file's content with the owner's block replaced by `lines`; without lines there is no block. Pure."""
    kept = content.split(b"\n")
    kept = [line + b"\n" for line in kept[:-1]] + ([kept[-1]] if kept[-1] else [])
    block = [f"{WHAT} {owner} begin\n", *(f"{line}\n" for line in lines), f"{WHAT} {owner} end\n"] if lines else []
    encoded = [line.encode() for line in block]
    place = find_block(kept, owner)
    if place is not None:
        kept[place[0] : place[1]] = encoded
    elif encoded:
        if kept and not kept[-1].endswith(b"\n"):
            kept[-1] += b"\n"
        kept += encoded
    return b"".join(kept)


def owners(content: bytes) -> list[str]:
    """Return whose blocks are in a hosts file. Pure."""
    found = []
    lines = content.split(b"\n")
    for line in lines:
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if text.startswith(f"{WHAT} ") and text.endswith(" begin"):
            owner = text[len(WHAT) + 1 : -len(" begin")]
            if find_block(lines, owner) is not None:
                found.append(owner)
    return found


def read(path: str) -> bytes:
    """Return a hosts file's content; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def write_block(path: str, owner: str, lines: Sequence[str]) -> bool:
    """Replace the owner's block in a hosts file; returns whether that changed it. Raises OSError."""
    import fcntl

    path = os.path.realpath(path)
    if with_block(before := read(path), owner, lines) == before:
        return False
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for _ in range(EDITS):
            status, before = _state(path), read(path)
            after = with_block(before, owner, lines)
            if after == before or _replace(path, after, status):
                break
        return after != before
    finally:
        os.close(folder)


def _state(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.st_ino, one.st_mtime_ns, one.st_size) == (other.st_ino, other.st_mtime_ns, other.st_size)


def _replace(path: str, content: bytes, status: os.stat_result | None) -> bool:
    """Put `content` in the place of a file, with the same owner and mode; False where somebody changed it since it had `status`."""
    temporary = f"{path}.hyperbox"  # one name for all: a killed writer's is replaced by the next
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError:
        _write_in_place(path, content)
        return True
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644 if status is None else status.st_mode & 0o7777)
            if status is not None:
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.flush()
            os.fsync(file.fileno())
        if not _same(_state(path), status):
            os.unlink(temporary)
            return False
        os.rename(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        if error.errno != 16:  # EBUSY: it is a mount point
            raise
        _write_in_place(path, content)
    return True


def _write_in_place(path: str, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
