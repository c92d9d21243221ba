"""OCI runtimes behind one small interface; how they differ is data. Errors come in the Docker Engine's words.

A runtime is started by path with the state folder that it is given, so that containers of two roots never meet. Its messages
go to a log file in the bundle: a detached container inherits the runtime's own streams, which therefore can't carry them. crun
also tells its last words on those streams when a start fails, so a caller drops what came in before the failure.
"""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.errors import EngineError, Unavailable
from hyperbox.kernel import moves
from hyperbox.runtime import filters
from hyperbox.runtime.words import exec_failure, start_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Json = dict[str, object]
    Streams = tuple[int | None, int | None, int | None]

# the descriptor under which a runtime finds its configuration
CONFIG = 3


class Kind:
    """What is particular to one runtime: its program, its options before the verb, the option of `update` that takes limits, the
    annotation in which it takes a compiled seccomp filter ("" for none), and whether a start can be done in steps (see `Start`)."""

    __slots__ = ("filter_annotation", "in_steps", "options", "program", "update_option")

    def __init__(
        self,
        program: str,
        options: tuple[str, ...],
        update_option: str,
        *,
        filter_annotation: str = "",
        in_steps: bool = False,
    ) -> None:
        self.program = program
        self.options = options
        self.update_option = update_option
        self.filter_annotation = filter_annotation
        self.in_steps = in_steps


KINDS = {
    "crun": Kind(
        "crun",
        ("--cgroup-manager=cgroupfs", "--log-format=text"),
        "--resources",
        filter_annotation="run.oci.seccomp_bpf_data",
        in_steps=True,
    ),
    "runc": Kind("runc", ("--log-format=text",), "--resources"),
}
DEFAULT_ORDER = ("crun", "runc")
# tells crun and runc that their program is safe from the container; they check that it lies on a read-only mount
CLONED = "_LIBCONTAINER_CLONED_BINARY"
API_NAMES = {"": "", "io.containerd.runc.v2": "runc", "docker-runc": "runc"}


def runtime_names() -> list[str]:
    """Return the names of the runtimes that are installed, the default one first."""
    return [name for name in DEFAULT_ORDER if process.find_program(KINDS[name].program)]


def adapter(name: str, state_folder: str, reached: Callable[[str], None] = lambda step: None) -> Adapter:
    """Return the adapter of a runtime ("" for the first one installed); `state_folder` is where it keeps its state, `reached` hears of
    steps (`engine.state.Roots.reached`).

    Raises Unavailable where it is not installed, EngineError with docker's words for a name that nobody knows.
    """
    wanted = API_NAMES.get(name, name)
    if wanted and wanted not in KINDS:
        raise EngineError(f"unknown or invalid runtime name: {name}")
    for candidate in (wanted,) if wanted else DEFAULT_ORDER:
        path = process.find_program(KINDS[candidate].program)
        if path is not None:
            return Adapter(candidate, path, f"{state_folder}/{candidate}", reached)
    missing = wanted or DEFAULT_ORDER[0]
    raise Unavailable(
        f"the OCI runtime {missing} is not installed", hint=f"install it, on Debian and Ubuntu: apt install {missing}"
    )


