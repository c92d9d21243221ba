"""Programs that add commands to docker: where they are looked for, which of them count, and what they are started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbox import process
from hyperbox.cli import client_plugins, configuration_file

METADATA = '{"SchemaVersion":"0.1.0","Vendor":"Somebody","Version":"v1","ShortDescription":"Do it"}'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration's folder of plugins, with one good plugin, `foo`."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(client_plugins, "SYSTEM", ())
    monkeypatch.setattr(configuration_file, "_read", {})
    folder = tmp_path / "cli-plugins"
    folder.mkdir()
    add(folder, "foo", METADATA)
    return folder


def add(folder: Path, name: str, answer: str, code: int = 0) -> None:
    path = folder / f"docker-{name}"
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)


class Replaced(Exception):
    """The process became another one."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the process would have become."""
    found: list[list[str]] = []

    def replace(argv: list[str], _keep: set[int]) -> None:
        found.append(argv)
        raise Replaced

    monkeypatch.setattr(process, "replace", replace)
    monkeypatch.setenv(client_plugins.COMMAND, "")
    return found


@pytest.mark.parametrize("words", ["foo", "foo a --b", "-D foo --help", "-c nosuch foo", "help foo", "--version foo"])
def test_a_plugin_gets_the_whole_command_line(place: Path, started: list[list[str]], words: str) -> None:
    with pytest.raises(Replaced):
        client_plugins.run_named(["/usr/bin/docker", *words.split()])
    assert started == [[str(place / "docker-foo"), *words.split()]]


def test_a_plugin_is_looked_for_in_the_folder_that_the_command_line_names(
    place: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_CONFIG")
    with pytest.raises(Replaced):
        client_plugins.run_named(["docker", "--config", str(place.parent), "foo"])
    assert started[0][0] == str(place / "docker-foo")


@pytest.mark.parametrize("words", ["ps", "nosuch", "compose x", "buildx x", "Foo", "", "--bogus foo", "volume", "help"])
def test_other_words_are_no_plugins(place: Path, started: list[list[str]], words: str) -> None:
    add(place, "ps", METADATA)
    add(place, "compose", METADATA)
    client_plugins.run_named(["docker", *words.split()])
    client_plugins.run_named(["docker-compose", "foo"])
    assert started == []


@pytest.mark.parametrize(
    ("answer", "code"), [("bad", 0), ("{}", 0), (METADATA, 3), (METADATA.replace("0.1.0", "2.0.0"), 0), ("[]", 0)]
)
def test_what_tells_no_metadata_is_no_plugin(place: Path, started: list[list[str]], answer: str, code: int) -> None:
    add(place, "foo", answer, code)
    client_plugins.run_named(["docker", "foo"])
    assert started == []
    assert client_plugins.installed() == []


def test_plugins_are_listed_by_name_and_those_of_more_folders_too(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    add(other, "bar", METADATA)
    add(other, "foo", METADATA)
    (tmp_path / "config.json").write_text(f'{{"cliPluginsExtraDirs": ["{other}"]}}')
    found = [(name, path) for name, path, _ in client_plugins.installed()]
    assert found == [("bar", str(other / "docker-bar")), ("foo", str(other / "docker-foo"))]
