"""Starting a container's process by its OCI runtime, with pipes or a TTY whose other ends the monitor holds."""

from __future__ import annotations

import os

from hyperbox import process
from hyperbox.engine import control
from hyperbox.engine.monitor_streams import Stdio
from hyperbox.engine.runtime_errors import start_error
from hyperbox.engine.state import Container, Roots
from hyperbox.runtime.adapters import adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]


class Ends:
    """Both ends of a process's streams. `theirs` are what the process gets; closed by `close_theirs` once it has them."""

    __slots__ = ("ours", "theirs")

    def __init__(self, ours: Stdio, theirs: tuple[int, int, int]) -> None:
        self.ours = ours
        self.theirs = theirs

    def close_theirs(self) -> None:
        for descriptor in set(self.theirs):
            os.close(descriptor)

    def close_ours(self) -> None:
        for descriptor in {self.ours.stdin, self.ours.stdout, self.ours.stderr} - {-1}:
            os.close(descriptor)


def make_pipes(*, stdin: bool) -> Ends:
    """Return pipes for stdout and stderr, and for stdin or /dev/null in its place."""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    if stdin:
        in_read, in_write = os.pipe()
    else:
        in_read, in_write = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
    return Ends(Stdio(in_write, out_read, err_read, tty=False), (in_read, out_write, err_write))


def null_ends() -> Ends:
    """Return ends for a runtime that hands a TTY's descriptor over instead."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    return Ends(Stdio(-1, -1, -1, tty=True), (null, null, null))


def start_process(roots: Roots, container: Container) -> tuple[int, Stdio]:
    """Start the container's process from its bundle and return its pid and our ends of its streams.

    The process is then a child of this one, which must be a subreaper. Raises EngineError with docker's words.
    """
    folder = roots.container_run(container.id)
    tty = bool(container.config.get("Tty"))
    runtime = adapter(str(container.host_config.get("Runtime") or ""))
    ends = null_ends() if tty else make_pipes(stdin=bool(container.config.get("OpenStdin")))
    console = control.listen(folder, "console.sock", backlog=1) if tty else None
    log = f"{folder}/runtime.log"
    argv = runtime.run_command(
        f"{roots.run}/runtime", container.id, folder, f"{folder}/pid", log, console="console.sock" if tty else ""
    )
    child = process.spawn(argv, stdin=ends.theirs[0], stdout=ends.theirs[1], stderr=ends.theirs[2])
    ends.close_theirs()
    code = process.wait(child)
    if code != 0:
        said = b"" if tty else read_all(ends.ours.stderr)
        ends.close_ours()
        if console is not None:
            console.close()
        words = [str(container.record["Path"]), *map(str, container.record["Args"])]  # type: ignore[call-overload]
        raise start_error(
            log, said.decode("utf-8", "replace"), code, words, str(container.config.get("WorkingDir") or "/")
        )
    stdio = ends.ours if console is None else receive_terminal(console)
    return int(read_small(f"{folder}/pid")), stdio


def receive_terminal(console: object) -> Stdio:
    """Take the TTY's descriptor that the runtime has sent to the console socket."""
    import _socket

    assert isinstance(console, _socket.socket)
    channel = control.accept(console)
    _data, ancillary, _flags, _address = channel.recvmsg(4096, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    terminal = int.from_bytes(ancillary[0][2][:4], "little")
    channel.close()
    console.close()
    return Stdio(os.dup(terminal), terminal, -1, tty=True)


def read_all(descriptor: int, limit: int = 65536) -> bytes:
    """Return what a pipe holds whose other end is closed, up to `limit` bytes."""
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, limit)
    except OSError:
        return b""


def read_small(path: str) -> str:
    """Return a small text file's content."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
