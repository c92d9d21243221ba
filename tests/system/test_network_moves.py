"""What a container gains when it joins a network while it runs, and while it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Command

pytestmark = pytest.mark.system
NAMES = ("hb-mv-a", "hb-mv-b")
NETWORK = "hb-mv"


@pytest.fixture
def engine(hyperbox: Command, busybox: str) -> Iterator[Command]:
    yield hyperbox
    hyperbox("rm", "-f", *NAMES, code=None)
    hyperbox("network", "rm", "-f", NETWORK, code=None)


def resolves(engine: Command, container: str, name: str) -> bool:
    return engine("exec", container, "nslookup", "-type=a", name, code=None).code == 0


def test_names_are_answered_from_the_first_network_that_has_them_on(engine: Command) -> None:
    engine("network", "create", NETWORK)
    engine("run", "-d", "--name", NAMES[0], "busybox", "sleep", "1000")
    engine("run", "-d", "--name", NAMES[1], "--network", NETWORK, "busybox", "sleep", "1000")
    assert "nameserver 127.0.0.11" not in engine("exec", NAMES[0], "cat", "/etc/resolv.conf").out
    engine("network", "connect", NETWORK, NAMES[0])
    assert "nameserver 127.0.0.11\n" in engine("exec", NAMES[0], "cat", "/etc/resolv.conf").out
    assert resolves(engine, NAMES[0], NAMES[1])
    assert not resolves(engine, NAMES[0], "hb-mv-nobody")
    engine("network", "disconnect", NETWORK, NAMES[0])
    assert not resolves(engine, NAMES[0], NAMES[1])
    engine("network", "connect", NETWORK, NAMES[0])  # the resolver that is there serves on
    assert resolves(engine, NAMES[0], NAMES[1])


def test_a_resolv_conf_that_was_changed_inside_stays(engine: Command) -> None:
    engine("network", "create", NETWORK)
    engine("run", "-d", "--name", NAMES[0], "busybox", "sleep", "1000")
    engine("exec", NAMES[0], "sh", "-c", "echo nameserver 9.9.9.9 >/etc/resolv.conf")
    engine("network", "connect", NETWORK, NAMES[0])
    assert engine("exec", NAMES[0], "cat", "/etc/resolv.conf").out == "nameserver 9.9.9.9\n"


def test_a_network_that_comes_later_is_joined_at_the_start(engine: Command) -> None:
    engine("create", "--name", NAMES[0], "busybox", "sleep", "1000")
    engine("network", "connect", "--ip", "10.231.9.9", NETWORK, NAMES[0])
    failed = engine("start", NAMES[0], code=1)
    assert f"network {NETWORK} not found" in failed.err
    engine("network", "create", "--subnet", "10.231.9.0/24", NETWORK)
    engine("start", NAMES[0])
    assert "10.231.9.9" in engine("exec", NAMES[0], "ip", "-4", "-o", "addr").out
