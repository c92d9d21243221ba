"""hyperbox bench: many processes at a time are all run, never more than asked for, and a failure is told."""

from __future__ import annotations

from pathlib import Path

from hyperbox.cli.bench import measure_many


def test_many_runs_are_counted_and_bounded(tmp_path: Path) -> None:
    script = (
        'mkdir -p "$0"; : >"$0/run.$$"; ls "$0" | grep -c ^run >>"$0/seen"; sleep 0.02; mv "$0/run.$$" "$0/done.$$"'
    )
    run = measure_many(["sh", "-c", script, str(tmp_path)], 3, 9)
    assert run.code == 0
    assert run.seconds > 0
    assert len(list(tmp_path.glob("done.*"))) == 9
    assert max(int(line) for line in (tmp_path / "seen").read_text().split()) <= 3


def test_a_failure_among_many_is_told() -> None:
    assert measure_many(["sh", "-c", "exit 3"], 2, 4).code == 3
