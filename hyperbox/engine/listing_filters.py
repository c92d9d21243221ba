"""The filters of `ps` and `container prune`, with the Docker Engine's words for what it refuses."""

from __future__ import annotations

import re
import time

from hyperbox.engine.listing import ports
from hyperbox.engine.state import Container, Roots, find_container
from hyperbox.errors import InvalidParameter, check_filters
from hyperbox.go.text import invalid_syntax, out_of_range
from hyperbox.go.times import timestamp_seconds
from hyperbox.image.moments import to_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, object]
    Filters = dict[str, list[str]]
    Test = Callable[[Container, list[str]], bool]

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")


def matching(roots: Roots, containers: list[Container], filters: Filters) -> list[Container]:
    """Return the containers that pass all filters. Raises InvalidParameter, NotFound for a container that a filter names."""
    check(filters)
    for name in ("before", "since"):
        for reference in filters.get(name, ()):
            limit = str(find_container(roots, reference).record["Created"])
            containers = [
                container
                for container in containers
                if (str(container.record["Created"]) < limit) == (name == "before")
                and str(container.record["Created"]) != limit
            ]
    if "ancestor" in filters:
        images = set().union(*(images_of(roots, text) for text in filters["ancestor"]))
        containers = [container for container in containers if container.record["ImageID"] in images]
    tests = [(TESTS[name], values) for name, values in filters.items() if name in TESTS]
    return [container for container in containers if all(test(container, values) for test, values in tests)]


def check(filters: Filters) -> None:
    """Raise InvalidParameter for a filter that docker does not know, or a value that it does not take."""
    check_filters(filters, {*TESTS, "before", "since", "ancestor"})
    for name, values in filters.items():
        for value in values:
            if name == "status" and value not in STATES:
                kinds = ", ".join(STATES)
                raise InvalidParameter(
                    f"invalid filter 'status={value}': invalid value for state ({value}): must be one of {kinds}"
                )
            if name == "health" and value not in HEALTH:
                kinds = ", ".join(HEALTH)
                raise InvalidParameter(
                    f"invalid filter 'health={value}': invalid value for health ({value}): must be one of {kinds}"
                )
            if name == "exited" and not value.lstrip("+-").isdigit():
                raise InvalidParameter(f"invalid filter 'exited={value}': {invalid_syntax('Atoi', value)}")
            if name == "is-task" and value.lower() not in ("true", "false", "0", "1"):
                raise InvalidParameter(f"invalid filter 'is-task=[{value}]'")
            if name in ("publish", "expose"):
                port_range(name, value)


def images_of(roots: Roots, text: str) -> set[str]:
    """Return the ids of an image and of those that were committed over it; none where there is no image of that name."""
    from hyperbox.errors import EngineError
    from hyperbox.image.parents import descendants
    from hyperbox.image.store import ImageStore

    store = ImageStore(f"{roots.data}/images")
    try:
        return descendants(store, store.resolve(text))
    except EngineError:
        return set()


def search(pattern: str, text: str) -> bool:
    """Return whether a regular expression is found in `text`; one that is none finds nothing, as with docker."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def by_name(container: Container, values: list[str]) -> bool:
    return any(search(value, f"/{container.name}") or search(value, container.name) for value in values)


def by_id(container: Container, values: list[str]) -> bool:
    return any(search(value, container.id) for value in values)


def by_label(container: Container, values: list[str]) -> bool:
    """All labels must be there: this filter alone is AND within its key."""
    return has_labels(container, values)


def has_labels(container: Container, values: list[str]) -> bool:
    """Return whether the container has every "KEY" or "KEY=VALUE" of `values`."""
    labels = container.config.get("Labels")
    held = labels if isinstance(labels, dict) else {}
    for value in values:
        key, separator, wanted = value.partition("=")
        if key not in held or (separator and held[key] != wanted):
            return False
    return True


def by_status(container: Container, values: list[str]) -> bool:
    return container.status in values


def by_exit_code(container: Container, values: list[str]) -> bool:
    ended = container.status == "exited"
    return ended and any(int(value) == container.state["ExitCode"] for value in values)


def by_health(container: Container, values: list[str]) -> bool:
    health = container.state.get("Health")
    return (str(health["Status"]) if isinstance(health, dict) else "none") in values


def by_volume(container: Container, values: list[str]) -> bool:
    from hyperbox.engine.volumes import mount_points

    found: set[object] = set()
    for point in mount_points(container.roots, container):
        found.update((point.get("Name"), point.get("Source"), point.get("Destination")))
    return any(value in found for value in values)


def by_network(container: Container, values: list[str]) -> bool:
    from hyperbox.engine.inspect import endpoints

    for name, endpoint in endpoints(container).items():
        identifier = str(endpoint.get("NetworkID") or "")
        if any(value == name or (identifier and identifier.startswith(value)) for value in values):
            return True
    return False


def by_publish(container: Container, values: list[str]) -> bool:
    return has_port(container, "publish", values)


def by_expose(container: Container, values: list[str]) -> bool:
    return has_port(container, "expose", values)


def has_port(container: Container, name: str, values: list[str]) -> bool:
    """Return whether one of the container's ports (published ones by their public number) is in one of the ranges."""
    key = "PublicPort" if name == "publish" else "PrivatePort"
    held = [(port[key], port["Type"]) for port in ports(container) if key in port]
    for value in values:
        low, high, protocol = port_range(name, value)
        if any(isinstance(number, int) and low <= number <= high and kind == protocol for number, kind in held):
            return True
    return False


def port_range(name: str, text: str) -> tuple[int, int, str]:
    """Return (first, last, protocol) of "80", "80-90/udp". Raises InvalidParameter."""
    numbers, _, protocol = text.partition("/")
    first, separator, last = numbers.partition("-")
    found = []
    for number in (first, last if separator else first):
        if not number.isdigit():
            raise InvalidParameter(f"error while looking up for {name} {text}: {invalid_syntax('ParseUint', number)}")
        if int(number) > 65535:
            raise InvalidParameter(f"error while looking up for {name} {text}: {out_of_range('ParseUint', number)}")
        found.append(int(number))
    if found[1] < found[0]:
        raise InvalidParameter(
            f"error while looking up for {name} {text}: Invalid range specified for the Port: {numbers}"
        )
    return found[0], found[1], protocol or "tcp"


def by_task(_container: Container, values: list[str]) -> bool:
    """There is no swarm here: nothing is a task."""
    return any(value.lower() in ("false", "0") for value in values)


def by_isolation(_container: Container, values: list[str]) -> bool:
    return True  # only Windows has several


TESTS: dict[str, Test] = {
    "name": by_name,
    "id": by_id,
    "label": by_label,
    "status": by_status,
    "exited": by_exit_code,
    "health": by_health,
    "volume": by_volume,
    "network": by_network,
    "publish": by_publish,
    "expose": by_expose,
    "is-task": by_task,
    "isolation": by_isolation,
}


def prunable(containers: list[Container], filters: Filters) -> list[Container]:
    """Return those of `containers` that `container prune` with these filters removes. Raises InvalidParameter."""
    check_filters(filters, ("until", "label", "label!"))
    limits = []
    for value in filters.get("until", ()):
        try:
            limits.append(to_moment(value, time.time()))
        except ValueError as error:
            raise InvalidParameter(str(error)) from None
    return [
        container
        for container in containers
        if has_labels(container, filters.get("label", []))
        and not (filters.get("label!") and has_labels(container, filters["label!"]))
        and all(timestamp_seconds(str(container.record["Created"])) < limit for limit in limits)
    ]
