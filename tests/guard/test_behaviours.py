"""Every corner that scripts rely on (docs/behaviours.md) has a test, by the marker `behaviour`.

Run as a program it prints which tests have which number.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALL = range(1, 95)
# those without a test yet: to be taken out as tests are marked, never to be added to
UNMARKED: frozenset[int] = frozenset()
REPORT = "HYPERBOX_BEHAVIOURS"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write NUMBER TEST for each marker; pytest calls this where the module is its plugin."""
    with open(os.environ[REPORT], "w") as report:
        for item in session.items:
            for marker in item.iter_markers("behaviour"):
                report.writelines(f"{number} {item.nodeid}\n" for number in marker.args)


def marked(report: Path) -> dict[int, list[str]]:
    """Return the tests that are marked with each number."""
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if "behaviour(" in path.read_text()]
    own = Path(__file__).resolve()
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.guard.test_behaviours", "-o", "addopts="]
        + [str(path) for path in tests if path != own],
        cwd=ROOT,
        env={**os.environ, REPORT: str(report)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found: dict[int, list[str]] = {}
    for line in report.read_text().splitlines():
        number, _, test = line.partition(" ")
        found.setdefault(int(number), []).append(test)
    return found


def facts() -> set[int]:
    """Return the numbers that docs/behaviours.md describes."""
    text = (ROOT / "docs/behaviours.md").read_text()
    return {int(number) for number in re.findall(r"(?m)^(\d+)\. \S", text)}


def test_every_behaviour_has_a_test_and_a_line_that_says_what_it_is(tmp_path: Path) -> None:
    found = set(marked(tmp_path / "report"))
    assert not found - set(ALL), "no such number"
    assert not set(ALL) - UNMARKED - found, "no test is marked with these"
    assert not found & UNMARKED, "these have a test now: take them out of UNMARKED"
    assert not found - facts(), "docs/behaviours.md does not say what these are"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for number, tests in sorted(marked(Path(folder) / "report").items()):
            print(number, *sorted(set(tests)), sep="\n    ")
