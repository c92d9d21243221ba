"""A port published on an IPv6 address of the host, of a container that has none: the monitor carries its connections."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import subprocess
import sys
import urllib.request

from tests.conftest import Command, wait_until

SERVER = """mkdir -p /www/cgi-bin
printf '#!/bin/sh\\necho "Content-Type: x/y"\\necho\\nexec head -c "$CONTENT_LENGTH"\\n' >/www/cgi-bin/echo
chmod 755 /www/cgi-bin/echo
exec httpd -f -p 80 -h /www"""
# answers every datagram; runs in the container's network namespace, as busybox has no such service
ECHO = """import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 7))
while True:
    server.sendto(*server.recvfrom(1000))
"""


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


def test_a_port_of_all_addresses_answers_on_ipv6_too_as_with_docker(hyperbox: Command, busybox: str) -> None:
    ports = ("-p", "8102:80", "-p", "8103:7/udp")
    name = hyperbox("run", "-d", "--init", *ports, busybox, "httpd", "-f", "-p", "80").out.strip()
    pid = hyperbox("inspect", "-f", "{{.State.Pid}}", name).out.strip()
    echo = subprocess.Popen(["nsenter", "-t", pid, "-n", sys.executable, "-c", ECHO])
    try:
        shown = hyperbox("ps", "--filter", f"id={name}", "--format", "{{.Ports}}").out
        assert "0.0.0.0:8102->80/tcp, [::]:8102->80/tcp" in shown
        assert hyperbox("port", name, "7/udp").out == "0.0.0.0:8103\n[::]:8103\n"
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            wait_until(lambda family=family, address=address: said_back(family, address, b"hallo") == b"hallo")
            wait_until(lambda address=address: connects(address, 8102))
        taken = hyperbox("run", "-d", "--rm", "-p", "[::]:8102:80", busybox, "true", code=125)
        assert "Bind for [::]:8102 failed: port is already allocated" in taken.err
    finally:
        echo.kill()
        echo.wait()
        hyperbox("rm", "-f", name)


def said_back(family: int, address: str, data: bytes) -> bytes:
    """Send a datagram to port 8103 and return what comes back; nothing within a moment is b""."""
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.5)
        asker.connect((address, 8103))
        try:
            asker.send(data)
            return asker.recv(1000)
        except OSError:
            return b""


def connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True
