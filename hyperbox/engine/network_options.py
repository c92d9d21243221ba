"""The driver options of networks, checked as docker does when it makes one. Pure. Those that docker's drivers act on are acted on; others
are kept and shown, as docker does."""

from __future__ import annotations

from hyperbox.engine import network_store
from hyperbox.errors import Forbidden, InvalidParameter
from hyperbox.go.text import invalid_syntax, parse_bool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Json = dict[str, object]

PREFIX = "com.docker.network."
SWITCHES = frozenset(
    {"bridge.enable_ip_masquerade", "bridge.enable_icc", "bridge.default_bridge", "bridge.inhibit_ipv4"}
)
BRIDGE = SWITCHES | {
    *("bridge.name", "bridge.host_binding_ipv4", "driver.mtu", "container_iface_prefix"),
    *("bridge.gateway_mode_ipv4", "bridge.gateway_mode_ipv6", "bridge.trusted_host_interfaces"),
    *("enable_ipv4", "enable_ipv6"),
}
GATEWAY_MODES = ("nat", "nat-unprotected", "routed", "isolated")
# driver -> its modes, the default first
MODES = {"macvlan": ("bridge", "private", "vepa", "passthru"), "ipvlan": ("l2", "l3", "l3s")}
FLAGS = ("bridge", "private", "vepa")


def check(driver: str, options: dict[str, str], *, internal: bool) -> None:
    """Raise InvalidParameter for an option that the driver does not take or that has a value that it can't have."""
    for key, value in options.items():
        short = key.removeprefix(PREFIX)
        if driver == "bridge" and (short not in BRIDGE or key == short):
            continue
        check_value(key, short, value, internal=internal)
    if driver in MODES:
        check_modes(driver, options)


def family_enabled(config: Json, options: dict[str, str], family: int) -> bool:
    """Return whether a network is to have addresses of a family, 4 or 6: as EnableIPv… says, else as the driver option of that name.

    An option that does not count is taken out of `options`. Raises InvalidParameter.
    """
    given, key = config.get(f"EnableIPv{family}"), f"{PREFIX}enable_ipv{family}"
    if given is not None:
        options.pop(key, None)
        return bool(given)
    value = options.get(key)
    if value is None:
        return family == 4
    try:
        return parse_bool(value)
    except ValueError:
        raise InvalidParameter(f'driver-opt "{key}" is not a valid bool') from None


def check_value(key: str, short: str, value: str, *, internal: bool) -> None:
    """Raise InvalidParameter with docker's words for a value that an option can't have."""
    lead = f"failed to parse {key} value: {value}"
    if short == "driver.mtu":
        if not value.removeprefix("-").isdigit():
            raise InvalidParameter(f"{lead} ({invalid_syntax('Atoi', value)})")
        if int(value) < 0:
            raise InvalidParameter(f"invalid MTU number: {value}")
    elif short in SWITCHES:
        try:
            parse_bool(value)
        except ValueError as error:
            raise InvalidParameter(f"{lead} ({error})") from None
    elif short == "bridge.host_binding_ipv4":
        try:
            network_store.to_number(value)
        except OSError:
            raise InvalidParameter(f"{lead} (nil ip)") from None
    elif short.startswith("bridge.gateway_mode_"):
        if value not in GATEWAY_MODES:
            raise InvalidParameter(f"{lead} (unknown gateway mode {value})")
        if value == "isolated" and not internal:
            raise InvalidParameter("gateway mode 'isolated' can only be used for an internal network")


def check_modes(driver: str, options: dict[str, str]) -> None:
    """Raise InvalidParameter with docker's words for a mode or flag that there is not."""
    mode, flag = options.get(f"{driver}_mode", ""), options.get("ipvlan_flag", "")
    if mode and mode not in MODES[driver]:
        default = MODES[driver][0]
        raise InvalidParameter(
            f"requested {driver} mode '{mode}' is not valid, '{default}' mode is the {driver} driver default"
        )
    if flag and flag not in FLAGS:
        raise InvalidParameter(f"requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default")


def check_parent(driver: str, options: dict[str, str], others: Iterable[Json]) -> None:
    """Raise Forbidden with docker's words where a macvlan network in the mode passthru would share its parent."""
    parent, mode = options.get("parent", ""), options.get("macvlan_mode", "")
    for other in others if driver == "macvlan" and parent else ():
        theirs = other.get("Options")
        if other["Driver"] != "macvlan" or not isinstance(theirs, dict) or theirs.get("parent") != parent:
            continue
        using = f"macvlan network {other['Id']} is already using parent interface {parent}"
        if mode == "passthru":
            raise Forbidden(f"cannot use mode passthru, {using}")
        if theirs.get("macvlan_mode") == "passthru":
            raise Forbidden(f"{using} in mode passthru")
