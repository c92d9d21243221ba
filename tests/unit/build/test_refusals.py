"""A Dockerfile that docker refuses is refused with docker's words and line: the recorded answers to one questionable line each."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from hyperbox.build.checks import problems
from hyperbox.build.dockerfile import DockerfileError, parse

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "build"
sys.path.insert(0, str(GOLDEN))
cases = importlib.import_module("cases")
ANSWERS = cases.read_answers("lines")
CASES = cases.read_cases("lines")
# what is refused only while a stage is solved (tests/system/test_build_golden.py looks at some of these)
LATER = (
    "invalid containerPort", "invalid port", "invalid signal", "invalid checksum", "unsupported digest algorithm", "invalid chmod parameter",
    "invalid syntax", "invalid mount target", "failed to parse platform", "empty platform value", "nosuchstage:",
)  # fmt: skip
# a line -> why HyperBox differs
DIFFERENT = {"RUN --device=x true": "devices are refused with a sentence of our own"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_line_is_refused_as_docker_refuses_it(case: Any) -> None:
    content = case.files[0].content
    line = content.split("\n")[2]
    lines = ANSWERS[case.name][0]
    refusal = next((text.removeprefix("! ERROR: ") for text in lines if text.startswith("! ERROR: ")), "")
    if refusal.startswith(LATER) or any("failed to do request" in text for text in lines):
        pytest.skip("refused while the stage is solved")
    try:
        error = problems(parse(content.encode()), {}, everything=True)[1]
    except DockerfileError as found:
        error = found
    if line in DIFFERENT:
        assert error is not None
        return
    assert (error.message if error else "") == refusal, line
    assert error is None or error.line == 3
