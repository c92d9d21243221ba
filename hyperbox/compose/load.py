"""Compose files to a Project: the phases in order.

`load` gives the project; `load_model` stops before the canonical form, for output that is not interpolated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from hyperbox.compose import yaml_nodes, yaml_values
from hyperbox.compose.canonical import omit_empty, set_defaults, to_canonical
from hyperbox.compose.check import check_project, check_values
from hyperbox.compose.decode import collect_extensions, decode
from hyperbox.compose.discover import Found, discover, invalid_name, normalize_name
from hyperbox.compose.environment import inherit, read_bytes, resolve_labels, resolve_service
from hyperbox.compose.extends import Extension, Resets, apply_extends, clear
from hyperbox.compose.fields import PROJECT
from hyperbox.compose.include import Included, Including, apply_include
from hyperbox.compose.interpolate import interpolate
from hyperbox.compose.merge import merge
from hyperbox.compose.model import EXTENSIONS, Json, LoadOptions, Project
from hyperbox.compose.normalize import normalize
from hyperbox.compose.paths import resolve_paths
from hyperbox.compose.select import enable_services, select_services, split_by_profiles, without_unused
from hyperbox.compose.unique import enforce_unicity
from hyperbox.compose.validate import validate
from hyperbox.errors import ComposeError

# how many inclusions a project may have, however nested
INCLUSIONS = 1000
# the variables that tell a project's own address and ports
_OWN = re.compile(rb"HYPERBOX_[A-Z0-9_]+")


class Reads:
    """What one load has read: streams by file, extended documents by file and folder, and how often something was included.

    `uses_own`: one of the files names a variable that tells the project's own address or ports; `ports`: those of ports, by file, of the
    files that are read on the way.
    """

    __slots__ = ("extended", "inclusions", "ports", "streams", "uses_own")

    def __init__(self, streams: dict[str, yaml_nodes.Stream]) -> None:
        self.streams = streams
        self.ports: dict[str, set[str]] = {}
        self.extended: dict[tuple[str, str, int], tuple[Json, Resets]] = {}
        self.inclusions = 0
        self.uses_own = False

    def stream(self, name: str) -> yaml_nodes.Stream:
        """Return a file's YAML stream, read once."""
        stream = self.streams.get(name)
        if stream is None:
            content = read_bytes(name)
            found = {match.decode() for match in _OWN.findall(content)}
            self.uses_own = self.uses_own or bool(found)
            self.ports[name] = {each for each in found if each.startswith("HYPERBOX_PORT_")}
            stream = self.streams[name] = yaml_nodes.read_stream(content)
        return stream


class Context(NamedTuple):
    """How one set of files is read: main, included or extended.

    base         the folder (absolute) that paths of `extends` and `include` start at
    working_dir  what other relative paths start at; for included files it is relative itself
    variables    for interpolation
    reads        what was read already
    top          the files of the project itself; False for an extended file, of which only the services matter
    chain        the files that include this one
    inclusion    which inclusion this is: its variables are its own
    """

    options: LoadOptions
    base: str
    working_dir: str
    variables: Mapping[str, str]
    reads: Reads
    top: bool = True
    chain: tuple[str, ...] = ()
    inclusion: int = 0


def load(options: LoadOptions) -> Project:
    """Load a project. Raises ComposeError with docker compose's words; UnsupportedError for remote files."""
    found = discover(options)
    document, name, variables, uses_own = _load_document(options, found)
    if not uses_own:  # files that are included or extended might have named them
        variables = {
            key: value
            for key, value in variables.items()
            if not key.startswith("HYPERBOX_") or key in found.environment
        }
    project = _to_project(document, options, found, name, variables)._replace(uses_own=uses_own)
    project = enable_services(split_by_profiles(project, found.profiles), options.enabled)
    if options.check_consistency:
        check_project(project)
    services: dict[str, Json] = {}
    for key, service in project.services.items():
        if options.resolve_environment:
            service = resolve_service(service, variables, options.warn)
        services[key] = resolve_labels(service, options.warn)
    project = project._replace(services=services)
    if not name:
        raise ComposeError("project name can't be empty. Use `--project-name` to set a valid name")
    project = select_services(project, options.services)
    return project if options.all_resources else without_unused(project)


