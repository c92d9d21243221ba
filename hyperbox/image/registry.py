"""One registry over HTTP: the OCI distribution specification's client side, with docker's token and basic authentication.

`registry_hosts` says how its host is reached. One object serves one repository; each thread uses a `Connection` of its own.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import threading
import time
import urllib.parse
import urllib.request

from hyperbox.errors import EngineError, NotFound
from hyperbox.go.json_reading import first_value
from hyperbox.go.text import quote
from hyperbox.image.registry_hosts import HUB_HOSTS, is_insecure, reachable, speaks_tls, tls_context, tls_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
# what an error document with several errors becomes
SEVERAL = "errors:\n"
# seconds for which a token counts at least, whatever is said of it
SHORTEST_LIFE = 60.0
CLIENT = "docker"  # as token services know the client
# docker's words where a registry does not take the credentials that it was shown
NOT_TAKEN = "unauthorized: authentication required"
ANSWERS = 2  # tokens that are got for one request
REDIRECTS = (301, 302, 303, 307, 308)


class Unauthorized(EngineError):
    """The registry, or its token service, refuses these credentials (HTTP 401, 403)."""

    status = 401

    @property
    def first(self) -> str:
        """The first of several errors, which docker goes by."""
        return self.message.split("\n")[1] if self.message.startswith(SEVERAL) else self.message


class Registry:
    """A repository in a registry: where it is, the credentials for it, and the token of the moment.

    insecure  whether TLS may be left out or unverified; None: as the registry's host is known (`registry_hosts`)
    sources   further repositories there that are read, for blobs that are mounted from them
    offline   whether a token service is asked for an identity token as well, which `identity` is then: for login
    """

    def __init__(
        self,
        domain: str,
        path: str,
        auth: Mapping[str, object] | None,
        actions: str = "pull",
        *,
        insecure: bool | None = None,
        sources: Sequence[str] = (),
        offline: bool = False,
    ) -> None:
        self.host = "registry-1.docker.io" if domain in HUB_HOSTS else domain
        self.path = path
        self.auth = auth or {}
        self.actions = actions
        self.sources = sources
        self.insecure = is_insecure(self.host) if insecure is None else insecure
        self.offline = offline
        self.identity = ""
        self.token = ""
        self.scheme = ""
        # the challenge that the token answers, and until when it does (time.monotonic)
        self.challenge = ""
        self.expires = 0.0
        self.lock = threading.Lock()
        self.context: ssl.SSLContext | None = None
        self.tls: bool | None = None if self.insecure else True

    @classmethod
    def of(cls, reference: Reference, auth: Mapping[str, object] | None, actions: str = "pull") -> Registry:
        """Return the registry of a reference."""
        return cls(reference.domain, reference.path, auth, actions)

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken; an insecure registry is asked for it once."""
        if self.tls is None:
            with self.lock:
                if self.tls is None:
                    self.tls = speaks_tls(reachable(self.host))
        return self.tls

    def tls_for(self, host: str) -> ssl.SSLContext:
        """Return how TLS is spoken with the registry, or with another host that it leads to."""
        if host != self.host:
            return tls_context(host, verify=not is_insecure(host))
        if self.context is None:
            self.context = tls_context(host, verify=not self.insecure)
        return self.context

    def url(self, path: str) -> str:
        """Return the full address of a path of the API, for requests and messages."""
        return f"{'https' if self.secure else 'http'}://{self.host}/v2/{path}"

    def scopes(self) -> list[str]:
        """Return what a token is asked for."""
        if not self.path:
            return []
        return [f"repository:{self.path}:{self.actions}", *(f"repository:{source}:pull" for source in self.sources)]

    def authorize(self, challenge: str, connection: Connection, request: str) -> bool:
        """Answer a WWW-Authenticate challenge to a `request`; returns whether that may be tried again. Raises EngineError, Unauthorized."""
        scheme, fields = parsed_challenge(challenge)
        user, password = str(self.auth.get("username", "")), str(self.auth.get("password", ""))
        if scheme == "basic":
            if not user or self.token:
                return False
            self.scheme, self.token = "Basic", base64.b64encode(f"{user}:{password}".encode()).decode()
            return True
        if scheme != "bearer":
            return False
        given = str(self.auth.get("registrytoken", ""))
        if given:
            again = self.token != given
            self.scheme, self.token = "Bearer", given
            return again
        self.scheme, self.token = "Bearer", self._fetch_token(fields, connection, request)
        self.challenge = challenge
        return bool(self.token)

    def _fetch_token(self, fields: Mapping[str, str], connection: Connection, request: str) -> str:
        """Return a token of the service that a challenge names."""
        realm = fields.get("realm", "")
        if not realm:
            raise EngineError(f"{request}: no realm specified for token auth challenge")
        if urllib.parse.urlsplit(realm).scheme not in ("https", "http" if not self.secure else "https"):
            raise EngineError(f"registry {self.host} names a token service that is not secure: {realm!r}")
        address, headers, body = self._token_request(realm, fields.get("service", ""))
        try:
            status, answer = connection.simple("POST" if body else "GET", address, headers, body)
        except EngineError as error:
            raise EngineError(f"{request}: {error.message}") from None
        if not 200 <= status < 300:
            raise Unauthorized(f"{request}: {refusal(status, '', answer)}")
        text, wrong = first_value(answer.decode("utf-8", "replace"))
        if wrong:
            raise EngineError(f"{request}: unable to decode token response: {wrong}")
        value = json.loads(text)
        value = value if isinstance(value, dict) else {}
        token = str(value.get("token") or value.get("access_token") or "")
        if not token:
            raise EngineError(f"{request}: authorization server did not include a token in the response")
        life = value.get("expires_in")
        self.expires = time.monotonic() + max(SHORTEST_LIFE, float(life) if isinstance(life, (int, float)) else 0.0)
        self.identity = str(value.get("refresh_token") or "") if self.offline else ""
        return token

    def _token_request(self, realm: str, service: str) -> tuple[str, dict[str, str], bytes | None]:
        """Return (address, headers, body) of the request for a token; without a body it is a GET."""
        identity = str(self.auth.get("identitytoken", ""))
        if identity:
            asked = {"grant_type": "refresh_token", "refresh_token": identity, "client_id": CLIENT}
            form = urllib.parse.urlencode({**asked, "service": service, "scope": " ".join(self.scopes())})
            return realm, {"Content-Type": "application/x-www-form-urlencoded"}, form.encode()
        query: dict[str, object] = {"service": service, "scope": self.scopes()}
        headers = {}
        user = str(self.auth.get("username", ""))
        if user:
            account = f"{user}:{self.auth.get('password', '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(account.encode()).decode()
            query["account"] = user
        if self.offline:
            query |= {"offline_token": "true", "client_id": CLIENT}
        return f"{realm}?{urllib.parse.urlencode(sorted(query.items()), doseq=True)}", headers, None


