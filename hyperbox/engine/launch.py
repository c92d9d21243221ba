"""Starting a container: from a command to a monitor of its own.

The monitor is forked from the command, as early as the command knows that it will start something (`ahead`). Where the command is large
(a compose project's) or has threads, it is forked from the command's `starter`, or a fresh interpreter is started, so that it stays small.
"""

from __future__ import annotations

import os
import sys

from hyperbox import bundle, errors
from hyperbox.engine import control
from hyperbox.engine.ahead import CONTAINER, send_ahead
from hyperbox.engine.state import Container, Roots, find_container, monitor_is_alive, read_container
from hyperbox.errors import Conflict, EngineError, NotFound, StreamRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from hyperbox.engine.ahead import Ahead
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.engine.attach import StreamAttachment

    Json = dict[str, object]

FIRST_GIVEN = 10


def container_start(roots: Roots, reference: str, ahead: Ahead | None = None) -> None:
    """See `engine.api.Engine.container_start`."""
    container = find_container(roots, reference)
    if container.status == "paused":
        raise Conflict("cannot start a paused container, try unpause instead")
    try:
        while not container.running and not start_stopped(roots, container, ahead):
            container = read_container(roots, container.id)
    except FileNotFoundError:
        raise NotFound(f"No such container: {reference}") from None


def start_stopped(roots: Roots, container: Container, ahead: Ahead | None) -> bool:
    """Start a container unless it runs; False where it was started and has ended meanwhile, and its monitor still gives back what it held."""
    if container.state.get("Monitor"):
        from hyperbox.engine.containers import wait_for_monitor

        wait_for_monitor(container)
    with container.lock() as lock:
        container = read_container(roots, container.id)
        if container.running:
            return True
        if container.state.get("Monitor") and monitor_is_alive(container):
            return False
        allow_restarts(container)
        channel, _ = start_monitor(roots, container, lock.descriptor, ahead)
        roots.reached("monitor-forked")
        receive_start(container, channel)
        channel.close()
        return True


def container_run(
    roots: Roots,
    spec: ContainerSpec,
    *,
    stdin: bool,
    detach_keys: str = "",
    on_created: Callable[[str, list[str]], None] | None = None,
    ahead: Ahead | None = None,
) -> tuple[str, StreamAttachment]:
    """See `engine.api.Engine.container_run`."""
    from hyperbox.engine.creation import create
    from hyperbox.engine.events import emit_all, of_container

    refused = refused_keys(detach_keys)
    container, warnings = create(roots, spec, starts=refused is None)
    emit_all(roots, [of_container("create", container), of_container("attach", container)])
    if on_created is not None:
        on_created(container.id, warnings)
    if refused is not None:
        refused.container_id = container.id
        raise refused
    with container.lock() as lock:
        channel, data = start_monitor(roots, container, lock.descriptor, ahead, attached=True, stdin=stdin)
        roots.reached("monitor-forked")
        bundle.preload("attached")  # while the monitor is at work
        from hyperbox.engine.attach import StreamAttachment, key_bytes

        try:
            receive_start(container, channel)
        except EngineError as error:
            error.container_id = container.id  # type: ignore[attr-defined]
            raise

    def last_code() -> int:
        try:
            code = find_container(roots, container.id).state["ExitCode"]
        except NotFound:
            return 137
        assert isinstance(code, int)
        return code

    tty = bool(container.config.get("Tty"))
    return container.id, StreamAttachment(data, channel, tty=tty, fallback=last_code, keys=key_bytes(detach_keys))


def refused_keys(detach_keys: str) -> StreamRefused | None:
    """Return what is to be raised for detach keys that are none, once the container is made: it stays."""
    if not detach_keys:
        return None
    from hyperbox.engine.attach import stream_keys

    try:
        stream_keys(detach_keys)
    except StreamRefused as error:
        return error
    return None


def allow_restarts(container: Container) -> None:
    """Forget that somebody stopped the container."""
    try:
        os.unlink(f"{container.folder()}/wanted")
    except FileNotFoundError:
        return


def start_monitor(
    roots: Roots, container: Container, lock: int, ahead: Ahead | None, *, attached: bool = False, stdin: bool = False
) -> tuple[control.Channel, _socket.socket]:
    """Have the container monitored: by `ahead`, if there is one, else by a new process.

    Returns the control channel on which the monitor tells how the start went, and the socket of the streams, which is of use where
    `attached`. `lock` is the descriptor of the container's lock, which the monitor holds until then.
    """
    ahead = ahead or send_ahead(roots, CONTAINER)
    if ahead is not None:
        return ahead.call({"container": container.id, "attached": attached, "stdin": stdin}, lock)
    ours, theirs = control.pair()
    data, their_data = control.pair()
    words = ["container", container.id, "1" if stdin else "0"]
    start_interpreter(roots, words, (theirs.fileno(), lock, their_data.fileno() if attached else -1))
    theirs.close()
    their_data.close()
    return control.Channel(ours), data


def start_interpreter(roots: Roots, words: list[str], descriptors: tuple[int, ...]) -> None:
    """Have a monitor with `words` and the descriptors (-1: none) forked by this command's starter.

    Where it has none, start `monitor_entry` in an interpreter of its own, which finds the descriptors at FIRST_GIVEN and up.
    """
    from hyperbox.engine import starter

    arguments = [roots.data, roots.run, roots.cgroup, roots.test_step, *words]
    if starter.ask(arguments, descriptors):
        return
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = f"import sys; sys.path.insert(0, {package!r}); from hyperbox.engine.monitor_entry import main; main(sys.argv[1:])"
    given = [(source, FIRST_GIVEN + index) for index, source in enumerate(descriptors)]
    # the targets may be in use as sources: first copies out of their way
    copies = [(os.dup2(source, 100 + target, inheritable=False), target) for source, target in given if source >= 0]
    argv = [sys.executable, "-I", "-S", "-c", code, *arguments]
    argv.append("".join("0" if source < 0 else "1" for source, _target in given))
    try:
        actions = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in copies]
        os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
    finally:
        for source, _target in copies:
            os.close(source)


def receive_start(container: Container, channel: control.Channel) -> None:
    """Wait for the monitor's word on the start. Raises the EngineError that it met."""
    received = channel.receive()
    if received is None:
        raise EngineError(
            f"the monitor of container {container.id} died", hint=f"see {container.folder()}/monitor.error"
        )
    if "error" in received[0]:
        raise error_of(received[0])


def error_of(message: Json) -> EngineError:
    """Return the EngineError that another process has described; see `ahead.described`."""
    kinds = (errors.InvalidParameter, errors.Forbidden, errors.NotFound, errors.Conflict, errors.Unavailable)
    kind = next((kind for kind in kinds if kind.status == message.get("status")), EngineError)
    code = message.get("code")
    assert isinstance(code, int)
    return kind(str(message["error"]), hint=str(message.get("hint", "")), exit_code=code)
