"""Being attached to a process: the client's side of a monitor's data socket, and `container_attach`."""

from __future__ import annotations

import os

from hyperbox.engine import control
from hyperbox.errors import Conflict, InvalidParameter, StreamRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from hyperbox.engine.state import Roots

    Pieces = list[tuple[int, bytes]]

RECEIVE = 1 << 18


class StreamAttachment:
    """`engine.api.Attachment` over two sockets: the data, and the control channel that tells the exit code.

    `fallback` returns the exit code where the monitor went without telling it. Detach keys are looked for with a TTY only, as docker does;
    once they were pressed `detached` is true and `read` returns None.
    """

    __slots__ = ("_channel", "_data", "_exit", "_fallback", "_left", "_partial", "_stream", "detached", "keys", "tty")

    def __init__(
        self,
        data: _socket.socket,
        channel: control.Channel,
        *,
        tty: bool,
        fallback: Callable[[], int],
        keys: bytes = b"",
    ) -> None:
        self._data = data
        self._channel = channel
        self._fallback = fallback
        self._exit: int | None = None
        self._partial = b""
        self._stream = 1
        self._left = 0
        self.tty = tty
        self.keys = DetachKeys(keys)
        self.detached = False

    def fileno(self) -> int:
        return self._data.fileno()

    def read(self) -> Pieces | None:
        if self.detached:
            return None
        try:
            data = self._data.recv(RECEIVE)
        except control.LOST:
            data = b""
        if not data:
            return None
        return [(1, data)] if self.tty else self._unframe(data)

    def _unframe(self, data: bytes) -> Pieces:
        """Return the pieces of output in `data`; a frame that goes on in the next one is continued there."""
        pieces: Pieces = []
        if self._partial:
            data = self._partial + data
            self._partial = b""
        offset = 0
        while offset < len(data):
            if not self._left:
                if len(data) - offset < 8:
                    self._partial = data[offset:]
                    break
                self._stream = data[offset]
                self._left = int.from_bytes(data[offset + 4 : offset + 8], "big")
                offset += 8
            piece = data[offset : offset + self._left]
            if piece:
                pieces.append((self._stream, piece))
            offset += len(piece)
            self._left -= len(piece)
        return pieces

    def write(self, data: bytes) -> None:
        data = self.type(data)
        try:
            if data:
                self._data.sendall(data)
            if self.detached:
                self._data.shutdown(2)
        except (*control.LOST, OSError):
            return

    def type(self, data: bytes) -> bytes:
        """Return what of the typed `data` goes to the process; detach keys, once complete, set `detached`."""
        if self.tty and self.keys.wanted:
            data, self.detached = self.keys.feed(data)
        return data

    def offer(self, data: bytes) -> int:
        """Send as much of `data` to stdin as is taken without waiting; returns how many bytes. All, where nobody listens any more."""
        try:
            return self._data.send(data, control.DONT_WAIT)
        except BlockingIOError:
            return 0
        except (*control.LOST, OSError):
            return len(data)

    def close_stdin(self) -> None:
        try:
            self._data.shutdown(1)
        except OSError:
            return

    def resize(self, rows: int, columns: int) -> None:
        self._channel.send({"op": "resize", "rows": rows, "columns": columns})

    def wait(self) -> int:
        while self._exit is None:
            received = self._channel.receive()
            if received is None:
                self._exit = self._fallback()
            elif "exit" in received[0]:
                code = received[0]["exit"]
                assert isinstance(code, int)
                self._exit = code
        return self._exit

    def close(self) -> None:
        self._data.close()
        self._channel.close()


