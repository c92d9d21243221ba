"""Directories, atomic writes, locks, claims and fast JSON.

Hot paths use it: it imports `os` and the C halves of json only (the `json` package costs 7 ms).
"""

from __future__ import annotations

import _thread
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

try:
    import _json

    class _Context:
        strict = True
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = float
        memo: dict[str, str] = {}

    _scan: Callable[[str, int], tuple[object, int]] = _json.make_scanner(_Context)  # type: ignore[arg-type]

    def _not_serializable(value: object) -> object:
        raise TypeError(f"{type(value).__name__} is not JSON serializable")

    _encode: Callable[[object, int], tuple[str, ...]] = _json.make_encoder(
        None, _not_serializable, _json.encode_basestring, None, ":", ",", False, False, True
    )
    _encode_sorted: Callable[[object, int], tuple[str, ...]] = _json.make_encoder(
        None, _not_serializable, _json.encode_basestring, None, ":", ",", True, False, True
    )

    def loads(text: str) -> object:
        """Parse one JSON value; white space around it is allowed. Raises ValueError for anything else."""
        text = text.strip(" \t\r\n")
        try:
            value, end = _scan(text, 0)
        except (StopIteration, SystemError):  # the scanner's own error needs json.decoder, which is not imported here
            raise ValueError("not JSON") from None
        if end != len(text):
            raise ValueError(f"not JSON: more after position {end}")
        return value

    def dumps(value: object, *, sort_keys: bool = False) -> str:
        """Return `value` as compact JSON, non-ASCII characters as they are."""
        return "".join((_encode_sorted if sort_keys else _encode)(value, 0))

except (ImportError, AttributeError, TypeError):  # another Python: the private halves are gone or differ
    import json

    def loads(text: str) -> object:
        """Parse one JSON value; raises ValueError."""
        return json.loads(text)

    def dumps(value: object, *, sort_keys: bool = False) -> str:
        """Return `value` as compact JSON, non-ASCII characters as they are."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)


def read_text(path: str) -> str:
    """Return a whole file decoded as UTF-8; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size + 1
        data = os.read(descriptor, size)
        while len(data) >= size:  # grew, or a /proc file that tells no size
            more = os.read(descriptor, 65536)
            if not more:
                break
            data += more
            size = len(data)
        if size == 1:
            while more := os.read(descriptor, 65536):
                data += more
    finally:
        os.close(descriptor)
    return data.decode("utf-8", "surrogateescape")


