"""`docker buildx create`: builders made and changed."""

from __future__ import annotations

import sys
from itertools import pairwise

from hyperbox.cli import builder_store as store
from hyperbox.cli.builder_store import CONTAINER, Builder
from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.go.text import parse_bool
from hyperbox.go.units import parse_bytes
from hyperbox.grammar.values import split_commas, to_int, to_memory_swap, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

NO_BUILDKIT = ("kubernetes", "remote")
# options of the driver docker-container that buildx knows, and what reads those that are no texts
OPTIONS: dict[str, Callable[[str], object] | None] = {
    **dict.fromkeys(("image", "network", "cpuset-cpus", "cpuset-mems", "cgroup-parent", "restart-policy")),
    **dict.fromkeys(("cpu-quota", "cpu-period", "cpu-shares"), to_int),
    "memory": parse_bytes,
    "memory-swap": to_memory_swap,
    "default-load": parse_bool,
}
ENTITLEMENT = "--allow-insecure-entitlement"
# what a build may ask for is decided by the build, so these need no daemon to take them
TAKEN = (f"{ENTITLEMENT}=network.host", f"{ENTITLEMENT}=security.insecure", ENTITLEMENT)
ENTITLEMENTS = ("network.host", "security.insecure")


def create(invocation: Invocation) -> int:
    """`docker buildx create`: make a builder, or add, change or remove one of its nodes; its name goes to stdout."""
    flags = invocation.flags
    if flags["append"] and not flags["name"]:
        raise HyperBoxError("ERROR: append requires a builder name")
    if flags["leave"] and not flags["name"]:
        raise HyperBoxError("ERROR: leave requires instance name")
    with store.locked(invocation):
        builder = _leave(invocation) if flags["leave"] else _made(invocation)
        store.save(invocation, builder)
        if flags["use"]:
            store.choose(invocation, builder.name)
    if flags["bootstrap"]:
        from hyperbox.cli.buildx import bootstrap

        bootstrap(invocation, builder)
    if not flags["leave"]:
        print(builder.name)
    return 0


def _leave(invocation: Invocation) -> Builder:
    """Return a builder without one of its nodes."""
    name, node = str(invocation.flags["name"]), str(invocation.flags["node"])
    builder = store.instance(invocation, name)
    if builder is None:
        raise HyperBoxError(f'ERROR: failed to find instance "{name}" for leave')
    if not node:
        raise HyperBoxError("ERROR: leave requires node name")
    left = [entry for entry in builder.nodes if entry.get("Name") != node]
    if len(left) == len(builder.nodes):
        raise HyperBoxError(f'ERROR: node "{node}" not found for {name}')
    if not left:
        raise HyperBoxError("ERROR: can not leave last node, do you want to rm instance instead?")
    return Builder(builder.name, builder.driver, left)


def _made(invocation: Invocation) -> Builder:
    """Return a new builder, or an old one with a node more or a node changed. Raises HyperBoxError with buildx's words."""
    flags = invocation.flags
    name, driver, append = str(flags["name"]), str(flags["driver"]), bool(flags["append"])
    if not name:
        name = _free_name(invocation)
    check_name(invocation, name)
    found = store.instance(invocation, name)
    if found is None and append:
        raise HyperBoxError(f'ERROR: failed to find instance "{name}" for append')
    if found is not None and not append and not flags["node"]:
        raise HyperBoxError(
            f'ERROR: existing instance for "{name}" but no append mode, specify the node name to make changes for existing instances'
        )
    if found is not None and driver and driver != found.driver:
        raise HyperBoxError(f'ERROR: existing instance for "{name}" but has mismatched driver "{found.driver}"')
    _check_driver(name, driver or CONTAINER)
    builder = found or Builder(name, CONTAINER, [])
    _check_no_configuration(str(flags["buildkitd-config"]))
    node = _node(invocation, builder, str(flags["node"]))
    _place(builder, node, append=append or found is None)
    _check_options(builder.name, node)
    return builder


def _free_name(invocation: Invocation) -> str:
    from hyperbox.engine.names import generated_name

    while True:
        name = generated_name()
        if store.instance(invocation, name) is None:
            return name


def check_name(invocation: Invocation, name: str) -> None:
    """Raise HyperBoxError for what can't be a builder's name."""
    if name.lower() == "default":
        raise HyperBoxError("ERROR: default is a reserved name and cannot be used to identify builder instance")
    if (reason := store.mistake(name)) != "":
        raise HyperBoxError(f"ERROR: {reason}")
    if name in store.contexts(invocation):
        raise HyperBoxError(f'ERROR: instance name "{name}" already exists as context builder')


def _check_driver(name: str, driver: str) -> None:
    if driver == "docker":
        raise HyperBoxError('ERROR: additional instances of driver "docker" cannot be created')
    if driver in NO_BUILDKIT:
        raise UnsupportedError(
            f'ERROR: failed to initialize builder {name}: HyperBox builds on this machine, so there is no driver "{driver}"'
        )
    if driver != CONTAINER:
        raise HyperBoxError(f'ERROR: failed to find driver "{driver}"')


