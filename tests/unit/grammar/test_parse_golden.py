"""Every recorded command line is taken as the real docker takes it: same words, same code, or accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.grammar.help import help_text
from hyperbox.grammar.parse import parse

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "docker" / "parse" / "cases.json"
CASES: list[dict[str, object]] = json.loads(GOLDEN.read_text())
# The recorded docker has buildx as a plugin, which answers for some commands in its own words.
FOREIGN = {("builder",)}
# what of docs/behaviours.md a case shows
BEHAVIOURS = {
    "ps --x": 1,
    "run -m 10xx a": 2,
    "ps -n": 2,
    "rmi": 3,
    "rename a": 3,
    "nosuch": 4,
    "image": 5,
    "help nosuch": 5,
    "ps -h x": 6,
    "stop -h": 6,
    "stop --time=x a": 7,
    "run --det a": 8,
    "run -d=maybe a": 9,
    "run --rm false": 9,
    "run -deA=1 a": 10,
    "run -p8080:80 -v/a:/b a": 10,
    "run a --flag -x": 11,
    "run -d -- a -- --": 12,
    "ps -H x": 13,
    "ps -f bogus": 49,
}


def marked() -> Iterator[ParameterSet]:
    """Yield the cases, marked with the behaviours that they show."""
    for case in CASES:
        words = case["words"]
        assert isinstance(words, list)
        line = " ".join(words)
        marks = [pytest.mark.behaviour(BEHAVIOURS[line])] if line in BEHAVIOURS else []
        yield pytest.param(case, marks=marks, id=line[:60])


def taken(words: list[str]) -> dict[str, object]:
    """How our parser takes a command line, in the form of the recording."""
    notices: list[str] = []
    try:
        invocation = parse(["docker", "--host", "unix:///nonexistent.sock", *words], notices)
    except UnsupportedError:
        return {"kind": "accepted", "notices": text(notices)}
    except HyperBoxError as error:
        return {"kind": "error", "code": error.exit_code, "notices": text(notices), "stderr": error.message + "\n"}
    if invocation.path != "help":
        return {"kind": "accepted", "notices": text(notices)}
    usage = help_text(invocation.typed, 79, "docker", "/root/.docker").splitlines()[0]
    error_text = str(invocation.flags["error"])
    return {
        "kind": "help",
        "code": 1 if error_text else 0,
        "notices": text(notices),
        "stream": "stderr" if invocation.flags["to-stderr"] else "stdout",
        "usage": usage,
        "error": error_text + "\n" if error_text else "",
    }


def text(notices: list[str]) -> str:
    return "".join(notice + "\n" for notice in notices)


@pytest.mark.parametrize("case", list(marked()))
def test_a_command_line_is_taken_as_docker_takes_it(case: dict[str, object]) -> None:
    words = case["words"]
    assert isinstance(words, list)
    if tuple(words) in FOREIGN:
        pytest.skip("answered by a plugin of docker's")
    assert taken(words) == {key: value for key, value in case.items() if key != "words"}
