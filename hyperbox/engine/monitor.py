"""A container's monitor: the one process that stays with it from start to end.

It is forked from the command that starts the container (`launch`), lives in a session and mount namespace of its own, and is the
container's subreaper, so that killing the command kills neither. It holds the container's streams, serves
RUN/containers/ID/monitor.sock (see `control`), answers the container's DNS, runs its health checks, restarts it by its policy, and
records its end before anybody is told of it.
"""

from __future__ import annotations

import os
import time

from hyperbox import files, process
from hyperbox.engine import control, monitor_sleep, restart
from hyperbox.engine.events import emit, emit_all
from hyperbox.engine.life_events import begun, ended
from hyperbox.engine.log_options import log_options
from hyperbox.engine.monitor_log import LogWriter
from hyperbox.engine.monitor_loop import READ, Loop, Timer
from hyperbox.engine.monitor_process import Stdio, start_process
from hyperbox.engine.monitor_setup import (
    cgroup_path,
    forget_runtime_state,
    take_down,
    unmount_root,
)
from hyperbox.engine.monitor_streams import Client, Streams
from hyperbox.engine.state import Container, Roots, now, update_state
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import TypedDict

    from hyperbox.engine.dns import KeptResolver, Resolver
    from hyperbox.engine.monitor_health import KeptProber, Prober
    from hyperbox.engine.monitor_log import KeptLog
    from hyperbox.engine.monitor_start import Begun
    from hyperbox.engine.monitor_streams import KeptStreams

    Json = dict[str, object]

    class Kept(TypedDict):
        Container: str
        Pid: int
        Started: float
        Wait: float
        Listener: int
        Streams: KeptStreams
        Resolver: KeptResolver | None
        Prober: KeptProber | None


