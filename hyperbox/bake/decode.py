"""From values of HCL to the fields of targets and groups, and back to values, by which definitions refer to each other."""

from __future__ import annotations

from collections.abc import Callable

from hyperbox.bake import entries
from hyperbox.bake.entries import Agent, AnyEntry, Entry, Secret
from hyperbox.bake.errors import BakeError
from hyperbox.bake.model import ENTRIES, FIELDS, FLAG, PAIRS, TEXT, TEXTS, Target
from hyperbox.hcl.convert import ConversionError, convert, mismatch
from hyperbox.hcl.types import BOOL, STRING, Type, list_of, map_of, object_of
from hyperbox.hcl.values import Value, boolean, list_value, map_value, null, object_value, string

_TYPES = {TEXT: STRING, FLAG: BOOL, TEXTS: list_of(STRING), PAIRS: map_of(STRING)}
_SECRET = object_of({"id": STRING, "src": STRING, "env": STRING}, frozenset({"id", "src", "env"}))
_AGENT = object_of({"id": STRING, "paths": list_of(STRING)}, frozenset({"id", "paths"}))
_ATTRIBUTES = map_of(STRING)
_NO_NULL = "null value is not allowed"
_UNKNOWN = "value must be known"
# fields whose pairs may be without a value
_NULLABLE = ("args", "labels", "extra-hosts")


class DecodeError(Exception):
    """A value that a field can't have."""


def decode(name: str, value: Value) -> object:
    """Return what a field of a target holds for a value. Raises DecodeError."""
    field = FIELDS[name]
    if field.kind == ENTRIES:
        return _decode_entries(name, value)
    try:
        converted = convert(value, _TYPES[field.kind])
    except ConversionError as error:
        raise DecodeError(str(error)) from None
    if not converted.known:
        raise DecodeError(_UNKNOWN)
    if converted.null:
        if name == "description":
            raise DecodeError(_NO_NULL)
        return None
    if field.kind == TEXTS:
        return tuple(_text(item) for item in converted.items)
    if field.kind == PAIRS:
        keeps_null = name in _NULLABLE
        return {key: None if each.null and keeps_null else _text(each) for key, each in converted.fields.items()}
    return converted.data


def _text(value: Value) -> str:
    if value.null:
        raise DecodeError(_NO_NULL)
    if not value.known:
        raise DecodeError(_UNKNOWN)
    return value.text


def texts(value: Value) -> tuple[str, ...] | None:
    """Return a list of texts, such as the targets of a group. Raises DecodeError."""
    found = decode("tags", value)
    return tuple(str(each) for each in found) if isinstance(found, tuple) else None


_PARSED: dict[str, tuple[Callable[[str], AnyEntry], Callable[[dict[str, str]], AnyEntry] | None, Type]] = {
    "attest": (entries.attestation, entries.attestation_of, _ATTRIBUTES),
    "cache-from": (entries.cache, entries.cache_of, _ATTRIBUTES),
    "cache-to": (entries.cache, entries.cache_of, _ATTRIBUTES),
    "output": (entries.output, entries.output_of, _ATTRIBUTES),
    "secret": (entries.secret, None, _SECRET),
    "ssh": (entries.agent, None, _AGENT),
}


def _decode_entries(name: str, value: Value) -> object:
    parse, make, want = _PARSED[name]
    if value.null:
        return None
    if value.type.kind not in ("tuple", "list"):
        raise DecodeError(mismatch(value.type, list_of(want)))
    if not value.known:
        raise DecodeError(_UNKNOWN)
    found: list[AnyEntry] = []
    for item in value.items:
        if not item.known or (item.type == STRING and not item.null and not item.text):
            continue
        if item.null:
            raise DecodeError(_NO_NULL)
        try:
            found.append(parse(item.text) if item.type == STRING else _entry(name, item, make, want))
        except (BakeError, ConversionError) as error:
            raise DecodeError(error.message if isinstance(error, BakeError) else str(error)) from None
    return tuple(found)


def _entry(name: str, item: Value, make: Callable[[dict[str, str]], AnyEntry] | None, want: Type) -> AnyEntry:
    fields = convert(item, want).fields
    known = {key: each for key, each in fields.items() if each.known and not each.null}
    if name == "secret":
        return Secret(**{key: each.text for key, each in known.items()})
    if name == "ssh":
        paths = known.get("paths")
        agent = known["id"].text if "id" in known else ""
        return Agent(agent, tuple(_text(each) for each in paths.items) if paths is not None else ())
    assert make is not None
    return make({key: _text(each) for key, each in fields.items() if each.known})


def target_value(target: Target) -> Value:
    """Return a target as the value that other definitions see under `target.NAME`."""
    fields = {"name": string(target.name)}
    for name, field in FIELDS.items():
        value = target.values.get(name)
        if field.kind == ENTRIES:
            fields[name] = _entries_value(name, target.entries(name))
        elif value is None:
            fields[name] = string("") if name == "description" else null(_TYPES[field.kind])
        elif field.kind == TEXTS:
            fields[name] = list_value([string(each) for each in target.texts(name)], STRING)
        elif isinstance(value, dict):
            pairs = {key: null(STRING) if each is None else string(each) for key, each in value.items()}
            fields[name] = map_value(pairs, STRING)
        else:
            fields[name] = boolean(target.flag(name)) if field.kind == FLAG else string(target.text(name) or "")
    return object_value(fields)


def _entries_value(name: str, found: tuple[AnyEntry, ...]) -> Value:
    inner = {"secret": object_of(dict(_SECRET.attributes)), "ssh": object_of(dict(_AGENT.attributes))}.get(
        name, _ATTRIBUTES
    )
    return list_value([_entry_value(entry, name) for entry in found], inner)


def _entry_value(entry: AnyEntry, name: str) -> Value:
    if isinstance(entry, Secret):
        return object_value({"id": string(entry.id), "src": string(entry.src), "env": string(entry.env)})
    if isinstance(entry, Agent):
        paths = list_value([string(path) for path in entry.paths], STRING)
        return object_value({"id": string(entry.id), "paths": paths})
    fields = {key: string(value) for key, value in entry.attributes}
    fields["type"] = string(entry.type)
    if name == "output":
        fields["dest"] = string(entry.dest)
    if entry.disabled:
        fields["disabled"] = string("true")
    return map_value(fields, STRING)


def group_value(name: str, description: str, targets: tuple[str, ...]) -> Value:
    return object_value(
        {
            "name": string(name),
            "description": string(description),
            "targets": list_value([string(each) for each in targets], STRING),
        }
    )


def entry_of_text(name: str, text: str) -> AnyEntry:
    """Return the entry that a text given with --set is. Raises BakeError."""
    return _PARSED[name][0](text)


__all__ = ["DecodeError", "Entry", "decode", "entry_of_text", "group_value", "target_value", "texts"]
