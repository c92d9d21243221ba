"""The processes of an attached `up`, and what they tell: each writes frames into a pipe of its own, which the one process reads that shows them.

A frame is one byte (its kind), the length of what follows as four bytes, and that: whole lines of a container's stdout or stderr, or a
message as JSON.
"""

from __future__ import annotations

import os
import signal
import sys

from hyperbox.errors import HyperBoxError
from hyperbox.files import dumps, loads, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STDOUT, STDERR, MESSAGE = 1, 2, 3
HEADER = 5
READ = 1 << 16
LINE_LIMIT = 1 << 24  # bytes that a line may have; a longer one becomes several


class Teller:
    """The writing end, in the child."""

    __slots__ = ("writer",)

    def __init__(self, writer: int) -> None:
        self.writer = writer

    def frame(self, kind: int, data: bytes) -> None:
        """Tell one thing. Raises BrokenPipeError where nobody listens any more."""
        write_all(self.writer, bytes((kind,)) + len(data).to_bytes(4, "big") + data)

    def message(self, **words: object) -> None:
        """Tell a message."""
        self.frame(MESSAGE, dumps(words).encode("utf-8", "replace"))


class Child:
    """A child process, seen from its parent."""

    __slots__ = ("pid", "reader", "rest")

    def __init__(self, pid: int, reader: int) -> None:
        self.pid, self.reader, self.rest = pid, reader, b""

    def read(self) -> list[tuple[int, bytes]] | None:
        """Return the frames that one read completes (it waits where there is nothing), or None at the end."""
        data = os.read(self.reader, READ)
        if not data:
            return None
        self.rest += data
        frames = []
        while len(self.rest) >= HEADER:
            end = HEADER + int.from_bytes(self.rest[1:HEADER], "big")
            if len(self.rest) < end:
                break
            frames.append((self.rest[0], self.rest[HEADER:end]))
            self.rest = self.rest[end:]
        return frames

    def end(self, number: int = signal.SIGKILL) -> None:
        """End the process where it has not ended, and forget it."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass
        self.forget()

    def forget(self) -> None:
        """Wait for the process and close the pipe."""
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass
        os.close(self.reader)


class Lines(Child):
    """What a child prints otherwise: each line is a message of the name `key`."""

    __slots__ = ("key",)

    def __init__(self, reader: int, key: str) -> None:
        super().__init__(0, reader)
        self.key = key

    def read(self) -> list[tuple[int, bytes]] | None:
        """Return the lines that one read completes, as messages, or None at the end."""
        data = os.read(self.reader, READ)
        if not data:
            return None
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LINE_LIMIT:
            lines, self.rest = [*lines, self.rest], b""
        texts = [line.decode("utf-8", "replace") for line in lines]
        return [(MESSAGE, dumps({self.key: text}).encode()) for text in texts]

    def end(self, number: int = signal.SIGKILL) -> None:
        """Read no more."""
        os.close(self.reader)

    def forget(self) -> None:
        """Read no more."""
        os.close(self.reader)


def message_of(data: bytes) -> dict[str, object]:
    """Return a message out of a frame."""
    found = loads(data.decode())
    assert isinstance(found, dict)
    return found


def fork_child(work: Callable[[Teller], object], *, mortal: bool = True) -> Child:
    """Start a process that does `work`; a `mortal` one is only there to tell, and goes with its parent however that ends.

    The terminal's signals are the parent's to heed; one that is not mortal ends at SIGTERM as after KeyboardInterrupt.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    parent = os.getpid()
    # a signal that the child gets before it has its own handlers would be told to the parent, as another one
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH))
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        os.close(writer)
        return Child(pid, reader)
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_IGN if mortal else signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        os.close(reader)
        if mortal:
            _die_with(parent)
        work(Teller(writer))
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    except HyperBoxError as error:
        os.write(2, f"{error.message}\n".encode())
    finally:
        os._exit(0)


def _die_with(parent: int) -> None:
    from hyperbox.kernel import syscalls

    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def tell_lines(chunks: Iterable[tuple[int, bytes]], teller: Teller) -> None:
    """Tell a container's output (stream, bytes) as whole lines; a last one that has no newline gets it."""
    held = {STDOUT: b"", STDERR: b""}
    for stream, data in chunks:
        lines, newline, rest = data.rpartition(b"\n")
        if newline or len(held[stream]) + len(rest) > LINE_LIMIT:
            teller.frame(stream, held[stream] + (lines if newline else rest) + b"\n")
            held[stream] = rest if newline else b""
        else:
            held[stream] += rest
    for stream, rest in held.items():
        if rest:
            teller.frame(stream, rest + b"\n")
