"""image/credentials.py: accounts in config.json and in helpers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hyperbox.image.credentials import credentials, store_credentials, write_config

HELPER = """#!/bin/sh
cat >>{folder}/$1
case $1 in get) echo '{{"ServerURL": "x", "Username": "<token>", "Secret": "R"}}';; esac
"""


def stored(folder: Path) -> object:
    return json.loads((folder / "config.json").read_text())


def test_an_identity_token_takes_the_passwords_place(tmp_path: Path) -> None:
    assert store_credentials(str(tmp_path), {}, "host:1", "u", "p", "R") == ""
    assert stored(tmp_path) == {"auths": {"host:1": {"auth": "dTo=", "identitytoken": "R"}}}
    assert credentials(stored(tmp_path), "host:1") == {"identitytoken": "R"}  # type: ignore[arg-type]
    assert store_credentials(str(tmp_path), {}, "host:1", "u", "p") == f"{tmp_path}/config.json"
    assert credentials(stored(tmp_path), "host:1") == {"username": "u", "password": "p"}  # type: ignore[arg-type]


def test_a_helper_keeps_an_identity_token_under_dockers_name_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(HELPER.format(folder=tmp_path))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    config: dict[str, object] = {"credsStore": "test"}
    assert store_credentials(str(tmp_path), config, "host:1", "u", "p", "R") == ""
    assert json.loads((tmp_path / "store").read_text()) == {"ServerURL": "host:1", "Username": "<token>", "Secret": "R"}
    assert stored(tmp_path) == {"auths": {"host:1": {}}, "credsStore": "test"}
    assert credentials(config, "host:1") == {"identitytoken": "R"}


def test_a_registry_token_goes_before_all_else() -> None:
    entry = {"auth": "dTpw", "identitytoken": "I", "registrytoken": "R"}
    assert credentials({"auths": {"host:1": entry}}, "host:1") == {"registrytoken": "R"}


def test_the_file_is_written_as_docker_does(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("{}")
    (tmp_path / "real").chmod(0o644)
    (tmp_path / "config.json").symlink_to("real")
    config = {
        "other": 1,
        "currentContext": "",
        "psFormat": "<&>",
        "HttpHeaders": {"b": "1", "a": "2"},
        "auths": {"z": {"username": "u", "password": "p", "serveraddress": "z"}, "a": {}},
    }
    write_config(str(tmp_path), config)
    text = (tmp_path / "real").read_text()
    assert (tmp_path / "config.json").is_symlink()
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o644
    assert list(json.loads(text)) == ["auths", "HttpHeaders", "psFormat", "other"]
    assert list(json.loads(text)["auths"]) == ["a", "z"]
    assert json.loads(text)["auths"]["z"] == {"auth": "dTpw"}
    assert list(json.loads(text)["HttpHeaders"]) == ["a", "b"]
    assert '"\\u003c\\u0026\\u003e"' in text
