"""The only place that starts, forks or replaces a process.

Hot paths use it: it imports nothing beyond `os` and `select` (subprocess costs 10 ms).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


# modules that only large commands have loaded
HEAVY = ("threading", "yaml", "click", "json")

# policy and priority of what runs before all others; what it forks does not
FIRST = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 1


def is_heavy() -> bool:
    """Return whether this process is too large, or has too many threads, to be forked for a process that stays."""
    return any(name in sys.modules for name in HEAVY)


class Completed:
    """A finished process: `code` (128+n where signal n ended it), `out` and `err` as bytes."""

    __slots__ = ("code", "err", "out")

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out
        self.err = err


def exit_code(status: int) -> int:
    """Return the shell's exit code for a `waitpid` status: the code itself, or 128 + the signal's number."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def find_program(name: str, path: str | None = None) -> str | None:
    """Return the absolute path of an executable on PATH (sbin folders included), or None."""
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    folders = (path if path is not None else os.environ.get("PATH", "")).split(":")
    for folder in [*folders, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]:
        candidate = folder + "/" + name
        if folder and os.access(candidate, os.X_OK):
            return candidate
    return None


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    given: Sequence[tuple[int, int]] = (),
    setsid: bool = False,
    preferred: bool = False,
) -> int:
    """Start `argv` (its first word an absolute path) and return its pid; the descriptors given become its streams.

    `given` are more of ours with the numbers that it is to have them under. A `preferred` process runs before all others whenever it can, where that
    is allowed; what it starts is as usual. See SCHED_FIFO and SCHED_RESET_ON_FORK in sched(7).

    Raises OSError (FileNotFoundError, PermissionError) when it can't be executed. See posix_spawn(3).
    """
    actions = [
        (os.POSIX_SPAWN_DUP2, source, target)
        for target, source in ((0, stdin), (1, stdout), (2, stderr))
        if source is not None
    ]
    actions += [(os.POSIX_SPAWN_DUP2, source, target) for source, target in given]
    environment = os.environ if env is None else env
    if not preferred:
        return os.posix_spawn(argv[0], list(argv), environment, file_actions=actions, setsid=setsid)
    own = _go_first()  # so that the new process has done nothing yet when its turn is changed
    try:
        pid = os.posix_spawn(argv[0], list(argv), environment, file_actions=actions, setsid=setsid)
        _schedule(pid, *FIRST)
    finally:
        _schedule(0, *own)
    return pid


def fork_apart() -> int:
    """Fork a process that is to work beside this one, and return as os.fork does; the child's scheduling is as ours was.

    A kernel that keeps few processors awake leaves a new process on the one that it was forked on, where the two take turns of milliseconds.
    Nothing is left on one on which a process runs that comes first, so this one does, until it has forked (where that is allowed).
    """
    own = _go_first()
    try:
        return os.fork()
    finally:
        _schedule(0, *own)


def _go_first() -> tuple[int, int]:
    """Have this process run before all others whenever it can, and return its scheduling as `_schedule` takes it."""
    own = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    _schedule(0, *FIRST)
    return own


def _schedule(pid: int, policy: int, priority: int) -> None:
    """Change a process's scheduling (0: our own), where that is allowed."""
    try:
        os.sched_setscheduler(pid, policy, os.sched_param(priority))
    except OSError:
        return


def leave_session(keep: set[int]) -> None:
    """In a forked child: begin a session of its own with no descriptor of the parent's but `keep`, /dev/null for other streams.

    Modes of files are what is asked for from here on, less 022. See setsid(2), close_range(2).
    """
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for target in (0, 1, 2):
        if target not in keep:
            os.dup2(null, target)
    low = 3
    for descriptor in sorted(keep):
        if descriptor >= low:
            os.closerange(low, descriptor)
            low = descriptor + 1
    os.closerange(low, 1 << 20)
    os.umask(0o022)


def replace(argv: Sequence[str], keep: set[int]) -> None:
    """Become the program `argv` (its first word an absolute path) in this very process, which has one thread; the descriptors `keep` stay open.

    Its parent, children, session, folder and namespaces stay what they were, and so do standard streams. Raises OSError where the program can't
    be executed; nothing has changed then. See execve(2).
    """
    try:
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        os.execve(argv[0], list(argv), os.environ)
    finally:
        for descriptor in keep:
            os.set_inheritable(descriptor, False)


def open_descriptors() -> set[int]:
    """Return this process's open descriptors above those of the standard streams."""
    found = set()
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            os.get_inheritable(descriptor)
        except OSError:  # that of the listing itself
            continue
        found.add(descriptor)
    return found - {0, 1, 2}


def threads() -> int:
    """Return how many threads this process has."""
    return len(os.listdir("/proc/self/task"))


