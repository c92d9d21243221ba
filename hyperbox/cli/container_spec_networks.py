"""--network and its kin as the Engine API's NetworkMode and EndpointsConfig."""

from __future__ import annotations

from hyperbox.errors import HyperBoxError
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

SHORT = {"ip": "ip", "ip6": "ip6", "mac-address": "mac-address"}


class Attachment:
    """One --network: its name, and what was said of the endpoint."""

    __slots__ = ("aliases", "name", "options", "values")

    def __init__(self, name: str) -> None:
        self.name = name
        self.aliases: list[str] = []
        self.options: dict[str, str] = {}
        self.values: dict[str, str] = {}


def parse_network(text: str) -> Attachment:
    """Return one --network: a name, or name=…,alias=…,ip=…,driver-opt=k=v. The grammar has checked it."""
    attachment = Attachment(text)
    if "=" not in text:
        return attachment
    from hyperbox.grammar.checks import is_long_network
    from hyperbox.grammar.values import split_commas

    if not is_long_network(text):
        return attachment
    for field in split_commas(text):
        key, _, value = field.lower().partition("=")
        key = key.strip()
        if key == "name":
            attachment.name = value
        elif key == "alias":
            attachment.aliases.append(value)
        elif key == "driver-opt":
            option, _, setting = value.partition("=")
            attachment.options[option.strip()] = setting.strip()
        else:
            attachment.values.setdefault(key, value)
            if key == "link-local-ip":
                attachment.values[key] = value
    return attachment


def _user_defined(name: str) -> bool:
    return name not in ("", "default", "bridge", "host", "none") and not name.startswith("container:")


def apply_flags(invocation: Invocation, first: Attachment) -> None:
    """Give the first network what the separate flags say. Raises HyperBoxError where they don't fit it."""
    flags = invocation.flags
    aliases = words_of(flags["network-alias"])
    if aliases:
        if first.aliases:
            raise HyperBoxError("conflicting options: cannot specify both --network-alias and per-network alias")
        first.aliases = aliases
    for flag, key in SHORT.items():
        value = str(flags[flag])
        if value:
            if key in first.values:
                spelled = {"ip": "IPv4 address", "ip6": "IPv6 address", "mac-address": "MAC address"}[key]
                raise HyperBoxError(f"conflicting options: cannot specify both --{flag} and per-network {spelled}")
            first.values[key] = value
    local = words_of(flags["link-local-ip"])
    if local:
        first.values["link-local-ip"] = ",".join(local)


def endpoint(attachment: Attachment) -> Json:
    """Return the API's EndpointSettings for one network."""
    settings: Json = {}
    if attachment.aliases:
        settings["Aliases"] = attachment.aliases
    if attachment.options:
        settings["DriverOpts"] = attachment.options
    addresses: Json = {}
    for key, field in (("ip", "IPv4Address"), ("ip6", "IPv6Address")):
        if attachment.values.get(key):
            addresses[field] = attachment.values[key]
    if attachment.values.get("link-local-ip"):
        addresses["LinkLocalIPs"] = attachment.values["link-local-ip"].split(",")
    if addresses:
        settings["IPAMConfig"] = addresses
    if attachment.values.get("mac-address"):
        settings["MacAddress"] = attachment.values["mac-address"]
    if attachment.values.get("gw-priority"):
        settings["GwPriority"] = int(attachment.values["gw-priority"])
    return settings


def networks(invocation: Invocation) -> tuple[str, Json]:
    """Return NetworkMode and NetworkingConfig. Raises HyperBoxError."""
    flags = invocation.flags
    attachments = [parse_network(text) for text in words_of(flags["network"])] or [Attachment("default")]
    seen: set[str] = set()
    for attachment in attachments:
        if not attachment.name:
            raise HyperBoxError("no name set for network")
        if attachment.name in seen:
            raise HyperBoxError(f'network "{attachment.name}" is specified multiple times')
        seen.add(attachment.name)
    if len({_user_defined(one.name) for one in attachments}) > 1:
        raise HyperBoxError("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
    first = attachments[0]
    apply_flags(invocation, first)
    if first.aliases and not _user_defined(first.name):
        raise HyperBoxError("network-scoped aliases are only supported for user-defined networks")
    settings = {one.name: endpoint(one) for one in attachments}
    if flags["link"] and _user_defined(first.name):
        settings[first.name]["Links"] = words_of(flags["link"])
    if len(settings) == 1 and not any(settings.values()):
        return first.name, {}
    return first.name, {"EndpointsConfig": settings}