def _check_no_configuration(path: str) -> None:
    import os

    if not path:
        return
    if not os.path.exists(path):
        raise HyperBoxError(
            f"ERROR: buildkit configuration file not found: {path}: stat {path}: no such file or directory"
        )
    raise UnsupportedError(
        "ERROR: --buildkitd-config: HyperBox builds without BuildKit and reads no configuration of it",
        hint="docs/registries.md says how registries are reached",
    )


# --- one node -------------------------------------------------------------------------------------------------------------------
def _node(invocation: Invocation, builder: Builder, name: str) -> Json:
    """Return the node that the flags describe. Raises HyperBoxError, UnsupportedError for an engine that is elsewhere."""
    flags = invocation.flags
    used = {entry.get("Name") for entry in builder.nodes}
    number = 0
    while not name:
        candidate = f"{builder.name.lower()}{number}"
        name = "" if candidate in used else candidate
        number += 1
    endpoint = invocation.arguments[0] if invocation.arguments else ""
    if not endpoint or endpoint == "default":
        endpoint = store.key_of(invocation)
    node: Json = {"Name": name, "Endpoint": endpoint, "Platforms": _platforms(words_of(flags["platform"]))}
    node["DriverOpts"] = _options(words_of(flags["driver-opt"])) or None
    node["Flags"] = _daemon_flags(str(flags["buildkitd-flags"]))
    node["Files"] = None
    store.check_local(invocation, Builder(builder.name, CONTAINER, [node]))
    return node


def _platforms(words: list[str]) -> list[Json] | None:
    from hyperbox.image.platform import parse_platform

    found: list[Json] = []
    for word in (part.strip() for text in words for part in text.split(",")):
        try:
            system, architecture, variant = parse_platform(word)
        except ValueError as error:
            raise HyperBoxError(f"ERROR: {error}") from None
        platform: Json = {"architecture": architecture, "os": system}
        found.append({**platform, "variant": variant} if variant else platform)
    return found or None


def _options(words: list[str]) -> dict[str, str]:
    """Return --driver-opt's pairs, sorted. Raises HyperBoxError."""
    found: dict[str, str] = {}
    try:
        fields = [field for word in words for field in split_commas(word)]
    except ValueError as error:
        raise HyperBoxError(f"ERROR: {error}") from None
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise HyperBoxError(f'ERROR: invalid value "{field}", expecting k=v')
        found[key] = value
    return {key: found[key] for key in sorted(found)}


def _daemon_flags(text: str) -> list[str]:
    """Return --buildkitd-flags as words, with the one that buildx adds. Raises HyperBoxError."""
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        raise HyperBoxError("ERROR: failed to parse buildkit flags: EOF found when expecting closing quote") from None
    allowed = [value for flag, value in pairwise(words) if flag == ENTITLEMENT]
    allowed += [word.partition("=")[2] for word in words if word.startswith(f"{ENTITLEMENT}=")]
    for word in words:
        if word not in TAKEN and word not in ENTITLEMENTS:
            _tell_no_effect(f"--buildkitd-flags {word}")
    return words if "network.host" in allowed else [*words, f"{ENTITLEMENT}=network.host"]


def _place(builder: Builder, node: Json, *, append: bool) -> None:
    """Put a node into a builder in place of the one of its name, or as one more."""
    for index, entry in enumerate(builder.nodes):
        if entry.get("Name") == node["Name"]:
            print("WARNING: new settings may not be used until builder is restarted", file=sys.stderr)
            kept = {key: entry.get(key) for key in ("Platforms", "DriverOpts") if not node[key]}
            builder.nodes[index] = {**node, **kept}
            return
    if not append:
        raise HyperBoxError(f"ERROR: node {node['Name']} not found, did you mean to append?")
    if any(entry.get("Endpoint") == node["Endpoint"] for entry in builder.nodes):
        raise HyperBoxError(f"ERROR: invalid duplicate endpoint {node['Endpoint']}")
    builder.nodes.append(node)


def _check_options(name: str, node: Json) -> None:
    """Raise HyperBoxError for an option that the driver does not know or that has no sense, and tell of those without effect."""
    options = node["DriverOpts"]
    for key, value in options.items() if isinstance(options, dict) else ():
        if (reason := _mistake(key, value)) != "":
            raise HyperBoxError(f"ERROR: failed to initialize builder {name} ({node['Name']}): {reason}")
        if key != "default-load" and (key, value) != ("network", "host"):
            _tell_no_effect(f"--driver-opt {key}")


def _mistake(key: str, value: str) -> str:
    """Return what is wrong with one option of the driver docker-container, in buildx's words; "" for nothing."""
    if key.startswith("env."):
        return "" if len(key) > len("env.") else f'invalid env option "{key}", expecting env.FOO=bar'
    if key not in OPTIONS:
        return f"invalid driver option {key} for docker-container driver"
    reader = OPTIONS[key]
    try:
        if reader is not None:
            reader(value)
    except ValueError as error:
        return str(error)
    return ""


def _tell_no_effect(what: str) -> None:
    print(f"WARNING: {what} has no effect: no BuildKit runs for a builder of HyperBox", file=sys.stderr)
