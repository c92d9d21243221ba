"""How a registry's host is reached: with TLS and which certificates, or without, and by which mirrors.

What docker's daemon reads is read here: /etc/docker/certs.d/HOST[:PORT]/ holds `*.crt` (authorities trusted beside the system's), and
`NAME.cert` with `NAME.key` (what we prove ourselves with); /etc/docker/daemon.json holds "insecure-registries" and "registry-mirrors".
"""

from __future__ import annotations

import os
import urllib.parse

from hyperbox import files
from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    Json = dict[str, object]

CERTIFICATES = "/etc/docker/certs.d"
DAEMON_SETTINGS = "/etc/docker/daemon.json"
PROBE_SECONDS = 15.0
HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io")


def split_host(host: str) -> tuple[str, str]:
    """Return (name, port) of "host[:port]"; an IPv6 address loses its brackets, the port may be ""."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def is_loopback(host: str) -> bool:
    """Return whether a registry's "host[:port]" is on this machine, where docker allows plain HTTP."""
    name, _ = split_host(host)
    return name == "localhost" or name.startswith("127.") or name == "::1"


def daemon_settings() -> Json:
    """Return docker's daemon.json, an empty one where there is none. Raises EngineError for what can't be read."""
    try:
        value = files.read_json(DAEMON_SETTINGS)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise EngineError(f"{DAEMON_SETTINGS}: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(value, dict):
        raise EngineError(f"{DAEMON_SETTINGS}: not an object")
    return value


def _texts(settings: Json, key: str) -> list[str]:
    value = settings.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise EngineError(f"{DAEMON_SETTINGS}: {key!r} must be a list of strings")
    return value


def is_insecure(host: str) -> bool:
    """Return whether a registry may be reached without TLS, or with a certificate that nobody vouches for.

    So are those on loopback, and those that daemon.json has in "insecure-registries", by "host[:port]" or by network. Raises EngineError.
    """
    if is_loopback(host):
        return True
    name, _ = split_host(host)
    for text in _texts(daemon_settings(), "insecure-registries"):
        entry = text.removeprefix("http://").removeprefix("https://").rstrip("/")
        if entry in (host, name) or _in_network(name, entry):
            return True
    return False


def _in_network(name: str, entry: str) -> bool:
    import ipaddress

    try:
        return "/" in entry and ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def mirrors() -> list[tuple[str, str]]:
    """Return (scheme, "host[:port]") of each mirror of Docker Hub, in order. Raises EngineError for an address that is none."""
    found = []
    for text in _texts(daemon_settings(), "registry-mirrors"):
        parts = urllib.parse.urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise EngineError(f'invalid mirror: "{text}" in {DAEMON_SETTINGS} is not a valid URI')
        if parts.path.strip("/"):
            raise EngineError(f'invalid mirror: path, query, or fragment at end of the URI "{text}"')
        found.append((parts.scheme, parts.netloc))
    return found


def tls_context(host: str, *, verify: bool) -> ssl.SSLContext:
    """Return how TLS is spoken with a registry: its own authorities and our certificates for it included. Raises EngineError."""
    import ssl

    context = ssl.create_default_context() if verify else _unverified()
    folder = f"{CERTIFICATES}/{host}"
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return context
    for name in names:
        path = f"{folder}/{name}"
        try:
            if name.endswith(".crt"):
                context.load_verify_locations(path)
            elif name.endswith(".cert"):
                key = name.removesuffix("cert") + "key"
                if key not in names:
                    raise EngineError(
                        f"missing key {key} for client certificate {name}. CA certificates must use the extension .crt"
                    )
                context.load_cert_chain(path, f"{folder}/{key}")
            elif name.endswith(".key") and name.removesuffix("key") + "cert" not in names:
                raise EngineError(f"missing client certificate {name.removesuffix('key')}cert for key {name}")
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise EngineError(f"{path}: {getattr(error, 'reason', None) or error}") from None
    return context


def _unverified() -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def speaks_tls(host: str) -> bool:
    """Return whether an insecure registry speaks TLS, which is tried before plain HTTP; False too where nobody answers."""
    import socket
    import ssl

    name, port = split_host(host)
    context = tls_context(host, verify=False)
    try:
        plain = socket.create_connection((name, int(port or 443)), timeout=PROBE_SECONDS)
        with plain, context.wrap_socket(plain, server_hostname=name):
            return True
    except (OSError, ssl.SSLError, ValueError):
        return False


def tls_words(error: ssl.SSLError, host: str) -> str:
    """Return Go's words for a TLS handshake that failed."""
    import ssl

    name, _ = split_host(host)
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message or str(error)
        if "Hostname mismatch" in text or "IP address mismatch" in text:
            reason = f"certificate is not valid for {name}"
        elif "expired" in text or "not yet valid" in text:
            reason = "certificate has expired or is not yet valid"
        else:
            reason = "certificate signed by unknown authority"
        return f"tls: failed to verify certificate: x509: {reason}"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE"):
        return "http: server gave HTTP response to HTTPS client"
    return f"remote error: tls: {(error.reason or str(error)).lower().replace('_', ' ')}"


def reachable(host: str) -> str:
    """Return a "host[:port]" to connect to: on a machine without /etc/hosts, localhost is 127.0.0.1 all the same (RFC 6761)."""
    name, port = split_host(host)
    if name != "localhost":
        return host
    import socket

    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror:
        return f"127.0.0.1:{port}" if port else "127.0.0.1"
    return host
