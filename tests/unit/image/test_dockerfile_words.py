"""hyperbox.image.dockerfile_words: quotes, escapes and variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbox.image.dockerfile_words import WordError, expand, expand_text, expand_to_words, split_words

VALUES = {"A": "abc", "E": "", "P": "/usr/local/bin", "N": "1 2"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "abc"),
        ("${A}x", "abcx"),
        ("$Ax", ""),
        ("'$A'", "$A"),
        ('"$A b"', "abc b"),
        (r"\$A", "$A"),
        (r'"\$A\n"', r"$A\n"),
        ("${X:-d}", "d"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${A:+r}", "r"),
        ("${E:+r}", ""),
        ("${E+r}", "r"),
        ("${X:-${A}}", "abc"),
        ("${P#*/}", "usr/local/bin"),
        ("${P##*/}", "bin"),
        ("${P%/*}", "/usr/local"),
        ("${P%%/*}", ""),
        ("${A/b/X}", "aXc"),
        ("${P//\\//-}", "-usr-local-bin"),
        ("a$", "a$"),
    ],
)
def test_a_word_is_expanded(text: str, value: str) -> None:
    assert expand(text, VALUES) == value


@pytest.mark.parametrize("text", ["${A", "'a", '"a', "${}", "${A:x}", "${X:?gone}", "${X?}"])
def test_a_bad_word_is_refused(text: str) -> None:
    with pytest.raises(WordError):
        expand(text, VALUES)


def test_words_split_outside_of_quotes_only() -> None:
    assert expand_to_words("a \"b c\" $N 'd' ''", VALUES) == ["a", "b c", "1 2", "d", ""]


def test_a_here_document_keeps_its_quotes() -> None:
    assert expand_text("\"$A\" 'x' \\$A\n", VALUES) == "\"abc\" 'x' $A\n"


def test_used_names_are_told() -> None:
    used: set[str] = set()
    expand("$A ${X:-$E}", VALUES, used=used)
    assert used == {"A", "X", "E"}


@given(st.text(alphabet="ab$\\{}:-+?#%/'\" X", max_size=60))
def test_nothing_raises_anything_but_our_error(text: str) -> None:
    try:
        expand_to_words(text, VALUES)
    except WordError:
        pass


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
    assert list(split_words(text)) == found
