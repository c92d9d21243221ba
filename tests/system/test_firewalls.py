"""Other firewalls on the host: Docker's and ufw's ways to drop what is forwarded, in this sandbox's network namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until

OUTSIDE, HERE = "198.51.100.2", "198.51.100.1"
RULES = {
    "docker": [
        *("-P FORWARD DROP", "-N DOCKER-USER", "-N DOCKER", "-A DOCKER-USER -j RETURN"),
        *("-A FORWARD -j DOCKER-USER", "-A FORWARD -o docker0 -j DOCKER"),
    ],
    "ufw": [
        *("-P FORWARD DROP", "-N ufw-before-forward", "-A ufw-before-forward -p icmp -j DROP"),
        "-A FORWARD -j ufw-before-forward",
    ],
}


def run(*words: str, check: bool = True) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=check).stdout


def clean() -> None:
    for words in ("-P FORWARD ACCEPT", "-F", "-X"):
        run("iptables", *words.split(), check=False)
    run("nft", "delete", "table", "ip", "filter", check=False)  # iptables makes it, even to show it


@pytest.fixture
def outside() -> Iterator[None]:
    """A machine behind this one, reached over a link of its own, that knows no way to containers but by masquerading."""
    if shutil.which("iptables") is None:
        pytest.skip("iptables is not installed")
    holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    own = os.readlink("/proc/self/ns/net")
    wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own)
    run("ip", "link", "add", "world0", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
    run("ip", "address", "add", f"{HERE}/24", "dev", "world0")
    run("ip", "link", "set", "world0", "up")
    inside = ("nsenter", "--net", "-t", str(holder.pid), "ip")
    run(*inside, "address", "add", f"{OUTSIDE}/24", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    try:
        yield
    finally:
        holder.kill()
        holder.wait()
        run("ip", "link", "delete", "world0", check=False)
        clean()


def reaches(hyperbox: Command, name: str) -> bool:
    return hyperbox("exec", name, "ping", "-c", "1", "-W", "1", OUTSIDE, code=None).code == 0


@pytest.mark.parametrize("kind", RULES)
def test_containers_get_out_past_a_firewall_that_keeps_its_rules(
    hyperbox: Command, busybox: str, outside: None, kind: str
) -> None:
    table = os.environ["HYPERBOX_CGROUP"].replace("-", "_")
    clean()
    for rule in RULES[kind]:
        run("iptables", *rule.split())
    before = run("iptables", "-S").splitlines()
    run("nft", "delete", "table", "inet", table, check=False)  # as a firewall's reload may
    name = hyperbox("run", "-d", "--init", busybox, "sleep", "600").out.strip()
    try:
        wait_until(lambda: reaches(hyperbox, name))
        after = run("iptables", "-S").splitlines()
        ours = [line for line in after if "devgroup" in line]
        assert [line for line in after if "devgroup" not in line] == before
        assert len(ours) == 2
        for line in ours:
            run("iptables", "-D", *line.split()[1:])
        assert not reaches(hyperbox, name)
        found = json.loads(hyperbox("doctor", "--json", code=1).out)
        assert [each["state"] for each in found if each["subject"] == "firewalls"] == ["bad"]
        hyperbox("doctor", "--fix")
        wait_until(lambda: reaches(hyperbox, name))
        run("nft", "delete", "table", "inet", table)
        hyperbox("run", "--rm", busybox, "true")
        assert len([line for line in run("iptables", "-S").splitlines() if "devgroup" in line]) == 2
    finally:
        hyperbox("rm", "-f", name)


def test_a_machine_without_the_program_nft_is_told_so(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    table = os.environ["HYPERBOX_CGROUP"].replace("-", "_")
    run("nft", "delete", "table", "inet", table, check=False)
    nothing = tmp_path / "nothing"
    nothing.touch(mode=0o600)
    script = f'mount --bind {nothing} {shutil.which("nft")} && exec "$@"'
    without = Command(["unshare", "--mount", "sh", "-c", script, "sh", *hyperbox.argv], hyperbox.environment, tmp_path)
    failed = without("run", "--rm", busybox, "true", code=125)
    assert "failed to set up networking: the program nft is not installed" in failed.err
    assert "hint: install the package nftables" in failed.err
    assert hyperbox("ps", "-aq").out == ""
    assert "the program nft is not installed" in without("doctor", code=1).out
    hyperbox("run", "--rm", busybox, "true")
