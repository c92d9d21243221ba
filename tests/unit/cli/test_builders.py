"""Builders on disk: what is there, which one is in use, and files that somebody else wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperbox.cli import builder_store as store
from hyperbox.cli.builder_create import create
from hyperbox.cli.complete import live_names
from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.grammar.complete import Completion
from hyperbox.grammar.parse import Invocation, parse


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "buildx"))
    return tmp_path / "buildx"


def called(*words: str) -> Invocation:
    return parse(["docker", *words])


def make(*words: str) -> None:
    create(called("buildx", "create", *words))


def test_docker_build_does_not_ask_for_the_builder_in_use() -> None:
    make("--name", "ci", "--use")
    assert store.chosen(called("buildx", "build", ".")).name == "ci"
    assert store.chosen(called("buildx", "prune")).name == "ci"
    for words in (["build", "."], ["image", "build", "."], ["builder", "prune"], ["builder", "build", "."]):
        assert store.chosen(called(*words)).name == "default"


def test_buildx_install_makes_docker_build_ask(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"aliases": {"builder": "buildx"}}')
    make("--name", "ci", "--use")
    assert store.chosen(called("build", ".")).name == "ci"


def test_the_environment_names_a_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    make("--name", "ci")
    monkeypatch.setenv("BUILDX_BUILDER", "ci")
    assert store.chosen(called("build", ".")).name == "ci"
    assert store.chosen(called("build", "--builder", "default", ".")).name == "default"


def test_a_choice_is_for_one_endpoint_unless_it_is_for_all() -> None:
    make("--name", "ci", "--use")
    elsewhere = called("-H", "unix:///run/docker.sock", "buildx", "build", ".")
    assert store.chosen(elsewhere).name == "default"
    store.choose(called("buildx", "use", "ci"), "ci", everywhere=True)
    assert store.chosen(elsewhere).name == "ci"


def test_a_builder_that_is_gone_is_not_in_use(folder: Path) -> None:
    make("--name", "ci", "--use")
    (folder / "instances" / "ci").unlink()
    assert store.chosen(called("buildx", "build", ".")).name == "default"


@pytest.mark.parametrize("text", ["{", "[]", '{"Name": 1}', "\x00"])
def test_a_broken_file_is_named(folder: Path, text: str) -> None:
    (folder / "instances").mkdir(parents=True)
    (folder / "instances" / "ci").write_text(text)
    with pytest.raises(HyperBoxError, match="instances/ci"):
        store.named(called("buildx", "ls"), "ci")


@pytest.mark.parametrize(
    "builder",
    [
        {"Name": "ci", "Driver": "remote", "Nodes": [{"Name": "ci0", "Endpoint": "tcp://10.0.0.1:1234"}]},
        {"Name": "ci", "Driver": "docker-container", "Nodes": [{"Name": "ci0", "Endpoint": "tcp://10.0.0.1:2375"}]},
    ],
)
def test_a_builder_of_docker_s_that_is_elsewhere_is_refused(folder: Path, builder: object) -> None:
    (folder / "instances").mkdir(parents=True)
    (folder / "instances" / "ci").write_text(json.dumps(builder))
    call = called("buildx", "build", "--builder", "ci", ".")
    with pytest.raises(UnsupportedError, match="this machine"):
        store.check_local(call, store.chosen(call))


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "", "1b", "a\n"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    assert store.instance(called("buildx", "ls"), name) is None


def test_options_without_effect_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    make("--name", "ci", "--driver-opt", "image=x,network=host", "--buildkitd-flags", "--debug")
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" has no effect")[0] for line in told] == [
        "WARNING: --buildkitd-flags --debug",
        "WARNING: --driver-opt image",
    ]


def test_a_configuration_of_buildkit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "buildkitd.toml").write_text("debug = true\n")
    with pytest.raises(UnsupportedError, match="--buildkitd-config"):
        make("--name", "ci", "--buildkitd-config", str(tmp_path / "buildkitd.toml"))
    assert store.names(called("buildx", "ls")) == []


def test_names_of_builders_are_completed() -> None:
    make("--name", "ci")
    found = Completion(4, live="live:builders")
    assert live_names(called("buildx", "ls"), found, "") == ["ci", "default"]


def test_a_home_that_can_not_be_written_to_hinders_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDX_CONFIG", "/proc/self/buildx")
    call = called("build", ".")
    store.note_activity(call, store.chosen(call))
    store.set_status(call, store.Builder("ci", store.CONTAINER, []), "running")
    with pytest.raises(OSError, match="buildx"):
        make("--name", "ci")
