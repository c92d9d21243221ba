"""`docker network`: ls, create, rm, connect, disconnect, prune. (`network inspect` is in cli.inspect.)"""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import joined_labels, label, parse_filters
from hyperbox.cli.container_manage import ask, deleted, prune_filters, say_error
from hyperbox.cli.output import natural_key, short_id
from hyperbox.cli.output_list import Listing, configured_format, show
from hyperbox.cli.volume import pairs
from hyperbox.errors import EngineError, HyperBoxError, NotFound
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}
COLUMNS = ("ID", "Name", "Driver", "Scope")
RAW = (("network_id", "ID"), ("name", "Name"), ("driver", "Driver"), ("scope", "Scope"))


def listing(*, short: bool) -> Listing:
    """Return how networks are shown."""

    def text(key: str) -> Callable[[Json], str]:
        return lambda network: str(network.get(key) or "")

    def truth(key: str, default: bool = False) -> Callable[[Json], str]:
        return lambda network: "true" if network.get(key, default) else "false"

    def created(network: Json) -> str:
        from hyperbox.cli.templates_types import time_text

        return time_text(str(network.get("Created") or ""))

    methods: dict[str, Callable[..., object]] = {
        "ID": lambda network: short_id(str(network["Id"])) if short else str(network["Id"]),
        "Name": text("Name"),
        "Driver": text("Driver"),
        "Scope": text("Scope"),
        "IPv4": truth("EnableIPv4", True),
        "IPv6": truth("EnableIPv6"),
        "Internal": truth("Internal"),
        "Labels": joined_labels,
        "CreatedAt": created,
    }
    return Listing("*network.networkContext", methods, HEADERS, COLUMNS, calls={"Label": label}, raw=RAW)


def list_networks(invocation: Invocation) -> int:
    """docker network ls"""
    flags = invocation.flags
    template = configured_format(invocation, "networksFormat", quiet=bool(flags["quiet"]))
    networks = engine_for(invocation).network_list(parse_filters(flags["filter"]))
    networks = sorted(networks, key=lambda network: natural_key(str(network["Name"])))
    show(listing(short=not flags["no-trunc"]), networks, template, quiet=bool(flags["quiet"]))
    return 0


# --- create -------------------------------------------------------------------------------------------------------------------
def _words(value: object) -> list[str]:
    """Return a flag's words, each split at commas."""
    return [part for word in value for part in str(word).split(",") if part] if isinstance(value, list) else []


def _inside(subnet: str, address: str) -> bool:
    """Return whether an address or a smaller range lies in a subnet. Nothing is inside of, or is, what is malformed."""
    from ipaddress import ip_address, ip_network

    try:
        outer = ip_network(subnet, strict=False)
        inner = ip_network(address, strict=False).network_address if "/" in address else ip_address(address)
    except ValueError:
        return False  # what is wrong with a subnet, the engine says
    return inner.version == outer.version and inner in outer


def ipam_configurations(
    subnets: Sequence[str], ranges: Sequence[str], gateways: Sequence[str], auxiliary: dict[str, str]
) -> list[Json]:
    """Return the API's list of IPAM configurations, one a subnet. Raises HyperBoxError with docker's words."""
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise HyperBoxError("every ip-range or gateway must have a corresponding subnet")
    table: dict[str, Json] = {}
    for subnet in subnets:
        if any(_inside(subnet, other) or _inside(other, subnet) for other in table):
            raise HyperBoxError("multiple overlapping subnet configuration is not supported")
        table[subnet] = {"Subnet": subnet}
    for key, values, kind, plural, word in (
        ("IPRange", ranges, "range", "ranges", "on"),
        ("Gateway", gateways, "gateway", "gateways", "for"),
    ):
        for value in values:
            if kind == "range":
                _check_range(value)
            subnet = _home(subnets, value, kind)
            if key in table[subnet]:
                raise HyperBoxError(
                    f"cannot configure multiple {plural} ({value}, {table[subnet][key]}) {word} the same subnet ({subnet})"
                )
            table[subnet][key] = value
    for name, address in auxiliary.items():
        entries = table[_home(subnets, address, "aux-address")].setdefault("AuxiliaryAddresses", {})
        assert isinstance(entries, dict)
        entries[name] = address
    return list(table.values())