def read_json(path: str) -> object:
    """Return the JSON value that a file holds; raises OSError, or ValueError naming the file."""
    text = read_text(path)
    try:
        return loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data` to a descriptor that waits where there is no room. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomic(path: str, data: bytes | str, *, mode: int = 0o600, durable: bool = False) -> None:
    """Replace the file at `path` in one step: readers see the old content or the new, never a part.

    `durable` also waits until it has reached the disk (fsync of file and folder). Raises OSError; the temporary file is gone
    then. A crash can leave `PATH.tmp.PID`, which nobody reads.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    temporary = f"{path}.tmp.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException as error:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path
        raise
    if durable:
        sync_folder(os.path.dirname(path) or ".")


def sweep_temporaries(folder: str) -> None:
    """Remove what `write_atomic` was writing in a folder when its process was killed; the pid is in the name."""
    from hyperbox.process import is_alive

    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        before, _, pid = name.rpartition(".")
        if before.endswith(".tmp") and pid.isdigit() and not is_alive(int(pid)):
            try:
                os.unlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue


def write_json(path: str, value: object, *, mode: int = 0o600, durable: bool = False) -> None:
    """Replace the file at `path` by `value` as JSON; see `write_atomic`."""
    write_atomic(path, dumps(value), mode=mode, durable=durable)


def overwrite_json(path: str, value: object) -> None:
    """Write a file anew in its own place, for a full disk that has no room for a second copy; readers may see it half-written.

    What it becomes is not shorter than it was (white space is added), so it needs no block more unless it has grown. Raises OSError.
    """
    data = dumps(value).encode("utf-8", "surrogateescape")
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        data = data.ljust(os.fstat(descriptor).st_size)
        if os.write(descriptor, data) != len(data):
            raise OSError(28, os.strerror(28), path)
    finally:
        os.close(descriptor)


def sync_folder(path: str) -> None:
    """Wait until the names in a folder have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def write_whole(path: str, chunks: Iterable[bytes]) -> None:
    """Write chunks to a file that takes its name only when it is complete; nothing stays where that fails. Its mode is 0600, as docker's."""
    temporary = f"{path}.tmp.{os.getpid()}"
    try:
        with open(temporary, "wb", opener=_private) as file:
            for chunk in chunks:
                file.write(chunk)
        os.rename(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def copy_content(
    source: str, target: str, *, source_folder: int | None = None, target_folder: int | None = None
) -> None:
    """Copy a regular file's bytes to a new file of mode 0600; either name may be one in a folder given as a descriptor.

    No link is followed. Raises FileExistsError where the target is there. See sendfile(2).
    """
    incoming = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source_folder)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        outgoing = os.open(target, flags, 0o600, dir_fd=target_folder)
        try:
            offset = 0
            while sent := os.sendfile(outgoing, incoming, offset, 8 << 20):
                offset += sent
        finally:
            os.close(outgoing)
    finally:
        os.close(incoming)


# longer paths than this (characters, of four bytes at most) come near PATH_MAX: what lies deeper is moved up before it is removed
LONGEST_PATH = 900


# from so many files on it is worth while to see whether the file system makes us wait, and then to remove with so many more threads
MANY_FILES = 512
HELPERS = 15


def remove_tree(path: str) -> None:
    """Remove a file or a folder with all in it, however deep, never following a link; nothing there is no error.

    A large tree is removed by several threads where each file is waited for: with the mount option discard a disk may be told of every
    freed block.
    """
    if os.path.islink(path):
        _unlink(path)
        return
    _Removal(path).run()


class _Emptied:
    """A folder that is being emptied: itself, the one above it, and how much in it is still to be done (its files, its folders)."""

    __slots__ = ("above", "left", "path")

    def __init__(self, path: str, above: _Emptied | None) -> None:
        self.path = path
        self.above = above
        self.left = 1


class _Removal:
    """One tree on its way out: a stack of folders, and of files in pieces, from which every thread takes."""

    __slots__ = ("_count", "_error", "_lock", "_moved", "_root", "_running", "_slow", "_spent", "_stack", "_started")

    def __init__(self, path: str) -> None:
        self._root = _Emptied(path, None)
        self._stack: list[tuple[_Emptied, list[str] | None]] = [(self._root, None)]
        self._lock = _thread.allocate_lock()
        self._error: BaseException | None = None
        self._count = self._moved = self._running = 0
        self._slow = False
        self._started, self._spent = time.monotonic(), time.thread_time()

    def run(self) -> None:
        """Remove everything. Raises the first OSError that any thread has met, when all have stopped."""
        try:
            while True:
                if self._take():
                    if self._slow or self._count >= MANY_FILES:
                        self._find_help()
                elif self._error is None and (self._running or self._stack):
                    time.sleep(0.001)  # the others may find more
                else:
                    break
        except BaseException as error:  # an interrupt too: the others are to stop
            self._error = self._error or error
        while self._running:
            time.sleep(0.001)
        if self._error is not None:
            raise self._error

    def _help(self) -> None:
        try:
            while self._take():
                pass
        except BaseException as error:
            self._error = self._error or error
        with self._lock:
            self._running -= 1

    def _take(self) -> bool:
        """Do one thing of the stack; returns False where there is none now, or a thread has failed."""
        with self._lock:
            folder, names = self._stack.pop() if self._stack and self._error is None else (None, None)
        if folder is None:
            return False
        if names is None:
            self._list(folder)
            return True
        for name in names:
            _unlink(f"{folder.path}/{name}")
        self._count += len(names)
        self._done(folder)
        return True

    def _find_help(self) -> None:
        """Start the other threads where most of the time so far was spent waiting, and look again later where it was not."""
        if not self._slow:
            now, spent = time.monotonic(), time.thread_time()
            self._slow = now - self._started > 2 * (spent - self._spent)
            self._count, self._started, self._spent = 0, now, spent
        with self._lock:
            while self._slow and self._running < min(HELPERS, len(self._stack)):
                try:
                    _thread.start_new_thread(self._help, ())
                except RuntimeError:  # no more threads are allowed
                    break
                self._running += 1

    def _list(self, folder: _Emptied) -> None:
        """Put what is in a folder on the stack."""
        try:
            entries = list(os.scandir(folder.path))
        except FileNotFoundError:
            self._done(folder)
            return
        except NotADirectoryError:
            _unlink(folder.path)
            self._done(folder.above)
            return
        found: list[tuple[_Emptied, list[str] | None]] = []
        names = []
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                names.append(entry.name)
            elif len(entry.path) < LONGEST_PATH or folder is self._root:
                found.append((_Emptied(entry.path, folder), None))
            else:
                found.append((self._moved_up(entry.path), None))
        pieces = [names[at : at + 64] for at in range(0, len(names), 64)]
        found += [(folder, piece) for piece in pieces]
        with self._lock:
            folder.left += sum(inner is folder or inner.above is folder for inner, _ in found)
            self._stack += found
        self._done(folder)

    def _moved_up(self, path: str) -> _Emptied:
        """Move a folder whose name has become too long to just below the root, and return it there."""
        with self._lock:
            self._moved += 1
            self._root.left += 1
            above = f"{self._root.path}/.deep.{os.getpid()}.{self._moved}"
        os.rename(path, above)
        return _Emptied(above, self._root)

    def _done(self, folder: _Emptied | None) -> None:
        """Count one thing less in a folder; it goes with the last one, and so may those above it."""
        while folder is not None:
            with self._lock:
                folder.left -= 1
                left = folder.left
            if left:
                return
            try:
                os.rmdir(folder.path)
            except FileNotFoundError:
                pass
            folder = folder.above


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def claim(path: str, owner: str) -> str | None:
    """Take the name `path` for `owner`, atomically among all processes; return None, or who has it already.

    A claim is a symbolic link whose target is the owner: made and filled in one step, so it is never seen half-written.
    """
    try:
        os.symlink(owner, path)
    except FileExistsError:
        return claim_owner(path) or claim(path, owner)
    return None


def claim_owner(path: str) -> str | None:
    """Return who holds the claim at `path`, or None."""
    try:
        return os.readlink(path)
    except OSError:
        return None


class Lock:
    """An exclusive (or shared) lock on a file, held inside `with`; freed by the kernel when the process dies. flock(2).

    Without `wait` the lock of somebody else leaves `descriptor` -1 instead.

    Two locks are always taken in the order that `engine/state.py` documents.
    """

    __slots__ = ("descriptor", "path", "shared", "wait")

    def __init__(self, path: str, *, shared: bool = False, wait: bool = True) -> None:
        self.path = path
        self.shared = shared
        self.wait = wait
        self.descriptor = -1

    def __enter__(self) -> Lock:
        import fcntl

        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        kind = fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, kind if self.wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.descriptor)
            self.descriptor = -1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def lock_if_free(path: str) -> int:
    """Take the lock on a file that is there, and return its descriptor; -1 where somebody holds it. Raises FileNotFoundError."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor


def subfolders(path: str) -> Iterator[str]:
    """Yield the names of the folders in a folder; nothing when it is not there."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name
    except FileNotFoundError:
        return
