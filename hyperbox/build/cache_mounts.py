"""Folders of `RUN --mount=type=cache`, kept between builds.

DATA/build/mounts/KEY[.N]/      the files; KEY from the mount's id, .N where "private" needs one more
DATA/build/mounts/KEY[.N].json  {"Id", "Created", "LastUsed", "Uses"}: written last, a folder without it is a leftover
DATA/build/mounts/KEY[.N].lock  held while a step uses it: shared for "shared", exclusive for the others and for removal
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time

from hyperbox import files

MAXIMUM = 1000


def key_of(identity: str) -> str:
    """Return the name of a cache's folder."""
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:25]


class CacheMount:
    """One cache in use by a step: `folder` are its files. Where `is_new`, fill `making` and call `ready`; `close` lets it go."""

    __slots__ = ("descriptor", "folder", "identity", "is_new", "making", "sharing")

    def __init__(self, parent: str, identity: str, sharing: str) -> None:
        os.makedirs(parent, 0o711, exist_ok=True)
        self.identity = identity
        self.sharing = sharing
        self.making = ""
        base = f"{parent}/{key_of(identity)}"
        self.folder, self.descriptor = self._lock(base)
        self.is_new = not os.path.exists(f"{self.folder}.json")
        if self.is_new:
            self._begin()
        else:
            self._note()

    def _lock(self, base: str) -> tuple[str, int]:
        """Return (folder, descriptor of its lock): the first one that is free for "private", else the one and only."""
        if self.sharing != "private":
            descriptor = _open(f"{base}.lock")
            fcntl.flock(descriptor, fcntl.LOCK_SH if self.sharing == "shared" else fcntl.LOCK_EX)
            return base, descriptor
        for number in range(MAXIMUM):
            folder = f"{base}.{number}" if number else base
            descriptor = _open(f"{folder}.lock")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return folder, descriptor
        raise OSError(16, "too many users of a private cache", base)

    def _begin(self) -> None:
        self.making = f"{self.folder}.making.{os.getpid()}"
        files.remove_tree(self.making)
        os.mkdir(self.making, 0o755)

    def ready(self) -> None:
        """Put a new cache in its place; where another step was quicker, that one's counts."""
        with files.Lock(f"{self.folder}.new"):
            if os.path.exists(f"{self.folder}.json"):
                files.remove_tree(self.making)
            else:
                files.remove_tree(self.folder)
                os.rename(self.making, self.folder)
                now = time.time()
                record = {"Id": self.identity, "Created": now, "LastUsed": now, "Uses": 1}
                files.write_json(f"{self.folder}.json", record)
        self.is_new = False

    def _note(self) -> None:
        record = files.read_json(f"{self.folder}.json")
        if isinstance(record, dict):
            uses = record.get("Uses")
            record.update(LastUsed=time.time(), Uses=(uses if isinstance(uses, int) else 0) + 1)
            files.write_json(f"{self.folder}.json", record)

    def close(self) -> None:
        """Let others have it."""
        if self.is_new and self.making:
            files.remove_tree(self.making)
        os.close(self.descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
