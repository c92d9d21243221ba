"""`RUN --mount=…`: its kinds and options."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.build.dockerfile import DockerfileError


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
    "ssh": {"id", "target", "required", "mode", "uid", "gid"},
}


def parse_mount(text: str, line: int) -> Mount:
    """Parse the value of one --mount flag. Raises DockerfileError naming the field."""
    kind, options = "bind", {}
    for field in text.split(","):
        name, equals, value = field.strip().partition("=")
        name = ALIASES.get(name.lower(), name.lower())
        if name == "type":
            if value not in KINDS:
                raise DockerfileError(f'unsupported mount type "{value}"', line)
            kind = value
            continue
        if name in BOOLEAN:
            value = value.lower() if equals else "true"
            if value not in ("true", "false", "1", "0"):
                raise DockerfileError(f"invalid value for {name}: {value}", line)
            value = {"1": "true", "0": "false"}.get(value, value)
        elif not equals:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair", line)
        options[name] = value
    for name, value in options.items():
        if name not in KINDS[kind]:
            raise DockerfileError(f"unexpected key '{name}' in '{name}={value}' for mount type '{kind}'", line)
    if kind in ("bind", "cache", "tmpfs") and not options.get("target"):
        raise DockerfileError(f"target is required for mount type '{kind}'", line)
    if kind == "cache" and options.get("sharing", "shared") not in ("shared", "private", "locked"):
        raise DockerfileError(f"unsupported sharing value '{options['sharing']}'", line)
    return Mount(kind, tuple(sorted(options.items())))
