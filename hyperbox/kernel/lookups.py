"""Host names looked up, and Go's words for one that could not be."""

from __future__ import annotations

import _socket

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    Place = tuple[int, tuple[object, ...]]

DNS_PORT = 53
FILE = "/etc/resolv.conf"


def addresses(host: str, port: int) -> list[Place]:
    """Return (family, socket address) of each address of a host for TCP. Raises OSError."""
    found = _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM)
    return [(int(family), tuple(target)) for family, _, _, _, target in found]


def answers_on_unix(path: str) -> bool:
    """Return whether somebody listens at a socket in the file system (unix(7))."""
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        socket.connect(path)
    except OSError:
        return False
    finally:
        socket.close()
    return True


def lookup_words(host: str, error: OSError) -> str:
    """Return what Go's resolver says where a host's name could not be looked up: which server it asked last, and how that failed."""
    server = last_server()
    place = f"[{server}]:{DNS_PORT}" if ":" in server else f"{server}:{DNS_PORT}"
    lead = f"lookup {host} on {place}"
    if error.errno != _socket.EAI_AGAIN:
        return f"{lead}: no such host"
    socket = _socket.socket(_socket.AF_INET6 if ":" in server else _socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        socket.connect((server, DNS_PORT))
        own = socket.getsockname()
    except OSError as failed:
        return f"{lead}: dial udp {place}: connect: {(failed.strerror or str(failed)).lower()}"
    finally:
        socket.close()
    return f"{lead}: read udp {own[0]}:{own[1]}->{place}: i/o timeout"


def last_server() -> str:
    """Return the last name server that is to be asked: the host's, or this machine."""
    try:
        lines = files.read_text(FILE).splitlines()
    except OSError:
        lines = []
    servers = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return servers[-1] if servers else "127.0.0.1"
