"""`docker buildx ls | inspect | create | use | stop | rm | install | uninstall | version`: the builders that `builder_store` keeps."""

from __future__ import annotations

import sys

from hyperbox.cli import builder_store as store
from hyperbox.cli.connect import engine_for
from hyperbox.cli.output import tabulate
from hyperbox.cli.output_list import Listing, show
from hyperbox.cli.version import BUILDX_VERSION
from hyperbox.errors import ExitStatus, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperbox.cli.builder_store import Builder
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

VERSION = "hyperbox"  # what answers for BuildKit
HEADERS = {
    "Name": "NAME/NODE",
    "DriverEndpoint": "DRIVER/ENDPOINT",
    "Status": "STATUS",
    "Buildkit": "BUILDKIT",
    "Platforms": "PLATFORMS",
    "LastActivity": "LAST ACTIVITY",
    "Error": "",
}
COLUMNS = ("Name", "DriverEndpoint", "Status", "Buildkit", "Platforms")
INACTIVE = "WARNING! This will remove all builders that are not in running state. Are you sure you want to continue?"
NEVER = "0001-01-01T00:00:00Z"


def version(invocation: Invocation) -> int:
    """Print the line by which tools find out which flags `docker build` takes: those of this buildx."""
    del invocation
    sys.stdout.write(f"github.com/docker/buildx v{BUILDX_VERSION} hyperbox\n")
    return 0


def own_platform(invocation: Invocation) -> str:
    """Return this machine's platform as the engine tells it. Raises Unavailable where there is no engine."""
    told = engine_for(invocation).version()
    return f"{told.get('Os') or 'linux'}/{told.get('Arch') or 'amd64'}"


def platforms(node: Json, own: str) -> list[str]:
    """Return the platforms of a node as buildx lists them: those that it was given, with a star, and (`own` not "") this machine's."""
    given = node.get("Platforms")
    words = []
    for entry in given if isinstance(given, list) else []:
        if isinstance(entry, dict):
            words.append("/".join(str(entry[key]) for key in ("os", "architecture", "variant") if entry.get(key)))
    return [f"{word}*" for word in words] + ([own] if own and own not in words else [])


# --- inspect ------------------------------------------------------------------------------------------------------------------
def inspect(invocation: Invocation) -> int:
    """`docker buildx inspect`."""
    builder = store.named(invocation, invocation.arguments[0]) if invocation.arguments else store.chosen(invocation)
    if invocation.flags["bootstrap"]:
        bootstrap(invocation, builder)
    running = store.status(invocation, builder) == "running"
    own = own_platform(invocation) if running else ""
    last = store.last_activity(invocation, builder)
    rows = [f"Name:\t{builder.name}", f"Driver:\t{builder.driver}"]
    if last:
        rows.append(f"Last Activity:\t{last.replace('T', ' ').removesuffix('Z')} +0000 UTC")
    text = _aligned(rows) + "\nNodes:\n"
    text += "\n".join(_aligned(_node_rows(invocation, builder, node, own)) for node in builder.nodes)
    sys.stdout.write(text)
    return 0


def _aligned(rows: list[str]) -> str:
    return tabulate("".join(f"{row}\n" for row in rows), min_width=0, padding=1)


def _node_rows(invocation: Invocation, builder: Builder, node: Json, own: str) -> list[str]:
    rows = [f"Name:\t{node.get('Name') or ''}", f"Endpoint:\t{node.get('Endpoint') or ''}"]
    options, flags = node.get("DriverOpts"), node.get("Flags")
    if isinstance(options, dict) and options:
        rows.append("Driver Options:\t" + " ".join(f'{key}="{options[key]}"' for key in sorted(options)))
    rows.append(f"Status:\t{store.status(invocation, builder)}")
    if isinstance(flags, list) and flags:
        rows.append("BuildKit daemon flags:\t" + " ".join(map(str, flags)))
    if own:
        rows.append(f"BuildKit version:\t{VERSION}")
    shown = platforms(node, own)
    return [*rows, f"Platforms:\t{', '.join(shown)}"] if shown else rows


def bootstrap(invocation: Invocation, builder: Builder) -> None:
    """Make a builder ready, which takes nothing. Raises UnsupportedError for one that is not on this machine."""
    store.check_local(invocation, builder)
    if not builder.is_context and store.status(invocation, builder) != "running":
        sys.stderr.write("#1 [internal] booting buildkit\n#1 DONE 0.0s\n")
        store.set_status(invocation, builder, "running")


# --- ls -------------------------------------------------------------------------------------------------------------------------
def _builders(invocation: Invocation) -> list[Builder]:
    made = [found for name in store.names(invocation) if (found := store.instance(invocation, name)) is not None]
    own = sorted(store.contexts(invocation))
    return [*sorted(made, key=lambda builder: builder.name), *map(store.of_context, own)]


def list_builders(invocation: Invocation) -> int:
    """`docker buildx ls`."""
    template = str(invocation.flags["format"] or "table")
    own = own_platform(invocation)
    try:
        current = store.chosen(invocation).name
    except HyperBoxError:  # BUILDX_BUILDER names one that is not there: none is marked
        current = ""
    if template == "json":
        from hyperbox.cli.output import go_json

        for builder in _builders(invocation):
            print(go_json(_builder_json(invocation, builder, current, own)))
        return 0

    def field(name: str) -> Callable[..., object]:
        return lambda row: row.get(name, "")

    rows: list[object] = []
    builders: dict[int, Builder] = {}  # of each row, which `{{json .}}` shows whole
    for builder in _builders(invocation):
        for row in _rows(invocation, builder, current, own, is_table=template.startswith("table")):
            builders[id(row)] = builder
            rows.append(row)
    listing = Listing(
        "*commands.lsContext",
        {name: field(name) for name in HEADERS},
        HEADERS,
        COLUMNS,
        whole=lambda row: _builder_json(invocation, builders[id(row)], current, own),
    )
    try:
        show(listing, rows, template)
    except HyperBoxError as error:
        raise HyperBoxError(f"ERROR: {error.message}") from None
    return 0


