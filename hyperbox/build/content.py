"""Digests of files: what they are and hold, but for their times. The cache of a COPY hits by them.

Digests of a folder context's file contents are kept with each file's status, so that a build without changes reads no file. A status that is
younger than the clock can tell apart is not kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time

from hyperbox import files
from hyperbox.build.tree import EVERYTHING, Root, SourceMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.build.tree import Match, Rules

    Json = dict[str, object]

CHUNK = 1 << 20
RACY = 2_000_000_000  # nanoseconds
KEPT_ATTRIBUTES = ("user.", "security.capability")


class Known:
    """Content digests by status: {path: [inode, size, mtime, ctime, digest]}, read from and written to one file ("" for none)."""

    __slots__ = ("changed", "found", "path", "seen")

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.changed = False
        self.found: Json = {}
        self.seen: Json = {}
        if path:
            try:
                value = files.read_json(path)
                self.found = value if isinstance(value, dict) else {}
            except (OSError, ValueError):
                pass

    def get(self, name: str, status: os.stat_result) -> str:
        """Return a file's digest where it has not changed since, else ""."""
        row = self.found.get(name)
        if isinstance(row, list) and row[:4] == fingerprint_of(status):
            return str(row[4])
        return ""

    def put(self, name: str, status: os.stat_result, digest: str) -> None:
        """Keep a digest."""
        if self.path and max(status.st_mtime_ns, status.st_ctime_ns) < time.time_ns() - RACY:
            self.found[name] = [*fingerprint_of(status), digest]
            self.changed = True

    def save(self) -> None:
        """Write what was learned. A failure costs time only."""
        if self.path and self.changed:
            try:
                files.write_json(self.path, self.found)
            except OSError:
                pass


def fingerprint_of(status: os.stat_result) -> list[int]:
    """Return what changes when a file does."""
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


class Digester:
    """Digests of one root's files. `owned` false leaves the owners out: a context's files all become root's."""

    def __init__(self, root: Root, known: Known, *, owned: bool) -> None:
        self.root = root
        self.known = known
        self.owned = owned
        self.bytes = 0

    def selection(self, pattern: str, inner: Rules = EVERYTHING, *, any_depth: bool = False) -> list[list[str]]:
        """Return [name, digest] of each file or folder that a source means. Raises SourceMissing."""
        result = []
        for match in self.root.matches(pattern, any_depth=any_depth):
            try:
                result.append([match.name, self.one(match, inner)])
            finally:
                match.close()
        return result

    def one(self, match: Match, inner: Rules = EVERYTHING) -> str:
        """Return the digest of a file, or of a folder with all in it."""
        hasher = hashlib.sha256()
        if not stat.S_ISDIR(match.status.st_mode):
            hasher.update(self.header("", match.path, match.folder, match.last, match.status))
            return hasher.hexdigest()
        hasher.update(self.described("", match.status, ""))
        for entry in self.root.walk(match, inner):
            whole = f"{match.path}/{entry.path}" if match.path else entry.path
            hasher.update(self.header(entry.path, whole, entry.folder, entry.name, entry.status))
        return hasher.hexdigest()

    def header(self, path: str, whole: str, folder: int, name: str, status: os.stat_result) -> bytes:
        """Return the line of one entry, its content's digest included."""
        extra = ""
        if stat.S_ISREG(status.st_mode):
            extra = self.known.get(whole, status)
            if not extra:
                extra = self.content(folder, name)
                self.known.put(whole, status, extra)
            self.bytes += status.st_size
        elif stat.S_ISLNK(status.st_mode):
            extra = os.readlink(name, dir_fd=folder)
        elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            extra = str(status.st_rdev)
        attributes = attributes_of(f"/proc/self/fd/{folder}/{name}", every=self.owned)
        return self.described(path, status, extra, attributes)

    def described(
        self, path: str, status: os.stat_result, extra: str, attributes: Sequence[tuple[str, bytes]] = ()
    ) -> bytes:
        """Return the bytes that stand for one entry."""
        owner = (status.st_uid, status.st_gid) if self.owned else (0, 0)
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        text = repr((path, status.st_mode, *owner, size, extra, list(attributes)))
        return text.encode("utf-8", "surrogateescape") + b"\n"

    def content(self, folder: int, name: str) -> str:
        """Return the SHA-256 of a file's bytes."""
        hasher = hashlib.sha256()
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            while chunk := os.read(descriptor, CHUNK):
                hasher.update(chunk)
        finally:
            os.close(descriptor)
        return hasher.hexdigest()


def attributes_of(path: str, *, every: bool = True) -> list[tuple[str, bytes]]:
    """Return the extended attributes that images keep; of a context's files (`every` false) only capabilities are taken."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []
    return [
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(names)
        if name.startswith(KEPT_ATTRIBUTES) and (every or not name.startswith("user."))
    ]


def missing(error: SourceMissing) -> str:
    """Return docker's words for a source that is not there; BuildKit names the reference too, which means nothing here."""
    path = str(error.args[0])
    return f'"/{path.lstrip("/")}": not found'
