"""Which services of a project are enabled: by profile, and by name with what they depend on; and which resources they use."""

from __future__ import annotations

from collections.abc import Sequence

from hyperbox.compose.model import Json, Project
from hyperbox.errors import ComposeError


def split_by_profiles(project: Project, profiles: Sequence[str]) -> Project:
    """Return the project with the services enabled that have no profile, or one of `profiles`; "*" is any."""
    enabled: dict[str, Json] = {}
    disabled: dict[str, Json] = {}
    for name, service in sorted({**project.services, **project.disabled_services}.items()):
        (enabled if has_profile(service, profiles) else disabled)[name] = service
    return project._replace(services=enabled, disabled_services=disabled, profiles=tuple(profiles))


def has_profile(service: Json, profiles: Sequence[str]) -> bool:
    """Return whether a service is enabled by `profiles`."""
    own = service.get("profiles")
    if not isinstance(own, list) or not own:
        return True
    return "*" in profiles or any(profile in own for profile in profiles)


def enable_services(project: Project, names: Sequence[str]) -> Project:
    """Return the project with the profiles of `names` active too."""
    profiles = list(project.profiles)
    for name in names:
        own = project.disabled_services.get(name, {}).get("profiles")
        profiles += own if name not in project.services and isinstance(own, list) else []
    return split_by_profiles(project, profiles) if names else project


def select_services(project: Project, names: Sequence[str]) -> Project:
    """Return the project restricted to `names` and what they depend on; all of it when there are none.

    Raises ComposeError "no such service: NAME".
    """
    if not names:
        return project
    project = enable_services(project, names)
    selected: set[str] = set()
    for name in names:
        _select(project, name, selected, required=True)
    enabled: dict[str, Json] = {}
    disabled = dict(project.disabled_services)
    for name, service in project.services.items():
        if name in selected:
            enabled[name] = _with_dependencies_in(service, selected)
        else:
            disabled[name] = service
    return project._replace(services=enabled, disabled_services=disabled)


def _select(project: Project, name: str, selected: set[str], *, required: bool) -> None:
    stack = [(name, required)]
    while stack:
        current, needed = stack.pop()
        if current in selected:
            continue
        service = project.services.get(current)
        if service is None:
            if needed:
                raise ComposeError(f"no such service: {current}")
            continue
        selected.add(current)
        depends_on = service.get("depends_on")
        if isinstance(depends_on, dict):
            stack += [(key, bool(value.get("required"))) for key, value in sorted(depends_on.items(), reverse=True)]


def _with_dependencies_in(service: Json, selected: set[str]) -> Json:
    depends_on = service.get("depends_on")
    if not isinstance(depends_on, dict):
        return service
    kept = {name: value for name, value in depends_on.items() if name in selected}
    result = dict(service)
    if kept:
        result["depends_on"] = kept
    else:
        del result["depends_on"]
    return result


def without_unused(project: Project) -> Project:
    """Return the project without the networks, volumes, secrets, configs and models that no enabled service uses."""
    used: dict[str, set[str]] = {kind: set() for kind in ("networks", "volumes", "secrets", "configs", "models")}
    for service in project.services.values():
        for kind in ("networks", "models"):
            names = service.get(kind)
            used[kind].update(names if isinstance(names, dict) else ())
        for volume in _parts(service, "volumes"):
            if volume.get("type") == "volume" and volume.get("source"):
                used["volumes"].add(str(volume["source"]))
        build = service.get("build")
        for kind, owner in (("secrets", service), ("configs", service), ("secrets", build)):
            for part in _parts(owner, kind) if isinstance(owner, dict) else ():
                used[kind].add(str(part.get("source", "")))

    def keep(kind: str, parts: dict[str, Json]) -> dict[str, Json]:
        return {name: part for name, part in parts.items() if name in used[kind]}

    return project._replace(
        networks=keep("networks", project.networks),
        volumes=keep("volumes", project.volumes),
        secrets=keep("secrets", project.secrets),
        configs=keep("configs", project.configs),
        models=keep("models", project.models),
    )


def _parts(owner: Json, kind: str) -> list[Json]:
    parts = owner.get(kind)
    return parts if isinstance(parts, list) else []


def dependency_order(project: Project) -> list[str]:
    """Return the names of the enabled services, each after those that it depends on, else by name."""
    ordered: list[str] = []
    seen: set[str] = set()
    for root in sorted(project.services):
        stack = [(root, False)]
        while stack:
            name, done = stack.pop()
            if done:
                ordered.append(name)
            elif name not in seen and name in project.services:
                seen.add(name)
                stack.append((name, True))
                depends_on = project.services[name].get("depends_on")
                stack += (
                    [(key, False) for key in sorted(depends_on, reverse=True)] if isinstance(depends_on, dict) else []
                )
    return ordered
