"""`--help` has docker's usage line, spellings and flags, with their types and defaults, around our own words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.record_help import listed
from hyperbox.grammar.help import flag_lines, help_text, wrap

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "docker" / "parse" / "help.json"
PAGES: list[dict[str, object]] = json.loads(GOLDEN.read_text())
# these are buildx's pages in the recorded docker; ours are docker's own with the flags of both
BUILDX = {"build", "builder", "builder build", "builder prune", "image build"}
# cobra's own boilerplate
COMPLETION = "completion"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page["place"]) or "docker")
def test_a_page_lists_what_dockers_lists(page: dict[str, object]) -> None:
    place = str(page["place"])
    if place in BUILDX or place.startswith(COMPLETION):
        pytest.skip("worded by a plugin or a library of docker's")
    ours = listed(help_text(place, 79, "docker", "/root/.docker"))
    assert ours == {key: value for key, value in page.items() if key != "place"}


def test_the_second_column_is_wrapped_as_pflag_wraps_it() -> None:
    rows = [
        ("all", "a", "bool", "", "Show stopped containers as well"),
        ("format", "", "string", "", "How to print: 'table', 'json', 'table TEMPLATE' or a Go TEMPLATE"),
        ("last", "n", "int", "-1", "Show the n containers made last, stopped ones too"),
    ]
    assert flag_lines(rows, 79) == (
        "  -a, --all             Show stopped containers as well\n"
        "      --format string   How to print: 'table', 'json', 'table TEMPLATE'\n"
        "                        or a Go TEMPLATE\n"
        "  -n, --last int        Show the n containers made last, stopped ones too\n"
        "                        (default -1)\n"
    )


def test_a_narrow_terminal_gets_the_text_on_lines_of_its_own() -> None:
    assert wrap("one two three four five six", 40, 60).startswith("\n" + " " * 16)


def test_the_name_hyperbox_lists_our_own_commands_too() -> None:
    assert "HyperBox Commands:" in help_text("", 79, "hyperbox", "/root/.docker")
    assert "HyperBox Commands:" not in help_text("", 79, "docker", "/root/.docker")
