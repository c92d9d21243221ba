"""The work of a build in child processes, and the coroutines that wait for it.

The building process is one thread that decides; whatever mounts, changes its root, runs a container or may take long is a job: a forked child
that tells one JSON message a line. So nothing done for an untrusted context or image can harm the build itself, and independent steps run
side by side. When the building process dies, a job that minds its lifeline (RUN does) ends what it started; the others end by themselves.
"""

from __future__ import annotations

import os
import select
import sys

from hyperbox import files, process
from hyperbox.errors import EngineError, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    Json = dict[str, object]
    Tell = Callable[[Json], None]
    Action = Callable[["Child"], Json]

PATIENCE = 20.0  # seconds for a cancelled job to put its things away


class JobFailed(EngineError):
    """A job ended without a result; `code` is a container's exit code where it is about one."""

    def __init__(self, message: str, *, code: int = 0, kind: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


class Child:
    """A job from inside: `tell` sends a message to the build, `lifeline` is readable once the build has gone or wants the job to end."""

    __slots__ = ("lifeline", "writer")

    def __init__(self, writer: int, lifeline: int) -> None:
        self.writer = writer
        self.lifeline = lifeline

    def tell(self, message: Json) -> None:
        """Send one message. Raises BrokenPipeError where the build has gone."""
        files.write_all(self.writer, (files.dumps(message) + "\n").encode("utf-8", "surrogateescape"))


class Job:
    """A running child: what it tells goes to `on_message`; `streams` are further descriptors that are read to their ends."""

    __slots__ = ("buffer", "error", "lifeline", "lost", "on_message", "pid", "reader", "result", "streams", "waiting")

    def __init__(self, pid: int, reader: int, lifeline: int, on_message: Tell) -> None:
        self.pid = pid
        self.reader = reader
        self.lifeline = lifeline
        self.on_message = on_message
        self.buffer = b""
        self.result: Json | None = None
        self.error: HyperBoxError | None = None
        self.streams: dict[int, Callable[[bytes], None]] = {}
        self.waiting: Task | None = None
        self.lost: Callable[[], None] = lambda: None


class Task:
    """A coroutine being run; others may await it, and get its result or its error."""

    __slots__ = ("coroutine", "done", "error", "result", "waiters")

    def __init__(self, coroutine: Coroutine[object, object, object]) -> None:
        self.coroutine = coroutine
        self.done = False
        self.result: object = None
        self.error: BaseException | None = None
        self.waiters: list[Task] = []

    def __await__(self) -> Generator[object, object, object]:
        if not self.done:
            yield self
        if self.error is not None:
            raise self.error
        return self.result


class Wait:
    """What a coroutine awaits for a job."""

    __slots__ = ("job",)

    def __init__(self, job: Job) -> None:
        self.job = job

    def __await__(self) -> Generator[object, object, Json]:
        yield self.job
        if self.job.error is not None:
            raise self.job.error
        assert self.job.result is not None
        return self.job.result


class Runner:
    """Runs coroutines and jobs until the main one has ended."""

    def __init__(self) -> None:
        self.lifeline = -1
        self.failure: Exception | None = None
        self.jobs: dict[int, Job] = {}
        self.ready: list[Task] = []

    def task(self, coroutine: Coroutine[object, object, object]) -> Task:
        """Begin a coroutine."""
        task = Task(coroutine)
        self.ready.append(task)
        return task

    def start(
        self,
        action: Action,
        on_message: Tell,
        streams: dict[int, Callable[[bytes], None]] | None = None,
        keep: tuple[int, ...] = (),
        keep_open: tuple[int, ...] = (),
        lost: Callable[[], None] = lambda: None,
    ) -> Wait:
        """Fork a job and return what to await for its result.

        `streams`  descriptors to read here until all of them have ended
        keep       descriptors that the child alone needs; closed here
        keep_open  descriptors that both need
        lost       called where the job was killed: what it started may still hold the streams
        """
        reader, writer = os.pipe2(os.O_CLOEXEC)
        lifeline, our_end = os.pipe2(os.O_CLOEXEC)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            be_child(action, Child(writer, lifeline), {writer, lifeline, *keep, *keep_open})
        for descriptor in (writer, lifeline, *keep):
            os.close(descriptor)
        job = Job(pid, reader, our_end, on_message)
        job.streams = dict(streams or {})
        job.lost = lost
        self.jobs[pid] = job
        return Wait(job)

    def run(self, coroutine: Coroutine[object, object, object]) -> object:
        """Run the main coroutine to its end and return its result; every job has ended then, whatever happens.

        The first failure of any coroutine is the end, awaited yet or not: no other may keep the user waiting for it.
        """
        main = self.task(coroutine)
        try:
            while not main.done:
                while self.ready:
                    self._step(self.ready.pop(0))
                if self.failure is not None:
                    raise self.failure
                if not main.done:
                    self._poll(-1)
            if main.error is not None:
                raise main.error
            return main.result
        finally:
            self.cancel()

    def _step(self, task: Task) -> None:
        try:
            awaited = task.coroutine.send(None)
        except StopIteration as stop:
            task.result = stop.value
        except BaseException as error:
            task.error = error
            if not isinstance(error, Exception):
                raise
            self.failure = self.failure or error
        else:
            if isinstance(awaited, Task):
                if awaited.done:
                    self.ready.append(task)
                else:
                    awaited.waiters.append(task)
            else:
                assert isinstance(awaited, Job)
                awaited.waiting = task
            return
        task.done = True
        self.ready += task.waiters
        task.waiters = []

    def _poll(self, timeout: float) -> None:
        poller = select.poll()
        owners: dict[int, Job] = {}
        for job in self.jobs.values():
            for descriptor in (job.reader, *job.streams):
                if descriptor >= 0:
                    poller.register(descriptor, select.POLLIN)
                    owners[descriptor] = job
        if self.lifeline >= 0 and timeout < 0:
            poller.register(self.lifeline, select.POLLIN)
        if not owners and timeout < 0:
            raise RuntimeError("a build waits for nothing")
        for descriptor, _ in poller.poll(None if timeout < 0 else timeout * 1000):
            if descriptor == self.lifeline:
                raise KeyboardInterrupt
            self._readable(owners[descriptor], descriptor)

    def _readable(self, job: Job, descriptor: int) -> None:
        data = os.read(descriptor, 1 << 16)
        if descriptor == job.reader:
            job.buffer += data
            *lines, job.buffer = job.buffer.split(b"\n")
            for line in lines:
                self._message(job, line)
            if not data:
                os.close(descriptor)
                job.reader = -1
                if job.result is None and job.error is None:
                    os.waitid(
                        os.P_PID, job.pid, os.WEXITED | os.WNOWAIT
                    )  # a dying process closes its files before it is dead
                    job.lost()
        elif data:
            job.streams[descriptor](data)
        else:
            os.close(descriptor)
            del job.streams[descriptor]
        if job.reader < 0 and not job.streams:
            self._ended(job)

    def _message(self, job: Job, line: bytes) -> None:
        message = files.loads(line.decode("utf-8", "surrogateescape"))
        assert isinstance(message, dict)
        if "result" in message:
            job.result = message["result"]
        elif "failed" in message:
            job.error = JobFailed(
                str(message["failed"]), code=int(message.get("code", 0)), kind=str(message.get("kind", ""))
            )
        else:
            job.on_message(message)

    def _ended(self, job: Job) -> None:
        del self.jobs[job.pid]
        if job.lifeline >= 0:
            os.close(job.lifeline)
        code = process.wait(job.pid)
        if job.error is None and job.result is None:
            job.error = JobFailed(f"a step's process was killed (exit code {code})", kind="killed")
        if job.waiting is not None:
            self.ready.append(job.waiting)

    def cancel(self) -> None:
        """End all jobs: those that mind their lifelines by themselves, the others at once."""
        import time

        for job in self.jobs.values():
            job.waiting = None
            if job.lifeline >= 0:
                os.close(job.lifeline)
                job.lifeline = -1
        deadline = time.monotonic() + PATIENCE
        while self.jobs and (left := deadline - time.monotonic()) > 0:
            self._poll(left)
        for job in list(self.jobs.values()):
            os.kill(job.pid, 9)
            for descriptor in (job.reader, *job.streams):
                if descriptor >= 0:
                    os.close(descriptor)
            process.wait(job.pid)
        self.jobs.clear()


def be_child(action: Action, child: Child, keep: set[int]) -> None:
    """Be a job, from just after the fork; never returns."""
    code = 1
    try:
        become_job(keep)
        child.tell({"result": action(child)})
        code = 0
    except BaseException as error:
        try:
            child.tell(described(error))
        except OSError:
            pass
    finally:
        os._exit(code)


def described(error: BaseException) -> Json:
    """Return an error as the message that the building process turns into JobFailed."""
    if isinstance(error, JobFailed):
        return {"failed": error.message, "code": error.code, "kind": error.kind}
    if isinstance(error, HyperBoxError):
        return {"failed": error.message}
    if isinstance(error, OSError):
        reason = (error.strerror or "").lower()
        return {"failed": f"{error.filename}: {reason}" if error.filename else reason, "kind": "os"}
    import traceback

    return {"failed": str(error) or type(error).__name__, "trace": "".join(traceback.format_exception(error))}


def become_job(keep: set[int]) -> None:
    """Leave the build's session (so that Ctrl-C is its business) and its descriptors."""
    import signal

    signal.set_wakeup_fd(-1)
    process.leave_session(keep)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
