"""Entries of an image's history, with the time that SOURCE_DATE_EPOCH gives them."""

from __future__ import annotations

from hyperbox.build.image_config import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.stages import Planner, Stage


def record(planner: Planner, stage: Stage, text: str, *, layer: bool = False) -> None:
    """Add to the stage's history."""
    created = timestamp(planner.epoch) if planner.epoch is not None else ""
    stage.draft.record(text, layer=layer, created=created)
