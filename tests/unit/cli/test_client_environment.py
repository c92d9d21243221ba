"""cli/client_environment.py: variables of docker's command line, in the words that the real one has for them."""

from __future__ import annotations

import pytest

from hyperbox.cli import client_environment, image_transfer
from hyperbox.cli.complete import is_legacy
from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.grammar.help import help_text
from hyperbox.grammar.parse import parse
from hyperbox.image.credentials import host_of

VERSION = "Error response from daemon: "
HEADERS = "custom headers from DOCKER_CUSTOM_HEADERS environment variable: "
FAILED = f"Failed to initialize: failed to set {HEADERS}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DOCKER_API_VERSION", "bogus", VERSION + "page not found"),
        ("DOCKER_API_VERSION", "1", VERSION + "page not found"),
        (
            "DOCKER_API_VERSION",
            "9.99",
            VERSION + "client version 9.99 is too new. Maximum supported API version is 1.51",
        ),
        (
            "DOCKER_API_VERSION",
            "1.20",
            VERSION + "client version 1.20 is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version",
        ),
        ("DOCKER_CUSTOM_HEADERS", "A", FAILED + "missing \"=\" in key=value pair: 'A'"),
        ("DOCKER_CUSTOM_HEADERS", "A=b,=b", FAILED + "value contains a key=value pair with an empty key: '=b'"),
        (
            "DOCKER_CUSTOM_HEADERS",
            '"A=b',
            f"Failed to initialize: failed to parse {HEADERS}value must be formatted as comma-separated key=value pairs",
        ),
    ],
)
def test_what_is_wrong_is_told_in_dockers_words(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(HyperBoxError) as told:
        client_environment.check_engine()
    assert told.value.told == words


@pytest.mark.parametrize("version", ["1.24", "v1.43", "1.51", ""])
def test_versions_that_the_engine_has_pass(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", version)
    monkeypatch.setenv("DOCKER_CUSTOM_HEADERS", 'A=b, C = d,"E=f,g",H=')
    client_environment.check_engine()


@pytest.mark.parametrize(
    ("line", "trust", "refused"),
    [
        ("pull x", "1", True),
        ("pull x", "maybe", True),
        ("pull x", "0", False),
        ("pull x", "false", False),
        ("pull x", "", False),
        ("pull --disable-content-trust x", "1", False),
        ("pull --disable-content-trust=false x", "0", True),
        ("push x", "1", True),
        ("run x", "1", True),
        ("create --disable-content-trust=false x", "", True),
        ("pull x@sha256:" + "0" * 64, "1", False),
    ],
)
def test_signatures_that_are_asked_for_are_refused_and_not_passed_over(
    line: str, trust: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTENT_TRUST", trust)
    invocation = parse(["docker", *line.split()])
    if not refused:
        client_environment.refuse_trust(invocation, invocation.arguments[0])
        return
    with pytest.raises(UnsupportedError, match=r"Docker Content Trust \(notary v1\)"):
        client_environment.refuse_trust(invocation, invocation.arguments[0])


def test_accounts_of_the_variable_go_before_those_of_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config: dict[str, object] = {"auths": {"host:1": {"auth": "YTpi"}, "host:2": {"auth": "YTpi"}}}
    own, ours = {"username": "a", "password": "b"}, {"username": "ada", "password": "secret"}
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", '{"auths": {"host:1": {"auth": "YWRhOnNlY3JldA=="}}}')
    assert image_transfer.known_credentials(config, "host:1") == ours
    assert image_transfer.known_credentials(config, "host:2") == own
    for text, words in (
        ("{bad", "invalid character 'b' looking for beginning of object key string"),
        ('{"auths": {}, "x": 1}', 'json: unknown field "x"'),
        (
            '{"auths": {"host:1": {"username": "u"}}}',
            "DOCKER_AUTH_CONFIG environment variable is missing key `auth` for host:1",
        ),
        ('{"auths": {"host:1": {"auth": "!"}}}', "illegal base64 data at input byte 0"),
    ):
        monkeypatch.setenv("DOCKER_AUTH_CONFIG", text)
        assert image_transfer.known_credentials(config, "host:1") == own
        assert capsys.readouterr().err == f"Failed to create credential store from DOCKER_AUTH_CONFIG:  {words}\n"


def test_commands_that_a_group_has_as_well_can_be_left_out_of_the_help() -> None:
    whole, short = (help_text("", 80, "docker", "/x", legacy=legacy) for legacy in (True, False))
    assert "\nCommands:" in whole
    assert "\nCommands:" not in short
    assert all(f"\n  {word} " in short for word in ("run", "images", "container", "swarm"))
    assert all(is_legacy(word) for word in ("rm", "cp", "inspect"))
    assert not any(is_legacy(word) for word in ("run", "container", "compose"))


def test_a_registrys_address_is_its_host_whatever_the_scheme() -> None:
    assert [host_of(text) for text in ("ftp://a:1/v2", "https://a", "a/b", "a")] == ["a:1", "a", "a", "a"]
