"""Completion offers what is really there, each container where its state fits.

What fits where was recorded from docker 28.5 with the same four containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Command

NAMES = ("created", "running", "paused", "exited")
# what docker offers for each command, of containers in these four states
OFFERED = {
    "attach": ["running"],
    "commit": ["paused", "running"],
    "exec": ["running"],
    "export": ["created", "exited", "paused", "running"],
    "kill": ["paused", "running"],
    "logs": ["created", "exited", "paused", "running"],
    "pause": ["running"],
    "port": ["paused", "running"],
    "restart": ["created", "exited", "paused", "running"],
    "rm": ["created", "exited"],
    "rm -f": ["created", "exited", "paused", "running"],
    "start": ["created", "exited"],
    "stats": ["paused", "running"],
    "stop": ["paused", "running"],
    "unpause": ["paused"],
    "wait": ["paused", "running"],
    "run --volumes-from": ["created", "exited", "paused", "running"],
}


@pytest.fixture
def containers(hyperbox: Command, busybox: str) -> Iterator[str]:
    """Four containers whose names begin with what is returned, one in each state."""
    prefix = "completion-"
    hyperbox("create", "--name", prefix + "created", busybox, "true")
    hyperbox("run", "-d", "--name", prefix + "running", busybox, "sleep", "1000")
    hyperbox("run", "-d", "--name", prefix + "paused", busybox, "sleep", "1000")
    hyperbox("pause", prefix + "paused")
    hyperbox("run", "--name", prefix + "exited", busybox, "true")
    yield prefix
    hyperbox("rm", "-f", *(prefix + name for name in NAMES))


@pytest.mark.behaviour(68)
def test_containers_are_offered_where_their_state_fits(hyperbox: Command, containers: str) -> None:
    found = {}
    for command in OFFERED:
        lines = hyperbox("__complete", *command.split(), "").out.splitlines()
        assert lines[-1] == ":4", command
        found[command] = sorted(line.removeprefix(containers) for line in lines if line.startswith(containers))
    assert found == OFFERED


def test_images_networks_and_volumes_are_offered(hyperbox: Command, busybox: str) -> None:
    assert busybox in hyperbox("__complete", "rmi", "").out.splitlines()
    assert {"bridge", "host", "none"} <= set(hyperbox("__complete", "run", "--network", "").out.splitlines())
    hyperbox("volume", "create", "completion-volume")
    try:
        assert "completion-volume" in hyperbox("__complete", "volume", "rm", "").out.splitlines()
    finally:
        hyperbox("volume", "rm", "completion-volume")
