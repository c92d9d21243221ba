"""Tables of rules keyed by path patterns, compiled for walking a document.

A pattern is keys joined by dots; "*" matches any key or list position. A compiled table is nested levels, so that a walk leaves a subtree
for which no rule exists at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

Rule = TypeVar("Rule")


class Rules(Generic[Rule]):
    """One level of a compiled table: the rule for the node itself (or None), and the levels below it."""

    __slots__ = ("every", "named", "rule")

    def __init__(self) -> None:
        self.rule: Rule | None = None
        self.named: dict[str, Rules[Rule]] = {}
        self.every: Rules[Rule] | None = None

    def below(self, key: str) -> Rules[Rule] | None:
        """Return the level for `key`, or None where no rule can apply below it."""
        return self.named.get(key) or self.every


def compile_rules(table: Mapping[str, Rule]) -> Rules[Rule]:
    """Compile a table of pattern -> rule. A level holds either named keys or "*", never both."""
    root: Rules[Rule] = Rules()
    for pattern, rule in table.items():
        level = root
        for part in pattern.split("."):
            if part == "*":
                level.every = level.every or Rules()
                level = level.every
            else:
                level = level.named.setdefault(part, Rules())
        level.rule = rule
    return root


def clone(value: object) -> object:
    """Return a deep copy of plain data."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def join(path: str, key: str) -> str:
    """Return the path of `key` below `path`, as errors show it."""
    return f"{path}.{key}" if path else key
