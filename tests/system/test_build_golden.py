"""Every recorded build is built by HyperBox too: same files, configuration, history, steps, cache hits, and words of refusals."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import command_under_test

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "build"


def load(name: str) -> ModuleType:
    if str(GOLDEN) not in sys.path:
        sys.path.insert(0, str(GOLDEN))
    return importlib.import_module(name)


cases = load("cases")
running = load("run")
TOPICS = [topic for topic in cases.topics() if topic != "lines"]  # tests/unit/build/test_refusals.py has those

AT_ONCE = 4

# TOPIC/CASE -> why HyperBox differs there
DIFFERENT: dict[str, str] = {
    "add/tar": "HyperBox unpacks .tar.xz itself; the recorded docker had no program xz and left the archive as it was",
    "copy/dir-over-file": "docker's words name a folder of its own store",
    "copy/parents": "docker 28's own frontend has no --parents yet; HyperBox has it (tests/system/test_build.py)",
    "cache/no-cache-filter": "which of two stages gives their base's step its name is docker's chance",
    "refusals/bad-cache": "the recorded docker has no cache to export to; HyperBox names the unknown kind",
    "refusals/image-missing": "HyperBox's own words for a registry that does not answer",
    "run/security-insecure": "refused with a sentence of our own",
    "ignore/exceptions": "docker makes an empty file of one that a later pattern excludes; HyperBox leaves it out",
}


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory, image_folder: Path) -> Iterator[tuple[Any, Any]]:
    folder = tmp_path_factory.mktemp("golden")
    command = running.Docker(command_under_test())
    base = running.import_base(command, str(image_folder / "busybox.tar"), str(folder))
    yield command, base
    for image in [running.BASE, *command.seen]:
        command(["image", "rm", "-f", image])


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_built_as_docker_builds_it(topic: str, docker: tuple[Any, Any], tmp_path: Path) -> None:
    command, base = docker
    answers = cases.read_answers(topic)
    wrong: dict[str, list[str]] = {}
    chosen = [case for case in cases.read_cases(topic) if f"{topic}/{case.name}" not in DIFFERENT]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = pool.map(lambda case: running.run_case(command, base, case, str(tmp_path / case.name)), chosen)
        for case, got in zip(chosen, runs, strict=True):
            for (line, lines), expected in zip(got, answers[case.name], strict=True):
                if lines != expected:
                    wrong.setdefault(case.name, []).append(difference(line, expected, lines))
    assert not wrong, "\n".join(f"=== {name}\n" + "\n".join(parts) for name, parts in wrong.items())


def difference(line: str, expected: list[str], lines: list[str]) -> str:
    """Return the lines that docker had (-) and HyperBox had (+)."""
    import difflib

    changed = [
        row for row in difflib.unified_diff(expected, lines, lineterm="", n=0) if row[:2] not in ("--", "++", "@@")
    ]
    return "\n".join([f"$ {line}", *changed])
