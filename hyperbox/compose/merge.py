"""Merging one document over another: the rules for each attribute, and which list entries replace each other.

`merge` and `extend_service` change and return their first argument. https://github.com/compose-spec/compose-spec/blob/main/13-merge.md
"""

from __future__ import annotations

from collections.abc import Callable

from hyperbox.compose import go
from hyperbox.compose.tree import Rules, compile_rules, join
from hyperbox.errors import ComposeError

Json = dict[str, object]
Merger = Callable[[object, object, str], object]


def merge(base: Json, other: Json) -> Json:
    """Merge the document `other` over `base`. Raises ComposeError "cannot override PATH"."""
    return _merge_mappings(base, other, "", MERGERS)


def extend_service(base: Json, service: Json) -> Json:
    """Merge a service over the one that it extends."""
    services = MERGERS.below("services")
    assert services is not None
    merged = _merge_values(base, service, "services.x", services.below("x"))
    assert isinstance(merged, dict)
    return merged


def _merge_values(base: object, other: object, path: str, rules: Rules[Merger] | None) -> object:
    if rules is not None and rules.rule is not None:
        return rules.rule(base, other, path)
    if other is None:
        return base
    if isinstance(base, dict):
        if not isinstance(other, dict):
            raise ComposeError(f"cannot override {path}")
        return _merge_mappings(base, other, path, rules)
    if isinstance(base, list):
        if not isinstance(other, list):
            raise ComposeError(f"cannot override {path}")
        return base + other
    return other


def _merge_mappings(base: Json, other: Json, path: str, rules: Rules[Merger] | None) -> Json:
    for key, value in other.items():
        if key in base:
            base[key] = _merge_values(base[key], value, join(path, key), rules.below(key) if rules else None)
        else:
            base[key] = value
    return base


def _replace(_: object, other: object, __: str) -> object:
    return other


def _sequences(base: object, other: object, _: str) -> object:
    return as_sequence(base) + as_sequence(other)


def as_sequence(value: object) -> list[object]:
    """Return a mapping as its sorted list of "key=value", a string as a list of it."""
    if isinstance(value, dict):
        entries: list[str] = []
        for key, item in value.items():
            if item is None:
                entries.append(key)
            elif isinstance(item, list):
                entries.extend(f"{key}={go.sprint(inner)}" for inner in item)
            else:
                entries.append(f"{key}={go.sprint(item)}")
        return [*sorted(entries)]
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, str) else []


def _extra_hosts(base: object, other: object, _: str) -> object:
    hosts = as_sequence(base)
    return hosts + [host for host in as_sequence(other) if host not in hosts]


def _as_mapping(value: object, default: Json | None) -> Json:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(key): dict(default) if default is not None else None for key in value}
    return {}


def _level(path: str) -> Rules[Merger] | None:
    """Return the compiled rules below the attribute of a service at `path`."""
    level = MERGERS.below("services")
    for part in ("*", path.rsplit(".", 1)[1]):
        level = level.below(part) if level else None
    return level


def _depends_on(base: object, other: object, path: str) -> object:
    default: Json = {"condition": "service_started", "required": True}
    return _merge_mappings(_as_mapping(base, default), _as_mapping(other, default), path, _level(path))


def _names(base: object, other: object, path: str) -> object:
    return _merge_mappings(_as_mapping(base, None), _as_mapping(other, None), path, _level(path))


def _build(base: object, other: object, path: str) -> object:
    def long_form(value: object) -> Json:
        if isinstance(value, str):
            return {"context": value}
        return value if isinstance(value, dict) else {}

    return _merge_mappings(long_form(base), long_form(other), path, _level(path))


def _logging(base: object, other: object, path: str) -> object:
    """Options are merged only where both have the same driver, or one has none."""
    if not isinstance(base, dict) or not isinstance(other, dict):
        return other
    if "driver" not in base or "driver" not in other or base["driver"] == other["driver"]:
        return _merge_mappings(base, other, path, _level(path))
    return other


def _ipam_configs(base: object, other: object, path: str) -> object:
    """Pools are merged by subnet."""
    if not isinstance(base, list) or not isinstance(other, list):
        wrong = base
        raise ComposeError(f"{path}: unexpected type {go.type_name(wrong)}")
    pools: list[Json] = []

    def index_of(subnet: object) -> int:
        return next((index for index, pool in enumerate(pools) if pool.get("subnet") == subnet), -1)

    for original in base:
        right = _as_mapping(original, None)
        for override in other:
            left = _as_mapping(override, None)
            if left.get("subnet") != right.get("subnet") and index_of(left.get("subnet")) < 0:
                pools.append(left)
                continue
            merged = _merge_mappings(right, left, path, None)
            index = index_of(merged.get("subnet"))
            if index >= 0:
                pools[index] = merged
            else:
                pools.append(merged)
    return pools


MERGERS: Rules[Merger] = compile_rules(
    {
        "networks.*.ipam.config": _ipam_configs,
        "networks.*.labels": _sequences,
        "volumes.*.labels": _sequences,
        "services.*.annotations": _sequences,
        "services.*.build": _build,
        "services.*.build.args": _sequences,
        "services.*.build.additional_contexts": _sequences,
        "services.*.build.extra_hosts": _extra_hosts,
        "services.*.build.labels": _sequences,
        "services.*.command": _replace,
        "services.*.depends_on": _depends_on,
        "services.*.deploy.labels": _sequences,
        "services.*.dns": _sequences,
        "services.*.dns_opt": _sequences,
        "services.*.dns_search": _sequences,
        "services.*.entrypoint": _replace,
        "services.*.env_file": _sequences,
        "services.*.label_file": _sequences,
        "services.*.environment": _sequences,
        "services.*.extra_hosts": _extra_hosts,
        "services.*.healthcheck.test": _replace,
        "services.*.labels": _sequences,
        "services.*.volumes.*.volume.labels": _sequences,
        "services.*.logging": _logging,
        "services.*.models": _names,
        "services.*.networks": _names,
        "services.*.sysctls": _sequences,
        "services.*.tmpfs": _sequences,
        "services.*.ulimits.*": _replace,
    }
)
