"""Lists whose entries have a key: a later entry replaces the earlier one of the same key. A table of path -> key, and a walker."""

from __future__ import annotations

from collections.abc import Callable

from hyperbox.compose import go
from hyperbox.compose.tree import Rules, compile_rules, join
from hyperbox.compose.volumes import parse_volume
from hyperbox.errors import ComposeError

KeyOf = Callable[[object, str], str]


def enforce_unicity(document: dict[str, object]) -> dict[str, object]:
    """Drop what is declared again, in place. Raises ComposeError for an entry that can't have a key."""
    _walk(document, "", KEYS)
    return document


def _walk(value: object, path: str, rules: Rules[KeyOf]) -> object:
    if isinstance(value, dict):
        for key, item in value.items():
            below = rules.below(key)
            if below is not None:
                value[key] = _walk(item, join(path, key), below)
    elif isinstance(value, list) and rules.rule is not None:
        return _unique(value, path, rules.rule)
    return value


def _unique(entries: list[object], path: str, key_of: KeyOf) -> list[object]:
    positions: dict[str, int] = {}
    result: list[object] = []
    for index, entry in enumerate(entries):
        key = key_of(entry, f"{path}.[{index}]")
        position = positions.setdefault(key, len(result))
        if position == len(result):
            result.append(entry)
        else:
            result[position] = entry
    return result


def _key_value(entry: object, path: str) -> str:
    if isinstance(entry, str):
        return entry.partition("=")[0]
    raise ComposeError(f"{path}: unexpected type {go.type_name(entry)}")


def _volume(entry: object, path: str) -> str:
    if isinstance(entry, dict):
        target = entry.get("target")
        if not isinstance(target, str):
            raise ComposeError(f"service volume {path} is missing a mount target")
        return target
    if isinstance(entry, str):
        return str(parse_volume(entry).get("target", ""))
    return ""


def _device(entry: object, path: str) -> str:
    if isinstance(entry, dict):
        target = entry.get("target")
        if not isinstance(target, str):
            raise ComposeError(f"service device {path} is missing a mount target")
        return target
    if isinstance(entry, str):
        parts = entry.split(":")
        return parts[0] if len(parts) == 1 else parts[1]
    return ""


def _expose(entry: object, path: str) -> str:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, int) and not isinstance(entry, bool):
        return str(entry)
    raise ComposeError(f"{path}: unsupported expose value {go.sprint_error(entry)}")


def _mount(default: str) -> KeyOf:
    def key_of(entry: object, path: str) -> str:
        if isinstance(entry, str):
            return f"{default}/{entry}"
        if isinstance(entry, dict):
            target = entry.get("target")
            return target if isinstance(target, str) else f"{default}/{go.sprint(entry.get('source'))}"
        raise ComposeError(f"{path}: unsupported expose value {go.sprint_error(entry)}")

    return key_of


def _port(entry: object, path: str) -> str:
    if isinstance(entry, bool):
        return ""
    if isinstance(entry, int):
        return str(entry)
    if isinstance(entry, dict):
        if "target" not in entry:
            raise ComposeError(f"service ports {path} is missing a target port")
        host, protocol = entry.get("host_ip", "0.0.0.0"), entry.get("protocol", "tcp")
        return f"{host}:{entry.get('published')}:{entry['target']}/{protocol}"
    return entry if isinstance(entry, str) else ""


def _env_file(entry: object, path: str) -> str:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, dict):
        if isinstance(entry.get("path"), str):
            return str(entry["path"])
        raise ComposeError(f"environment path attribute {path} is missing")
    return ""


_KEY_VALUE_LISTS = (
    "networks.*.labels", "networks.*.ipam.options", "services.*.annotations", "services.*.build.args",
    "services.*.build.additional_contexts", "services.*.build.platform", "services.*.build.tags", "services.*.build.labels",
    "services.*.cap_add", "services.*.cap_drop", "services.*.deploy.labels", "services.*.dns", "services.*.dns_opt",
    "services.*.dns_search", "services.*.environment", "services.*.labels", "services.*.links", "services.*.networks.*.aliases",
    "services.*.networks.*.link_local_ips", "services.*.profiles", "services.*.sysctls", "services.*.tmpfs",
)  # fmt: skip

KEYS: Rules[KeyOf] = compile_rules(
    {
        **dict.fromkeys(_KEY_VALUE_LISTS, _key_value),
        "services.*.configs": _mount(""),
        "services.*.devices": _device,
        "services.*.env_file": _env_file,
        "services.*.expose": _expose,
        "services.*.ports": _port,
        "services.*.secrets": _mount("/run/secrets"),
        "services.*.volumes": _volume,
    }
)
