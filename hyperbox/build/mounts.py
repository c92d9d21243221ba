"""`RUN --mount=…`: its kinds and options."""

from __future__ import annotations

import re
from typing import NamedTuple

from hyperbox.build.dockerfile import DockerfileError, suggestion
from hyperbox.go.text import parse_bool


class Mount(NamedTuple):
    """One mount of a RUN step, as written; `options` by their canonical names."""

    kind: str
    options: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        """Return an option's text, or `default` where it was not given."""
        return dict(self.options).get(name, default)

    def flag(self, name: str) -> bool:
        """Return whether a boolean option is on."""
        return self.get(name) == "true"


ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
BOOLEAN = {"readonly", "readwrite", "required"}
# kind -> the options that it knows
KINDS = {
    "bind": {"target", "source", "from", "readonly", "readwrite"},
    "cache": {"id", "target", "source", "from", "readonly", "readwrite", "sharing", "mode", "uid", "gid"},
    "tmpfs": {"target", "size"},
    "secret": {"id", "target", "source", "required", "mode", "uid", "gid", "env"},
    "ssh": {"id", "target", "required", "mode", "uid", "gid", "env"},
}


KEYS = (
    *("type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid"),
    *("src", "dst", "destination", "ro", "rw", "readwrite", "env"),
)
SHARING = ("shared", "private", "locked")
NUMBERS = {"mode": 8, "uid": 10, "gid": 10}
_size = re.compile(r"\d+(?:\.\d+)?\s*[kmgtp]?i?b?", re.IGNORECASE)


def parse_mount(text: str, line: int) -> Mount:
    """Parse the value of one --mount flag. Raises DockerfileError with BuildKit's words."""
    kind = "bind"
    options: dict[str, str] = {}
    written: dict[str, str] = {}
    for field in text.split(","):
        given, equals, value = field.strip().partition("=")
        name = ALIASES.get(given.lower(), given.lower())
        if name == "type":
            if value.lower() not in KINDS:
                raise _error(f'unsupported mount type "{value}"{suggestion(value.lower(), KINDS)}', line)
            kind = value.lower()
            continue
        if name in BOOLEAN:
            options[name] = _boolean(given, value if equals else "true", line)
        elif not equals:
            raise _error(f"invalid field '{field}' must be a key=value pair", line)
        else:
            options[name] = value
        written[name] = given.lower()
        if not any(name in known for known in KINDS.values()):
            raise _error(f"unexpected key '{given.lower()}' in '{field}'{suggestion(given.lower(), KEYS)}", line)
    for name, value in options.items():
        if name not in KINDS[kind]:
            raise _error(f"unexpected key '{written[name]}' for mount type '{kind}'", line)
        _check_value(name, value, line)
    _check_target(kind, options, line)
    return Mount(kind, tuple(sorted(options.items())))


def _error(message: str, line: int) -> DockerfileError:
    return DockerfileError(message, line, plain=True)


def _boolean(name: str, value: str, line: int) -> str:
    """Return "true" or "false" for what Go's strconv.ParseBool takes."""
    try:
        return "true" if parse_bool(value) else "false"
    except ValueError:
        raise _error(f"invalid value for {name}: {value}", line) from None


def _check_value(name: str, value: str, line: int) -> None:
    """Raise DockerfileError for a number that is none; one with a variable in it is known later."""
    if "$" in value:
        return
    if name in NUMBERS:
        try:
            int(value, NUMBERS[name])
        except ValueError:
            raise _error(f"invalid value {value} for {name}", line) from None
    elif name == "size" and not _size.fullmatch(value):
        raise _error(f"invalid value for size: {value}", line)
    elif name == "sharing" and value.lower() not in SHARING:
        raise _error(f'unsupported sharing value "{value}"{suggestion(value.lower(), SHARING)}', line)


def _check_target(kind: str, options: dict[str, str], line: int) -> None:
    """Raise DockerfileError for a secret without a name; the place of other mounts is known while the stage is solved."""
    if kind == "secret" and not options.get("id") and not options.get("target"):
        raise _error("invalid secret mount. one of source, target required", line)