class DetachKeys:
    """Looks for a sequence of keys in what is typed. Keys that begin it are held back until it is clear that they don't."""

    __slots__ = ("_matched", "wanted")

    def __init__(self, wanted: bytes) -> None:
        self.wanted = wanted
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what may go to the process, and whether the whole sequence was typed."""
        out = bytearray()
        for byte in data:
            if byte == self.wanted[self._matched]:
                self._matched += 1
                if self._matched == len(self.wanted):
                    self._matched = 0
                    return bytes(out), True
                continue
            out += self.wanted[: self._matched]
            out.append(byte)  # which does not begin the sequence anew with docker
            self._matched = 0
        return bytes(out), False


CONTROL_KEYS = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def key_bytes(text: str) -> bytes:
    """Return what the keys "ctrl-p,ctrl-q" (docker's default, also for "") send. Raises InvalidParameter."""
    sent = bytearray()
    for key in (text or "ctrl-p,ctrl-q").split(","):
        if len(key) == 1 and key.isascii():
            sent.append(ord(key))
            continue
        prefix, _, letter = key.rpartition("-")
        if prefix == "ctrl" and len(letter) == 1 and "a" <= letter <= "z":
            sent.append(ord(letter) - 96)
        elif prefix == "ctrl" and letter in CONTROL_KEYS:
            sent.append(CONTROL_KEYS[letter])
        else:
            raise InvalidParameter(f"Invalid escape keys ({text}) provided")
    return bytes(sent)


def stream_keys(text: str) -> bytes:
    """Return `key_bytes` for streams that are asked for. Raises StreamRefused."""
    try:
        return key_bytes(text)
    except InvalidParameter:
        raise StreamRefused from None


def container_attach(
    roots: Roots, reference: str, *, stdin: bool, stdout: bool, stderr: bool, logs: bool = False, detach_keys: str = ""
) -> StreamAttachment:
    """See `engine.api.Engine.container_attach`."""
    from hyperbox.engine.events import emit
    from hyperbox.engine.state import find_container

    keys = stream_keys(detach_keys)
    container = find_container(roots, reference)
    if container.status == "paused":
        raise Conflict(f"container {container.id} is paused, unpause the container before attach")
    if container.status == "restarting":
        raise Conflict(f"container {container.id} is restarting, wait until the container is running")
    request = {"op": "attach", "stdin": stdin, "stdout": stdout, "stderr": stderr, "logs": logs}

    def last_code() -> int:
        code = find_container(roots, container.id).state["ExitCode"]
        assert isinstance(code, int)
        return code

    emit(roots, "attach", container)
    tty = bool(container.config.get("Tty"))
    folder = roots.container_run(container.id)
    channel = control.connect(folder, "monitor.sock") if container.running else None
    if channel is None:
        return PendingAttachment(folder, request, tty=tty, fallback=last_code, keys=keys)
    channel.send(request)
    received = channel.receive()
    if received is None or received[1] < 0:
        raise Conflict(f"container {container.id} is not running")
    return StreamAttachment(socket_from(received[1]), channel, tty=tty, fallback=last_code, keys=keys)


def socket_from(descriptor: int) -> _socket.socket:
    """Return the socket behind a descriptor."""
    import _socket

    return _socket.socket(fileno=descriptor)


class PendingAttachment(StreamAttachment):
    """Attached before the start: waits on a socket of its own in the container's runtime folder, to which the monitor connects.

    The monitor connects before it starts the process, so no byte is missed; the connection is taken up on the first use.
    """

    __slots__ = ("_folder", "_listener", "_name", "_taken")

    def __init__(
        self, folder: str, request: dict[str, object], *, tty: bool, fallback: Callable[[], int], keys: bytes
    ) -> None:
        bits = "".join("1" if request[name] else "0" for name in ("stdin", "stdout", "stderr"))
        os.makedirs(folder, 0o700, exist_ok=True)
        self._folder = folder
        self._taken = False
        self._name = f"waiting.{os.getpid()}.{os.urandom(4).hex()}.{bits}"
        self._listener = control.listen(folder, self._name, backlog=1)
        self.tty = tty
        self.keys = DetachKeys(keys)
        self.detached = False
        self._fallback = fallback
        self._exit = None
        self._partial = b""
        self._stream = 1
        self._left = 0

    def fileno(self) -> int:
        self._take_up()
        return super().fileno()

    def read(self) -> Pieces | None:
        self._take_up()
        return super().read()

    def write(self, data: bytes) -> None:
        self._take_up()
        super().write(data)

    def offer(self, data: bytes) -> int:
        self._take_up()
        return super().offer(data)

    def close_stdin(self) -> None:
        self._take_up()
        super().close_stdin()

    def resize(self, rows: int, columns: int) -> None:
        self._take_up()
        super().resize(rows, columns)

    def wait(self) -> int:
        self._take_up()
        return super().wait()

    def close(self) -> None:
        if self._taken:
            super().close()
        else:
            self._withdraw()

    def _take_up(self) -> None:
        """Accept the monitor's connection, unless that is done. Blocks until there is one."""
        if self._taken:
            return
        self._taken = True
        self._channel = control.Channel(control.accept(self._listener))
        received = self._channel.receive()
        if received is None or received[1] < 0:
            raise Conflict("the container did not start")
        self._data = socket_from(received[1])
        self._withdraw()

    def _withdraw(self) -> None:
        """Wait no longer."""
        self._listener.close()
        try:
            os.unlink(f"{self._folder}/{self._name}")
        except FileNotFoundError:
            pass
