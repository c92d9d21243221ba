"""DOCKER_DEFAULT_PLATFORM: what is made and built where nothing says for which platform, in docker's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Command

pytestmark = pytest.mark.system
ELSEWHERE = {"DOCKER_DEFAULT_PLATFORM": "linux/s390x"}
UNKNOWN = '"bogus": unknown operating system or architecture: invalid argument\n'


def test_compose_makes_containers_for_it(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{a: {{image: {busybox}}}}}\n")
    wrong = hyperbox("compose", "create", env=ELSEWHERE, code=1).err
    assert wrong.endswith(
        f"Error response from daemon: image with reference {busybox} was found but its platform (linux/amd64) does not match the "
        "specified platform (linux/s390x)\n"
    )
    assert hyperbox("compose", "create", env={"DOCKER_DEFAULT_PLATFORM": "bogus"}, code=1).err.endswith(UNKNOWN)
    (tmp_path / ".env").write_text("DOCKER_DEFAULT_PLATFORM=bogus\n")
    assert hyperbox("compose", "run", "--rm", "a", "true", code=1).err.endswith(UNKNOWN)
    hyperbox("compose", "create", env={"DOCKER_DEFAULT_PLATFORM": "linux/amd64"})
    hyperbox("compose", "down")


def test_builds_for_another_platform_are_refused_and_not_made_for_this_one(hyperbox: Command, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    words = "the platform linux/s390x can't be built on this machine, only linux/amd64"
    assert words in hyperbox("build", "-t", "hb-platform", ".", env=ELSEWHERE, code=1).err
    (tmp_path / "compose.yaml").write_text("services: {a: {build: .}}\n")
    assert words in hyperbox("compose", "build", env=ELSEWHERE, code=1).err
    hyperbox("build", "-q", "--platform", "linux/amd64", "-t", "hb-platform", ".", env=ELSEWHERE)
    hyperbox("rmi", "hb-platform")


def test_builders_are_listed_though_the_one_that_is_named_is_not_there(hyperbox: Command) -> None:
    assert "default" in hyperbox("buildx", "ls", "--format", "{{.Name}}", env={"BUILDX_BUILDER": "nope"}).out
