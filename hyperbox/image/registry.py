"""One registry over HTTP: the OCI distribution specification's client side, with docker's token and basic authentication.

Plain HTTP only for registries on loopback. One object serves one repository; each thread uses a `Connection` of its own.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.parse
import urllib.request

from hyperbox.errors import EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.image.reference import Reference

    Json = dict[str, object]

TIMEOUT = 60.0
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
# a registry that is busy or broken for the moment is asked again, after the time that it names or a growing one of our own
BUSY = (429, 500, 502, 503, 504)
TRIES = 4
FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 30.0
REDIRECTS = (301, 302, 303, 307, 308)


def is_loopback(host: str) -> bool:
    """Return whether a registry's "host[:port]" is on this machine, where docker allows plain HTTP."""
    name = host.rsplit(":", 1)[0] if not host.startswith("[") else host.partition("]")[0][1:]
    return name == "localhost" or name.startswith("127.") or name == "::1"


class Unauthorized(EngineError):
    """The registry refuses these credentials (HTTP 401, 403)."""

    status = 401


class Registry:
    """A repository in a registry: where it is, the credentials for it, and the token of the moment."""

    def __init__(self, domain: str, path: str, auth: Mapping[str, object] | None, actions: str = "pull") -> None:
        self.host = "registry-1.docker.io" if domain == "docker.io" else domain
        self.path = path
        self.auth = auth or {}
        self.actions = actions
        self.secure = not is_loopback(self.host)
        self.token = ""
        self.scheme = ""

    @classmethod
    def of(cls, reference: Reference, auth: Mapping[str, object] | None, actions: str = "pull") -> Registry:
        """Return the registry of a reference."""
        return cls(reference.domain, reference.path, auth, actions)

    def url(self, path: str) -> str:
        """Return the full address of a path of the API, for requests and messages."""
        return f"{'https' if self.secure else 'http'}://{self.host}/v2/{path}"

    def authorize(self, challenge: str, connection: Connection) -> bool:
        """Answer a WWW-Authenticate challenge; returns whether the request may be tried again."""
        scheme, _, rest = challenge.partition(" ")
        user, password = str(self.auth.get("username", "")), str(self.auth.get("password", ""))
        if scheme.lower() == "basic":
            if not user or self.token:
                return False
            self.scheme, self.token = "Basic", base64.b64encode(f"{user}:{password}".encode()).decode()
            return True
        if scheme.lower() != "bearer":
            return False
        fields = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
        realm = fields.get("realm", "")
        if urllib.parse.urlsplit(realm).scheme not in ("https", "http" if not self.secure else "https"):
            raise EngineError(f"registry {self.host} names a token service that is not secure: {realm!r}")
        query = {"service": fields.get("service", ""), "scope": f"repository:{self.path}:{self.actions}"}
        if not self.path:
            del query["scope"]
        headers = {}
        identity = str(self.auth.get("identitytoken", ""))
        body = None
        if identity:
            body = urllib.parse.urlencode(
                {**query, "grant_type": "refresh_token", "refresh_token": identity, "client_id": "hyperbox"}
            ).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            query["account"] = user
        address = realm if body else f"{realm}?{urllib.parse.urlencode(query)}"
        status, answer = connection.simple("POST" if body else "GET", address, headers, body)
        if status != 200:
            raise Unauthorized(f"Get {json.dumps(address)}: unauthorized: incorrect username or password")
        value = json.loads(answer)
        self.scheme, self.token = "Bearer", str(value.get("token") or value.get("access_token") or "")
        return bool(self.token)


