"""Write the plans of all cases anew, to be read before they are committed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from plans import FOLDER, plan_of, read_cases, topics  # noqa: E402

for topic in topics():
    cases = [case._replace(plan=plan_of(case)) for case in read_cases(topic)]
    (FOLDER / f"{topic}.plans").write_text("".join(case.text() for case in cases))
    print(topic, len(cases))
