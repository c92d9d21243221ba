"""The variables that a document names, with their defaults: `compose config --variables`."""

from __future__ import annotations

import re
from typing import NamedTuple

from hyperbox.compose.interpolate import closing_brace

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-z][_a-z0-9]*)|\{(?:(?P<braced>[_a-z][_a-z0-9]*(?::?[-+?](.*))?)\}|))",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z0-9_]*")


class Variable(NamedTuple):
    """A variable: its default value, the value it has if it is set, and whether it must be set."""

    name: str
    default: str
    presence: str
    required: bool


def extract_variables(value: object) -> dict[str, Variable]:
    """Return the variables in the strings of a document, by name, sorted."""
    found: dict[str, Variable] = {}
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, str):
            for variable in _in_text(current):
                found[variable.name] = variable
        elif isinstance(current, dict):
            stack += reversed(current.values())
        elif isinstance(current, list):
            stack += reversed(current)
    return {name: found[name] for name in sorted(found)}


def _in_text(text: str) -> list[Variable]:
    found: list[Variable] = []
    if "$" not in text:
        return found
    for match in _VARIABLE.finditer(text):
        if match["escaped"]:
            continue
        expression = match["named"] or ""
        if not expression:
            whole = match.group()
            expression = match["braced"] or ""
            closing = closing_brace(whole, 0, len(whole)) if "}" in whole else -1
            if closing > 0:
                expression = whole[2:closing]
                found += _in_text(whole[closing + 1 :])
        found += _parse(expression)
    return found


def _parse(expression: str) -> list[Variable]:
    name_match = _NAME.match(expression)
    name = name_match.group() if name_match and name_match.group() else expression
    rest = expression[len(name) :]
    operator = rest[:2] if rest.startswith(":") else rest[:1]
    argument = rest[len(operator) :]
    default = argument if operator in (":-", "-") else ""
    presence = argument if operator in (":+", "+") else ""
    variables = [Variable(name, default, presence, operator in (":?", "?"))]
    return variables + _in_text(default) + _in_text(presence)