class Connection:
    """One HTTP connection to a registry, kept open between requests."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.open: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def close(self) -> None:
        """Close what is open."""
        for connection in self.open.values():
            connection.close()
        self.open.clear()

    def _connect(self, scheme: str, host: str) -> http.client.HTTPConnection:
        found = self.open.get((scheme, host))
        if found is None:
            host = reachable(host)
            if scheme == "https":
                found = http.client.HTTPSConnection(host, timeout=TIMEOUT, context=ssl.create_default_context())
            else:
                found = http.client.HTTPConnection(host, timeout=TIMEOUT)
            self.open[scheme, host] = found
        return found

    def _send(self, method: str, address: str, headers: dict[str, str], body: object) -> http.client.HTTPResponse:
        parts = urllib.parse.urlsplit(address)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        for last in (False, True):
            connection = self._connect(parts.scheme, parts.netloc)
            fresh = connection.sock is None
            try:
                connection.request(method, target, body=body, headers=headers)  # type: ignore[arg-type]
                return connection.getresponse()
            except (http.client.HTTPException, BrokenPipeError, ConnectionResetError) as error:
                connection.close()
                if last or fresh or hasattr(body, "read"):
                    raise EngineError(f"{method.capitalize()} {json.dumps(address)}: {error or 'EOF'}") from None
            except ssl.SSLError as error:
                raise EngineError(
                    f"{method.capitalize()} {json.dumps(address)}: tls: {error.reason or error}"
                ) from None
            except OSError as error:
                connection.close()
                shown = self.registry.url("") if parts.netloc == self.registry.host else address
                raise EngineError(f"Get {json.dumps(shown)}: {dial_error(parts, error)}") from None
        raise AssertionError

    def simple(self, method: str, address: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        """Send one request and return its status and its body (a MiB at most)."""
        response = self._send(method, address, headers, body)
        data = response.read(1 << 20)
        if not response.isclosed():
            response.close()
        return response.status, data

    def request(
        self, method: str, address: str, headers: dict[str, str] | None = None, body: object = None
    ) -> http.client.HTTPResponse:
        """Send a request with the registry's credentials, following redirects and answering one challenge."""
        registry = self.registry
        own_host = urllib.parse.urlsplit(address).netloc
        tries = 1
        for _ in range(8 + TRIES):
            sent = {"User-Agent": "docker/28.5 hyperbox", **(headers or {})}
            if registry.token and urllib.parse.urlsplit(address).netloc == own_host:
                sent["Authorization"] = f"{registry.scheme} {registry.token}"
            response = self._send(method, address, sent, body)
            if response.status in BUSY and method in ("GET", "HEAD") and tries < TRIES:
                wait = waiting_time(response, tries)
                if wait is not None:
                    response.read(1 << 16)
                    response.close()
                    time.sleep(wait)
                    tries += 1
                    continue
            if response.status in REDIRECTS and response.headers.get("Location"):
                response.read()
                address = urllib.parse.urljoin(address, response.headers["Location"])
                if registry.secure and not address.startswith("https://"):
                    raise EngineError(f"registry {registry.host} redirects to a place that is not secure: {address}")
                continue
            if response.status == 401 and not hasattr(body, "read"):
                challenge = response.headers.get("WWW-Authenticate", "")
                response.read()
                had_token = bool(registry.token) and registry.scheme == "Bearer"
                if registry.authorize(challenge, self) and not (had_token and registry.scheme == "Basic"):
                    continue
                raise Unauthorized(f"{method.capitalize()} {json.dumps(address)}: no basic auth credentials")
            return response
        raise EngineError(f"{method.capitalize()} {json.dumps(address)}: stopped after 8 redirects")


def reachable(host: str) -> str:
    """Return a "host[:port]" to connect to: on a machine without /etc/hosts, localhost is 127.0.0.1 all the same (RFC 6761)."""
    name, colon, port = host.partition(":")
    if name != "localhost":
        return host
    import socket

    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror:
        return f"127.0.0.1{colon}{port}"
    return host


def waiting_time(response: http.client.HTTPResponse, tries: int) -> float | None:
    """Return how many seconds to wait before a busy registry is asked again; None where it is not to be (RFC 9110, Retry-After).

    Too many requests without a time are told at once, as docker does: the limit is one of hours.
    """
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text) if float(text) <= LONGEST_WAIT else None
    return None if response.status == 429 else float(FIRST_WAIT * 2 ** (tries - 1))


def dial_error(parts: urllib.parse.SplitResult, error: OSError) -> str:
    """Return Go's words for a connection that could not be made."""
    import socket

    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {parts.hostname}: no such host"
    if isinstance(error, TimeoutError):
        return (
            "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = "[::1]" if parts.hostname == "localhost" else parts.hostname
    return f"dial tcp {host}:{port}: connect: {(error.strerror or str(error)).lower()}"


def check(response: http.client.HTTPResponse, what: str, *accepted: int) -> http.client.HTTPResponse:
    """Return the response if its status is an accepted one. Raises NotFound or EngineError with the registry's own words."""
    if response.status in accepted:
        return response
    body = response.read(1 << 16)
    message = registry_message(body) or f"received unexpected HTTP status: {response.status} {response.reason}"
    if response.status == 404:
        raise NotFound(f"{what}: {message}")
    if response.status in (401, 403):
        raise Unauthorized(message)
    if response.status == 429:
        raise EngineError(f"toomanyrequests: {message}")
    raise EngineError(f"{what}: {message}")


def registry_message(body: bytes) -> str:
    """Return "code: message" of a registry's error document, or "" where it is none."""
    try:
        errors = json.loads(body)["errors"]
        return "\n".join(
            f"{str(error['code']).lower().replace('_', ' ')}: {error.get('message', '')}" for error in errors
        )
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        return ""
