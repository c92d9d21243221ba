"""`docker stats`: what is shown of containers that run, do not run, or are gone."""

from __future__ import annotations

from hyperbox.cli.container_stats import COLUMNS, Usage, listing

IDENTIFIER = "ab" * 32


def shown(usage: Usage) -> list[str]:
    return [str(listing(short=True).methods[column](usage)) for column in COLUMNS]


def test_a_container_that_does_not_run_uses_nothing() -> None:
    sample = {"id": IDENTIFIER, "name": "/one", "cpu_stats": {}, "memory_stats": {}, "pids_stats": {}}
    figures = shown(Usage("one", IDENTIFIER, "one", None, sample))
    assert figures == ["abababababab", "one", "0.00%", "0B / 0B", "0.00%", "0B / 0B", "0B / 0B", "0"]


def test_of_a_removed_container_nothing_is_known() -> None:
    figures = shown(Usage("one", IDENTIFIER, "", None, None))
    assert figures == ["abababababab", "--", "--", "-- / --", "--", "--", "--", "--"]
