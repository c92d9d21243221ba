"""What docker checks of a `--mount` while it reads the command line."""

from __future__ import annotations

from hyperbox.go.text import FALSE, TRUE
from hyperbox.go.units import parse_bytes
from hyperbox.grammar.values import split_commas

WITHOUT_VALUE = frozenset({"readonly", "ro", "volume-nocopy", "bind-nonrecursive"})
FREE = frozenset(
    {
        "type", "source", "src", "target", "dst", "destination", "consistency", "bind-propagation", "volume-subpath", "volume-label",
        "volume-driver", "volume-opt", "image-subpath",
    }
)  # fmt: skip
TARGETS = frozenset({"target", "dst", "destination"})
RECURSION = ("enabled", "disabled", "writable", "readonly")


def _check_field(key: str, value: str, field: str) -> None:
    if key in FREE:
        return
    if key in WITHOUT_VALUE:
        if "=" in field and value not in TRUE and value not in FALSE:
            raise ValueError(f"invalid value for {key}: {value}")
    elif key == "bind-recursive":
        if value not in RECURSION:
            raise ValueError(
                f'invalid value for {key}: {value} (must be "enabled", "disabled", "writable", or "readonly")'
            )
    elif key == "tmpfs-size":
        try:
            parse_bytes(value)
        except ValueError:
            raise ValueError(f"invalid value for {key}: {value}") from None
    elif key == "tmpfs-mode":
        if not value or value.strip("01234567") or int(value, 8) >= 2**32:
            raise ValueError(f"invalid value for {key}: {value}")
    else:
        raise ValueError(f"unexpected key '{key}' in '{field}'")


def check_mount(text: str) -> None:
    """Check type=…,source=…,target=… and the rest; raises ValueError with docker's words."""
    if not text:
        raise ValueError("EOF")
    kind = "volume"
    recursion = ""
    propagation = ""
    read_only = target = False
    groups: set[str] = set()
    for field in split_commas(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals and key not in WITHOUT_VALUE:
            raise ValueError(f"invalid field '{field}' must be a key=value pair")
        _check_field(key, value, field)
        if key == "type":
            kind = value.lower()
        elif key == "bind-recursive":
            recursion = value
        elif key == "bind-propagation":
            propagation = value.lower()
        elif key in ("readonly", "ro"):
            read_only = not equals or value in TRUE
        target = target or (key in TARGETS and value != "")
        groups.add(key.partition("-")[0] if "-" in key else "")
    if not kind:
        raise ValueError("type is required")
    if not target:
        raise ValueError("target is required")
    for group in ("volume", "image", "bind", "tmpfs"):
        if group in groups and group != kind:
            raise ValueError(f"cannot mix '{group}-*' options with mount type '{kind}'")
    if recursion in ("readonly", "writable") and not read_only:
        raise ValueError(f"option 'bind-recursive={recursion}' requires 'readonly' to be specified in conjunction")
    if recursion == "readonly" and propagation != "rprivate":
        raise ValueError(
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
        )
