"""Checks of flag values that docker makes while it reads the command line, with its words; the values stay text.

`CHECKS[kind](text)` raises ValueError with the reason alone; the docstrings name the forms that pass. Loaded only when such a flag is given.
"""

from __future__ import annotations

from hyperbox.go.units import parse_bytes
from hyperbox.grammar.check_mounts import check_mount
from hyperbox.grammar.values import split_commas, to_int, to_uint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SYSCTLS = frozenset(
    {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
        "kernel.shm_rmid_forced",
    }
)  # fmt: skip
ULIMITS = frozenset(
    {
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
        "sigpending", "stack",
    }
)  # fmt: skip
NETWORK_KEYS = frozenset({"name", "alias", "driver-opt", "ip", "ip6", "mac-address", "link-local-ip", "gw-priority"})
GPU_KEYS = frozenset({"driver", "count", "device", "capabilities", "options"})


def is_address(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address."""
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def check_environment(text: str) -> None:
    """NAME or NAME=VALUE."""
    if text[:1] in ("", "="):
        raise ValueError(f"invalid environment variable: {text}")


def check_label(text: str) -> None:
    """KEY or KEY=VALUE."""
    if not text.partition("=")[0].strip():
        raise ValueError(f"invalid label '{text}': empty name")


def check_address(text: str) -> None:
    """An IP address."""
    if not is_address(text.strip()):
        raise ValueError(f"IP address is not correctly formatted: {text}")


def check_domain(text: str) -> None:
    """A domain name, or "." for none."""
    name = text.strip()
    if name == ".":
        return
    labels = (name[:-1] if name.endswith(".") else name).split(".")
    fits = all(
        label and label[0] != "-" and label[-1] != "-" and label.isascii() and label.replace("-", "a").isalnum()
        for label in labels
    )
    if not fits or len(name) > 254 or not any(letter.isalpha() for letter in name):
        raise ValueError(f"{name} is not a valid domain")


def check_host(text: str) -> None:
    """NAME:ADDRESS or NAME=ADDRESS; the address may be host-gateway."""
    positions = [position for position in (text.find("="), text.find(":")) if position >= 0]
    at = min(positions, default=0)
    name, address = text[:at], text[at + 1 :]
    if not name:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        raise ValueError(f'bad format for add-host: "{quoted}"')
    bare = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
    if address != "host-gateway" and not is_address(bare):
        raise ValueError(f'invalid IP address in add-host: "{address}"')


def check_stream(text: str) -> None:
    """One of the standard streams."""
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")


def check_sysctl(text: str) -> None:
    """NAME=VALUE of a kernel parameter that belongs to a namespace."""
    name, equals, _ = text.partition("=")
    if not equals or not (name in SYSCTLS or name.startswith(("net.", "fs.mqueue."))):
        raise ValueError(f"sysctl '{text}' is not allowed")


def check_ulimit(text: str) -> None:
    """NAME=SOFT[:HARD]."""
    name, equals, limits = text.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    parts = limits.split(":")
    if len(parts) > 2:
        raise ValueError(f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`")
    soft = to_int(parts[0])
    hard = to_int(parts[-1]) if len(parts) == 2 else soft
    if hard != -1 and soft == -1:
        raise ValueError(
            f"ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
        )
    if hard != -1 and soft > hard:
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")


def check_link(text: str) -> None:
    """CONTAINER or CONTAINER:ALIAS."""
    if not text:
        raise ValueError("empty string specified for links")
    if text.count(":") > 1:
        raise ValueError(f"bad format for links: {text}")


def check_device_rule(text: str) -> None:
    """A line of the devices cgroup: "c 1:3 rwm"."""
    kind, _, rest = text.partition(" ")
    numbers, _, access = rest.partition(" ")
    major, colon, minor = numbers.partition(":")
    ok = kind in ("a", "b", "c") and colon and 1 <= len(access) <= 3 and not access.strip("rwm")
    if not ok or not all(number == "*" or (number.isascii() and number.isdigit()) for number in (major, minor)):
        raise ValueError(f"invalid device cgroup format '{text}'")


def _device(text: str) -> str:
    path, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise ValueError(f"bad format for device path: {text}")
    return value


def check_device_bytes(text: str) -> None:
    """/dev/PATH:BYTES."""
    value = _device(text)
    try:
        parse_bytes(value)
    except ValueError:
        raise ValueError(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]."
            " Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        ) from None


def check_device_count(text: str) -> None:
    """/dev/PATH:NUMBER."""
    value = _device(text)
    try:
        to_uint(value)
    except ValueError:
        raise ValueError(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"
        ) from None


def check_device_weight(text: str) -> None:
    """/dev/PATH:WEIGHT."""
    value = _device(text)
    try:
        weight = to_uint(value)
    except ValueError:
        weight = -1
    if weight != 0 and not 10 <= weight <= 1000:
        raise ValueError(f"invalid weight for device: {text}")


def is_long_network(text: str) -> bool:
    """Return whether a network is given as key=value pairs: somewhere a word, "=", and a word."""
    at = text.find("=")
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
        if all(letter.isascii() and (letter.isalnum() or letter == "_") for letter in (before or " ", after or " ")):
            return True
        at = text.find("=", at + 1)
    return False


def check_network(text: str) -> None:
    """A network's name, or name=…,alias=…,ip=… ."""
    if not is_long_network(text):
        return
    named = False
    for field in split_commas(text):
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        if not equals or not key:
            raise ValueError(f"invalid field {field}")
        if key not in NETWORK_KEYS:
            raise ValueError(f"invalid field key {key}")
        named = named or key == "name"
        if key == "driver-opt" and ("=" not in value or not value.partition("=")[0]):
            raise ValueError("invalid key value pair format in driver options")
        if key == "gw-priority":
            try:
                to_int(value)
            except ValueError as error:
                raise ValueError(f"invalid gw-priority ({value}): {str(error).rpartition(': ')[2]}") from None
    if not named:
        raise ValueError("network name/id is not specified")


def check_gpus(text: str) -> None:
    """A number, "all", or driver=…,count=…,device=…,capabilities=…,options=… ."""
    if not text:
        raise ValueError("EOF")
    seen = set()
    for field in split_commas(text):
        key, equals, value = field.partition("=")
        if key in seen:
            raise ValueError(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        if not equals:
            key, value = "count", field
            seen.add(key)
        if key not in GPU_KEYS:
            raise ValueError(f"unexpected key '{key}' in '{field}'")
        if key == "count" and value != "all":
            try:
                to_int(value)
            except ValueError as error:
                reason = str(error).rpartition(": ")[2]
                raise ValueError(
                    f'invalid count ({value}): value must be either "all" or an integer: {reason}'
                ) from None


CHECKS: dict[str, Callable[[str], None]] = {
    "environment": check_environment,
    "label": check_label,
    "address": check_address,
    "domain": check_domain,
    "host": check_host,
    "stream": check_stream,
    "link": check_link,
    "ulimit": check_ulimit,
    "sysctl": check_sysctl,
    "device-rule": check_device_rule,
    "device-bytes": check_device_bytes,
    "device-count": check_device_count,
    "device-weight": check_device_weight,
    "network": check_network,
    "mount": check_mount,
    "gpu-request": check_gpus,
}
