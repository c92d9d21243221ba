"""The types of the generated tables' rows; imported by type checkers only."""

from __future__ import annotations

# name, short, type, default (None: a new list or map), notes: deprecated, hidden, same, normal, optional, why (see compat/source.py)
Flag = tuple[str, str, str, object, dict[str, str] | None]
# canonical path, fewest and most arguments (-1: any number), whose words, interspersed, status, why, flags
Command = tuple[str, int, int, str, bool, str, str, tuple[Flag, ...]]
