"""Addresses of engines: docker's words for what is none, and for where nobody answers; our refusal where somebody does."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hyperbox.cli import endpoint
from hyperbox.errors import Unreachable, Unresolved, UnsupportedError
from hyperbox.grammar.parse import parse


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "bogus://x",
            "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: bogus://x",
        ),
        (
            "http://127.0.0.1:1",
            "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: http://127.0.0.1:1",
        ),
        ("npipe:////./x", "Failed to initialize: protocol not available"),
        ("fd://", "Failed to initialize: unable to parse docker host `fd://`"),
        ("ssh://", "Failed to initialize: ssh host connection is not valid: invalid SSH URL: hostname is empty"),
        (
            "tcp://127.0.0.1:x",
            'Failed to initialize: unable to resolve docker endpoint: parse "tcp://127.0.0.1:x": invalid port ":x" after host',
        ),
        (
            "tcp://[::1",
            "Failed to initialize: unable to resolve docker endpoint: parse \"tcp://[::1\": missing ']' in host",
        ),
        (
            "unix:///nonexistent.sock",
            "Cannot connect to the Docker daemon at unix:///nonexistent.sock. Is the docker daemon running?",
        ),
        ("127.0.0.1:1", "Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?"),
        (
            "unix:///a.sock,tcp://x:1",
            "Failed to initialize: unable to resolve docker endpoint: invalid proto, expected unix: /a.sock,tcp://x:1",
        ),
        (":1", "Cannot connect to the Docker daemon at tcp://localhost:1. Is the docker daemon running?"),
        (
            "tcp://127.0.0.1:1/path",
            "Cannot connect to the Docker daemon at tcp://127.0.0.1:1/path. Is the docker daemon running?",
        ),
    ],
)
def test_what_is_no_engine_s_address_is_told_in_docker_s_words(address: str, words: str) -> None:
    assert endpoint.refuse(address).message == words


def test_an_engine_that_answers_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert isinstance(endpoint.refuse(f"unix://{path}"), Unreachable)  # nobody listens yet
        listener.listen()
        found = endpoint.refuse(f"unix://{path}")
    assert isinstance(found, UnsupportedError)
    assert "HyperBox runs containers on this machine only" in found.message
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = endpoint.refuse(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    assert isinstance(found, UnsupportedError)


@pytest.mark.parametrize(
    ("words", "request_line"),
    [
        ("ps", 'Get "http://h:99999/v1.51/containers/json"'),
        ("ps -a -f name=x -f name=y", "all=1&filters=%7B%22name%22%3A%7B%22x%22%3Atrue%2C%22y%22%3Atrue%7D%7D"),
        ("images", 'Head "http://h:99999/_ping"'),
        ("rm -fv x y", 'Delete "http://h:99999/v1.51/containers/x?force=1&v=1"'),
        ("rename a b", 'Post "http://h:99999/v1.51/containers/a/rename?name=b"'),
        ("exec c true", 'Get "http://h:99999/v1.51/containers/c/json"'),
        ("pull x", ""),
    ],
)
def test_a_host_that_is_none_is_told_with_the_command_s_first_request(words: str, request_line: str) -> None:
    invocation = parse(["docker", *words.split()])
    found = endpoint.refuse("tcp://h:99999", invocation)
    assert isinstance(found, Unresolved)
    assert found.message.startswith("error during connect: ")
    assert request_line in found.message
    assert found.message.endswith(": dial tcp: address 99999: invalid port")
