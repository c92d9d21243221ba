"""The errors of bake files."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.positions import Range


class BakeError(HyperBoxError):
    """A definition that is wrong, in the words of docker's buildx. `place`: the lines of a file that are shown before the message."""

    def __init__(self, message: str, place: Range | None = None) -> None:
        super().__init__(message)
        self.place = place


class File(NamedTuple):
    """A file of definitions: its name as it was given, and what is in it."""

    name: str
    data: bytes
