"""Files in and out of containers: cp, export and commit.

All of it works in a child process whose root is the container's (chroot(2)): nothing that a container holds, and no name or link in an
archive, leads out of it. The root of a running container is that of its first process, with all that is mounted there; a stopped one's
overlay and volumes are mounted in the child's own mount namespace and go with the child.
"""

from __future__ import annotations

import os
import stat
import sys

from hyperbox import files, process
from hyperbox.engine import life_events, rootfs
from hyperbox.engine.events import Happening, emit, emit_all, of_container
from hyperbox.engine.state import find_container
from hyperbox.engine.tree_tar import CHUNK, write_tree
from hyperbox.errors import EngineError, HyperBoxError, InvalidParameter, NotFound
from hyperbox.image.deep import Reach
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from hyperbox.engine.state import Container, Roots
    from hyperbox.image.tar_reader import Entry

    Json = dict[str, object]

GO_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}


# --- the child ----------------------------------------------------------------------------------------------------------------
def enter_root(roots: Roots, container: Container, *, bare: bool = False) -> None:
    """Make the container's root this process's own, `bare`: without anything that is mounted in it. Only for a child that ends soon."""
    if container.status in ("running", "paused") and container.pid:
        root = -1 if not bare else _mounted_root(container)
        if root < 0:
            root = os.open(f"/proc/{container.pid}/root", os.O_PATH | os.O_DIRECTORY)
        elif bare:
            rootfs.prepare_hidden_points(f"/proc/self/fd/{root}")
    else:
        root = _mount_again(roots, container, bare=bare)
    os.fchdir(root)
    os.chroot(".")
    os.close(root)


def _mounted_root(container: Container) -> int:
    """Return a descriptor of a running container's root as its monitor has mounted it, -1 where that is not to be had."""
    try:
        return os.open(
            f"/proc/{container.state['Monitor']}/root{container.folder()}/merged", os.O_PATH | os.O_DIRECTORY
        )
    except OSError:
        return -1


def _mount_again(roots: Roots, container: Container, *, bare: bool) -> int:
    """Mount the root of a container that does not run, with what every root has, and return a descriptor of it."""
    syscalls.private_mounts()
    folder = container.folder()
    layers = container.record["Layers"]
    assert isinstance(layers, list)
    target = f"{folder}/merged"
    rootfs.mount_rootfs([str(layer) for layer in layers], f"{folder}/upper", f"{folder}/work", target)
    rootfs.prepare_mount_points(target)
    rootfs.prepare_hidden_points(target)
    try:
        rootfs.prepare_working_dir(target, str(container.config.get("WorkingDir") or ""))
    except EngineError:  # it will be told at the start
        pass
    root = os.open(target, os.O_PATH | os.O_DIRECTORY)
    if not bare:
        _mount_volumes(roots, container, root)
    return root


def _mount_volumes(roots: Roots, container: Container, root: int) -> None:
    """Mount the container's volumes and binds into its root, as they are when it runs; what can't be there is left out."""
    from hyperbox.engine import mounts, volumes

    for point in sorted(volumes.points(container), key=lambda point: str(point["Destination"])):
        if point["Type"] not in ("volume", "bind"):
            continue
        try:
            source = str(mounts.oci_mount(roots, container, point)["source"])
            target = _mount_target(root, str(point["Destination"]), folder=os.path.isdir(source))
        except (HyperBoxError, OSError):
            continue
        try:
            syscalls.mount(source, f"/proc/self/fd/{target}", "", syscalls.MS_BIND | syscalls.MS_REC)
            if not point["RW"]:
                flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY
                syscalls.mount("", f"/proc/self/fd/{target}", "", flags)
        except OSError:
            pass
        os.close(target)


def _mount_target(root: int, path: str, *, folder: bool) -> int:
    """Return a descriptor of the place of a mount in the container's root; a folder is made where it is missing. Raises OSError."""
    return rootfs.make_folder(root, path) if folder else rootfs.open_in_root(root, path, os.O_PATH)


