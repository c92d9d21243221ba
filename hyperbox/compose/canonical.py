"""Short forms become long ones, and missing attributes get their defaults: two tables of path -> function, two walks.

Works in place. With `lenient` (a document that is not interpolated) what does not parse stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from hyperbox.compose import go
from hyperbox.compose.ports import TooManyPorts, parse_ports
from hyperbox.compose.tree import Rules, compile_rules, join
from hyperbox.compose.volumes import parse_volume
from hyperbox.errors import ComposeError
from hyperbox.go.text import quote

# how many ports the ranges of a document may stand for: all that there are, in two protocols
PORTS = 2 * 65536

Json = dict[str, object]
Warn = Callable[[str], None]


class Walk:
    """One walk: the table, how strict it is, and who hears warnings."""

    __slots__ = ("lenient", "ports", "warn")

    def __init__(self, lenient: bool, warn: Warn) -> None:
        self.lenient = lenient
        # how many ports the short forms have stood for
        self.ports = 0
        self.warn = warn

    def transform(self, value: object, path: str, rules: Rules[Transform]) -> object:
        """Return the long form of `value`."""
        if rules.rule is not None:
            return rules.rule(value, path, self, rules)
        self.below(value, path, rules)
        return value

    def below(self, value: object, path: str, rules: Rules[Transform]) -> None:
        """Transform what is below `value`, in place."""
        if isinstance(value, dict):
            for key, item in value.items():
                inner = rules.below(key)
                if inner is not None:
                    value[key] = self.transform(item, join(path, key), inner)
        elif isinstance(value, list):
            inner = rules.below("[]")
            if inner is not None:
                for index, item in enumerate(value):
                    value[index] = self.transform(item, join(path, "[]"), inner)


Transform = Callable[[object, str, Walk, "Rules[Transform]"], object]


def to_canonical(document: Json, *, lenient: bool, warn: Warn) -> Json:
    """Return `document` in the long forms. Raises ComposeError."""
    Walk(lenient, warn).transform(document, "", TRANSFORMS)
    return document


def _invalid(value: object, path: str, what: str) -> ComposeError:
    return ComposeError(f"{path}: invalid type {go.type_name(value)} for {what}")


def _service(value: object, path: str, walk: Walk, rules: Rules[Transform]) -> object:
    walk.below(value, path, rules)
    return value


def _build(value: object, path: str, walk: Walk, rules: Rules[Transform]) -> object:
    if isinstance(value, str):
        return {"context": value}
    if not isinstance(value, dict):
        raise _invalid(value, path, "build")
    walk.below(value, path, rules)
    return value


def _file_mount(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if isinstance(value, str):
        return {"source": value}
    if not isinstance(value, dict):
        raise ComposeError(f"{path}: unsupported type {go.type_name(value)}")
    return value


def _text(value: object, _: str, __: Walk, ___: Rules[Transform]) -> object:
    return value if isinstance(value, str) else go.sprint(value)


def _string_list(value: object, _: str, __: Walk, ___: Rules[Transform]) -> object:
    return [value] if isinstance(value, str) else value


def _names_to_mapping(value: object, _: str, __: Walk, ___: Rules[Transform]) -> object:
    return dict.fromkeys(map(str, value)) if isinstance(value, list) else value


def _key_values(value: object, path: str, walk: Walk, _: Rules[Transform]) -> object:
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise ComposeError(f"{path}: invalid type {go.type_name(value)}")
    mapping: Json = {}
    for entry in value:
        key, equals, after = str(entry).partition("=")
        if not equals:
            if walk.lenient:
                return value
            raise ComposeError(f"{path}: invalid value {entry}, expected key=value")
        mapping[key] = after
    return mapping


def _depends_on(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if isinstance(value, list):
        return {str(name): {"condition": "service_started", "required": True} for name in value}
    if not isinstance(value, dict):
        raise _invalid(value, path, "depend_on")
    for name, dependency in value.items():
        if not isinstance(dependency, dict):
            raise ComposeError(f"{path}.{name}: unsupported value {go.sprint_error(value)}")
        dependency.setdefault("condition", "service_started")
        dependency.setdefault("required", True)
    return value


def _env_files(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise _invalid(value, path, "env_file")
    return [_env_file(entry) for entry in entries]


def _env_file(entry: object) -> object:
    if isinstance(entry, str):
        return {"path": entry, "required": True}
    if isinstance(entry, dict):
        entry.setdefault("required", True)
        return entry
    return None


def _extends(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if isinstance(value, str):
        return {"service": value}
    if not isinstance(value, dict):
        raise _invalid(value, path, "extends")
    return value


def _gpus(value: object, path: str, walk: Walk, rules: Rules[Transform]) -> object:
    if isinstance(value, str):
        return [{"count": "all"}]
    if not isinstance(value, list):
        raise _invalid(value, path, "gpus")
    walk.below(value, path, rules)
    return value


def _volume(value: object, path: str, walk: Walk, _: Rules[Transform]) -> object:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise _invalid(value, path, "service volume mount")
    try:
        volume = parse_volume(value)
    except ComposeError:
        if walk.lenient:
            return value
        raise
    target = volume.get("target")
    if target:
        volume["target"] = clean_path(str(target))
    return volume


def _device(value: object, path: str, walk: Walk, _: Rules[Transform]) -> object:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise _invalid(value, path, "service volume mount")
    parts = value.split(":")
    if len(parts) > 3:
        if not walk.lenient:
            raise ComposeError(f"confusing device mapping, please use long syntax: {value}")
        parts = ["", "", "rwm"]
    source = parts[0]
    target = (parts[1] if len(parts) > 1 else "") or source
    return {"source": source, "target": target, "permissions": parts[2] if len(parts) > 2 else "rwm"}


def _ports(value: object, path: str, walk: Walk, _: Rules[Transform]) -> object:
    if not isinstance(value, list):
        raise _invalid(value, path, "port")
    ports: list[object] = []
    for entry in value:
        if isinstance(entry, dict):
            ports.append(entry)
        elif isinstance(entry, str) or (isinstance(entry, int) and not isinstance(entry, bool)):
            try:
                expanded = parse_ports(str(entry), PORTS - walk.ports)
                walk.ports += len(expanded)
                ports.extend(expanded)
            except TooManyPorts:
                raise ComposeError(f"{path}: more than {PORTS} ports") from None
            except ComposeError:
                if walk.lenient and isinstance(entry, str):
                    return value
                raise
        else:
            raise _invalid(entry, path, "port")
    return ports


def _ssh(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise _invalid(value, path, "ssh")
    keys: Json = {}
    for entry in value:
        if not isinstance(entry, str):
            raise ComposeError(f"invalid ssh key type {go.type_name(entry)}")
        name, equals, key_path = entry.partition("=")
        if not equals and name != "default":
            raise ComposeError(f"invalid ssh key {quote(entry)}")
        keys[name] = key_path if equals else None
    return keys


def _ulimit(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if isinstance(value, dict) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _invalid(value, path, "external")


def _external(value: object, path: str, walk: Walk, rules: Rules[Transform]) -> object:
    """Accept the old form `external: {name: …}`."""
    if not isinstance(value, dict):
        return value
    walk.below(value, path, rules)
    external = value.get("external")
    if isinstance(external, dict):
        value["external"] = True
        if "name" in external:
            walk.warn(f"{path}: external.name is deprecated. Please set name and external: true")
            if value.setdefault("name", external["name"]) != external["name"]:
                raise ComposeError(f"{path}: name and external.name conflict; only use name")
    return value


def _include(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if isinstance(value, str):
        return {"path": value}
    if not isinstance(value, dict):
        raise _invalid(value, path, "external")
    return value


def clean_path(path: str) -> str:
    """Return Go's path.Clean: no ".", "..", doubled or trailing slashes."""
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts and parts[-1] != "..":
                parts.pop()
            elif not rooted:
                parts.append(part)
        elif part not in ("", "."):
            parts.append(part)
    return ("/" if rooted else "") + "/".join(parts) or "."


