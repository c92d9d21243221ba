"""Whatever a Dockerfile holds, the frontend answers with instructions or with an error in docker's words, never with a fault."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbox.build.checks import problems
from hyperbox.build.dockerfile import INSTRUCTIONS, Dockerfile, parse
from hyperbox.build.ignore import IgnoreRules, read_patterns
from hyperbox.build.instructions import FLAGS, read
from hyperbox.errors import HyperBoxError
from hyperbox.image.dockerfile_words import expand, expand_for_display, expand_text, expand_to_words

PIECES = st.sampled_from(
    [
        *(
            "\\",
            "\\\n",
            "`",
            "\n",
            "\r\n",
            "\t",
            " ",
            "  ",
            "#",
            "# escape=`\n",
            "# check=skip=all\n",
            '"',
            "'",
            "[",
            "]",
            "{",
            "\x00",
            "\x1b",
            "\ufeff",
            "é",
        ),
        *(
            "<<EOF",
            "<<-'E'",
            "EOF\n",
            "E\n",
            '["a", "b"]',
            '["a"',
            "[1]",
            "$",
            "${",
            "}",
            "${X",
            "${X:-",
            "${X#",
            "${X//a/b}",
            "$X",
            "=",
            "a=b",
            ",",
        ),
        *(
            ":",
            "/",
            "--",
            "a",
            "as",
            "AS x",
            "scratch",
            "CMD",
            "NONE",
            "type=cache,target=/x",
            "type=secret",
            "--mount=",
            "--from=",
            "--chown=",
        ),
        *("0", "99999999999", "1h", "80/tcp"),
    ]
)
WORDS = st.one_of(
    PIECES,
    st.sampled_from(INSTRUCTIONS),
    st.sampled_from(sorted({f"--{flag}" for flags in FLAGS.values() for flag in flags})),
    st.text(max_size=6),
)
LINES = st.builds(
    lambda name, words: name + " " + "".join(words),
    st.sampled_from([*INSTRUCTIONS, *map(str.lower, INSTRUCTIONS)]),
    st.lists(WORDS, max_size=8),
)
FILES = st.builds(
    lambda first, lines: "\n".join([first, *lines]),
    st.sampled_from(["FROM scratch", "", "ARG A=1"]),
    st.lists(LINES, max_size=6),
)


def check_words(error: HyperBoxError) -> None:
    """An error says something."""
    assert error.message


def judged(data: bytes) -> Dockerfile | None:
    """Parse, read and check a Dockerfile; only errors of ours may come out."""
    try:
        dockerfile = parse(data)
        problems(dockerfile, {"A": "1"}, everything=True)
        for instruction in dockerfile.instructions:
            read(instruction, dockerfile)
    except HyperBoxError as error:
        check_words(error)
        return None
    return dockerfile


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_lines_of_instructions(text: str) -> None:
    dockerfile = judged(text.encode("utf-8", "surrogatepass"))
    if dockerfile is not None:
        lines = len(dockerfile.lines)
        assert all(1 <= one.first <= one.last <= lines for one in dockerfile.instructions)


@given(st.lists(WORDS, max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_words(words: list[str]) -> None:
    judged("".join(words).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes(data: bytes) -> None:
    judged(data)
    judged(b"FROM scratch\nRUN " + data)


@given(st.lists(WORDS, max_size=12), st.sampled_from(["\\", "`"]))
@settings(max_examples=150, deadline=None)
def test_any_word_to_expand(words: list[str], escape: str) -> None:
    text = "".join(words)
    for function in (expand, expand_to_words, expand_text, expand_for_display):
        try:
            function(text, {"X": "value", "A": ""}, escape=escape)
        except HyperBoxError as error:
            check_words(error)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["*", "**", "!", "/", "[", "]", "a", ".", "..", "?", "\\", "\n", "#", "-", "^"]),
            st.text(max_size=3),
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_ignore_file(parts: list[str]) -> None:
    try:
        rules = IgnoreRules(read_patterns("".join(parts)))
    except HyperBoxError as error:
        check_words(error)
        return
    for path in ("a", "a/b", "a/b/c.d", ".x", "-"):
        assert rules.excluded(path) in (True, False)
