"""`docker builder prune`, `docker buildx prune`, `docker buildx du`: what builds left behind."""

from __future__ import annotations

import sys
import time

from hyperbox.build.api import cache_prune, cache_usage
from hyperbox.cli.build import check_builder
from hyperbox.cli.connect import native_engine
from hyperbox.cli.context_store import check_endpoint
from hyperbox.cli.output import table
from hyperbox.errors import HyperBoxError
from hyperbox.go.durations import parse_duration
from hyperbox.go.times import timestamp_seconds
from hyperbox.go.units import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.state import Roots
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

DANGLING = "WARNING! This will remove all dangling build cache. Are you sure you want to continue?"
EVERYTHING = "WARNING! This will remove all build cache. Are you sure you want to continue?"
COLUMNS = ("ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED")
# API field -> what a template calls it
FIELDS = (
    "CreatedAt",
    "Description",
    "ID",
    "LastUsedAt",
    "Mutable",
    "Parents",
    "Reclaimable",
    "Shared",
    "Size",
    "Type",
    "UsageCount",
)


HEADERS = (
    *("CREATED AT", "DESCRIPTION", "ID", "LAST ACCESSED", "MUTABLE", "PARENTS", "RECLAIMABLE"),
    *("SHARED", "SIZE", "TYPE", "USAGE COUNT"),
)


def roots_of(invocation: Invocation) -> Roots:
    """Return where the engine keeps things. Raises UnsupportedError for another engine than our own."""
    check_endpoint(invocation)
    return native_engine().roots


def filters_of(invocation: Invocation) -> dict[str, list[str]]:
    """Return --filter as key -> values. Raises HyperBoxError with buildx's words for a time that is no duration."""
    found: dict[str, list[str]] = {}
    given = invocation.flags["filter"]
    if isinstance(given, dict):
        found = {str(key): [str(value) for value in values] for key, values in given.items()}
    for word in given if isinstance(given, list) else []:
        name, _, value = str(word).partition("=")
        found.setdefault(name, []).append(value)
    for value in found.get("until", ()):
        try:
            parse_duration(value)
        except ValueError as error:
            raise HyperBoxError(f"ERROR: \"until\" filter expects a duration (e.g., '24h'): {error}") from None
    return found


def _number(invocation: Invocation, name: str) -> int:
    value = invocation.flags.get(name)
    return value if isinstance(value, int) else 0


