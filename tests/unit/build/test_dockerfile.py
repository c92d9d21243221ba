"""hyperbox.build.dockerfile: from text to instructions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbox.build.dockerfile import DockerfileError, parse
from hyperbox.build.instructions import Copy, From, Run, read
from hyperbox.errors import HyperBoxError


def names(text: str) -> list[str]:
    return [instruction.name for instruction in parse(text.encode()).instructions]


def test_comments_and_empty_lines_are_left_out() -> None:
    assert names("\n# one\nFROM a\n\n  # two\nRUN x\n") == ["FROM", "RUN"]


def test_continued_lines_are_joined_and_comments_between_left_out() -> None:
    instruction = parse(b"FROM a\nRUN one \\\n# no\n\n  two \\\n three\n").instructions[1]
    assert instruction.rest == "one   two  three"
    assert (instruction.first, instruction.last) == (2, 6)


def test_the_escape_directive_changes_continuation() -> None:
    assert parse(b"# escape=`\nFROM a\nRUN c:\\ `\n x\n").instructions[1].rest == "c:\\  x"


def test_a_directive_below_a_comment_is_a_comment() -> None:
    assert parse(b"# hello\n# escape=`\nFROM a\n").escape == "\\"


def test_a_directive_given_twice_is_refused() -> None:
    with pytest.raises(DockerfileError, match="only one escape parser directive can be used"):
        parse(b"# escape=`\n# escape=`\nFROM a\n")


def test_an_unknown_instruction_is_named_with_its_line() -> None:
    with pytest.raises(
        DockerfileError, match=r"parse error on line 2: unknown instruction: RUM \(did you mean RUN\?\)"
    ):
        parse(b"FROM a\nRUM x\n")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(DockerfileError, match="file with no instructions"):
        parse(b"# nothing\n")


def test_here_documents_keep_their_lines() -> None:
    dockerfile = parse(b"FROM a\nCOPY <<one <<-'two' /x/\n1 $V\none\n\t2\n\ttwo\nRUN <<E\na\nb\nE\n")
    copy = read(dockerfile.instructions[1], dockerfile)
    assert isinstance(copy, Copy)
    assert [(document.name, document.text, document.expand) for document in copy.heredocs] == [
        ("one", "1 $V\n", True),
        ("two", "2\n", False),
    ]
    assert (copy.sources, copy.destination) == ((), "/x/")
    run = read(dockerfile.instructions[2], dockerfile)
    assert isinstance(run, Run)
    assert run.heredocs[0].text == "a\nb\n"


def test_an_unterminated_here_document_is_refused() -> None:
    with pytest.raises(DockerfileError, match="unterminated heredoc"):
        parse(b"FROM a\nRUN <<E\nx\n")


def test_from_takes_a_platform_and_a_name() -> None:
    dockerfile = parse(b"FROM --platform=linux/amd64 a:1 AS Build\n")
    assert read(dockerfile.instructions[0], dockerfile) == From("a:1", "linux/amd64", "build")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("FROM a b", "FROM requires either one or three arguments"),
        ("FROM a AS 1x", "invalid name for build stage"),
        ("COPY a", "COPY requires at least two arguments"),
        ("RUN --mount=type=x y", "unsupported mount type"),
        ("RUN --bogus=1 y", "unknown flag: --bogus"),
        ("RUN --network=x y", 'invalid network mode "x"'),
        ("RUN --security=insecure y", "not supported"),
        ("COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"),
        ("COPY --chown=1 --chown=2 a b", "duplicate flag specified: --chown"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "can't find = in"),
        ("HEALTHCHECK X", "Unknown type"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("SHELL sh", "SHELL requires the arguments to be in JSON form"),
        ("USER", "USER requires exactly one argument"),
    ],
)
def test_a_bad_instruction_is_refused_with_its_line(line: str, reason: str) -> None:
    dockerfile = parse(f"FROM a\n{line}\n".encode())
    with pytest.raises(DockerfileError) as caught:
        read(dockerfile.instructions[1], dockerfile)
    assert reason in caught.value.message
    assert caught.value.line == 2


@given(st.text(max_size=400))
def test_no_text_raises_anything_but_our_error(text: str) -> None:
    try:
        dockerfile = parse(text.encode("utf-8", "surrogatepass"))
        for instruction in dockerfile.instructions:
            read(instruction, dockerfile)
    except HyperBoxError:
        pass


@given(
    st.lists(
        st.sampled_from(
            [
                "FROM",
                "RUN",
                "COPY",
                "ENV",
                "--mount=",
                "<<E",
                "E",
                "\n",
                " ",
                "\\\n",
                '["',
                '"]',
                "a",
                "=",
                "$",
                "{",
                "}",
                "'",
                "HEALTHCHECK",
            ]
        ),
        max_size=40,
    )
)
def test_no_mixture_of_syntax_raises_anything_but_our_error(parts: list[str]) -> None:
    try:
        dockerfile = parse("".join(parts).encode())
        for instruction in dockerfile.instructions:
            read(instruction, dockerfile)
    except HyperBoxError:
        pass


def test_what_the_last_pattern_excludes_stays_out_with_all_below_it() -> None:
    from hyperbox.build.ignore import IgnoreRules, read_patterns

    rules = IgnoreRules(read_patterns("*\n!d/**/*.go\nd/skip\n"))
    assert [rules.excluded(path) for path in ("d/a.go", "d/e/b.go", "d/skip", "d/skip/c.go", "other")] == [
        False,
        False,
        True,
        True,
        True,
    ]
