"""`extends`: a service made from another one, of the same file or of another; chains and circles. In place.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from hyperbox.compose import go
from hyperbox.compose.merge import extend_service
from hyperbox.compose.tree import clone
from hyperbox.errors import ComposeError
from hyperbox.go.text import quote

# how long a chain of services may be
CHAIN = 100

Json = dict[str, object]
Resets = list[tuple[str, ...]]
# reads another file: (absolute path, the folder that its paths start at) -> (document, what it resets)
Reader = Callable[[str, str], tuple[Json, Resets]]


class Extension(NamedTuple):
    """What the extension of a file's services needs: the file's name, the folder that `file:` starts at, the reader."""

    file_name: str
    base: str
    read: Reader


def apply_extends(document: Json, extension: Extension, resets: Resets) -> None:
    """Extend the services of `document`. `resets`: what its own `!reset` and `!override` clear in the base. Raises ComposeError."""
    services = document.get("services")
    if services is None and "services" not in document:
        return
    if not isinstance(services, dict):
        raise ComposeError("services must be a mapping")
    for name in list(services):
        services[name] = _extend(name, services, extension, (), resets)


def _extend(
    name: str, services: Json, extension: Extension, chain: tuple[tuple[str, str], ...], resets: Resets
) -> object:
    service = services[name]
    if service is None:
        return None
    if not isinstance(service, dict):
        raise ComposeError(f"services.{name} must be a mapping")
    if "extends" not in service:
        return service
    reference, file = _reference(name, service["extends"])
    file_name = extension.file_name
    base_services: Json = services
    base_resets: Resets = []
    if file is not None:
        base_services, base_resets = _services_of(name, reference, file, extension)
        file_name = file
    elif reference not in services:
        raise ComposeError(f"cannot extend service {quote(name)} in {file_name}: service {quote(reference)} not found")
    chain = _follow(chain, file_name, name)
    base = _extend(reference, base_services, extension, chain, base_resets)
    if base is None:
        return service
    source = clone(base)
    clear({"services": {name: source}}, resets)
    assert isinstance(source, dict)
    merged = extend_service(source, service)
    merged.pop("extends", None)
    services[name] = merged
    return merged


def _reference(name: str, extends: object) -> tuple[str, str | None]:
    if isinstance(extends, dict):
        reference = extends.get("service")
        if not isinstance(reference, str):
            raise ComposeError(f"extends.{name}.service is required")
        file = extends.get("file")
        return reference, None if file is None else go.sprint(file)
    return (extends if isinstance(extends, str) else ""), None


def _follow(chain: tuple[tuple[str, str], ...], file_name: str, name: str) -> tuple[tuple[str, str], ...]:
    if len(chain) > CHAIN:
        raise ComposeError(f"service {quote(chain[0][1])} extends a chain of more than {CHAIN} services")
    link = (file_name, name)
    if link in chain:
        lines = ["Circular reference:", f"  {chain[0][1]} in {chain[0][0]}"]
        lines += [f"  extends {service} in {file}" for file, service in (*chain[1:], link)]
        raise ComposeError("\n".join(lines))
    return (*chain, link)


def _services_of(name: str, reference: str, file: str, extension: Extension) -> tuple[Json, Resets]:
    """Return the services of another file, their paths made relative to this one's folder."""
    path = file if file.startswith("/") else os.path.normpath(os.path.join(extension.base, file))
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    document, resets = extension.read(path, os.path.relpath(folder, extension.base))
    if "services" not in document:
        raise ComposeError(f"cannot extend service {quote(name)} in {path}: no services section")
    services = document["services"]
    if not isinstance(services, dict):
        raise ComposeError(f"cannot extend service {quote(name)} in {path}: services must be a mapping")
    if reference not in services:
        raise ComposeError(
            f"cannot extend service {quote(name)} in {extension.file_name}: "
            f"service {quote(reference)} not found in {file}"
        )
    return services, resets


def clear(target: object, resets: Resets, path: tuple[str, ...] = ()) -> None:
    """Remove what stands at the paths of `resets`, in place; "*" in a path matches any key."""
    if not resets:
        return
    if isinstance(target, dict):
        for key in list(target):
            inner = (*path, key)
            if any(_matches(pattern, inner) for pattern in resets):
                del target[key]
            elif any(_matches(pattern[: len(inner)], inner) for pattern in resets):
                clear(target[key], resets, inner)


def _matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(one in ("*", two) for one, two in zip(pattern, path, strict=True))
