"""Variables of a build: arguments given, declared and predefined, and the environment that they make with ENV.

"ARG" and "Scope" in the Dockerfile reference: an argument counts from its declaration on and ends with its stage; arguments before the first FROM
are for FROM alone unless a stage declares them again.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class Platform:
    """A platform in parts; `text` is os/architecture[/variant]."""

    __slots__ = ("architecture", "os", "variant")

    def __init__(self, os: str, architecture: str, variant: str = "") -> None:
        self.os = os
        self.architecture = architecture
        self.variant = variant

    @property
    def text(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def same(self, other: Platform) -> bool:
        """Return whether images of the other run here; a missing variant is the default one."""
        return (self.os, self.architecture) == (other.os, other.architecture) and (
            not self.variant or not other.variant or self.variant == other.variant
        )


ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}


def parse_platform(text: str) -> Platform:
    """Parse os/architecture[/variant], or an architecture alone. Raises ValueError."""
    parts = [part.lower() for part in text.split("/")]
    if not 1 <= len(parts) <= 3 or not all(part and part.replace("_", "").replace("-", "").isalnum() for part in parts):
        raise ValueError(f'"{text}": cannot parse platform specifier: invalid argument')
    if len(parts) == 1:
        parts = ["linux", parts[0]] if parts[0] != "linux" else ["linux", "amd64"]
    architecture = ALIASES.get(parts[1], parts[1])
    variant = parts[2] if len(parts) > 2 else ""
    if architecture == "arm64" and variant == "v8":
        variant = ""
    return Platform(parts[0], architecture, variant)


def platform_arguments(target: Platform, build: Platform, stage: str) -> dict[str, str]:
    """Return the arguments that are there without being given; a stage must declare them to see them."""
    values = {}
    for prefix, platform in (("BUILD", build), ("TARGET", target)):
        values[f"{prefix}PLATFORM"] = platform.text
        values[f"{prefix}OS"] = platform.os
        values[f"{prefix}ARCH"] = platform.architecture
        values[f"{prefix}VARIANT"] = platform.variant
    values["TARGETSTAGE"] = stage or "default"
    return values


def proxy_environment(arguments: Mapping[str, str]) -> tuple[str, ...]:
    """Return NAME=VALUE of the proxies among the build arguments: RUN sees them undeclared, the cache and the history don't."""
    found = []
    for name, value in arguments.items():
        if name.upper() in PROXIES and value:
            found.append(f"{name}={value}")
    return tuple(found)


class Environment:
    """What a stage's steps see: the image's variables and the declared arguments, a later one of the same name last."""

    __slots__ = ("values",)

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.values: dict[str, str] = {}
        for name, value in pairs:
            self.set(name, value)

    def set(self, name: str, value: str) -> None:
        """Give a name a value; it becomes the last one."""
        self.values.pop(name, None)
        self.values[name] = value

    def copy(self) -> Environment:
        return Environment(list(self.values.items()))

    def entries(self) -> tuple[str, ...]:
        """Return NAME=VALUE of all."""
        return tuple(f"{name}={value}" for name, value in self.values.items())
