"""`docker cp`, `diff`, `export` and `commit`."""

from __future__ import annotations

import os
import sys

from hyperbox import files
from hyperbox.cli.connect import engine_for
from hyperbox.cli.output_file import check_target
from hyperbox.errors import EngineError, HyperBoxError, NotFound
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperbox.engine.api import Engine
    from hyperbox.grammar.parse import Invocation
    from hyperbox.image.tar_reader import Entry

    Json = dict[str, object]

KINDS = {0: "C", 1: "A", 2: "D"}
GO_DIRECTORY, GO_SYMLINK = 1 << 31, 1 << 27
CHUNK = 1 << 20


def diff(invocation: Invocation) -> int:
    """docker diff CONTAINER"""
    for change in engine_for(invocation).container_changes(invocation.arguments[0]):
        sys.stdout.write(f"{KINDS[int(str(change['Kind']))]} {change['Path']}\n")
    return 0


def export(invocation: Invocation) -> int:
    """docker export CONTAINER"""
    target = str(invocation.flags["output"])
    if not target and os.isatty(1):
        raise HyperBoxError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    chunks = engine_for(invocation).container_export(invocation.arguments[0])
    write_chunks(chunks, target)
    return 0


def write_chunks(chunks: Iterator[bytes], target: str, verb: str = "export container") -> None:
    """Write to stdout, or to a file that appears when it is whole. Raises HyperBoxError, begun with "failed to VERB"."""
    if not target:
        from hyperbox.cli.attached import write_all

        for chunk in chunks:
            write_all(1, chunk)
        return
    check_target(target, f"failed to {verb}: ")
    files.write_whole(target, chunks)


def commit(invocation: Invocation) -> int:
    """docker commit CONTAINER [REPOSITORY[:TAG]]"""
    sys.stdout.write(f"{commit_container(invocation)}\n")
    return 0


def commit_container(invocation: Invocation) -> str:
    """Make an image of a container, by the arguments and flags of `commit`; returns the image's id."""
    flags = invocation.flags
    container, *names = invocation.arguments
    name = names[0] if names else ""
    last = name.rpartition("/")[2]
    tag = last.partition(":")[2]
    if name:
        from hyperbox.cli.image_transfer import user_reference

        user_reference(name)
    return engine_for(invocation).container_commit(
        container,
        repository=name.removesuffix(f":{tag}") if tag else name,
        tag=tag,
        comment=str(flags["message"]),
        author=str(flags["author"]),
        pause=bool(flags["pause"]),
        changes=words_of(flags["change"]),
    )


# --- cp -----------------------------------------------------------------------------------------------------------------------
def split_place(text: str) -> tuple[str, str]:
    """Return (container, path); a path of this machine has no container. What begins with / or . is never a container's."""
    if text == "-" or text[:1] in ("/", "."):
        return "", text
    container, colon, path = text.partition(":")
    return (container, path) if colon and "/" not in container else ("", text)


def copy(invocation: Invocation) -> int:
    """docker cp CONTAINER:SRC DEST|-  or  docker cp SRC|- CONTAINER:DEST"""
    source, target = invocation.arguments
    if not source or not target:
        raise HyperBoxError(f"{'source' if not source else 'destination'} can not be empty")
    from_container, from_path = split_place(source)
    to_container, to_path = split_place(target)
    if from_container and to_container:
        raise HyperBoxError("copying between containers is not supported")
    engine = engine_for(invocation)
    if from_container:
        return copy_out(engine, invocation, from_container, from_path, to_path)
    if to_container:
        return copy_in(engine, invocation, from_path, to_container, to_path)
    raise HyperBoxError("must specify at least one container source")


def tell(invocation: Invocation, size: int, place: str) -> None:
    """Say on a terminal how much was copied."""
    told = not invocation.flags["quiet"] if "quiet" in invocation.given else os.isatty(1) and os.isatty(2)
    if told:
        from hyperbox.go.units import human_size

        sys.stderr.write(f"Successfully copied {human_size(size)} to {place}\n")


class ChunkReader:
    """A file to read made of chunks; `size` counts the bytes that went through."""

    __slots__ = ("chunks", "held", "size")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.held = b""
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self.held) < size:
            chunk = next(self.chunks, b"")
            if not chunk:
                break
            self.held += chunk
            self.size += len(chunk)
        if size < 0:
            size = len(self.held)
        data, self.held = self.held[:size], self.held[size:]
        return data


def _mode(described: Json) -> int:
    return int(str(described["mode"]))


def copy_out(engine: Engine, invocation: Invocation, container: str, path: str, target: str) -> int:
    """Copy from a container to this machine; "-" is a tar on stdout."""
    flags = invocation.flags
    if target != "-" and not os.path.isdir(os.path.dirname(os.path.abspath(target.rstrip("/") or "/"))):
        folder = os.path.dirname(os.path.abspath(target))
        raise HyperBoxError(f'invalid output path: directory "{folder}" does not exist')
    if flags["follow-link"]:
        described = engine.container_archive_stat(container, path)
        path = str(described["linkTarget"]) if _mode(described) & GO_SYMLINK else path
    described, chunks = engine.container_archive_get(container, path)
    if target == "-":
        write_chunks(chunks, "")
        return 0
    reader = ChunkReader(chunks)
    folder, name = destination(target, path, str(described["name"]), directory=bool(_mode(described) & GO_DIRECTORY))
    size = unpack_here(reader, folder, str(described["name"]), name, keep_owner=bool(flags["archive"]))
    tell(invocation, size, target)
    return 0


