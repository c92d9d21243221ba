"""Whatever is typed, the parser answers with an Invocation or an error in docker's words, never with a fault."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.grammar import tables, tables_compose
from hyperbox.grammar.help import help_text
from hyperbox.grammar.parse import Invocation, parse

PLACES = [
    *tables.PLACES,
    *tables.GROUPS,
    *("compose " + place for place in (*tables_compose.PLACES, *tables_compose.GROUPS)),
]
FLAGS = sorted(
    {"--" + flag[0] for table in (tables, tables_compose) for row in table.COMMANDS.values() for flag in row[7]}
)
SHORTS = sorted(
    {
        "-" + flag[1]
        for table in (tables, tables_compose)
        for row in table.COMMANDS.values()
        for flag in row[7]
        if flag[1]
    }
)
VALUES = st.sampled_from(
    ["", "-", "--", "=", "x", "1", "-1", "true", "maybe", "a=b", "1h", "10m", "a,b", '"', "type=bind,dst=/x", "é\udc80"]
)
WORDS = st.one_of(
    VALUES,
    st.sampled_from(FLAGS),
    st.sampled_from(SHORTS),
    st.builds(lambda flag, value: f"{flag}={value}", st.sampled_from(FLAGS), VALUES),
    st.builds(lambda first, second: first + second[1:], st.sampled_from(SHORTS), st.sampled_from(SHORTS)),
    st.text(max_size=12),
)


def answer(argv: list[str]) -> Invocation | HyperBoxError:
    """What the parser makes of a command line; anything but an Invocation or one of our errors is a fault and goes up."""
    try:
        return parse(argv, [])
    except HyperBoxError as error:
        return error


@settings(max_examples=600, deadline=None)
@given(
    program=st.sampled_from(["docker", "docker-compose", "hyperbox"]),
    place=st.sampled_from(PLACES),
    words=st.lists(WORDS, max_size=6),
)
def test_any_command_line_gives_an_invocation_or_dockers_error(program: str, place: str, words: list[str]) -> None:
    found = answer([program, *place.split(), *words])
    if isinstance(found, Invocation):
        if found.path == "help":
            assert help_text(found.typed, 79, program, "/root/.docker").startswith("Usage:  docker")
        return
    assert found.message
    assert found.exit_code in ((1,) if isinstance(found, UnsupportedError) else (1, 125))


@given(words=st.lists(st.text(max_size=20), max_size=8))
def test_any_words_at_all_are_survived(words: list[str]) -> None:
    found = answer(["docker", *words])
    assert isinstance(found, Invocation) or found.exit_code in (1, 125)
