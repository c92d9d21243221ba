"""The short form of a service's port: [[HOST_IP:][HOST_PORT[-RANGE]]:]CONTAINER_PORT[-RANGE][/PROTOCOL]."""

from __future__ import annotations

import ipaddress

from hyperbox.errors import ComposeError

Json = dict[str, object]


class TooManyPorts(ComposeError):
    """A range has more ports than there is room for."""


def parse_ports(spec: str, room: int = 65536) -> list[Json]:
    """Return the long form of each container port that `spec` names, ordered as docker compose orders them.

    Raises ComposeError, TooManyPorts where there are more than `room`.
    """
    address, host, container = _split(spec)
    protocol, container = _protocol(container)
    ip = _host_ip(address)
    if not container:
        raise ComposeError(f"No port specified: {spec}<empty>")
    start, end = _range(container, f"Invalid containerPort: {container}")
    host_start, host_end = _range(host, f"Invalid hostPort: {host}") if host else (0, 0)
    if host and end - start != host_end - host_start and end != start:
        raise ComposeError(f"Invalid ranges specified for container and host Ports: {container} and {host}")
    if protocol.lower() not in ("tcp", "udp", "sctp"):
        raise ComposeError(f"Invalid proto: {protocol}")
    if end - start >= room:
        raise TooManyPorts("too many ports")
    protocol = protocol.lower()
    first: Json = {"mode": "ingress", "host_ip": ip} if ip else {"mode": "ingress"}
    ports: list[Json] = []
    # as text: docker compose sorts "TARGET/PROTOCOL"
    for target in sorted(range(start, end + 1), key=lambda number: f"{number}/"):
        port = {**first, "target": target} if target else dict(first)
        if host:
            published = str(host_start + target - start)
            port["published"] = published if start != end or host_start == host_end else f"{published}-{host_end}"
        port["protocol"] = protocol
        ports.append(port)
    return ports


def _split(spec: str) -> tuple[str, str, str]:
    parts = spec.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _protocol(container: str) -> tuple[str, str]:
    parts = container.split("/")
    if not parts[0]:
        return "", ""
    return (parts[1] if len(parts) > 1 and parts[1] else "tcp"), parts[0]


def _range(ports: str, message: str) -> tuple[int, int]:
    parts = ports.split("-")
    numbers = [_port(part) for part in parts[:2]]
    start, end = numbers[0], numbers[-1]
    if start is None or end is None or end < start:
        raise ComposeError(message)
    return start, end


def _port(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 64 or int(text) > 65535:
        return None
    return int(text)


def _host_ip(address: str) -> str:
    """Return the address without brackets; the messages are those of Go's net.SplitHostPort."""
    problem = ""
    host = address
    if address.startswith("["):
        closing = address.find("]")
        host = address[1:closing] if closing >= 0 else ""
        if closing < 0:
            problem = "missing ']' in address"
        elif closing + 1 != len(address):
            problem = "too many colons in address" if address[closing + 1] == ":" else "missing port in address"
        elif "[" in host:
            problem = "unexpected '[' in address"
    elif ":" in address:
        problem = "too many colons in address"
    elif "[" in address:
        problem = "unexpected '[' in address"
    elif "]" in address:
        problem = "unexpected ']' in address"
    if problem:
        raise ComposeError(f"Invalid ip address {address}: address {address}:: {problem}")
    if host and not is_ip(host):
        raise ComposeError(f"Invalid ip address: {host}")
    return host


def is_ip(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address without a zone."""
    if "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
