"""Where the logging drivers send messages: sockets and collectors, connected before the container starts.

A sink is made in the monitor (`connect`), which tells in docker's words why it can't be, and used in the process beside it (`log_forward`),
which may wait. A receiver that goes away is looked for again as docker's driver does it: syslog once, GELF over TCP some times,
fluentd for as long as there is a container; what can't be sent then is lost, the container goes on.
"""

from __future__ import annotations

import _socket
import os
import select
import time

from hyperbox.engine import log_drivers, log_messages, log_options
from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.log_messages import Message, Source
    from hyperbox.engine.log_options import LogOptions
    from hyperbox.engine.state import Container

    Address = tuple[str, str, int]

JOURNAL = "/run/systemd/journal/socket"
# where this machine's own syslog may listen, as Go's library looks for it
LOCAL_SYSLOG = ("/dev/log", "/var/run/syslog", "/var/run/log")
CONNECT_SECONDS = 10.0
TOO_LARGE = 90  # EMSGSIZE, of a datagram
PATIENCE = 10.0  # seconds that a receiver has once the container is gone


class GaveUp(Exception):
    """The container is gone and its receiver takes nothing."""


class Sink:
    """Where messages go. `watch` is told the pipe that they come from: its end is the container's."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._reader = -1
        self._until = 0.0

    def log(self, message: Message) -> None:
        """Send a message, now or with others. Raises GaveUp."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send what waits for others."""

    def patience(self) -> float | None:
        """Return after how many milliseconds without a message `flush` is to be called; None for never."""
        return None

    def fileno(self) -> int:
        """Return the connection's descriptor, -1 for none."""
        return -1

    def forget(self) -> None:
        """Give the connection up in this process; another has it."""

    def watch(self, reader: int) -> None:
        """Learn of the container's end by this pipe."""
        self._reader = reader

    def wait(self, descriptor: int, events: int, seconds: float) -> bool:
        """Wait until a descriptor is ready (-1: none) or so long. Raises GaveUp where the container has been gone for too long."""
        poller = select.poll()
        if descriptor >= 0:
            poller.register(descriptor, events)
        if self._reader >= 0 and not self._until:
            poller.register(self._reader, 0)
        for each, _events in poller.poll(min(seconds, 1.0) * 1000):
            if each == descriptor:
                return True
            self._until = time.monotonic() + PATIENCE
        if self._until and time.monotonic() > self._until:
            raise GaveUp
        return False

    def sleep(self, seconds: float) -> None:
        """Wait, as `wait` does."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.wait(-1, 0, left)


class Connection(Sink):
    """A sink that is one socket. `attempts`: how often a lost connection is looked for again for one message, -1 without end."""

    def __init__(self, source: Source, address: Address, *, attempts: int = 1, delay: float = 0.0) -> None:
        super().__init__(source)
        self._address = address
        self._attempts = attempts
        self._delay = delay
        self.socket: _socket.socket | None = None

    def fileno(self) -> int:
        return -1 if self.socket is None else self.socket.fileno()

    def forget(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def open(self) -> None:
        """Connect. Raises OSError."""
        self.socket = opened(self._address)

    def send(self, data: bytes) -> bool:
        """Send `data` whole; False where that could not be done. Raises GaveUp."""
        attempts = self._attempts
        while True:
            try:
                if self.socket is None:
                    self.open()
                self._send_all(data)
                return True
            except OSError:
                self.forget()
            if attempts == 0:
                return False
            attempts -= 1
            self.sleep(self._delay)

    def _send_all(self, data: bytes) -> None:
        socket = self.socket
        assert socket is not None
        view = memoryview(data)
        while view:
            while not self.wait(socket.fileno(), select.POLLOUT, 1.0):
                continue
            view = view[socket.send(view) :]


def opened(address: Address) -> _socket.socket:
    """Return a connected socket, which does not wait. Raises OSError."""
    scheme, place, port = address
    if scheme in ("unix", "unixgram"):
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM if scheme == "unixgram" else _socket.SOCK_STREAM)
        return connected(socket, place)
    kind = _socket.SOCK_DGRAM if scheme == "udp" else _socket.SOCK_STREAM
    failed: OSError = OSError(111, "connection refused")
    for family, found_kind, protocol, _, target in _socket.getaddrinfo(place or "localhost", port, 0, kind):
        try:
            return connected(_socket.socket(family, found_kind, protocol), target)
        except OSError as error:
            failed = error
    raise failed


def connected(socket: _socket.socket, target: str | tuple[object, ...]) -> _socket.socket:
    """Connect a socket within CONNECT_SECONDS. Raises OSError; the socket is closed then."""
    try:
        os.set_inheritable(socket.fileno(), False)
        socket.settimeout(CONNECT_SECONDS)
        socket.connect(target)
        socket.setblocking(False)
    except BaseException:
        socket.close()
        raise
    return socket


def reason(error: OSError, address: Address) -> str:
    """Return why a connection failed, in Go's words."""
    scheme, place, port = address
    network = {"tls": "tcp", "tcp+tls": "tcp"}.get(scheme, scheme)
    if isinstance(error, _socket.gaierror):
        from hyperbox.kernel.lookups import lookup_words

        return f"dial {network}: {lookup_words(place, error)}"
    target = place if scheme.startswith("unix") else f"[{place}]:{port}" if ":" in place else f"{place}:{port}"
    if isinstance(error, TimeoutError):
        return f"dial {network} {target}: i/o timeout"
    words = (error.strerror or str(error)).lower()
    return f"dial {network} {target}: connect: {words}"