TRANSFORMS: Rules[Transform] = compile_rules(
    {
        "services.*": _service,
        "services.*.build.secrets.*": _file_mount,
        "services.*.build.provenance": _text,
        "services.*.build.sbom": _text,
        "services.*.build.additional_contexts": _key_values,
        "services.*.depends_on": _depends_on,
        "services.*.env_file": _env_files,
        "services.*.label_file": _string_list,
        "services.*.extends": _extends,
        "services.*.gpus": _gpus,
        "services.*.networks": _names_to_mapping,
        "services.*.models": _names_to_mapping,
        "services.*.volumes.*": _volume,
        "services.*.dns": _string_list,
        "services.*.devices.*": _device,
        "services.*.secrets.*": _file_mount,
        "services.*.configs.*": _file_mount,
        "services.*.ports": _ports,
        "services.*.build": _build,
        "services.*.build.ssh": _ssh,
        "services.*.ulimits.*": _ulimit,
        "services.*.build.ulimits.*": _ulimit,
        "services.*.develop.watch.*.ignore": _string_list,
        "services.*.develop.watch.*.include": _string_list,
        "volumes.*": _external,
        "networks.*": _external,
        "secrets.*": _external,
        "configs.*": _external,
        "include.*": _include,
    }
)


def omit_empty(document: Json) -> Json:
    """Drop empty entries where they mean nothing: the name servers of a service."""
    services = document.get("services")
    for service in services.values() if isinstance(services, dict) else ():
        servers = service.get("dns") if isinstance(service, dict) else None
        if isinstance(servers, list):
            service["dns"] = [server for server in servers if server not in (None, "")]
    return document


def _default_build(value: object, _: str, __: Walk, ___: Rules[Transform]) -> object:
    if isinstance(value, dict):
        value.setdefault("context", ".")
    return value


def _default_secret(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if not isinstance(value, dict):
        raise ComposeError(f"{path}: unsupported type {go.type_name(value)}")
    value.setdefault("target", f"/run/secrets/{go.sprint(value.get('source'))}")
    return value


def _default_port(value: object, _: str, __: Walk, ___: Rules[Transform]) -> object:
    if isinstance(value, dict):
        value.setdefault("protocol", "tcp")
        value.setdefault("mode", "ingress")
    return value


def _default_device_request(value: object, path: str, _: Walk, __: Rules[Transform]) -> object:
    if not isinstance(value, dict):
        raise _invalid({}, path, "device request")
    if "count" not in value and "device_ids" not in value:
        value["count"] = "all"
    return value


DEFAULTS: Rules[Transform] = compile_rules(
    {
        "services.*.build": _default_build,
        "services.*.secrets.*": _default_secret,
        "services.*.ports.*": _default_port,
        "services.*.deploy.resources.reservations.devices.*": _default_device_request,
        "services.*.gpus.*": _default_device_request,
    }
)


def set_defaults(document: Json, warn: Warn) -> Json:
    """Give missing attributes their defaults, in place."""
    Walk(False, warn).transform(document, "", DEFAULTS)
    return document
