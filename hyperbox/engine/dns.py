"""Names inside containers on networks of the user's: a resolver at 127.0.0.11, answered by the container's monitor.

Its sockets have ports that the kernel chose, and rules inside the container's network namespace lead 127.0.0.11:53 to them; so the
container may serve DNS on port 53 itself. Names of containers, services and aliases come from the endpoint files of the networks that the
container is on; all other questions go to the host's name servers (or those given with --dns) from the host's network namespace. UDP never
blocks the monitor: a question that a server leaves unanswered goes to the next one when the asker repeats it. Threads serve TCP, a few.
"""

from __future__ import annotations

import _socket
import os
import time

from hyperbox import files
from hyperbox.engine import dns_message, network_store
from hyperbox.engine.network_setup import read_held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    from hyperbox.engine.state import Roots

    Json = dict[str, object]

    class KeptResolver(TypedDict):
        Udp: int
        Tcp: int
        Forward: list[int]
        Servers: list[str]


ADDRESS = "127.0.0.11"
TABLE = "hyperbox_dns"
PENDING_LIMIT = 512
THREAD_LIMIT = 16
PATIENCE = 1.0  # seconds after which a silent server is no longer asked first
FORGOTTEN = 10.0  # seconds after which nobody waits for an answer any more


class Names:
    """What the endpoint files of one network say: names to addresses, addresses to names; read again when the folder changes."""

    __slots__ = ("_folder", "_read", "by_address", "by_name", "name")

    def __init__(self, roots: Roots, network_id: str, name: str) -> None:
        self._folder = network_store.run_folder(roots, network_id)
        self._read = -1
        self.name = name
        self.by_name: dict[str, list[Json]] = {}
        self.by_address: dict[str, Json] = {}

    def refresh(self) -> None:
        """Read the endpoint files where the folder has changed since, or so lately that a change could have been missed."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._read:
            return
        self.by_name, self.by_address = {}, {}
        for entry in os.listdir(self._folder):
            if not entry.endswith(".json"):
                continue
            try:
                endpoint = files.read_json(f"{self._folder}/{entry}")
            except (OSError, ValueError):
                continue
            if isinstance(endpoint, dict):
                self._add(endpoint)
        self._read = changed if time.time_ns() - changed > 50_000_000 else -1

    def _add(self, endpoint: Json) -> None:
        names = endpoint.get("DNSNames")
        for name in names if isinstance(names, list) else ():
            self.by_name.setdefault(str(name).lower(), []).append(endpoint)
        for key in ("IPAddress", "GlobalIPv6Address"):
            if endpoint.get(key):
                self.by_address[str(endpoint[key])] = endpoint

    def addresses(self, name: str, *, ipv6: bool) -> list[str] | None:
        """Return a name's addresses of one family in an order that changes, or None where the name is unknown."""
        found = [each for each in self.by_name.get(name, ()) if network_store.owner_lives(str(each["Owner"]))]
        if not found:
            return None
        key = "GlobalIPv6Address" if ipv6 else "IPAddress"
        addresses = [str(each[key]) for each in found if each.get(key)]
        start = os.urandom(1)[0] % len(addresses) if addresses else 0
        return addresses[start:] + addresses[:start]


class Zone:
    """What one container may know: the names on its networks."""

    __slots__ = ("_container_id", "_networks", "_roots", "links", "outside")

    def __init__(self, roots: Roots, container_id: str) -> None:
        self._roots = roots
        self._container_id = container_id
        self._networks: dict[str, Names] = {}
        self.links: dict[str, str] = {}
        self.outside = False

    def refresh(self) -> list[Names]:
        """Return the names of each network that the container is on now."""
        held = read_held(self._roots, self._container_id)
        networks = held["Networks"] if held is not None else {}
        assert isinstance(networks, dict)
        self.outside = any(not endpoint.get("Internal") for endpoint in networks.values())
        kept: dict[str, Names] = {}
        for name, endpoint in networks.items():
            if name in network_store.PREDEFINED:
                continue
            network_id = str(endpoint["NetworkID"])
            kept[network_id] = self._networks.get(network_id) or Names(self._roots, network_id, name)
            kept[network_id].refresh()
            for link in endpoint.get("Links") or ():
                target, _, alias = str(link).rpartition(":")
                self.links[(alias or target).lower()] = (target or alias).lower()
        self._networks = kept
        return list(kept.values())

    def answer(self, question: dns_message.Question) -> list[bytes] | None:
        """Return the data of the answers (none: the name is there without such data), or None where the name is not ours."""
        networks = self.refresh()
        if question.kind == dns_message.PTR:
            address = dns_message.reverse_address(question.name)
            for names in networks:
                endpoint = names.by_address.get(address)
                if endpoint is not None:
                    return [dns_message.encode_name(f"{endpoint['Container']}.{names.name}")]
            return None
        name = question.name.lower().rstrip(".")
        name = self.links.get(name, name)
        known: list[bytes] | None = None
        for names in networks:
            for candidate in (name, name.removesuffix("." + names.name.lower())):
                found = names.addresses(candidate, ipv6=question.kind == dns_message.AAAA)
                if found is not None:
                    known = [*(known or []), *self._packed(found, question.kind)]
                    break
        return known

    @staticmethod
    def _packed(addresses: list[str], kind: int) -> list[bytes]:
        from hyperbox.kernel.links import packed

        return [packed(address) for address in addresses] if kind in (dns_message.A, dns_message.AAAA) else []


