"""Which files make a project, which variables it sees, and its name: the rules before the first file is parsed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from hyperbox.compose.environment import ABSENT, read_bytes, read_env_files, stat_problem
from hyperbox.compose.include import refuse_remote
from hyperbox.compose.model import LoadOptions
from hyperbox.compose.paths import expand_user, join_path
from hyperbox.errors import ComposeError
from hyperbox.go.text import FALSE, TRUE, invalid_syntax, quote

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


class Source(NamedTuple):
    """A compose file: its absolute path or "-", and its bytes."""

    name: str
    content: bytes


class Found(NamedTuple):
    """What was found: the files with their content, the project's folder, its variables, the profiles asked for, the env files given on purpose."""

    sources: tuple[Source, ...]
    working_dir: str
    environment: dict[str, str]
    profiles: tuple[str, ...]
    env_files: tuple[str, ...] = ()


def discover(options: LoadOptions) -> Found:
    """Find a project's files and variables. Raises ComposeError "no configuration file provided: not found"."""
    cwd = options.working_dir
    project_directory, env_files = _places(options)
    process = _with_compose_variables(options, project_directory, env_files)
    environment = {"PWD": cwd, **process}
    _merge(
        environment,
        read_env_files(
            _env_files(options, process, project_directory, env_files, options.files), environment, options.warn
        ),
    )
    files = options.files or _files_from_environment(environment, cwd)
    if not files:
        files = _default_files(project_directory or cwd, options)
    _merge(
        environment,
        read_env_files(_env_files(options, process, project_directory, env_files, files), environment, options.warn),
    )
    profiles = options.profiles or tuple(name.strip() for name in environment.get("COMPOSE_PROFILES", "").split(","))
    if options.project_name and normalize_name(options.project_name) != options.project_name:
        raise invalid_name(options.project_name)
    if not files:
        raise ComposeError("no configuration file provided: not found")
    sources = tuple(_read(name, options) for name in files)
    return Found(sources, _working_dir(project_directory, files, cwd), environment, profiles, env_files)


def given_name(options: LoadOptions) -> str:
    """Return the name that is given by -p, the environment or the first env files, or "". Raises ComposeError for env files that can't be read."""
    project_directory, env_files = _places(options)
    return options.project_name or _with_compose_variables(options, project_directory, env_files).get(
        "COMPOSE_PROJECT_NAME", ""
    )


def _places(options: LoadOptions) -> tuple[str, tuple[str, ...]]:
    """Return the project's folder where one is given, and the env files that are."""
    cwd = options.working_dir
    given = options.env_files or tuple(filter(None, options.environment.get("COMPOSE_ENV_FILES", "").split(",")))
    env_files = tuple(_absolute(expand_user(name, options.environment), cwd) for name in given)
    return _absolute(options.project_directory, cwd) if options.project_directory else "", env_files


def _absolute(path: str, cwd: str) -> str:
    return join_path(cwd, path) if not path.startswith("/") else join_path(path)


def _merge(environment: dict[str, str], more: Mapping[str, str]) -> None:
    for name, value in more.items():
        environment.setdefault(name, value)


def _working_dir(project_directory: str, files: tuple[str, ...], cwd: str) -> str:
    if project_directory:
        return project_directory
    for name in files:
        if name != "-":
            return os.path.dirname(_absolute(name, cwd))
    return cwd


def _with_compose_variables(options: LoadOptions, project_directory: str, env_files: tuple[str, ...]) -> dict[str, str]:
    """Return the process's variables and the COMPOSE_ ones of the first env files: those count as if they were exported."""
    process = dict(options.environment)
    files = _env_files(options, process, project_directory, env_files, options.files)
    for _ in range(2):  # docker compose reads them twice here, and tells each time of what is not set
        variables = read_env_files(files, process, options.warn)
    for name, value in variables.items():
        if name.startswith("COMPOSE_"):
            process.setdefault(name, value)
    return process


def _env_files(
    options: LoadOptions,
    process: Mapping[str, str],
    project_directory: str,
    env_files: tuple[str, ...],
    files: tuple[str, ...],
) -> tuple[str, ...]:
    if env_files:
        return env_files
    disabled = process.get("COMPOSE_DISABLE_ENV_FILE")
    if disabled is not None:
        if disabled in TRUE:
            return ()
        if disabled not in FALSE:
            raise ComposeError(invalid_syntax("ParseBool", disabled))
    path = join_path(_working_dir(project_directory, files, options.working_dir), ".env")
    problem = stat_problem(path)
    if problem not in ("", ABSENT):
        raise ComposeError(f"stat {path}: {problem}")
    return (path,) if not problem and not os.path.isdir(path) else ()


def _files_from_environment(environment: Mapping[str, str], cwd: str) -> tuple[str, ...]:
    value = environment.get("COMPOSE_FILE")
    if value is None:
        return ()
    files: list[str] = []
    for name in value.split(environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep):
        path = name if name == "-" else _absolute(name, cwd)
        problem = stat_problem(path) if path != "-" else ""
        if problem:
            raise ComposeError(f"stat {path}: {problem}")
        files.append(path)
    return tuple(files)


def _default_files(folder: str, options: LoadOptions) -> tuple[str, ...]:
    """Return the compose file nearest above `folder`, and its override file."""
    while True:
        candidates = _existing(FILE_NAMES, folder)
        if candidates:
            files = [_choose(candidates, "config", options)]
            overrides = _existing(OVERRIDE_NAMES, folder)
            if overrides:
                files.append(_choose(overrides, "override", options))
            return tuple(files)
        parent = os.path.dirname(folder)
        if parent == folder:
            return ()
        folder = parent


def _existing(names: tuple[str, ...], folder: str) -> list[str]:
    return [path for name in names if os.path.exists(path := join_path(folder, name))]


def _choose(candidates: list[str], kind: str, options: LoadOptions) -> str:
    if len(candidates) > 1:
        options.warn(f"Found multiple {kind} files with supported names: {', '.join(candidates)}")
        options.warn(f"Using {candidates[0]}")
    return candidates[0]


def _read(name: str, options: LoadOptions) -> Source:
    if name == "-":
        content = options.stdin
        return Source("-", content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
    refuse_remote(name)
    path = _absolute(name, options.working_dir)
    return Source(path, read_bytes(path))


def normalize_name(name: str) -> str:
    """Return `name` as a project name: lower case, only letters, digits, "-" and "_", beginning with a letter or digit."""
    kept = [character for character in name.lower() if character in "abcdefghijklmnopqrstuvwxyz0123456789_-"]
    return "".join(kept).lstrip("_-")


def invalid_name(name: str) -> ComposeError:
    """Return the error for a project name that the user gave."""
    return ComposeError(
        f"invalid project name {quote(name)}: must consist only of lowercase alphanumeric characters, "
        "hyphens, and underscores as well as start with a letter or number"
    )