class Monitor:
    """One container's monitor: to `start` the container, or to `resume` where another process has left off (see `kept`), then to `serve`.

    `listener` is the socket on which it serves commands, `log` what is remembered of the log in the second case.
    """

    __slots__ = (
        "_again",
        "_container",
        "_controls",
        "_folder",
        "_hurrying",
        "_listener",
        "_loop",
        "_pid",
        "_prober",
        "_relayed",
        "_resolver",
        "_roots",
        "_started",
        "_streams",
        "_wait",
    )

    def __init__(
        self, roots: Roots, container: Container, listener: _socket.socket, log: KeptLog | None = None
    ) -> None:
        self._roots = roots
        self._container = container
        self._folder = roots.container_run(container.id)
        self._listener = listener
        self._loop = Loop()
        once = bool(container.config.get("StdinOnce"))
        self._streams = Streams(self._loop, log_writer(roots, container, self._loop, log), stdin_once=once)
        self._controls: list[control.Channel] = []
        self._resolver: Resolver | None = None
        self._prober: Prober | None = None
        self._pid = 0
        # descriptors of published ports that nobody has connected to so far
        self._relayed: set[int] = set()
        # those who wait until the container is healthy
        self._hurrying: list[control.Channel] = []
        self._started = 0.0
        self._wait = 0.0
        self._again: Timer | None = None

    # --- start ---
    def start(self, starter: control.Channel, lock: int, begun: Begun) -> None:
        """Wait until the container's process runs, and record that. Raises HyperBoxError or OSError; nothing but the container is left then.

        `starter` is the command that waits for it; `lock` the container's lock that it left to us.
        """
        container, prepared = self._container, begun.prepared
        try:
            self._listen(prepared.resolver)
            self._take_waiting()
            self._begin(prepared.finish(), {"NetworkSettings": container.state["NetworkSettings"]})
            begun.outside()
        except BaseException:
            prepared.starting.abandon()
            take_down(self._roots, container)
            raise
        starter.send({"started": True})
        os.close(lock)

    def _listen(self, resolver: Resolver | None) -> None:
        """Take what children, commands, the container's questions and its published ports bring from now on."""
        self._loop.catch_children()
        self._loop.watch(self._listener.fileno(), READ, self._accept)
        self._resolver = resolver
        self._resolve()
        self._relay()

    def serve(self, patience: float = monitor_sleep.FIRST) -> None:
        """Stay until the container has ended for good and all that it held is given back.

        Where nothing happens for `patience` seconds this process may become a small one: see `monitor_sleep`.
        """
        monitor_sleep.Drowsiness(self._loop, patience, self._sleep).begin()
        self._loop.run()

    # --- sleep ---
    def _sleep(self, patience: float) -> None:
        """Leave this process to a small one, if nothing is under way here; returns where that is not possible."""
        kept = self.kept()
        if kept is not None:
            monitor_sleep.fall_asleep(self._roots, self._loop, kept, self._watched(), patience)

    def kept(self) -> Kept | None:
        """Return what a process that takes over from this one needs to know; None while something is under way, or only this one can do it."""
        timer = None if self._prober is None else self._prober.next_timer()
        if self._controls or not self._loop.waits_only_for(self._watched(), self._pid, timer):
            return None
        answering = self._resolver is not None and bool(self._resolver.descriptors())
        resolver = self._resolver.kept() if self._resolver is not None and answering else None
        probing = None if self._prober is None else self._prober.kept()
        streams = self._streams.kept()
        if streams is None or (answering and resolver is None) or (self._prober is not None and probing is None):
            return None
        return {
            "Container": self._container.id,
            "Pid": self._pid,
            "Started": self._started,
            "Wait": self._wait,
            "Listener": self._listener.fileno(),
            "Streams": streams,
            "Resolver": resolver,
            "Prober": probing,
        }

    def _watched(self) -> set[int]:
        """Return the descriptors on which a monitor waits with nobody connected to it."""
        resolver = () if self._resolver is None else self._resolver.descriptors()
        return {self._listener.fileno(), *self._streams.outputs(), *resolver, *self._relayed}

    def resume(self, kept: Kept, *, lost: bool) -> None:
        """Go on where another process left off, which `kept` is of; `lost`: how the container's process ended can't be known any more."""
        self._pid, self._started, self._wait = kept["Pid"], kept["Started"], kept["Wait"]
        resolver = None
        if kept["Resolver"] is not None:
            from hyperbox.engine.dns import Resolver

            resolver = Resolver(self._roots, self._container.id, -1, kept["Resolver"])
        self._listen(resolver)
        streams = kept["Streams"]
        self._streams.begin(Stdio(streams["Stdin"], streams["Stdout"], streams["Stderr"], tty=streams["Tty"]))
        if kept["Prober"] is not None:
            self._prober = prober(self._roots, self._container, self._loop)
            if self._prober is not None:
                self._prober.resume(kept["Prober"])
        if lost:
            self._loop.after(0, lambda: self._process_ended(9))
        else:
            self._loop.on_exit(self._pid, self._process_ended)

    # --- the process ---

    def _begin(self, started: tuple[int, Stdio], more: Json) -> None:
        """Serve a process (pid, streams) that was started the first time or again, and record it with `more` changes of the state."""
        container = self._container
        pid, stdio = started
        self._roots.reached("started")
        self._pid = pid
        self._streams.begin(stdio)
        self._started = time.monotonic()
        self._prober = prober(self._roots, container, self._loop)
        changes: Json = {
            **more,
            "Status": "running",
            "Pid": pid,
            "PidStart": process.start_time(pid) or 0,
            "StartedAt": now(),
            "ExitCode": 0,
        }
        changes["OOMKilled"] = False
        changes["Health"] = None if self._prober is None else self._prober.health
        update_state(container, changes)
        self._roots.reached("running")
        emit_all(self._roots, begun(container))
        self._loop.on_exit(pid, self._process_ended)
        if self._prober is not None:
            self._prober.begin()
            self._prober.hurry(bool(self._hurrying))

    def _resolve_from_now_on(self) -> None:
        """The container has joined a network while it runs: answer its questions, if none was there before on which they are answered."""
        if self._resolver is None or not self._resolver.descriptors():
            from hyperbox.engine.monitor_setup import late_resolver

            self._resolver = late_resolver(self._roots, self._container)
            self._resolve()

    def _resolve(self) -> None:
        """Answer the container's DNS questions where it is on a network of the user's."""
        resolver = self._resolver
        if resolver is None:
            return
        for descriptor in resolver.descriptors():
            self._loop.watch(descriptor, READ, lambda _events, source=descriptor: resolver.handle(source))  # type: ignore[misc]

    def _relay(self) -> None:
        """Carry what comes to IPv6 addresses of the host, for a container without one."""
        options = self._container.host_config
        if not options.get("PortBindings") and not options.get("PublishAllPorts"):
            return
        from hyperbox.engine.network_setup import read_held

        held = read_held(self._roots, self._container.id) or {}
        relays = held.get("Relays")
        for descriptor, protocol, address, port in relays if isinstance(relays, list) else ():

            def first(_events: int, each: tuple[int, str, str, int] = (descriptor, protocol, address, port)) -> None:
                from hyperbox.engine.relay import begin_relay  # most are never used

                self._loop.unwatch(each[0])
                self._relayed.discard(each[0])
                begin_relay(self._loop, *each)

            self._relayed.add(descriptor)
            self._loop.watch(descriptor, READ, first)

    def _take_waiting(self) -> None:
        """Connect to those who attached before the start; see `attach.PendingAttachment`."""
        for name in os.listdir(self._folder):
            if name.startswith("waiting."):
                channel = control.connect(self._folder, name)
                if channel is not None:
                    wishes = [bit == "1" for bit in name.rpartition(".")[2]]
                    self._attach(channel, {"stdin": wishes[0], "stdout": wishes[1], "stderr": wishes[2]})
                    self.add_control(channel)

    # --- commands ---
    def add_client(self, data: _socket.socket, *, stdin: bool) -> None:
        """Attach the data socket of the command that starts the container."""
        self._streams.add(Client(data, stdin=stdin, stdout=True, stderr=True))

    def add_control(self, channel: control.Channel) -> None:
        """Serve one control connection; it is told the exit code."""
        self._controls.append(channel)
        self._loop.watch(channel.fileno(), READ, lambda _events: self._control_ready(channel))

    def _accept(self, _events: int) -> None:
        self.add_control(control.Channel(control.accept(self._listener)))

    def _control_ready(self, channel: control.Channel) -> None:
        messages = channel.receive_ready()
        if messages is None:
            self._drop_control(channel)
            return
        for message in messages:
            operation = message.get("op")
            if operation == "attach":
                self._attach(channel, message)
            elif operation == "resize":
                rows, columns = message.get("rows"), message.get("columns")
                if isinstance(rows, int) and isinstance(columns, int):
                    self._streams.resize(rows, columns)
            elif operation == "hurry":
                self._hurry([*self._hurrying, channel])
            elif operation == "resolve":
                self._resolve_from_now_on()
                channel.send({"resolving": True})
            elif operation == "stop" and self._again is not None:
                self._again.cancel()
                self._again = None
                self._finish(dict(self._container.state), again=True)

    def _hurry(self, hurrying: list[control.Channel]) -> None:
        """Let health be checked as those want who wait for it now."""
        self._hurrying = hurrying
        if self._prober is not None:
            self._prober.hurry(bool(hurrying))

    def _drop_control(self, channel: control.Channel) -> None:
        if channel in self._hurrying:
            self._hurry([each for each in self._hurrying if each is not channel])
        self._loop.unwatch(channel.fileno())
        self._controls.remove(channel)
        channel.close()

    def _attach(self, channel: control.Channel, request: Json) -> None:
        ours, theirs = control.pair()
        client = Client(
            ours, stdin=bool(request["stdin"]), stdout=bool(request["stdout"]), stderr=bool(request["stderr"])
        )
        history = b""
        if request.get("logs"):
            from hyperbox.engine.logs import framed_history

            history = framed_history(self._roots, self._container, stdout=client.wanted[1], stderr=client.wanted[2])
        channel.send({"attached": True}, theirs.fileno())
        theirs.close()
        self._streams.add(client, history)

    # --- end ---
    def _process_ended(self, status: int) -> None:
        if self._prober is not None:
            self._prober.stop()
        self._roots.reached("reaped")
        self._streams.finish(lambda: self._ended(process.exit_code(status)))

    def _ended(self, code: int) -> None:
        """The process has ended and all its output is logged: record it, then tell, then start again or leave."""
        from hyperbox.kernel import cgroups

        container = self._container
        out_of_memory = cgroups.killed_for_memory(cgroup_path(self._roots, container))
        if out_of_memory:
            emit(self._roots, "oom", container)
        ran = time.monotonic() - self._started
        changes: Json = {"Pid": 0, "PidStart": 0, "ExitCode": code, "FinishedAt": now(), "OOMKilled": out_of_memory}
        if self._prober is not None:
            changes["Health"] = {**self._prober.health, "Status": "unhealthy"}  # as docker has it of what has ended
        if not self._restarts(code):
            self._finish(changes)
            return
        self._wait = restart.next_wait(self._wait, ran)
        count = container.state["RestartCount"]
        assert isinstance(count, int)
        update_state(container, {**changes, "Status": "restarting", "RestartCount": count + 1})
        emit_all(self._roots, ended(container, {"exitCode": str(code), "execDuration": str(int(ran))}))
        self._tell(code)
        self._streams.when_delivered(lambda: None)
        self._again = self._loop.after(self._wait, self._restart)

    def _restarts(self, code: int) -> bool:
        container = self._container
        stopped = self._is_wanted_stopped()
        count = container.state["RestartCount"]
        assert isinstance(count, int)
        try:
            record = files.read_json(f"{container.folder()}/container.json")  # `update` may have changed the policy
        except (OSError, ValueError):
            record = container.record
        assert isinstance(record, dict)
        container.record["Name"] = record["Name"]  # and `rename` the name
        policy = record["HostConfig"].get("RestartPolicy") or {}
        return restart.restarts(policy, exit_code=code, stopped=stopped, count=count)

    def _is_wanted_stopped(self) -> bool:
        return os.path.lexists(f"{self._container.folder()}/wanted")

    def _restart(self) -> None:
        self._again = None
        from hyperbox.kernel import cgroups

        if self._is_wanted_stopped():
            self._finish(dict(self._container.state), again=True)
            return
        forget_runtime_state(self._roots, self._container)
        cgroups.remove_group(cgroup_path(self._roots, self._container))
        try:
            self._begin(start_process(self._roots, self._container), {})
        except (HyperBoxError, OSError) as error:
            message = error.message if isinstance(error, HyperBoxError) else str(error)
            self._finish({"Pid": 0, "ExitCode": 128, "FinishedAt": now(), "Error": message})

    def _finish(self, changes: Json, *, again: bool = False) -> None:
        """Record the end, tell everybody, and give back what the container held; `again`: that its process died was told before."""
        from hyperbox.engine import removal

        container = self._container
        removed = removal.record_end(container, changes, self._started, again=again)
        code = container.state["ExitCode"]
        assert isinstance(code, int)
        self._tell(code)
        self._streams.when_delivered(lambda: self.leave(removed=removed))

    def _tell(self, code: int) -> None:
        for channel in list(self._controls):
            channel.send({"exit": code})
            self._drop_control(channel)

    def leave(self, *, removed: bool = False) -> None:
        """Give back what the container held, whose end is recorded; `removed`: it goes by itself."""
        from hyperbox.engine import removal

        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        if self._streams.log is not None:
            self._streams.log.close()
        unmount_root(self._roots, self._container)
        take_down(self._roots, self._container)
        self._roots.reached("taken-down")
        if removed:
            removal.remove_rest(self._roots, self._container)
        self._loop.stop()


def log_writer(roots: Roots, container: Container, loop: Loop, kept: KeptLog | None) -> LogWriter:
    """Return what a container's output is logged with. Raises EngineError with docker's words."""
    options = log_options(container)
    if not options.forward:
        return LogWriter(roots.log(container.id), options, kept)
    from hyperbox.engine import log_forward

    return log_forward.begin(container, roots.log(container.id), options, loop)


def prober(roots: Roots, container: Container, loop: Loop) -> Prober | None:
    """See `Prober.for_container`, which only containers with a health check load."""
    if not container.config.get("Healthcheck"):
        return None
    from hyperbox.engine.monitor_health import Prober

    return Prober.for_container(roots, container, loop)
