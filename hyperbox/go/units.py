"""Sizes and lengths of time in words: github.com/docker/go-units. Lists show them, so nothing is imported for that."""

from __future__ import annotations

DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_POWERS = "bkmgtp"


def human_size(size: float, *, precision: int = 3) -> str:
    """Return bytes in powers of 1000 with that many digits: 1.98MB (HumanSizeWithPrecision; HumanSize has 4)."""
    return _scaled(size, 1000.0, DECIMAL, precision)


def bytes_size(size: float, *, precision: int = 4) -> str:
    """Return bytes in powers of 1024: 7.637GiB (BytesSize)."""
    return _scaled(size, 1024.0, BINARY, precision)


def _scaled(size: float, base: float, units: tuple[str, ...], precision: int) -> str:
    value, unit = float(size), 0
    while value >= base and unit < len(units) - 1:
        value /= base
        unit += 1
    return f"{value:.{precision}g}{units[unit]}"


def parse_bytes(text: str) -> int:
    """Return the bytes of a size in powers of 1024: "50m", "1.5 GiB", "64kb" (RAMInBytes). Raises ValueError with its words."""
    return _parsed(text, 1024)


def parse_decimal_bytes(text: str) -> int:
    """Return the bytes of a size in powers of 1000, whatever it is called: "10m", "10MiB" (FromHumanSize). Raises ValueError with its words."""
    return _parsed(text, 1000)


def _parsed(text: str, base: int) -> int:
    last = max((place for place, letter in enumerate(text) if letter in "0123456789. "), default=-1)
    if last < 0:
        raise ValueError(f"invalid size: '{text}'")
    number, suffix = (text[:last] if text[last] == " " else text[: last + 1]), text[last + 1 :]
    size = _number(number)
    if size < 0:
        raise ValueError(f"invalid size: '{text}'")
    if not suffix:
        return _whole(size)
    if len(suffix) > 3:
        raise ValueError(f"invalid suffix: '{suffix}'")
    suffix = suffix.lower()
    power = _POWERS.find(suffix[0])
    if power < 0 or suffix[1:] not in (("",) if power == 0 else ("", "b", "ib")):
        raise ValueError(f"invalid suffix: '{suffix}'")
    return _whole(size * base**power)


def _number(text: str) -> float:
    if len(text) < 16 and text.isascii() and text.isdigit():  # as most are: nothing is loaded for them
        return int(text)
    from hyperbox.go.numbers import parse_float

    return parse_float(text)


def _whole(size: float) -> int:
    """Return what int64(size) is on amd64: the fraction is cut off, and what does not fit is the least number."""
    return int(size) if size < 2.0**63 else -(2**63)


def human_duration(seconds: float) -> str:
    """Return a length of time in words (HumanDuration): "Less than a second", "5 minutes", "2 weeks"."""
    whole = int(seconds)
    if whole < 60:
        return "Less than a second" if whole < 1 else "1 second" if whole == 1 else f"{whole} seconds"
    minutes = whole // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 14:
        return f"{hours // 24} days"
    if hours < 24 * 60:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{whole // 3600 // 24 // 365} years"
