"""Quotes, booleans and the words of strconv, as Go's documentation and docker's messages have them."""

from __future__ import annotations

import pytest

from hyperbox.go.text import html_escaped, invalid_syntax, out_of_range, parse_bool, quote, separators_escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ("plain words", '"plain words"'),
        ('a "b" \\c', r'"a \"b\" \\c"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\0\x1b\x7f", r'"\x00\x1b\x7f"'),
        ("ü ☺ 🙂", '"ü ☺ 🙂"'),
        ("\xa0\u2028\ufeff", r'"\u00a0\u2028\ufeff"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("half \udcff of it", r'"half \xff of it"'),
    ],
)
def test_a_text_is_quoted_as_go_does(text: str, shown: str) -> None:
    assert quote(text) == shown


def test_booleans_are_those_of_strconv() -> None:
    assert [parse_bool(word) for word in ("1", "t", "T", "TRUE", "true", "True")] == [True] * 6
    assert [parse_bool(word) for word in ("0", "f", "F", "FALSE", "false", "False")] == [False] * 6
    with pytest.raises(ValueError, match=r'^strconv\.ParseBool: parsing "yes": invalid syntax$'):
        parse_bool("yes")


def test_numbers_that_are_none_are_told_in_quotes() -> None:
    assert invalid_syntax("Atoi", 'a"b') == r'strconv.Atoi: parsing "a\"b": invalid syntax'
    assert out_of_range("ParseUint", "65536") == 'strconv.ParseUint: parsing "65536": value out of range'


def test_json_has_what_html_and_javascript_would_take_for_themselves_as_escapes() -> None:
    assert html_escaped('"<a href=x>&\u2028\u2029ü"') == r'"\u003ca href=x\u003e\u0026\u2028\u2029ü"'
    assert separators_escaped('"<&>\u2028"') == r'"<&>\u2028"'
