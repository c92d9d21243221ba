"""Durations ("1m30s"), sizes ("50m") and command lines, by the rules of the Go libraries that docker compose parses them with."""

from __future__ import annotations

from hyperbox.compose import go

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_DIGITS = "0123456789"


def parse_duration(text: str) -> int:
    """Return nanoseconds. Units ns, us, ms, s, m, h, d and w. Raises ValueError `time: invalid duration "…"`."""
    invalid = f'time: invalid duration "{text}"'
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(invalid)
    total = 0
    while rest:
        number = _take(rest, _DIGITS + ".")
        whole, _, fraction = number.partition(".")
        if not whole and not fraction:
            raise ValueError(invalid)
        if "." in fraction:
            if not number.replace(".", "", 1).partition(".")[0]:
                raise ValueError(invalid)
            raise ValueError(f'time: missing unit in duration "{text}"')
        rest = rest[len(number) :]
        unit = ""
        while rest and rest[0] not in _DIGITS + ".":
            unit += rest[0]
            rest = rest[1:]
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        if len(whole) > 40:
            raise ValueError(invalid)
        total += int(whole or "0") * _UNITS[unit]
        if fraction:
            total += int(float(f"0.{fraction[:18]}") * _UNITS[unit])
        if total > go.INT_MAX:
            raise ValueError(invalid)
    return -total if text[0] == "-" else total


def _take(text: str, characters: str) -> str:
    end = 0
    while end < len(text) and text[end] in characters:
        end += 1
    return text[:end]


def format_duration(nanoseconds: int) -> str:
    """Return Go's time.Duration.String(): "1m30s", "1.5s", "0s"."""
    sign = "-" if nanoseconds < 0 else ""
    rest = abs(nanoseconds)
    if rest == 0:
        return "0s"
    if rest < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if rest >= size:
                return f"{sign}{_decimal(rest, size)}{unit}"
    hours, rest = divmod(rest, 3_600_000_000_000)
    minutes, rest = divmod(rest, 60_000_000_000)
    seconds = f"{_decimal(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


_BINARY = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


def parse_bytes(text: str) -> int:
    """Return the bytes that a size like "50m", "1.5 GiB" or "64kb" names. Raises ValueError."""
    last = max((index for index, character in enumerate(text) if character in "0123456789. "), default=-1)
    if last < 0:
        raise ValueError(f"invalid size: '{text}'")
    number, suffix = (text[:last] if text[last] == " " else text[: last + 1]), text[last + 1 :]
    size = go.parse_float(number)
    if size < 0:
        raise ValueError(f"invalid size: '{text}'")
    if not suffix:
        return _integer(size)
    if len(suffix) > 3:
        raise ValueError(f"invalid suffix: '{suffix}'")
    suffix = suffix.lower()
    if suffix == "b":
        return _integer(size)
    if suffix[0] not in _BINARY or suffix[1:] not in ("", "b", "ib"):
        raise ValueError(f"invalid suffix: '{suffix}'")
    return _integer(size * _BINARY[suffix[0]])


def _integer(size: float) -> int:
    return int(size) if size < 2**63 else go.INT_MIN


def split_words(line: str) -> list[str]:
    """Split a command line into words as a shell would, expanding nothing; an unquoted `;`, `&`, `|`, `<` or `>` ends it.

    Raises ValueError "invalid command line string" for open quotes.
    """
    words: list[str] = []
    word: list[str] = []
    # what is open: one of ' " ` or ( for $(
    escaped = single = double = back = dollar = False
    started = False
    for character in line:
        if escaped:
            word.append(character)
            escaped, started = False, True
        elif character == "\\":
            if single:
                word.append(character)
            else:
                escaped = True
        elif character in " \t\r\n":
            if single or double or back or dollar:
                word.append(character)
            elif started:
                words.append("".join(word))
                word, started = [], False
        elif character == '"' and not single and not dollar:
            started = started or double
            double = not double
        elif character == "'" and not double and not dollar:
            started = started or single
            single = not single
        elif character in ";&|<>" and not (single or double or back or dollar):
            if character == ">" and word and word[0] in _DIGITS:
                started = False
            break
        elif character == "(" and not (single or double or back):
            if dollar or not word or word[-1] != "$":
                raise ValueError("invalid command line string")
            dollar = True
            word.append("(")
        else:
            if character == "`" and not (single or double or dollar):
                back = not back
            elif character == ")" and not (single or double or back):
                dollar = not dollar
            word.append(character)
            started = True
    if started:
        words.append("".join(word))
    if escaped or single or double or back or dollar:
        raise ValueError("invalid command line string")
    return words
