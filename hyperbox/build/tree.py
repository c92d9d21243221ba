"""Files below a root that is not to be trusted: paths resolved inside it, wildcards, and walks that follow no link.

Every path is opened with openat2(2) inside the root, every entry relative to its folder's descriptor; so neither a link in a context or an
image, nor one that is put there while we read, leads out.
"""

from __future__ import annotations

import os
import re
import stat

from hyperbox.go.patterns import compiled
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Excluded = Callable[[str], bool]

IN_ROOT = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
ANY_DEPTH = "[^/]*(?:)"
MAXIMUM_DEPTH = 400  # folders one in another; deeper ones are refused before Python's own limit


class SourceMissing(Exception):
    """A source names nothing; its argument is the path."""


class Rules:
    """Which paths stay out: `excluded` decides one, `prunes` whether nothing below a folder can come back in."""

    __slots__ = ("excluded", "prunes")

    def __init__(self, excluded: Excluded, prunes: Excluded) -> None:
        self.excluded = excluded
        self.prunes = prunes


def nothing_excluded(path: str) -> bool:
    """Exclude nothing."""
    del path
    return False


EVERYTHING = Rules(nothing_excluded, nothing_excluded)


class Entry:
    """One file, folder or link of a walk: `path` relative to where the walk began, its folder's descriptor, its name there, its status."""

    __slots__ = ("folder", "name", "path", "status")

    def __init__(self, path: str, folder: int, name: str, status: os.stat_result) -> None:
        self.path = path
        self.folder = folder
        self.name = name
        self.status = status

    @property
    def place(self) -> str:
        """A path for calls that take no descriptor; its last part must not be followed."""
        return f"/proc/self/fd/{self.folder}/{self.name}"

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


class Match:
    """One source that was found: its path in the root, the name under which it is copied into a folder, and how to open it."""

    __slots__ = ("folder", "last", "name", "path", "status")

    def __init__(self, path: str, name: str, folder: int, last: str, status: os.stat_result) -> None:
        self.path = path
        self.name = name
        self.folder = folder
        self.last = last
        self.status = status

    def close(self) -> None:
        os.close(self.folder)


