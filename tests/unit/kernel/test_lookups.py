"""Go's words for a host name that could not be looked up."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hyperbox.kernel import lookups


def test_the_server_that_was_asked_last_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# nameserver 9.9.9.9\nsearch x\nnameserver 127.0.0.3\nnameserver 127.0.0.2\n")
    monkeypatch.setattr(lookups, "FILE", str(file))
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert lookups.lookup_words("x.y", unknown) == "lookup x.y on 127.0.0.2:53: no such host"
    silent = lookups.lookup_words("x.y", socket.gaierror(socket.EAI_AGAIN, "again"))
    assert silent.startswith("lookup x.y on 127.0.0.2:53: read udp 127.0.0.1:")
    assert silent.endswith("->127.0.0.2:53: i/o timeout")


def test_a_server_out_of_reach_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 255.255.255.255\n")  # what may not be connected to without asking for it
    monkeypatch.setattr(lookups, "FILE", str(file))
    words = lookups.lookup_words("x", socket.gaierror(socket.EAI_AGAIN, "again"))
    assert words.startswith("lookup x on 255.255.255.255:53: dial udp 255.255.255.255:53: connect: ")


def test_without_a_file_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "FILE", "/nonexistent")
    assert lookups.last_server() == "127.0.0.1"
