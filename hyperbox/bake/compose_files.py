"""Compose files as definitions: a target for each service that is built."""

from __future__ import annotations

import os

from hyperbox.bake.decode import entry_of_text
from hyperbox.bake.definition import Config, check_name
from hyperbox.bake.entries import Agent, AnyEntry, Secret, canonical_attestation
from hyperbox.bake.errors import BakeError, File
from hyperbox.bake.model import ENTRIES, FIELDS, FLAG, PAIRS, Group, Target, tidy
from hyperbox.bake.variables import ResolveError
from hyperbox.compose.load import load
from hyperbox.compose.model import EXTENSIONS, LoadOptions
from hyperbox.errors import ComposeError, HyperBoxError
from hyperbox.go.text import quote
from hyperbox.go.units import bytes_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.compose.model import Project

    Json = dict[str, object]


def is_compose(file: File, environment: Mapping[str, str], folder: str, reasons: dict[str, str]) -> bool:
    """Return whether a file is a compose file: by its name, else by whether it can be read as one; why not, `reasons` then tells."""
    name = file.name.lower()
    if name.endswith((".yml", ".yaml")):
        return True
    if name.endswith((".json", ".hcl")):
        return False
    try:
        _project([file], environment, folder, check=False)
    except HyperBoxError as error:
        reasons[file.name] = error.message
        return False
    return True


def compose_config(files: Sequence[File], environment: Mapping[str, str], folder: str) -> Config:
    """Return what compose files define. Raises BakeError."""
    for file in files:
        _project([file], environment, folder, check=False)
    try:
        project = _project(files, environment, folder, check=True)
    except HyperBoxError as error:
        raise BakeError(f"failed to parse compose file: {error.message}") from None
    targets = []
    for name, service in project.services.items():
        build = service.get("build")
        if isinstance(build, dict):
            targets.append(_target(name, service, build, project))
    return Config([Group("default", [target.name for target in targets], unset=True)], targets, [])


def _project(files: Sequence[File], environment: Mapping[str, str], folder: str, *, check: bool) -> Project:
    stdin = next((file.data for file in files if file.name == "-"), b"")
    try:
        return load(
            LoadOptions(
                files=tuple(file.name for file in files),
                project_name=environment.get("COMPOSE_PROJECT_NAME") or "bake",
                project_directory=folder,
                env_files=(),
                profiles=("*",),
                working_dir=folder,
                environment=environment,
                stdin=stdin,
                resolve_paths=False,
                normalize=False,
                check_consistency=check,
                all_resources=True,
            )
        )
    except ComposeError as error:
        raise BakeError(error.message) from None


def _target(name: str, service: Json, build: Json, project: Project) -> Target:
    target = Target(name.replace(".", "_"))
    try:
        check_name(target.name)
    except ResolveError as error:
        raise BakeError(f"failed to parse compose file: invalid service name {quote(target.name)}: {error}") from None
    values = target.values
    for key, field in _SIMPLE.items():
        if build.get(key):
            values[field] = _plain(build[key], FIELDS[field].kind)
    values["args"] = _arguments(build, service, project) or None
    values["labels"] = _pairs(build.get("labels"))
    values["contexts"] = _contexts(build.get("additional_contexts")) or None
    values["extra-hosts"] = _hosts(build.get("extra_hosts")) or None
    values["ulimits"] = _ulimits(build.get("ulimits")) or None
    if build.get("shm_size"):
        values["shm-size"] = bytes_size(float(str(build["shm_size"])))
    for key in ("cache_from", "cache_to"):
        field = key.replace("_", "-")
        values[field] = tuple(entry_of_text(field, str(each)) for each in _list(build.get(key))) or None
    values["ssh"] = tuple(sorted(_agents(build.get("ssh")), key=_agent_order)) or None
    values["secret"] = tuple(_secret(each, project) for each in _list(build.get("secrets"))) or None
    values["attest"] = _attestations(build) or None
    extensions = build.get(EXTENSIONS)
    extension = extensions.get("x-bake") if isinstance(extensions, dict) else None
    if isinstance(extension, dict):
        _extend(target, extension)
    if not target.texts("tags") and service.get("image"):
        values["tags"] = (str(service["image"]),)
    return target


# key of a service's build -> field of a target
_SIMPLE = {
    "context": "context",
    "dockerfile": "dockerfile",
    "dockerfile_inline": "dockerfile-inline",
    "tags": "tags",
    "network": "network",
    "platforms": "platforms",
    "target": "target",
    "no_cache": "no-cache",
    "pull": "pull",
}