class Waiting:
    """A question that a name server is asked: who asked, under which number, and since when."""

    __slots__ = ("asker", "identifier", "server", "since")

    def __init__(self, asker: tuple[str, int], identifier: bytes, server: tuple[str, int], since: float) -> None:
        self.asker = asker
        self.identifier = identifier
        self.server = server
        self.since = since


class Resolver:
    """Answers one container. `descriptors` are to be polled for reading and `handle` called with the one that is ready."""

    __slots__ = ("_forward", "_servers", "_tcp", "_threads", "_udp", "_waiting", "_zone")

    def __init__(self, roots: Roots, container_id: str, netns: int, kept: KeptResolver | None = None) -> None:
        """Begin to answer the container whose network namespace is behind `netns`, or go on with the sockets of the process that `kept` is of."""
        self._zone = Zone(roots, container_id)
        self._waiting: dict[bytes, Waiting] = {}
        self._threads = 0
        self._servers: list[str] = []
        self._udp: _socket.socket | None = None
        self._tcp: _socket.socket | None = None
        self._forward: dict[int, _socket.socket] = {}
        if kept is not None:
            self._servers = kept["Servers"]
            self._udp, self._tcp = _taken(kept["Udp"]), _taken(kept["Tcp"])
            self._forward = {descriptor: _taken(descriptor) for descriptor in kept["Forward"]}
        elif self._zone.refresh():
            self._listen(roots, container_id, netns)

    def _listen(self, roots: Roots, container_id: str, netns: int) -> None:
        from hyperbox.engine.network_files import upstream
        from hyperbox.engine.state import read_container
        from hyperbox.kernel import nftables, syscalls

        self._servers = upstream(read_container(roots, container_id))

        def inside() -> tuple[_socket.socket, _socket.socket]:
            udp = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
            udp.bind((ADDRESS, 0))
            tcp = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
            tcp.bind((ADDRESS, 0))
            tcp.listen(16)
            instead = ((_socket.IPPROTO_UDP, 53, udp.getsockname()[1]), (_socket.IPPROTO_TCP, 53, tcp.getsockname()[1]))
            nftables.redirect(TABLE, _socket.inet_aton(ADDRESS), instead)
            return udp, tcp

        made = syscalls.in_netns(netns, inside)
        assert isinstance(made, tuple)
        self._udp, self._tcp = made
        for family in {_socket.AF_INET6 if ":" in server else _socket.AF_INET for server in self._servers}:
            kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
            try:
                socket = _socket.socket(family, kind)
            except OSError:  # a host without IPv6
                continue
            self._forward[socket.fileno()] = socket

    def descriptors(self) -> tuple[int, ...]:
        """Return what to poll: nothing where the container is on no network of the user's."""
        if self._udp is None or self._tcp is None:
            return ()
        return (self._udp.fileno(), self._tcp.fileno(), *self._forward)

    def kept(self) -> KeptResolver | None:
        """Return what a process that takes over from this one needs to know; None while an answer is awaited."""
        now = time.monotonic()
        asking = self._threads or any(now - waiting.since < FORGOTTEN for waiting in self._waiting.values())
        if asking or self._udp is None or self._tcp is None:
            return None
        return {
            "Udp": self._udp.fileno(),
            "Tcp": self._tcp.fileno(),
            "Forward": list(self._forward),
            "Servers": self._servers,
        }

    def close(self) -> None:
        """Close all sockets."""
        for socket in (self._udp, self._tcp, *self._forward.values()):
            if socket is not None:
                socket.close()

    def handle(self, descriptor: int) -> None:
        """Do what a readable descriptor asks for; never blocks, never raises on what arrives."""
        try:
            if self._udp is not None and descriptor == self._udp.fileno():
                self._questions(self._udp)
            elif self._tcp is not None and descriptor == self._tcp.fileno():
                self._accept(self._tcp)
            elif descriptor in self._forward:
                self._answers(self._forward[descriptor])
        except OSError:
            return

    def _questions(self, udp: _socket.socket) -> None:
        for _ in range(64):
            try:
                data, asker = udp.recvfrom(65535)
            except BlockingIOError:
                return
            question = dns_message.parse_question(data)
            if question is None:
                if len(data) >= 12 and not data[2] & 0x80:
                    udp.sendto(dns_message.failure(data, dns_message.FORMAT_ERROR), asker)
                continue
            own = self._zone.answer(question)
            if own is not None:
                udp.sendto(dns_message.reply(data, question, own, limit=dns_message.size_limit(data)), asker)
            elif not self._zone.outside or not self._ask(data, asker):
                udp.sendto(dns_message.failure(data, dns_message.SERVER_FAILURE), asker)

    def _ask(self, data: bytes, asker: tuple[str, int]) -> bool:
        """Send a question on to a name server; returns whether there was one to send it to."""
        now = time.monotonic()
        for identifier, waiting in list(self._waiting.items()):
            if now - waiting.since > PATIENCE and self._servers and waiting.server[0] == self._servers[0]:
                self._servers.append(self._servers.pop(0))
            if now - waiting.since > FORGOTTEN or (waiting.asker == asker and waiting.identifier == data[:2]):
                del self._waiting[identifier]
        if len(self._waiting) >= PENDING_LIMIT:
            return False
        for server in self._servers:
            family = _socket.AF_INET6 if ":" in server else _socket.AF_INET
            socket = next((each for each in self._forward.values() if each.family == family), None)
            if socket is None:
                continue
            identifier = os.urandom(2)
            try:
                socket.sendto(identifier + data[2:], (server, 53))
            except OSError:
                continue
            self._waiting[identifier] = Waiting(asker, data[:2], (server, 53), now)
            return True
        return False

    def _answers(self, socket: _socket.socket) -> None:
        for _ in range(64):
            try:
                data, sender = socket.recvfrom(65535)
            except BlockingIOError:
                return
            waiting = self._waiting.get(data[:2])
            if waiting is None or len(data) < 12 or sender[:2] != waiting.server or self._udp is None:
                continue
            del self._waiting[data[:2]]
            self._udp.sendto(waiting.identifier + data[2:], waiting.asker)

    def _accept(self, tcp: _socket.socket) -> None:
        import _thread

        descriptor, _ = tcp._accept()  # type: ignore[attr-defined]
        client = _socket.socket(fileno=descriptor)
        if self._threads >= THREAD_LIMIT:
            client.close()
            return
        self._threads += 1
        _thread.start_new_thread(self._serve, (client,))

    def _serve(self, client: _socket.socket) -> None:
        """Answer one TCP connection, in a thread of its own. RFC 7766."""
        try:
            client.settimeout(10)
            while data := dns_message.receive(client):
                question = dns_message.parse_question(data)
                own = None if question is None else self._zone.answer(question)
                if question is None:
                    return
                answer = self._ask_tcp(data) if own is None else dns_message.reply(data, question, own, limit=65535)
                client.sendall(len(answer).to_bytes(2, "big") + answer)
        except (OSError, ValueError):
            return
        finally:
            self._threads -= 1
            client.close()

    def _ask_tcp(self, data: bytes) -> bytes:
        for server in self._servers if self._zone.outside else ():
            with _socket_to(server) as socket:
                try:
                    socket.connect((server, 53))
                    socket.sendall(len(data).to_bytes(2, "big") + data)
                    answer = dns_message.receive(socket)
                except OSError:
                    continue
                if answer:
                    return answer
        return dns_message.failure(data, dns_message.SERVER_FAILURE)


def _taken(descriptor: int) -> _socket.socket:
    """Return the socket behind a descriptor that another process has left."""
    socket = _socket.socket(fileno=descriptor)
    socket.setblocking(False)
    return socket


class _socket_to:
    """A TCP socket of a server's family, closed at the end of `with` (`_socket.socket` is no context manager)."""

    def __init__(self, server: str) -> None:
        family = _socket.AF_INET6 if ":" in server else _socket.AF_INET
        self._socket = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._socket.settimeout(4)

    def __enter__(self) -> _socket.socket:
        return self._socket

    def __exit__(self, *_: object) -> None:
        self._socket.close()
