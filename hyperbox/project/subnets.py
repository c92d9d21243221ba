"""Subnets that a file fixes, and which project has them: the first has the one in the file, another one the next that is free.

The replacement has the same size, and every address of the file in it keeps its place: 172.28.5.10 becomes 172.29.5.10 when 172.28.0.0/16 became
172.29.0.0/16. It is kept in the project's record ("Subnets": {"NETWORK/INDEX": [as written, real]}) until the project is down. Bridge networks
only: the addresses of the others are those of the host's own network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping

from hyperbox.compose.model import Json, Project

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PRIVATE = tuple(map(ipaddress.ip_network, ("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8", "fd00::/8")))
TRIES = 65536
SMALLER = (16, 20, 24)  # prefix lengths of what stands for an IPv4 network that is too large to be there twice


def fixed(project: Project) -> dict[str, str]:
    """Return the subnets that the files fix for networks of the project's own, by "NETWORK/INDEX"."""
    found = {}
    for key, definition in project.networks.items():
        if (definition or {}).get("external") or (definition or {}).get("driver") not in (
            None,
            "",
            "bridge",
            "default",
        ):
            continue
        for index, row in enumerate(_rows(definition)):
            if _network(row.get("subnet")) is not None:
                found[f"{key}/{index}"] = str(row["subnet"])
    return found


def _rows(definition: Json | None) -> list[Json]:
    ipam = (definition or {}).get("ipam")
    rows = ipam.get("config") if isinstance(ipam, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _network(text: object) -> Network | None:
    try:
        return ipaddress.ip_network(str(text))
    except ValueError:
        return None


def subnets_of(record: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return (as written, real) of each subnet in a project's record."""
    found = record.get("Subnets")
    return {str(key): (str(one), str(other)) for key, (one, other) in found.items()} if isinstance(found, dict) else {}


def settle(
    record: Json, others: Iterable[Json], wanted: Mapping[str, str], taken: Callable[[str], Iterable[str]]
) -> dict[str, tuple[str, str]]:
    """Return the real subnet of each of `wanted`: what the project has already, else what is free. Pure.

    `taken(project's id)` gives the subnets that others than this project have on the machine. Where none is free the one as written stays, and
    the engine says what is wrong with it.
    """
    kept = subnets_of(record)
    result = {key: kept[key] for key, text in wanted.items() if kept.get(key, ("", ""))[0] == text}
    missing = [key for key in wanted if key not in result]
    if not missing:
        return result
    texts = [real for other in others for _, real in subnets_of(other).values()]
    texts += [real for _, real in result.values()]
    used = [each for text in [*texts, *taken(str(record["Id"]))] if (each := _network(text)) is not None]
    for key in missing:
        real = free(ipaddress.ip_network(wanted[key]), used)
        result[key] = (wanted[key], str(real) if str(real) != str(_network(wanted[key])) else wanted[key])
        used.append(real)
    return result


def free(wanted: Network, used: list[Network]) -> Network:
    """Return a network, or the next one of its size in the same private range that overlaps no other. Pure.

    One that is too large to be there twice is replaced by a smaller one; where there is none at all the answer is `wanted`.
    """
    if not any(_overlap(wanted, other) for other in used):
        return wanted
    own = [whole for whole in PRIVATE if whole.version == wanted.version and _overlap(whole, wanted)]
    searches = [(whole, wanted.prefixlen) for whole in own]
    if own and wanted.version == 4:
        searches += [(whole, size) for size in SMALLER if size > wanted.prefixlen for whole in PRIVATE[:3]]
    for whole, length in searches:
        found = _next(whole, length, wanted, used)
        if found is not None:
            return found
    return wanted


def _next(whole: Network, length: int, after: Network, used: list[Network]) -> Network | None:
    """Return the first free network of a prefix length in `whole`, the search beginning behind `after`."""
    if length < whole.prefixlen:
        return None
    size, count = 1 << (whole.max_prefixlen - length), 1 << (length - whole.prefixlen)
    first = (int(after.network_address) - int(whole.network_address)) // size
    for step in range(1, min(count, TRIES) + 1):
        start = int(whole.network_address) + (first + step) % count * size
        candidate = ipaddress.ip_network((start, length))
        if not any(_overlap(candidate, other) for other in used):
            return candidate
    return None


def _overlap(one: Network, other: Network) -> bool:
    return (
        one.version == other.version
        and int(one.network_address) <= int(other.broadcast_address)
        and int(other.network_address) <= int(one.broadcast_address)
    )


def moved(text: object, pairs: Iterable[tuple[str, str]]) -> object:
    """Return an address or ADDRESS/LENGTH with the subnet that it is in replaced by the real one; anything else as it is. Pure."""
    for written, real in pairs:
        if text == written:
            return real
    address, slash, length = str(text).partition("/")
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return text
    for written, real in pairs:
        old, new = ipaddress.ip_network(written), ipaddress.ip_network(real)
        if number.version == old.version and number in old:
            place = (int(number) - int(old.network_address)) % new.num_addresses
            return f"{ipaddress.ip_address(int(new.network_address) + place)}{slash}{length}"
    return text


def translate(project: Project, subnets: Mapping[str, tuple[str, str]]) -> Project:
    """Return the project with the real subnets in its networks, and the addresses of its services in them. Pure."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for key, pair in subnets.items():
        if pair[0] != pair[1]:
            pairs.setdefault(key.rpartition("/")[0], []).append(pair)
    if not pairs:
        return project
    networks = {
        key: _moved_network(definition, pairs[key]) if key in pairs and _rows(definition) else definition
        for key, definition in project.networks.items()
    }
    services = {name: _moved_service(definition, pairs) for name, definition in project.services.items()}
    return project._replace(networks=networks, services=services)


def _moved_network(definition: Json, pairs: list[tuple[str, str]]) -> Json:
    rows: list[Json] = []
    for row in _rows(definition):
        new = {key: moved(value, pairs) if isinstance(value, str) else value for key, value in row.items()}
        if "ip_range" in new and not _within(new["ip_range"], new.get("subnet")):
            del new["ip_range"]  # larger than what stands for the subnet now
        auxiliary = row.get("aux_addresses")
        if isinstance(auxiliary, dict):
            new["aux_addresses"] = {key: moved(value, pairs) for key, value in auxiliary.items()}
        rows.append(new)
    ipam = definition["ipam"]
    assert isinstance(ipam, dict)
    return {**definition, "ipam": {**ipam, "config": rows}}


def _within(part: object, whole: object) -> bool:
    inner, outer = _network(part), _network(whole)
    return inner is not None and outer is not None and inner.prefixlen >= outer.prefixlen


def _moved_service(definition: Json, pairs: Mapping[str, list[tuple[str, str]]]) -> Json:
    networks = definition.get("networks")
    if not isinstance(networks, dict) or not any(key in pairs for key in networks):
        return definition
    new: Json = {}
    for key, options in networks.items():
        if key in pairs and isinstance(options, dict):
            options = {
                name: moved(value, pairs[key]) if name in ("ipv4_address", "ipv6_address") else value
                for name, value in options.items()
            }
        new[key] = options
    return {**definition, "networks": new}
