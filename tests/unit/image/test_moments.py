import re

import pytest

from hyperbox.image.moments import to_moment


def test_users_give_timestamps_seconds_and_durations() -> None:
    assert to_moment("1795492322", 0) == 1795492322
    assert to_moment("1h30m", 10000) == 10000 - 5400
    assert to_moment("0s", 7) == 7
    assert to_moment("2026-11-24T03:52:02Z", 0) == 1795492322


@pytest.mark.parametrize(
    "text", ["2026-11-24T1", "2026-11-24Z", "20261124", "2026-11-24T10Z", "2026-11-24T10:00-07:00"]
)
def test_parts_of_a_timestamp_may_be_left_out(text: str) -> None:
    to_moment(text, 0)


# what `docker logs --since` says
WRONG = """\
--1 | parsing time "--1" as "2006-01-02": cannot parse "--1" as "2006"
12- | parsing time "12-" as "2006-01-02": cannot parse "12-" as "2006"
2026-11 | parsing time "2026-11" as "2006-01-02": cannot parse "" as "-"
2026-02-30 | parsing time "2026-02-30": day out of range
2026-11-24T25:00 | parsing time "2026-11-24T25:00": hour out of range
2026-11-24T10:61 | parsing time "2026-11-24T10:61": minute out of range
2026-11-24T10:00:00.x | parsing time "2026-11-24T10:00:00.x": extra text: ".x"
2026-11-24T10:00:00Zx | parsing time "2026-11-24T10:00:00Zx": extra text: "x"
2026-11-24T10:00:00+1:00 | parsing time "2026-11-24T10:00:00+1:00" as "2006-01-02T15:04:05Z07:00": cannot parse "+1:00" as "Z07:00"
2026-11-24x | parsing time "2026-11-24x": extra text: "x"
2026-11-24T10:00:00+25:00 | parsing time "2026-11-24T10:00:00+25:00": time zone offset hour out of range
2026-1-02 | parsing time "2026-1-02" as "2006-01-02": cannot parse "1-02" as "01"
2026-11-24 10:00 | parsing time "2026-11-24 10:00": extra text: " 10:00"
1.x | failed to parse value as time or duration: "1.x"
.5 | failed to parse value as time or duration: ".5"
5. | failed to parse value as time or duration: "5."
1e3 | failed to parse value as time or duration: "1e3"
T | failed to parse value as time or duration: "T"
"""


@pytest.mark.parametrize("line", WRONG.splitlines())
def test_a_wrong_timestamp_is_told_in_gos_words(line: str) -> None:
    text, _, words = line.partition(" | ")
    with pytest.raises(ValueError, match=re.escape(words)):
        to_moment(text, 0)


@pytest.mark.parametrize("text", ["bogus", "1x"])
def test_anything_else_is_refused_in_dockers_words(text: str) -> None:
    with pytest.raises(ValueError, match="failed to parse value as time or duration"):
        to_moment(text, 0)
