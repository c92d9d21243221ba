"""Builders on disk, as docker's buildx keeps them, and which one is in use.

DIR is BUILDX_CONFIG or CONFIG/buildx:

    DIR/instances/NAME      {"Name", "Driver", "Nodes": [{"Name", "Endpoint", "Platforms", "DriverOpts", "Flags", "Files"}], "Dynamic"}
    DIR/current             {"Key", "Name", "Global"}: the builder in use and the endpoint for which it is
    DIR/defaults/HASH       the builder that an endpoint has where `current` names none; HASH: 20 digits of the endpoint's SHA-256
    DIR/activity/NAME       when it was made or built last, RFC 3339
    DIR/hyperbox/NAME       "running" after a build or --bootstrap, "stopped" after `buildx stop`; nothing of it runs between builds
    DIR/.lock               held while any of these change

Each docker context is a builder as well, of the driver `docker`. What HyperBox builds with is the same for all of them: its own
solver, on this machine. A builder of the driver `docker-container` differs in that a build's result stays in the cache unless an
output is asked for.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from hyperbox.cli import context_store
from hyperbox.cli.configuration_file import folder as configuration
from hyperbox.errors import HyperBoxError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.files import Lock
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

CONTAINER = "docker-container"
NAME_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
NAME_CHARACTERS = NAME_FIRST | frozenset("0123456789._-")


class Builder:
    """One builder: its name, its driver ("docker" for a context's), and its nodes as they are on disk."""

    __slots__ = ("driver", "dynamic", "name", "nodes")

    def __init__(self, name: str, driver: str, nodes: list[Json], *, dynamic: bool = False) -> None:
        self.name = name
        self.driver = driver
        self.nodes = nodes
        self.dynamic = dynamic

    @property
    def is_context(self) -> bool:
        """Return whether it is there because a context is."""
        return self.driver == "docker"

    @property
    def loads(self) -> bool:
        """Return whether a build without an output goes into the engine's images."""
        return self.is_context or any(
            str(options.get("default-load", "")).lower() in ("1", "t", "true")
            for options in (node.get("DriverOpts") for node in self.nodes)
            if isinstance(options, dict)
        )


def folder(invocation: Invocation) -> str:
    """Return where builders are kept."""
    return os.environ.get("BUILDX_CONFIG") or f"{configuration(invocation)}/buildx"


def locked(invocation: Invocation) -> Lock:
    """Return the lock that is held while builders change; its folder is made."""
    from hyperbox.files import Lock

    base = folder(invocation)
    os.makedirs(f"{base}/instances", exist_ok=True)
    return Lock(f"{base}/.lock")


def _path(invocation: Invocation, kind: str, name: str) -> str:
    """Return a builder's file of one kind; names that differ in case only are one builder."""
    return f"{folder(invocation)}/{kind}/{name.lower()}"


def _read(path: str) -> str:
    """Return a small file's text, "" where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def _write(path: str, text: str) -> None:
    from hyperbox.files import write_atomic

    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_atomic(path, text, mode=0o600)


def mistake(name: str) -> str:
    """Return what is wrong with a builder's name, in buildx's words; "" for nothing."""
    if name and name[0] in NAME_FIRST and NAME_CHARACTERS.issuperset(name):
        return ""
    return f"invalid name {name}, name needs to start with a letter and may not contain symbols, except ._-"


# --- builders ---------------------------------------------------------------------------------------------------------------
def names(invocation: Invocation) -> list[str]:
    """Return the names of all builders on disk, in the order of their files."""
    try:
        files = sorted(os.listdir(f"{folder(invocation)}/instances"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [found.name for file in files if (found := instance(invocation, file)) is not None]


def instance(invocation: Invocation, name: str) -> Builder | None:
    """Return a builder that was made by `buildx create`, None where there is none. Raises HyperBoxError for a broken file."""
    import json

    if mistake(name):
        return None
    path = _path(invocation, "instances", name)
    text = _read(path)
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise HyperBoxError(f"ERROR: {path}: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("Name"), str):
        raise HyperBoxError(f"ERROR: {path} does not describe a builder")
    nodes = value.get("Nodes")
    kept = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    return Builder(value["Name"], str(value.get("Driver") or ""), kept, dynamic=bool(value.get("Dynamic")))


def save(invocation: Invocation, builder: Builder) -> None:
    """Write a builder, under the lock, and note that something was done with it."""
    import json

    value = {"Name": builder.name, "Driver": builder.driver, "Nodes": builder.nodes, "Dynamic": builder.dynamic}
    _write(_path(invocation, "instances", builder.name), json.dumps(value, separators=(",", ":")))
    note_activity(invocation, builder)


def delete(invocation: Invocation, builder: Builder) -> None:
    """Remove a builder, under the lock."""
    paths = [_path(invocation, kind, builder.name) for kind in ("instances", "hyperbox")]
    for path in (*paths, f"{folder(invocation)}/activity/{builder.name}"):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def of_context(name: str) -> Builder:
    """Return the builder that a context is."""
    return Builder(name, "docker", [{"Name": name, "Endpoint": name}])


def contexts(invocation: Invocation) -> list[str]:
    """Return the names of all contexts, `default` among them."""
    return [context_store.DEFAULT, *context_store.names(invocation)]


def named(invocation: Invocation, name: str) -> Builder:
    """Return the builder, or the context, of a name. Raises HyperBoxError with buildx's words where there is none."""
    found = instance(invocation, name)
    if found is not None:
        return found
    if name == context_store.DEFAULT or context_store.exists(invocation, name):
        return of_context(name)
    raise HyperBoxError(f'ERROR: no builder "{name}" found')


# --- the one in use ---------------------------------------------------------------------------------------------------------------
def key_of(invocation: Invocation) -> str:
    """Return the endpoint for which a choice is kept: the context's name, the engine's address for `default`."""
    name = context_store.current_name(invocation)
    if name != context_store.DEFAULT:
        return name
    return str(invocation.globals.get("host") or "") or context_store.host(context_store.default_context())


def _defaults(invocation: Invocation, key: str) -> str:
    from hashlib import sha256

    return f"{folder(invocation)}/defaults/{sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:20]}"


def choose(invocation: Invocation, name: str, *, everywhere: bool = False, default: bool = False) -> None:
    """Make a builder ("" for the context's own) the one in use, under the lock."""
    import json

    key = key_of(invocation)
    value = {"Key": key, "Name": name, "Global": everywhere}
    _write(f"{folder(invocation)}/current", json.dumps(value, separators=(",", ":")))
    if default:
        _write(_defaults(invocation, key), name)
        return
    try:
        os.unlink(_defaults(invocation, key))
    except FileNotFoundError:
        pass


def in_use(invocation: Invocation) -> Builder:
    """Return the builder that was chosen by `buildx use`, the context's own where none was or it is gone."""
    import json

    key = key_of(invocation)
    try:
        value = json.loads(_read(f"{folder(invocation)}/current") or "{}")
    except ValueError:
        value = {}
    names = []
    if isinstance(value, dict) and (value.get("Key") == key or value.get("Global")):
        names.append(str(value.get("Name") or ""))
    names.append(_read(_defaults(invocation, key)).strip())
    for name in names:
        found = instance(invocation, name)
        if found is not None:
            return found
    return of_context(context_store.current_name(invocation))


def chosen(invocation: Invocation) -> Builder:
    """Return the builder of a command: --builder, BUILDX_BUILDER, for `docker build` the context's own, else the one in use.

    Raises HyperBoxError with buildx's words where there is none of that name.
    """
    given = invocation.flags.get("builder") or invocation.globals.get("builder") or os.environ.get("BUILDX_BUILDER")
    if given:
        return named(invocation, str(given))
    if invocation.globals.get("is-plain-build") and not is_alias(invocation):
        return of_context(context_store.current_name(invocation))
    return in_use(invocation)


def is_alias(invocation: Invocation) -> bool:
    """Return whether `buildx install` was done: `docker build` is then `docker buildx build` with the builder in use."""
    from hyperbox.cli.configuration_file import load

    aliases = load(invocation).get("aliases")
    return isinstance(aliases, dict) and aliases.get("builder") == "buildx"


def check_local(invocation: Invocation, builder: Builder) -> None:
    """Raise UnsupportedError for a builder that is not on this machine."""
    if builder.is_context:
        address = context_store.host(context_store.read(invocation, builder.name))
        places = {address} if builder.name != context_store.DEFAULT else set()
    elif builder.driver != CONTAINER:
        raise UnsupportedError(
            f'ERROR: builder "{builder.name}" has the driver {builder.driver}: HyperBox builds on this machine, without a BuildKit elsewhere'
        )
    else:
        places = {address_of(invocation, str(node.get("Endpoint") or "")) for node in builder.nodes}
    for place in places - context_store.LOCAL_HOSTS:
        raise UnsupportedError(f'ERROR: builder "{builder.name}" is at {place}: HyperBox builds on this machine only')


def address_of(invocation: Invocation, endpoint: str) -> str:
    """Return the engine's address of an endpoint, which is one or a context's name. Raises HyperBoxError for no context."""
    if "://" in endpoint:
        return endpoint
    return context_store.host(context_store.read(invocation, endpoint or context_store.DEFAULT))


# --- what it did last -----------------------------------------------------------------------------------------------------------------
def note_activity(invocation: Invocation, builder: Builder) -> None:
    """Record that a builder was made or built now."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):  # a build does not need a home that can be written to
        _write(f"{folder(invocation)}/activity/{builder.name}", now)


def last_activity(invocation: Invocation, builder: Builder) -> str:
    """Return when a builder was made or built last, RFC 3339; "" where that is not known."""
    return _read(f"{folder(invocation)}/activity/{builder.name}").strip()


def set_status(invocation: Invocation, builder: Builder, status: str) -> None:
    """Record "running" or "stopped" for a builder that was made by `buildx create`."""
    if not builder.is_context:
        with suppress(OSError):
            _write(_path(invocation, "hyperbox", builder.name), status)


def status(invocation: Invocation, builder: Builder) -> str:
    """Return "running", "stopped" or "inactive" (never used)."""
    return "running" if builder.is_context else _read(_path(invocation, "hyperbox", builder.name)) or "inactive"
