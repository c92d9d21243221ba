"""A job's place to work: overlays mounted in a mount namespace of its own, and the upper folder that becomes a layer.

The folder lies in the image store's staging/ under the job's pid, so that what a killed job leaves is swept with the store's garbage.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine import rootfs
from hyperbox.image import ingest
from hyperbox.image.layer import measure_layer
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.image.store import ImageStore, Lease

    Json = dict[str, object]


class Workspace:
    """Folders and mounts of one job. Make it in the job; `close` removes all of it."""

    __slots__ = ("count", "folder", "root", "store", "upper")

    def __init__(self, store: ImageStore) -> None:
        self.store = store
        self.folder = store.staging(f"build-{os.urandom(6).hex()}")
        self.count = 0
        self.root = ""
        self.upper = ""
        os.mkdir(self.folder, 0o700)
        syscalls.private_mounts()

    def path(self, name: str) -> str:
        """Return a path of this workspace."""
        return f"{self.folder}/{name}"

    def mount(self, diff_ids: Sequence[str]) -> str:
        """Mount layers (bottom first) with a fresh folder for changes over them; returns where."""
        self.count += 1
        base = self.path(f"m{self.count}")
        lower = [self.store.layer_folder(diff_id) for diff_id in reversed(diff_ids)]
        upper, target = f"{base}/upper", f"{base}/merged"
        os.makedirs(upper, 0o755)
        rootfs.mount_rootfs(lower, upper, f"{base}/work", target, volatile=True)
        return target

    def begin(self, diff_ids: Sequence[str]) -> str:
        """Mount the file system that the step changes; returns its root."""
        self.root = self.mount(diff_ids)
        self.upper = self.path(f"m{self.count}/upper")
        return self.root

    def keep(self, lease: Lease) -> Json:
        """Take the changes into the store as a layer; returns {"DiffId", "Size"}."""
        syscalls.umount(self.root)
        diff_id, length, size = measure_layer(self.upper)
        with self.store.shared_lock():
            lease.hold(diff_id)
            ingest.keep_layer(self.store, self.upper, diff_id, size, diff_id, tar_length=length)
        return {"DiffId": diff_id, "Size": size}

    def close(self) -> None:
        """Take the mounts away and remove the folder."""
        for number in range(self.count, 0, -1):
            try:
                syscalls.umount(self.path(f"m{number}/merged"))
            except OSError:
                pass
        files.remove_tree(self.folder)
