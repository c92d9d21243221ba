"""`docker images`: the list of images as a table, in any format, or as a tree. A hot path: templates load only when one is given."""

from __future__ import annotations

import sys
import time

from hyperbox.cli.container_list import number, parse_filters, words
from hyperbox.cli.output import go_time, short_id
from hyperbox.cli.output_list import Listing, configured_format, show, text_of
from hyperbox.go.units import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}
COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
DIGEST_COLUMNS = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")
RAW = (
    ("repository", "Repository"),
    ("tag", "Tag"),
    ("image_id", "ID"),
    ("created_at", "CreatedAt"),
    ("virtual_size", "Size"),
)
NONE = "<none>"


class Row:
    """One line of the list: an image under one of its names."""

    __slots__ = ("digest", "image", "repository", "tag")

    def __init__(self, image: Json, repository: str, tag: str, digest: str) -> None:
        self.image = image
        self.repository = repository
        self.tag = tag
        self.digest = digest


def familiar(name: str) -> str:
    """Return a repository as docker shows it: without docker.io/ and library/."""
    name = name.removeprefix("docker.io/")
    return name.removeprefix("library/") if name.count("/") == 1 else name


def rows_of(image: Json, *, digests: bool, by_digest: bool = False) -> list[Row]:
    """Return a line for each tag of an image (with `digests`, for each tag and digest), or the one line of a nameless one.

    `by_digest`: a repository without a tag has a line for each digest too.
    """
    tags: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for name in words(image, "RepoTags"):
        repository, colon, tag = name.rpartition(":")
        if colon and repository != NONE:
            tags.setdefault(familiar(repository), []).append(tag)
    for name in words(image, "RepoDigests"):
        repository, at, digest = name.partition("@")
        if at and repository != NONE:
            known.setdefault(familiar(repository), []).append(digest)
    if not tags and not known:
        return [Row(image, NONE, NONE, NONE)]
    rows: list[Row] = []
    for repository, its_tags in tags.items():
        its_digests = known.pop(repository, []) if digests else known.pop(repository, [])[:0]
        rows.extend(Row(image, repository, tag, digest) for tag in its_tags for digest in its_digests or [NONE])
    for repository, its_digests in known.items():
        rows.extend(Row(image, repository, NONE, digest) for digest in (its_digests if by_digest else [""]))
    return rows


def _or_unknown(value: int, text: str) -> str:
    return "N/A" if value < 0 else text


def _unique(image: Json) -> str:
    shared = _shared(image)
    whole = number(image, "Size")
    return "N/A" if shared < 0 or whole < 0 else human_size(whole - shared, precision=4)


def _shared(image: Json) -> int:
    value = image.get("SharedSize", -1)
    return value if isinstance(value, int) else -1


def listing(*, short: bool, now: float) -> Listing:
    """Return how the lines of the list are shown; `short`: ids are cut."""
    methods = {
        "ID": lambda row: short_id(str(row.image["Id"])) if short else str(row.image["Id"]),
        "Repository": lambda row: row.repository,
        "Tag": lambda row: row.tag,
        "Digest": lambda row: row.digest,
        "CreatedSince": lambda row: created_since(number(row.image, "Created"), now),
        "CreatedAt": lambda row: go_time(number(row.image, "Created")),
        "Size": lambda row: human_size(number(row.image, "Size")),
        "Containers": lambda row: _or_unknown(
            int(str(row.image.get("Containers", -1))), str(row.image.get("Containers", -1))
        ),
        "VirtualSize": lambda row: human_size(number(row.image, "Size"), precision=4),
        "SharedSize": lambda row: _or_unknown(_shared(row.image), human_size(_shared(row.image), precision=4)),
        "UniqueSize": lambda row: _unique(row.image),
    }
    return Listing("*formatter.imageContext", methods, HEADERS, COLUMNS, raw=RAW)


def created_since(created: int, now: float) -> str:
    """Return how old an image is; "N/A" for one without a date (a reproducible build's)."""
    return "N/A" if created <= 0 else human_duration(now - created) + " ago"


def list_images(invocation: Invocation) -> int:
    """docker images [REPOSITORY[:TAG]]"""
    from hyperbox.cli.connect import engine_for

    flags = invocation.flags
    template = configured_format(invocation, "imagesFormat", quiet=bool(flags["quiet"]))
    quiet = bool(flags["quiet"])
    filters = parse_filters(flags["filter"])
    if invocation.arguments:
        filters.setdefault("reference", []).append(invocation.arguments[0])
    if flags.get("tree"):
        _check_tree(invocation)
    by_digest = bool(flags["digests"])
    digests = by_digest or "{{.Digest}}" in template
    images = engine_for(invocation).image_list(
        all=bool(flags["all"]),
        filters=filters,
        digests=digests,
        containers="Containers" in template or "json" in template,
    )
    if flags.get("tree"):
        from hyperbox.cli.image_tree import tree

        sys.stdout.write(
            "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.\n"
        )
        sys.stdout.write(tree(images, colour=True))
        return 0
    shown = listing(short=not flags["no-trunc"], now=time.time())
    rows = [row for image in images for row in rows_of(image, digests=digests and not quiet, by_digest=by_digest)]
    show(shown, rows, template, quiet=quiet, columns=DIGEST_COLUMNS if flags["digests"] else COLUMNS)
    return 0


def _check_tree(invocation: Invocation) -> None:
    from hyperbox.errors import HyperBoxError

    for flag in ("quiet", "no-trunc", "digests", "format"):
        if invocation.flags[flag]:
            flag = "show-digest" if flag == "digests" else flag  # docker's own slip
            raise HyperBoxError(f"--{flag} is not yet supported with --tree")


__all__ = ["Row", "list_images", "listing", "rows_of", "text_of"]
