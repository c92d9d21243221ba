"""A port published on an IPv6 address of the host, of a container that has none: the monitor carries its connections."""

from __future__ import annotations

import concurrent.futures
import os
import urllib.request

from tests.conftest import Command, wait_until

SERVER = """mkdir -p /www/cgi-bin
printf '#!/bin/sh\\necho "Content-Type: x/y"\\necho\\nexec head -c "$CONTENT_LENGTH"\\n' >/www/cgi-bin/echo
chmod 755 /www/cgi-bin/echo
exec httpd -f -p 80 -h /www"""


def echoed(port: int, said: bytes) -> bytes:
    """Send something and return what comes back, over a connection of its own."""
    with urllib.request.urlopen(f"http://[::1]:{port}/cgi-bin/echo", data=said, timeout=20) as response:
        return bytes(response.read())


def answers(port: int) -> bool:
    try:
        return echoed(port, b"x") == b"x"
    except OSError:
        return False


def test_connections_to_ipv6_addresses_reach_a_container_without_one(hyperbox: Command, busybox: str) -> None:
    ports = ("-p", "[::1]:8101:80", "-p", "127.0.0.1:8101:80")
    name = hyperbox("run", "-d", "--init", *ports, busybox, "sh", "-c", SERVER).out.strip()
    try:
        wait_until(lambda: answers(8101))
        data = os.urandom(2_000_000)
        assert echoed(8101, data) == data
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            said = [f"{number}\n".encode() * 20_000 for number in range(30)]
            assert list(pool.map(lambda each: echoed(8101, each), said)) == said
        assert sorted(hyperbox("port", name, "80").out.splitlines()) == ["127.0.0.1:8101", "[::1]:8101"]
        hyperbox("restart", "-t", "0", name)
        wait_until(lambda: answers(8101))
        monitor = hyperbox("inspect", "-f", "{{.State.Running}}", name)
        assert monitor.out == "true\n"
    finally:
        hyperbox("rm", "-f", name)
    assert not answers(8101)
