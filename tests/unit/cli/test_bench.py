"""hyperbox bench: many processes at a time are all run, never more than asked for, and a failure is told."""

from __future__ import annotations

from pathlib import Path

from hyperbox.cli.bench import Bench, Large, Program, measure_many, wanted_cases
from hyperbox.cli.bench_cases import Case


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


def test_cases_that_share_a_setup_make_it_once_and_take_it_away_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = {"setup": ("sh -c 'echo setup {name} >>LOG'",), "teardown": ("sh -c 'echo teardown >>LOG'",)}
    given = {key: tuple(word.replace("LOG", str(log)) for word in value) for key, value in words.items()}
    runner = Bench([Program("one", ("true",)), Program("two", ("true",))], "image", 1, Large(str(tmp_path), ""))
    for number in range(3):
        case = Case(f"case{number}", "what", "{cli}", None, **given, runs=1, shared="group")
        row = runner.case(case, 0.0, lasts=number < 2)
        assert [len(times) for times in row.times.values()] == [1, 1]
    assert log.read_text().split("\n")[:-1] == ["setup bench-group"] * 2 + ["teardown"] * 2


def test_what_could_not_be_made_is_told_for_every_case_that_needs_it(tmp_path: Path) -> None:
    runner = Bench([Program("one", ("true",))], "image", 1, Large(str(tmp_path), ""))
    for lasts in (True, False):
        case = Case("case", "what", "{cli}", None, setup=("sh -c 'echo why >&2; exit 1'",), runs=1, shared="group")
        assert runner.case(case, 0.0, lasts=lasts).missing == {"one": "why"}


def test_memory_alone_is_no_case() -> None:
    assert wanted_cases(("memory",), (0.0,)) == []


def test_a_group_is_chosen_by_its_name_and_only_its_last_case_ends_it() -> None:
    chosen = wanted_cases(("scale", "exec"), (0.0, 0.02))
    scale = [lasts for case, _, lasts in chosen if case.shared == "scale"]
    assert scale == [True] * (len(scale) - 1) + [False]
    assert [pause for case, pause, _ in chosen if case.name == "exec"] == [0.0, 0.02]


def test_an_interrupt_takes_away_what_was_made_and_keeps_what_was_measured(tmp_path: Path) -> None:
    class Interrupted(Bench):
        def once(self, case, program, folder, number, times, peaks, missing):  # type: ignore[no-untyped-def]
            super().once(case, program, folder, number, times, peaks, missing)
            if number:
                raise KeyboardInterrupt

    runner = Interrupted([Program("one", ("true",)), Program("two", ("true",))], "i", 3, Large(str(tmp_path), ""))
    case = Case("case", "what", "{cli}", None, teardown=(f"touch {tmp_path}/gone",), runs=3, shared="group")
    row = runner.case(case, 0.0, lasts=True)
    assert [len(times) for times in row.times.values()] == [1, 0]
    assert row.missing == {"two": "interrupted"}
    assert runner.interrupted
    assert (tmp_path / "gone").exists()
