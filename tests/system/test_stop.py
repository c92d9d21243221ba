"""`docker stop` of several containers: each has its own time to end, and they have it together, as with docker."""

from __future__ import annotations

import time

from tests.conftest import Command
from tests.machine import Roots, assert_clean, leftovers


def test_several_are_stopped_together_and_told_of_in_order(hyperbox: Command, busybox: str) -> None:
    before = leftovers(Roots.of_environment())
    names = [hyperbox("run", "-d", busybox, "sleep", "1000").out.strip() for _ in range(4)]
    quick = hyperbox("run", "-d", busybox, "sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.02; done").out.strip()
    started = time.monotonic()
    # what ignores SIGTERM has four seconds: one after the other would take sixteen
    done = hyperbox("stop", "-t", "4", names[0], "nosuch", *names[1:], quick, code=1)
    assert 4 <= time.monotonic() - started < 12
    assert done.out.split() == [*names, quick]
    assert done.err == "Error response from daemon: No such container: nosuch\n"
    states = hyperbox("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", *names, quick).out.splitlines()
    assert states == [*["exited 137"] * len(names), "exited 3"]
    hyperbox("rm", *names, quick)
    assert_clean(Roots.of_environment(), before=before)


def test_one_name_twice_is_stopped_once(hyperbox: Command, busybox: str) -> None:
    name = hyperbox("run", "-d", "--rm", busybox, "sleep", "1000").out.strip()
    assert hyperbox("stop", "-t", "0", name, name, code=None).out.split()[:1] == [name]
    assert hyperbox("ps", "-aq", "--no-trunc").out.find(name) < 0
