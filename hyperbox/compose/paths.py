"""Relative paths in a document become absolute: a table of the places that hold paths, and a walker. In place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from hyperbox.compose import go
from hyperbox.compose.canonical import clean_path
from hyperbox.compose.tree import Rules, compile_rules
from hyperbox.errors import ComposeError

Json = dict[str, object]

_REMOTE_CONTEXTS = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")


class Resolver:
    """Makes paths absolute: relative ones start at `base`, those with "~" at the home of `environment`."""

    __slots__ = ("base", "environment")

    def __init__(self, base: str, environment: Mapping[str, str]) -> None:
        self.base = base
        self.environment = environment

    def resolve(self, value: object, rules: Rules[Resolve]) -> object:
        if rules.rule is not None:
            return rules.rule(self, value)
        if isinstance(value, dict):
            for key, item in value.items():
                below = rules.below(key)
                if below is not None:
                    value[key] = self.resolve(item, below)
        elif isinstance(value, list):
            below = rules.below("[]")
            if below is not None:
                value[:] = [self.resolve(item, below) for item in value]
        return value

    def absolute(self, path: str) -> str:
        """Return `path`, made absolute."""
        path = expand_user(path, self.environment)
        if not path or path.startswith("/"):
            return path
        return join_path(self.base, path)


Resolve = Callable[[Resolver, object], object]


def resolve_paths(document: Json, base: str, environment: Mapping[str, str]) -> None:
    """Make the paths of `document` absolute, in place. Raises ComposeError."""
    Resolver(base, environment).resolve(document, PLACES)


def expand_user(path: str, environment: Mapping[str, str]) -> str:
    """Replace a leading "~" by $HOME, if that is set."""
    home = environment.get("HOME")
    return join_path(home, path[1:]) if path.startswith("~") and home else path


def join_path(*parts: str) -> str:
    """Return Go's filepath.Join: the parts that aren't empty, joined and cleaned; "" if all are."""
    given = [part for part in parts if part]
    return clean_path("/".join(given)) if given else ""


def is_windows_absolute(path: str) -> bool:
    """Return whether `path` is absolute on Windows: C:\\…, C:/… or \\\\server\\share."""
    if path[1:2] == ":" and path[:1].isascii() and path[:1].isalpha():
        return path[2:3] in ("\\", "/")
    return path.startswith("\\\\")


def _path(resolver: Resolver, value: object) -> object:
    if isinstance(value, list):
        return [_path(resolver, item) for item in value]
    if isinstance(value, str):
        return resolver.absolute(value)
    raise ComposeError(f"unexpected type {go.type_name(value)}")


def _maybe_windows(resolver: Resolver, value: object) -> object:
    if not isinstance(value, str):
        return value
    path = expand_user(value, resolver.environment)
    return path if path.startswith("/") or is_windows_absolute(path) else join_path(resolver.base, path)


def _context(resolver: Resolver, value: object) -> object:
    if not isinstance(value, str) or "://" in value or value.startswith(("service:", *_REMOTE_CONTEXTS)):
        return value
    return resolver.absolute(value)


def _extends_file(resolver: Resolver, value: object) -> object:
    return resolver.absolute(value) if isinstance(value, str) else value


def _watched(resolver: Resolver, value: object) -> object:
    """A watched path with its first symbolic link resolved."""
    path = _path(resolver, value)
    if not isinstance(path, str):
        return path
    current = ""
    for part in path.split("/"):
        if not part:
            continue
        current = f"{current}/{part}"
        if os.path.islink(current):
            return path.replace(current, os.path.realpath(current), 1)
    return path


def _mount(resolver: Resolver, value: object) -> object:
    if not isinstance(value, dict) or value.get("type") != "bind":
        return value
    if not isinstance(value.get("source"), str):
        raise ComposeError('invalid mount config for type "bind": field Source must not be empty')
    value["source"] = _maybe_windows(resolver, value["source"])
    return value


def _volume(resolver: Resolver, value: object) -> object:
    """A volume of the local driver that is a bind mount in truth."""
    if isinstance(value, dict) and value.get("driver") == "local":
        options = value.get("driver_opts")
        if isinstance(options, dict) and options.get("o") == "bind" and "device" in options:
            options["device"] = _maybe_windows(resolver, options["device"])
    return value


PLACES: Rules[Resolve] = compile_rules(
    {
        "services.*.build.context": _context,
        "services.*.build.additional_contexts.*": _context,
        "services.*.build.ssh.*": _maybe_windows,
        "services.*.env_file.*.path": _path,
        "services.*.label_file.*": _path,
        "services.*.extends.file": _extends_file,
        "services.*.develop.watch.*.path": _watched,
        "services.*.volumes.*": _mount,
        "configs.*.file": _maybe_windows,
        "secrets.*.file": _maybe_windows,
        "include.path": _path,
        "include.project_directory": _path,
        "include.env_file": _path,
        "volumes.*": _volume,
    }
)
