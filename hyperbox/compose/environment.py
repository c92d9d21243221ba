"""Variables from files: .env of the project, env_file and label_file of services, and values that come from the environment.

https://docs.docker.com/compose/how-tos/environment-variables/envvars-precedence/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from hyperbox.compose import dotenv
from hyperbox.compose.interpolate import Lookup
from hyperbox.compose.key_values import KeyValueError, read_key_values
from hyperbox.compose.model import Json
from hyperbox.errors import ComposeError

Warn = Callable[[str], None]

# the files here are written by people, or are not what they seem
FILE_SIZE = 16 << 20
ABSENT = "no such file or directory"


def read_env_files(paths: Sequence[str], current: Mapping[str, str], warn: Warn) -> dict[str, str]:
    """Return what env files set, a later one over an earlier; `current` has precedence within them. Raises ComposeError."""
    variables: dict[str, str] = {}
    for path in paths:
        problem = stat_problem(path)
        if problem == ABSENT:
            raise ComposeError(f"couldn't find env file: {path}")
        if problem:
            raise ComposeError(f"stat {path}: {problem}")
        if os.path.isdir(path):
            raise ComposeError(f"{path} is a directory")
        text = read_text(path)
        try:
            dotenv.parse(text, dotenv.Layers(current, variables), variables, warn)
        except dotenv.DotenvError as error:
            raise ComposeError(f"failed to read {path}: {error}") from None
    return variables


def read_bytes(path: str) -> bytes:
    """Return a file's bytes. Raises ComposeError in Go's words: "open PATH: no such file or directory"."""
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_SIZE + 1)
    except OSError as error:
        raise ComposeError(file_error(error, path)) from None
    except ValueError:
        raise ComposeError(f"open {path}: invalid argument") from None  # a character of value 0
    if len(content) > FILE_SIZE:
        raise ComposeError(f"{path}: file is larger than {FILE_SIZE >> 20} MiB")
    return content


def read_text(path: str) -> str:
    """Return a file's text. Raises ComposeError as `read_bytes`."""
    return read_bytes(path).decode("utf-8", "surrogateescape")


def stat_problem(path: str) -> str:
    """Return why a path can't be looked at, in Go's words (ABSENT where nothing is there), or "" where it can."""
    try:
        os.stat(path)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:
        return "invalid argument"  # a character of value 0
    return ""


def file_error(error: OSError, path: str) -> str:
    """Return how Go words a failure to read a file."""
    verb = "read" if isinstance(error, IsADirectoryError) else "open"
    return f"{verb} {path}: {(error.strerror or str(error)).lower()}"


def inherit(document: Json, environment: Mapping[str, str]) -> None:
    """Give values to names without one in lists of `environment`, and to secrets and configs that name a variable; in place."""
    services = document.get("services")
    for service in services.values() if isinstance(services, dict) else ():
        entries = service.get("environment") if isinstance(service, dict) else None
        if isinstance(entries, list):
            service["environment"] = [
                f"{entry}={environment[entry]}" if entry in environment else entry
                for entry in entries
                if isinstance(entry, str)
            ]
    for kind, key in (("secrets", "x-#value"), ("configs", "content")):
        parts = document.get(kind)
        for part in parts.values() if isinstance(parts, dict) else ():
            name = part.get("environment") if isinstance(part, dict) else None
            if isinstance(name, str) and name in environment:
                part[key] = environment[name]


def resolve_service(service: Json, environment: Mapping[str, str], warn: Warn) -> Json:
    """Return the service with its env files read into `environment`, without `env_file`. Raises ComposeError."""
    given = service.get("environment")
    own: dict[str, str | None] = {}
    for key, value in given.items() if isinstance(given, dict) else ():
        own[key] = environment.get(key) if value is None else value
    variables = {key: value for key, value in own.items() if value is not None}
    outer = dotenv.Layers(environment, dict(variables))
    env_files = service.get("env_file")
    for entry in env_files if isinstance(env_files, list) else ():
        _read_env_file(entry, outer, variables, warn)
    merged: dict[str, str | None] = {**variables, **own}
    result = {key: value for key, value in service.items() if key != "env_file"}
    return put(result, "environment", merged)


def put(service: Json, key: str, value: object) -> Json:
    """Return `service` with `key` set, or absent where `value` is empty."""
    if value:
        service[key] = value
    else:
        service.pop(key, None)
    return service


def _read_env_file(entry: Json, outer: Lookup, variables: dict[str, str], warn: Warn) -> None:
    path, file_format = str(entry.get("path", "")), str(entry.get("format", ""))
    if stat_problem(path) == ABSENT:
        if entry.get("required"):
            raise ComposeError(f"env file {path} not found: stat {path}: {ABSENT}")
        return
    prefix = "failed to parse env_file" if file_format == "raw" else "failed to read"
    try:
        content = read_bytes(path)
    except ComposeError as error:
        if error.message.startswith("read "):
            raise ComposeError(f"{prefix} {path}: {error.message}") from None
        raise
    try:
        if file_format == "raw":
            variables |= read_key_values(content, outer.get)
        elif file_format in ("", ".env"):
            dotenv.parse(content.decode("utf-8", "surrogateescape"), outer, variables, warn)
        else:
            raise ComposeError(f'unsupported env_file format "{file_format}"')
    except (dotenv.DotenvError, KeyValueError) as error:
        raise ComposeError(f"{prefix} {path}: {error}") from None


def resolve_labels(service: Json, warn: Warn) -> Json:
    """Return the service with its label files read into `labels`, without `label_file`. Raises ComposeError."""
    files = service.get("label_file")
    labels: dict[str, str] = {}
    for path in files if isinstance(files, list) else ():
        if stat_problem(path) == ABSENT:
            raise ComposeError(f"label file {path} not found: stat {path}: {ABSENT}")
        found: dict[str, str] = {}
        try:
            dotenv.parse(read_text(path), dict(labels), found, warn)
        except dotenv.DotenvError as error:
            raise ComposeError(f"failed to read {path}: {error}") from None
        labels |= found
    given = service.get("labels")
    labels |= given if isinstance(given, dict) else {}
    if labels:
        service["labels"] = labels
    service.pop("label_file", None)
    return service
