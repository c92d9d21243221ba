"""Being in the foreground of a container or an exec: this command's stdin, stdout, stderr, terminal and signals for the process's.

Hot paths use it; C modules only.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select
import sys

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.attach import StreamAttachment

    Proxy = Callable[[str], None]

STDIN_CHUNK = 65536
# CHLD, PIPE, URG are about this process, WINCH is a resize; KILL and STOP can't be caught, the faults are not to be
NOT_FORWARDED = frozenset({"CHLD", "PIPE", "URG", "WINCH", "KILL", "STOP", "SEGV", "BUS", "FPE", "ILL", "TRAP", "SYS"})
FORCED_AFTER = 3


def check_terminal(*, interactive: bool, tty: bool) -> None:
    """Raise HyperBoxError where a TTY and stdin are both wanted and stdin is no terminal."""
    if interactive and tty and not os.isatty(0):
        raise HyperBoxError("the input device is not a TTY")


class Terminal:
    """Our own terminal in raw mode inside `with`; nothing where `wanted` is false or stdin is none. See termios(3)."""

    __slots__ = ("_saved", "wanted")

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted and os.isatty(0)
        self._saved: list[object] | None = None

    def __enter__(self) -> Terminal:
        if self.wanted:
            import termios

            self._saved = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            mode[0] &= ~(
                termios.IGNBRK
                | termios.BRKINT
                | termios.PARMRK
                | termios.ISTRIP
                | termios.INLCR
                | termios.IGNCR
                | termios.ICRNL
                | termios.IXON
            )
            mode[1] &= ~termios.OPOST
            mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
            mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
            mode[6][termios.VMIN] = 1
            mode[6][termios.VTIME] = 0
            termios.tcsetattr(0, termios.TCSANOW, mode)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._saved is not None:
            import termios

            termios.tcsetattr(0, termios.TCSANOW, self._saved)  # type: ignore[arg-type]
            self._saved = None


def window_size() -> tuple[int, int] | None:
    """Return our terminal's rows and columns, or None without a terminal."""
    for descriptor in (1, 0, 2):
        try:
            columns, rows = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if rows and columns:
            return rows, columns
    return None


class Signals:
    """Signals caught inside `with`, read from a descriptor. `proxy` receives the name of each that is to be forwarded."""

    __slots__ = ("_count", "_proxy", "_read", "_resize", "_saved", "_write")

    def __init__(self, proxy: Proxy | None, resize: Callable[[], None] | None) -> None:
        self._proxy = proxy
        self._resize = resize
        self._saved: dict[int, object] = {}
        self._count = 0
        self._read = self._write = -1

    def __enter__(self) -> Signals:
        from hyperbox.engine.signals import NAMES

        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        numbers = (
            [number for number, name in enumerate(NAMES.split(), 1) if name not in NOT_FORWARDED] if self._proxy else []
        )
        if self._resize is not None:
            numbers.append(int(_signal.SIGWINCH))
        for number in numbers:
            self._saved[number] = _signal.signal(number, self._caught)
        _signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def _caught(self, number: int, _frame: object) -> None:
        """The number has been written to the wake-up descriptor already."""

    def fileno(self) -> int:
        return self._read

    def handle(self) -> None:
        """Forward what has come. Raises HyperBoxError after the third INT or TERM, as docker does."""
        from hyperbox.engine.signals import NAMES

        try:
            numbers = os.read(self._read, 128)
        except BlockingIOError:
            return
        for number in numbers:
            if number == _signal.SIGWINCH:
                if self._resize is not None:
                    self._resize()
                continue
            if number in (_signal.SIGINT, _signal.SIGTERM):
                self._count += 1
                if self._count >= FORCED_AFTER:
                    raise HyperBoxError("\ngot 3 SIGTERM/SIGINTs, forcefully exiting")
            if self._proxy is not None and number in self._saved:
                self._proxy(NAMES.split()[number - 1])

    def __exit__(self, *_error: object) -> None:
        _signal.set_wakeup_fd(-1)
        for number, handler in self._saved.items():
            _signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)


class Carrier:
    """Carries bytes between our streams and an attachment, never blocking on one while the other could move."""

    __slots__ = ("_attachment", "_pending", "_poller", "_stderr", "_stdin", "_stdout")

    def __init__(self, attachment: StreamAttachment, *, stdin: bool, stdout: bool, stderr: bool) -> None:
        self._attachment = attachment
        self._stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self._pending = b""
        self._poller = select.poll()

    def carry(self, signals: Signals) -> None:
        """Carry until all output has been delivered or the user has detached."""
        attachment, poller = self._attachment, self._poller
        data = attachment.fileno()
        poller.register(data, select.POLLIN)
        poller.register(signals.fileno(), select.POLLIN)
        if self._stdin:
            poller.register(0, select.POLLIN)
        while not attachment.detached:
            for descriptor, events in poller.poll():
                if descriptor == signals.fileno():
                    signals.handle()
                elif descriptor == data:
                    if events & select.POLLOUT:
                        self._send()
                    if events & ~select.POLLOUT and not self._receive():
                        return
                elif descriptor == 0:
                    self._read_stdin()

    def _receive(self) -> bool:
        pieces = self._attachment.read()
        if pieces is None:
            return False
        for stream, piece in pieces:
            if stream == 1 and self._stdout:
                write_all(1, piece)
            elif stream == 2 and self._stderr:
                write_all(2, piece)
        return True

    def _read_stdin(self) -> None:
        try:
            data = os.read(0, STDIN_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._poller.unregister(0)
            self._stdin = False
            if not self._pending:
                self._attachment.close_stdin()
            return
        self._pending += self._attachment.type(data)
        self._send()

    def _send(self) -> None:
        """Send what is pending; while some is left, wait for room and read no more from stdin."""
        if self._pending:
            self._pending = self._pending[self._attachment.offer(self._pending) :]
        data = self._attachment.fileno()
        if self._pending:
            self._poller.register(data, select.POLLIN | select.POLLOUT)
            if self._stdin:
                self._poller.register(0, 0)
            return
        self._poller.register(data, select.POLLIN)
        if self._stdin:
            self._poller.register(0, select.POLLIN)
        else:
            self._attachment.close_stdin()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; waits where the other end is slow and non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BrokenPipeError as error:
            error.filename = descriptor
            raise
        except BlockingIOError:
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            poller.poll()


def stay_attached(
    attachment: StreamAttachment, *, stdin: bool, stdout: bool = True, stderr: bool = True, proxy: Proxy | None = None
) -> int:
    """Be in the foreground until the process ends, and return its exit code; 0 once the user has detached.

    `proxy` forwards a signal by its name ("INT"), None where signals are not forwarded. Where they are, docker's client has its own SIGPIPE
    caught as well: HyperBoxError, and not BrokenPipeError, once nobody reads our stdout any more.
    """
    sys.stdout.flush()

    def resize() -> None:
        size = window_size()
        if size is not None:
            attachment.resize(*size)

    with Signals(proxy, resize if attachment.tty else None) as signals, Terminal(wanted=attachment.tty and stdin):
        if attachment.tty:
            resize()
        carrier = Carrier(attachment, stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            carrier.carry(signals)
        except BrokenPipeError as error:
            if proxy is None or error.filename != 1:
                raise
            raise HyperBoxError("write /dev/stdout: broken pipe") from None
    if attachment.detached:
        attachment.close()
        return 0
    return attachment.wait()
