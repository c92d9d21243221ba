"""Starting a container's process by its OCI runtime, with pipes or a TTY whose other ends the monitor holds."""

from __future__ import annotations

import os

from hyperbox.engine import control
from hyperbox.engine.state import Container, Roots
from hyperbox.runtime.adapters import Start, adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from hyperbox.runtime.adapters import Adapter


class Stdio:
    """The monitor's ends of a process's streams: descriptors, -1 where there is none. With a TTY, `stdin` is a copy of `stdout`."""

    __slots__ = ("stderr", "stdin", "stdout", "tty")

    def __init__(self, stdin: int, stdout: int, stderr: int, *, tty: bool) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.tty = tty


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


def make_pipes(*, stdin: bool, joins: bool) -> Ends:
    """Return pipes for stdout and stderr, and for stdin or /dev/null in its place; `joins`: for a process that joins a container."""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    if stdin:
        in_read, in_write = os.pipe()
    else:
        in_read, in_write = shielded_null() if joins else os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
    return Ends(Stdio(in_write, out_read, err_read, tty=False), (in_read, out_write, err_write))


def shielded_null() -> int:
    """Return a descriptor of /dev/null whose owner and mode can't be changed through it.

    crun gives streams to the user of an exec by fchown(2), and any process can change the mode of what it owns: this would be the host's
    /dev/null. Of a mount that is read-only, and attached nowhere, it can be used as ever. A container's first process gets one of its own.
    """
    from hyperbox.kernel import syscalls

    try:
        tree = syscalls.open_tree("/dev/null")
    except OSError:  # /dev is no mount of this namespace's own
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.make_read_only(tree)
        return os.open(f"/proc/self/fd/{tree}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # an old kernel
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(tree)


def null_ends() -> Ends:
    """Return ends for a runtime that hands a TTY's descriptor over instead."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    return Ends(Stdio(-1, -1, -1, tty=True), (null, null, null))


class Starting:
    """A container's process that is being started: its streams are made, and its runtime may be waiting; see `adapters.Start`.

    This process must be a subreaper, whose child the container's process becomes, and stand in the bundle's folder.
    """

    __slots__ = ("_opened", "start")

    def __init__(self, roots: Roots, container: Container) -> None:
        folder = roots.container_run(container.id)
        tty, stdin = bool(container.config.get("Tty")), bool(container.config.get("OpenStdin"))
        runtime = runtime_of(roots, container)
        opened = Opened("console.sock" if tty else "", stdin=stdin)
        self._opened: Opened | None = opened
        self.start = Start(runtime, folder, container.id, opened.ends.theirs, opened.console)

    def finish(self) -> tuple[int, Stdio]:
        """Return the process's pid and our ends of its streams. Raises EngineError with docker's words."""
        opened, self._opened = self._opened, None
        assert opened is not None
        try:
            pid = self.start.finish()
        except BaseException:
            opened.give_up()
            raise
        return pid, opened.settle()

    def abandon(self) -> None:
        """Let nothing come of it; does nothing once `finish` was called."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self.start.abandon()
            opened.give_up()


def start_process(roots: Roots, container: Container) -> tuple[int, Stdio]:
    """Start the container's process from the bundle that is there, and return its pid and our ends of its streams; see `Starting`.

    Raises EngineError with docker's words.
    """
    starting = Starting(roots, container)
    starting.start.spawn()
    return starting.finish()


def start_exec(
    roots: Roots, container: Container, process_file: str, *, stdin: bool, console: str = ""
) -> tuple[int, Stdio]:
    """Start one more process, described by `process_file`, and return its pid and our ends of its streams; see `start_process`.

    `console` names a socket in the present folder where the process has a TTY.
    """
    runtime = runtime_of(roots, container)
    pid_file = f"{process_file}.pid"
    try:
        return with_streams(
            lambda ends, console_socket: runtime.exec(
                container.id,
                process_file,
                pid_file,
                stdin=ends.theirs[0],
                stdout=ends.theirs[1],
                stderr=ends.theirs[2],
                console_socket=console_socket,
            ),
            console,
            stdin=stdin,
        )
    finally:
        forget(pid_file)


class Opened:
    """The streams of a process to come: pipes, or a console socket of that name which is served for its runtime."""

    __slots__ = ("_listener", "console", "ends")

    def __init__(self, console: str, *, stdin: bool, joins: bool = False) -> None:
        self.console = console
        self.ends = null_ends() if console else make_pipes(stdin=stdin, joins=joins)
        self._listener: _socket.socket | None = None
        if console:
            forget(console)
            try:
                self._listener = control.listen(".", console, backlog=1)
            except BaseException:
                self.give_up()
                raise

    def settle(self) -> Stdio:
        """The process has its ends: return ours."""
        self.ends.close_theirs()
        if self._listener is None:
            return self.ends.ours
        stdio = receive_terminal(self._listener)
        forget(self.console)
        return stdio

    def give_up(self) -> None:
        """There will be no process."""
        self.ends.close_theirs()
        self.ends.close_ours()
        if self._listener is not None:
            self._listener.close()


def with_streams(start: Callable[[Ends, str], int], console: str, *, stdin: bool) -> tuple[int, Stdio]:
    """Call `start` with pipes, or with the name of a console socket that is served for it; returns what it does and our ends."""
    opened = Opened(console, stdin=stdin, joins=True)
    try:
        pid = start(opened.ends, console)
    except BaseException:
        opened.give_up()
        raise
    return pid, opened.settle()


def runtime_of(roots: Roots, container: Container) -> Adapter:
    """Return the adapter of the container's OCI runtime. Raises Unavailable, EngineError."""
    return adapter(str(container.host_config.get("Runtime") or ""), runtime_folder(roots), roots.reached)


def runtime_folder(roots: Roots) -> str:
    """Return where the OCI runtimes keep their state."""
    return f"{roots.run}/runtime"


def forget(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


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
