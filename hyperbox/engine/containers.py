"""What is done to a container that is there: stop, kill, restart, pause, wait.

Signals go to the container's first process by a descriptor of it (pidfd_open(2)), so that they never hit a process that took over its pid.
"""

from __future__ import annotations

import os
import select
import sys
import time

from hyperbox import bundle, files, process
from hyperbox.engine import control
from hyperbox.engine.events import emit, emit_all, of_container
from hyperbox.engine.state import (
    STOP,
    Container,
    Roots,
    change_state,
    find_container,
    monitor_is_alive,
    read_container,
)
from hyperbox.errors import Conflict, EmptyName, EngineError, InvalidParameter, NotFound
from hyperbox.kernel.signals import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, object]

STOP_TIMEOUT = 10  # seconds, docker's default
BRIEF = 0.25  # seconds that a command waits for the end of a container by itself
UNSENT_TIMEOUT = 2  # seconds
SIGKILL = 9
LAST_SIGNAL = 64


def container_stop(roots: Roots, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
    """See `engine.api.Engine.container_stop`."""
    container = find_container(roots, reference)
    if container.running:
        number = stop_number(container, signal, f"cannot stop container: {reference}: ")
        stop_and(container, number, timeout, reference, lambda: None)


def stop_number(container: Container, signal: str, lead: str) -> int:
    """Return the number of the signal that is to stop a container, its own where none is given. Raises InvalidParameter, begun with `lead`."""
    try:
        return signal_number(signal or str(container.config.get("StopSignal") or "SIGTERM"))
    except InvalidParameter as error:
        raise InvalidParameter(lead + error.message) from None


def stop_and(
    container: Container, number: int, timeout: int | None, reference: str, then: Callable[[], object]
) -> None:
    """Stop a container that runs and do `then`, even where this process is killed while it waits. Raises EngineError."""
    told = want_stopped(container, STOP)
    if container.status == "restarting":
        container = stop_restarting(container)

    def finish() -> None:
        if not told:
            emit(container.roots, "stop", container)
        then()

    if container.running:
        end_by_signal(container, number, timeout, reference, finish)
    else:
        finish()


def end_by_signal(
    container: Container, number: int, timeout: int | None, reference: str, then: Callable[[], object]
) -> None:
    """Send a running container a signal, and SIGKILL when it has not ended after `timeout` seconds, and do `then`. Raises EngineError.

    One that takes its time is waited for by a process apart, as docker's daemon goes on when its client has been killed (`timeout 5 docker stop`).
    """
    if timeout is None:
        own = container.config.get("StopTimeout")
        timeout = own if isinstance(own, int) else STOP_TIMEOUT
    seconds = float(timeout) if timeout >= 0 else None
    if 0 < number <= LAST_SIGNAL:
        brief = BRIEF if seconds is None else min(BRIEF, seconds)
        if end_by(container, lambda: tell_and_send(container, number), brief):
            then()
            return
    else:  # it can't be sent: docker gives up sooner then
        brief, seconds = 0.0, float(UNSENT_TIMEOUT if seconds is None else min(seconds, UNSENT_TIMEOUT))

    def rest() -> str:
        if not (
            wait_for_end(container, None if seconds is None else seconds - brief)
            or end_by(container, lambda: tell_and_send(container, SIGKILL), 10.0)
        ):
            raise EngineError(
                f"cannot stop container: {reference}: tried to kill container, but did not receive an exit event"
            )
        then()
        return ""

    if seconds == brief:  # all that is left is to kill it
        rest()
        return
    done, reason = process.Child(rest, told_in_parent, apart=True).result()
    if not done:
        raise EngineError(reason)


def told_in_parent(error: BaseException) -> str:
    """Return what a child tells of its error to who waits for it."""
    return error.message if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"


def want_stopped(container: Container, how: str = "stopped") -> bool:
    """Let nobody restart it; returns whether whoever records its end knows that this is `how` it came."""
    try:
        first = files.claim(f"{container.folder()}/wanted", how) is None  # a link: it needs no room on a full disk
    except FileNotFoundError:
        raise NotFound(f"No such container: {container.id}") from None
    container.roots.reached("stop-wanted")
    return first


def send_signal(container: Container, number: int) -> bool:
    """Send a signal to the container's first process; returns whether it was there."""
    started = container.state.get("PidStart")
    assert isinstance(started, int)
    try:
        descriptor = os.pidfd_open(container.pid) if container.pid else -1
    except OSError:
        return False
    if descriptor < 0:
        return False
    try:
        if not process.is_alive(container.pid, started or None):
            return False
        import _signal  # type: ignore[import-not-found]

        _signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    container.roots.reached("signalled")
    return True


def is_asleep(container: Container) -> bool:
    """Return whether the container's monitor is a shell now, see `monitor_sleep`."""
    try:
        return os.path.basename(os.readlink(f"/proc/{container.state.get('Monitor')}/exe")) == "busybox"
    except OSError:
        return False


def end_by(container: Container, send: Callable[[], object], seconds: float | None) -> bool:
    """Call `send`, which sends a signal, and wait until the end of the container is recorded; returns whether it is after `seconds` (None: for ever).

    Nobody may want the container to be started again. Where its monitor sleeps and the end comes soon, this process records it.
    """
    if is_asleep(container):
        if "hyperbox.engine.monitor_end" not in sys.modules:  # be it loaded, a group is read
            bundle.preload("monitor-end")
        from hyperbox.engine.monitor_end import PATIENCE, Sleeper

        with Sleeper(container) as sleeper:
            send()
            if sleeper.end(PATIENCE if seconds is None else min(PATIENCE, seconds)):
                return True
    else:
        send()
    return wait_for_end(container, seconds)


def tell_and_send(container: Container, number: int) -> bool:
    """Send a signal to a container, with its event first, for the monitor tells of the end at once; returns whether its process was there.

    A paused container goes on where the signal is to end it: docker tells of that too, but for SIGKILL.
    """
    told = [of_container("kill", container, {"signal": str(number)})]
    if container.status == "paused" and is_to_end(container, number) and thaw(container) and number != SIGKILL:
        told.append(of_container("unpause", container))
    emit_all(container.roots, told)
    return send_signal(container, number)


def is_to_end(container: Container, number: int) -> bool:
    """Return whether a signal counts as one that ends a container: its stop signal or SIGKILL; any, where it has no stop signal of its own."""
    own = container.config.get("StopSignal")
    return number == SIGKILL or not own or number == signal_number(str(own))


def thaw(container: Container) -> bool:
    """Let a paused container go on; returns whether it was paused and had not ended before this was recorded."""
    from hyperbox.engine.freezing import freeze

    freeze(container.roots, container, frozen=False)
    # the time (CLOCK_MONOTONIC) is for the probes of its health, which begin anew
    changes: Json = {"Status": "running", "WentOn": time.monotonic()}
    return change_state(container, lambda present: changes if present.get("Status") == "paused" else None)


def wait_for_end(container: Container, seconds: float | None) -> bool:
    """Wait until the container's end is recorded, for `seconds` at most (None: for ever); returns whether it is."""
    deadline = None if seconds is None else time.monotonic() + seconds
    channel = control.connect(container.roots.container_run(container.id), "monitor.sock") if seconds != 0 else None
    try:
        while True:
            try:
                if not find_container(container.roots, container.id).running:
                    return True
            except NotFound:
                return True
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            if channel is None:
                time.sleep(0.005)
            elif wait_readable(channel.fileno(), left) and not channel.receive_ready():
                channel.close()
                channel = None
    finally:
        if channel is not None:
            channel.close()


def wait_readable(descriptor: int, seconds: float | None) -> bool:
    """Wait until a descriptor can be read, or `seconds` have passed; returns whether it can."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(None if seconds is None else max(0.0, seconds * 1000)))


def tell_monitor(container: Container, message: Json) -> None:
    """Send one message to the container's monitor; without one it does nothing."""
    channel = control.connect(container.roots.container_run(container.id), "monitor.sock")
    if channel is not None:
        channel.send(message)
        channel.close()


def stop_restarting(container: Container, seconds: float = 10.0) -> Container:
    """Let a container that waits for its next start, and that nobody wants any more, end now; returns it as it is then.

    It may run, where the message came as its monitor had already begun to start it.
    """
    deadline = time.monotonic() + seconds
    tell_monitor(container, {"op": "stop"})
    while container.status == "restarting" and time.monotonic() < deadline:
        time.sleep(0.005)
        container = find_container(container.roots, container.id)
    return container


def wait_for_monitor(container: Container, seconds: float = 20.0) -> None:
    """Wait until the monitor of a container that has ended has given back what it held. Raises EngineError past `seconds`.

    One that is starting the container holds the container's lock and is not waited for: taking the lock does that.
    """
    container = read_container(container.roots, container.id)
    monitor = container.state.get("Monitor", 0)
    if not isinstance(monitor, int) or not monitor or container.running or not monitor_is_alive(container):
        return
    try:
        lock = files.lock_if_free(f"{container.folder()}/lock")
    except FileNotFoundError:
        return
    if lock < 0:
        return
    try:  # between the two looks it may have been started: what it says now holds as long as the lock does
        started = read_container(container.roots, container.id).running
    finally:
        os.close(lock)
    if started:
        return
    _wait_for_process(container, monitor, lambda: None, seconds)


def _wait_for_process(container: Container, monitor: int, then: Callable[[], None], seconds: float) -> None:
    """Do `then` and wait until the container's monitor, if it lives now, has ended."""
    try:
        descriptor = os.pidfd_open(monitor)
    except OSError:
        then()
        return
    try:
        alive = monitor_is_alive(container)
        then()
        if alive and not wait_readable(descriptor, seconds):
            raise EngineError(f"the monitor of container {container.id} does not end")
    finally:
        os.close(descriptor)


def end_and_let_go(container: Container, seconds: float = 20.0) -> None:
    """Kill a running container that goes by itself (`--rm`) and wait until its monitor has removed it; where that is dead it stays."""

    def end() -> None:
        try:
            end_now(container)
        except NotFound:
            return

    monitor = container.state.get("Monitor", 0)
    _wait_for_process(container, monitor if isinstance(monitor, int) else 0, end, seconds)


def end_now(container: Container) -> None:
    """Kill a running container and wait until its end is recorded."""
    want_stopped(container)
    if container.status == "restarting":
        container = stop_restarting(container)
    if not end_by(container, lambda: container.running and tell_and_send(container, SIGKILL), 30.0):
        raise EngineError(f"could not kill container {container.id}")


def container_kill(roots: Roots, reference: str, signal: str = "SIGKILL") -> None:
    """See `engine.api.Engine.container_kill`."""
    lead = f"cannot kill container: {reference}: "
    try:
        number = signal_number(signal)
        container = find_container(roots, reference)
    except EmptyName:
        raise
    except EngineError as error:
        raise type(error)(lead + error.message) from None
    if not 0 < number <= LAST_SIGNAL:
        raise InvalidParameter(f"{lead}the linux daemon does not support signal {number}")
    if not container.running:
        raise Conflict(f"{lead}container {container.id} is not running")
    if is_to_end(container, number):
        want_stopped(container)
        if container.status == "restarting":
            container = stop_restarting(container)
    if container.status == "restarting" or not container.running:  # nothing is there to get it: docker says no word
        return

    def send() -> None:
        if not tell_and_send(container, number):
            raise Conflict(f"{lead}container {container.id} is not running")

    if number == SIGKILL:
        end_by(container, send, 10.0)
    else:
        send()


def container_restart(roots: Roots, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
    """See `engine.api.Engine.container_restart`."""
    from hyperbox.engine.launch import container_start

    container = find_container(roots, reference)

    def start() -> None:
        container_start(roots, container.id)
        emit(roots, "restart", container)

    if not container.running:
        start()
        return
    number = stop_number(container, signal, f"Cannot restart container {reference}: ")
    stop_and(container, number, timeout, container.id, start)


def container_pause(roots: Roots, reference: str) -> None:
    """See `engine.api.Engine.container_pause`."""
    from hyperbox.engine.freezing import freeze

    container = find_container(roots, reference)
    # first: a container that is frozen and not known to be could not be thawed
    if not change_state(container, paused):
        if container.status == "paused":
            raise Conflict(f"Container {container.id} is already paused")
        if container.status == "restarting":
            raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
        raise Conflict(f"container {container.id} is not running")
    roots.reached("pause-recorded")
    try:
        freeze(roots, container, frozen=True)
    except EngineError:
        change_state(container, lambda present: {"Status": "running"} if present.get("Status") == "paused" else None)
        raise
    roots.reached("paused")
    emit(roots, "pause", container)


def paused(present: Json) -> Json | None:
    """Return the changes of a running container's state that pausing makes; None where it does not run. Whom nobody probes is unhealthy."""
    if present.get("Status") != "running":
        return None
    health = present.get("Health")
    return {"Status": "paused", **({"Health": {**health, "Status": "unhealthy"}} if isinstance(health, dict) else {})}


def container_unpause(roots: Roots, reference: str) -> None:
    """See `engine.api.Engine.container_unpause`."""
    container = find_container(roots, reference)
    if container.status != "paused" or not thaw(container):
        raise Conflict(f"Container {container.id} is not paused")
    emit(roots, "unpause", container)


def container_wait(roots: Roots, reference: str, condition: str = "not-running") -> int:
    """See `engine.api.Engine.container_wait`."""
    container = find_container(roots, reference)
    if condition == "next-exit" and not container.running:
        container = wait_for_start(container)
    code = container.state["ExitCode"]
    if container.running:
        channel = control.connect(roots.container_run(container.id), "monitor.sock")
        told = None
        while channel is not None and told is None:
            received = channel.receive()
            if received is None:
                break
            told = received[0].get("exit")
        code = told
        if code is None:
            try:
                code = find_container(roots, container.id).state["ExitCode"]
            except NotFound:
                code = 137
    if condition == "removed":
        while os.path.exists(roots.container(container.id)) and not has_gone(container):
            time.sleep(0.01)
    assert isinstance(code, int)
    return code


def has_gone(container: Container) -> bool:
    """Return whether a container is not there any more once what its monitor, killed before it could remove it, has left is gone."""
    if monitor_is_alive(container):
        return False
    try:
        find_container(container.roots, container.id)
    except NotFound:
        return True
    return False


def wait_for_start(container: Container) -> Container:
    """Wait until the container runs, and return it. Raises NotFound where it is removed instead."""
    while not container.running:
        time.sleep(0.01)
        container = find_container(container.roots, container.id)
    return container


def container_hurry(roots: Roots, reference: str) -> control.Channel | None:
    """See `engine.api.Engine.container_hurry`."""
    try:
        container = find_container(roots, reference)
    except NotFound:
        return None
    health = container.state.get("Health")
    if not isinstance(health, dict) or health.get("Status") != "starting":
        return None
    channel = control.connect(roots.container_run(container.id), "monitor.sock")
    if channel is not None:
        channel.send({"op": "hurry"})
    return channel