def load_model(options: LoadOptions) -> tuple[Json, dict[str, str]]:
    """Return the merged document before it is decoded, and the variables: what `config --no-interpolate` shows. Raises as `load`."""
    document, _, variables, _ = _load_document(options, discover(options), bare=True)
    return document, variables


def _load_document(options: LoadOptions, found: Found, *, bare: bool = False) -> tuple[Json, str, dict[str, str], bool]:
    """Return the merged, validated and normalized document, the project's name, the variables with that name, and whether own ones are named.

    `bare`: nothing in the document takes its value from a variable, not even names that stand alone.
    """
    streams = {source.name: yaml_nodes.read_stream(source.content) for source in found.sources}
    name, variables = _project_name(options, found, streams)
    names = [source.name for source in found.sources]
    reads = Reads(streams)
    own = {match.decode() for source in found.sources for match in _OWN.findall(source.content)}
    reads.uses_own = bool(own)
    if options.own_variables is not None and (
        own or any(b"include" in each.content or b"extends" in each.content for each in found.sources)
    ):
        variables.update(options.own_variables(name, found.working_dir, own))
    seen = {"COMPOSE_PROJECT_NAME": name} if bare else variables
    context = Context(options, found.working_dir, found.working_dir, seen, reads)
    document = _load_files(names, context, options.resolve_paths)
    if not document:
        raise ComposeError("empty compose file")
    if not name:
        raise ComposeError("project name must not be empty")
    if options.normalize:
        document["name"] = name
        document = normalize(document, seen)
    return document, name, variables, reads.uses_own


def place_hint(name: str, stream: yaml_nodes.Stream) -> str:
    """Return the file, line and column at which a stream stops being YAML."""
    return f"{name}:{stream.error.place}" if stream.error and stream.error.place else ""


def _load_files(names: list[str], context: Context, make_absolute: bool) -> Json:
    """Merge files into one document; defaults, checks and paths apply to the whole."""
    document: Json = {}
    for name in names:
        document, _ = _load_file(name, context, document)
    document = set_defaults(document, context.options.warn)
    check_values(document)
    if make_absolute:
        resolve_paths(document, context.working_dir, context.options.environment)
    inherit(document, context.variables)
    return document


def _load_file(name: str, context: Context, document: Json) -> tuple[Json, Resets]:
    """Merge the YAML documents of one file over `document`; also returns what the last one resets."""
    stream = context.reads.stream(name)
    unassigned = {each: "0" for each in context.reads.ports.get(name, ()) if each not in context.variables}
    if unassigned and context.options.own_variables is not None:
        context = context._replace(variables={**context.variables, **unassigned})
    resets: Resets = []
    for root in stream.documents:
        construction = yaml_values.Construction()
        try:
            value = construction.document(root)
        except yaml_nodes.YamlError as error:
            raise ComposeError(f"failed to parse {name}: {error}") from None
        resets = construction.resets
        document = _merge_document(value, resets, name, context, document)
    if stream.error:
        raise ComposeError(f"failed to parse {name}: {stream.error}", hint=place_hint(name, stream))
    return document, resets


def _merge_document(value: object, resets: Resets, name: str, context: Context, document: Json) -> Json:
    """Merge one YAML document over what was read before: the phases of a single document, in order."""
    options = context.options
    if not isinstance(value, dict):
        raise ComposeError("top-level object must be a mapping")
    if options.interpolate:
        value = interpolate(value, context.variables, options.warn)
    if context.top:
        apply_extends(value, Extension(name, context.base, lambda path, to: _read_extended(path, to, context)), resets)
    clear(document, resets)
    if context.top:
        apply_include(value, _including(name, context))
    document = enforce_unicity(merge(document, value))
    if context.top:
        validate(document, name)
        if document.pop("version", None) is not None:
            options.warn(
                f"{name}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"
            )
    document = to_canonical(document, lenient=not options.interpolate, warn=options.warn)
    return enforce_unicity(omit_empty(document))


