"""`docker inspect` and the inspect of one kind: found things as JSON or through a template, errors after. A hot path.

A template runs on the typed record first and, where that fails, on the raw JSON, so that both `.ID` and `.Id` work.
"""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for
from hyperbox.cli.output import go_json, indented_json
from hyperbox.errors import EmptyName, EngineError, HyperBoxError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.cli.templates import Template
    from hyperbox.engine.api import Engine
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]
    Find = Callable[[str], tuple[str, Json]]

EXIT_BAD_TEMPLATE = 64
KINDS = ("container", "image", "network", "volume")
ALL_KINDS = ("config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume")
ONLY_TYPED = "typed volume"  # `volume inspect`, unlike `inspect`, has no raw JSON
CONTEXT = "context"
RECORDS = {
    "container": "Container",
    "image": "Image",
    "network": "Network",
    "volume": "Volume",
    "typed volume": "Volume",
}
MAPS = frozenset(
    (
        "Annotations",
        "AuxiliaryAddresses",
        "Containers",
        "DriverOpts",
        "ExposedPorts",
        "Labels",
        "Networks",
        "Options",
        "PortBindings",
        "Ports",
        "StorageOpt",
        "Sysctls",
        "Tmpfs",
        "Volumes",
    )
)
MAPS_BELOW = frozenset({("LogConfig", "Config"), ("GraphDriver", "Data")})


class Failed(Exception):
    """A thing could not be shown; the message is complete."""


class Collector:
    """What is written at the end: all objects as one JSON array, or each through the template."""

    __slots__ = ("found", "lines", "template")

    def __init__(self, template: str) -> None:
        self.found: list[Json] = []
        self.lines: list[str] = []
        self.template: Template | str = template
        if template not in ("", "json"):
            from hyperbox.cli import templates

            try:
                self.template = templates.parse(template)
            except templates.ParseError as error:
                raise HyperBoxError(f"template parsing error: {error}", exit_code=EXIT_BAD_TEMPLATE) from None

    def add(self, kind: str, value: Json) -> None:
        """Take one object in. Raises Failed where the template fails on it."""
        if isinstance(self.template, str):
            self.found.append(value)
            return
        self.lines.append(templated(self.template, kind, value) + "\n")

    def text(self) -> str:
        """Return what goes to stdout."""
        if not isinstance(self.template, str):
            return "".join(self.lines) or "\n"
        if self.template == "json":
            return go_json(sorted_maps(self.found), escape_html=False) + "\n"
        return indented_json(sorted_maps(self.found)) + "\n"


def sorted_maps(value: object, key: str = "", above: str = "") -> object:
    """Return JSON data with the maps in it, known by their keys, sorted as docker writes them; records keep the order of their fields."""
    if isinstance(value, list):
        return [sorted_maps(item, "", key) for item in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value) if key in MAPS or (above, key) in MAPS_BELOW else value
    return {name: sorted_maps(value[name], name, key) for name in names}


def templated(template: Template, kind: str, value: Json) -> str:
    """Return what a template makes of an object: of its typed record, or of its raw JSON. Raises Failed."""
    from hyperbox.cli import templates
    from hyperbox.cli.templates_types import typed, typed_context

    if kind in RECORDS or kind == CONTEXT:
        try:
            return templates.execute(template, typed_context(value) if kind == CONTEXT else typed(RECORDS[kind], value))
        except templates.ExecuteError as error:
            if kind in (ONLY_TYPED, CONTEXT):
                raise Failed(f"template parsing error: {error}") from None
    try:
        return templates.execute(template, numbers_as_text(value), strict=True)
    except templates.ExecuteError as error:
        raise Failed(f"template parsing error: {error}") from None


def numbers_as_text(value: object) -> object:
    """Return raw JSON as Go decodes it with UseNumber: numbers print as they are written and are strings to comparisons."""
    from hyperbox.cli.templates_values import JsonNumber

    if isinstance(value, dict):
        return {key: numbers_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers_as_text(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return JsonNumber(value)
    return value


def show(names: Sequence[str], template: str, find: Find) -> int:
    """Write what `find` (name -> kind and object) gives for each name, then the errors. Returns the exit code."""
    collector = Collector(template)
    failures: list[str] = []
    for name in names:
        try:
            collector.add(*find(name))
        except EngineError as error:
            failures.append(error.told)
        except Failed as error:
            failures.append(str(error))
    sys.stdout.write(collector.text())
    sys.stdout.flush()
    if failures:
        sys.stderr.write("\n".join(failures) + "\n")
    return 1 if failures else 0


def look_up(engine: Engine, kind: str, name: str, *, size: bool, verbose: bool = False, platform: str = "") -> Json:
    """Return the engine's object of one kind. Raises NotFound."""
    if kind == "container":
        return engine.container_inspect(name, size=size)
    if kind == "image":
        if not name.strip():
            raise Failed("Error: No such image: ")
        return engine.image_inspect(name, platform=platform)
    if kind == "network":
        return engine.network_inspect(name, verbose=verbose)
    if kind == "volume":
        return engine.volume_inspect(name)
    if not name.strip():
        raise EmptyName(kind)
    if kind == "plugin":
        raise NotFound(f'plugin "{name}" not found')
    raise EngineError(
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
    )


def inspect(invocation: Invocation) -> int:
    """docker inspect: a thing of any kind, or of the one --type names."""
    flags = invocation.flags
    kind = str(flags["type"])
    if "type" in invocation.given and kind not in ALL_KINDS:
        known = ", ".join(f'"{name}"' for name in ALL_KINDS)
        if not kind:
            raise HyperBoxError("type is empty: must be one of " + known)
        raise HyperBoxError(f'unknown type: "{kind}": must be one of {known}')
    engine = engine_for(invocation)
    size = bool(flags["size"])

    def find(name: str) -> tuple[str, Json]:
        for candidate in (kind,) if kind else KINDS:
            try:
                value = look_up(engine, candidate, name, size=size)
            except NotFound:
                if kind:
                    raise
                continue
            if size and candidate != "container":
                sys.stderr.write(f"WARNING: --size ignored for {candidate}\n")
            return candidate, value
        raise Failed(f"Error: No such object: {name}")

    return show(invocation.arguments, str(flags["format"]), find)


def _one_kind(invocation: Invocation, kind: str) -> int:
    flags = invocation.flags
    engine = engine_for(invocation)
    size, verbose = bool(flags.get("size")), bool(flags.get("verbose"))
    platform = str(flags.get("platform") or "")
    if platform:
        from hyperbox.cli.image_transfer import check_platform

        check_platform(platform)
    return show(
        invocation.arguments,
        str(flags["format"]),
        lambda name: (
            ONLY_TYPED if kind == "volume" else kind,
            look_up(engine, kind, name, size=size, verbose=verbose, platform=platform),
        ),
    )


def inspect_containers(invocation: Invocation) -> int:
    """docker container inspect"""
    return _one_kind(invocation, "container")


def inspect_images(invocation: Invocation) -> int:
    """docker image inspect"""
    return _one_kind(invocation, "image")


def inspect_networks(invocation: Invocation) -> int:
    """docker network inspect"""
    return _one_kind(invocation, "network")


def inspect_volumes(invocation: Invocation) -> int:
    """docker volume inspect"""
    return _one_kind(invocation, "volume")
