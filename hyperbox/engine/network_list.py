"""Listing networks by docker's filters, and removing those that nobody uses."""

from __future__ import annotations

from hyperbox.engine import life_events, network_manage, network_setup, network_store
from hyperbox.engine.listing_filters import search
from hyperbox.errors import HyperBoxError, InvalidParameter, check_filters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.state import Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]

LIST_FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
PRUNE_FILTERS = ("label", "label!", "until")
TRUE, FALSE = ("true", "1"), ("false", "0")  # of Go's booleans docker's filters take these


def has_label(record: Json, wanted: str) -> bool:
    """Return whether a network has the label KEY or KEY=VALUE."""
    labels = record["Labels"]
    key, equals, value = wanted.partition("=")
    return isinstance(labels, dict) and key in labels and (not equals or str(labels[key]) == value)


def matches(record: Json, filters: Filters, used: set[str]) -> bool:
    """Return whether a network passes all filters; `used` are the ids of networks that a container is on."""
    predefined = record["Name"] in network_store.PREDEFINED
    tests: dict[str, Callable[[str], bool]] = {
        "id": lambda value: search(value, str(record["Id"])),
        "name": lambda value: search(value, str(record["Name"])),
        "driver": lambda value: record["Driver"] == value,
        "scope": lambda value: record["Scope"] == value,
        "type": lambda value: (value == "builtin") == predefined,
        "dangling": lambda value: (value in TRUE) == (record["Id"] not in used and not predefined),
    }
    for key, values in filters.items():
        if key == "label":
            if not all(has_label(record, value) for value in values):
                return False
        elif values and not any(tests[key](value) for value in values):
            return False
    return True


def network_list(roots: Roots, filters: Filters | None = None) -> list[Json]:
    """See `engine.api.Engine.network_list`."""
    filters = filters or {}
    check_filters(filters, LIST_FILTERS)
    for value in filters.get("type", ()):
        if value not in ("builtin", "custom"):
            raise InvalidParameter(f"invalid filter: 'type'='{value}'")
    if len(filters.get("dangling", ())) > 1:
        raise InvalidParameter('got more than one value for filter key "dangling"')
    for value in filters.get("dangling", ()):
        if value not in (*TRUE, *FALSE):
            raise InvalidParameter(
                'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")'
            )
    records = network_store.all_networks(roots)
    used = used_networks(roots, records) if "dangling" in filters else set()
    found = [{**network_manage.shown(record), "Containers": {}} for record in records if matches(record, filters, used)]
    return sorted(found, key=lambda record: str(record["Name"]))


def used_networks(roots: Roots, records: list[Json]) -> set[str]:
    """Return the ids of the networks that a container, running or not, is to be on."""
    from hyperbox.engine.state import all_containers

    by_reference = {str(record[key]): str(record["Id"]) for record in records for key in ("Name", "Id")}
    used: set[str] = set()
    for container in all_containers(roots):
        for name in network_setup.wanted_endpoints(container):
            used.add(by_reference.get(name, ""))
    return used


def network_prune(roots: Roots, filters: Filters | None = None) -> Json:
    """See `engine.api.Engine.network_prune`: removes what no container is on and the filters name."""
    filters = filters or {}
    check_filters(filters, PRUNE_FILTERS)
    records = network_store.all_networks(roots)
    used = used_networks(roots, records)
    deleted = []
    for record in sorted(records, key=lambda record: str(record["Name"])):
        if record["Name"] in network_store.PREDEFINED or record["Id"] in used:
            continue
        if not all(has_label(record, value) for value in filters.get("label", ())):
            continue
        if any(has_label(record, value) for value in filters.get("label!", ())):
            continue
        if not all(older(record, value) for value in filters.get("until", ())):
            continue
        try:
            network_manage.network_remove(roots, str(record["Id"]))
        except HyperBoxError:  # taken by a container in this moment
            continue
        deleted.append(record["Name"])
    life_events.pruned(roots, "network", 0)
    return {"NetworksDeleted": deleted}


def older(record: Json, until: str) -> bool:
    """Return whether a network was made before a moment: RFC 3339, seconds of the epoch, or so long ago ("24h")."""
    import time

    from hyperbox.go.times import timestamp_seconds
    from hyperbox.image import moments

    try:
        limit = moments.to_moment(until, time.time())
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
    return timestamp_seconds(str(record["Created"])) < limit
