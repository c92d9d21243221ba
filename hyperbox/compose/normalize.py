"""What a document means without saying it: the default network, dependencies that follow from links, names of resources. In place."""

from __future__ import annotations

from collections.abc import Mapping

from hyperbox.compose import go
from hyperbox.compose.canonical import clean_path
from hyperbox.go.text import TRUE

Json = dict[str, object]


def normalize(document: Json, environment: Mapping[str, str]) -> Json:
    """Add the implicit parts of `document`, whose "name" is the project's. Raises ComposeError."""
    services = _mapping(document.get("services"))
    _add_networks(document, services)
    for service in services.values():
        if isinstance(service, dict):
            _normalize_service(service, environment)
    _name_resources(document)
    return document


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _add_networks(document: Json, services: Json) -> None:
    networks = _mapping(document.get("networks"))
    uses_default = False
    for service in services.values():
        if not isinstance(service, dict) or "provider" in service or "network_mode" in service:
            continue
        if not service.get("networks"):
            service["networks"] = {"default": None}
        uses_default = uses_default or "default" in service["networks"]
    if uses_default:
        networks.setdefault("default", None)
    if networks:
        document["networks"] = networks


def _normalize_service(service: Json, environment: Mapping[str, str]) -> None:
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    build = service.get("build")
    if isinstance(build, dict):
        if build.get("context") is None:
            build["context"] = "."
        if build.get("dockerfile") is None and build.get("dockerfile_inline") is None:
            build["dockerfile"] = "Dockerfile"
        if "args" in build:
            build["args"] = inherit_values(build["args"], environment, keep=False)
    if "environment" in service:
        service["environment"] = inherit_values(service["environment"], environment, keep=True)
    volumes = service.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict):
            volume["target"] = clean_path(str(volume.get("target", "")))
    depends_on = _dependencies(service)
    if depends_on:
        service["depends_on"] = depends_on


def _dependencies(service: Json) -> Json:
    """Return depends_on with what links, shared namespaces and volumes_from add."""
    depends_on = _mapping(service.get("depends_on"))

    def add(name: str, restart: bool) -> None:
        depends_on.setdefault(name, {"condition": "service_started", "restart": restart, "required": True})

    links = service.get("links")
    for link in links if isinstance(links, list) else ():
        parts = str(link).split(":")
        add(parts[0] if len(parts) == 2 else str(link), True)
    for namespace in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        reference = service.get(namespace)
        if isinstance(reference, str) and reference.startswith("service:"):
            add(reference.removeprefix("service:"), True)
    sources = service.get("volumes_from")
    for source in sources if isinstance(sources, list) else ():
        if not str(source).startswith("container:"):
            add(str(source).split(":", 1)[0], False)
    return depends_on


def inherit_values(value: object, environment: Mapping[str, str], *, keep: bool) -> object:
    """Give names without a value the value that the environment has; without one they stay if `keep`, else they go."""
    if isinstance(value, dict):
        resolved: Json = {}
        for key, item in value.items():
            if item is not None:
                resolved[key] = item
            elif key in environment or keep:
                resolved[key] = environment.get(key)
        return resolved
    if isinstance(value, list):
        entries: list[object] = []
        for entry in value:
            if not isinstance(entry, str) or "=" in entry:
                entries.append(entry)
            elif entry in environment:
                entries.append(f"{entry}={environment[entry]}")
            elif keep:
                entries.append(entry)
        return entries or go.Nil()
    return value


def _name_resources(document: Json) -> None:
    for kind in ("networks", "volumes", "configs", "secrets"):
        resources = document.get(kind)
        if not isinstance(resources, dict):
            continue
        for key, value in resources.items():
            resource = _mapping(value)
            if resource.get("name") is None:
                external = go.sprint(resource.get("external")) in TRUE
                resource["name"] = key if external else f"{go.sprint(document.get('name'))}_{key}"
            resources[key] = resource
