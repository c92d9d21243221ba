"""Type checking for the platforms on which another engine serves: mypy-portable.ini says what may be Linux's alone, and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_mypy_finds_nothing_on(platform: str) -> None:
    pytest.importorskip("mypy")
    options = ["--config-file", "mypy-portable.ini", "--cache-dir", f".mypy_cache/{platform}", "--platform", platform]
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
