"""`compose config`: the canonical form of a project, or one aspect of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from hyperbox.cli.compose_project import load_options
from hyperbox.compose.check import check_container_names
from hyperbox.compose.hash import service_hash
from hyperbox.compose.load import load, load_model
from hyperbox.compose.model import LoadOptions, Project
from hyperbox.compose.render import model_to_json, model_to_yaml, project_to_json, project_to_yaml
from hyperbox.compose.select import dependency_order
from hyperbox.errors import ComposeError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation


def config(invocation: Invocation) -> int:
    """Print the project in canonical form, or what one of the flags asks for."""
    flags = invocation.flags
    options = load_options(invocation)._replace(
        interpolate=not flags["no-interpolate"],
        resolve_paths=not flags["no-path-resolution"],
        normalize=not (flags["no-normalize"] or invocation.globals.get("compatibility")),
        check_consistency=not flags["no-consistency"],
        all_resources=bool(invocation.globals.get("all-resources")),
    )
    for flag, show in ASPECTS:
        if flags[flag]:
            sys.stdout.write(show(options, invocation))
            return 0
    return _show_project(options._replace(services=tuple(invocation.arguments)), invocation)


def _show_project(options: LoadOptions, invocation: Invocation) -> int:
    flags = invocation.flags
    form = str(flags["format"] or "yaml")
    text = _project_text(options, form, invocation) if options.interpolate else _model_text(options, form, invocation)
    output = str(flags["output"])
    if flags["quiet"]:
        return 0
    if output and text:
        _write_file(output, text)
    else:
        sys.stdout.write(text)
    return 0


def _write_file(path: str, text: str) -> None:
    try:
        with open(path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise ComposeError(f"open {path}: {(error.strerror or str(error)).lower()}") from None


def _project_text(options: LoadOptions, form: str, invocation: Invocation) -> str:
    project = load(options)
    if invocation.flags["resolve-image-digests"] or invocation.flags["lock-image-digests"]:
        project = _with_digests(project, invocation)
    if options.check_consistency:
        check_container_names(project.services)
    if invocation.flags["lock-image-digests"]:
        project = _images_only(project)
    renderers: dict[str, Callable[[Project], str]] = {"json": project_to_json, "yaml": project_to_yaml}
    if form not in renderers:
        raise ComposeError(f'unsupported format "{form}"')
    return renderers[form](project).replace("$", "$$")


def _model_text(options: LoadOptions, form: str, invocation: Invocation) -> str:
    model, _ = load_model(options)
    if invocation.flags["resolve-image-digests"]:
        services = model.get("services")
        for service in services.values() if isinstance(services, dict) else ():
            if isinstance(service.get("image"), str):
                service["image"] = _pinned(service["image"], invocation)
    if form not in ("json", "yaml"):
        raise ComposeError(f'unsupported format "{form}"')
    return model_to_json(model) if form == "json" else model_to_yaml(model)


def _with_digests(project: Project, invocation: Invocation) -> Project:
    services = {
        name: {**service, "image": _pinned(str(service["image"]), invocation)} if service.get("image") else service
        for name, service in project.services.items()
    }
    return project._replace(services=services)


def _pinned(image: str, invocation: Invocation) -> str:
    """Return the full reference of an image with the digest that its registry has for it now."""
    import hashlib

    from hyperbox.cli.image_transfer import auth_for, user_reference
    from hyperbox.image.pull import fetch_manifest
    from hyperbox.image.registry import Connection, Registry

    reference = user_reference(image)
    if reference.digest:
        return f"{reference.repository}@{reference.digest}"
    reference = reference.with_tag()
    connection = Connection(Registry.of(reference, auth_for(invocation, reference.domain)))
    try:
        data, _ = fetch_manifest(connection, reference, reference.tag)
    except EngineError as error:
        message = f"failed to resolve digest for {reference.canonical}: {error.told}"
        raise ComposeError(message) from error
    finally:
        connection.close()
    return f"{reference.canonical}@sha256:{hashlib.sha256(data).hexdigest()}"


def _images_only(project: Project) -> Project:
    """Return what pins the images when it is merged over the project."""
    services = {
        name: {"image": service["image"]} if service.get("image") else {} for name, service in project.services.items()
    }
    nothing: dict[str, dict[str, object]] = {}
    return project._replace(
        name="",
        services=services,
        networks=nothing,
        volumes=nothing,
        secrets=nothing,
        configs=nothing,
        models=nothing,
        extensions={},
    )


def _lines(words: Iterable[object]) -> str:
    return "".join(f"{word}\n" for word in words)


def _unresolved(options: LoadOptions) -> Project:
    """Load the project without its env files: they may be missing where only names are asked for."""
    return load(options._replace(resolve_environment=False))


def _services(options: LoadOptions, _: Invocation) -> str:
    if not options.interpolate:
        services = load_model(options)[0].get("services")
        return _lines(sorted(services)) if isinstance(services, dict) else ""
    return _lines(dependency_order(_unresolved(options)))


def _volumes(options: LoadOptions, _: Invocation) -> str:
    return _lines(_unresolved(options).volumes)


def _networks(options: LoadOptions, _: Invocation) -> str:
    return _lines(_unresolved(options).networks)


def _models(options: LoadOptions, _: Invocation) -> str:
    return _lines(model["model"] for model in _unresolved(options).models.values() if model.get("model"))


def _hashes(options: LoadOptions, invocation: Invocation) -> str:
    project = _unresolved(options)
    asked = str(invocation.flags["hash"])
    names = sorted(project.services) if asked == "*" else sorted(asked.split(","))
    lines: list[str] = []
    for name in names:
        if name not in project.services:
            disabled = name in project.disabled_services
            raise ComposeError(f"no such service: {name}: {'disabled' if disabled else 'not found'}")
        lines.append(f"{name} {service_hash(_with_platform(project, name))}")
    return _lines(lines)


def _with_platform(project: Project, name: str) -> dict[str, object]:
    """A service that is built is run for DOCKER_DEFAULT_PLATFORM where it names no platform of its own."""
    service = project.services[name]
    default = project.environment.get("DOCKER_DEFAULT_PLATFORM")
    build = service.get("build")
    if not isinstance(build, dict):
        return service
    platforms = build.get("platforms")
    if default and not service.get("platform"):
        if isinstance(platforms, list) and platforms and default not in platforms:
            raise ComposeError(
                f'service "{name}" build.platforms does not support value set by DOCKER_DEFAULT_PLATFORM: {default}'
            )
        return {**service, "platform": default}
    return service


def _profiles(options: LoadOptions, invocation: Invocation) -> str:
    project = _unresolved(options._replace(services=tuple(invocation.arguments)))
    profiles: set[str] = set()
    for service in (*project.services.values(), *project.disabled_services.values()):
        own = service.get("profiles")
        profiles.update(own if isinstance(own, list) else ())
    return _lines(sorted(profiles))


def _images(options: LoadOptions, invocation: Invocation) -> str:
    from hyperbox.project.desired import separator_of

    project = _unresolved(options._replace(services=tuple(invocation.arguments)))
    separator = separator_of(project.environment)
    return _lines(
        service.get("image") or f"{project.name}{separator}{name}" for name, service in project.services.items()
    )


def _variables(options: LoadOptions, invocation: Invocation) -> str:
    from hyperbox.compose.json_text import to_json
    from hyperbox.compose.variables import extract_variables
    from hyperbox.compose.yaml_text import to_yaml

    found = extract_variables(load_model(options._replace(interpolate=False))[0])
    form = invocation.flags["format"]
    names = ("Name", "DefaultValue", "PresenceValue", "Required")
    records: dict[str, object] = {key: dict(zip(names, variable, strict=True)) for key, variable in found.items()}
    if form == "json":
        return to_json(records, indent="    ") + "\n\n"
    if form == "yaml":
        lowered: dict[str, object] = {
            key: dict(zip(map(str.lower, names), variable, strict=True)) for key, variable in found.items()
        }
        return to_yaml(lowered, step=4) if lowered else "{}\n"
    if form and form not in ("table", "pretty"):
        raise ComposeError(f"format value {form!r} could not be parsed: parsing failed".replace("'", '"'))
    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    rows += [(item.name, "true" if item.required else "false", item.default, item.presence) for item in found.values()]
    widths = [max(20, *(len(row[column]) + 3 for row in rows)) for column in range(3)]
    return _lines("".join(row[column].ljust(widths[column]) for column in range(3)) + row[3] for row in rows)


def _environment(options: LoadOptions, invocation: Invocation) -> str:
    project = load(options._replace(services=tuple(invocation.arguments)))
    return _lines(sorted(f"{name}={value}" for name, value in project.environment.items()))


# the first flag that is given decides
ASPECTS: tuple[tuple[str, Callable[[LoadOptions, Invocation], str]], ...] = (
    ("services", _services),
    ("volumes", _volumes),
    ("networks", _networks),
    ("models", _models),
    ("hash", _hashes),
    ("profiles", _profiles),
    ("images", _images),
    ("variables", _variables),
    ("environment", _environment),
)
