"""Processes that unpack layers, several at once, for pull and load.

They are forked before the command starts any thread, for a process with threads can't be forked safely. A worker unpacks one layer at a time
(in a child with a changed root, see `extract`) and ends when the command does: it reads its next task from a pipe.
"""

from __future__ import annotations

import os
import queue
import signal
import threading

from hyperbox import errors, files
from hyperbox.errors import EngineError
from hyperbox.image import ingest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.image.store import ImageStore

    OnDone = Callable[[str, "BaseException | None"], None]

MOST = 8


def worker_count(layers: int) -> int:
    """Return how many workers pay for so many layers on this machine."""
    return max(1, min(len(os.sched_getaffinity(0)), layers, MOST))


class LayerWorkers:
    """Some workers and the tasks that wait for them. `on_done(layer digest, error or None)` is called from threads, once for each task.

    Made before any thread is started; `close` at the end.
    """

    def __init__(self, store: ImageStore, count: int, on_done: OnDone) -> None:
        self._on_done = on_done
        self._tasks: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._workers: list[tuple[int, int, int]] = []
        for _ in range(count):
            self._workers.append(self._fork(store))

    def _fork(self, store: ImageStore) -> tuple[int, int, int]:
        """Fork a worker; returns its pid and the descriptors to write tasks to and to read outcomes from."""
        task_read, task_write = os.pipe()
        outcome_read, outcome_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                for _, write, read in self._workers:
                    os.close(write)
                    os.close(read)
                os.close(task_write)
                os.close(outcome_read)
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                work(store, task_read, outcome_write)
            finally:
                os._exit(0)
        os.close(task_read)
        os.close(outcome_write)
        return pid, task_write, outcome_read

    def submit(self, digest: str, diff_id: str) -> None:
        """Let the layer blob `digest` be unpacked."""
        if not self._threads:
            self._threads = [threading.Thread(target=self._serve, args=worker, daemon=True) for worker in self._workers]
            for thread in self._threads:
                thread.start()
        self._tasks.put((digest, diff_id))

    def _serve(self, _pid: int, write: int, read: int) -> None:
        """Hand tasks to one worker, one after another."""
        while (task := self._tasks.get()) is not None:
            error: BaseException | None = None
            try:
                os.write(write, f"{task[0]} {task[1]}\n".encode())
                answer = files.loads(read_line(read))
                assert isinstance(answer, dict)
                if "error" in answer:
                    error = error_of(answer)
            except (OSError, ValueError):
                error = EngineError("failed to register layer: unpacking was killed")
            self._on_done(task[0], error)

    def close(self) -> None:
        """Let the workers finish what they have begun and end them; tasks that none has begun are forgotten."""
        while not self._tasks.empty():
            self._tasks.get()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for pid, write, read in self._workers:
            os.close(write)
            os.close(read)
            os.waitpid(pid, 0)
        self._workers.clear()


def read_line(descriptor: int) -> str:
    """Return a line from a pipe; what there is where it ends without one."""
    data = b""
    while not data.endswith(b"\n"):
        more = os.read(descriptor, 65536)
        if not more:
            break
        data += more
    return data.decode("utf-8", "surrogateescape")


def work(store: ImageStore, tasks: int, outcomes: int) -> None:
    """Be a worker until no more tasks come."""
    while line := read_line(tasks):
        digest, _, diff_id = line.strip().partition(" ")
        answer: dict[str, object] = {}
        try:
            ingest.add_layer(store, digest, diff_id)
        except EngineError as error:
            answer = {"error": error.message, "status": error.status}
        except OSError as error:
            answer = {"error": f"{error.filename or 'write'}: {(error.strerror or str(error)).lower()}", "status": 500}
        files.write_all(outcomes, files.dumps(answer).encode("utf-8", "surrogateescape") + b"\n")


def error_of(answer: dict[str, object]) -> EngineError:
    """Return the error that a worker has met."""
    kinds = (errors.NotFound, errors.Conflict)
    kind = next((kind for kind in kinds if kind.status == answer["status"]), EngineError)
    return kind(str(answer["error"]))