def _read_extended(path: str, relative: str, context: Context) -> tuple[Json, Resets]:
    """Read a file whose services are extended; its paths become relative to the folder of the extending file."""
    key = (path, relative, context.inclusion)
    known = context.reads.extended.get(key)
    if known is None:
        known = _load_file(path, context._replace(top=False), {})
        resolve_paths(known[0], relative, context.options.environment)
        context.reads.extended[key] = known
    return known


def _including(name: str, context: Context) -> Including:
    def load_included(included: Included) -> Json:
        context.reads.inclusions += 1
        if context.reads.inclusions > INCLUSIONS:
            raise ComposeError(f"more than {INCLUSIONS} inclusions")
        inner = context._replace(
            base=included.folder,
            working_dir=included.relative,
            variables=included.environment,
            chain=(*context.chain, name),
            inclusion=context.reads.inclusions,
        )
        return _load_files(list(included.files), inner, True)

    return Including(context.base, context.variables, (*context.chain, name), context.options.warn, load_included)


def _project_name(
    options: LoadOptions, found: Found, streams: Mapping[str, yaml_nodes.Stream]
) -> tuple[str, dict[str, str]]:
    """Return the project's name and the variables with COMPOSE_PROJECT_NAME set to it.

    -p, COMPOSE_PROJECT_NAME, `name:` of the last file that has one, the folder's name.
    """
    environment = dict(found.environment)
    given = options.project_name or environment.get("COMPOSE_PROJECT_NAME", "")
    if not options.project_name:
        _require_readable(found, streams)
    if given:
        if normalize_name(given) != given:
            raise invalid_name(given)
        return given, {**environment, "COMPOSE_PROJECT_NAME": given}
    name = ""
    for source in found.sources:
        for root in streams[source.name].documents:
            name = yaml_values.top_level_name(root) or name
    if options.interpolate and name:
        interpolated = interpolate({"name": name}, environment, options.warn)["name"]
        name = interpolated if isinstance(interpolated, str) else ""
    if options.normalize:
        name = normalize_name(name)
    if not name:
        name = normalize_name(found.working_dir.rstrip("/").rpartition("/")[2])
    return name, {**environment, "COMPOSE_PROJECT_NAME": name}


def _require_readable(found: Found, streams: Mapping[str, yaml_nodes.Stream]) -> None:
    """Raise ComposeError for files whose first document is not a YAML mapping; up to the first that has a name."""
    for source in found.sources:
        stream = streams[source.name]
        if not stream.documents:
            if stream.error:
                raise ComposeError(str(stream.error), hint=place_hint(source.name, stream))
            continue
        problem = yaml_values.top_level_problem(stream.documents[0])
        if problem:
            raise ComposeError(problem)
        if yaml_values.top_level_name(stream.documents[0]):
            return


def _to_project(document: Json, options: LoadOptions, found: Found, name: str, variables: dict[str, str]) -> Project:
    """Decode a document into the canonical form."""
    document.pop("name", None)
    decoded = decode(collect_extensions(document), PROJECT, options.warn)

    def parts(kind: str) -> dict[str, Json]:
        value = decoded.get(kind)
        return value if isinstance(value, dict) else {}

    extensions = decoded.get(EXTENSIONS)
    return Project(
        name=name,
        working_dir=found.working_dir,
        services=parts("services"),
        networks=parts("networks"),
        volumes=parts("volumes"),
        secrets={key: _with_value(secret) for key, secret in parts("secrets").items()},
        configs=parts("configs"),
        models=parts("models"),
        extensions=extensions if isinstance(extensions, dict) else {},
        disabled_services={},
        compose_files=tuple(source.name for source in found.sources),
        environment=variables,
        profiles=found.profiles,
        env_files=found.env_files,
    )


def _with_value(secret: Json) -> Json:
    """Move the value that came from the environment to where readers expect it."""
    extensions = secret.get(EXTENSIONS)
    if isinstance(extensions, dict) and isinstance(extensions.get("x-#value"), str):
        secret["content"] = extensions.pop("x-#value")
        if not extensions:
            del secret[EXTENSIONS]
    return secret
