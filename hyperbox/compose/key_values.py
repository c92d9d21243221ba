"""The grammar of `docker run --env-file`, and of env files of the format `raw`: a name and a value a line, as they stand."""

from __future__ import annotations

from collections.abc import Callable

# what Go's unicode.IsSpace takes for white space
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
# longer lines are no lines to Go's scanner
LINE = 64 * 1024


class KeyValueError(ValueError):
    """A file that does not parse; its text is docker's."""


def read_key_values(data: bytes, lookup: Callable[[str], str | None]) -> list[tuple[str, str]]:
    """Return the names and values of a file; a name alone takes what `lookup` has for it, or is left out. Raises KeyValueError."""
    pairs: list[tuple[str, str]] = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        if len(raw) >= LINE:
            raise KeyValueError("bufio.Scanner: token too long")
        content = raw.removesuffix(b"\r")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise KeyValueError(f"invalid utf8 bytes at line {number}: [{' '.join(map(str, content))}]") from None
        line = (text.removeprefix("\ufeff") if number == 1 else text).lstrip(SPACES)
        if not line or line[0] == "#":
            continue
        key, equals, value = line.partition("=")
        if not key:
            raise KeyValueError(f"no variable name on line '{line}'")
        if " " in key or "\t" in key:
            raise KeyValueError(f"variable '{key}' contains whitespaces")
        inherited = value if equals else lookup(key)
        if inherited is not None:
            pairs.append((key, inherited))
    return pairs
