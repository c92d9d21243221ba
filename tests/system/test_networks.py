"""macvlan networks, whose containers stand on a link of the machine's; a pair of links stands for a wire here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Command

pytestmark = pytest.mark.system
WIRE, FAR = "hb-wire0", "hb-wire1"
NAMES = ("hb-mac-a", "hb-mac-b")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def wire(hyperbox: Command, busybox: str) -> Iterator[Command]:
    ip("link", "add", WIRE, "type", "veth", "peer", "name", FAR)
    ip("link", "set", WIRE, "up")
    ip("link", "set", FAR, "up")
    ip("address", "add", "10.231.0.1/24", "dev", FAR)
    yield hyperbox
    hyperbox("rm", "-f", *NAMES, code=None)
    hyperbox("network", "rm", "-f", "hb-mac", "hb-mac-two", code=None)
    ip("link", "delete", WIRE)


def pings(hyperbox: Command, container: str, address: str) -> bool:
    return hyperbox("exec", container, "ping", "-c", "1", "-W", "1", address, code=None).code == 0


def two_containers(hyperbox: Command, *options: str) -> None:
    flags = [
        "-d",
        "macvlan",
        "-o",
        f"parent={WIRE}",
        "--subnet",
        "10.231.0.0/24",
        "--ip-range",
        "10.231.0.128/25",
        *options,
    ]
    hyperbox("network", "create", *flags, "hb-mac")
    hyperbox("run", "-d", "--name", NAMES[0], "--network", "hb-mac", "busybox", "sleep", "1000")
    hyperbox("run", "-d", "--name", NAMES[1], "--network", "name=hb-mac,ip=10.231.0.200", "busybox", "sleep", "1000")


def test_containers_on_a_wire_reach_each_other_and_what_is_at_its_end(wire: Command) -> None:
    two_containers(wire, "--aux-address", "taken=10.231.0.128")
    template = '{{(index .NetworkSettings.Networks "hb-mac").IPAddress}}'
    first = wire("inspect", "-f", template, NAMES[0]).out.strip()
    assert first == "10.231.0.129"
    assert pings(wire, NAMES[0], "10.231.0.200")
    assert pings(wire, NAMES[0], NAMES[1])  # by name
    assert pings(wire, NAMES[1], "10.231.0.1")
    assert "default via 10.231.0.1 dev eth0" in wire("exec", NAMES[0], "ip", "route").out


def test_in_the_mode_private_they_do_not_reach_each_other(wire: Command) -> None:
    two_containers(wire, "-o", "macvlan_mode=private")
    assert not pings(wire, NAMES[0], "10.231.0.200")
    assert pings(wire, NAMES[0], "10.231.0.1")


def test_an_internal_network_has_no_way_out(wire: Command) -> None:
    two_containers(wire, "--internal")
    assert pings(wire, NAMES[0], "10.231.0.200")
    assert "default" not in wire("exec", NAMES[0], "ip", "route").out


def test_passthru_needs_the_parent_for_itself(wire: Command) -> None:
    two_containers(wire)
    flags = ["-d", "macvlan", "-o", f"parent={WIRE}", "-o", "macvlan_mode=passthru", "--subnet", "10.232.0.0/24"]
    failed = wire("network", "create", *flags, "hb-mac-two", code=1)
    assert "cannot use mode passthru, macvlan network" in failed.err
    assert f"is already using parent interface {WIRE}" in failed.err
    wire("network", "disconnect", "hb-mac", NAMES[0])
    assert "eth0" not in wire("exec", NAMES[0], "ls", "/sys/class/net").out.split()
    wire("network", "connect", "--ip", "10.231.0.150", "hb-mac", NAMES[0])
    assert pings(wire, NAMES[0], "10.231.0.200")


def test_what_the_kernel_has_not_is_told_and_leaves_no_network(wire: Command) -> None:
    for driver, parent, words in (
        ("macvlan", f"{WIRE}.7", f"failed to create {WIRE}.7 vlan link: operation not supported"),
        ("macvlan", "", "operation not supported"),
    ):
        flags = ["-o", f"parent={parent}"] if parent else []
        done = wire("network", "create", "-d", driver, *flags, "--subnet", "10.232.0.0/24", "hb-mac-two", code=None)
        if done.code:  # a kernel without VLANs, or without dummy links
            assert done.err == f"Error response from daemon: {words}\n"
            assert wire("network", "ls", "-q", "--filter", "name=hb-mac-two").out == ""
        else:
            wire("network", "rm", "hb-mac-two")
            links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
            assert f"{WIRE}.7" not in links
            assert "dm-" not in links


def test_ipvlan(wire: Command) -> None:
    flags = ["-d", "ipvlan", "-o", f"parent={WIRE}", "-o", "ipvlan_mode=l3", "--subnet", "10.231.1.0/24"]
    wire("network", "create", *flags, "hb-mac")
    done = wire("run", "--rm", "--network", "hb-mac", "busybox", "ip", "route", code=None)
    if done.code:
        assert "failed to create the ipvlan port: operation not supported" in done.err
        pytest.skip("this kernel has no ipvlan")
    assert "default dev eth0" in done.out
