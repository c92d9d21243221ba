"""Being in the foreground of a container or an exec: this command's stdin, stdout, stderr, terminal and signals for the process's.

Hot paths use it; C modules only.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select
import sys

from hyperbox.errors import DISK_ERRORS, EngineError, ExitStatus, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.api import Engine
    from hyperbox.engine.attach import StreamAttachment

    Proxy = Callable[[str], None]

STDIN_CHUNK = 65536
# CHLD, PIPE, URG are about this process; KILL and STOP can't be caught, the faults are not to be
NOT_FORWARDED = frozenset({"CHLD", "PIPE", "URG", "KILL", "STOP", "SEGV", "BUS", "FPE", "ILL", "TRAP", "SYS"})
# what docker's client takes no notice of where it does not forward it
NOTHING = frozenset({int(_signal.SIGUSR1), int(_signal.SIGUSR2), int(_signal.SIGALRM)})
FORCED_AFTER = 3
# what INT and TERM do to this command: nothing; it stays, but has the terminal back; it ends with their code, or with 0; they end it as such
IGNORES, STAYS, ENDS, ENDS_WELL, DIES = "ignores", "stays", "ends", "ends well", "dies"
COMPOSE = "compose"  # ends the line and the command, alike for INT and TERM
INTERRUPTED = 4  # EINTR
BACKGROUND_PAUSE = 0.2  # seconds until it is looked again whether this process is in front
REDRAW_PAUSE = 0.004  # seconds, in which a program may see the first of two new sizes


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
            self._set(mode)
        return self

    def _set(self, mode: list[object]) -> None:
        """Set the terminal's mode; in the background, where SIGTTOU is caught, once this process is in front."""
        import termios

        while True:
            try:
                termios.tcsetattr(0, termios.TCSANOW, mode)  # type: ignore[arg-type]
            except termios.error as error:
                if error.args[0] != INTERRUPTED:
                    return  # hung up
                select.select((), (), (), BACKGROUND_PAUSE)
            else:
                return

    def restore(self) -> None:
        """Give the terminal its own mode back, for good."""
        if self._saved is not None:
            self._set(self._saved)
            self._saved = None

    def __exit__(self, *_error: object) -> None:
        self.restore()


def in_background() -> bool:
    """Return whether stdin is the terminal of our session and another process group is in front, so that reading would stop us."""
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return False


def window_size() -> tuple[int, int] | None:
    """Return the rows and columns of the terminal that is our stdout, or None where it is none, as docker does."""
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        return None
    return (rows, columns) if rows and columns else None


class Signals:
    """Signals caught inside `with`, read from a descriptor.

    `proxy` receives the name of each that is to be forwarded; `interrupted` says what INT and TERM do besides, see `stay_attached`. Where any of them
    ends this process, `terminal` gets its own mode back before.
    """

    __slots__ = ("_count", "_interrupted", "_proxy", "_read", "_resize", "_saved", "_terminal", "_write")

    def __init__(
        self, proxy: Proxy | None, resize: Callable[[], None] | None, terminal: Terminal, interrupted: str
    ) -> None:
        self._proxy = proxy
        self._resize = resize
        self._terminal = terminal
        self._interrupted = interrupted
        self._saved: dict[int, object] = {}
        self._count = 0
        self._read = self._write = -1

    def __enter__(self) -> Signals:
        from hyperbox.kernel.signals import NAMES

        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        numbers = (
            {number for number, name in enumerate(NAMES.split(), 1) if name not in NOT_FORWARDED}
            if self._proxy
            else set[int]()
        )
        numbers |= {int(_signal.SIGINT), int(_signal.SIGTERM), *NOTHING}
        if self._resize is not None:
            numbers.add(int(_signal.SIGWINCH))
        if self._terminal.wanted:
            ends = (int(_signal.SIGHUP), int(_signal.SIGQUIT))
            numbers |= {number for number in ends if _signal.getsignal(number) != _signal.SIG_IGN}
        for number in numbers:
            self._saved[number] = _signal.signal(number, self._caught)
        _signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def _caught(self, number: int, _frame: object) -> None:
        """The number has been written to the wake-up descriptor already."""

    def fileno(self) -> int:
        return self._read

    def handle(self) -> None:
        """Do what the signals that have come are for. Raises ExitStatus where this command ends by one, as it does after the third INT or TERM."""
        from hyperbox.kernel.signals import NAMES

        try:
            numbers = os.read(self._read, 128)
        except BlockingIOError:
            return
        for number in numbers:
            if number == _signal.SIGWINCH:
                if self._resize is not None:
                    self._resize()
                if self._proxy is None:
                    continue
            if self._proxy is not None and number in self._saved:
                self._proxy(NAMES.split()[number - 1])
            if number in (_signal.SIGINT, _signal.SIGTERM):
                self._interrupt(number)
            elif self._proxy is None and number not in NOTHING:
                self._end_by(number)

    def _interrupt(self, number: int) -> None:
        self._count += 1
        if self._interrupted == COMPOSE:
            sys.stderr.write("\n")
            raise ExitStatus(130)
        if self._interrupted == DIES:
            self._end_by(number)
        if self._interrupted in (ENDS, ENDS_WELL):
            raise ExitStatus(128 + number if self._interrupted == ENDS else 0)
        if self._count >= FORCED_AFTER:
            sys.stderr.write("\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n")
            raise ExitStatus(1)
        if self._interrupted == STAYS:
            self._terminal.restore()

    def _end_by(self, number: int) -> None:
        self._terminal.restore()
        _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def __exit__(self, *_error: object) -> None:
        _signal.set_wakeup_fd(-1)
        for number, handler in self._saved.items():
            _signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)


