"""The names of a container's links and what is set on them: a network's prefix, and the endpoint's driver options."""

from __future__ import annotations

from hyperbox.engine import network_bridge
from hyperbox.errors import EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Json = dict[str, object]

NAME = "com.docker.network.endpoint.ifname"
SYSCTLS = "com.docker.network.endpoint.sysctls"
MARK = "IFNAME"
FAMILIES = ("ipv4", "ipv6", "mpls")


def driver_options(config: Json) -> dict[str, str]:
    """Return an endpoint's driver options."""
    options = config.get("DriverOpts")
    return {str(key): str(value) for key, value in options.items()} if isinstance(options, dict) else {}


def check(name: str, config: Json) -> None:
    """Raise InvalidParameter with docker's words for options of an endpoint on the network `name` that can't be."""
    for setting in settings(config):
        key, equals, _ = setting.partition("=")
        parts = key.split(".")
        if not equals or len(parts) < 5 or parts[0] != "net" or parts[1] not in FAMILIES or parts[3].upper() != MARK:
            raise InvalidParameter(
                f"invalid config for network {name}: invalid endpoint settings:\nunrecognised network interface sysctl '{setting}'; "
                "represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
            )


def settings(config: Json) -> list[str]:
    """Return the sysctls that an endpoint asks for, with IFNAME in place of its link."""
    return [setting.strip() for setting in driver_options(config).get(SYSCTLS, "").split(",") if setting.strip()]


def link_name(record: Json, endpoint: Json, taken: Iterable[object]) -> str:
    """Return the name of a new link inside the container. Raises EngineError for one that the kernel would refuse."""
    wanted = driver_options(endpoint).get(NAME, "")
    used = {str(each) for each in taken}
    if wanted:
        if len(wanted.encode()) > 15 or "/" in wanted or any(letter.isspace() for letter in wanted):
            raise EngineError(
                f'failed to set up container networking: error renaming interface to "{wanted}": invalid argument'
            )
        if wanted in used:
            raise EngineError(
                f'failed to set up container networking: error renaming interface to "{wanted}": file exists'
            )
        return wanted
    prefix = network_bridge.option(record, "container_iface_prefix") or "eth"
    return next(name for name in (f"{prefix}{number}" for number in range(len(used) + 1)) if name not in used)


def apply_settings(endpoint: Json) -> None:
    """Set an endpoint's sysctls; this process is in the container's network namespace. Raises EngineError."""
    for setting in settings(endpoint):
        key, _, value = setting.partition("=")
        parts = key.split(".")
        path = "/proc/sys/" + "/".join([*parts[:3], str(endpoint["Interface"]), *parts[4:]])
        try:
            if ".." in path:
                raise FileNotFoundError(2, "No such file or directory")
            with open(path, "wb", buffering=0) as file:
                file.write(value.encode())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EngineError(f"failed to set up container networking: open {path}: {reason}") from None
