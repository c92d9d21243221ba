"""Flags of `compose up` that are refused."""

from __future__ import annotations

import sys

import pytest

from hyperbox.cli.compose_up import check_menu
from hyperbox.errors import UnsupportedError
from hyperbox.grammar.parse import parse


@pytest.mark.parametrize("terminal", [True, False])
def test_the_menu_is_refused_where_docker_compose_would_show_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    check_menu(parse(["docker", "compose", "up"]))
    check_menu(parse(["docker", "compose", "up", "--menu=false"]))
    asked = parse(["docker", "compose", "up", "--menu"])
    if terminal:
        with pytest.raises(UnsupportedError, match="--menu"):
            check_menu(asked)
    else:
        check_menu(asked)
