"""Generated files are what the sources give, and the sources are written one way."""

from __future__ import annotations

import pytest

from compat import generate, source


def test_generated_files_are_up_to_date() -> None:
    assert generate.outdated() == []


@pytest.mark.parametrize("program", source.PROGRAMS)
def test_sources_are_formatted(program: str) -> None:
    assert (source.HERE / f"{program}.json").read_text() == source.format_document(source.read(program))


@pytest.mark.parametrize("program", source.PROGRAMS)
def test_every_command_and_flag_has_a_help_line_and_every_refused_one_a_reason(program: str) -> None:
    document = source.read(program)
    for command in source.records(document["commands"]):
        assert command["help"], command["path"]
        assert (command["status"] in ("refused", "absent")) == ("why" in command), command["path"]
        for flag in source.records(command["flags"]):
            assert flag.get("help"), (command["path"], flag["name"])