class Child:
    """A forked child that does `work`, which returns a text; of an error it tells its `reason`.

    One that is `apart` goes on when this process ends, by whatever signal, and holds none of its standard streams open.
    """

    __slots__ = ("_pid", "_reader")

    def __init__(self, work: Callable[[], str], reason: Callable[[BaseException], str], *, apart: bool = False) -> None:
        self._reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                os.close(self._reader)
                if apart:
                    go_apart()
                message = work()
                code = 0
            except BaseException as error:
                message = reason(error)
            try:
                os.write(writer, message.encode("utf-8", "replace")[:4000])
            finally:
                os._exit(code)
        os.close(writer)

    def result(self) -> tuple[bool, str]:
        """Wait for its end: (True, what the work returned), or (False, the reason). Either text is cut at 4,000 bytes; that of a child that
        was killed is empty."""
        answer = b""
        while chunk := os.read(self._reader, 4096):
            answer += chunk
        os.close(self._reader)
        return wait(self._pid) == 0, answer.decode("utf-8", "replace")


def go_apart() -> None:
    """Leave this process's session and its standard streams: neither Ctrl-C nor a closed terminal or pipe has to do with it any more."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def in_child(work: Callable[[], str], reason: Callable[[BaseException], str]) -> tuple[bool, str]:
    """Do `work` in a forked child and wait for it; see `Child.result`."""
    return Child(work, reason).result()


def wait(pid: int) -> int:
    """Wait for the child `pid` and return its exit code as a shell would give it."""
    return exit_code(os.waitpid(pid, 0)[1])


def run(
    argv: Sequence[str],
    *,
    input: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    limit: int = 64 << 20,
) -> Completed:
    """Run `argv` to its end with `input` (bytes) on stdin and return its output.

    `timeout` is in seconds; past it the process is killed and TimeoutError raised. Output beyond `limit` bytes a stream
    is dropped. Raises FileNotFoundError when the program is not there.
    """
    program = find_program(argv[0])
    if program is None:
        raise FileNotFoundError(2, "executable file not found in $PATH", argv[0])
    pipes = [os.pipe() for _ in range(3)]
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = pipes
    try:
        pid = spawn([program, *argv[1:]], env=env, stdin=in_read, stdout=out_write, stderr=err_write)
    except BaseException:
        for pair in pipes:
            os.close(pair[0])
            os.close(pair[1])
        raise
    for descriptor in (in_read, out_write, err_write):
        os.close(descriptor)
    outputs = _communicate(in_write, input, (out_read, err_read), timeout, limit)
    if outputs is None:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        raise TimeoutError(f"{argv[0]} did not end within {timeout} seconds")
    return Completed(wait(pid), outputs[0], outputs[1])


def _communicate(
    writer: int, data: bytes, readers: tuple[int, int], timeout: float | None, limit: int
) -> tuple[bytes, bytes] | None:
    """Feed `data` to `writer` and read both readers to their ends, all of them closed then; None after `timeout` seconds."""
    import select
    import time

    chunks: dict[int, list[bytes]] = {reader: [] for reader in readers}
    sizes = dict.fromkeys(readers, 0)
    deadline = None if timeout is None else time.monotonic() + timeout
    poller = select.poll()
    for reader in readers:
        poller.register(reader, select.POLLIN)
    os.set_blocking(writer, False)
    poller.register(writer, select.POLLOUT)
    view = memoryview(data)
    pending = {writer, *readers}
    while pending.intersection(readers):
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = poller.poll(remaining)
        if not ready:
            break
        for descriptor, _ in ready:
            if descriptor == writer:
                view = _feed(writer, view)
                ended = not view
            else:
                chunk = os.read(descriptor, 65536)
                ended = not chunk
                if sizes[descriptor] < limit:
                    chunks[descriptor].append(chunk)
                    sizes[descriptor] += len(chunk)
            if ended:
                poller.unregister(descriptor)
                os.close(descriptor)
                pending.discard(descriptor)
    timed_out = bool(pending.intersection(readers))
    for descriptor in pending:
        os.close(descriptor)
    return None if timed_out else (b"".join(chunks[readers[0]]), b"".join(chunks[readers[1]]))


def _feed(writer: int, view: memoryview) -> memoryview:
    """Write what fits and return the rest; nobody reading counts as all written."""
    try:
        return view[os.write(writer, view[:65536]) :]
    except BlockingIOError:
        return view
    except BrokenPipeError:
        return view[:0]


def start_time(pid: int) -> int | None:
    """Return when process `pid` started, in clock ticks since boot (proc(5), field 22), or None when it is gone.

    Together with the pid it names a process for good: pids are reused, the pair is not.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 4096)
    except OSError:  # ESRCH: it went meanwhile
        return None
    finally:
        os.close(descriptor)
    fields = text[text.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19])


def ended_status(pid: int) -> int | None:
    """Return the wait(2) status of a process that has ended and that its parent has not waited for (proc(5), field 52); None of any other.

    The kernel tells that of others' children to those who may trace them.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[49]) if fields[0] == b"Z" else None


def session_members(leader: int, started: int) -> list[int]:
    """Return the processes in the session that process `leader` (with its start time) made, itself excepted, zombies excepted."""
    now_leading = start_time(leader)
    if now_leading is not None and now_leading != started:
        return []  # the number is another session's now
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == leader:
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(b")") + 2 :].split()
        if int(fields[3]) == leader and fields[0] not in (b"Z", b"X"):
            found.append(int(name))
    return found


def is_alive(pid: int, started: int | None = None) -> bool:
    """Return whether `pid` runs, and, where `started` is given, is still the process that had that start time."""
    ticks = start_time(pid)
    return ticks is not None and (started is None or ticks == started)
