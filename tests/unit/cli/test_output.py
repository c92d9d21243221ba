"""cli/output.py: tables, JSON, human sizes and times."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1984528, "1.98MB"), (52_000_000, "52MB"), (999_999, "1e+03kB")],
)
def test_sizes_have_three_digits_and_powers_of_a_thousand(size: int, text: str) -> None:
    assert output.human_size(size) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (1023, "1023B"), (8_200_000_000, "7.637GiB")])
def test_memory_has_four_digits_and_powers_of_1024(size: int, text: str) -> None:
    assert output.bytes_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (200, "3 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (86400 * 2, "2 days"),
        (86400 * 20, "2 weeks"),
        (86400 * 100, "3 months"),
        (86400 * 800, "2 years"),
    ],
)
def test_durations_are_words(seconds: float, text: str) -> None:
    assert output.human_duration(seconds) == text


def test_times_with_fractions_and_offsets_are_read() -> None:
    assert output.parse_time("2025-11-24T03:13:00.123456789Z") == pytest.approx(1763953980.123456)
    assert output.parse_time("2025-11-24T04:13:00+01:00") == 1763953980
    assert output.parse_time("0001-01-01T00:00:00Z") == -62135596800


def test_long_words_are_cut_with_an_ellipsis() -> None:
    assert output.truncate("docker-entrypoint.sh redis", 20) == "docker-entrypoint.s…"
    assert output.short_id("sha256:0123456789abcdef") == "0123456789ab"
