"""Corners of docs/behaviours.md that need more than a recorded scenario: a registry, a pipe, a clock."""

from __future__ import annotations

import pytest

from tests.conftest import Command

pytestmark = pytest.mark.system


@pytest.mark.behaviour(66)
def test_pull_tells_the_tag_that_it_took_and_ends_with_the_whole_reference(hyperbox: Command, registry: str) -> None:
    hyperbox("rmi", "-f", f"{registry}/library/busybox")
    lines = hyperbox("pull", f"{registry}/library/busybox").out.splitlines()
    assert lines[0] == "Using default tag: latest"
    assert lines[-2:] == [
        f"Status: Downloaded newer image for {registry}/library/busybox:latest",
        f"{registry}/library/busybox:latest",
    ]
    assert hyperbox("pull", "-q", f"{registry}/library/busybox:latest").out == f"{registry}/library/busybox:latest\n"
    hyperbox("rmi", f"{registry}/library/busybox")
