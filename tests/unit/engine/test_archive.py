"""What children that read containers' files tell: failures before their data, and in it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from hyperbox.engine import archive
from hyperbox.engine.state import Container, Roots, new_state
from hyperbox.errors import EngineError, NotFound


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[archive.Answer], None]], tuple[int, int]]:
    """A child that stays in the root that is there."""
    monkeypatch.setattr(archive, "enter_root", lambda *_arguments, **_options: None)
    roots = Roots("/nowhere", "/nowhere", "nowhere")
    return lambda action: archive.in_child(roots, Container(roots, "c", {}, new_state()), action)


def test_what_fails_in_the_data_is_told_and_is_not_in_the_data(
    begin: Callable[[Callable[[archive.Answer], None]], tuple[int, int]],
) -> None:
    def action(answer: archive.Answer) -> None:
        answer.begin({"name": "x"})
        os.write(answer.descriptor, b"the data")
        raise OSError(5, "Input/output error", "/x")

    pid, reader = begin(action)
    value, rest = archive.beginning(pid, reader)
    assert value == {"name": "x"}
    chunks = archive.stream(pid, reader, rest)
    got = b""
    while len(got) < 8:
        got += next(chunks)
    assert got == b"the data"
    with pytest.raises(EngineError):
        next(chunks)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_what_fails_before_the_data_leaves_no_child(
    begin: Callable[[Callable[[archive.Answer], None]], tuple[int, int]],
) -> None:
    def action(_answer: archive.Answer) -> None:
        raise archive.Refused(404, "Could not find the file /x in container c")

    pid, reader = begin(action)
    with pytest.raises(NotFound, match="Could not find the file /x in container c"):
        archive.beginning(pid, reader)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
