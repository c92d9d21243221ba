"""--set: which keys of which targets it changes, and how."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.bake.decode import entry_of_text
from hyperbox.bake.entries import Agent, Entry, Secret
from hyperbox.bake.errors import BakeError
from hyperbox.bake.model import Target, tidy
from hyperbox.go.patterns import compiled
from hyperbox.go.text import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hyperbox.bake.entitlements import Entitlements

_LISTS = (
    "output",
    "cache-to",
    "cache-from",
    "tags",
    "platform",
    "secrets",
    "ssh",
    "attest",
    "entitlements",
    "network",
    "annotations",
)
_TEXTS = ("context", "dockerfile", "target", "call", "shm-size", "network")
_MAPS = ("args", "contexts", "labels", "extra-hosts")
_MAP_FORMS = {"extra-hosts": "<hostname>=<ip>"}
_FLAGS = ("no-cache", "pull", "push", "load")
_ENTRIES = {"cache-from": "cache-from", "cache-to": "cache-to", "secrets": "secret", "ssh": "ssh", "output": "output"}


class Override(NamedTuple):
    """What --set says of a key: a text, or texts that take the place of a list or are added to it."""

    value: str = ""
    values: tuple[str, ...] = ()
    append: bool = False


def parse_overrides(
    words: Sequence[str], targets: Sequence[str], environment: Mapping[str, str]
) -> dict[str, dict[str, Override]]:
    """Return what --set changes: target -> key -> override. Raises BakeError."""
    found: dict[str, dict[str, Override]] = {}
    for word in words:
        left, equals, value = word.partition("=")
        key = left.removesuffix("+")
        parts = key.split(".", 2)
        if len(parts) < 2:
            raise BakeError(f"invalid override key {key}, expected target.name")
        if not equals and parts[1] != "args":
            raise BakeError(f"invalid override {word}, expected target.name=value")
        names = _expanded(parts[0], targets)
        if parts[1] in ("args", "contexts") and len(parts) != 3:
            raise BakeError(f"invalid key {left}, {parts[1]} requires name")
        if not equals:
            if parts[2] not in environment:
                continue
            value = environment[parts[2]]
        for name in names:
            overrides = found.setdefault(name, {})
            before = overrides.get(".".join(parts[1:]), Override())
            added = Override(before.value, (*before.values, value), left.endswith("+"))
            made = added if parts[1] in _LISTS else before._replace(value=value)
            overrides[".".join(parts[1:])] = made
    return found


def _expanded(pattern: str, targets: Sequence[str]) -> list[str]:
    if pattern in targets:
        return [pattern]
    try:
        form = compiled(pattern)
    except ValueError as error:
        if targets:
            raise BakeError(f"could not match targets with '{pattern}': {error}") from None
        raise BakeError(f"could not find any target matching '{pattern}'") from None
    found = [name for name in targets if form.match(name)]
    if not found:
        raise BakeError(f"could not find any target matching '{pattern}'")
    return found


def add_overrides(target: Target, overrides: Mapping[str, Override], granted: Entitlements) -> None:
    """Change a target. What is given with --set is granted as well. Raises BakeError."""
    for key, override in overrides.items():
        name, _, rest = key.partition(".")
        if name in _MAPS:
            _set_pair(target, name, rest, override.value)
        elif name in _ENTRIES:
            _set_entries(target, name, override, granted)
        elif name == "attest":
            entries = _entries("attest", override.values, "invalid value for attest")
            target.values["attest"] = tidy("attest", (*target.entries("attest"), *entries))
        elif name in _OTHERS:
            _OTHERS[name](target, override, granted)
        elif name in _FLAGS:
            _set_flag(target, name, override.value)
        elif name in _TEXTS:
            target.values[name] = override.value
        else:
            raise BakeError(f"unknown key: {name}")


def _set_pair(target: Target, name: str, key: str, value: str) -> None:
    if not key:
        raise BakeError(f"invalid format for {name}, expecting {name}.{_MAP_FORMS.get(name, '<name>=<value>')}")
    before = target.values.get(name)
    target.values[name] = {**before, key: value} if isinstance(before, dict) else {key: value}


def _entries(field: str, texts: Sequence[str], lead: str) -> tuple[Entry | Secret | Agent, ...]:
    try:
        return tuple(entry_of_text(field, text) for text in texts if text)
    except BakeError as error:
        raise BakeError(f"{lead}: {error.message}" if lead else error.message) from None


def _set_entries(target: Target, name: str, override: Override, granted: Entitlements) -> None:
    field = _ENTRIES[name]
    lead = "" if name.startswith("cache") else "invalid value for outputs"
    made = _entries(field, override.values, lead)
    target.values[field] = tidy(field, (*target.entries(field), *made)) if override.append else made
    for entry in target.entries(field):
        if isinstance(entry, Secret):
            granted.reads += [entry.src] if entry.src else []
        elif isinstance(entry, Agent):
            granted.reads += entry.paths
        elif name == "output":
            granted.writes += [entry.dest] if entry.dest else []
        elif entry.type == "local":
            paths = dict(entry.attributes)
            granted.reads += [paths["src"]] if name == "cache-from" and "src" in paths else []
            granted.writes += [paths["dest"]] if name == "cache-to" and "dest" in paths else []


def _set_tags(target: Target, override: Override, granted: Entitlements) -> None:
    target.values["tags"] = (*target.texts("tags"), *override.values) if override.append else override.values


def _set_platforms(target: Target, override: Override, granted: Entitlements) -> None:
    before = target.texts("platforms") if override.append else ()
    target.values["platforms"] = (*before, *override.values)


def _set_entitlements(target: Target, override: Override, granted: Entitlements) -> None:
    target.values["entitlements"] = (*target.texts("entitlements"), *override.values)
    granted.network_host |= "network.host" in override.values
    granted.security_insecure |= "security.insecure" in override.values


def _set_annotations(target: Target, override: Override, granted: Entitlements) -> None:
    target.values["annotations"] = (*target.texts("annotations"), *override.values)


def _set_text_list(name: str) -> Callable[[Target, Override, Entitlements], None]:
    """These take texts, but buildx gathers none for them: --set only empties them."""

    def run(target: Target, override: Override, granted: Entitlements) -> None:
        target.values[name] = (*target.texts(name), *override.values) if override.append else override.values

    return run


_OTHERS: dict[str, Callable[[Target, Override, Entitlements], None]] = {
    "tags": _set_tags,
    "platform": _set_platforms,
    "entitlements": _set_entitlements,
    "annotations": _set_annotations,
    "no-cache-filter": _set_text_list("no-cache-filter"),
    "ulimits": _set_text_list("ulimits"),
}


def _set_flag(target: Target, name: str, value: str) -> None:
    if value not in (*TRUE, *FALSE):
        raise BakeError(f"invalid value {value} for boolean key {name}")
    flag = value in TRUE
    if name == "push":
        target.values["output"] = _pushed(target, flag)
    elif name == "load":
        target.values["output"] = _loaded(target, flag)
    else:
        target.values[name] = flag


def _pushed(target: Target, push: bool) -> tuple[Entry, ...]:
    outputs = [each for each in target.entries("output") if isinstance(each, Entry)]
    if not push:
        kept = [each for each in outputs if each.type != "registry"]
        return tuple(each.with_attribute("push", "false") if each.type == "image" else each for each in kept)
    made = [each.with_attribute("push", "true") if each.type == "image" else each for each in outputs]
    if all(each.type == "docker" for each in outputs):
        made.append(Entry("image", (("push", "true"),)))
    return tuple(made)


def _loaded(target: Target, load: bool) -> tuple[Entry, ...]:
    outputs = tuple(each for each in target.entries("output") if isinstance(each, Entry))
    if not load:
        return outputs
    for each in outputs:
        if (each.type == "docker" and not each.dest) or each.type not in ("docker", "image", "registry", "oci"):
            return outputs
    return (*outputs, Entry("docker"))
