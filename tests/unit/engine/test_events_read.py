import os
from pathlib import Path

import pytest

from hyperbox import files
from hyperbox.engine.events_read import position_before, read_events
from hyperbox.engine.state import Roots


def line(second: float) -> str:
    event = {
        "Type": "container",
        "Action": f"at-{second}",
        "Actor": {"ID": "a" * 64, "Attributes": {"name": "x"}},
        "scope": "local",
        "time": int(second),
        "timeNano": int(second * 1e9),
    }
    return files.dumps(event) + "\n"


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    (tmp_path / "events").write_text("".join(line(1000 + number) for number in range(5000)))
    (tmp_path / "events.1").write_text("".join(line(number) for number in range(900, 1000)))
    return Roots(str(tmp_path), str(tmp_path), "x")


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [(5990, 6001, 10), (5000, 6001, 1000), (1000, 6001, 5000), (950, 6001, 5050), (0, 999.5, 100), (6000, 6001, 0)],
)
def test_events_are_those_of_the_span_in_order(roots: Roots, since: float, until: float, count: int) -> None:
    found = [int(str(event["time"])) for event in read_events(roots, str(since), str(until), {})]
    assert len(found) == count
    assert found == sorted(found)
    assert all(since <= moment <= until for moment in found)


def test_who_asks_for_the_latest_reads_the_end_of_the_file_only(roots: Roots) -> None:
    descriptor = os.open(f"{roots.run}/events", os.O_RDONLY)
    size = os.fstat(descriptor).st_size
    assert size - position_before(descriptor, 5998) < 140_000
    assert position_before(descriptor, 0) == 0
    os.close(descriptor)


def test_lines_that_are_a_little_out_of_order_are_not_missed(tmp_path: Path) -> None:
    times = [1000.0 + number for number in range(3000)] + [3999.5, 3998.7, 3999.9]
    (tmp_path / "events").write_text("".join(map(line, times)))
    found = read_events(Roots(str(tmp_path), str(tmp_path), "x"), "3998.6", "4001", {})
    assert sorted(int(str(event["timeNano"])) / 1e9 for event in found) == [3998.7, 3999.0, 3999.5, 3999.9]
