"""The build cache: from a step's key to the layers that it led to.

    DATA/images/cache/HEX.json   {"Key", "DiffIds" (all layers, bottom first), "Times", "Created", "LastUsed", "Uses", "Description", "Type",
                                 "Size"}; it lies in the image store, whose garbage collection keeps what it names
    DATA/build/keys/HEX          a symbolic link: from a key made of definitions alone to the key of the same step by content, or
                                 "seen": some step of this definition is in the cache, whatever its sources held

Records are replaced as a whole. A record whose layers are gone is no record. Nothing here is locked but for the moment in which a step takes the
layers of a record for itself (the store's lock, shared), so that garbage collection and a build can't pass each other.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.image.store import ImageStore, Lease

    Json = dict[str, object]


class Snapshot(NamedTuple):
    """Layers, bottom first, and when each was made ("" for those of a base image, whose history says it)."""

    diff_ids: tuple[str, ...] = ()
    times: tuple[str, ...] = ()

    def over(self, diff_id: str, created: str) -> Snapshot:
        """Return these layers with one more over them."""
        return Snapshot((*self.diff_ids, diff_id), (*self.times, created))


class BuildCache:
    """Look up and keep results. One for each build; `lease` holds what the build uses."""

    __slots__ = ("keys", "lease", "path", "store")

    def __init__(self, store: ImageStore, data: str, lease: Lease) -> None:
        self.store = store
        self.lease = lease
        self.path = f"{store.path}/cache"
        self.keys = f"{data}/build/keys"
        os.makedirs(self.keys, 0o700, exist_ok=True)

    def record_path(self, key: str) -> str:
        """Return the file of a key's record."""
        return f"{self.path}/{key.removeprefix('sha256:')}.json"

    def contains(self, key: str) -> bool:
        """Return whether there is a record, usable or not."""
        return os.path.exists(self.record_path(key))

    def find(self, key: str) -> Snapshot | None:
        """Return the layers of a key, held for this build, or None."""
        try:
            record = files.read_json(self.record_path(key))
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict):
            return None
        snapshot = Snapshot(tuple(record["DiffIds"]), tuple(record["Times"]))
        if not self.hold(snapshot.diff_ids):
            return None
        record["LastUsed"], record["Uses"] = time.time(), int(record["Uses"]) + 1
        files.write_json(self.record_path(key), record)
        return snapshot

    def hold(self, diff_ids: Sequence[str]) -> bool:
        """Keep layers from garbage collection; returns whether all of them are there."""
        with self.store.shared_lock():
            for diff_id in diff_ids:
                self.lease.hold(diff_id)
            return all(self.store.has_whole_layer(diff_id) for diff_id in diff_ids)

    def keep(self, key: str, snapshot: Snapshot, description: str, size: int, *, internal: bool = False) -> None:
        """Let a key mean these layers from now on."""
        now = time.time()
        record: Json = {
            "Key": key,
            "DiffIds": list(snapshot.diff_ids),
            "Times": list(snapshot.times),
            "Created": now,
            "LastUsed": now,
            "Uses": 0,
            "Description": description,
            "Type": "internal" if internal else "regular",
            "Size": size,
        }
        files.write_json(self.record_path(key), record)

    # --- keys by definition ---
    def alias(self, definition: str) -> str:
        """Return the key that a definition led to the last time, or ""."""
        try:
            return os.readlink(self._key_path(definition))
        except OSError:
            return ""

    def set_alias(self, definition: str, key: str) -> None:
        """Remember what a definition led to."""
        path = self._key_path(definition)
        if self.alias(definition) == key:
            return
        temporary = f"{path}.{os.getpid()}"
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
        os.symlink(key, temporary)
        os.rename(temporary, path)

    def _key_path(self, definition: str) -> str:
        return f"{self.keys}/{definition.removeprefix('sha256:')}"
