"""Rules that a schema can't say: about values (on the merged document), and about a project as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hyperbox.compose import go
from hyperbox.compose.model import Json, Project
from hyperbox.compose.ports import is_ip
from hyperbox.compose.tree import Rules, compile_rules, join
from hyperbox.errors import ComposeError
from hyperbox.go.text import quote

Check = Callable[[object, str], None]
INVALID = "invalid compose project"


def check_values(document: Json) -> None:
    """Check single values of a document in long forms. Raises ComposeError naming the path."""
    _walk(document, "", CHECKS)


def _walk(value: object, path: str, rules: Rules[Check]) -> None:
    if rules.rule is not None:
        rules.rule(value, path)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            below = rules.below(key)
            if below is not None:
                _walk(item, join(path, key), below)
    elif isinstance(value, list):
        below = rules.below("[]")
        if below is not None:
            for item in value:
                _walk(item, join(path, "[]"), below)


def _volume(value: object, path: str) -> None:
    if not isinstance(value, dict) or value.get("external") is not True:
        return
    for key in value:
        if key not in ("name", "external") and not key.startswith("x-"):
            raise ComposeError(f'{path}: conflicting parameters "external" and {quote(key)} specified')


def _file_object(*keys: str) -> Check:
    def check(value: object, path: str) -> None:
        if not isinstance(value, dict):
            return
        given = sum(key in value for key in keys)
        words = "|".join(keys)
        if given > 1:
            raise ComposeError(f"{path}: {words} attributes are mutually exclusive")
        if not given and "driver" not in value and "external" not in value:
            raise ComposeError(f"{path}: one of {words} must be set")

    return check


def _port(value: object, path: str) -> None:
    if isinstance(value, dict) and "host_ip" in value and not is_ip(go.sprint(value["host_ip"])):
        raise ComposeError(f"{path}: invalid ip address: {go.sprint_error(value['host_ip'])}")


def _not_blank(value: object, path: str) -> None:
    if value == "":
        raise ComposeError(f"{path}: value can't be blank")


def _device_request(value: object, path: str) -> None:
    if isinstance(value, dict) and "count" in value and "device_ids" in value:
        raise ComposeError(f'{path}: "count" and "device_ids" attributes are exclusive')


CHECKS: Rules[Check] = compile_rules(
    {
        "volumes.*": _volume,
        "configs.*": _file_object("file", "environment", "content"),
        "secrets.*": _file_object("file", "environment"),
        "services.*.ports.*": _port,
        "services.*.develop.watch.*.path": _not_blank,
        "services.*.deploy.resources.reservations.devices.*": _device_request,
        "services.*.gpus.*": _device_request,
    }
)


def check_project(project: Project) -> None:
    """Check that a project is consistent: references, exclusive attributes, circles. Raises ComposeError."""
    for name, service in project.services.items():
        for rule in SERVICE_RULES:
            rule(name, service, project)
    for name, secret in project.secrets.items():
        if not secret.get("external") and not secret.get("file") and not secret.get("environment"):
            raise ComposeError(f"secret {quote(name)} must declare either `file` or `environment`: {INVALID}")
    check_dependencies(project)


def _get(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: object, *keys: str) -> list[object]:
    found = _get(value, *keys)
    return found if isinstance(found, list) else []


def _mapping(value: object, *keys: str) -> Json:
    found = _get(value, *keys)
    return found if isinstance(found, dict) else {}


def _image_or_build(name: str, service: Json, project: Project) -> None:
    if not service.get("image") and "build" not in service and "provider" not in service:
        raise ComposeError(f"service {quote(name)} has neither an image nor a build context specified: {INVALID}")


def _build(name: str, service: Json, project: Project) -> None:
    build = _mapping(service, "build")
    quoted = quote(name)
    if build.get("dockerfile") and build.get("dockerfile_inline"):
        raise ComposeError(f"service {quoted} declares mutualy exclusive dockerfile and dockerfile_inline: {INVALID}")
    for context, reference in _mapping(build, "additional_contexts").items():
        if isinstance(reference, str) and reference.startswith("service:"):
            target = reference.removeprefix("service:")
            if target not in project.services:
                raise ComposeError(
                    f"service {quoted} declares unknown service {quote(target)} as additional contexts {context}"
                )
            if "build" not in project.services[target]:
                raise ComposeError(
                    f"service {quoted} declares non-buildable service {quote(target)} as additional contexts {context}"
                )
    platforms, platform = _list(build, "platforms"), service.get("platform")
    if platforms and platform and platform not in platforms:
        raise ComposeError(f"service.build.platforms MUST include service.platform {quote(str(platform))}: {INVALID}")


def _networks(name: str, service: Json, project: Project) -> None:
    networks = _mapping(service, "networks")
    if service.get("network_mode") and networks:
        raise ComposeError(f"service {name} declares mutually exclusive `network_mode` and `networks`: {INVALID}")
    for network in networks:
        if network not in project.networks:
            raise ComposeError(f"service {quote(name)} refers to undefined network {network}: {INVALID}")


def _health(name: str, service: Json, project: Project) -> None:
    test = _list(service, "healthcheck", "test")
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        raise ComposeError('healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"')


def _depends_on(name: str, service: Json, project: Project) -> None:
    for dependency, condition in _mapping(service, "depends_on").items():
        if dependency in project.services:
            continue
        if dependency in project.disabled_services and not _get(condition, "required"):
            continue
        raise ComposeError(f"service {quote(name)} depends on undefined service {quote(dependency)}: {INVALID}")
    mode = service.get("network_mode")
    if isinstance(mode, str) and mode.startswith("service:"):
        other = mode.removeprefix("service:")
        if other not in project.services:
            raise ComposeError(f"service {quote(other)} not found for network_mode 'service:{other}'")


def _references(name: str, service: Json, project: Project) -> None:
    quoted = quote(name)
    for volume in _list(service, "volumes"):
        source = _get(volume, "source")
        if _get(volume, "type") == "volume" and source and source not in project.volumes:
            raise ComposeError(f"service {quoted} refers to undefined volume {source}: {INVALID}")
    for words, parts, known in (
        ("build secret", _list(service, "build", "secrets"), project.secrets),
        ("config", _list(service, "configs"), project.configs),
        ("model", [{"source": key} for key in _mapping(service, "models")], project.models),
        ("secret", _list(service, "secrets"), project.secrets),
    ):
        for part in parts:
            source = _get(part, "source") or ""
            if source not in known:
                raise ComposeError(f"service {quoted} refers to undefined {words} {source}: {INVALID}")


def _scale(name: str, service: Json, project: Project) -> None:
    scale, replicas = service.get("scale"), _get(service, "deploy", "replicas")
    if scale is not None and "deploy" in service:
        if replicas is not None and scale != replicas:
            raise ComposeError(
                f"services.{name}: can't set distinct values on 'scale' and 'deploy.replicas': {INVALID}"
            )
        deploy = service["deploy"]
        assert isinstance(deploy, dict)
        service["deploy"] = _in_order(deploy, "replicas", scale)
    for attribute, value in (("scale", scale), ("deploy.replicas", replicas)):
        if isinstance(value, int) and value < 0:
            raise ComposeError(f"services.{name}.{attribute}: must be greater than or equal to 0")


def _in_order(deploy: Json, key: str, value: object) -> Json:
    """Set `key`, keeping the order of the tables: it stands after "mode"."""
    head = {name: item for name, item in deploy.items() if name == "mode"}
    return {**head, key: value, **{name: item for name, item in deploy.items() if name not in (key, "mode")}}


def _resources(name: str, service: Json, project: Project) -> None:
    """An old attribute and its successor below `deploy.resources` must agree."""
    resources = _mapping(service, "deploy", "resources")
    for attribute, group, key in (
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("mem_reservation", "reservations", "memory"),
        ("pids_limit", "limits", "pids"),
    ):
        value = service.get(attribute)
        if value and group in resources and _get(resources, group, key) != value:
            raise ComposeError(
                f"services.{name}: can't set distinct values on '{attribute}' and 'deploy.resources.{group}.{key}': {INVALID}"
            )


def _container_name(name: str, service: Json, project: Project) -> None:
    scale = service.get("scale", _get(service, "deploy", "replicas"))
    if service.get("container_name") and isinstance(scale, int) and scale > 1:
        attribute = "scale" if "scale" in service else "deploy.replicas"
        raise ComposeError(
            f"services.{attribute}: can't set container_name and {name} as container name must be unique: {INVALID}"
        )


def _watch(name: str, service: Json, project: Project) -> None:
    for trigger in _list(service, "develop", "watch"):
        if not _get(trigger, "target") and _get(trigger, "action") not in ("rebuild", "restart"):
            raise ComposeError(f"services.{name}.develop.watch: target is required for non-rebuild actions: {INVALID}")


def _mounts(name: str, service: Json, project: Project) -> None:
    """No two mounts at one place."""
    mounts: dict[str, str] = {}
    places = [("tmpfs", str(entry).partition(":")[0]) for entry in _list(service, "tmpfs")]
    indexed = [(f"services.{name}.tmpfs[{index}]", target) for index, (_, target) in enumerate(places)]
    indexed += [
        (f"services.{name}.volumes[{index}]", go.sprint(_get(volume, "target") or ""))
        for index, volume in enumerate(_list(service, "volumes"))
    ]
    for place, target in indexed:
        if target in mounts:
            raise ComposeError(f"{place}: target {target} already mounted as {mounts[target]}")
        mounts[target] = place


SERVICE_RULES = (
    _image_or_build, _build, _networks, _health, _depends_on, _references, _scale, _resources, _container_name, _watch, _mounts,
)  # fmt: skip


def check_dependencies(project: Project) -> None:
    """Raise ComposeError for a dependency that is not there, or that leads back."""
    edges: dict[str, list[str]] = {}
    for name, service in project.services.items():
        edges[name] = []
        for dependency, condition in _mapping(service, "depends_on").items():
            if dependency in project.services:
                edges[name].append(dependency)
            elif _get(condition, "required"):
                profiles = _list(project.disabled_services.get(dependency), "profiles")
                if dependency in project.disabled_services:
                    raise ComposeError(
                        f"service {quote(dependency)} is required by {quote(name)} but is disabled. "
                        f"Can be enabled by profiles {go.sprint(profiles)}"
                    )
                raise ComposeError(f"service {quote(name)} depends on unknown service {quote(dependency)}")
    done: set[str] = set()
    for name in sorted(edges):
        _find_circle(name, edges, done)


def _find_circle(root: str, edges: dict[str, list[str]], done: set[str]) -> None:
    path: list[str] = []
    stack: list[tuple[str, bool]] = [(root, False)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            path.pop()
            done.add(name)
            continue
        if name in path:
            raise ComposeError(f"dependency cycle detected: {' -> '.join([*path[path.index(name) :], name])}")
        if name in done:
            continue
        path.append(name)
        stack.append((name, True))
        stack += [(child, False) for child in sorted(edges[name], reverse=True)]


def check_container_names(services: Mapping[str, Json]) -> None:
    """Raise ComposeError for two services with one `container_name`; docker compose does not say which the other is."""
    names: set[str] = set()
    for name, service in services.items():
        container_name = service.get("container_name")
        if isinstance(container_name, str) and container_name:
            if container_name in names:
                raise ComposeError(
                    f'services.{name}: container name {quote(container_name)} is already in use by service {{}}"'
                )
            names.add(container_name)
