"""Each verb in the table is a command of the grammar and has its function."""

from __future__ import annotations

import importlib
import inspect

import pytest

from hyperbox.cli.dispatch import VERBS
from hyperbox.grammar import tables, tables_compose

OWN = ("help", "--version", "__complete")
ANSWERED = ("native", "absent")
NATIVE = {path for path, command in tables.COMMANDS.items() if command[5] in ANSWERED} | {
    "compose " + path for path, command in tables_compose.COMMANDS.items() if command[5] == "native"
}


@pytest.mark.parametrize("path", sorted(VERBS))
def test_a_verb_is_a_native_command_with_a_function_of_one_argument(path: str) -> None:
    assert path in NATIVE or path in OWN or path.startswith("hyperbox ")
    module, _, name = VERBS[path].partition(":")
    function = getattr(importlib.import_module(f"hyperbox.cli.{module}"), name)
    assert len(inspect.signature(function).parameters) == 1


def test_every_native_command_has_a_verb() -> None:
    assert sorted(NATIVE - set(VERBS)) == []
