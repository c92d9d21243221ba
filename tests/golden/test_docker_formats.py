"""Lists, inspects and templates print what the real docker prints for the same objects (golden/docker/formats).

The objects come through a fake engine; the recorded output from the real docker over the same objects
(tests/compat/record_formats.py).
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
from pathlib import Path

import pytest
from stub_engine import objects  # type: ignore[import-not-found]

from hyperbox.__main__ import run
from hyperbox.cli import connect
from hyperbox.engine.state import Roots
from hyperbox.errors import NotFound

ROOT = Path(__file__).resolve().parents[2]

CASES = json.loads((ROOT / "golden/docker/formats/cases.json").read_text())
Json = dict[str, object]


class FixedEngine:
    """An engine made of the fixed objects."""

    def __init__(self, ahead: object = None) -> None:
        self.held = objects()
        self.roots = Roots("/nonexistent/data", "/nonexistent/run", "none")  # without a build cache

    def _find(self, kind: str, name: str, known: tuple[str, ...], message: str) -> object:
        if name not in known:
            raise NotFound(message)
        return self.held[kind]

    def container_list(
        self, *, all: bool = False, limit: int = -1, size: bool = False, filters: object = None
    ) -> object:
        return self.held["containers"]

    def image_list(
        self, *, all: bool = False, filters: object = None, digests: bool = False, containers: bool = False
    ) -> object:
        return self.held["images"]

    def container_inspect(self, reference: str, *, size: bool = False) -> object:
        return self._find("container", reference, ("c1",), f"No such container: {reference}")

    def image_inspect(self, reference: str, *, platform: str = "") -> object:
        return self._find("image", reference, ("busybox",), f"No such image: {reference}:latest")

    def network_inspect(self, reference: str, *, verbose: bool = False) -> object:
        return self._find("network", reference, ("bridge",), f"network {reference} not found")

    def volume_inspect(self, name: str) -> object:
        return self._find("volume", name, ("vol",), f"get {name}: no such volume")

    def container_stats(self, reference: str) -> object:
        return self.held["stats"]

    def container_top(self, reference: str, ps_args: str = "-ef") -> object:
        return self.held["top"]

    def disk_usage(self) -> object:
        return self.held["disk_usage"]

    def version(self) -> object:
        return self.held["version"]

    def info(self) -> object:
        return self.held["info"]


TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC")
POINTER = re.compile(r"0x[0-9a-f]{6,}")


def normal(text: str) -> str:
    """Return `text` without what differs from run to run: times that are relative to now, addresses of pointers."""
    return POINTER.sub("POINTER", TIME.sub("TIME", text))


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["command"])[:90].replace("\n", " "))
def test_docker_prints_the_same(
    case: Json, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # what is 5 seconds old stays so on a busy machine
    monkeypatch.setattr(connect, "native_engine", lambda _ahead: FixedEngine())
    monkeypatch.setattr("hyperbox.cli.container_stats.SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HYPERBOX_DATA", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    command = case["command"]
    assert isinstance(command, list)
    code = run(["docker", *command])
    printed = capsys.readouterr()
    expected = (normal(str(case["stdout"])), normal(str(case["stderr"])), case["code"])
    assert (normal(printed.out), normal(printed.err), code) == expected
