"""From a document in long forms to the canonical parts of a project, by the tables in `fields`.

Absent, null and zero values are left out (where a zero means something of its own it stays); attributes come in the order of the tables.
"""

from __future__ import annotations

from collections.abc import Callable

from hyperbox.compose import go
from hyperbox.compose.fields import Field, Struct
from hyperbox.compose.interpolate import to_boolean
from hyperbox.compose.kinds import DecodeError
from hyperbox.compose.model import EXTENSIONS
from hyperbox.errors import ComposeError

Json = dict[str, object]

# levels whose keys are the user's, so that "x-…" is a name there
_USER_KEYS = frozenset({("services",), ("volumes",), ("networks",), ("secrets",), ("configs",)})


def decode(document: Json, struct: Struct, warn: Callable[[str], None]) -> Json:
    """Return the canonical form of `document`. Raises ComposeError that tells every value that does not fit."""
    decoder = _Decoder(warn)
    result = decoder.part(document, struct, "")
    if decoder.errors:
        raise ComposeError("decoding failed due to the following error(s):\n\n" + "\n".join(decoder.errors))
    return result


class _Decoder:
    __slots__ = ("errors", "warn")

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.errors: list[str] = []
        self.warn = warn

    def part(self, value: Json, struct: Struct, path: str) -> Json:
        result: Json = {}
        for field in struct.fields:
            item = value.get(field.key)
            if item is not None:
                name = field.told or field.key
                self.attribute(result, field, item, f"{path}.{name}" if path else name)
        if struct.extensions and EXTENSIONS in value:
            result[EXTENSIONS] = value[EXTENSIONS]
        return result

    def attribute(self, result: Json, field: Field, item: object, path: str) -> None:
        kind = field.kind
        if kind is not None:
            try:
                leaf = to_boolean(item, self.warn) if kind.boolean and isinstance(item, str) else kind.read(item)
            except ValueError as error:
                at = error.at if isinstance(error, DecodeError) else ""
                self.errors.append(f"'{path}{at}' {error}")
                return
            if leaf is not None and (kind.keep or (leaf and leaf != kind.zero)):
                result[field.key] = leaf
            return
        part = self.parts(field, item, path)
        if part or (field.nullable and part is not None and not field.shape):
            result[field.key] = part

    def parts(self, field: Field, item: object, path: str) -> object:
        struct = field.part
        assert struct is not None
        if field.shape == "list":
            if not isinstance(item, list):
                self.wrong(path, "source data must be an array or slice", item)
                return None
            return [self.one(struct, entry, f"{path}[{index}]") for index, entry in enumerate(item)]
        if not isinstance(item, dict):
            self.wrong(path, "expected a map or struct", item)
            return None
        if field.shape == "map":
            return {
                key: None if entry is None and field.nullable else self.one(struct, entry, f"{path}[{key}]")
                for key, entry in sorted(item.items())
            }
        return self.part(item, struct, path)

    def one(self, struct: Struct, entry: object, path: str) -> Json:
        if entry is None:
            return {}
        if not isinstance(entry, dict):
            self.wrong(path, "expected a map or struct", entry)
            return {}
        return self.part(entry, struct, path)

    def wrong(self, path: str, expected: str, value: object) -> None:
        self.errors.append(f"'{path}' {expected}, got {go.type_name(value)}")


def collect_extensions(value: Json, path: tuple[str, ...] = ()) -> Json:
    """Move x-… keys of every level into one entry of that level, EXTENSIONS; in place."""
    user_keys = path in _USER_KEYS or (len(path) == 3 and path[0] == "services" and path[2] == "depends_on")
    extensions: Json = {}
    for key, item in value.items():
        if key.startswith("x-") and not user_keys:
            extensions[key] = item
        elif isinstance(item, dict):
            collect_extensions(item, (*path, key))
        elif isinstance(item, list):
            for index, entry in enumerate(item):
                if isinstance(entry, dict):
                    collect_extensions(entry, (*path, key, str(index)))
    for key in extensions:
        del value[key]
    if extensions:
        value[EXTENSIONS] = extensions
    return value
