"""Validation against the compose specification's schema."""

from __future__ import annotations

from hyperbox.compose.model import Json


def validate(document: Json, name: str) -> None:
    """Raise ComposeError "validating FILE: PATH …"."""