# --- syslog -------------------------------------------------------------------------------------------------------------------
class Syslog(Connection):
    """syslog over UDP, TCP, TLS or a unix socket."""

    def __init__(self, source: Source, options: dict[str, str]) -> None:
        super().__init__(source, log_drivers.syslog_address(options))
        self._form = options.get("syslog-format", "")
        self._facility = log_drivers.facility(options.get("syslog-facility", ""))
        self._options = options
        self._tls = self._address[0] == "tcp+tls"
        try:
            self.open()
        except OSError as error:
            if not self._address[0]:
                raise EngineError("Unix syslog delivery error") from None
            raise EngineError(reason(error, self._address)) from None

    def open(self) -> None:
        if self._tls:
            from hyperbox.engine import log_secure

            self.socket = log_secure.syslog_socket(self._address, self._options)
        elif self._address[0]:
            super().open()
        else:
            self.socket = local_syslog()

    def log(self, message: Message) -> None:
        if not message.line:
            return
        counted = self._tls and self._form.startswith("rfc5424")
        self.send(log_messages.syslog(message, self.source, form=self._form, facility=self._facility, counted=counted))


def local_syslog() -> _socket.socket:
    """Return a connection with this machine's own syslog. Raises OSError."""
    for scheme in ("unixgram", "unix"):
        for path in LOCAL_SYSLOG:
            try:
                return opened((scheme, path, 0))
            except OSError:
                continue
    raise OSError("no syslog")


# --- GELF ---------------------------------------------------------------------------------------------------------------------
class Gelf(Connection):
    """GELF over UDP, compressed, or TCP."""

    def __init__(self, source: Source, options: dict[str, str]) -> None:
        address = log_drivers.gelf_address(options)
        attempts = int(options.get("gelf-tcp-max-reconnect", "3"))
        delay = float(options.get("gelf-tcp-reconnect-delay", "1"))
        super().__init__(source, address, attempts=attempts, delay=delay if address[0] == "tcp" else 0.0)
        self._kind = options.get("gelf-compression-type", "gzip")
        self._level = int(options.get("gelf-compression-level", "1"))
        try:
            self.open()
        except OSError as error:
            place = f"{address[1]}:{address[2]}"
            raise EngineError(f"gelf: cannot connect to GELF endpoint: {place} {reason(error, address)}") from None

    def log(self, message: Message) -> None:
        if not message.line:
            return
        data = log_messages.gelf(message, self.source)
        if self._address[0] == "tcp":
            self.send(data + b"\0")
            return
        for datagram in log_messages.gelf_datagrams(log_messages.packed(data, self._kind, self._level)):
            self.send(datagram)


