"""image/registry.py: tokens of a service, when they are asked for, and what is said of those who get none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from hyperbox.errors import EngineError
from hyperbox.image.reference import parse_reference
from hyperbox.image.registry import Connection, Registry, Unauthorized, check, parsed_challenge, refusal
from tests.fake_registry import Answer, FakeRegistry, Request, fake_registry

TOKEN = {"token": "T", "expires_in": 300, "refresh_token": "R"}


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with fake_registry() as made:
        yield made


def guarded(
    server: FakeRegistry, answer: dict[str, object], error: str = "", status: int = 200, body: bytes = b""
) -> Callable[[Request], Answer]:
    """A registry that wants the token T, and refuses it with `error`."""

    def fault(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return Answer(status, {}, body or json.dumps(answer).encode())
        if request.headers.get("authorization") == "Bearer T" and not error:
            return Answer(200, {}, b"{}")
        said = f',error="{error}"' if request.headers.get("authorization") else ""
        return Answer(401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token",service="s"{said}'}, b"")

    return fault


def connection(server: FakeRegistry, auth: dict[str, object] | None = None, *, offline: bool = False) -> Connection:
    registry = Registry(server.host, "tiny", auth, insecure=True, offline=offline)
    return Connection(registry)


def get(to: Connection) -> bytes:
    return check(to.request("GET", to.registry.url("tiny/tags/list")), "x", 200).read()


def test_more_than_the_account_may_is_not_asked_for_again(server: FakeRegistry) -> None:
    server.fault = guarded(server, TOKEN, "insufficient_scope")
    with pytest.raises(Unauthorized, match=r"^denied: requested access to the resource is denied$"):
        get(connection(server))
    assert len(server.seen("/token")) == 1


def test_a_token_that_is_never_taken_is_asked_for_twice(server: FakeRegistry) -> None:
    server.fault = guarded(server, TOKEN, "invalid_token")
    with pytest.raises(Unauthorized, match=r"^unauthorized: authentication required$"):
        get(connection(server))
    assert len(server.seen("/token")) == 2


def test_a_token_is_renewed_once_its_time_is_over(server: FakeRegistry) -> None:
    server.fault = guarded(server, TOKEN)
    to = connection(server)
    get(to)
    get(to)
    assert len(server.seen("/token")) == 1
    assert 290 < to.registry.expires - time.monotonic() <= 300
    to.registry.expires = time.monotonic() - 1
    before = len(server.seen("/v2/"))
    get(to)
    assert len(server.seen("/token")) == 2
    assert len(server.seen("/v2/")) == before + 1


def test_a_short_life_is_taken_for_a_minute(server: FakeRegistry) -> None:
    for answer in ({"token": "T", "expires_in": 1}, {"token": "T"}, {"token": "T", "expires_in": "x"}):
        server.fault = guarded(server, answer)
        to = connection(server)
        get(to)
        assert 50 < to.registry.expires - time.monotonic() <= 60


def test_an_identity_token_is_got_at_login_only(server: FakeRegistry) -> None:
    server.fault = guarded(server, TOKEN)
    login, other = connection(server, {"username": "u", "password": "p"}, offline=True), connection(server)
    get(login)
    get(other)
    assert (login.registry.identity, other.registry.identity) == ("R", "")
    first, second = server.seen("/token")
    assert first.path == "/token?account=u&client_id=docker&offline_token=true&scope=repository%3Atiny%3Apull&service=s"
    assert second.path == "/token?scope=repository%3Atiny%3Apull&service=s"


def test_a_registry_token_is_shown_as_it_is_and_no_service_asked(server: FakeRegistry) -> None:
    server.fault = guarded(server, TOKEN)
    assert get(connection(server, {"registrytoken": "T"})) == b"{}"
    with pytest.raises(Unauthorized, match=r"^unauthorized: authentication required$"):
        get(connection(server, {"registrytoken": "other"}))
    assert server.seen("/token") == []


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]}', "unauthorized: who are you"),
        (401, b'{"details": "incorrect username or password"}', "unauthorized: incorrect username or password"),
        (401, b"<html>", "unauthorized: authentication required"),
        (403, b"", "received unexpected HTTP status: 403 Forbidden"),
        (200, b"{}", "authorization server did not include a token in the response"),
        (200, b"[]", "authorization server did not include a token in the response"),
        (200, b"<html>", "unable to decode token response: .*"),
    ],
)
def test_what_a_token_service_says_is_told_of_the_request_that_needed_it(
    server: FakeRegistry, status: int, body: bytes, words: str
) -> None:
    server.fault = guarded(server, {}, status=status, body=body)
    with pytest.raises(EngineError, match=rf'^Get "http://{server.host}/v2/tiny/tags/list": {words}$'):
        get(connection(server))


def test_a_challenge_that_is_none_leads_nowhere(server: FakeRegistry) -> None:
    for challenge in ("", "Bearer", "Bearer realm", "Negotiate abc", 'Bearer realm="ftp://x/token"', ","):
        server.fault = lambda request, said=challenge: Answer(401, {"WWW-Authenticate": said}, b"")  # type: ignore[misc]
        with pytest.raises(EngineError):
            get(connection(server))
    assert parsed_challenge('Bearer realm="a,b",service="c=d",error') == ("bearer", {"realm": "a,b", "service": "c=d"})


def test_errors_of_the_challenge_and_of_the_document_are_told_in_dockers_form() -> None:
    document = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
    told = refusal(401, 'Bearer realm="x",error="insufficient_scope"', document)
    denied = "denied: requested access to the resource is denied"
    assert told == f"errors:\n{denied}\nunauthorized: authentication required\n"
    assert Unauthorized(told).first == denied
    assert Unauthorized("denied: no").first == "denied: no"


def test_scopes_name_all_repositories_that_are_read() -> None:
    reference = parse_reference("localhost:1/tiny")
    registry = Registry(reference.domain, reference.path, None, "pull,push", sources=("other",))
    assert registry.scopes() == ["repository:tiny:pull,push", "repository:other:pull"]
