"""The monitor of one exec: holds its streams, reaps it, and tells its exit code."""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.engine import control
from hyperbox.engine.exec import read_record, record_path
from hyperbox.engine.monitor import become_daemon
from hyperbox.engine.monitor_loop import READ, Loop
from hyperbox.engine.monitor_process import make_pipes, null_ends, read_all, read_small, receive_terminal
from hyperbox.engine.monitor_streams import Client, Stdio, Streams
from hyperbox.engine.runtime_errors import exec_error
from hyperbox.engine.state import Container, Roots
from hyperbox.errors import EngineError, HyperBoxError
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
    record = read_record(roots, exec_id)
    try:
        join_mounts(container)
        os.chdir(roots.container_run(container.id))
        pid, stdio = start_exec(roots, container, record)
    except (HyperBoxError, OSError) as error:
        message = error.message if isinstance(error, HyperBoxError) else f"{error.strerror}: {error.filename}"
        starter.send({"error": message, "status": error.status if isinstance(error, EngineError) else 500})
        return
    starter.send({"started": True})
    serve(roots, container, record, (pid, stdio), starter, data)


def join_mounts(container: Container) -> None:
    """Enter the mount namespace of the container's monitor, where its root file system and the cgroup hierarchies are."""
    namespace = os.open(f"/proc/{container.state['Monitor']}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(namespace, syscalls.CLONE_NEWNS)
    finally:
        os.close(namespace)


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
        client = Client(
            data,
            stdin=bool(config.get("AttachStdin")),
            stdout=bool(config.get("AttachStdout")),
            stderr=bool(config.get("AttachStderr")),
        )
        streams.add(client)
    streams.begin(stdio)

    def ended(status: int) -> None:
        streams.finish(lambda: tell(process.exit_code(status)), patience=1.0)

    def tell(code: int) -> None:
        record.update({"Running": False, "ExitCode": code, "Pid": 0})
        if os.path.exists(path):
            files.write_json(path, record)
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
    loop.watch(starter.fileno(), READ, lambda _events: requested())
    loop.on_exit(pid, ended)
    loop.reap()
    loop.run()


def start_exec(roots: Roots, container: Container, record: Json) -> tuple[int, Stdio]:
    """Start the exec's process and return its pid and our ends of its streams. Raises EngineError with docker's words."""
    from hyperbox.engine import spec, spec_host
    from hyperbox.runtime.adapters import adapter

    config = record["Config"]
    assert isinstance(config, dict)
    tty = bool(config.get("Tty"))
    host = spec_host.exec_host(container, f"/proc/{container.pid}/root", str(config.get("User") or ""))
    described = spec.exec_process(container, config, host)
    prefix = f"{roots.container_run(container.id)}/run.{record['ID']}"
    files.write_json(f"{prefix}.json", described)
    ends = null_ends() if tty else make_pipes(stdin=bool(config.get("AttachStdin")))
    name = f"run.{str(record['ID'])[:12]}.sock"
    console = control.listen(".", name, backlog=1) if tty else None
    runtime = adapter(str(container.host_config.get("Runtime") or ""))
    argv = runtime.exec_command(
        f"{roots.run}/runtime",
        container.id,
        f"{prefix}.json",
        f"{prefix}.pid",
        f"{prefix}.log",
        console=name if tty else "",
    )
    child = process.spawn(argv, stdin=ends.theirs[0], stdout=ends.theirs[1], stderr=ends.theirs[2])
    ends.close_theirs()
    try:
        code = process.wait(child)
        if code != 0:
            said = b"" if tty else read_all(ends.ours.stderr)
            words = [str(word) for word in config["Cmd"]]
            raise exec_error(
                f"{prefix}.log", said.decode("utf-8", "replace"), code, words, str(described.get("cwd", "/"))
            )
        stdio = ends.ours if console is None else receive_terminal(console)
        return int(read_small(f"{prefix}.pid")), stdio
    finally:
        for path in (f"{prefix}.json", f"{prefix}.pid", f"{prefix}.log", name):
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
