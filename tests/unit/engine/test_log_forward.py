"""engine/log_forward.py, log_drivers.py: output cut into messages, buffered, and the options of the drivers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbox.engine import log_drivers, log_options, log_sinks
from hyperbox.engine.log_forward import HELD, ForwardingWriter, Splitter, decode, encode
from hyperbox.engine.log_messages import Message, Source, gelf_datagrams, journald, msgpack
from hyperbox.engine.log_options import LogOptions
from hyperbox.engine.monitor_loop import Loop
from hyperbox.engine.state import Container, Roots
from hyperbox.errors import InvalidParameter


def test_lines_are_messages_and_what_is_longer_comes_in_numbered_pieces() -> None:
    splitter = Splitter(5)
    assert [message.line for message in splitter.feed(1, b"one\ntw")] == [b"one"]
    assert [(message.line, message.part) for message in splitter.feed(1, b"o\n")] == [(b"two", None)]
    found = [
        *splitter.feed(1, b"abcdefghijk"),
        *splitter.feed(1, b"\nx\n"),
        *splitter.feed(2, b"end"),
        *splitter.end(),
    ]
    assert [message.line.decode() for message in found] == ["abcde", "fghij", "k", "x", "end"]
    parts = [message.part for message in found]
    assert parts[0] is not None
    assert [(part[1:] if part else None) for part in parts] == [(1, False), (2, False), (3, True), None, (1, False)]
    assert len({part[0] for part in parts if part}) == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from((1, 2)), st.binary(max_size=40)), max_size=12), st.integers(1, 12))
def test_all_output_comes_through_the_pipe_in_order(pieces: list[tuple[int, bytes]], longest: int) -> None:
    splitter, buffer = Splitter(longest), bytearray()
    found: dict[int, bytes] = {1: b"", 2: b""}

    def take() -> None:
        for message in decode(buffer):
            found[message.stream] += message.line + (b"\n" if message.part is None or message.part[2] else b"")

    for stream, data in pieces:
        for message in splitter.feed(stream, data):
            data = encode(message)
            buffer.extend(data[:7])
            take()
            buffer.extend(data[7:])
            take()
    for message in splitter.end():
        buffer.extend(encode(message))
    take()
    assert found == {stream: b"".join(data for each, data in pieces if each == stream) for stream in (1, 2)}


def writer(tmp_path: Path, **options: str) -> tuple[ForwardingWriter, int]:
    reader, pipe = os.pipe2(os.O_NONBLOCK)
    settled = LogOptions("none", 0, 1, False, forward="syslog", given=options)
    return ForwardingWriter(str(tmp_path / "log"), settled, Loop(), pipe), reader


def test_too_much_that_waits_stops_the_reading_until_there_is_room(tmp_path: Path) -> None:
    log, reader = writer(tmp_path)
    told: list[bool] = []
    log.on_room = lambda: told.append(True)
    log.write(1, b"x\n" * HELD)
    assert log.full
    received = b""
    while log.full:
        received += os.read(reader, 1 << 16)
        log._send()
    assert told == [True]
    log.close()
    os.close(reader)


def test_non_blocking_drops_what_the_buffer_does_not_hold(tmp_path: Path) -> None:
    log, reader = writer(tmp_path, **{"mode": "non-blocking", "max-buffer-size": "10k"})
    for number in range(10000):
        log.write(1, b"%d\n" % number)
    assert not log.full
    buffer = bytearray()
    while True:
        try:
            buffer += os.read(reader, 1 << 16)
        except BlockingIOError:
            break
        log._send()
    numbers = [int(message.line) for message in decode(buffer)]
    assert numbers == list(range(len(numbers)))
    assert 100 < len(numbers) < 5000
    log.close()
    os.close(reader)


def test_a_sender_that_is_gone_is_no_hindrance(tmp_path: Path) -> None:
    log, reader = writer(tmp_path)
    os.close(reader)
    log.write(1, b"x\n" * HELD)
    assert not log.full
    log.flush()
    log.close()


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("gelf", {}, "gelf-address is a required parameter"),
        ("gelf", {"gelf-address": "udp://h:1", "x": "1"}, 'unknown log opt "x" for gelf log driver'),
        ("gelf", {"gelf-address": "foo://h:1"}, "gelf: endpoint needs to be TCP or UDP"),
        ("gelf", {"gelf-address": "udp://h"}, "gelf: please provide gelf-address as proto://host:port"),
        ("gelf", {"gelf-address": "1.1.1.1:9"}, 'parse "1.1.1.1:9": first path segment in URL cannot contain colon'),
        (
            "gelf",
            {"gelf-address": "udp://h:1", "gelf-compression-level": "99"},
            'unknown value "99" for log opt "gelf-compression-level" for gelf log driver',
        ),
        (
            "gelf",
            {"gelf-address": "tcp://h:1", "gelf-compression-type": "gzip"},
            "compression is only supported on UDP",
        ),
        (
            "gelf",
            {"gelf-address": "udp://h:1", "gelf-tcp-max-reconnect": "1"},
            '"gelf-tcp-max-reconnect" is only valid for TCP',
        ),
        (
            "gelf",
            {"gelf-address": "tcp://h:1", "gelf-tcp-reconnect-delay": "x"},
            '"gelf-tcp-reconnect-delay" must be a positive integer',
        ),
        ("syslog", {"x": "1"}, "unknown log opt 'x' for syslog log driver"),
        ("syslog", {"syslog-address": "foo://x"}, "unsupported scheme: 'foo'"),
        ("syslog", {"syslog-address": "127.0.0.1"}, "unsupported scheme: ''"),
        ("syslog", {"syslog-address": "unix:///nonexistent"}, "stat /nonexistent: no such file or directory"),
        ("syslog", {"syslog-facility": "99"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "x"}, "Invalid syslog format"),
        ("syslog", {"cache-disabled": "maybe"}, "invalid value for option cache-disabled: maybe"),
        ("syslog", {"cache-x": "1"}, "unknown log opt 'cache-x' for syslog log driver"),
        ("syslog", {"mode": "x"}, "logger: logging mode not supported: x"),
        ("fluentd", {"fluentd-async-connect": "1"}, "unknown log opt 'fluentd-async-connect' for fluentd log driver"),
        ("fluentd", {"fluentd-address": "foo://x"}, "invalid fluentd-address (foo://x): unsupported scheme: 'foo'"),
        ("fluentd", {"fluentd-address": "unix://"}, "invalid fluentd-address (unix://): path is empty"),
        (
            "fluentd",
            {"fluentd-address": "tcp://h:9/p"},
            "invalid fluentd-address (tcp://h:9/p): should not contain a path element",
        ),
        (
            "fluentd",
            {"fluentd-address": "a:b"},
            'invalid fluentd-address (a:b): parse "tcp://a:b": invalid port ":b" after host',
        ),
        ("fluentd", {"fluentd-async": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ("fluentd", {"fluentd-buffer-limit": "x"}, "invalid size: 'x'"),
        ("fluentd", {"fluentd-max-retries": "x"}, 'strconv.ParseUint: parsing "x": invalid syntax'),
        ("fluentd", {"fluentd-retry-wait": "x"}, 'time: invalid duration "x"'),
        (
            "fluentd",
            {"fluentd-async-reconnect-interval": "1"},
            'invalid value for fluentd-async-reconnect-interval: time: missing unit in duration "1"',
        ),
        (
            "fluentd",
            {"fluentd-write-timeout": "x"},
            'invalid value for fluentd-write-timeout: value must be a duration: time: invalid duration "x"',
        ),
        ("journald", {"x": "1"}, "unknown log opt 'x' for journald log driver"),
        ("splunk", {"x": "1"}, "unknown log opt 'x' for splunk log driver"),
        ("etwlogs", {}, 'error looking up logging plugin etwlogs: plugin "etwlogs" not found'),
    ],
)
def test_options_are_refused_in_dockers_words(driver: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidParameter) as failed:
        log_options.check({"LogConfig": {"Type": driver, "Config": options}})
    assert failed.value.message == words


def test_addresses_have_dockers_defaults() -> None:
    assert log_drivers.syslog_address({"syslog-address": "udp://h"}) == ("udp", "h", 514)
    assert log_drivers.fluentd_address({}) == ("tcp", "127.0.0.1", 24224)
    assert log_drivers.fluentd_address({"fluentd-address": "[::1]:5"}) == ("tcp", "::1", 5)
    assert log_drivers.facility("") == 3
    assert log_drivers.facility("local7") == 23


def test_large_messages_are_chunked_and_too_large_ones_dropped() -> None:
    pieces = gelf_datagrams(bytes(5000))
    assert [piece[10:12] for piece in pieces] == [bytes((number, 4)) for number in range(4)]
    assert b"".join(piece[12:] for piece in pieces) == bytes(5000)
    assert gelf_datagrams(bytes(200000)) == []


def test_long_texts_and_lines_are_encoded() -> None:
    assert msgpack("x" * 300)[:3] == b"\xda\x01\x2c"
    assert msgpack("x" * 70000)[:5] == b"\xdb\x00\x01\x11\x70"
    assert msgpack({str(number): "" for number in range(20)})[:3] == b"\xde\x00\x14"
    entry = journald(Message(1, 0, b"a\nb"), [])
    assert entry.startswith(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=6\n")


def test_the_journal_gets_an_entry_that_is_no_datagram_any_more_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "journal")
    monkeypatch.setattr(log_sinks, "JOURNAL", path)
    roots = Roots(str(tmp_path), str(tmp_path), "none")
    record: dict[str, object] = {"Name": "web", "Created": "2026-01-02T03:04:05Z", "ImageID": "sha256:0", "Config": {}}
    source = Source(Container(roots, "a" * 64, record, {}), "tag", {})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        journal.settimeout(5)
        sink = log_sinks.Journald(source, {})
        line = b"x" * (4 << 20)
        sink.log(Message(1, 0, line))
        sink.log(Message(1, 0, b"short"))
        data, descriptors, _, _ = socket.recv_fds(journal, 1 << 16, 1)
        assert data == b""
        with os.fdopen(descriptors[0], "rb") as file:
            file.seek(0)
            assert b"MESSAGE=" + line + b"\n" in file.read()
        assert b"MESSAGE=short\n" in journal.recv(1 << 16)
        sink.forget()


def test_the_journal_that_was_started_anew_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "journal")
    monkeypatch.setattr(log_sinks, "JOURNAL", path)
    roots = Roots(str(tmp_path), str(tmp_path), "none")
    record: dict[str, object] = {"Name": "web", "Created": "2026-01-02T03:04:05Z", "ImageID": "sha256:0", "Config": {}}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(path)
        sink = log_sinks.Journald(Source(Container(roots, "a" * 64, record, {}), "tag", {}), {})
    os.unlink(path)
    sink.log(Message(1, 0, b"lost"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(path)
        second.settimeout(5)
        sink.log(Message(1, 0, b"found"))
        assert b"MESSAGE=found\n" in second.recv(1 << 16)
    sink.forget()