def parsed_challenge(text: str) -> tuple[str, dict[str, str]]:
    """Return the scheme (lower case) and the fields of a WWW-Authenticate header (RFC 9110)."""
    scheme, _, rest = text.partition(" ")
    parts = [part for part in urllib.request.parse_http_list(rest) if "=" in part]
    return scheme.lower(), urllib.request.parse_keqv_list(parts)


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
            if scheme == "https":
                context = self.registry.tls_for(host)
                found = http.client.HTTPSConnection(reachable(host), timeout=TIMEOUT, context=context)
            else:
                found = http.client.HTTPConnection(reachable(host), timeout=TIMEOUT)
            self.open[scheme, host] = found
        return found

    def _send(self, method: str, address: str, headers: dict[str, str], body: object) -> http.client.HTTPResponse:
        parts = urllib.parse.urlsplit(address)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        for last in (False, True):
            connection = self._connect(parts.scheme, parts.netloc)
            fresh = connection.sock is None
            try:
                try:
                    connection.request(method, target, body=body, headers=headers)  # type: ignore[arg-type]
                except (BrokenPipeError, ConnectionResetError):
                    return connection.getresponse()  # it may have answered before it has read everything
                return connection.getresponse()
            except (http.client.HTTPException, BrokenPipeError, ConnectionResetError) as error:
                connection.close()
                if last or fresh or not rewound(body):
                    raise EngineError(f"{method.capitalize()} {quote(address)}: {error or 'EOF'}") from None
            except ssl.SSLError as error:
                connection.close()
                shown = self.registry.url("") if parts.netloc == self.registry.host else address
                raise EngineError(f"Get {quote(shown)}: {tls_words(error, parts.netloc)}") from None
            except OSError as error:
                connection.close()
                shown = self.registry.url("") if parts.netloc == self.registry.host else address
                raise EngineError(f"Get {quote(shown)}: {dial_error(parts, error)}") from None
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
        """Send a request with the registry's credentials, following redirects and answering one challenge. Raises Unauthorized, EngineError."""
        registry = self.registry
        own_host = urllib.parse.urlsplit(address).netloc
        tries, answered, given = 1, 0, ""
        for _ in range(10 + TRIES):
            named = f"{method.capitalize()} {quote(address)}"
            sent = {"User-Agent": "docker/28.5 hyperbox", **(headers or {})}
            if registry.challenge and time.monotonic() > registry.expires:
                registry.authorize(registry.challenge, self, named)
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
                given = response.headers["Location"]
                address = urllib.parse.urljoin(address, given)
                if registry.secure and not address.startswith("https://"):
                    raise EngineError(f"registry {registry.host} redirects to a place that is not secure: {address}")
                continue
            if response.status == 401 and rewound(body):
                challenge = response.headers.get("WWW-Authenticate", "")
                had_token = sent.get("Authorization", "").startswith("Bearer ")
                if had_token and not worth_another_token(challenge, answered):
                    return response
                if parsed_challenge(challenge)[0] not in ("basic", "bearer"):
                    return response
                told = response.read()
                if registry.authorize(challenge, self, named) and not (had_token and registry.scheme == "Basic"):
                    answered += 1
                    continue
                if registry.scheme == "Bearer":
                    raise Unauthorized(refusal(401, challenge, told))
                if registry.token:
                    raise Unauthorized(NOT_TAKEN)
                raise Unauthorized(f"{named}: no basic auth credentials")
            return response
        raise EngineError(f"{method.capitalize()} {quote(given or address)}: stopped after 10 redirects")


