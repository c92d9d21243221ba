"""Trees of folders of any depth, also where whole paths are longer than the kernel takes (PATH_MAX, 4096 bytes).

`Tree` walks with descriptors: no link is followed, and a folder that is moved away meanwhile is an error and leads nowhere else. `near` makes
one long path usable, for a process that has changed its root and does as it likes with its current folder.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# folders above the present one that stay open; further ones are found again by ".."
KEPT_OPEN = 100
# characters, of four bytes at most, that one system call is given
LONGEST_CALL = 1000
# what a tar header can hold, see tar_reader.MAXIMUM_SPECIAL
LONGEST_PATH = 1 << 20


def too_long(path: str) -> OSError:
    """Return the error of a path that is too long, naming its beginning alone."""
    return OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), f"{path[:200]}...")


class Descent:
    """A folder in which one stands, as an open descriptor; `down` and `up` go to the ones beside it. `close` at the end.

    `kept` is how many folders above stay open. Raises OSError, also where what is above is not any more what it was.
    """

    __slots__ = ("_above", "_kept", "descriptor")

    def __init__(self, top: str | int, *, kept: int = KEPT_OPEN) -> None:
        self.descriptor = os.dup(top) if isinstance(top, int) else os.open(top, FOLDER & ~os.O_NOFOLLOW)
        self._above: list[int | tuple[int, int]] = []
        self._kept = kept

    def down(self, name: str) -> None:
        """Go to a folder in this one, which is no link. Raises OSError."""
        descriptor = os.open(name, FOLDER, dir_fd=self.descriptor)
        if len(self._above) < self._kept:
            self._above.append(self.descriptor)
        else:
            status = os.fstat(self.descriptor)
            self._above.append((status.st_dev, status.st_ino))
            os.close(self.descriptor)
        self.descriptor = descriptor

    def up(self) -> None:
        """Go to where `down` came from. Raises OSError (ESTALE) where the folder was moved meanwhile."""
        above = self._above.pop()
        if isinstance(above, int):
            descriptor = above
        else:
            descriptor = os.open("..", FOLDER, dir_fd=self.descriptor)
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != above:
                os.close(descriptor)
                raise OSError(errno.ESTALE, "a folder was moved while it was read")
        os.close(self.descriptor)
        self.descriptor = descriptor

    def close(self) -> None:
        """Close what is open."""
        for descriptor in (self.descriptor, *self._above):
            if isinstance(descriptor, int):
                os.close(descriptor)
        self._above.clear()


class Entry:
    """What a tree has: `name` from the top on; `path`, by which it can be reached until the next entry; `status` as of lstat(2)."""

    __slots__ = ("last", "left", "name", "path", "status")

    def __init__(self, name: str, last: str, path: str, status: os.stat_result) -> None:
        self.name = name
        self.last = last
        self.path = path
        self.status = status
        self.left = False

    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)


class Tree:
    """Iterates over all below a folder, each folder before what is in it, in the order of names.

    `current` makes each folder the process's current one, for processes without /proc in their root. `both` gives each folder once more
    after its content, with `left` set. `skip()` after an entry leaves out what is in it. Raises OSError.
    """

    __slots__ = ("_both", "_current", "_names", "_prefix", "_skipped", "place")

    def __init__(self, top: str | int, *, current: bool = False, both: bool = False) -> None:
        self.place = Descent(top)
        self._current = current
        self._both = both
        self._skipped = False
        self._prefix = ""
        self._names: list[list[str]] = []

    def skip(self) -> None:
        """Leave out what is in the folder that was given last."""
        self._skipped = True

    def _begin(self) -> None:
        if self._current:
            os.fchdir(self.place.descriptor)
        self._names.append(sorted(os.listdir(self.place.descriptor), reverse=True))

    def _entry(self, last: str) -> Entry | None:
        try:
            status = os.stat(last, dir_fd=self.place.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None  # removed meanwhile
        name = self._prefix + last
        if len(name) > LONGEST_PATH:
            raise too_long(name)
        return Entry(name, last, last if self._current else f"/proc/self/fd/{self.place.descriptor}/{last}", status)

    def __iter__(self) -> Iterator[Entry]:
        try:
            self._begin()
            while True:
                if not self._names[-1]:
                    self._names.pop()
                    if not self._names:
                        return
                    if (left := self._leave()) is not None:
                        yield left
                    continue
                entry = self._entry(self._names[-1].pop())
                if entry is None:
                    continue
                self._skipped = False
                yield entry
                if entry.is_folder() and not self._skipped:
                    self._descend(entry)
        finally:
            self.place.close()

    def _descend(self, entry: Entry) -> None:
        try:
            self.place.down(entry.last)
        except (FileNotFoundError, NotADirectoryError):
            return  # removed or replaced meanwhile
        self._prefix = f"{entry.name}/"
        self._begin()

    def _leave(self) -> Entry | None:
        self.place.up()
        if self._current:
            os.fchdir(self.place.descriptor)
        name = self._prefix[:-1]
        last = name[name.rfind("/") + 1 :]
        self._prefix = name[: len(name) - len(last)]
        entry = self._entry(last) if self._both else None
        if entry is not None:
            entry.left = True
        return entry


class Reach:
    """Makes long absolute paths usable, for a process that has changed its root and whose current folder is nobody else's.

    Remembers which folder is the current one: `forget` when one on the way there may have become another.
    """

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = ""

    def forget(self) -> None:
        """Know nothing of the current folder any more."""
        self._at = ""

    def enter(self, path: str) -> None:
        """Make a folder with an absolute path of any length the current one; links are followed. Raises OSError."""
        at, self._at = self._at, ""
        if at and path.startswith(f"{at}/"):
            rest = path[len(at) + 1 :]
        elif path == at:
            rest = ""
        else:
            os.chdir("/")
            rest = path.strip("/")
        while len(rest) > LONGEST_CALL:
            cut = rest.rfind("/", 0, LONGEST_CALL)
            if cut < 0:
                raise too_long(rest)
            os.chdir(rest[:cut])
            rest = rest[cut + 1 :].lstrip("/")
        if rest:
            os.chdir(rest)
        self._at = path

    def near(self, path: str) -> str:
        """Return a short path of what has this absolute path, good until the next call: the same, or a long one's last name."""
        if len(path) <= LONGEST_CALL:
            return path
        folder, _, name = path.rpartition("/")
        self.enter(folder)
        return name

    def link(self, source: str, target: str) -> None:
        """Make a further name of a file; either path may be a long one. See link(2)."""
        if len(source) <= LONGEST_CALL:
            os.link(source, self.near(target), follow_symlinks=False)
            return
        folder, _, name = source.rpartition("/")
        self.enter(folder)
        descriptor = os.open(".", os.O_PATH | os.O_CLOEXEC)
        try:
            os.link(name, self.near(target), src_dir_fd=descriptor, follow_symlinks=False)
        finally:
            os.close(descriptor)
