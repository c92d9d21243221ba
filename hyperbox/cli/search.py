"""`docker search`: images that Docker Hub or another registry knows."""

from __future__ import annotations

import sys

from hyperbox.cli.container_list import parse_filters
from hyperbox.cli.context_store import check_endpoint
from hyperbox.cli.image_transfer import auth_for
from hyperbox.cli.output import truncate
from hyperbox.cli.output_list import Listing, show
from hyperbox.image.search import search as search_registry
from hyperbox.image.search import split_term, star_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

WIDTH = 45
HEADERS = {"Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL"}
COLUMNS = ("Name", "Description", "StarCount", "IsOfficial")


def description(result: Json, *, whole: bool) -> str:
    """Return what an image is about, on one line; cut unless it is to be `whole`."""
    text = str(result.get("description") or "").replace("\n", " ").replace("\r", " ")
    return text if whole else truncate(text, WIDTH)


def search(invocation: Invocation) -> int:
    """docker search TERM"""
    flags = invocation.flags
    check_endpoint(invocation)
    filters = parse_filters(flags["filter"])
    if "is-automated" in filters:
        sys.stderr.write(
            'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in '
            "future.\n"
        )
    term, limit = invocation.arguments[0], flags["limit"]
    assert isinstance(limit, int)
    domain, _ = split_term(term)
    none = {"true", "1"} & set(filters.get("is-automated", ()))  # docker asks nobody then
    results = [] if none else search_registry(term, limit, filters, auth_for(invocation, domain))
    template = str(flags["format"])
    as_json = template == "json" or "json .}}" in template
    true, false = ("true", "false") if as_json else ("[OK]", "")
    methods = {
        "Description": lambda result: description(result, whole=bool(flags["no-trunc"])),
        "IsOfficial": lambda result: true if result.get("is_official") else false,
        "Name": lambda result: str(result.get("name", "")),
        "StarCount": lambda result: str(star_count(result)),
    }
    show(Listing("*registry.searchContext", methods, HEADERS, COLUMNS, identity="Name"), results, template)
    return 0
