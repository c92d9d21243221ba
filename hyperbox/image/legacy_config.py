"""The configurations of docker's image format 1 (before docker 1.10), one a layer, which `docker save` still writes into its archives."""

from __future__ import annotations

import hashlib

from hyperbox import files
from hyperbox.go.text import html_escaped
from hyperbox.image.removal import chain_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

# the members of a container's configuration in docker's order: (name, value where it is not given; () leaves it out)
CONFIG: tuple[tuple[str, object], ...] = (
    ("Hostname", ""),
    ("Domainname", ""),
    ("User", ""),
    ("AttachStdin", False),
    ("AttachStdout", False),
    ("AttachStderr", False),
    ("ExposedPorts", ()),
    ("Tty", False),
    ("OpenStdin", False),
    ("StdinOnce", False),
    ("Env", None),
    ("Cmd", None),
    ("Healthcheck", ()),
    ("ArgsEscaped", ()),
    ("Image", ""),
    ("Volumes", None),
    ("WorkingDir", ""),
    ("Entrypoint", None),
    ("NetworkDisabled", ()),
    ("MacAddress", ()),
    ("OnBuild", None),
    ("Labels", None),
    ("StopSignal", ()),
    ("StopTimeout", ()),
    ("Shell", ()),
)
HEALTH = ("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
SORTED = ("ExposedPorts", "Volumes", "Labels")
EPOCH = "1970-01-01T00:00:00Z"


def go_bytes(value: object) -> bytes:
    """Return `value` as Go's encoding/json writes it, the members of objects in the order that they have."""
    return html_escaped(files.dumps(value)).encode()


def _time(value: object) -> str:
    """Return a time as Go writes it: no zeros at the end of the fraction, Z for UTC."""
    text = str(value).replace("+00:00", "Z")
    whole, dot, rest = text.partition(".")
    if not dot:
        return text
    end = next((place for place, sign in enumerate(rest) if not sign.isdigit()), len(rest))
    digits = rest[:end].rstrip("0")
    return f"{whole}.{digits}{rest[end:]}" if digits else whole + rest[end:]


def container_config(value: object) -> Json:
    """Return a configuration with the members that docker writes, in its order."""
    given = value if isinstance(value, dict) else {}
    found: Json = {}
    for name, default in CONFIG:
        item = given.get(name)
        if default == ():
            if not item and not (name == "StopTimeout" and item is not None):
                continue
        elif item is None:
            item = default
        if name in SORTED and isinstance(item, dict):
            item = dict(sorted(item.items()))
        elif name == "Healthcheck" and isinstance(item, dict):
            item = {key: item[key] for key in HEALTH if item.get(key)}
        found[name] = item
    return found


def _first_format(document: Json) -> Json:
    """Return what of an image's configuration its first format had, in docker's order, without its ids."""
    texts = ("comment", "created", "container", "container_config", "docker_version", "author", "config")
    found: Json = {}
    for name in (*texts, "architecture", "variant", "os"):
        value = document.get(name)
        if name == "container_config":
            found[name] = container_config(value)
        elif name == "config":
            if isinstance(value, dict):
                found[name] = container_config(value)
        elif value:
            found[name] = _time(value) if name == "created" else value
    return found


def legacy_configs(document: Json, diff_ids: list[str]) -> list[bytes]:
    """Return the configurations of an image of these layers, one a layer, lowest first."""
    parent = ""
    configs = []
    for place, chain_id in enumerate(chain_ids(diff_ids)):
        is_top = place == len(diff_ids) - 1
        image = _first_format(document) if is_top else {"created": EPOCH, "container_config": container_config(None)}
        keyed = {**image, "layer_id": chain_id, **({"parent": f"sha256:{parent}"} if parent else {})}
        own = hashlib.sha256(go_bytes(dict(sorted(keyed.items())))).hexdigest()
        image.pop("os", None)
        system = document.get("os")
        above = {"id": own, **({"parent": parent} if parent else {})}
        configs.append(go_bytes({**above, **image, **({"os": system} if system else {})}))
        parent = own
    return configs