# --- fluentd ------------------------------------------------------------------------------------------------------------------
class Fluentd(Connection):
    """fluentd's forward protocol, message by message."""

    def __init__(self, source: Source, options: dict[str, str]) -> None:
        retries = int(options.get("fluentd-max-retries", "0") or "0")
        wait = log_drivers.seconds(options.get("fluentd-retry-wait", "1s"))
        super().__init__(source, log_drivers.fluentd_address(options), attempts=retries or -1, delay=wait)
        self._precise = log_drivers.parse_bool(options.get("fluentd-sub-second-precision", "false"))
        self._acknowledged = log_drivers.parse_bool(options.get("fluentd-request-ack", "false"))
        if log_drivers.parse_bool(options.get("fluentd-async", "false")):
            return
        try:
            self.open()
        except OSError as error:
            raise EngineError(reason(error, self._address)) from None

    def open(self) -> None:
        if self._address[0] == "tls":
            from hyperbox.engine import log_secure

            self.socket = log_secure.fluentd_socket(self._address)
        else:
            super().open()

    def log(self, message: Message) -> None:
        chunk = os.urandom(16).hex() if self._acknowledged else ""
        data = log_messages.fluentd(message, self.source, precise=self._precise, chunk=chunk)
        while self.send(data) and chunk and not self._acknowledges(chunk.encode()):
            self.forget()
            self.sleep(self._delay)

    def _acknowledges(self, chunk: bytes) -> bool:
        """Return whether the receiver answers that it has taken a message."""
        answer = b""
        until = time.monotonic() + CONNECT_SECONDS
        while chunk not in answer:
            if self.socket is None or time.monotonic() > until:
                return False
            try:
                if self.wait(self.socket.fileno(), select.POLLIN, 1.0):
                    received = self.socket.recv(4096)
                    if not received:
                        return False
                    answer += received
            except OSError:
                return False
        return True


# --- journald -----------------------------------------------------------------------------------------------------------------
class Journald(Connection):
    """The machine's journal."""

    def __init__(self, source: Source, _options: dict[str, str]) -> None:
        super().__init__(source, ("unixgram", JOURNAL, 0))
        self._fields = log_messages.journal_fields(source)
        try:
            self.open()
        except OSError:
            raise EngineError("journald is not enabled on this host") from None

    def log(self, message: Message) -> None:
        self.send(log_messages.journald(message, self._fields))

    def _send_all(self, data: bytes) -> None:
        try:
            super()._send_all(data)
        except OSError as error:
            if error.errno != TOO_LARGE:
                raise
            self._send_file(data)  # see sd_journal_send(3)

    def _send_file(self, data: bytes) -> None:
        assert self.socket is not None
        file = os.memfd_create("journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(file, data)
            rights = file.to_bytes(4, "little")
            self.socket.sendmsg([b""], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        except OSError:
            pass
        finally:
            os.close(file)


def connect(container: Container, options: LogOptions) -> Sink:
    """Return the sink of a container's logging driver, ready. Raises EngineError with docker's words."""
    given = options.given
    try:
        plain = {key: value for key, value in given.items() if key != "tag"}
        template = given.get("tag", "{{.ID}}")
        tag = log_options.tag(container, template) if template else ""
        source = log_messages.Source(container, tag, log_options.attributes(container, plain))
        if options.forward == "splunk":
            from hyperbox.engine.log_splunk import Splunk

            return Splunk(source, given)
        return SINKS[options.forward](source, given)
    except EngineError as error:
        message = error.message.removeprefix(log_options.FAILED)
        raise EngineError(log_options.FAILED + message) from None


SINKS = {"syslog": Syslog, "gelf": Gelf, "fluentd": Fluentd, "journald": Journald}
