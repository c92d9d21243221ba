"""Logging drivers that send a container's output elsewhere."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import logging_cases  # type: ignore[import-not-found]
import pytest

from tests.conftest import Command, wait_until

pytestmark = pytest.mark.system
NAME = "hb-logging"


@pytest.fixture
def clean(hyperbox: Command, busybox: str) -> Iterator[Command]:
    hyperbox("rm", "-f", NAME, code=None)
    yield hyperbox
    hyperbox("rm", "-f", NAME, code=None)


def listener() -> tuple[socket.socket, str]:
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("name", list(logging_cases.CASES))
def test_messages_are_dockers(name: str, clean: Command) -> None:
    sent = logging_cases.sent(clean.argv, name, clean.environment)
    assert logging_cases.in_order(sent) == logging_cases.in_order(logging_cases.recorded()[name])


def test_logs_reads_a_copy_unless_it_is_disabled(clean: Command) -> None:
    server, address = listener()
    flags = ["--name", NAME, "--log-driver", "fluentd", "--log-opt", f"fluentd-address={address}"]
    clean("run", *flags, "busybox", "sh", "-c", "echo out; echo err >&2")
    shown = clean("logs", NAME)
    assert (shown.out, shown.err) == ("out\n", "err\n")
    clean("rm", NAME)
    clean("run", *flags, "--log-opt", "cache-disabled=true", "busybox", "echo", "out")
    assert "configured logging driver does not support reading" in clean("logs", NAME, code=1).err
    server.close()


def test_a_receiver_that_takes_nothing_stops_the_container_or_loses_messages(clean: Command) -> None:
    """25 MB of output go nowhere: with mode=blocking they are not written either, with non-blocking they are lost."""
    server, address = listener()
    script = "yes $(printf %0999d 0) | head -c 25000000; touch /done; sleep 1000"
    flags = ["-d", "--name", NAME, "--log-driver", "syslog", "--log-opt", f"syslog-address=tcp://{address}"]
    flags += ["--log-opt", "cache-disabled=true"]
    clean("run", *flags, "busybox", "sh", "-c", script)
    pid = clean("inspect", "-f", "{{.State.Pid}}", NAME).out.strip()
    held = {"pipe_w", "anon_pipe_write", "pipe_write"}
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: any(Path(f"/proc/{each}/wchan").read_text() in held for each in children.read_text().split()))
    clean("exec", NAME, "test", "-e", "/done", code=1)
    clean("rm", "-f", NAME)
    clean("run", *flags, "--log-opt", "mode=non-blocking", "busybox", "sh", "-c", script)
    wait_until(lambda: clean("exec", NAME, "test", "-e", "/done", code=None).code == 0, timeout=60)
    server.close()


def test_what_docker_refuses_at_the_start_is_refused(clean: Command, tmp_path: Path) -> None:
    lead = "failed to create task for container: failed to initialize logging driver: "
    for driver, options, words in (
        ("syslog", ["syslog-address=tcp://127.0.0.1:1"], "dial tcp 127.0.0.1:1: connect: connection refused"),
        (
            "gelf",
            ["gelf-address=tcp://127.0.0.1:1"],
            "gelf: cannot connect to GELF endpoint: 127.0.0.1:1 dial tcp 127.0.0.1:1: connect: connection refused",
        ),
        ("fluentd", [], "dial tcp 127.0.0.1:24224: connect: connection refused"),
        ("fluentd", ["tag={{.Nope}}"], 'template: log-tag:1:2: executing "log-tag" at <.Nope>: '),
        ("splunk", [], "splunk: splunk-url is expected"),
        (
            "splunk",
            ["splunk-url=http://127.0.0.1:1", "splunk-token=t"],
            "dial tcp 127.0.0.1:1: connect: connection refused",
        ),
    ):
        flags = [word for option in options for word in ("--log-opt", option)]
        failed = clean("run", "--rm", "--log-driver", driver, *flags, "busybox", "true", code=125)
        assert lead in failed.err
        assert words in failed.err
    clean("run", "--rm", "--log-driver", "fluentd", "--log-opt", "fluentd-async=true", "busybox", "true")


def test_syslog_goes_over_tls_with_its_length(clean: Command, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "cert"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate),
            *("-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server, address = listener()
    options = [f"syslog-address=tcp+tls://{address}", "syslog-format=rfc5424", f"syslog-tls-ca-cert={certificate}"]
    flags = [word for option in options for word in ("--log-opt", option)]
    client = clean.start("run", "--rm", "--name", NAME, "--log-driver", "syslog", *flags, "busybox", "echo", "secret")
    with context.wrap_socket(server.accept()[0], server_side=True) as connection:
        length, _, message = connection.recv(4096).decode().partition(" ")
    assert client.wait(timeout=30) == 0
    assert int(length) == len(message)
    assert message.endswith(" - secret\n")
    server.close()


def test_the_journal_gets_the_containers_fields(clean: Command) -> None:
    """A socket stands where the journal's is, on a file system of this sandbox's own."""
    assert os.environ["HYPERBOX_SANDBOX"]
    subprocess.run(["mkdir", "-p", "/run/systemd"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "journal", "/run/systemd"], check=True)
    try:
        os.mkdir("/run/systemd/journal")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind("/run/systemd/journal/socket")
            flags = ["--log-driver", "journald", "--log-opt", "labels=a-b", "-l", "a-b=c", "--name", NAME]
            clean(
                "run",
                *flags,
                "busybox",
                "sh",
                "-c",
                "echo one; sleep 0.1; echo two >&2; head -c 20000 /dev/zero | tr '\\0' x",
            )
            container = clean("inspect", "-f", "{{.Id}}", NAME).out.strip()
            received = [journal.recv(1 << 16).decode() for _ in range(4)]
    finally:
        subprocess.run(["umount", "/run/systemd"], check=True)
    entries = [dict(line.split("=", 1) for line in text.splitlines()) for text in received]
    second = next(entry for entry in entries if entry["PRIORITY"] == "3")  # stderr may be read before stdout
    first, third, fourth = (entry for entry in entries if entry is not second)
    assert {key: first[key] for key in ("MESSAGE", "PRIORITY", "CONTAINER_ID_FULL", "CONTAINER_NAME", "A_B")} == {
        "MESSAGE": "one",
        "PRIORITY": "6",
        "CONTAINER_ID_FULL": container,
        "CONTAINER_NAME": NAME,
        "A_B": "c",
    }
    assert (first["SYSLOG_IDENTIFIER"], first["IMAGE_NAME"]) == (container[:12], "busybox")
    assert (second["MESSAGE"], second["PRIORITY"]) == ("two", "3")
    assert len(third["MESSAGE"]) == 16384
    assert third["CONTAINER_PARTIAL_MESSAGE"] == "true"
    assert (fourth["CONTAINER_PARTIAL_ID"], fourth["CONTAINER_PARTIAL_ORDINAL"]) == (third["CONTAINER_PARTIAL_ID"], "2")