def _rows(
    invocation: Invocation, builder: Builder, current: str, own: str, *, is_table: bool
) -> Iterator[dict[str, str]]:
    star = "*" if is_table and builder.name == current else ""
    branch = " \\_ " if is_table else ""
    last = store.last_activity(invocation, builder)
    yield {"Name": builder.name + star, "DriverEndpoint": builder.driver, "LastActivity": last}
    status = store.status(invocation, builder)
    running = status == "running"
    for node in builder.nodes:
        yield {
            "Name": f"{branch}{node.get('Name') or ''}",
            "DriverEndpoint": f"{branch}{node.get('Endpoint') or ''}",
            "Status": status,
            "Buildkit": VERSION if running else "",
            "Platforms": ", ".join(platforms(node, own if running else "")),
        }


def _builder_json(invocation: Invocation, builder: Builder, current: str, own: str) -> Json:
    status = store.status(invocation, builder)
    running = status == "running"
    nodes: list[Json] = []
    for node in builder.nodes:
        shown: Json = {key: node[key] for key in ("DriverOpts", "Endpoint", "Flags", "Name") if node.get(key)}
        words = [word.removesuffix("*") for word in platforms(node, own if running else "")]
        if words:
            shown["Platforms"] = words
        shown["Status"] = status
        nodes.append({**shown, "Version": VERSION} if running else shown)
    return {
        "Current": builder.name == current,
        "Driver": builder.driver,
        "Dynamic": builder.dynamic,
        "LastActivity": store.last_activity(invocation, builder) or NEVER,
        "Name": builder.name,
        "Nodes": nodes,
    }


# --- use, stop, rm ------------------------------------------------------------------------------------------------------------------
def use(invocation: Invocation) -> int:
    """`docker buildx use`: a builder that was made, or (by its own name) the context's."""
    from hyperbox.cli import context_store

    name, flags = (*invocation.arguments, "")[0], invocation.flags
    with store.locked(invocation):
        if store.instance(invocation, name) is None:
            if name != context_store.current_name(invocation):
                _no_such_instance(invocation, name)
            name = ""
        store.choose(invocation, name, everywhere=bool(flags["global"]), default=bool(flags["default"]))
    return 0


def install(invocation: Invocation) -> int:
    """`docker buildx install`: a note in config.json that `docker builder` means buildx, which it does anyhow."""
    return _alias(invocation, "buildx")


def uninstall(invocation: Invocation) -> int:
    """`docker buildx uninstall`: the note goes."""
    return _alias(invocation, "")


def _alias(invocation: Invocation, meaning: str) -> int:
    from hyperbox.cli.configuration_file import folder, load
    from hyperbox.image.credentials import write_config

    config = load(invocation)
    known = config.pop("aliases", None)
    aliases = {name: value for name, value in (known if isinstance(known, dict) else {}).items() if name != "builder"}
    if meaning:
        aliases["builder"] = meaning
    if aliases:
        config["aliases"] = aliases
    write_config(folder(invocation), config)
    return 0


def _no_such_instance(invocation: Invocation, name: str) -> None:
    """Raise HyperBoxError with the reason why a name can't be chosen."""
    if name in store.contexts(invocation):
        raise HyperBoxError(f"ERROR: run `docker context use {name}` to switch to context {name}")
    path = f"{store.folder(invocation)}/instances/{name.lower()}"
    reason = store.mistake(name) or f"open {path}: no such file or directory"
    raise HyperBoxError(f'ERROR: failed to find instance "{name}": {reason}')


def stop(invocation: Invocation) -> int:
    """`docker buildx stop`: no process runs between builds, so it is a note only."""
    builder = store.named(invocation, invocation.arguments[0]) if invocation.arguments else store.chosen(invocation)
    if store.status(invocation, builder) == "running":
        store.set_status(invocation, builder, "stopped")
    return 0


def remove(invocation: Invocation) -> int:
    """`docker buildx rm`. What was cached is every builder's: `buildx prune` removes that."""
    flags = invocation.flags
    if flags["all-inactive"]:
        return _remove_inactive(invocation)
    failed = False
    for name in invocation.arguments or [str(flags["builder"] or "")]:
        try:
            builder = store.named(invocation, name) if name else store.in_use(invocation)
        except HyperBoxError as error:
            reason = error.message.removeprefix("ERROR: ")
        else:
            reason = f"context builder cannot be removed, run `docker context rm {builder.name}` to remove this context"
            if not builder.is_context:
                _remove(invocation, builder, name)
                continue
        failed = True
        print(f"failed to remove {name}: {reason}", file=sys.stderr)
    if failed:
        print("ERROR: failed to remove one or more builders", file=sys.stderr)
        raise ExitStatus(1)
    return 0


def _remove(invocation: Invocation, builder: Builder, shown: str) -> None:
    with store.locked(invocation):
        store.delete(invocation, builder)
    print(f"{shown} removed", file=sys.stderr)


def _remove_inactive(invocation: Invocation) -> int:
    from hyperbox.cli.build_cache import confirmed

    if invocation.arguments or invocation.flags["builder"]:
        raise HyperBoxError("ERROR: cannot specify builder name when --all-inactive is set")
    if not invocation.flags["force"] and not confirmed(INACTIVE):
        return 0
    for builder in _builders(invocation):
        if store.status(invocation, builder) != "running":
            _remove(invocation, builder, builder.name)
    return 0