def _plain(value: object, kind: str) -> object:
    if isinstance(value, list):
        return tuple(str(each) for each in value)
    return value is True if kind == FLAG else str(value)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _pairs(value: object) -> dict[str, str | None]:
    if isinstance(value, list):
        words = [str(each).partition("=") for each in value]
        return {name: text if equals else None for name, equals, text in words}
    if isinstance(value, dict):
        return {str(name): None if each is None else _scalar(each) for name, each in value.items()}
    return {}


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _arguments(build: Json, service: Json, project: Project) -> dict[str, str]:
    """Return the build arguments; those without a value have that of the service's environment, or of the command's."""
    own = _pairs(service.get("environment"))
    found: dict[str, str] = {}
    for name, value in _pairs(build.get("args")).items():
        text = value if value is not None else own.get(name)
        if text is None:
            text = project.environment.get(name)
        if text is not None:
            found[name] = text
    return found


def _contexts(value: object) -> dict[str, str]:
    found = {}
    for name, location in _pairs(value).items():
        text = location or ""
        for lead in ("service:", "target:"):
            if text.startswith(lead):
                text = "target:" + text.removeprefix(lead).replace(".", "_")
                break
        found[name] = text
    return found


def _hosts(value: object) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    if isinstance(value, dict):
        for name, addresses in value.items():
            found[str(name)] = [str(each) for each in addresses] if isinstance(addresses, list) else [str(addresses)]
    for word in _list(value):
        name, mark, address = str(word).partition("=")
        if not mark:
            name, _, address = str(word).partition(":")
        found.setdefault(name, []).append(address)
    return {name: ",".join(addresses) for name, addresses in found.items()}


def _ulimits(value: object) -> tuple[str, ...]:
    if not isinstance(value, dict):
        return ()
    found = []
    for name, limit in value.items():
        soft, hard = (limit.get("soft", 0), limit.get("hard", 0)) if isinstance(limit, dict) else (0, 0)
        found.append(f"{name}={soft}:{hard}")
    return tuple(found)


def _agents(value: object) -> list[Agent]:
    found = []
    for name, path in _pairs(value).items():
        found.append(Agent(name, (path,) if path else ()))
    return found


def _agent_order(agent: Agent) -> tuple[str, tuple[str, ...]]:
    return agent.id, agent.paths


def _secret(entry: object, project: Project) -> Secret:
    source = str(entry.get("source") or "") if isinstance(entry, dict) else str(entry)
    definition = project.secrets.get(source) or {}
    if definition.get("external"):
        raise BakeError(f"failed to parse compose file: unsupported external secret {definition.get('name') or source}")
    path = str(definition.get("file") or "")
    return Secret(source, os.path.normpath(path) if path else "", str(definition.get("environment") or ""))


def _attestations(build: Json) -> tuple[AnyEntry, ...]:
    found = []
    for kind in ("sbom", "provenance"):
        if (value := build.get(kind)) not in (None, ""):
            found.append(entry_of_text("attest", canonical_attestation(kind, _scalar(value))))
    return tuple(found)


_EXTENSION = (
    "tags",
    "cache-from",
    "cache-to",
    "secret",
    "ssh",
    "platforms",
    "output",
    "pull",
    "no-cache",
    "no-cache-filter",
    "contexts",
)


def _extend(target: Target, extension: Json) -> None:
    """Add what `x-bake` says."""
    for name in _EXTENSION:
        value = extension.get(name)
        kind = FIELDS[name].kind
        if value is None or value in ([], {}, ""):
            continue
        if kind == FLAG:
            target.values[name] = value is True
        elif kind == PAIRS:
            target.values[name] = {**_contexts(value), **target.pairs(name)}
        else:
            words = [str(each) for each in value] if isinstance(value, list) else str(value).split()
            if kind == ENTRIES:
                made = tuple(entry_of_text(name, word) for word in words if word)
                together: tuple[AnyEntry, ...] = tidy(name, (*target.entries(name), *made))
                if name == "ssh":
                    found = sorted((each for each in together if isinstance(each, Agent)), key=_agent_order)
                    together = tuple(found)
                target.values[name] = together
            else:
                target.values[name] = tuple(dict.fromkeys((*target.texts(name), *words)))


def environment_of(variables: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the variables of compose files: the command's, and those of `.env` in its folder that it has not. Raises BakeError."""
    from hyperbox.compose.dotenv import parse

    found = dict(variables)
    path = os.path.join(folder, ".env")
    if not os.path.isfile(path):
        return found
    more: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            parse(file.read(), found.get, more, lambda _: None)  # type: ignore[arg-type]
    except (OSError, ComposeError) as error:
        raise BakeError(str(error)) from None
    return {**more, **found}