def prune(invocation: Invocation) -> int:
    """`docker builder prune`."""
    check_builder(invocation)
    flags = invocation.flags
    everything = bool(flags["all"])
    if not flags["force"] and not confirmed(EVERYTHING if everything else DANGLING):
        return 0
    done = cache_prune(
        roots_of(invocation),
        all=everything,
        filters=filters_of(invocation),
        reserved_space=_number(invocation, "reserved-space") or _number(invocation, "keep-storage"),
        max_used_space=_number(invocation, "max-used-space"),
        min_free_space=_number(invocation, "min-free-space"),
    )
    records = done.get("Records")
    rows = [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
    if rows and flags["verbose"]:
        sys.stdout.write("".join(pretty(row) for row in rows))
    elif rows:
        sys.stdout.write(listing(rows))
    space = done.get("SpaceReclaimed")
    print(f"Total:\t{human_size(space if isinstance(space, int) else 0, precision=4)}")
    return 0


def confirmed(question: str) -> bool:
    """Ask on stdin; the end of input means no. Raises HyperBoxError where INT or TERM comes instead of an answer."""
    from hyperbox.cli.prompt import wait_for_a_line

    try:
        sys.stdout.write(f"{question} [y/N] ")
        sys.stdout.flush()
        wait_for_a_line()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        raise HyperBoxError("ERROR: got 1 SIGTERM/SIGINTs, forcing shutdown") from None


def since(row: Json) -> str:
    """Return how long ago a record was used."""
    text = str(row.get("LastUsedAt") or "")
    return f"{human_duration(time.time() - timestamp_seconds(text))} ago" if text else ""


def size_of(row: Json) -> int:
    """Return a record's size in bytes."""
    size = row.get("Size")
    return size if isinstance(size, int) else 0


def size_text(size: int) -> str:
    """Return a size as buildx shows it."""
    return human_size(size, precision=4)


def listing(rows: Sequence[Json]) -> str:
    """Return records as a table; a record that can change (a cache mount, a context) has a star."""
    lines = [COLUMNS]
    for row in rows:
        identity, size = starred(row)
        lines.append((identity, _bool(not row.get("InUse")), size, since(row)))
    return table(lines)


def starred(row: Json) -> tuple[str, str]:
    """Return a record's id and size as tables have them: a star behind the id of what can change, and behind a size that images share."""
    return (
        f"{row.get('ID')}{'*' if row.get('Mutable') else ''}",
        f"{size_text(size_of(row))}{'*' if row.get('Shared') else ''}",
    )


def _bool(value: object) -> str:
    return "true" if value else "false"


def pretty(row: Json) -> str:
    """Return one record in full."""
    parents = row.get("Parents")
    facts = [
        ("ID", row.get("ID")),
        ("Parents", "".join(f"\n - {one}" for one in parents) if isinstance(parents, list) else ""),
        ("Created at", row.get("CreatedAt")),
        ("Mutable", _bool(row.get("Mutable"))),
        ("Reclaimable", _bool(not row.get("InUse"))),
        ("Shared", _bool(row.get("Shared"))),
        ("Size", size_text(size_of(row))),
        ("Description", row.get("Description")),
        ("Usage count", row.get("UsageCount")),
        ("Last used", since(row)),
        ("Type", row.get("Type")),
    ]
    shown = [(f"{name}:" if name == "Parents" else f"{name + ':':<14}", value) for name, value in facts]
    return "".join(f"{name}{value}\n" for name, value in shown if value not in ("", None)) + "\n"


def disk_usage(invocation: Invocation) -> int:
    """`docker buildx du`."""
    check_builder(invocation)
    flags = invocation.flags
    filters = filters_of(invocation)
    rows = cache_usage(roots_of(invocation), filters)
    template = str(flags["format"] or ("pretty" if flags["verbose"] else "table"))
    if flags["verbose"] and flags["format"]:
        raise HyperBoxError("ERROR: --format and --verbose cannot be used together")
    if template not in ("table", "pretty"):
        sys.stdout.write(_by_template(rows, template))
        return 0
    sys.stdout.write("".join(pretty(row) for row in rows) if template == "pretty" else listing(rows))
    if not filters:
        sys.stdout.write(totals(rows))
    return 0


def totals(rows: Sequence[Json]) -> str:
    """Return the closing lines: shared and private, reclaimable, total."""
    shared = sum(size_of(row) for row in rows if row.get("Shared"))
    reclaimable = sum(size_of(row) for row in rows if not row.get("InUse"))
    total = sum(size_of(row) for row in rows)
    out = f"Shared:\t\t{size_text(shared)}\nPrivate:\t{size_text(total - shared)}\n" if shared else ""
    return out + f"Reclaimable:\t{size_text(reclaimable)}\nTotal:\t\t{size_text(total)}\n"


def _by_template(rows: Sequence[Json], template: str) -> str:
    from hyperbox.cli import templates
    from hyperbox.cli.output import go_json
    from hyperbox.cli.templates_values import Record

    methods = {name: lambda item, name=name: item[name] for name in FIELDS}
    out: list[str] = []
    tabular = template.startswith("table")
    template = template.removeprefix("table").strip().replace("\\t", "\t").replace("\\n", "\n") if tabular else template
    values: list[Json] = [dict(zip(FIELDS, HEADERS, strict=True))] if tabular else []
    for row in rows:
        value: Json = {**{name: row.get(name) for name in FIELDS}, "Reclaimable": not row.get("InUse")}
        value.update(Size=size_text(size_of(row)), LastUsedAt=since(row))
        if tabular:
            value["ID"], value["Size"] = starred(row)
        values.append(value)
    for value in values:
        if template == "json":
            out.append(go_json(value))
            continue
        try:
            out.append(templates.render(template, Record("*commands.diskusageContext", value, methods, {})))
        except templates.ParseError as error:
            raise HyperBoxError(f"ERROR: template parsing error: {error}") from None
        except templates.ExecuteError as error:
            raise HyperBoxError(f"ERROR: template parsing error: {error}") from None
    return table([line.split("\t") for line in out]) if tabular else "".join(f"{line}\n" for line in out)
