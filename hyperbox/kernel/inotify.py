"""Being told of changes in a folder; see inotify(7)."""

from __future__ import annotations

import os

from hyperbox.kernel import syscalls

MODIFY = 0x2
MOVED = 0xC0
CREATE = 0x100


def watch(path: str, mask: int) -> int:
    """Return a descriptor that becomes readable when something in `path` changes as `mask` says. Raises OSError."""
    descriptor = syscalls.inotify_init()
    try:
        syscalls.inotify_add_watch(descriptor, path, mask)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
