"""Targets and groups, and how several definitions of a target become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hyperbox.bake.entries import AnyEntry, Entry, last_of_each_type, without_duplicates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# kinds of fields: text, flag, texts, pairs (name -> text), and the entries
TEXT, FLAG, TEXTS, PAIRS, ENTRIES = "text", "flag", "texts", "pairs", "entries"


class Field(NamedTuple):
    """A field of a target: its kind, and whether a later definition adds to it (else it takes its place)."""

    kind: str
    adds: bool = False


# in the order in which --print shows them
FIELDS: dict[str, Field] = {
    "description": Field(TEXT),
    "inherits": Field(TEXTS, adds=True),
    "annotations": Field(TEXTS, adds=True),
    "attest": Field(ENTRIES, adds=True),
    "context": Field(TEXT),
    "contexts": Field(PAIRS, adds=True),
    "dockerfile": Field(TEXT),
    "dockerfile-inline": Field(TEXT),
    "args": Field(PAIRS, adds=True),
    "labels": Field(PAIRS, adds=True),
    "tags": Field(TEXTS),
    "cache-from": Field(ENTRIES, adds=True),
    "cache-to": Field(ENTRIES),
    "target": Field(TEXT),
    "secret": Field(ENTRIES, adds=True),
    "ssh": Field(ENTRIES, adds=True),
    "platforms": Field(TEXTS),
    "output": Field(ENTRIES),
    "pull": Field(FLAG),
    "no-cache": Field(FLAG),
    "network": Field(TEXT),
    "no-cache-filter": Field(TEXTS, adds=True),
    "shm-size": Field(TEXT),
    "ulimits": Field(TEXTS, adds=True),
    "call": Field(TEXT),
    "entitlements": Field(TEXTS, adds=True),
    "extra-hosts": Field(PAIRS, adds=True),
}
_ESCAPED = ("annotations", "dockerfile-inline", "labels", "args", "extra-hosts")


class Target:
    """A target: the fields that are set. `linked`: only other targets build on it."""

    __slots__ = ("linked", "name", "values")

    def __init__(self, name: str, values: dict[str, object] | None = None) -> None:
        self.name = name
        self.values: dict[str, object] = dict(values or {})
        self.linked = False

    def text(self, field: str) -> str | None:
        value = self.values.get(field)
        return value if isinstance(value, str) else None

    def flag(self, field: str) -> bool:
        return self.values.get(field) is True

    def texts(self, field: str) -> tuple[str, ...]:
        value = self.values.get(field)
        return tuple(str(each) for each in value) if isinstance(value, tuple | list) else ()

    def pairs(self, field: str) -> dict[str, str]:
        value = self.values.get(field)
        return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else {}

    def entries(self, field: str) -> tuple[AnyEntry, ...]:
        value = self.values.get(field)
        return tuple(value) if isinstance(value, tuple | list) else ()

    def merge(self, later: Target) -> None:
        """Take over what a later definition says."""
        for name, value in later.values.items():
            if value is None or (name == "description" and not value):
                continue
            self.values[name] = _merged(name, self.values.get(name), value)

    def normalize(self) -> None:
        """Leave out what is there twice or empty."""
        for name, field in FIELDS.items():
            value = self.values.get(name)
            if field.kind == TEXTS and name != "inherits" and value is not None:
                self.values[name] = tuple(dict.fromkeys(each for each in self.texts(name) if each))
            elif field.kind == ENTRIES and value is not None:
                self.values[name] = tidy(name, self.entries(name))
        if self.text("network") == "host" and "network.host" not in self.texts("entitlements"):
            self.values["entitlements"] = (*self.texts("entitlements"), "network.host")
        contexts = {name: each for name, each in self.pairs("contexts").items() if each}
        if "contexts" in self.values:
            self.values["contexts"] = contexts or None


def tidy(name: str, entries: Sequence[AnyEntry]) -> tuple[AnyEntry, ...]:
    return last_of_each_type(entries) if name == "attest" else without_duplicates(entries)


def _merged(name: str, before: object, value: object) -> object:
    field = FIELDS[name]
    if not field.adds or before is None:
        return dict(value) if isinstance(value, dict) else value
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **{key: each for key, each in value.items() if each is not None}}
    if isinstance(before, tuple | list) and isinstance(value, tuple | list):
        together = (*before, *value)
        return tidy(name, together) if field.kind == ENTRIES else together
    return value


class Group:
    """A group of targets and groups. `unset`: nothing says what is in it."""

    __slots__ = ("description", "name", "targets", "unset")

    def __init__(self, name: str, targets: Sequence[str] = (), description: str = "", *, unset: bool = False) -> None:
        self.name = name
        self.targets = list(targets)
        self.unset = unset
        self.description = description


def group_json(group: Group) -> dict[str, object]:
    shown: dict[str, object] = {"description": group.description} if group.description else {}
    return {**shown, "targets": None if group.unset and not group.targets else list(group.targets)}


def target_json(target: Target) -> dict[str, object]:
    """Return a target as --print shows it: the fields that say something, what a bake file would read as a template escaped."""
    shown: dict[str, object] = {}
    for name, field in FIELDS.items():
        value = target.values.get(name)
        made = _SHOWN[field.kind](target, name)
        if made or (value is not None and field.kind in (TEXT, FLAG) and name != "description"):
            shown[name] = _escaped(made) if name in _ESCAPED else made
    return shown


_SHOWN: dict[str, Callable[[Target, str], object]] = {
    TEXT: lambda target, name: target.text(name),
    FLAG: lambda target, name: target.flag(name),
    TEXTS: lambda target, name: list(target.texts(name)),
    PAIRS: lambda target, name: dict(sorted(target.pairs(name).items())),
    ENTRIES: lambda target, name: [entry.as_json() for entry in target.entries(name)],
}


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return {name: _escaped(each) for name, each in value.items()} if isinstance(value, dict) else value


def outputs_of(target: Target) -> list[Entry]:
    return [entry for entry in target.entries("output") if isinstance(entry, Entry)]
