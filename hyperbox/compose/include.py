"""`include`: other compose files, with a folder and variables of their own, whose resources become this document's.

https://github.com/compose-spec/compose-spec/blob/main/14-include.md
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from hyperbox.compose import go, kinds
from hyperbox.compose.environment import read_env_files, stat_problem
from hyperbox.compose.paths import join_path
from hyperbox.errors import ComposeError, UnsupportedError
from hyperbox.go.text import quote

Json = dict[str, object]


class Included(NamedTuple):
    """One entry of `include`, its paths found.

    files      absolute paths; the first is the main one
    folder     the absolute project folder of these files
    relative   the same, relative to the including document's folder: what their paths start at
    """

    files: tuple[str, ...]
    folder: str
    relative: str
    environment: dict[str, str]


class Including(NamedTuple):
    """What the inclusion into a document needs: the folder that its paths start at (absolute), its variables, the files above it."""

    base: str
    environment: Mapping[str, str]
    chain: tuple[str, ...]
    warn: Callable[[str], None]
    load: Callable[[Included], Json]


def apply_include(document: Json, including: Including) -> None:
    """Load what `document` includes and add it, in place. Raises ComposeError."""
    entries = document.get("include")
    if entries is None:
        document.pop("include", None)
        return
    if not isinstance(entries, list):
        raise ComposeError(f"`include` must be a list, got {go.sprint_error(entries)}")
    for entry in _decode(entries):
        _import(including.load(_find(entry, including)), document)
    del document["include"]


def _decode(entries: list[object]) -> list[Json]:
    """Return the entries in long form. Raises ComposeError that tells every value that does not fit."""
    decoded: list[Json] = []
    errors: list[str] = []
    for index, entry in enumerate(entries):
        fields: object = {"path": entry} if isinstance(entry, str) else entry
        if isinstance(fields, dict):
            folded = {**{key.lower(): value for key, value in fields.items()}, **fields}
            decoded.append({name: _field(folded, name, read, f"[{index}].{name}", errors) for name, read in _FIELDS})
        elif fields is None or isinstance(fields, go.Timestamp):
            decoded.append({})
        else:
            found = {list: "slice", bool: "bool", int: "int", float: "float64"}[type(fields)]
            errors.append(f"'[{index}]' expected a map or struct, got {quote(found)}")
    if errors:
        raise ComposeError("decoding failed due to the following error(s):\n\n" + "\n".join(errors))
    return decoded


_FIELDS = (
    ("path", kinds.STRING_LIST.read),
    ("project_directory", kinds.TEXT.read),
    ("env_file", kinds.STRING_LIST.read),
)


def _field(fields: Json, name: str, read: Callable[[object], object], path: str, errors: list[str]) -> object:
    value = fields.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except kinds.DecodeError as error:
        errors.append(f"'{path}{error.at}' {error}")
    return None


def _strings(value: object) -> list[str]:
    return list(value) if isinstance(value, list) else []


def _find(fields: Json, including: Including) -> Included:
    files: list[str] = []
    base = including.base
    folder = str(fields["project_directory"]) if fields.get("project_directory") else ""
    relative = folder
    for index, name in enumerate(_strings(fields.get("path"))):
        refuse_remote(name)
        path = name if name.startswith("/") else join_path(base, name)
        files.append(path)
        if index == 0:
            if not folder:
                folder, relative = os.path.dirname(path), _relative(path, base)
            elif not folder.startswith("/"):
                relative = _relative(join_path(base, folder), base)
                folder = join_path(base, folder)
            if path in including.chain:
                chain = (*including.chain, path)
                raise ComposeError(f"include cycle detected:\n{chain[0]}\n include " + "\n include ".join(chain[1:]))
    variables = read_env_files(_env_files(fields, folder, base), including.environment, including.warn)
    return Included(tuple(files), folder, relative, {**variables, **including.environment})


def _relative(path: str, base: str) -> str:
    return os.path.relpath(path if os.path.isdir(path) else os.path.dirname(path), base)


def _env_files(fields: Json, folder: str, base: str) -> list[str]:
    given = _strings(fields.get("env_file"))
    if not given:
        default = join_path(folder, ".env")
        return [default] if os.path.isfile(default) else []
    files: list[str] = []
    for name in given:
        path = name
        if not name.startswith("/"):
            path = join_path(base, name)
            problem = stat_problem(path)
            if problem:
                raise ComposeError(f"stat {path}: {problem}")
            if os.path.isdir(path):
                raise ComposeError(f"{path} is not a file")
        files.append(path)
    return files


def refuse_remote(name: str) -> None:
    """Raise UnsupportedError for a compose file that is not on this machine: git repositories and OCI artifacts."""
    if name.startswith(("oci://", "git@", "git://", "ssh://")) or (
        name.startswith(("https://", "http://", "github.com/")) and not os.path.exists(name)
    ):
        raise UnsupportedError(f"{name}: compose files from remote resources are not supported yet")


def _import(source: Json, target: Json) -> None:
    for kind in ("services", "volumes", "networks", "secrets", "configs", "models"):
        resources = source.get(kind)
        if not isinstance(resources, dict):
            continue
        existing = target.setdefault(kind, {})
        if existing is None:
            existing = target[kind] = {}
        if not isinstance(existing, dict):
            raise ComposeError(f"{kind} must be a mapping")
        for name, resource in resources.items():
            if name in existing and existing[name] != resource:
                raise ComposeError(f"{kind}.{name} conflicts with imported resource")
            existing[name] = resource
