"""The monitor of one exec: holds its streams, reaps it, and tells its exit code."""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.engine import control, life_events, project_groups
from hyperbox.engine.ahead import become_daemon, described
from hyperbox.engine.exec import read_record, record_path
from hyperbox.engine.monitor_loop import READ, Loop
from hyperbox.engine.monitor_process import Stdio, forget, start_exec
from hyperbox.engine.monitor_streams import Client, Streams
from hyperbox.engine.state import Container, Roots, notice_end
from hyperbox.errors import Conflict, EngineError, HyperBoxError
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    Json = dict[str, object]


def run_exec(
    roots: Roots, container: Container, exec_id: str, starter: control.Channel, data: _socket.socket | None
) -> None:
    """Be the monitor of an exec, from just after the fork to its end; the caller then leaves with os._exit."""
    keep = {starter.fileno()} if data is None else {starter.fileno(), data.fileno()}
    become_daemon(keep)
    be_monitor(roots, container, exec_id, starter, data)


def be_monitor(
    roots: Roots, container: Container, exec_id: str, starter: control.Channel, data: _socket.socket | None
) -> None:
    """Be the monitor of an exec in a process that is a daemon already."""
    record = read_record(roots, exec_id)
    try:
        outside = project_groups.leave_caller(roots)
        join_mounts(container)
        os.chdir(roots.container_run(container.id))
        pid, stdio = begin(roots, container, record)
        outside()
        roots.reached("exec-started")
    except (HyperBoxError, OSError) as error:
        starter.send(described(error))
        return
    life_events.execution(roots, "exec_start", container, record)
    starter.send({"started": True})
    serve(roots, container, record, (pid, stdio), starter, data)


def join_mounts(container: Container) -> None:
    """Enter the mount namespace of the container's monitor, where its root file system and the cgroup hierarchies are.

    Raises Conflict where the monitor was killed: the container ends with the next command that notices.
    """
    try:
        namespace = os.open(f"/proc/{container.state['Monitor']}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Conflict(f"container {container.id} is not running") from None
    try:
        syscalls.unshare(syscalls.CLONE_FS)  # a thread that shares its folder with others may not move: setns(2)
        syscalls.setns(namespace, syscalls.CLONE_NEWNS)
    finally:
        os.close(namespace)


def _client(data: _socket.socket, config: Json) -> Client:
    """Return the command that started the process as a client of the streams that it asked for."""
    return Client(
        data,
        stdin=bool(config.get("AttachStdin")),
        stdout=bool(config.get("AttachStdout")),
        stderr=bool(config.get("AttachStderr")),
    )


def serve(
    roots: Roots,
    container: Container,
    record: Json,
    running: tuple[int, Stdio],
    starter: control.Channel,
    data: _socket.socket | None,
) -> None:
    """Carry the streams until the process has ended and its output is delivered."""
    pid, stdio = running
    path = record_path(roots, container.id, str(record["ID"]))
    config = record["Config"]
    assert isinstance(config, dict)
    loop = Loop()
    loop.catch_children()
    streams = Streams(loop, None, stdin_once=True)
    if data is not None:
        streams.add(_client(data, config))
    streams.begin(stdio)

    def ended(status: int) -> None:
        streams.finish(lambda: tell(process.exit_code(status)), patience=1.0)

    def tell(code: int) -> None:
        record.update({"Running": False, "ExitCode": code, "Pid": 0})
        if os.path.exists(path):
            files.write_json(path, record)
        life_events.execution(roots, "exec_die", container, record, exitCode=str(code))
        starter.send({"exit": code})
        streams.when_delivered(loop.stop)

    def requested() -> None:
        messages = starter.receive_ready()
        if messages is None:
            loop.unwatch(starter.fileno())
        for message in messages or ():
            rows, columns = message.get("rows"), message.get("columns")
            if message.get("op") == "resize" and isinstance(rows, int) and isinstance(columns, int):
                streams.resize(rows, columns)

    record.update({"Running": True, "Pid": pid})
    files.write_json(path, record)
    roots.reached("exec-running")
    loop.watch(starter.fileno(), READ, lambda _events: requested())
    loop.on_exit(pid, ended)
    watch_monitor(roots, container, loop)
    loop.reap()
    loop.run()


def watch_monitor(roots: Roots, container: Container, loop: Loop) -> None:
    """Bring the container to its end, and the exec with it, where its monitor is killed: nobody else may look at it any more."""

    def gone(_events: int) -> None:
        loop.unwatch(descriptor)
        notice_end(roots, container.id)

    monitor = container.state["Monitor"]
    assert isinstance(monitor, int)
    try:
        descriptor = os.pidfd_open(monitor)
    except OSError:
        return
    loop.watch(descriptor, READ, gone)


def begin(roots: Roots, container: Container, record: Json) -> tuple[int, Stdio]:
    """Start the exec's process and return its pid and our ends of its streams. Raises EngineError with docker's words."""
    from hyperbox.engine import spec, spec_host

    config = record["Config"]
    assert isinstance(config, dict)
    if not str(config.get("WorkingDir") or "/").startswith("/"):
        raise EngineError("OCI runtime exec failed: exec failed: Cwd must be an absolute path", exit_code=128)
    host = spec_host.exec_host(container, f"/proc/{container.pid}/root", str(config.get("User") or ""))
    process_file = f"{roots.container_run(container.id)}/run.{record['ID']}"
    files.write_json(process_file, spec.exec_process(container, config, host))
    console = f"run.{str(record['ID'])[:12]}.sock" if config.get("Tty") else ""
    try:
        return start_exec(roots, container, process_file, stdin=bool(config.get("AttachStdin")), console=console)
    finally:
        forget(process_file)
