"""Pulls side by side: how many at once, what is shown, and what a failure does to the others."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hyperbox.cli import compose_pulls
from hyperbox.cli.compose_pulls import Wanted, pull_all
from hyperbox.errors import ComposeError, EngineError
from hyperbox.grammar.parse import parse
from hyperbox.plan.execute import StepEvent


class Shown:
    """Takes for a progress."""

    mode = "plain"

    def __init__(self) -> None:
        self.events: list[StepEvent] = []

    def event(self, event: StepEvent) -> None:
        self.events.append(event)

    def flush(self) -> None:
        pass


def pull(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    wanted: list[Wanted],
    *words: str,
    tolerant: bool = False,
) -> tuple[Shown, dict[str, str], int]:
    """Pull with a pretended engine; returns what was shown, the ids, and how many were under way at once."""

    def pretend(found: object, service: str, image: str, platform: str, progress: Shown, *, failed: str) -> str:
        progress.event(StepEvent(service, "", "working", "Pulling"))
        mark = folder / f"{service}.{os.getpid()}"
        mark.touch()
        (folder / f"count.{service}").write_text(str(len(list(folder.glob("*.[0-9]*")))))
        if image == "lost":
            time.sleep(0.1)
            mark.unlink()
            progress.event(StepEvent(service, "not found", failed.lower(), failed))
            raise EngineError("not found")
        time.sleep(60 if image.startswith("slow") else 0.2)
        mark.unlink()
        progress.event(StepEvent(service, "", "done", "Pulled"))
        return f"sha256:{image}"

    monkeypatch.setattr(compose_pulls, "pull_image", pretend)
    shown = Shown()
    found = SimpleNamespace(invocation=parse(["docker", "compose", *words, "pull"]))
    try:
        ids = pull_all(found, wanted, shown, tolerant=tolerant)  # type: ignore[arg-type]
    except (ComposeError, EngineError) as error:
        ids = {"error": error.message}
    return shown, ids, max(int(path.read_text()) for path in folder.glob("count.*"))


def test_images_are_pulled_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COMPOSE_PARALLEL_LIMIT", raising=False)
    wanted = [Wanted(name, name.upper()) for name in "abc"]
    shown, ids, together = pull(monkeypatch, tmp_path, wanted)
    assert ids == {"A": "sha256:A", "B": "sha256:B", "C": "sha256:C"}
    assert together == 3
    assert sorted((event.name, event.text) for event in shown.events) == [
        (name, word) for name in "abc" for word in ("Pulled", "Pulling")
    ]


@pytest.mark.parametrize("way", ["variable", "flag"])
def test_the_limit_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    words = ["--parallel", "2"] if way == "flag" else []
    if way == "variable":
        monkeypatch.setenv("COMPOSE_PARALLEL_LIMIT", "2")
    _, ids, together = pull(monkeypatch, tmp_path, [Wanted(name, name.upper()) for name in "abcd"], *words)
    assert len(ids) == 4
    assert together == 2


def test_many_are_bounded_without_a_limit_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COMPOSE_PARALLEL_LIMIT", raising=False)
    _, ids, together = pull(monkeypatch, tmp_path, [Wanted(f"s{n}", f"i{n}") for n in range(20)])
    assert len(ids) == 20
    assert together <= compose_pulls.AT_ONCE


def test_a_failure_interrupts_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = [Wanted("slow", "slow"), Wanted("lost", "lost"), Wanted("late", "slow2")]
    begun = time.monotonic()
    shown, ids, _ = pull(monkeypatch, tmp_path, wanted, "--parallel", "2")
    assert ids == {"error": "not found"}
    assert time.monotonic() - begun < 30
    assert StepEvent("slow", "Interrupted", "warning") in shown.events
    assert StepEvent("late", "Interrupted", "warning") in shown.events
    assert StepEvent("lost", "not found", "error", "Error") in shown.events


def test_what_may_fail_leaves_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = [Wanted("one", "one", sharing=("same",)), Wanted("lost", "lost", optional=True)]
    shown, ids, _ = pull(monkeypatch, tmp_path, wanted)
    assert ids == {"one": "sha256:one"}
    assert StepEvent("lost", "not found", "warning", "Warning") in shown.events
    assert [event.text for event in shown.events if event.name == "same"] == ["Pulling", "Pulled"]
    shown, ids, _ = pull(monkeypatch, tmp_path, [Wanted("one", "one"), Wanted("lost", "lost")], tolerant=True)
    assert ids == {"one": "sha256:one"}
