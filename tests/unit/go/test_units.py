"""Sizes and lengths of time in words, as docker shows and takes them; the refusals are what `docker run --memory` says."""

from __future__ import annotations

import re

import pytest

from hyperbox.go.units import bytes_size, human_duration, human_size, parse_bytes


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1984528, "1.98MB"), (52_000_000, "52MB"), (999_999, "1e+03kB")],
)
def test_sizes_have_three_digits_and_powers_of_a_thousand(size: int, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (1023, "1023B"), (8_200_000_000, "7.637GiB")])
def test_memory_has_four_digits_and_powers_of_1024(size: int, text: str) -> None:
    assert bytes_size(size) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12b", 12),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("2GiB", 2 << 30),
        ("64 kB", 64 << 10),
        ("1e3", 1000),
        ("1e30", -(2**63)),
    ],
)
def test_a_size_is_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid size: ''"),
        ("m", "invalid size: 'm'"),
        ("-5m", "invalid size: '-5m'"),
        ("1XB", "invalid suffix: 'xb'"),
        ("1QQQQ", "invalid suffix: 'QQQQ'"),
        ("1bb", "invalid suffix: 'bb'"),
        ("1..5m", 'strconv.ParseFloat: parsing "1..5": invalid syntax'),
        ("1e500", 'strconv.ParseFloat: parsing "1e500": value out of range'),
    ],
)
def test_what_is_no_size_is_told_in_dockers_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "Less than a second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (200, "3 minutes"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (61 * 86400, "2 months"),
        (100 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_lengths_of_time_are_words(seconds: float, words: str) -> None:
    assert human_duration(seconds) == words