class Refused(Exception):
    """The child can't do it: the HTTP status, and docker's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Answer:
    """What a child tells its parent by `descriptor`: one line of JSON, and what may follow."""

    __slots__ = ("begun", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.begun = False

    def begin(self, line: Json) -> None:
        """Write the line."""
        self.begun = True
        os.write(self.descriptor, (files.dumps(line) + "\n").encode())


def in_child(
    roots: Roots, container: Container, action: Callable[[Answer], None], *, bare: bool = False
) -> tuple[int, int]:
    """Run `action` in a child with the container's root (`bare`: see `enter_root`); returns (pid, descriptor to read from).

    The child first writes one line of JSON: what `action` begins its answer with, or {"error", "status"}. Where it fails after that, its exit
    code tells.
    """
    import tarfile

    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    code = 1
    answer = Answer(writer)
    try:
        os.close(reader)
        tarfile.TarInfo("x").tobuf(tarfile.PAX_FORMAT)  # its codecs are loaded before the root changes
        enter_root(roots, container, bare=bare)
        os.umask(0)
        action(answer)
        code = 0
    except BaseException as error:
        status = error.status if isinstance(error, (Refused, EngineError)) else 500
        message = f"{error.filename}: {error.strerror}".lower() if isinstance(error, OSError) else str(error)
        try:
            if not answer.begun:
                answer.begin({"error": message, "status": status})
        except OSError:
            pass
    finally:
        os._exit(code)


def beginning(pid: int, reader: int) -> tuple[Json, bytes]:
    """See `first_line`; where that fails the child is waited for."""
    try:
        return first_line(reader)
    except BaseException:
        os.close(reader)
        process.wait(pid)
        raise


def first_line(reader: int) -> tuple[Json, bytes]:
    """Return the child's line as JSON, and the bytes that were read past it. Raises EngineError with the child's error."""
    data = b""
    while b"\n" not in data:
        chunk = os.read(reader, 65536)
        if not chunk:
            raise EngineError("the files could not be read")
        data += chunk
    line, _, rest = data.partition(b"\n")
    value = files.loads(line.decode())
    assert isinstance(value, dict)
    if "error" in value:
        kinds = {404: NotFound, 400: InvalidParameter}
        raise kinds.get(int(str(value["status"])), EngineError)(str(value["error"]))
    return value, rest


def stream(pid: int, reader: int, rest: bytes) -> Iterator[bytes]:
    """Yield what the child writes, to its end. Raises EngineError where it failed on the way.

    It may be read in a fork of the process that calls this; the caller closes it, and so waits for the child.
    """
    return _read_on(pid, reader, rest, os.getpid())


def _read_on(pid: int, reader: int, rest: bytes, owner: int) -> Iterator[bytes]:
    code = 0
    try:
        if rest:
            yield rest
        while chunk := os.read(reader, CHUNK):
            yield chunk
    finally:
        os.close(reader)
        if os.getpid() == owner:
            code = process.wait(pid)
    if code:
        raise EngineError("unexpected EOF: the files changed or could not be read")


def prepare_root(roots: Roots, container: Container) -> None:
    """Have a child make what a start would make in the root of a container that does not run. Raises EngineError."""
    pid, reader = in_child(roots, container, lambda answer: answer.begin({}), bare=True)
    beginning(pid, reader)
    os.close(reader)
    process.wait(pid)


# --- out ----------------------------------------------------------------------------------------------------------------------
def container_archive_get(roots: Roots, reference: str, path: str) -> tuple[Json, Iterator[bytes]]:
    """See `engine.api.Engine.container_archive_get`."""
    container, described, pid, reader, rest = begin_reading(roots, reference, path, whole=True)
    emit_all(roots, life_events.while_mounted(container, of_container("archive-path", container)))
    return described, stream(pid, reader, rest)


def container_archive_stat(roots: Roots, reference: str, path: str) -> Json:
    """See `engine.api.Engine.container_archive_stat`."""
    container, described, pid, reader, _ = begin_reading(roots, reference, path, whole=False)
    os.close(reader)
    process.wait(pid)
    emit_all(roots, life_events.while_mounted(container))
    return described


def begin_reading(roots: Roots, reference: str, path: str, *, whole: bool) -> tuple[Container, Json, int, int, bytes]:
    """Have a child read `path` in a container's files: its stat first, then (`whole`) a tar of it. Raises EngineError.

    Returns the container, the stat, the child's pid, the pipe from it and what was read from there beyond the stat.
    """
    container = find_container(roots, reference)
    if not path:
        raise InvalidParameter("bad parameter: pathcannot be empty")

    def action(answer: Answer) -> None:
        clean = os.path.normpath("/" + path.lstrip("/"))
        try:
            real = clean if not path.endswith(("/", "/.")) else os.path.realpath(clean)
            status = os.lstat(real)
        except (FileNotFoundError, NotADirectoryError):
            raise Refused(404, f"Could not find the file {path} in container {reference}") from None
        if path.endswith(("/", "/.")) and not stat.S_ISDIR(status.st_mode):
            raise Refused(400, f"lstat {path}: not a directory")
        name = os.path.basename(clean) or "/"
        answer.begin(path_stat(name, real, status))
        if whole:
            write_tree(answer.descriptor, real, "." if path.endswith("/.") or name == "/" else name)

    pid, reader = in_child(roots, container, action)
    try:
        described, rest = beginning(pid, reader)
    except BaseException:
        emit_all(roots, life_events.while_mounted(container))
        raise
    return container, described, pid, reader, rest


def path_stat(name: str, path: str, status: os.stat_result) -> Json:
    """Return the API's ContainerPathStat; the mode is Go's FileMode."""
    kind = stat.S_IFMT(status.st_mode)
    mode = status.st_mode & 0o777 | GO_KINDS.get(kind, 0)
    for bit, go_bit in ((0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)):
        mode |= go_bit if status.st_mode & bit else 0
    return {
        "name": name,
        "size": status.st_size,
        "mode": mode,
        "mtime": files_time(status.st_mtime),
        "linkTarget": os.path.realpath(path) if kind == stat.S_IFLNK else "",
    }


def files_time(seconds: float) -> str:
    """Return a time as RFC 3339."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def container_export(roots: Roots, reference: str) -> Iterator[bytes]:
    """See `engine.api.Engine.container_export`: the root without what is mounted in it."""
    container = find_container(roots, reference)

    def action(answer: Answer) -> None:
        answer.begin({})
        write_tree(answer.descriptor, "/", ".", one_device=True)

    pid, reader = in_child(roots, container, action, bare=True)
    _, rest = beginning(pid, reader)
    emit(roots, "export", container)
    return stream(pid, reader, rest)


