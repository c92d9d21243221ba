"""Platforms as docker's command line takes them: OS, ARCH, OS/ARCH or OS/ARCH/VARIANT, under any of their usual names."""

from __future__ import annotations

from hyperbox.image.reference import platform_architecture

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


def parse_platform(text: str) -> tuple[str, str, str]:
    """Return (os, architecture, variant). Raises ValueError with docker's words."""
    parts = [part.lower() for part in text.split("/")]
    if not 1 <= len(parts) <= 3:
        raise ValueError(f'"{text}": invalid platform: invalid argument')
    for part in parts:
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
