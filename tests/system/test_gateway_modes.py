"""Who reaches a container at its own address, by its network's gateway mode: a namespace beside the host is the world outside."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Command

pytestmark = pytest.mark.system
NETWORK, OTHER, NAME, OUTSIDE, WIRE = "hb-gw", "hb-gw-other", "hb-gw-a", "hb-gw-out", "hb-gw0"
SUBNET, SUBNET6, OPTION = "10.233.1.0/24", "fd00:233:1::/64", "com.docker.network.bridge."
ADDRESS, ADDRESS6 = "10.233.1.9", "fd00:233:1::9"
GET = "import sys,urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=1.5).read().decode())"
ASK = r"printf 'GET / HTTP/1.0\r\n\r\n'"
# an ICMP echo request (RFC 792) without content; its checksum is that of type 8 and identifier 1
PING = (
    "import socket,sys; s=socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); s.settimeout(2); "
    "s.sendto(bytes((8, 0, 0xf7, 0xfe, 0, 1, 0, 0)), (sys.argv[1], 0)); sys.exit(s.recv(99)[20])"
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def engine(hyperbox: Command, busybox: str) -> Iterator[Command]:
    ip("netns", "add", OUTSIDE)
    try:
        ip("link", "add", WIRE, "type", "veth", "peer", "name", "eth0", "netns", OUTSIDE)
        for words in (("address", "add", "10.233.0.1/24"), ("-6", "address", "add", "fd00:233::1/64", "nodad")):
            ip(*words, "dev", WIRE)
        ip("link", "set", WIRE, "up")
        for words in (("address", "add", "10.233.0.2/24"), ("-6", "address", "add", "fd00:233::2/64", "nodad")):
            ip("-n", OUTSIDE, *words, "dev", "eth0")
        ip("-n", OUTSIDE, "link", "set", "eth0", "up")
        ip("-n", OUTSIDE, "route", "add", "10.233.0.0/16", "via", "10.233.0.1")
        ip("-n", OUTSIDE, "-6", "route", "add", "fd00:233:1::/64", "via", "fd00:233::1")
        yield hyperbox
    finally:
        hyperbox("rm", "-f", NAME, "hb-gw-b", code=None)
        hyperbox("network", "rm", "-f", NETWORK, OTHER, code=None)
        subprocess.run(["ip", "link", "delete", WIRE], check=False)  # a namespace's links outlive its name for a moment
        ip("netns", "delete", OUTSIDE)


def serve(engine: Command, *options: str, modes: dict[str, str]) -> None:
    """Run a container with servers on its ports 80 and 81; `options` publish the first."""
    flags = [word for key, value in modes.items() for word in ("-o", f"{OPTION}{key}={value}")]
    engine("network", "create", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, *flags, NETWORK)
    tell = "mkdir /www; echo hello >/www/index.html; httpd -p 81 -h /www; exec httpd -f -p 80 -h /www"
    fixed = ("--network", f"name={NETWORK},ip={ADDRESS},ip6={ADDRESS6}")
    engine("run", "-d", "--name", NAME, *fixed, *options, "busybox", "sh", "-c", tell)
    engine(
        "exec", NAME, "sh", "-c", "until netstat -lnt | grep -q :80 && netstat -lnt | grep -q :81; do sleep 0.05; done"
    )


def reaches(address: str, port: int) -> bool:
    place = f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"
    words = ["ip", "netns", "exec", OUTSIDE, "python3", "-c", GET, place]
    return "hello" in subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_with_nat_nobody_outside_reaches_a_container_but_by_the_host(engine: Command) -> None:
    serve(engine, "-p", "48090:80", modes={})
    assert reaches("10.233.0.1", 48090)
    assert reaches("fd00:233::1", 48090)
    assert not reaches(ADDRESS, 80)
    assert not reaches(ADDRESS6, 80)


def test_routed_opens_published_ports_at_the_container_s_own_address(engine: Command) -> None:
    serve(engine, "-p", "48090:80", modes={"gateway_mode_ipv4": "routed", "gateway_mode_ipv6": "routed"})
    assert engine("port", NAME).out == "80/tcp -> 0.0.0.0:\n80/tcp -> [::]:\n"
    assert reaches(ADDRESS, 80)
    assert reaches(ADDRESS6, 80)
    assert not reaches(ADDRESS, 81)
    assert not reaches(ADDRESS6, 81)
    assert not reaches("10.233.0.1", 48090)
    ping = ["ip", "netns", "exec", OUTSIDE, "python3", "-c", PING, ADDRESS]
    assert subprocess.run(ping, capture_output=True, check=False).returncode == 0
    engine("network", "create", OTHER)
    inside = ("sh", "-c", f"{ASK} | nc -w 2 {ADDRESS} 80; {ASK} | timeout 3 nc -w 1 {ADDRESS} 81; true")
    assert engine("run", "--rm", "--name", "hb-gw-b", "--network", OTHER, "busybox", *inside).out.count("hello") == 1
    # what the container sends keeps its own address
    seen = subprocess.Popen(
        ["ip", "netns", "exec", OUTSIDE, "python3", "-c",
         "import socket; s=socket.create_server(('', 99)); s.settimeout(20); print('ready', flush=True); print(s.accept()[1][0])"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert seen.stdout is not None
    assert seen.stdout.readline() == "ready\n"
    engine("exec", NAME, "sh", "-c", "nc -w 1 10.233.0.2 99 </dev/null; true")
    assert seen.communicate(timeout=20)[0] == f"{ADDRESS}\n"


def test_one_family_may_be_routed_alone(engine: Command) -> None:
    serve(engine, "-p", "48090:80", modes={"gateway_mode_ipv6": "routed"})
    assert reaches("10.233.0.1", 48090)
    assert not reaches(ADDRESS, 80)
    assert reaches(ADDRESS6, 80)
    assert not reaches("fd00:233::1", 48090)


def test_without_protection_all_ports_are_reached_but_not_from_other_networks(engine: Command) -> None:
    serve(engine, "-p", "48090:80", modes={"gateway_mode_ipv4": "nat-unprotected"})
    assert reaches("10.233.0.1", 48090)
    assert reaches(ADDRESS, 80)
    assert reaches(ADDRESS, 81)
    assert not reaches(ADDRESS6, 81)
    engine("network", "create", OTHER)
    inside = ("sh", "-c", f"{ASK} | timeout 3 nc -w 1 {ADDRESS} 81; true")
    assert engine("run", "--rm", "--network", OTHER, "busybox", *inside).out == ""


def test_a_trusted_link_brings_packets_to_published_ports(engine: Command) -> None:
    serve(engine, "-p", "48090:80", modes={"trusted_host_interfaces": f"lo:{WIRE}"})
    assert reaches(ADDRESS, 80)
    assert not reaches(ADDRESS, 81)
    assert reaches("10.233.0.1", 48090)


def test_options_that_nothing_acts_on_are_kept(engine: Command) -> None:
    engine("network", "create", "-o", "a=b", "-o", "com.docker.network.bogus=1", NETWORK)
    shown = engine("network", "inspect", "-f", "{{json .Options}}", NETWORK).out
    assert shown == '{"a":"b","com.docker.network.bogus":"1"}\n'
