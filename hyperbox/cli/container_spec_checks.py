"""What docker's command line itself refuses of `run`'s and `create`'s values, once it has read them all; loaded where such a flag is given."""

from __future__ import annotations

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

# flag -> (the word of its message, what it may be but for "" and container:NAME)
MODES = {
    "pid": ("PID", ("host",)),
    "uts": ("UTS", ("host",)),
    "userns": ("USER", ("host",)),
    "cgroupns": ("CGROUP", ("host", "private")),
}
CHECKED = (*MODES, "memory-swappiness", "mac-address")


def check(invocation: Invocation) -> None:
    """Raise HyperBoxError with docker's words for a mode, a swappiness or a hardware address that can't be."""
    flags = invocation.flags
    for flag, (word, accepted) in MODES.items():
        value = str(flags[flag])
        joins = flag == "pid" and value.startswith("container:") and len(value) > len("container:")
        if value and value not in accepted and not joins:
            raise HyperBoxError(f"--{flag}: invalid {word} mode")
    swappiness = flags["memory-swappiness"]
    if "memory-swappiness" in invocation.given and not (isinstance(swappiness, int) and -1 <= swappiness <= 100):
        raise HyperBoxError(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100")
    address = str(flags["mac-address"])
    if address and not is_mac_address(address):
        raise HyperBoxError(f"{address} is not a valid mac address")


def is_mac_address(text: str) -> bool:
    """Return whether `text` is a hardware address of 6, 8 or 20 bytes, parted by ":" or "-", or by "." after each second one."""
    for separator, digits in ((":", 2), ("-", 2), (".", 4)):
        parts = text.strip().split(separator)
        if len(parts) * digits in (12, 16, 40) and all(
            len(part) == digits and not part.strip("0123456789abcdefABCDEF") for part in parts
        ):
            return True
    return False


def capabilities(names: list[str]) -> list[str]:
    """Return capabilities as docker sends them: upper case with "CAP_" ("ALL" as it is), each once, sorted."""
    upper = [name.strip().upper() for name in names]
    return sorted({name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in upper})