class Adapter:
    """One runtime. Its methods return when the runtime has; a container's or exec's first process is the caller's to wait for
    where the caller is a subreaper (`syscalls.become_subreaper`).
    """

    __slots__ = ("kind", "name", "path", "reached", "state_folder")

    def __init__(self, name: str, path: str, state_folder: str, reached: Callable[[str], None]) -> None:
        self.reached = reached
        self.name = name
        self.path = path
        self.state_folder = state_folder
        self.kind = KINDS[name]

    def command(self, *words: str, log: str = "") -> list[str]:
        """Return the command line of a verb; messages are appended to the file `log` where it is given."""
        return [self.path, *self.kind.options, *((f"--log={log}",) if log else ()), "--root", self.state_folder, *words]

    def write_bundle(self, bundle: str, config: Json) -> None:
        """Write `config` (OCI) to `bundle`/config.json."""
        files.write_json(f"{bundle}/config.json", self._with_filter(bundle, config))

    def _with_filter(self, bundle: str, config: Json) -> Json:
        """Return `config` with its seccomp profile compiled already, where that was done before.

        Where it was not, what the runtime compiles is kept: the link `bundle`/filter says under which key.
        """
        linux = config.get("linux")
        profile = linux.get("seccomp") if isinstance(linux, dict) else None
        if isinstance(linux, dict) and isinstance(profile, dict) and self.kind.filter_annotation:
            name = filters.key(profile, self.path)
            program = filters.compiled(self.state_folder, name)
            _forget(f"{bundle}/filter")
            if program:
                annotations = config.get("annotations")
                others = annotations if isinstance(annotations, dict) else {}
                linux = {key: value for key, value in linux.items() if key != "seccomp"}
                config = {**config, "linux": linux, "annotations": {**others, self.kind.filter_annotation: program}}
            elif name:
                os.symlink(name, f"{bundle}/filter")
        return config

    def _keep_filter(self, bundle: str, container_id: str) -> None:
        name = files.claim_owner(f"{bundle}/filter")
        if name is not None:
            filters.keep(self.state_folder, name, f"{self.state_folder}/{container_id}/seccomp.bpf")
            _forget(f"{bundle}/filter")

    def run(
        self,
        bundle: str,
        container_id: str,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        console_socket: str = "",
    ) -> int:
        """Create and start the container of `bundle`/config.json, detached, with these streams; returns its first pid.

        With a terminal, `console_socket` receives the pty's master side. Raises EngineError with docker's words and exit code (127 for
        a program that is not there, 126 for one that can't be executed); nothing of the container is left then.
        """
        start = Start(self, bundle, container_id, (stdin, stdout, stderr), console_socket)
        start.spawn()
        return start.finish()

    def exec(
        self,
        container_id: str,
        process_file: str,
        pid_file: str,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        console_socket: str = "",
    ) -> int:
        """Start one more process (an OCI `process` in `process_file`) in a running container and return its pid.

        Raises EngineError with docker's words and exit code.
        """
        log = f"{process_file}.log"
        words = ["exec", "--detach", "--process", process_file, "--pid-file", pid_file]
        if console_socket:
            words += ["--console-socket", console_socket]
        _forget(log, pid_file)
        argv = [*self.command(log=log), *words, container_id]
        # crun sets a terminal's size beside the process that it has begun, which could look for it too early
        code = process.wait(self._spawn(argv, (stdin, stdout, stderr), preferred=bool(console_socket)))
        text = _read(log)
        _forget(log)
        if code != 0:
            value = files.read_json(process_file)
            assert isinstance(value, dict)
            raise exec_failure(text, value)
        return int(files.read_text(pid_file))

    def _spawned(self, argv: list[str], stdin: int | None, stdout: int | None, stderr: int | None) -> int:
        return process.wait(self._spawn(argv, (stdin, stdout, stderr)))

    def _spawn(
        self, argv: list[str], streams: Streams, given: Sequence[tuple[int, int]] = (), *, preferred: bool = False
    ) -> int:
        """Start the runtime's program and return its pid."""
        environment = _environment()
        if os.statvfs(self.path).f_flag & os.ST_RDONLY:
            environment[CLONED] = "1"
        stdin, stdout, stderr = streams
        pid = process.spawn(
            argv, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, given=given, preferred=preferred
        )
        self.reached("runtime-spawned")
        moves.open_moves(f"{os.path.dirname(self.state_folder)}/{moves.RECORD}", self.reached)  # while it loads
        return pid

    def shield(self) -> None:
        """Make the runtime's program read-only in this mount namespace, which must be private.

        A container could otherwise write to it through /proc/PID/exe (CVE-2019-5736). Runtimes see to that themselves by making a
        copy or such a mount and executing it, 2-3 ms every time, unless they are told that it was done and find it so.
        """
        from hyperbox.kernel import syscalls

        syscalls.mount(self.path, self.path, "", syscalls.MS_BIND)
        syscalls.mount("", self.path, "", syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)

    def kill(self, container_id: str, signal: int, *, everything: bool = False) -> None:
        """Send a signal to the container's first process, or to all of them. Raises EngineError where it does not run."""
        words = ["kill", *(["--all"] if everything else []), container_id, str(signal)]
        self._checked(words, f"cannot kill container {container_id}")

    def delete(self, container_id: str, *, force: bool = False) -> None:
        """Remove the runtime's record and the cgroup of a stopped container (`force`: kill it first). Idempotent."""
        words = ["delete", *(["--force"] if force else []), container_id]
        process.run(self.command(*words), env=_environment(), timeout=60)

    def pause(self, container_id: str) -> None:
        """Freeze its processes."""
        self._checked(["pause", container_id], f"cannot pause container {container_id}")

    def resume(self, container_id: str) -> None:
        """Thaw them."""
        self._checked(["resume", container_id], f"cannot resume container {container_id}")

    def state(self, container_id: str) -> Json | None:
        """Return the runtime's own state of it (OCI: id, pid, status, bundle), None where it has none."""
        done = process.run(self.command("state", container_id), env=_environment(), timeout=60)
        if done.code != 0:
            return None
        value = files.loads(done.out.decode())
        return value if isinstance(value, dict) else None

    def update(self, container_id: str, resources: Json) -> None:
        """Change the limits of a running container; `resources` is OCI's `linux.resources`. Raises EngineError."""
        self._checked(
            ["update", f"{self.kind.update_option}=-", container_id],
            f"Cannot update container {container_id}",
            input=files.dumps(resources).encode(),
        )

    def _checked(self, words: Sequence[str], failure: str, *, input: bytes = b"") -> None:
        done = process.run(self.command(*words), env=_environment(), input=input, timeout=60)
        if done.code != 0:
            text = done.err.decode("utf-8", "replace").strip().split("\n")[-1]
            raise EngineError(f"{failure}: {text}" if text else failure)


