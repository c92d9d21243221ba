"""How a registry is reached: TLS and its certificates, plain HTTP where that is allowed, mirrors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperbox.errors import EngineError
from hyperbox.image import registry_hosts
from hyperbox.image.registry import Connection, Registry
from tests.fake_registry import fake_registry, with_tls


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of 127.0.0.1 that nobody vouches for, and its key."""
    paths = (str(tmp_path / "own.crt"), str(tmp_path / "own.key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return paths


@pytest.fixture
def guarded(certificate: tuple[str, str]) -> Iterator[str]:
    with fake_registry() as registry:
        with_tls(registry, *certificate)
        yield registry.host


def ping(host: str, **options: bool) -> int:
    registry = Registry(host, "", None, **options)
    connection = Connection(registry)
    try:
        return connection.request("GET", registry.url("")).status
    finally:
        connection.close()


def test_loopback_is_asked_for_tls_and_does_without(guarded: str) -> None:
    assert ping(guarded) == 200
    with fake_registry() as plain:
        assert ping(plain.host) == 200


def test_a_certificate_that_nobody_vouches_for_is_refused(guarded: str) -> None:
    with pytest.raises(
        EngineError, match=r"^Get \"https://.*/v2/\": tls: .* x509: certificate signed by unknown authority"
    ):
        ping(guarded, insecure=False)


def test_an_authority_of_certs_d_is_trusted(
    guarded: str, certificate: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "certs.d" / guarded
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(Path(certificate[0]).read_bytes())
    monkeypatch.setattr(registry_hosts, "CERTIFICATES", str(tmp_path / "certs.d"))
    assert ping(guarded, insecure=False) == 200
    (folder / "client.cert").write_text("")
    with pytest.raises(EngineError, match=r"missing key client\.key for client certificate client\.cert"):
        ping(guarded, insecure=False)


def test_a_plain_registry_is_refused_where_tls_must_be() -> None:
    with fake_registry() as plain, pytest.raises(EngineError, match="server gave HTTP response to HTTPS client"):
        ping(plain.host, insecure=False)


def test_insecure_registries_and_mirrors_are_read_from_daemon_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "daemon.json"
    monkeypatch.setattr(registry_hosts, "DAEMON_SETTINGS", str(settings))
    assert not registry_hosts.is_insecure("reg.example:5000")
    assert registry_hosts.mirrors() == []
    settings.write_text(
        json.dumps(
            {
                "insecure-registries": ["reg.example:5000", "10.1.0.0/16", "http://plain.example"],
                "registry-mirrors": ["http://mirror.example:80/", "https://other.example"],
            }
        )
    )
    for host in ("reg.example:5000", "10.1.2.3:80", "plain.example", "localhost", "[::1]:5000"):
        assert registry_hosts.is_insecure(host), host
    for host in ("reg.example", "10.2.0.1", "other.example:5000"):
        assert not registry_hosts.is_insecure(host), host
    assert registry_hosts.mirrors() == [("http", "mirror.example:80"), ("https", "other.example")]


@pytest.mark.parametrize("text", ['{"registry-mirrors": ["mirror.example"]}', '{"registry-mirrors": "x"}', "{", "[]"])
def test_a_daemon_json_that_is_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    settings = tmp_path / "daemon.json"
    settings.write_text(text)
    monkeypatch.setattr(registry_hosts, "DAEMON_SETTINGS", str(settings))
    with pytest.raises(EngineError):
        registry_hosts.mirrors()