def destination(target: str, path: str, name: str, *, directory: bool) -> tuple[str, str]:
    """Return the folder to unpack in and the name that the top entry gets ("" for its contents only), by cp's rules."""
    contents = path.endswith("/.") or name == "/"
    if os.path.isdir(target):
        return target, "" if contents else name
    if os.path.lexists(target):
        if directory:
            raise HyperBoxError("cannot copy directory")
        return os.path.dirname(os.path.abspath(target)), os.path.basename(target)
    if target.endswith("/") and not directory:
        raise HyperBoxError("no such directory")
    absolute = os.path.abspath(target)
    if contents:
        os.mkdir(absolute, 0o755)
        return absolute, ""
    return os.path.dirname(absolute), os.path.basename(absolute)


def unpack_here(reader: ChunkReader, folder: str, old: str, new: str, *, keep_owner: bool) -> int:
    """Unpack a tar into `folder`, its top entry `old` renamed to `new`, in a child whose root is that folder; returns the tar's length."""
    from hyperbox.process import wait

    uid, gid = os.getuid(), os.getgid()

    def adapt(member: Entry) -> None:
        name = member.name.strip("/")
        if new and new != old:
            member.name = rebased(name, old, new)
            if member.islnk():
                member.linkname = rebased(member.linkname.strip("/"), old, new)
        if not keep_owner:
            member.uid, member.gid = uid, gid

    from hyperbox.image.extract import unpack

    told, teller = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.umask(0)
            os.chdir(folder)
            os.chroot(".")
            unpack(lambda: reader.read(1 << 18), whiteouts=False, adapt=adapt)
            while reader.read(1 << 18):
                pass
            os.write(teller, str(reader.size).encode())
            code = 0
        except BaseException as error:
            reason = f"{error.filename}: {error.strerror}".lower() if isinstance(error, OSError) else str(error)
            sys.stderr.write(f"{reason}\n")
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.close(teller)
    with os.fdopen(told, "rb") as length:
        size = length.read()
    code = wait(pid)
    close_chunks(reader.chunks)
    if code != 0:
        from hyperbox.errors import ExitStatus

        raise ExitStatus(1)
    return int(size)


def rebased(name: str, old: str, new: str) -> str:
    """Return a path with its first part, `old`, replaced."""
    if name == old:
        return new
    return f"{new}/{name[len(old) + 1 :]}" if name.startswith(f"{old}/") else name


def container_stat(engine: Engine, container: str, path: str) -> Json | None:
    try:
        return engine.container_archive_stat(container, path)
    except NotFound as error:
        if "No such container" in error.message:
            raise
        return None


def close_chunks(chunks: Iterator[bytes]) -> None:
    """Let go of a stream before its end."""
    close = getattr(chunks, "close", None)
    if close is not None:
        try:
            close()
        except EngineError:
            pass


def copy_in(engine: Engine, invocation: Invocation, source: str, container: str, path: str) -> int:
    """Copy from this machine into a container; "-" is a tar on stdin."""
    flags = invocation.flags
    if source != "-" and not os.path.lexists(source.rstrip("/") or "/"):
        folder, name = os.path.split(os.path.abspath(source))
        raise HyperBoxError(f"lstat {folder}/{name}: no such file or directory")
    try:
        described = container_stat(engine, container, path)
    except NotFound:
        if source != "-":
            raise
        described = None  # docker tells of the destination first
    if described is not None and _mode(described) & GO_SYMLINK:
        path = str(described["linkTarget"])
        described = container_stat(engine, container, path)
    inside = described is not None and bool(_mode(described) & GO_DIRECTORY)
    if source == "-":
        if not inside:
            raise HyperBoxError(f'destination "{container}:{path}" must be a directory')
        engine.container_archive_put(container, path, sys.stdin.buffer, copy_owner=bool(flags["archive"]))
        return 0
    if source.endswith("/") and not os.path.isdir(source):
        raise HyperBoxError("not a directory")
    real = os.path.realpath(source) if flags["follow-link"] or source.endswith("/") else source
    folder, name = _place(source, real, path, exists=described is not None, inside=inside)
    length = with_tar(engine, container, folder, real, name, copy_owner=bool(flags["archive"]))
    tell(invocation, length, f"{container}:{path}")
    return 0


def _place(source: str, real: str, path: str, *, exists: bool, inside: bool) -> tuple[str, str]:
    """Return the container's folder to unpack in, and the name of the top entry ("." for its contents only)."""
    directory = os.path.isdir(real) and not os.path.islink(real)
    contents = source.endswith("/.") and directory
    name = os.path.basename(os.path.abspath(source))
    if inside:
        return path, "." if contents else name
    if exists and directory:
        raise HyperBoxError("cannot copy directory")
    if not exists and path.endswith("/") and not directory:
        raise HyperBoxError("no such directory")
    clean = os.path.normpath("/" + path.lstrip("/"))
    return os.path.dirname(clean), os.path.basename(clean)


def with_tar(engine: Engine, container: str, folder: str, source: str, name: str, *, copy_owner: bool) -> int:
    """Put a local file or folder into a container as a tar that a child of ours makes as it is read; returns the tar's length."""
    from hyperbox.engine.tree_tar import write_tree
    from hyperbox.process import wait

    reader, writer = os.pipe()
    told, teller = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            os.write(teller, str(write_tree(writer, source, name)).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    os.close(teller)
    with os.fdopen(told, "rb") as length, os.fdopen(reader, "rb") as stream:
        engine.container_archive_put(container, folder, stream, no_overwrite=True, copy_owner=copy_owner)
        size = length.read()
    if wait(pid) != 0:
        raise HyperBoxError(f"could not read {source}")
    return int(size)