def _check_range(text: str) -> None:
    from ipaddress import ip_network

    try:
        if "/" not in text:
            raise ValueError(text)
        ip_network(text, strict=False)
    except ValueError:
        raise HyperBoxError(f"invalid CIDR address: {text}") from None


def _home(subnets: Sequence[str], address: str, kind: str) -> str:
    for subnet in subnets:
        if _inside(subnet, address):
            return subnet
    raise HyperBoxError(f"no matching subnet for {kind} {address}")


def create(invocation: Invocation) -> int:
    """docker network create NETWORK"""
    flags = invocation.flags
    config: Json = {
        "Name": invocation.arguments[0],
        "Driver": str(flags["driver"]),
        "Scope": str(flags["scope"]),
        "Internal": bool(flags["internal"]),
        "Attachable": bool(flags["attachable"]),
        "Ingress": bool(flags["ingress"]),
        "ConfigOnly": bool(flags["config-only"]),
        "Options": pairs(flags["opt"]),
        "Labels": pairs(flags["label"]),
        "IPAM": {
            "Driver": str(flags["ipam-driver"]),
            "Options": pairs(flags["ipam-opt"]),
            "Config": ipam_configurations(
                _words(flags["subnet"]),
                _words(flags["ip-range"]),
                _words(flags["gateway"]),
                pairs(flags["aux-address"]),
            ),
        },
    }
    if flags["config-from"]:
        config["ConfigFrom"] = {"Network": str(flags["config-from"])}
    for flag, key in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if flag in invocation.given:
            config[key] = bool(flags[flag])
    answer = engine_for(invocation).network_create(config)
    if answer.get("Warning"):
        sys.stderr.write(f"WARNING: {answer['Warning']}\n")
    sys.stdout.write(f"{answer['Id']}\n")
    return 0


# --- the other verbs ----------------------------------------------------------------------------------------------------------
def remove(invocation: Invocation) -> int:
    """docker network rm NETWORK…; docker ends with "exit status 1" on stderr where one failed."""
    engine = engine_for(invocation)
    force = bool(invocation.flags["force"])
    failed = False
    for name in invocation.arguments:
        try:
            engine.network_remove(name)
        except EngineError as error:
            if force and isinstance(error, NotFound):
                continue
            say_error(error)
            failed = True
            continue
        sys.stdout.write(f"{name}\n")
    if failed:
        raise HyperBoxError("exit status 1")
    return 0


def connect(invocation: Invocation) -> int:
    """docker network connect NETWORK CONTAINER"""
    flags = invocation.flags
    endpoint: Json = {"Links": words_of(flags["link"]) or None, "Aliases": words_of(flags["alias"]), "DriverOpts": {}}
    addresses: Json = {}
    for flag, key in (("ip", "IPv4Address"), ("ip6", "IPv6Address")):
        if flags[flag]:
            addresses[key] = str(flags[flag])
    if flags["link-local-ip"]:
        addresses["LinkLocalIPs"] = _words(flags["link-local-ip"])
    endpoint["IPAMConfig"] = addresses
    if flags["driver-opt"]:
        if any("=" not in word for word in words_of(flags["driver-opt"])):
            raise HyperBoxError("invalid key/value pair format in driver options")
        endpoint["DriverOpts"] = pairs(flags["driver-opt"])
    if flags["gw-priority"]:
        endpoint["GwPriority"] = flags["gw-priority"]
    network, container = invocation.arguments
    engine_for(invocation).network_connect(network, container, endpoint)
    return 0


def disconnect(invocation: Invocation) -> int:
    """docker network disconnect NETWORK CONTAINER"""
    network, container = invocation.arguments
    engine_for(invocation).network_disconnect(network, container, force=bool(invocation.flags["force"]))
    return 0


def prune(invocation: Invocation) -> int:
    """docker network prune"""
    ask(invocation, "WARNING! This will remove all custom networks not used by at least one container.")
    answer = engine_for(invocation).network_prune(prune_filters(invocation))
    sys.stdout.write(deleted("Deleted Networks", answer, "NetworksDeleted"))
    return 0
