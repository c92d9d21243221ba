"""The manual pages render without a word of complaint, and there is one for each command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from compat.manual import manual_pages
from compat.source import PROGRAMS, read, records, words

ROOT = Path(__file__).resolve().parents[3]


def test_every_place_of_every_command_has_a_page() -> None:
    pages = manual_pages()
    for program in PROGRAMS:
        base = "docker" if program == "docker" else "docker-compose"
        for command in records(read(program)["commands"]):
            if not command.get("hidden"):
                for place in words(command["places"]):
                    assert f"man/man1/{base}-{place.replace(' ', '-')}.1" in pages


def test_no_page_is_left_over() -> None:
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "man").rglob("*.1")} == set(manual_pages())


def test_groff_has_no_warning_for_any_page() -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    pages = sorted(path for path in (ROOT / "man" / "man1").glob("*.1") if not path.read_text().startswith(".so "))
    finished = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", *map(str, pages)],
        capture_output=True,
        text=True,
        cwd=ROOT / "man",
        check=True,
    )
    assert finished.stderr == ""


def test_man_shows_a_page() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    finished = subprocess.run(
        ["man", "--warnings", "-l", str(ROOT / "man" / "man1" / "docker-container-run.1")],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFOPT": "-ww"},
        check=True,
    )
    assert finished.stderr == ""
    assert "--cap-add list" in finished.stdout
