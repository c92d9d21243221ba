"""cli/output.py: tables, JSON, human sizes and times."""

from __future__ import annotations

from hyperbox.cli import output


def test_a_table_pads_columns_to_ten_and_three_more_than_the_longest_cell() -> None:
    rows = [["ID", "NAME", "PORTS"], ["0123456789ab", "x", ""]]
    assert output.table(rows) == "ID             NAME      PORTS\n0123456789ab   x         \n"


def test_a_column_ends_where_a_line_has_no_such_cell() -> None:
    assert output.tabulate("a\tb\n\nlonger than ten\tb\n") == "a         b\n\nlonger than ten   b\n"


def test_html_characters_are_escaped_in_go_json() -> None:
    assert output.go_json({"a": "<&>", "b": [1, None, True]}) == '{"a":"\\u003c\\u0026\\u003e","b":[1,null,true]}'


def test_inspect_json_has_empty_lists_on_one_line() -> None:
    assert output.indented_json([{"a": [], "b": {}, "c": [1]}]) == (
        '[\n    {\n        "a": [],\n        "b": {},\n        "c": [\n            1\n        ]\n    }\n]'
    )


def test_long_words_are_cut_with_an_ellipsis() -> None:
    assert output.truncate("docker-entrypoint.sh redis", 20) == "docker-entrypoint.s…"
    assert output.short_id("sha256:0123456789abcdef") == "0123456789ab"
