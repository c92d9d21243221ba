"""Validation of a document against the specification's schema; of all that is wrong the deepest place is told, as docker compose does."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.compose import go
from hyperbox.compose.schema import ANY, COMPOSE, Schema
from hyperbox.errors import ComposeError
from hyperbox.go.text import quote

Json = dict[str, object]
Path = tuple[str, ...]


class Problem(NamedTuple):
    """Something wrong at a path; the one with the highest weight is told."""

    weight: int
    path: Path
    message: str


def validate(document: Json, name: str) -> None:
    """Raise ComposeError "validating FILE: PATH …" for a document that does not fit the schema."""
    problem = check(document, COMPOSE, ())
    if problem:
        raise ComposeError(f"validating {name}: {'.'.join(problem.path)} {problem.message}")


def check(value: object, schema: Schema, path: Path) -> Problem | None:
    """Return the gravest problem of `value`, or None."""
    if schema is ANY:
        return None
    if isinstance(value, go.Timestamp):
        return Problem(len(path), path, "invalid jsonType time.Time")
    if schema.types and not _has_type(value, schema.types):
        return Problem(len(path), path, f"must be a {_type_words(schema.types)}")
    if schema.enum and value not in schema.enum:
        wanted = ", ".join(map(_quote, schema.enum))
        return Problem(len(path), path, f"value must be {wanted if len(schema.enum) == 1 else 'one of ' + wanted}")
    if isinstance(value, dict):
        problem = _check_mapping(value, schema, path)
    elif isinstance(value, list):
        problem = _check_list(value, schema, path)
    elif isinstance(value, str):
        problem = _check_string(value, schema, path)
    elif isinstance(value, int | float):
        problem = _check_number(value, schema, path)
    else:
        problem = None
    return _check_options(value, schema, path, problem) if schema.options else problem


def _graver(one: Problem | None, two: Problem | None) -> Problem | None:
    """Return the one with more weight, the first if they are equal."""
    if one is None or (two is not None and two.weight > one.weight):
        return two
    return one


def _check_mapping(value: Json, schema: Schema, path: Path) -> Problem | None:
    worst: Problem | None = None
    missing = [key for key in schema.required if key not in value]
    if missing:
        words = "missing property" if len(missing) == 1 else "missing properties"
        worst = Problem(len(path), path, f"{words} {', '.join(map(_quote, missing))}")
    additional: list[str] = []
    properties = schema.properties
    for key, item in value.items():
        inner = properties.get(key)
        if inner is not None:
            if inner is STRING_SCHEMA and isinstance(item, str):
                continue
            worst = _graver(worst, check(item, inner, (*path, key)))
            continue
        matched = False
        for pattern, inner in schema.keys:
            if pattern.search(key):
                matched = True
                worst = _graver(worst, check(item, inner, (*path, key)))
        if not matched and schema.closed:
            additional.append(key)
    if additional:
        names = ", ".join(map(_quote, sorted(additional)))
        worst = _graver(worst, Problem(len(path) + 1, path, f"additional properties {names} not allowed"))
    return worst


def _check_list(value: list[object], schema: Schema, path: Path) -> Problem | None:
    worst: Problem | None = None
    if schema.unique:
        worst = _duplicates(value, path)
    if schema.items is not None:
        for index, item in enumerate(value):
            worst = _graver(worst, check(item, schema.items, (*path, str(index))))
    return worst


def _duplicates(value: list[object], path: Path) -> Problem | None:
    seen: dict[object, int] = {}
    for index, item in enumerate(value):
        key = _hashable(item)
        if key in seen:
            return Problem(len(path), path, f"items at {seen[key]} and {index} are equal")
        seen[key] = index
    return None


def _hashable(value: object) -> object:
    """Return something hashable that is equal for values that JSON Schema calls equal."""
    if isinstance(value, dict):
        return ("object", frozenset((key, _hashable(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(_hashable, value)))
    return ("boolean", value) if isinstance(value, bool) else value


def _check_string(value: str, schema: Schema, path: Path) -> Problem | None:
    if schema.pattern is not None and not schema.pattern.search(value):
        return Problem(len(path), path, f"{_quote(value)} does not match pattern {_quote(schema.pattern.pattern)}")
    return None


def _check_number(value: float, schema: Schema, path: Path) -> Problem | None:
    if isinstance(value, bool):
        return None
    if schema.minimum is not None and value < schema.minimum:
        return Problem(len(path), path, f"must be greater than or equal to {schema.minimum}")
    if schema.maximum is not None and value > schema.maximum:
        return Problem(len(path), path, f"must be less than or equal to {schema.maximum}")
    return None


def _check_options(value: object, schema: Schema, path: Path, problem: Problem | None) -> Problem | None:
    worst: Problem | None = None
    for option in schema.options:
        found = check(value, option, path)
        if found is None:
            return problem
        worst = _graver(worst, found)
    return _graver(problem, worst)


_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def _has_type(value: object, types: tuple[str, ...]) -> bool:
    name = _NAMES.get(type(value), "number")
    if name in types:
        return True
    return name == "number" and "integer" in types and _is_integer(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _type_words(types: tuple[str, ...]) -> str:
    words = sorted("mapping" if name == "object" else name for name in types)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _quote(text: str) -> str:
    return "'" + quote(text)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


STRING_SCHEMA = COMPOSE.properties["name"]
