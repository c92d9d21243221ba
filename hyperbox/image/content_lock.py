"""One process at a time fetches, or unpacks, a piece of content; another that wants the same waits, and finds it there.

The locks are bytes of one file (open file description locks, fcntl(2)), so that nothing is left of them whatever ends a process. They only save
work: whoever goes on without one does no harm.
"""

from __future__ import annotations

import errno
import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading

STEP = 0.02  # seconds between two tries


class ContentLock:
    """The lock for `content` (a digest, and what is done with it) in a store's folder, held inside `with`; `stop` ends the waiting."""

    __slots__ = ("content", "descriptor", "path", "stop")

    def __init__(self, folder: str, content: str, stop: threading.Event | None = None) -> None:
        self.path, self.content, self.stop = f"{folder}/content.lock", content, stop
        self.descriptor = -1

    def __enter__(self) -> ContentLock:
        import fcntl
        import hashlib

        place = int.from_bytes(hashlib.sha256(self.content.encode()).digest()[:7], "big")
        wish = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not (self.stop is not None and self.stop.is_set()):
            try:
                fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLK, wish)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    break
            time.sleep(STEP)
        return self

    def __exit__(self, *failure: object) -> None:
        os.close(self.descriptor)
