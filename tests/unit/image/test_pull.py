"""Pulling from registries that misbehave: what came broken is continued or refused, and nothing half-made is kept."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperbox.errors import EngineError, NotFound
from hyperbox.image import registry as registry_module
from hyperbox.image import registry_hosts
from hyperbox.image.pull import choose_platform, image_pull
from hyperbox.image.store import ImageStore
from tests.fake_registry import INDEX, MANIFEST, Answer, FakeRegistry, Request, digest_of, fake_registry, tar_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="unpacking layers changes the root, which only root may")

CONTENT = os.urandom(300_000)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as made:
        made.add_image("tiny", [tar_of({"data": CONTENT})])
        yield made


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    made = ImageStore(str(tmp_path / "images"))
    made.prepare()
    return made


def pull(store: ImageStore, registry: FakeRegistry, name: str = "tiny", **options: object) -> str:
    return image_pull(store, f"{registry.host}/{name}", **options)  # type: ignore[arg-type]


def layer_digest(registry: FakeRegistry) -> str:
    return max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))


def is_layer(registry: FakeRegistry, request: Request) -> bool:
    return request.path.endswith(f"/blobs/{layer_digest(registry)}")


def assert_nothing_kept(store: ImageStore) -> None:
    """No name, no record, no layer and nothing being made; whole blobs may stay for the next try."""
    assert list(store.names()) == []
    assert store.image_ids() == []
    assert os.listdir(f"{store.path}/layers") == []
    assert os.listdir(f"{store.path}/staging") == []
    for name in os.listdir(f"{store.path}/blobs/sha256"):
        assert digest_of(Path(store.blob(name)).read_bytes()) == f"sha256:{name}"


def assert_whole(store: ImageStore, image_id: str) -> None:
    (folder,) = store.launch(image_id).lowerdirs
    assert (Path(folder) / "data").read_bytes() == CONTENT
    assert os.listdir(f"{store.path}/staging") == []


def test_an_image_comes_whole(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = pull(store, registry)
    assert_whole(store, image_id)
    assert store.resolve(f"{registry.host}/tiny:latest") == image_id


def test_a_layer_of_another_digest_is_refused(store: ImageStore, registry: FakeRegistry) -> None:
    digest = layer_digest(registry)
    data = registry.blobs[digest]
    registry.blobs[digest] = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(EngineError, match=f"filesystem layer verification failed for digest {digest}"):
        pull(store, registry)
    assert_nothing_kept(store)


def test_a_layer_that_is_not_what_the_configuration_says_is_refused(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("other", [tar_of({"other": b"x"})])
    other = registry.manifests["other:latest"][1]
    kind, manifest = registry.manifests["tiny:latest"]
    import json

    mixed = {**json.loads(manifest), "layers": json.loads(other)["layers"]}
    registry.add_manifest("mixed", "latest", kind, mixed)
    with pytest.raises(EngineError, match="layers from manifest don't match image configuration"):
        pull(store, registry, "mixed")
    assert_nothing_kept(store)


def test_a_body_that_breaks_off_is_continued_where_it_stopped(store: ImageStore, registry: FakeRegistry) -> None:
    cuts = [1000, 50_000]
    registry.fault = lambda request: Answer(cut=cuts.pop(0)) if is_layer(registry, request) and cuts else None
    assert_whole(store, pull(store, registry))
    ranges = [request.headers.get("range") for request in registry.seen(layer_digest(registry))]
    assert ranges == [None, "bytes=1000-", "bytes=51000-"]


def test_a_registry_without_ranges_begins_anew(store: ImageStore, registry: FakeRegistry) -> None:
    answers = [Answer(cut=1000), Answer(ranges=False)]
    registry.fault = lambda request: answers.pop(0) if is_layer(registry, request) and answers else None
    assert_whole(store, pull(store, registry))


def test_a_body_that_never_comes_whole_ends_in_an_error(store: ImageStore, registry: FakeRegistry) -> None:
    registry.fault = lambda request: Answer(cut=10) if is_layer(registry, request) else None
    with pytest.raises(EngineError, match="unexpected EOF"):
        pull(store, registry)
    assert len(registry.seen(layer_digest(registry))) <= 6
    assert_nothing_kept(store)


def test_a_silent_body_is_given_up_and_continued(
    store: ImageStore, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "TIMEOUT", 0.2)
    answers = [Answer(stall=2.0)]
    registry.fault = lambda request: answers.pop(0) if is_layer(registry, request) and answers else None
    assert_whole(store, pull(store, registry))


def test_more_bytes_than_the_manifest_says_are_refused(store: ImageStore, registry: FakeRegistry) -> None:
    digest = layer_digest(registry)
    registry.blobs[digest] += b"more"
    with pytest.raises(EngineError, match="is larger than the manifest says"):
        pull(store, registry)
    assert_nothing_kept(store)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_registry_is_asked_again_when_it_says_so(store: ImageStore, registry: FakeRegistry, status: int) -> None:
    busy = [Answer(status, {"Retry-After": "0"}, b"")] * 2
    registry.fault = lambda request: busy.pop() if "/blobs/" in request.path and busy else None
    assert_whole(store, pull(store, registry))


def test_too_many_requests_without_a_time_is_told_at_once(store: ImageStore, registry: FakeRegistry) -> None:
    body = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit"}]}'
    registry.fault = lambda request: Answer(429, {}, body) if "/manifests/" in request.path else None
    with pytest.raises(EngineError, match=r"^toomanyrequests: .*You have reached your pull rate limit"):
        pull(store, registry)
    assert len(registry.seen("/manifests/")) == 1
    assert_nothing_kept(store)


def test_a_server_that_stays_broken_is_told(
    store: ImageStore, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "FIRST_WAIT", 0.01)
    registry.fault = lambda request: Answer(500, {}, b"") if "/blobs/" in request.path else None
    with pytest.raises(EngineError, match="500 Internal Server Error"):
        pull(store, registry)
    assert_nothing_kept(store)


def test_a_redirected_blob_comes_from_elsewhere_without_our_credentials(
    store: ImageStore, registry: FakeRegistry
) -> None:
    with fake_registry() as elsewhere:
        elsewhere.blobs = dict(registry.blobs)

        def fault(request: Request) -> Answer | None:
            if request.headers.get("authorization") != "Basic dXNlcjpzZWNyZXQ=":
                return Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
            if "/blobs/" in request.path:
                return Answer(307, {"Location": f"http://{elsewhere.host}{request.path}"}, b"")
            return None

        registry.fault = fault
        assert_whole(store, pull(store, registry, auth={"username": "user", "password": "secret"}))
        assert elsewhere.requests
        assert [request for request in elsewhere.requests if "authorization" in request.headers] == []


def test_redirects_in_a_circle_end(store: ImageStore, registry: FakeRegistry) -> None:
    registry.fault = lambda request: (
        Answer(302, {"Location": request.path}, b"") if "/manifests/" in request.path else None
    )
    with pytest.raises(EngineError, match="redirects"):
        pull(store, registry)


def test_a_token_is_fetched_with_the_credentials_and_again_when_it_is_stale(
    store: ImageStore, registry: FakeRegistry
) -> None:
    tokens = ["one", "two"]
    valid: list[str] = []

    def fault(request: Request) -> Answer | None:
        if request.path.startswith("/token"):
            valid[:] = [tokens.pop(0)]
            return Answer(body=b'{"token": "%s"}' % valid[0].encode())
        if valid == ["one"] and "/blobs/" in request.path:
            valid[:] = []  # the first token does for the manifest alone
        if request.headers.get("authorization", "") != f"Bearer {valid[0] if valid else ''}":
            challenge = f'Bearer realm="http://{registry.host}/token",service="fake",scope="repository:tiny:pull"'
            return Answer(401, {"WWW-Authenticate": challenge}, b"")
        return None

    registry.fault = fault
    assert_whole(store, pull(store, registry, auth={"username": "user", "password": "secret"}))
    asked = registry.seen("/token")
    assert len(asked) == 2
    assert all("scope=repository%3Atiny%3Apull" in request.path and "service=fake" in request.path for request in asked)
    assert {request.headers["authorization"] for request in asked} == {"Basic dXNlcjpzZWNyZXQ="}


def test_refused_credentials_are_told_as_docker_does(store: ImageStore, registry: FakeRegistry) -> None:
    registry.fault = lambda request: Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
    with pytest.raises(EngineError, match=r'^Head "http://.*/v2/tiny/manifests/latest": no basic auth credentials$'):
        pull(store, registry)
    with pytest.raises(EngineError, match=r"^unauthorized: authentication required$"):
        pull(store, registry, auth={"username": "u", "password": "p"})
    denied = {"code": "DENIED", "message": "requested access to the resource is denied", "detail": [{"Type": "x"}]}
    body = json.dumps({"errors": [denied]}).encode()
    registry.fault = lambda request: Answer(403, {"Content-Type": "application/json"}, body)
    with pytest.raises(
        NotFound, match=r"^pull access denied for .*/tiny, .* may require 'docker login': denied: requested"
    ):
        pull(store, registry)
    assert_nothing_kept(store)


JSON = "application/json"


def errors(*rows: tuple[str, str]) -> str:
    return json.dumps({"errors": [{"code": code, "message": message} for code, message in rows]})


# (status, Content-Type, body) -> what docker 28.5 told of a pull with such an answer
TOLD = (
    (401, JSON, errors(("UNAUTHORIZED", "authentication required")), "unauthorized"),
    (403, JSON, errors(("DENIED", "requested access to the resource is denied")), "denied"),
    (
        403,
        "text/html",
        "<h1>No</h1>",
        "pull access denied for HOST/tiny, repository does not exist or may require 'docker login': denied: <h1>No</h1>",
    ),
    (403, JSON, "", 'error parsing HTTP 403 response body: unexpected end of JSON input: ""'),
    (404, "text/html", "<h1>No</h1>", "unknown: <h1>No</h1>"),
    (
        404,
        JSON,
        errors(("MANIFEST_UNKNOWN", "one"), ("DENIED", "two")),
        "manifest for HOST/tiny:latest not found: manifest unknown: one",
    ),
    (404, JSON, errors(("NAME_UNKNOWN", "x")), "repository HOST/tiny not found: name unknown: x"),
    (404, JSON, "{}", 'error parsing HTTP 404 response body: no error details found in HTTP response body: "{}"'),
    (400, JSON, errors(("NAME_INVALID", "bad")), "name invalid: bad"),
    (
        418,
        "",
        "teapot",
        "error parsing HTTP 418 response body: invalid character 'e' in literal true (expecting 'r'): \"teapot\"",
    ),
    (429, JSON, errors(("TOOMANYREQUESTS", "slow down")), "toomanyrequests: slow down"),
    (200, "text/plain", "{}", "missing signature key"),
    (200, "", "{}", "missing or empty Content-Type header"),
    (
        200,
        "text/html",
        "<html>",
        "error unmarshalling content: invalid character '<' looking for beginning of value",
    ),
    (200, MANIFEST, "{no", "invalid character 'n' looking for beginning of object key string"),
    (200, MANIFEST, "[1]", "json: cannot unmarshal array into Go value of type ocischema.unknownDocument"),
)


@pytest.mark.parametrize(("status", "kind", "body", "words"), TOLD)
def test_an_answer_that_is_an_error_is_told_in_docker_s_words(
    store: ImageStore, registry: FakeRegistry, status: int, kind: str, body: str, words: str
) -> None:
    registry.fault = lambda request: Answer(status, {"Content-Type": kind}, body.encode())
    with pytest.raises(EngineError) as caught:
        pull(store, registry)
    assert caught.value.message == words.replace("HOST", registry.host)
    assert_nothing_kept(store)


def test_a_platform_is_chosen_and_a_missing_one_told(store: ImageStore, registry: FakeRegistry) -> None:
    digest = registry.manifests["tiny:latest"][1]
    entry = {"mediaType": registry.manifests["tiny:latest"][0], "digest": digest_of(digest), "size": len(digest)}
    index = {"schemaVersion": 2, "manifests": [{**entry, "platform": {"os": "linux", "architecture": "amd64"}}]}
    registry.add_manifest("tiny", "many", INDEX, index)
    assert_whole(store, pull(store, registry, "tiny:many", platform="linux/amd64"))
    with pytest.raises(NotFound, match="no matching manifest for linux/s390x in the manifest list entries"):
        pull(store, registry, "tiny:many", platform="linux/s390x")


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("linux/amd64", ["amd64/v3", "amd64"], "amd64"),
        ("linux/amd64/v3", ["amd64", "amd64/v2", "amd64/v4"], "amd64/v2"),
        ("linux/amd64", ["amd64/v2"], ""),
        ("linux/arm64", ["arm64/v8"], "arm64/v8"),
        ("linux/arm64/v8", ["arm64"], "arm64"),
        ("linux/arm64/v7", ["arm64/v8"], ""),
        ("linux/arm", ["arm/v5", "arm/v6", "arm/v8"], "arm/v6"),
        ("linux/arm/v5", ["arm/v6"], ""),
        ("linux/riscv64", ["amd64", "riscv64"], "riscv64"),
    ],
)  # fmt: skip
def test_the_best_variant_is_chosen(wanted: str, offered: list[str], chosen: str) -> None:
    entries = []
    for index, text in enumerate(offered):
        architecture, _, variant = text.partition("/")
        platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
        entries.append({"digest": f"sha256:{index:064x}", "platform": platform})
    if not chosen:
        with pytest.raises(NotFound):
            choose_platform({"manifests": entries}, wanted)
    else:
        assert choose_platform({"manifests": entries}, wanted) == f"sha256:{offered.index(chosen):064x}"


def test_a_manifest_that_is_not_what_was_asked_for_by_digest_is_refused(
    store: ImageStore, registry: FakeRegistry
) -> None:
    wrong = "sha256:" + "0" * 64
    registry.manifests[f"tiny:{wrong}"] = registry.manifests["tiny:latest"]
    with pytest.raises(EngineError, match=f"manifest verification failed for digest {wrong}"):
        pull(store, registry, f"tiny@{wrong}")
    assert_nothing_kept(store)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"schemaVersion": 2}', b'{"schemaVersion": 1}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_refused_in_one_sentence(
    store: ImageStore, registry: FakeRegistry, body: bytes
) -> None:
    registry.manifests["bad:latest"] = ("application/json", body)
    with pytest.raises(EngineError):
        pull(store, registry, "bad")
    assert_nothing_kept(store)


def test_a_registry_that_is_not_there_is_told_in_docker_s_words(store: ImageStore) -> None:
    with pytest.raises(
        EngineError, match=r'Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused'
    ):
        image_pull(store, "127.0.0.1:9/tiny")


def test_mirrors_are_asked_before_docker_hub(
    store: ImageStore, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add_image("library/app", [tar_of({"data": CONTENT})])
    settings = tmp_path / "daemon.json"
    settings.write_text(json.dumps({"registry-mirrors": ["http://127.0.0.1:1", f"http://{registry.host}"]}))
    monkeypatch.setattr(registry_hosts, "DAEMON_SETTINGS", str(settings))
    image_id = image_pull(store, "app", auth={"username": "u", "password": "p"})
    assert store.resolve("app:latest") == image_id
    assert all("authorization" not in request.headers for request in registry.requests)


def test_an_interrupted_pull_does_not_wait_for_the_registry(store: ImageStore, registry: FakeRegistry) -> None:
    registry.fault = lambda request: Answer(stall=8) if is_layer(registry, request) else None
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            pull(store, registry)
        assert time.monotonic() - started < 6
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert list(store.names()) == []
