"""`compose config` answers each recorded case as docker compose did."""

from __future__ import annotations

import importlib.util
import io
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hyperbox.__main__ import run
from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions
from hyperbox.compose.render import project_to_yaml

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "compose"


def load_cases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compose_cases", GOLDEN / "cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compose_cases"] = module
    spec.loader.exec_module(module)
    return module


cases = load_cases()
ANSWERS = {topic: cases.read_answers(topic) for topic in cases.topics()}
ALL = [case for topic in cases.topics() for case in cases.read_cases(topic)]


class Stdin(io.StringIO):
    """Standard input that has bytes too."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data.decode("utf-8", "replace"))
        self.buffer = io.BytesIO(data)


def without_hints(text: str) -> str:
    """Return stderr without our own lines of advice, which docker compose does not have (file, line and column of bad YAML)."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("hint: "))


# topic -> the corners of docs/behaviours.md that its cases are about
BEHAVIOURS = {
    "environment": (72, 73, 74),
    "extends": (94,),
    "files": (71, 72, 76),
    "hash": (79,),
    "include": (94,),
    "interpolation": (75,),
    "merge": (94,),
    "profiles": (72, 92),
    "refusals": (76, 93),
    "samples": (83,),
    "services": (93,),
}
MARKED = [
    pytest.param(case, id=f"{case.topic}/{case.name}", marks=pytest.mark.behaviour(*BEHAVIOURS.get(case.topic, ())))
    for case in ALL
]


@pytest.mark.parametrize("case", MARKED)
def test_config_answers_as_docker_compose(
    case: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    folder = tmp_path / case.name  # type: ignore[attr-defined]
    folder.mkdir()
    cases.write_files(case, str(folder))
    recorded = ANSWERS[case.topic][case.name]  # type: ignore[attr-defined]
    for command, expected in zip(case.commands, recorded, strict=True):  # type: ignore[attr-defined]
        with monkeypatch.context() as patch:
            for name in list(__import__("os").environ):
                patch.delenv(name)
            for name, value in {
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                **command.environment,
            }.items():
                patch.setenv(name, value)
            patch.chdir(folder / command.folder)
            data = (folder / command.stdin).read_bytes() if command.stdin else b""
            patch.setattr(sys, "stdin", Stdin(data))
            code = run(["docker", "compose", *shlex.split(command.arguments)])
            sys.stdout.flush()
            sys.stderr.flush()
        captured = capfdbinary.readouterr()
        stdout = cases.normalized(captured.out.decode("utf-8", "surrogateescape"), str(folder), command.sort)
        told = without_hints(captured.err.decode("utf-8", "surrogateescape"))
        stderr = cases.normalized_errors(told, str(folder), command.sort)
        assert cases.format_answer(command, cases.Answer(stdout, stderr, code)) == cases.format_answer(
            command, expected
        )


# docker compose itself shows or refuses these otherwise when it is given what it showed, and we as it does
OTHERWISE = {
    "files/no-services/1",
    "hash/aspects/6",
    "include/short/1",
    "interpolation/keys/0",
    "merge/labels/0",
    "networks/top/0",
    "networks/no-default/1",
    "profiles/profile-optional-dependency/0",
    "secrets/all/1",
    "services/numbers/0",
    "services/models/2",
    "services/build-ssh/0",
    "services/extensions/0",
    "services/x-services/0",
    "services/x-in-list/0",
    "volumes/top/0",
    "yaml/keys/0",
}
SHOWN = [
    pytest.param(
        answer.stdout.replace("{dir}", "/nowhere/in").replace("{parent}", "/nowhere"),
        id=f"{case.topic}/{case.name}/{index}",
    )
    for case in ALL
    for index, (command, answer) in enumerate(zip(case.commands, ANSWERS[case.topic][case.name], strict=True))
    if f"{case.topic}/{case.name}/{index}" not in OTHERWISE
    and answer.code == 0
    and not command.sort
    and command.arguments.split()[-1:] == ["config"]
    and answer.stdout.startswith("name:")
]


@pytest.mark.parametrize("text", SHOWN)
def test_what_docker_compose_shows_is_shown_again_as_it_is(text: str) -> None:
    options = LoadOptions(
        files=("-",), project_directory="/nowhere/in", working_dir="/nowhere/in", stdin=text, profiles=("*",)
    )
    assert project_to_yaml(load(options)).replace("$", "$$") == text