class Root:
    """A root folder; `excluded` rules (of an ignore file) hold for paths relative to it."""

    __slots__ = ("descriptor", "rules")

    def __init__(self, path: str, rules: Rules = EVERYTHING) -> None:
        self.descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.rules = rules

    def open(self, path: str, flags: int) -> int:
        """Open a path inside, its links followed inside. Raises OSError."""
        return syscalls.openat2(self.descriptor, path.strip("/") or ".", flags, IN_ROOT)

    def real_path(self, descriptor: int) -> str:
        """Return where an open descriptor lies, relative to the root; "" for the root itself."""
        root = os.readlink(f"/proc/self/fd/{self.descriptor}").rstrip("/")
        return os.readlink(f"/proc/self/fd/{descriptor}")[len(root) :].lstrip("/")

    def find(self, path: str) -> Match:
        """Return what an exact path means, a link at its end followed too. Raises SourceMissing."""
        try:
            descriptor = self.open(path, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceMissing(path) from None
        try:
            real = self.real_path(descriptor)
            status = os.fstat(descriptor)
            if real and self._hidden(real, folder=stat.S_ISDIR(status.st_mode)):
                raise SourceMissing(path)
            name = path.rstrip("/").rpartition("/")[2]
            if stat.S_ISDIR(status.st_mode):
                return Match(real, name, os.dup(descriptor), ".", status)
            parent, _, last = real.rpartition("/")
            return Match(real, name, self.open(parent, os.O_PATH | os.O_DIRECTORY), last, status)
        finally:
            os.close(descriptor)

    def _hidden(self, path: str, *, folder: bool) -> bool:
        """Return whether the rules keep a path out, and with it all that is below."""
        return self.rules.prunes(path) if folder else self.rules.excluded(path)

    def matches(self, pattern: str, *, any_depth: bool = False) -> list[Match]:
        """Return what a source means: one exact path, or all that its wildcards match, in the order of their names.

        Raises SourceMissing for an exact path that is not there; wildcards may match nothing. `any_depth`: "**" matches folders too.
        """
        prefix, wild = split_wildcards(pattern)
        if not wild:
            return [self.find(unescape(pattern))]
        try:
            base = self.open(unescape(prefix), os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return []
        try:
            found: list[Match] = []
            compiled = [component_regex(part, any_depth=any_depth) for part in wild.split("/") if part]
            self._match(base, self.real_path(base), compiled, found)
            return found
        finally:
            os.close(base)

    def _match(self, folder: int, path: str, parts: list[re.Pattern[str]], found: list[Match]) -> None:
        if parts[0].pattern == ANY_DEPTH:
            if len(parts) > 1:
                self._match(folder, path, parts[1:], found)
            parts = [parts[0], *parts] if len(parts) > 1 else [component_regex("*")]
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if parts[0].fullmatch(entry.name))
        for name in names:
            here = f"{path}/{name}" if path else name
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            is_folder = stat.S_ISDIR(status.st_mode)
            if self._hidden(here, folder=is_folder):
                continue
            if len(parts) > 1:
                if is_folder:
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                    try:
                        self._match(inner, here, parts[1:], found)
                    finally:
                        os.close(inner)
            elif stat.S_ISLNK(status.st_mode):
                match = self._followed(here)
                if match is not None:
                    match.name = name
                    found.append(match)
            elif is_folder:
                opened = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                found.append(Match(here, name, opened, ".", status))
            else:
                found.append(Match(here, name, os.dup(folder), name, status))

    def _followed(self, path: str) -> Match | None:
        try:
            return self.find(path)
        except SourceMissing:
            return None

    def walk(self, match: Match, inner: Rules = EVERYTHING) -> Iterator[Entry]:
        """Yield all below a folder, a folder before what is in it; `inner` rules hold for paths relative to that folder.

        A folder that the rules keep out is there all the same when something in it comes back in.
        """
        top = os.open(match.last, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=match.folder)
        try:
            yield from self._walk(top, "", match.path, inner, [], 0)
        finally:
            os.close(top)

    def _walk(
        self, folder: int, path: str, full: str, inner: Rules, waiting: list[Entry], depth: int
    ) -> Iterator[Entry]:
        if depth > MAXIMUM_DEPTH:
            raise OSError(40, "too many folders one in another", full)
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            here = f"{path}/{name}" if path else name
            whole = f"{full}/{name}" if full else name
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue
            entry = Entry(here, folder, name, status)
            out = self.rules.excluded(whole) or inner.excluded(here)
            if not stat.S_ISDIR(status.st_mode):
                if not out:
                    yield from waiting
                    waiting.clear()
                    yield entry
                continue
            if out and (self.rules.prunes(whole) or inner.prunes(here)):
                continue
            if out:
                waiting.append(entry)
            else:
                yield from waiting
                waiting.clear()
                yield entry
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                yield from self._walk(below, here, whole, inner, waiting, depth + 1)
            finally:
                os.close(below)
            if waiting and waiting[-1] is entry:
                waiting.pop()

    def close(self) -> None:
        os.close(self.descriptor)


def split_wildcards(pattern: str) -> tuple[str, str]:
    """Return the folder before the first part with a wildcard, and the rest; ("…", "") for an exact path."""
    parts = pattern.strip("/").split("/")
    for index, part in enumerate(parts):
        if re.search(r"(?<!\\)[*?\[]", part):
            return "/".join(parts[:index]), "/".join(parts[index:])
    return pattern, ""


def unescape(path: str) -> str:
    """Take the backslashes before characters away."""
    return re.sub(r"\\(.)", r"\1", path)


def component_regex(part: str, *, any_depth: bool = False) -> re.Pattern[str]:
    """Return a regular expression for one part of a path, by Go's filepath.Match; where `any_depth`, "**" is any number of folders."""
    if part == "**" and any_depth:
        return re.compile(ANY_DEPTH)
    try:
        return compiled(part)
    except ValueError:
        raise OSError(22, "syntax error in pattern", part) from None
