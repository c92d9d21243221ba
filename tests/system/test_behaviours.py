"""Corners of docs/behaviours.md that need more than a recorded scenario: a registry, a pipe, a clock."""

from __future__ import annotations

import time

import pytest

from tests.conftest import Command, wait_until

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


def test_probes_of_health_are_told_as_execs_and_none_is_made_of_what_is_paused(hyperbox: Command, busybox: str) -> None:
    since = str(time.time())
    flags = ["--health-cmd", "test -e /ok", "--health-interval", "100ms", "--health-retries", "1"]
    hyperbox("run", "-d", "--name", "probed", *flags, busybox, "sleep", "1000")

    def told(*filters: str) -> list[str]:
        words = [word for each in ("container=probed", *filters) for word in ("--filter", each)]
        form = "{{.Action}}|{{.Actor.Attributes.execID}}|{{.Actor.Attributes.exitCode}}"
        return hyperbox(
            "events", "--since", since, "--until", str(time.time()), *words, "--format", form
        ).out.splitlines()

    try:
        wait_until(lambda: told("event=health_status"))
        made, began, ended, status = told(
            "event=exec_create", "event=exec_start", "event=exec_die", "event=health_status"
        )[:4]
        exec_id = made.split("|")[1]
        assert len(exec_id) == 64
        assert made == f"exec_create: /bin/sh -c test -e /ok|{exec_id}|<no value>"
        assert began == f"exec_start: /bin/sh -c test -e /ok|{exec_id}|<no value>"
        assert ended == f"exec_die|{exec_id}|1"
        assert status == "health_status: unhealthy|<no value>|<no value>"
        hyperbox("exec", "probed", "touch", "/ok")
        wait_until(lambda: "health_status: healthy|<no value>|<no value>" in told("event=health_status"))
        hyperbox("pause", "probed")
        time.sleep(0.5)  # a few intervals, in which nothing is to happen
        assert len(told("event=health_status")) == 2
        hyperbox("unpause", "probed")
        # what is paused counts as unhealthy until the next probe
        health = ["inspect", "-f", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}", "probed"]
        wait_until(lambda: hyperbox(*health).out == "healthy 0\n")
    finally:
        hyperbox("rm", "-f", "probed")
