"""A process that tells of changed files: watchfiles (inotify) in a child, so that this one has no threads and may fork."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from typing import NoReturn

from hyperbox.files import dumps, loads, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

QUIET = 150  # milliseconds without a change after which a batch is complete
STEP = 50  # milliseconds between two looks at what inotify has told
LONGEST = 2000  # milliseconds after which it is complete in any case


class Watcher:
    """Tells of changes of files and below folders. A file that is not there yet is told of when it appears."""

    def __init__(self, paths: Iterable[str]) -> None:
        folders, parents = split(paths)
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.reader = reader
        self.rest = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _tell(folders, parents, writer)
        os.close(writer)
        self._read()  # the first line says that the watches are there

    def _read(self) -> list[str] | None:
        """Return the paths of one line (blocking), or None at the end."""
        while b"\n" not in self.rest:
            chunk = os.read(self.reader, 65536)
            if not chunk:
                return None
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        value = loads(line.decode("utf-8", "surrogateescape"))
        return [str(item) for item in value] if isinstance(value, list) else []

    def batch(self) -> list[str] | None:
        """Return the paths that changed, once they have come to rest, or None when there will be no more."""
        found = self._read()
        if found is None:
            return None
        poller = select.poll()
        poller.register(self.reader, select.POLLIN)
        while b"\n" in self.rest or poller.poll(QUIET):
            more = self._read()
            if more is None:
                break
            found += more
        return found

    def close(self) -> None:
        """End the process."""
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.reader)


def split(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the folders to watch with all below them, and those to watch alone: the parents of files, the nearest folder that there is."""
    folders: set[str] = set()
    parents: set[str] = set()
    for path in paths:
        if os.path.isdir(path):
            folders.add(path)
            continue
        parent = os.path.dirname(path)
        missing = not os.path.isdir(parent)
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        (folders if missing else parents).add(parent)
    return sorted(folders), sorted(parents - folders)


class Asked:
    """A stop event that is never set. The first question whether it is tells that the watches are there."""

    def __init__(self) -> None:
        self.first = threading.Event()

    def is_set(self) -> bool:
        """Return that the watching goes on."""
        self.first.set()
        return False


def _tell(folders: list[str], parents: list[str], writer: int) -> NoReturn:
    """Write a line of JSON for each batch of changes; never returns."""
    from watchfiles import watch  # type: ignore[import-not-found,unused-ignore]

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    lock = threading.Lock()

    def write(paths: list[str]) -> None:
        line = dumps(paths).encode("utf-8", "surrogateescape") + b"\n"
        with lock:
            write_all(writer, line)

    def follow(roots: list[str], *, recursive: bool, asked: Asked) -> None:
        for found in watch(
            *roots,
            watch_filter=None,
            debounce=LONGEST,
            step=STEP,
            stop_event=asked,
            recursive=recursive,
            rust_timeout=0,
            raise_interrupt=False,
        ):
            write([path for _, path in found])

    for roots, recursive in ((folders, True), (parents, False)):
        if roots:
            asked = Asked()
            thread = threading.Thread(target=follow, args=(roots,), kwargs={"recursive": recursive, "asked": asked})
            thread.daemon = True
            thread.start()
            asked.first.wait()
    write([])
    poller = select.poll()
    poller.register(writer, 0)
    poller.poll()  # until nobody reads any more, however the reader ended
    os._exit(0)
