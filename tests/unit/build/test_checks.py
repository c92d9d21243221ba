"""Build checks find what BuildKit's find: the recorded answers to --check, rule by rule."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

import pytest

from hyperbox.build.checks import problems, settings_of
from hyperbox.build.dockerfile import DockerfileError, parse

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "build"
sys.path.insert(0, str(GOLDEN))
cases = importlib.import_module("cases")
ANSWERS = cases.read_answers("checks")
CASES = [
    (case, index, command)
    for case in cases.read_cases("checks")
    for index, command in enumerate(one for one in case.commands if not one.shell)
    if "--check" in command.arguments
]


def recorded(lines: list[str]) -> list[tuple[str, str, str]]:
    """Return (rule, message, FILE:LINE) of each warning in an answer."""
    found = []
    for index, line in enumerate(lines):
        if line.startswith("| WARNING: "):
            found.append((line.split()[2], lines[index + 1][2:], lines[index + 2][2:]))
    return found


@pytest.mark.parametrize(("case", "index", "command"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_the_findings_are_docker_s(case: object, index: int, command: object) -> None:
    words = command.arguments.split()  # type: ignore[attr-defined]
    arguments = dict(word.partition("=")[::2] for name, word in itertools.pairwise(words) if name == "--build-arg")
    target = words[words.index("--target") + 1] if "--target" in words else ""
    content = next(file.content for file in case.files if file.path == "Dockerfile")  # type: ignore[attr-defined]
    found, _ = problems(parse(content.encode()), arguments, target=target, everything=True)
    ours = [
        (problem.rule, problem.message, f"Dockerfile:{problem.first}")
        for problem in sorted(found, key=lambda one: one.first)
    ]
    assert ours == recorded(ANSWERS[case.name][index])  # type: ignore[attr-defined]


def test_urls_have_the_rule_in_small_words() -> None:
    found, _ = problems(parse(b"FROM x\nCMD a"), {})
    assert found[0].url == "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"
    assert found[0].detail


def test_an_unknown_option_of_the_directive_is_an_error() -> None:
    assert settings_of("skip=A, b;error=true") == (frozenset({"a", "b"}), True)
    with pytest.raises(DockerfileError, match="invalid check option"):
        settings_of("nosuch=1")
