"""Lists as docker's `--format` shows them: tables, templates, JSON lines, raw blocks and ids only.

A list command describes its objects once, as a `Listing`; `show` does the rest, with docker's headers, warnings and error texts.
A hot path: the default table of `ps` and `images` loads no template code.
"""

from __future__ import annotations

import sys

from hyperbox.cli.output import go_json, table
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hyperbox.cli.templates_values import Record
    from hyperbox.grammar.parse import Invocation


class Listing:
    """What a kind of object shows.

    type      Go's name for it in error messages: "*formatter.ContainerContext"
    methods   field name -> function of an object; all of them make up its JSON
    calls     the fields that take one word: `.Label "x"`
    headers   field name -> heading; the fields that a table can have a heading for
    columns   the default table, field names
    raw       the `raw` format: (label, field name); empty where there is none
    identity  the field that --quiet prints
    quiet_first  whether --quiet wins over a template
    whole     what `{{json .}}` shows of an object in place of all methods
    """

    __slots__ = ("calls", "columns", "headers", "identity", "methods", "quiet_first", "raw", "type", "whole")

    def __init__(
        self,
        type_name: str,
        methods: Mapping[str, Callable[..., object]],
        headers: Mapping[str, str],
        columns: Sequence[str],
        *,
        calls: Mapping[str, Callable[..., object]] | None = None,
        raw: Sequence[tuple[str, str]] = (),
        identity: str = "ID",
        quiet_first: bool = False,
        whole: Callable[[object], dict[str, object]] | None = None,
    ) -> None:
        self.whole = whole
        self.type = type_name
        self.methods = methods
        self.calls = calls if calls is not None else {}
        self.headers = headers
        self.columns = columns
        self.raw = raw
        self.identity = identity
        self.quiet_first = quiet_first


def show(
    listing: Listing, items: Iterable[object], template: str = "", *, quiet: bool = False, columns: Sequence[str] = ()
) -> None:
    """Write the objects to stdout as `template` says ("" the default table). `columns` replaces the default table's."""
    sys.stdout.write(text_of(listing, items, template, quiet=quiet, columns=columns))


def warn_of_format(invocation_format: str, quiet: bool) -> None:
    """Say on stderr that --quiet wins over --format, as docker does."""
    if invocation_format and quiet:
        sys.stderr.write("WARNING: Ignoring custom format, because both --format and --quiet are set.\n")


def text_of(
    listing: Listing, items: Iterable[object], template: str = "", *, quiet: bool = False, columns: Sequence[str] = ()
) -> str:
    """Return the whole list as text. Raises HyperBoxError with docker's words for a bad template."""
    if template == "json" and not (quiet and listing.quiet_first):
        return "".join(go_json(_sorted(listing, item)) + "\n" for item in items)
    is_table = template.startswith("table") or not template
    is_default = template in ("", "table")
    pattern = template[5:].strip(" ") if is_table else template.strip(" ")
    if template == "raw" and listing.raw:
        return _raw(listing, items, quiet)
    if quiet and (listing.quiet_first or is_default):
        return "".join(f"{listing.methods[listing.identity](item)}\n" for item in items)
    if is_default:
        names = columns or listing.columns
        rows = [[listing.headers[name] for name in names]]
        rows.extend([str(listing.methods[name](item)) for name in names] for item in items)
        return table(rows)
    return _by_template(listing, items, pattern, is_table=is_table)


def _sorted(listing: Listing, item: object) -> object:
    from hyperbox.cli.templates_values import plain

    return plain({name: listing.methods[name](item) for name in listing.methods})


def _raw(listing: Listing, items: Iterable[object], quiet: bool) -> str:
    """docker's `raw`: a block of "label: value" lines an object, an empty line after each."""
    if quiet:
        label = next(label for label, name in listing.raw if name == listing.identity)
        return "".join(f"{label}: {listing.methods[listing.identity](item)}\n" for item in items)
    blocks = []
    for item in items:
        lines = [f"{label}: {listing.methods[name](item)}" for label, name in listing.raw]
        blocks.append("".join(line.rstrip() + "\n" for line in lines) + "\n")
    return "".join(blocks)


def record(listing: Listing, item: object) -> Record:
    """Return an object as the value that a template works on."""
    from hyperbox.cli.templates_values import Record

    return Record(listing.type, item, listing.methods, listing.calls, listing.whole)


def _label_header(_headers: object, name: str) -> str:
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")


def _by_template(listing: Listing, items: Iterable[object], pattern: str, *, is_table: bool) -> str:
    from hyperbox.cli import templates
    from hyperbox.cli.output import tabulate

    pattern = pattern.replace("\\t", "\t").replace("\\n", "\n")
    try:
        parsed = templates.parse(pattern)
    except templates.ParseError as error:
        raise HyperBoxError(f"template parsing error: {error}") from None
    lines = []
    try:
        for item in items:
            lines.append(templates.execute(parsed, record(listing, item)) + "\n")
    except templates.ExecuteError as error:
        raise HyperBoxError(f"template parsing error: {error}") from None
    if not is_table:
        return "".join(lines)
    return tabulate(header_of(listing, parsed) + "\n" + "".join(lines))


def header_of(listing: Listing, parsed: object) -> str:
    """Return a table's heading: the template over the headings. A template that fails on them has what it had written so far."""
    from hyperbox.cli import templates
    from hyperbox.cli.templates_values import MISSING, Record

    class Headers(Record):
        """Field names to headings; an unknown one is no value, as in a map."""

        __slots__ = ()

    missing = {name: (lambda _item: MISSING) for name in listing.methods}
    methods = {**missing, **{name: _constant(text) for name, text in listing.headers.items()}}
    calls = dict.fromkeys(listing.calls, _label_header)
    assert isinstance(parsed, templates.Template)
    try:
        return templates.execute(
            parsed, Headers("map[string]string", None, methods, calls), functions=templates.HEADER_FUNCTIONS
        )
    except templates.ExecuteError as error:
        return error.partial


def _constant(text: str) -> Callable[[object], str]:
    return lambda _item: text


def configured_format(invocation: Invocation, key: str, *, quiet: bool = False) -> str:
    """Return the format that was given, or, unless --quiet was, the one that config.json has under `key` ("psFormat"), or ""."""
    given = str(invocation.flags["format"])
    if given or quiet:
        return given
    from hyperbox.cli.configuration_file import setting

    return setting(key, invocation)