class Carrier:
    """Carries bytes between our streams and an attachment, never blocking on one while the other could move."""

    __slots__ = ("_attachment", "_background", "_pending", "_poller", "_stderr", "_stdin", "_stdout")

    def __init__(self, attachment: StreamAttachment, *, stdin: bool, stdout: bool, stderr: bool) -> None:
        self._attachment = attachment
        self._stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self._pending = b""
        self._background = False
        self._poller = select.poll()

    def carry(self, signals: Signals) -> None:
        """Carry until all output has been delivered or the user has detached."""
        attachment, poller = self._attachment, self._poller
        data = attachment.fileno()
        poller.register(data, select.POLLIN)
        poller.register(signals.fileno(), select.POLLIN)
        if self._stdin:
            if _signal.getsignal(_signal.SIGTTIN) == _signal.SIG_DFL and in_background():
                os.killpg(0, _signal.SIGTTIN)  # as reading would at once
            poller.register(0, select.POLLIN)
        while not attachment.detached:
            if self._background and not in_background():
                self._background = False
                poller.register(0, 0 if self._pending else select.POLLIN)
            for descriptor, events in poller.poll(BACKGROUND_PAUSE * 1000 if self._background else None):
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
        if _signal.getsignal(_signal.SIGTTIN) != _signal.SIG_DFL and in_background():
            self._background = True  # reading would only bring the signal that is to stop us, again and again
            self._poller.unregister(0)
            return
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
            if self._stdin and not self._background:
                self._poller.register(0, 0)
            return
        self._poller.register(data, select.POLLIN)
        if self._stdin:
            if not self._background:
                self._poller.register(0, select.POLLIN)
        else:
            self._attachment.close_stdin()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` to stdout (1) or stderr (2); waits where the other end is slow and non-blocking.

    HyperBoxError where a disk does not take it, BrokenPipeError where nobody reads.
    """
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
        except OSError as error:
            if error.errno not in DISK_ERRORS or descriptor not in (1, 2):
                raise
            reason = (error.strerror or "").lower()
            raise HyperBoxError(f"write /dev/{'stdout' if descriptor == 1 else 'stderr'}: {reason}") from None


def forwarder(engine: Engine, container_id: str) -> Proxy:
    """Return what sends a container the signals of its client; one that has ended needs none."""

    def forward(signal: str) -> None:
        try:
            engine.container_kill(container_id, signal)
        except EngineError:
            return

    return forward


def stay_attached(
    attachment: StreamAttachment,
    *,
    stdin: bool,
    stdout: bool = True,
    stderr: bool = True,
    proxy: Proxy | None = None,
    interrupted: str = DIES,
    redraw: bool = False,
) -> int:
    """Be in the foreground until the process ends, and return its exit code; 0 once the user has detached.

    `proxy` forwards a signal by its name ("INT"), None where signals are not forwarded. Where they are, docker's client has its own SIGPIPE
    caught as well: HyperBoxError, and not BrokenPipeError, once nobody reads our stdout any more. `interrupted` (IGNORES, STAYS, ENDS, ENDS_WELL,
    DIES, COMPOSE) says what INT and TERM do to this command itself; ExitStatus is raised where they end it. `redraw` has a program that is there
    already show itself again: its terminal gets another size for a moment.
    """
    sys.stdout.flush()

    def resize() -> None:
        size = window_size()
        if size is not None:
            attachment.resize(*size)

    terminal = Terminal(wanted=attachment.tty and stdin)
    with Signals(proxy, resize if attachment.tty else None, terminal, interrupted) as signals, terminal:
        if attachment.tty:
            size = window_size() if redraw else None
            if size is not None:
                attachment.resize(size[0] + 1, size[1] + 1)
                select.select((), (), (), REDRAW_PAUSE)
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
