"""Addresses of engines, as docker reads them, and what it says of one that it can't reach."""

from __future__ import annotations

import _socket
import sys

from hyperbox.errors import ExitStatus, HyperBoxError, Unreachable, Unresolved, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

PATIENCE = 3.0  # seconds that another engine has to accept a connection
START = "Failed to initialize: "
UNRESOLVED = f"{START}unable to resolve docker endpoint: "
DEFAULT_PORT = 2375
# commands that ask for each of their words, and tell each failure
EACH = frozenset(
    {
        *(
            "container rm",
            "container stop",
            "container kill",
            "container restart",
            "container pause",
            "container unpause",
        ),
        *("container wait", "container start", "image rm", "network rm", "volume rm"),
        *("inspect", "container inspect", "image inspect", "network inspect", "volume inspect"),
    }
)


def refuse(address: str, invocation: Invocation | None = None) -> HyperBoxError:
    """Return what a command (`invocation`) ends with that is meant for the engine at `address`: docker's words where that is no address or nobody
    answers there, our own refusal where another engine does."""
    kind, separator, rest = address.partition("://")
    if not separator:
        kind, rest = "tcp", address
    if kind == "npipe":
        return HyperBoxError(f"{START}protocol not available")
    if kind == "fd" and not rest:
        return HyperBoxError(f"{START}unable to parse docker host `{address}`")
    if kind == "ssh" and not rest.rpartition("@")[2].partition("/")[0]:
        return HyperBoxError(f"{START}ssh host connection is not valid: invalid SSH URL: hostname is empty")
    if kind not in ("tcp", "unix", "ssh", "fd"):
        return HyperBoxError(f"{UNRESOLVED}invalid bind address format: {address}")
    try:
        if kind in ("unix", "fd") and "://" in rest:
            return HyperBoxError(f"{UNRESOLVED}invalid proto, expected {kind}: {rest}")
        if kind == "unix":
            return _unix(rest)
        if kind == "tcp":
            return _tcp(rest, invocation)
    except OSError:
        pass
    return other_engine(address)


def other_engine(address: str) -> UnsupportedError:
    """Return the refusal of an engine that is there."""
    return UnsupportedError(
        f"HyperBox runs containers on this machine only, and {address} is another engine",
        hint="unset DOCKER_HOST and use the context default",
    )


def _unix(path: str) -> HyperBoxError:
    from hyperbox.kernel.lookups import answers_on_unix

    address = f"unix://{path}"
    return other_engine(address) if answers_on_unix(path) else Unreachable(address)


def _tcp(rest: str, invocation: Invocation | None) -> HyperBoxError:
    place, slash, path = rest.partition("/")
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket:
            return HyperBoxError(f"{UNRESOLVED}parse \"tcp://{rest}\": missing ']' in host")
        port, shown = port.removeprefix(":"), f"[{host}]"
    else:
        host, _, port = place.partition(":")
        host = shown = host or "localhost"
    if port and not (port.isascii() and port.isdigit()):
        return HyperBoxError(f'{UNRESOLVED}parse "tcp://{rest}": invalid port ":{port}" after host')
    number = int(port or DEFAULT_PORT)
    if number > 65535:
        return _unresolved(f"{shown}:{number}", f"address {number}: invalid port", invocation)
    from hyperbox.kernel.lookups import addresses, lookup_words

    try:
        found = addresses(host, number)
    except OSError as error:
        return _unresolved(f"{shown}:{number}", lookup_words(host, error), invocation)
    for family, target in found:
        socket = _socket.socket(family, _socket.SOCK_STREAM)
        socket.settimeout(PATIENCE)
        try:
            socket.connect(target)
        except OSError:
            continue
        finally:
            socket.close()
        return other_engine(f"tcp://{rest}")
    return Unreachable(f"tcp://{shown}:{number}{slash}{path}")


def _unresolved(place: str, reason: str, invocation: Invocation | None) -> Unresolved:
    from hyperbox.cli.endpoint_requests import PING, first_request

    request = PING.format(host=place) if invocation is None else first_request(invocation, place)
    return Unresolved(place, reason, request)


def _told(invocation: Invocation, error: Unreachable, argument: str) -> str:
    """Return how a failure is told for one of a command's arguments."""
    if not isinstance(error, Unresolved):
        return error.message
    from hyperbox.cli.endpoint_requests import first_request

    return Unresolved(error.host, error.reason, first_request(invocation, error.host, argument)).message


def tell(invocation: Invocation, error: Unreachable) -> int:
    """Tell that the engine can't be reached as docker tells it for a command, and return the exit code."""
    path, flags, message = invocation.path, invocation.flags, error.message
    if path in ("container run", "buildx build", "image build"):
        if path == "container run":
            raise HyperBoxError(f"docker: {message}\n\nRun 'docker run --help' for more information", exit_code=125)
        raise HyperBoxError(f"ERROR: {message}")
    if path.endswith("inspect") and path in EACH:
        sys.stdout.write("\n" if flags.get("format") else "[]\n")
        sys.stdout.flush()
    each = invocation.arguments if path in EACH else ()
    lines = [_told(invocation, error, argument) for argument in each] or [message]
    if path == "container start":
        lines.append(f"Error: failed to start containers: {', '.join(invocation.arguments)}")
    elif path == "container rename":
        lines.append(f"Error: failed to rename container named {invocation.arguments[0]}")
    elif path == "network rm":
        lines.append("exit status 1")
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    raise ExitStatus(1)
