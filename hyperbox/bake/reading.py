"""Reading definitions: which files, in which order, and what kind each is of."""

from __future__ import annotations

import os

from hyperbox.bake.compose_files import compose_config, environment_of, is_compose
from hyperbox.bake.definition import Config, evaluate_files, parse_file
from hyperbox.bake.errors import BakeError, File
from hyperbox.hcl.positions import Diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_FILES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
)
MOST_BYTES = 16 << 20


def files_of_environment(environment: Mapping[str, str], folder: str) -> list[str]:
    """Return the files that BUILDX_BAKE_FILE names. Raises BakeError where one is not there."""
    separator = environment.get("BUILDX_BAKE_PATH_SEPARATOR") or os.pathsep
    found = []
    for word in environment.get("BUILDX_BAKE_FILE", "").split(separator):
        name = word.strip()
        if name and name != "-" and not os.path.exists(os.path.join(folder, name)):
            raise BakeError(f"stat {name}: no such file or directory")
        found += [name] if name else []
    return found


def read_files(
    names: Sequence[str], folder: str, stdin: Callable[[], bytes], on_read: Callable[[str, int], None]
) -> list[File]:
    """Return the files named, or (none) those of the default names that are there; `on_read` is told what is read. Raises BakeError."""
    found = []
    for name in names or DEFAULT_FILES:
        if name == "-":
            data = stdin()
            on_read("from stdin", len(data))
            found.append(File(name, data))
            continue
        name = name.removeprefix("cwd://")
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            if not names:
                continue
            on_read(name, 0)
            raise BakeError(f"open {name}: no such file or directory") from None
        except OSError as error:
            on_read(name, 0)
            verb = "read" if isinstance(error, IsADirectoryError) else "open"
            raise BakeError(f"{verb} {name}: {(error.strerror or '').lower()}") from None
        if len(data) > MOST_BYTES:
            raise BakeError(f"{name} is larger than {MOST_BYTES >> 20} MiB")
        on_read(name, len(data))
        found += [File(name, data)] if data else []
    if not found:
        raise BakeError("couldn't find a bake definition")
    return found


def configure(files: Sequence[File], environment: Mapping[str, str], builtin: Mapping[str, str], folder: str) -> Config:
    """Return what files define together. Raises BakeError."""
    variables = environment_of(environment, folder)
    reasons: dict[str, str] = {}
    compose = [file for file in files if is_compose(file, variables, folder, reasons)]
    bodies = []
    for file in files:
        if file not in compose:
            try:
                bodies.append(parse_file(file))
            except Diagnostics as error:
                reason = reasons.get(file.name)
                lead = f"failed to parse {file.name}: parsing yaml: {reason}, parsing hcl: " if reason else ""
                raise BakeError(f"{lead}{error}", error.problems[0].subject) from None
    config = compose_config(compose, variables, folder) if compose else Config([], [], [])
    return evaluate_files(bodies, environment.get, builtin, config) if bodies else config


def excerpt_of(error: BakeError, files: Sequence[File]) -> tuple[str, tuple[str, ...], int, int] | None:
    """Return the lines that are shown before an error's message: (file, its lines, first, last)."""
    if error.place is None:
        return None
    name, start, end = error.place
    data = next((file.data for file in files if file.name == name), b"")
    lines = data.decode(errors="replace").split("\n")
    return (name, tuple(lines), start.line, min(end.line, len(lines))) if start.line <= len(lines) else None
