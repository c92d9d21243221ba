"""Damaged copies of a compose file: one line dropped, a value of another kind, a key twice, an unknown key, a bad number."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

_KEY = re.compile(r"^(\s*(?:- )?)([\w.-]+):(.*)$")
_ITEM = re.compile(r"^(\s*)- (.+)$")
VALUES = (
    "17",
    "-3",
    "1.5",
    "true",
    "null",
    "~",
    "''",
    "[]",
    "{}",
    "[a, b]",
    "{a: b}",
    "[1, 2]",
    "{a: 1}",
    "[{a: b}]",
    "text",
    "'12x'",
    "99999999999999999999",
    "10s",
    "1m30",
    "64mb",
    "1.5gb",
    "70000:80",
    "80:70000",
    "a:b:c:d",
    "${UNSET}",
    "${UNSET:-fallback}",
    "${UNSET:?needed}",
    "${broken",
    "$$literal",
    "2001-01-01",
    "0o17",
    "017",
    "0x1F",
    "yes",
    "!!str 5",
    "!reset null",
    "!override []",
)
UNKNOWN = (
    "unknown: 1",
    "imagee: x",
    "Image: x",
    "x-own: {a: [1]}",
    "restart: sometimes",
    "privileged: 'yes'",
    "cpus: many",
)


def mutations(text: str, count: int, chance: random.Random) -> Iterator[str]:
    """Yield `count` texts, each with one place of `text` changed."""
    lines = text.splitlines()
    places = [index for index, line in enumerate(lines) if _KEY.match(line) or _ITEM.match(line)]
    if not places:
        return
    ways: tuple[Callable[[list[str], int, random.Random], list[str]], ...] = (
        _dropped,
        _other_value,
        _other_value,
        _other_value,
        _twice,
        _unknown,
        _list_of_map,
        _indented,
        _renamed,
    )
    for _ in range(count):
        place = chance.choice(places)
        yield "\n".join(chance.choice(ways)(lines, place, chance)) + "\n"


def block_end(lines: list[str], place: int) -> int:
    """Return the index behind the block that begins at a line: the lines indented more."""
    indent = len(lines[place]) - len(lines[place].lstrip())
    end = place + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return end


def _dropped(lines: list[str], place: int, chance: random.Random) -> list[str]:
    return lines[:place] + lines[block_end(lines, place) if chance.random() < 0.7 else place + 1 :]


def _other_value(lines: list[str], place: int, chance: random.Random) -> list[str]:
    value = chance.choice(VALUES)
    match = _KEY.match(lines[place])
    head = f"{match[1]}{match[2]}: " if match else re.sub(r"- .*", "- ", lines[place])
    return [*lines[:place], head + value, *lines[block_end(lines, place) :]]


def _twice(lines: list[str], place: int, chance: random.Random) -> list[str]:
    end = block_end(lines, place)
    return lines[:end] + lines[place:end] + lines[end:]


def _unknown(lines: list[str], place: int, chance: random.Random) -> list[str]:
    indent = re.match(r"\s*", lines[place])
    return [*lines[:place], (indent[0] if indent else "") + chance.choice(UNKNOWN), *lines[place:]]


def _list_of_map(lines: list[str], place: int, chance: random.Random) -> list[str]:
    match = _ITEM.match(lines[place])
    if match:
        return [*lines[:place], f"{match[1]}k{place}: {match[2]}", *lines[place + 1 :]]
    key = _KEY.match(lines[place])
    return [*lines[:place], f"{key[1]}- {key[2]}={key[3].strip()}" if key else "", *lines[place + 1 :]]


def _indented(lines: list[str], place: int, chance: random.Random) -> list[str]:
    return [*lines[:place], chance.choice(("  ", " ", "\t")) + lines[place], *lines[place + 1 :]]


def _renamed(lines: list[str], place: int, chance: random.Random) -> list[str]:
    return [*lines[:place], re.sub(r"(\w+):", r"\1s:", lines[place], count=1), *lines[place + 1 :]]
