"""Platforms as docker's command line takes them: OS, ARCH, OS/ARCH or OS/ARCH/VARIANT, under any of their usual names."""

from __future__ import annotations

from hyperbox.errors import InvalidParameter, NotFound
from hyperbox.image.reference import platform_architecture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_NAMES = "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos"
SYSTEMS = frozenset(SYSTEM_NAMES.split())
ARCHITECTURE_NAMES = (
    "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv "
    "riscv64 s390 s390x sparc sparc64 wasm"
)
ARCHITECTURES = frozenset(ARCHITECTURE_NAMES.split())
ALIASES = {
    "i386": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")
SYSTEM_CHARACTERS = CHARACTERS - {"."}
SYSTEM_PATTERN = r"^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$"


# variants that every machine of an architecture has, and what an architecture alone means
BASE_VARIANTS = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm64", "8"): "", ("arm", ""): "v7"}


def is_exactly_for(document: Mapping[str, object], platform: str) -> bool:
    """Return whether an image, given by its configuration, is for a platform and its variant. Raises ValueError."""
    system, architecture, variant = parse_platform(platform)
    own = str(document.get("variant") or "")
    return (system, architecture) == (document.get("os"), document.get("architecture")) and (
        BASE_VARIANTS.get((architecture, variant), variant) == BASE_VARIANTS.get((architecture, own), own)
    )


def require(record: Mapping[str, object], reference: str, platform: str) -> None:
    """Raise NotFound with docker's words for an image that is for another platform, InvalidParameter for what is no platform."""
    if checked_platform(platform)[:2] != (record["Os"], record["Architecture"]):
        own = f"{record['Os']}/{record['Architecture']}"
        raise NotFound(
            f"image with reference {reference} was found but its platform ({own}) does not match the specified platform ({platform})"
        )


def checked_platform(text: str) -> tuple[str, str, str]:
    """Return (os, architecture, variant) as `parse_platform` does. Raises InvalidParameter with docker's words."""
    try:
        return parse_platform(text)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def parse_platform(text: str) -> tuple[str, str, str]:
    """Return (os, architecture, variant). Raises ValueError with docker's words."""
    parts = [part.lower() for part in text.split("/")]
    if len(parts) > 3:
        raise ValueError(f'"{text}": cannot parse platform specifier: invalid argument')
    if not parts[0] or not SYSTEM_CHARACTERS.issuperset(parts[0]):
        raise ValueError(
            f'"{parts[0]}" is an invalid OS component of "{text}": OSAndVersion specifier component must match '
            f'"{SYSTEM_PATTERN}": invalid argument'
        )
    for part in parts[1:]:
        if not part or not CHARACTERS.issuperset(part):
            raise ValueError(
                f'"{part}" is an invalid component of "{text}": platform specifier component must match '
                '"^[A-Za-z0-9_.-]+$": invalid argument'
            )
    system = {"macos": "darwin"}.get(parts[0], parts[0])
    if len(parts) == 1:
        if system in SYSTEMS:
            return system, platform_architecture(), ""
        architecture, variant = ALIASES.get(parts[0], (parts[0], ""))
        if architecture in ARCHITECTURES:
            return "linux", architecture, variant
        raise ValueError(f'"{text}": unknown operating system or architecture: invalid argument')
    architecture, variant = ALIASES.get(parts[1], (parts[1], ""))
    return system, architecture, parts[2] if len(parts) == 3 else variant
