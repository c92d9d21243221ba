"""Bake files: what --print and --list say of them, word for word as docker's buildx said it (tests/compat/bake_cases.py)."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import bake_cases
import pytest
from bake_cases import CASES, GOLDEN, Case

from hyperbox.cli.bake import bake
from hyperbox.cli.complete import complete
from hyperbox.errors import HyperBoxError
from hyperbox.grammar.parse import Invocation, parse

ANSWERS = {answer["name"]: answer for answer in json.loads(GOLDEN.read_text())}


class Input(io.StringIO):
    """Standard input with bytes below it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.buffer = io.BytesIO(text.encode())


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Run a command; what it says and its exit code."""
    code = 0
    message = ""
    try:
        invocation = parse(["docker", "buildx", "bake", *words])
        assert isinstance(invocation, Invocation)
        code = bake(invocation)
    except HyperBoxError as error:
        code, message = error.exit_code, error.message + "\n"
    said = capsys.readouterr()
    return {"stdout": said.out, "stderr": bake_cases.steady(said.err + message), "code": code}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_bake_file_means_what_it_means_to_docker(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in case.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "COMPOSE_", "BUILD", "SSH_"))]:
        monkeypatch.delenv(name)
    for name, text in case.environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("sys.stdin", Input(case.stdin))
    answer = ANSWERS[case.name]
    assert run(list(case.words), capsys) == {key: answer[key] for key in ("stdout", "stderr", "code")}


MANY = 'target "app" {}\ntarget "all" {\n  matrix = {v = ["1", "2"]}\n  name = "a-${v}"\n}\ngroup "default" {targets = ["app"]}\n'


@pytest.mark.parametrize(
    ("text", "typed", "expected"),
    [
        (MANY, "", ["default", "all", "app", "a-1", "a-2", ":4"]),
        (MANY, "a-", ["a-1", "a-2", ":4"]),
        ('target "app {', "", [":1"]),
        ("", "", [":4"]),
    ],
    ids=["all", "begun", "broken", "none"],
)
def test_groups_and_targets_are_completed_as_docker_completes_them(
    text: str,
    typed: str,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if text:
        (tmp_path / "docker-bake.hcl").write_text(text)
    monkeypatch.chdir(tmp_path)
    invocation = parse(["docker", "__complete", "buildx", "bake", typed])
    assert isinstance(invocation, Invocation)
    assert complete(invocation) == 0
    assert capsys.readouterr().out.split() == expected
