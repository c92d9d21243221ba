"""Timestamps of RFC 3339."""

from __future__ import annotations

import pytest

from hyperbox.go.times import short_timestamp, timestamp, timestamp_nanoseconds, timestamp_seconds


def test_timestamps_are_read_with_zones_and_fractions() -> None:
    assert timestamp_seconds("1970-01-01T00:00:00Z") == 0
    assert timestamp_seconds("2026-11-24T03:52:02.5Z") == 1795492322.5
    assert timestamp_seconds("2026-11-24T04:52:02+01:00") == 1795492322
    assert timestamp_seconds("2024-02-29T12:00:00Z") == 1709208000
    assert timestamp_seconds("2025-11-24T03:13:00.123456789Z") == pytest.approx(1763953980.123456)
    assert timestamp_seconds("0001-01-01T00:00:00Z") == -62135596800


def test_nanoseconds_are_kept() -> None:
    assert timestamp_nanoseconds("2025-11-24T04:13:00.123456789+01:00") == 1763953980123456789
    assert timestamp_nanoseconds("2025-11-24T03:13:00Z") == 1763953980 * 10**9


@pytest.mark.parametrize("text", ["", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00Z", "today"])
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        timestamp_seconds(text)


def test_times_are_written_with_nine_digits_or_with_those_that_count() -> None:
    nanoseconds = 1763953980120000000
    assert timestamp(nanoseconds) == "2025-11-24T03:13:00.120000000Z"
    assert short_timestamp(nanoseconds) == "2025-11-24T03:13:00.12Z"
    assert short_timestamp(1763953980 * 10**9) == "2025-11-24T03:13:00Z"
    assert timestamp_nanoseconds(timestamp(nanoseconds)) == nanoseconds
