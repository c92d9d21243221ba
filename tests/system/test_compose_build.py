"""docker compose build, and the builds that up, create and run begin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Command

FILE = """
name: hb-cb
services:
  one:
    build: {context: one, args: {V: "1"}, labels: {mine: yes-it-is}, tags: ["hb-cb-extra:1"]}
    command: sleep 1000
    stop_grace_period: 0s
  two:
    image: hb-cb-two:x
    build:
      context: .
      dockerfile_inline: |
        FROM base
        RUN --mount=type=secret,id=s cat /run/secrets/s | rev > /two
      additional_contexts: {base: "service:one"}
      secrets: [s]
    command: cat /two
  plain:
    image: busybox
secrets: {s: {environment: HB_CB_SECRET}}
"""


@pytest.fixture
def project(hyperbox: Command, busybox: str, tmp_path: Path) -> Command:
    (tmp_path / "compose.yaml").write_text(FILE.replace("yes-it-is", '"yes"'))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "Dockerfile").write_text(f"FROM {busybox}\nARG V\nCOPY file /file\nRUN echo $V > /v\n")
    (tmp_path / "one" / "file").write_text("first")
    hyperbox.environment.update(HB_CB_SECRET="terces", COMPOSE_PROJECT_NAME="hb-cb")
    return hyperbox


@pytest.fixture(autouse=True)
def tidy(hyperbox: Command) -> object:
    yield
    hyperbox("compose", "-p", "hb-cb", "down", "--rmi", "local", "-t", "0", "--remove-orphans", code=None)
    hyperbox("image", "rm", "-f", "hb-cb-extra:1", "hb-cb-one", "hb-cb-two:x", code=None)


def test_build_makes_images_with_composes_names_and_labels(project: Command) -> None:
    result = project("compose", "build")
    assert [line.split() for line in result.err.splitlines()] == [["hb-cb-one", "Built"], ["hb-cb-two:x", "Built"]]
    labels = json.loads(project("image", "inspect", "-f", "{{json .Config.Labels}}", "hb-cb-one").out)
    assert labels["mine"] == "yes"
    assert labels["com.docker.compose.project"] == "hb-cb"
    assert labels["com.docker.compose.service"] == "one"
    ids = project("image", "inspect", "-f", "{{.Id}}", "hb-cb-one", "hb-cb-extra:1").out.split()
    assert ids[0] == ids[1]
    assert project("run", "--rm", "hb-cb-two:x", "cat", "/v").out == "1\n"
    assert "secret" in project("run", "--rm", "hb-cb-two:x", "cat", "/two").out


def test_flags_of_build_come_over_the_file(project: Command) -> None:
    project("compose", "build", "--build-arg", "V=7", "-q", "one")
    assert project("run", "--rm", "hb-cb-one", "cat", "/v").out == "7\n"
    assert "CACHED" not in project("compose", "build", "--no-cache", "one").out
    assert project("compose", "build", "plain").out == ""
    assert "no such service: nosuch" in project("compose", "build", "nosuch", code=1).err
    document = json.loads(project("compose", "build", "--print", "two").out)
    assert document["target"]["two"]["contexts"] == {"base": "target:one"}


def test_up_builds_what_is_missing_and_recreates_what_changed(project: Command, tmp_path: Path) -> None:
    project("compose", "up", "-d", "one")
    before = project("compose", "ps", "-q", "one").out
    assert project("compose", "exec", "one", "cat", "/file").out == "first"
    (tmp_path / "one" / "file").write_text("second")
    project("compose", "up", "-d", "one")
    assert project("compose", "ps", "-q", "one").out == before
    project("compose", "up", "-d", "--build", "one")
    assert project("compose", "ps", "-q", "one").out != before
    assert project("compose", "exec", "one", "cat", "/file").out == "second"
    assert "No such image" in project("compose", "up", "-d", "--no-build", "two", code=1).err


def test_run_and_create_build_too(project: Command) -> None:
    assert "secret" in project("compose", "run", "--rm", "two").out
    project("compose", "create", "--build", "one")
    assert project("compose", "ps", "-aq", "one").out


def test_down_removes_what_was_built(project: Command) -> None:
    project("compose", "build", "-q")
    project("compose", "up", "-d", "one")
    result = project("compose", "down", "--rmi", "local", "-t", "0")
    assert "Image hb-cb-one:latest  Removed" in result.err
    assert "Image hb-cb-two:x  Removed" in result.err
    assert project("image", "ls", "-q", "hb-cb-one").out == ""
    assert project("image", "ls", "-q", "busybox").out != ""


def test_a_failing_build_shows_the_line_and_starts_nothing(project: Command, tmp_path: Path) -> None:
    (tmp_path / "one" / "Dockerfile").write_text("FROM busybox\nRUN echo told; exit 3\n")
    result = project("compose", "up", "-d", code=1)
    assert ">>> RUN echo told; exit 3" in result.err
    assert "exit code: 3" in result.err
    assert "told" in result.out
    assert project("compose", "ps", "-aq").out == ""


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("{context: one, privileged: true}", "services.one.build.privileged"),
        ("{context: one, entitlements: [security.insecure]}", "services.one.build.entitlements"),
        ("{context: one, isolation: hyperv}", "services.one.build.isolation"),
        (
            "{context: one, platforms: [linux/arm64, linux/amd64]}",
            "Multi-platform build is not supported for the docker driver.",
        ),
        ("{context: nosuch}", "unable to prepare context"),
        ('{context: one, additional_contexts: {x: "service:one"}}', "infinite loop from one to one"),
    ],
)
def test_a_key_that_can_not_be_honoured_is_refused(project: Command, tmp_path: Path, build: str, words: str) -> None:
    (tmp_path / "compose.yaml").write_text(f"name: hb-cb\nservices: {{one: {{build: {build}}}}}\n")
    assert words in project("compose", "build", code=1).err


def test_builds_shared_between_services_are_done_once(project: Command, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("name: hb-cb\nservices: {one: {build: one}, two: {build: one}}\n")
    (tmp_path / "one" / "Dockerfile").write_text("FROM busybox\nRUN echo shared-$(date +%N) > /x\n")
    project("compose", "build", "--no-cache", "one")
    output = project("compose", "build").out
    assert output.count("RUN echo shared") >= 1
    first, second = project("image", "inspect", "-f", "{{json .RootFS.Layers}}", "hb-cb-one", "hb-cb-two").out.split()
    assert first == second
    project("image", "rm", "hb-cb-two")


def test_built_tags_are_a_project_s_own(project: Command, tmp_path: Path) -> None:
    del project.environment["COMPOSE_PROJECT_NAME"]
    tags = []
    for folder in ("first", "second"):
        place = tmp_path / folder / "app"
        place.mkdir(parents=True)
        (place / "Dockerfile").write_text(f"FROM busybox\nENV WHO={folder}\n")
        (place / "compose.yaml").write_text(
            "name: hb-cb-own\nservices: {a: {build: ., image: hb-cb-own:x, command: 'true'}}\n"
        )
        project("compose", "up", "-d", folder=place)
        tags.append(project("compose", "images", "--format", "json", folder=place).out)
        assert f"WHO={folder}" in project("compose", "run", "--rm", "a", "env", folder=place).out
    assert tags[0] != tags[1]
    for folder in ("first", "second"):
        project("compose", "down", "--rmi", "local", "-t", "0", folder=tmp_path / folder / "app")