def rewound(body: object) -> bool:
    """Return whether a request's body can be sent once more, and bring one that is read back to its beginning."""
    if not hasattr(body, "read"):
        return True
    rewind = getattr(body, "rewind", None)
    if rewind is None:
        return False
    rewind()
    return True


def worth_another_token(challenge: str, answered: int) -> bool:
    """Return whether a registry that has refused a token may take a new one: not where it wants more than the account may."""
    scheme, fields = parsed_challenge(challenge)
    return scheme != "bearer" or (fields.get("error") != "insufficient_scope" and answered < ANSWERS)


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

    from hyperbox.kernel.lookups import lookup_words

    if isinstance(error, socket.gaierror):
        return f"dial tcp: {lookup_words(str(parts.hostname), error)}"
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
    if response.status in (401, 403):
        raise Unauthorized(refusal(response.status, response.headers.get("WWW-Authenticate", ""), body))
    message = registry_message(body) or f"received unexpected HTTP status: {response.status} {response.reason}"
    if response.status == 404:
        raise NotFound(f"{what}: {message}")
    if response.status == 429:
        raise EngineError(f"toomanyrequests: {message}")
    raise EngineError(f"{what}: {message}")


# the error of a Bearer challenge (RFC 6750) -> docker's words
REFUSED = {
    "invalid_token": NOT_TAKEN,
    "insufficient_scope": "denied: requested access to the resource is denied",
}


def read_manifest(response: http.client.HTTPResponse, what: str, digest: str = "") -> tuple[bytes, str]:
    """Return a manifest's bytes and media type; `digest`: what it must have, "" for any. Raises EngineError for another and for too many bytes."""
    from hyperbox.image.ingest import MANIFEST_LIMIT

    data = response.read(MANIFEST_LIMIT + 1)
    if len(data) <= MANIFEST_LIMIT and response.length:
        raise EngineError("unexpected EOF")
    if len(data) > MANIFEST_LIMIT:
        raise EngineError(f"manifest of {what} is larger than {MANIFEST_LIMIT >> 20} MiB")
    if digest and f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise EngineError(f"manifest verification failed for digest {digest}")
    return data, response.headers.get("Content-Type", "").partition(";")[0]


def refusal(status: int, challenge: str, body: bytes) -> str:
    """Return docker's words for a request that was refused: what the challenge says and what the error document does."""
    scheme, fields = parsed_challenge(challenge)
    said = [REFUSED[fields["error"]]] if scheme == "bearer" and fields.get("error") in REFUSED else []
    document = registry_message(body)
    said += [line for line in document.split("\n") if line]
    if not said:
        reason = http.client.responses.get(status, "")
        return NOT_TAKEN if status == 401 else f"received unexpected HTTP status: {status} {reason}"
    return said[0] if len(said) == 1 else SEVERAL + "".join(f"{line}\n" for line in said)


def registry_message(body: bytes) -> str:
    """Return "code: message" of a registry's error document, in lines, or "" where it is none."""
    try:
        document = json.loads(body)
        if document.get("details"):
            return f"unauthorized: {document['details']}"  # Docker Hub's
        errors = document["errors"]
        return "\n".join(
            f"{str(error['code']).lower().replace('_', ' ')}: {error.get('message', '')}" for error in errors
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
