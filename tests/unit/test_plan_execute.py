"""Steps of a plan that another command has taken already: no errors."""

from __future__ import annotations

import pytest

from hyperbox.errors import Conflict, InvalidParameter
from hyperbox.plan import execute


class Renamed:
    """An engine whose container has a name that can't be given again."""

    def __init__(self, name: str) -> None:
        self.name = name

    def container_rename(self, container_id: str, name: str) -> None:
        raise InvalidParameter("Renaming a container with the same name as its current name")

    def container_inspect(self, container_id: str) -> dict[str, object]:
        return {"Name": self.name}


def test_a_container_that_another_command_has_renamed_is_as_it_should_be() -> None:
    execute.rename(Renamed("/shop-web-1"), "c0ffee", "shop-web-1")  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter):
        execute.rename(Renamed("/c0ffee_shop-web-1"), "c0ffee", "shop-web-1")  # type: ignore[arg-type]


def test_a_container_that_another_command_removes_is_gone() -> None:
    def refuse() -> None:
        raise Conflict("removal of container c0ffee is already in progress")

    execute.unless_taken(refuse)
