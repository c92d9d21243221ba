"""The entries of a target that have a form of their own: attestations, caches, outputs, secrets, agents."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace

from hyperbox.bake.errors import BakeError
from hyperbox.go import text as go_text
from hyperbox.go.text import FALSE, TRUE, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_bool(text: str) -> bool:
    """Return what Go's strconv.ParseBool makes of a text. Raises BakeError with its words."""
    try:
        return go_text.parse_bool(text)
    except ValueError as error:
        raise BakeError(str(error)) from None


def fields_of(text: str) -> list[str]:
    """Return the fields of comma-separated values."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BakeError(f"parse error on line 1, column 1: {error}") from None
    return rows[0] if rows else [""]


def _pairs(text: str) -> list[tuple[str, str]]:
    found = []
    for field in fields_of(text):
        name, equals, value = field.partition("=")
        if not equals:
            raise BakeError(f"invalid value {field}")
        found.append((name.strip().lower(), value))
    return found


@dataclass(frozen=True)
class Entry:
    """An entry of a type with attributes; `dest` is an output's, `disabled` an attestation's."""

    type: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    dest: str = ""
    disabled: bool = False

    def as_json(self) -> dict[str, object]:
        shown: dict[str, object] = {**dict(self.attributes), "type": self.type}
        if self.dest:
            shown["dest"] = self.dest
        if self.disabled:
            shown["disabled"] = True
        return dict(sorted(shown.items()))

    def with_attribute(self, name: str, value: str) -> Entry:
        return replace(self, attributes=tuple(sorted({**dict(self.attributes), name: value}.items())))


@dataclass(frozen=True)
class Secret:
    id: str = ""
    src: str = ""
    env: str = ""

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in (("id", self.id), ("src", self.src), ("env", self.env)) if value}


@dataclass(frozen=True)
class Agent:
    id: str = ""
    paths: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        shown: dict[str, object] = {"id": self.id} if self.id else {}
        return {**shown, "paths": list(self.paths)} if self.paths else shown


AnyEntry = Entry | Secret | Agent


def _made(pairs: Sequence[tuple[str, str]], *apart: str) -> Entry:
    known = dict(pairs)
    rest = {name: value for name, value in known.items() if name not in ("type", *apart)}
    return Entry(known.get("type", ""), tuple(sorted(rest.items())))


def attestation(text: str) -> Entry:
    """Return the attestation that a text is. Raises BakeError."""
    pairs = _pairs(text)
    disabled = False
    for name, value in pairs:
        if name == "disabled":
            try:
                disabled = parse_bool(value)
            except BakeError as error:
                raise BakeError(f"invalid value {name}={value}: {error.message}") from None
    made = replace(_made(pairs, "disabled"), disabled=disabled)
    if not made.type:
        raise BakeError("attestation type not specified")
    return made


def attestation_of(fields: dict[str, str]) -> Entry:
    disabled = parse_bool(fields["disabled"]) if "disabled" in fields else False
    return replace(_made(list(fields.items()), "disabled"), disabled=disabled)


def cache(text: str) -> Entry:
    fields = fields_of(text)
    if len(fields) == 1 and "=" not in fields[0]:
        return Entry("registry", (("ref", fields[0]),))
    made = _made(_pairs(text))
    if not made.type:
        raise BakeError(f"type required form> {quote(text)}")
    return made


def cache_of(fields: dict[str, str]) -> Entry:
    made = _made(list(fields.items()))
    if not made.type:
        shown = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        raise BakeError(f"type required form> {quote(shown)}")
    return made


def output(text: str) -> Entry:
    fields = fields_of(text)
    if len(fields) == 1 and fields[0] == text and not text.startswith("type="):
        return Entry("tar" if text == "-" else "local", dest=text)
    return _checked_output(_pairs(text))


def output_of(fields: dict[str, str]) -> Entry:
    return _checked_output(list(fields.items()))


def _checked_output(pairs: Sequence[tuple[str, str]]) -> Entry:
    made = replace(_made(pairs, "dest"), dest=dict(pairs).get("dest", ""))
    if not made.type:
        raise BakeError("type is required for output")
    return made


def secret(text: str) -> Secret:
    values = {"id": "", "src": "", "env": ""}
    kind = ""
    for field in fields_of(text):
        name, equals, value = field.partition("=")
        name = name.lower()
        if not equals:
            raise BakeError(f"invalid field '{field}' must be a key=value pair")
        if name == "type":
            if value not in ("file", "env"):
                raise BakeError(f"unsupported secret type {quote(value)}")
            kind = value
        elif name in ("id", "src", "source", "env"):
            values["src" if name == "source" else name] = value
        else:
            raise BakeError(f"unexpected key '{name}' in '{field}'")
    if kind == "env" and not values["env"]:
        values["env"], values["src"] = values["src"], ""
    return Secret(**values)


def agent(text: str) -> Agent:
    name, equals, paths = text.partition("=")
    return Agent(name, tuple(paths.split(",")) if equals else ())


def canonical_attestation(kind: str, text: str) -> str:
    """Return the attestation that --provenance or --sbom asks for."""
    if text in TRUE or text in FALSE:
        return f"type={kind},disabled={'false' if text in TRUE else 'true'}"
    return f"type={kind},{text}"


def without_duplicates(entries: Sequence[AnyEntry]) -> tuple[AnyEntry, ...]:
    """Return entries without those that are there twice, in the order in which buildx leaves them."""
    kept = list(entries)
    for place in range(len(kept) - 2, -1, -1):
        for later in range(place + 1, len(kept)):
            if kept[place] == kept[later]:
                kept[later] = kept[-1]
                kept.pop()
                break
    return tuple(kept)


def last_of_each_type(entries: Sequence[AnyEntry]) -> tuple[AnyEntry, ...]:
    """Return attestations, of each type the last one, where the first one was."""
    found: dict[str, AnyEntry] = {}
    for entry in entries:
        assert isinstance(entry, Entry)
        found[entry.type] = entry
    return tuple(found.values())