def check_writable(container: Container, path: str) -> None:
    """Raise Refused where a folder of a container may not be written to: it is on a read-only root, or in a read-only mount."""
    mounts = container.record.get("Mounts")
    best, writable = "", not container.host_config.get("ReadonlyRootfs")
    for mount in mounts if isinstance(mounts, list) else []:
        target = str(mount["Destination"]).rstrip("/")
        if (path == target or path.startswith(f"{target}/")) and len(target) > len(best):
            best, writable = target, bool(mount["RW"])
    if not writable:
        raise Refused(400, f"{'mounted volume' if best else 'container rootfs'} is marked read-only")


# --- in -----------------------------------------------------------------------------------------------------------------------
def container_archive_put(
    roots: Roots, reference: str, path: str, source: BinaryIO, *, no_overwrite: bool = False, copy_owner: bool = False
) -> None:
    """See `engine.api.Engine.container_archive_put`."""
    container = find_container(roots, reference)
    done: list[Happening] = []
    try:
        unpack_into(
            roots, container, path, source, no_overwrite=no_overwrite, copy_owner=copy_owner, reference=reference
        )
        done.append(of_container("extract-to-dir", container))
    finally:
        emit_all(roots, life_events.while_mounted(container, *done))


def enter_folder(path: str, reference: str) -> None:
    """Make a folder of the container's, whose root is this process's, the current one. Raises Refused with docker's words."""
    try:
        os.chdir(os.path.normpath("/" + path.lstrip("/")))
    except NotADirectoryError:
        raise Refused(400, "extraction point is not a directory") from None
    except FileNotFoundError:
        raise Refused(404, f"Could not find the file {path} in container {reference}") from None


def unpack_into(
    roots: Roots,
    container: Container,
    path: str,
    source: BinaryIO,
    *,
    no_overwrite: bool = False,
    copy_owner: bool = False,
    reference: str = "",
) -> None:
    """Unpack a tar below a folder of a container; `reference` is what messages call it. Raises EngineError."""
    from hyperbox.image.decompress import Decompressed
    from hyperbox.image.extract import clean as below
    from hyperbox.image.extract import unpack

    # begun here, for what it loads is not in the container
    stream = Decompressed(source, limit=1 << 42, hashed=False)
    reach = Reach()
    place = ""  # the folder to unpack in, as the container's own root has it; "" for that root

    def adapt(member: Entry) -> None:
        if ".." in member.name.split("/") and os.path.normpath(member.name).startswith(".."):
            raise Refused(400, f'invalid entry name "{member.name}"')
        clean = os.path.normpath(f"{place}/{below(member.name)}")
        member.name = clean
        if member.kind == "1":
            member.linkname = f"{place}/{below(member.linkname)}"
        if no_overwrite and clean != (place or "/") and os.path.lexists(reached := reach.near(clean)):
            there = os.path.isdir(reached) and not os.path.islink(reached)
            if there != member.isdir():
                kind, other = ("directory", "non-directory") if there else ("non-directory", "directory")
                raise Refused(400, f'cannot overwrite {kind} "{clean}" with {other} "{place or "/"}"')
        if not copy_owner:
            member.uid = member.gid = 0

    def action(answer: Answer) -> None:
        enter_folder(path, reference)
        nonlocal place
        # the root stays the container's: its links lead where they lead for the container
        place = os.getcwd().rstrip("/")
        check_writable(container, place or "/")
        unpack(stream.chunk, whiteouts=False, adapt=adapt, reach=reach)
        answer.begin({})

    pid, reader = in_child(roots, container, action)
    try:
        first_line(reader)
    finally:
        os.close(reader)
        process.wait(pid)


# --- commit -------------------------------------------------------------------------------------------------------------------
def container_commit(
    roots: Roots,
    reference: str,
    *,
    repository: str,
    tag: str,
    comment: str,
    author: str,
    pause: bool,
    changes: Sequence[str],
) -> str:
    """See `engine.api.Engine.container_commit`."""
    from hyperbox.engine.commit import commit

    return commit(
        roots,
        find_container(roots, reference),
        repository=repository,
        tag=tag,
        comment=comment,
        author=author,
        pause=pause,
        changes=changes,
    )
