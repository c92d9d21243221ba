"""COPY and ADD done: files from contexts, stages and archives into a step's root file system, by BuildKit's rules.

A folder's contents go into the destination, never the folder itself; a file goes into a destination that is a folder or ends with "/", otherwise
it takes that name. A link among the sources is followed inside its root, links below are copied as links. Nothing is written through a link that
leads out of the root: every path is opened inside it.
"""

from __future__ import annotations

import os
import posixpath
import stat

from hyperbox import files
from hyperbox.build.chmod import changed_mode
from hyperbox.build.content import attributes_of
from hyperbox.build.jobs import JobFailed
from hyperbox.build.tree import EVERYTHING, IN_ROOT, Root
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.tree import Match, Rules


def made_mode(mode: str) -> int:
    """Return the mode of folders that are made for what is copied: of an octal --chmod what a umask of 022 leaves."""
    return int(mode, 8) & 0o755 if mode.isdigit() else 0o755


class Copier:
    """Copies into one root. `owner` replaces the owners, `mode` (as of --chmod) the modes, `created` (seconds) all times."""

    def __init__(
        self, root: str, owner: tuple[int, int] | None, mode: str, created: int | None, *, owned: bool
    ) -> None:
        self.root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.owner = owner
        self.mode = mode
        self.created = created
        self.owned = owned
        self.made = made_mode(mode)
        self.links: dict[tuple[int, int], str] = {}
        self.times: list[tuple[str, tuple[int, int]]] = []

    # --- the destination ---
    def open(self, path: str) -> int:
        """Open a folder inside the root, links followed. Raises OSError."""
        return syscalls.openat2(self.root, path.strip("/") or ".", os.O_RDONLY | os.O_DIRECTORY, IN_ROOT)

    def folder(self, path: str) -> int:
        """Open a folder, made with its parents where they are missing. Raises JobFailed where a file is in the way."""
        walked = ""
        current = self.open("/")
        for name in path.strip("/").split("/"):
            if not name:
                continue
            walked += "/" + name
            try:
                following = self.open(walked)
            except FileNotFoundError:
                self._replace_dangling(current, name)
                os.mkdir(name, self.made, dir_fd=current)
                os.chown(name, *(self.owner or (0, 0)), dir_fd=current, follow_symlinks=False)
                following = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
                if self.created is not None:
                    self.times.append((self._remembered(following), (self.created * 10**9,) * 2))
            except NotADirectoryError:
                raise JobFailed(f"cannot copy to non-directory: {walked}") from None
            finally:
                os.close(current)
            current = following
        return current

    def _replace_dangling(self, folder: int, name: str) -> None:
        try:
            target = os.readlink(name, dir_fd=folder)
        except OSError:
            return
        raise JobFailed(f"cannot make the folder {name}: it is a link to {target}, which is not there")

    def _remembered(self, descriptor: int) -> str:
        """Return a folder's path below the root, for setting its times at the end."""
        return os.readlink(f"/proc/self/fd/{descriptor}")

    def target(self, destination: str, name: str) -> tuple[int, str]:
        """Return (folder, name) where a file called `name` goes to."""
        if not destination.endswith("/"):
            try:
                return self.open(destination), name
            except (FileNotFoundError, NotADirectoryError):
                pass
            parent, _, last = self._followed(destination).rpartition("/")
            return self.folder(parent), last
        return self.folder(destination), name

    def _followed(self, path: str) -> str:
        """Return where a destination that is a link leads to inside the root, there or not. Raises JobFailed for a circle."""
        for _ in range(40):
            parent, _, last = path.rpartition("/")
            try:
                folder = self.open(parent)
            except OSError:
                return path
            try:
                target = os.readlink(last, dir_fd=folder)
            except OSError:
                return path
            finally:
                os.close(folder)
            path = posixpath.normpath(posixpath.join("/" + parent.lstrip("/"), target))
        raise JobFailed(f"too many links: {path}")

    # --- sources ---
    def match(self, source: Root, match: Match, destination: str, inner: Rules = EVERYTHING) -> None:
        """Copy one source that was found."""
        if stat.S_ISDIR(match.status.st_mode):
            self.contents(source, match, destination, inner)
            return
        folder, name = self.target(destination, match.name)
        try:
            self.entry(match.folder, match.last, match.status, folder, name)
        finally:
            os.close(folder)

    def contents(self, source: Root, match: Match, destination: str, inner: Rules) -> None:
        """Copy what is in a folder into the destination."""
        top = self.folder(destination)
        open_folders: dict[str, int] = {"": top}
        try:
            for entry in source.walk(match, inner):
                parent = posixpath.dirname(entry.path)
                for path in [
                    path for path in open_folders if path and path != parent and not parent.startswith(f"{path}/")
                ]:
                    os.close(open_folders.pop(path))
                folder = open_folders[parent]
                self.entry(entry.folder, entry.name, entry.status, folder, entry.name)
                if entry.is_folder:
                    open_folders[entry.path] = os.open(
                        entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder
                    )
        finally:
            for descriptor in open_folders.values():
                os.close(descriptor)

    def entry(self, source: int, name: str, status: os.stat_result, folder: int, called: str) -> None:
        """Copy one entry; a folder without what is in it."""
        kind = stat.S_IFMT(status.st_mode)
        here, there = f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{folder}/{called}"
        if kind == stat.S_IFDIR:
            self._make_folder(folder, called)
        else:
            self._make_room(folder, called)
            earlier = self.links.get((status.st_dev, status.st_ino)) if status.st_nlink > 1 else None
            if earlier is not None:
                os.link(earlier, there, follow_symlinks=False)
                return
            if kind == stat.S_IFREG:
                files.copy_content(name, called, source_folder=source, target_folder=folder)
            elif kind == stat.S_IFLNK:
                os.symlink(os.readlink(name, dir_fd=source), called, dir_fd=folder)
            elif kind == stat.S_IFSOCK:
                return
            else:
                os.mknod(called, status.st_mode, status.st_rdev, dir_fd=folder)
            if status.st_nlink > 1:
                self.links[status.st_dev, status.st_ino] = f"{self._remembered(folder)}/{called}"
        self._metadata(here, there, status, folder)

    def _make_folder(self, folder: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise JobFailed(f"cannot copy to non-directory: {self._shown(folder, name)}") from None

    def _make_room(self, folder: int, name: str) -> None:
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise JobFailed(f"cannot copy to non-directory: {self._shown(folder, name)}")
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return

    def _shown(self, folder: int, name: str) -> str:
        root = os.readlink(f"/proc/self/fd/{self.root}").rstrip("/")
        return f"{self._remembered(folder)[len(root) :].rstrip('/')}/{name}"

    def _metadata(self, here: str, there: str, status: os.stat_result, folder: int) -> None:
        owner = self.owner or ((status.st_uid, status.st_gid) if self.owned else (0, 0))
        os.chown(there, *owner, follow_symlinks=False)
        link = stat.S_ISLNK(status.st_mode)
        if not link:
            mode = stat.S_IMODE(status.st_mode)
            os.chmod(there, changed_mode(self.mode, status.st_mode) if self.mode else mode)
        for attribute, value in attributes_of(here, every=self.owned):
            try:
                os.setxattr(there, attribute, value, follow_symlinks=False)
            except OSError:
                continue
        times = (status.st_atime_ns, status.st_mtime_ns) if self.created is None else (self.created * 10**9,) * 2
        if stat.S_ISDIR(status.st_mode):
            name = there.rpartition("/")[2]
            self.times.append((f"{self._remembered(folder).rstrip('/')}/{name}", times))
        else:
            os.utime(there, ns=times, follow_symlinks=False)

    def parents_of(self, source: Root, path: str, base: str, destination: str) -> str:
        """--parents: make the folders of a source below the destination as they are in the source; returns where it goes to."""
        walked, target = base.strip("/"), destination.rstrip("/")
        relative = path[len(walked) :].lstrip("/") if walked else path
        parent = posixpath.dirname(relative)
        for name in parent.split("/") if parent else []:
            here = source.open(walked or ".", os.O_PATH | os.O_DIRECTORY)
            folder = self.folder(target or "/")
            try:
                status = os.stat(name, dir_fd=here, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    self.entry(here, name, status, folder, name)
            finally:
                os.close(here)
                os.close(folder)
            walked, target = f"{walked}/{name}".lstrip("/"), f"{target}/{name}"
        return target + "/"

    def inline(self, name: str, text: str, destination: str) -> None:
        """Write a here-document."""
        folder, called = self.target(destination, name)
        try:
            self._make_room(folder, called)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            outgoing = os.open(called, flags, 0o600, dir_fd=folder)
            try:
                files.write_all(outgoing, text.encode("utf-8", "surrogateescape"))
                os.fchown(outgoing, *(self.owner or (0, 0)))
                os.fchmod(outgoing, changed_mode(self.mode, stat.S_IFREG | 0o644) if self.mode else 0o644)
                if self.created is not None:
                    os.utime(outgoing, (self.created, self.created))
            finally:
                os.close(outgoing)
        finally:
            os.close(folder)

    def finish(self) -> None:
        """Set the times of folders, now that nothing is put into them any more."""
        for path, times in reversed(self.times):
            os.utime(path, ns=times, follow_symlinks=False)
        os.close(self.root)
