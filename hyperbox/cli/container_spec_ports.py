"""-p, -P and --expose as the Engine API's ExposedPorts and PortBindings, by the rules and with the words of docker's go-connections/nat."""

from __future__ import annotations

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Bindings = dict[str, list[dict[str, str]]]

PROTOCOLS = ("tcp", "udp", "sctp")
LONG_KEYS = ("published", "target", "protocol", "mode", "app_protocol", "name")


def port_range(text: str) -> tuple[int, int]:
    """Return FIRST and LAST of "80" or "80-90". Raises ValueError."""
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        raise ValueError(text)
    low, high = int(first), int(last) if dash else int(first)
    if high > 65535 or low > high:
        raise ValueError(text)
    return low, high


def split_address(text: str) -> tuple[str, str, str]:
    """Return (address, host port, container port) of a short form: the container's port is what follows the last colon."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def long_form(text: str) -> str:
    """Return the short form of "published=8080,target=80". Raises HyperBoxError."""
    values = {"protocol": "tcp", "published": ""}
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if not equals:
            raise HyperBoxError(f"invalid field: {field}")
        if key not in LONG_KEYS:
            raise HyperBoxError(f"invalid field key: {key}")
        values[key] = value.lower()
    target = values.get("target", "")
    if not target.isdigit():
        raise HyperBoxError(
            f"invalid target port ({target}): value must be an integer: strconv.ParseUint: invalid syntax"
        )
    published = values["published"]
    return f"{published}:{target}/{values['protocol']}" if published else f"{target}/{values['protocol']}"


def check_address(address: str) -> str:
    """Return a host address without brackets. Raises HyperBoxError unless it is one."""
    import _socket

    bare = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
    if not bare:
        return ""
    family = _socket.AF_INET6 if ":" in bare else _socket.AF_INET
    if ":" in address and (bare == address or ":" in address.rpartition("]")[2]):
        raise HyperBoxError(f"Invalid ip address {address}: address {address}:: too many colons in address")
    try:
        _socket.inet_pton(family, bare.partition("%")[0])
    except OSError:
        raise HyperBoxError(f"Invalid ip address: {bare}") from None
    return bare


def add_published(text: str, exposed: dict[str, object], bindings: Bindings) -> None:
    """Take one -p in. Raises HyperBoxError with docker's words."""
    if "=" in text:
        text = long_form(text)
    body, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    address, host, container = split_address(body)
    address = check_address(address)
    if not container:
        raise HyperBoxError(f"No port specified: {text}<empty>")
    try:
        start, end = port_range(container)
    except ValueError:
        raise HyperBoxError(f"Invalid containerPort: {container}") from None
    host_start = host_end = 0
    if host:
        try:
            host_start, host_end = port_range(host)
        except ValueError:
            raise HyperBoxError(f"Invalid hostPort: {host}") from None
        if end - start != host_end - host_start and end != start:
            raise HyperBoxError(f"Invalid ranges specified for container and host Ports: {container} and {host}")
    if protocol not in PROTOCOLS:
        raise HyperBoxError(f"Invalid proto: {protocol}")
    for place in range(end - start + 1):
        published = ""
        if host:
            same = end - start == host_end - host_start
            published = str(host_start + place) if same else f"{host_start}-{host_end}"
        key = f"{start + place}/{protocol}"
        exposed[key] = {}
        bindings.setdefault(key, []).append({"HostIp": address, "HostPort": published})


def ports(published: list[str], expose: list[str]) -> tuple[dict[str, object], Bindings]:
    """Return ExposedPorts and PortBindings for -p's and --expose's words. Raises HyperBoxError."""
    exposed: dict[str, object] = {}
    bindings: Bindings = {}
    for text in published:
        add_published(text, exposed, bindings)
    for text in expose:
        if ":" in text:
            raise HyperBoxError(f"invalid port format for --expose: {text}")
        number, slash, protocol = text.partition("/")
        try:
            start, end = port_range(number)
        except ValueError:
            first, dash, last = number.partition("-")
            if dash and first.isdigit() and last.isdigit() and int(last) < int(first):
                reason = f"Invalid range specified for the Port: {number}"
            else:
                from hyperbox.go.text import invalid_syntax

                reason = invalid_syntax("ParseUint", first)
            raise HyperBoxError(f"invalid range format for --expose: {text}, error: {reason}") from None
        for port in range(start, end + 1):
            exposed.setdefault(f"{port}/{protocol.lower() if slash else 'tcp'}", {})
    return exposed, bindings
