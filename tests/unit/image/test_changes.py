"""Instructions of --change on a configuration of their own, as import has them; what commit makes of them is in the scenarios."""

from __future__ import annotations

import pytest

from hyperbox.errors import InvalidParameter
from hyperbox.image.change_words import expand, split
from hyperbox.image.changes import apply_changes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=1 b=2", ["a=1", "b=2"]),
        ("a=\"x y\"  b='p q'", ['a="x y"', "b='p q'"]),
        ("a=x\\ y b", ["a=x\\ y", "b"]),
        ('a="x\\" y" b', ['a="x\\" y"', "b"]),
        ("", []),
    ],
)
def test_words_keep_their_quotes(text: str, found: list[str]) -> None:
    assert split(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$A/x", "1/x"),
        ("${A}x", "1x"),
        ("$NOPE|${NOPE}", "|"),
        ("${A:-d}${NOPE:-d}${NOPE:-$A}", "1d1"),
        ("${A:+s}${NOPE:+s}|${E-d}${E:-d}", "s|d"),
        ("'$A' \"$A\" \\$A", "$A 1 $A"),
        ('"a\\"b\\n"', 'a"b\\n'),
        ("5$ x", "5$ x"),
        ("${A", "1"),
    ],
)
def test_variables_are_put_in(text: str, found: str) -> None:
    assert expand(text, {"A": "1", "E": ""}) == found


def test_instructions_follow_one_another() -> None:
    config = apply_changes({}, ["ENV A=1", "env B=$A", "WORKDIR /x", "WORKDIR y", "EXPOSE 80-81/UDP", "CMD a b"])
    assert config == {
        "Env": ["A=1", "B=1"],
        "WorkingDir": "/x/y",
        "ExposedPorts": {"80/udp": {}, "81/udp": {}},
        "Cmd": ["/bin/sh", "-c", "a b"],
    }


def test_an_entrypoint_takes_away_a_command_that_was_there_before() -> None:
    assert apply_changes({"Cmd": ["x"]}, ["ENTRYPOINT e"])["Cmd"] is None
    assert apply_changes({"Cmd": ["x"]}, ['CMD ["y"]', "ENTRYPOINT e"])["Cmd"] == ["y"]


@pytest.mark.parametrize("change", ['VOLUME [""]', "HEALTHCHECK --retries=x CMD a", "EXPOSE 5-1", "", "RUN x", "USER"])
def test_what_is_wrong_is_refused(change: str) -> None:
    with pytest.raises(InvalidParameter):
        apply_changes({}, [change])
