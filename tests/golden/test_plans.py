"""What is wanted and what is there lead to the recorded plans (golden/plan)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "golden" / "plan"))

import plans  # type: ignore[import-not-found]

CASES = [case for topic in plans.topics() for case in plans.read_cases(topic)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_plan_is_as_recorded(case: object) -> None:
    assert plans.plan_of(case) == case.plan  # type: ignore[attr-defined]


def test_there_are_enough_plans_and_each_has_its_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) >= 60
    assert len(set(names)) == len(names)