class Start:
    """A container that a runtime is starting, detached. In order: `spawn_waiting`, `configure`, `finish`; `abandon` at any time before
    `finish`. Where the bundle is written already, `spawn` and `finish`.

    With a runtime whose start can be done in steps, each happens while we do something else: its program is loaded while the configuration
    is made, which it gets through a pipe; and it `holds` the container, made but for the last execve(2), until `finish` releases it. With
    another one everything happens from `configure` on. Whoever dies with the pipe in hand leaves a runtime that reads an end of file and goes.
    """

    __slots__ = ("_bundle", "_console", "_id", "_pid", "_pipe", "_runtime", "_streams", "holds")

    def __init__(
        self, runtime: Adapter, bundle: str, container_id: str, streams: Streams, console_socket: str = ""
    ) -> None:
        self._runtime = runtime
        self._bundle = bundle
        self._id = container_id
        self._streams = streams
        self._console = console_socket
        self._pid = 0
        self._pipe = -1
        self.holds = False

    def spawn(self, verb: tuple[str, ...] = ("run", "--detach"), given: Sequence[tuple[int, int]] = ()) -> None:
        """Start the runtime's program on the bundle as it is."""
        bundle = self._bundle
        _forget(f"{bundle}/runtime.log", f"{bundle}/pid")
        words = [*verb, "--bundle", bundle, "--pid-file", f"{bundle}/pid"]
        if self._console:
            words += ["--console-socket", self._console]
        argv = [*self._runtime.command(log=f"{bundle}/runtime.log"), *words, self._id]
        self._pid = self._runtime._spawn(argv, self._streams, given)

    def spawn_waiting(self) -> None:
        """Start the runtime's program, which waits for `configure`; where it could not, nothing is done yet."""
        if not self._runtime.kind.in_steps:
            return
        _forget(f"{self._bundle}/config.json")
        os.symlink(f"/proc/self/fd/{CONFIG}", f"{self._bundle}/config.json")
        reader, self._pipe = os.pipe()
        try:
            self.spawn(("create",), [(reader, CONFIG)])
        finally:
            os.close(reader)
        self.holds = True

    def configure(self, config: Json) -> None:
        """Write the bundle's configuration (OCI), and let the runtime go on with it."""
        if not self.holds:
            self._runtime.write_bundle(self._bundle, config)
            self.spawn()
            return
        text = files.dumps(self._runtime._with_filter(self._bundle, config))
        try:
            files.write_all(self._pipe, text.encode("utf-8", "surrogateescape"))
        except BrokenPipeError:  # it has gone, and `finish` tells why
            pass
        # it opens the file once more, for a copy, when the pipe has ended: from then on that is the file itself
        files.write_atomic(f"{self._bundle}/config.json", text)
        self._close_pipe()

    def finish(self) -> int:
        """Let the container's first process run and return its pid. Raises EngineError; see `Adapter.run`."""
        bundle, runtime = self._bundle, self._runtime
        code = process.wait(self._pid)
        self._pid = 0
        if code != 0:
            runtime.delete(self._id, force=True)
            raise start_failure(_read(f"{bundle}/runtime.log"), _arguments(f"{bundle}/config.json"))
        if self.holds:
            self._release()
        runtime._keep_filter(bundle, self._id)
        return int(files.read_text(f"{bundle}/pid"))

    def _release(self) -> None:
        """Do what `crun start` does, in three calls instead of a process. Raises EngineError where the container has died meanwhile."""
        path = f"{self._runtime.state_folder}/{self._id}/exec.fifo"
        try:
            fifo = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:  # a version that holds its containers in another way
            self._runtime._checked(["start", self._id], f"cannot start container {self._id}")
            return
        except OSError as error:  # ENXIO: nobody reads it any more
            self._runtime.delete(self._id, force=True)
            raise EngineError(f"the container ended before it was started: {error.strerror}") from None
        os.unlink(path)
        os.write(fifo, b"\0")
        os.close(fifo)

    def abandon(self) -> None:
        """Let nothing come of it, whether the runtime waits still or works already."""
        if not self._pid:
            return
        waits = self._pipe >= 0
        if waits:
            os.kill(self._pid, 9)
        self._close_pipe()
        process.wait(self._pid)
        self._pid = 0
        if not waits:
            self._runtime.delete(self._id, force=True)

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def _environment() -> dict[str, str]:
    """Return what the runtime sees of our environment: no variable that changes what it does (NOTIFY_SOCKET, LISTEN_FDS)."""
    path = os.environ.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    kept = {"PATH": path}
    for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
        if name in os.environ:
            kept[name] = os.environ[name]
    return kept


def _forget(*paths: str) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def _read(path: str) -> str:
    try:
        return files.read_text(path)
    except OSError:
        return ""


def _arguments(path: str) -> Json:
    config = files.read_json(path)
    value = config.get("process") if isinstance(config, dict) else None
    return value if isinstance(value, dict) else {}
