"""From a compose project to what is to be there: networks, volumes, and for every service the containers it wants.

Decides and opens nothing. Names and labels are docker compose's, so that tools which look for them find them; a project whose name another folder
has too carries a suffix in its real name (`project.identity`), and everything here is named after that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from hyperbox.compose.hash import network_hash, service_hash, volume_hash
from hyperbox.compose.model import Json, Project
from hyperbox.errors import ComposeError
from hyperbox.files import dumps
from hyperbox.go.text import TRUE

VERSION = "2.40.3"
PREFIX = "com.docker.compose."
# keys of a service that didn't make its containers different, as the hashes were that are not docker compose's
UNHASHED = frozenset({"build", "pull_policy", "scale", "depends_on", "profiles", "develop", "attach"})


class NetworkWish(NamedTuple):
    """A network: its key in the file, its real name, the Engine API's create body, and whether it is somebody else's."""

    key: str
    name: str
    body: Json
    config_hash: str
    external: bool
    earlier_hash: str = ""

    def made_with(self, found: str) -> bool:
        """Return whether what has this hash on its label was made as it is wanted now."""
        return found in (self.config_hash, self.earlier_hash)


class VolumeWish(NamedTuple):
    """A named volume, as NetworkWish."""

    key: str
    name: str
    body: Json
    config_hash: str
    external: bool
    earlier_hash: str = ""

    def made_with(self, found: str) -> bool:
        """As of NetworkWish."""
        return found in (self.config_hash, self.earlier_hash)


class Dependency(NamedTuple):
    """What a service waits for before it is started."""

    service: str
    condition: str
    required: bool
    restart: bool


class ServiceWish(NamedTuple):
    """A service: how many containers, what makes them different, what they wait for. `definition` is the canonical service.

    `config_hash` is of the definition as it is: what `hash_of_container` gives for one that names no other service's containers.
    """

    name: str
    definition: Json
    scale: int
    config_hash: str
    image: str
    depends_on: tuple[Dependency, ...]

    @property
    def container_name(self) -> str:
        """The name that the file fixes, or ""."""
        return str(self.definition.get("container_name", ""))

    def made_with(self, found: str, container_ids: Mapping[str, str]) -> bool:
        """Return whether a container with this hash on its label was made as it is wanted now."""
        return found == hash_of_container(self, container_ids) or found == earlier_hash(self.definition)


class Desired(NamedTuple):
    """What a project wants to be there. `name` is its real name, `plain_name` the one without a folder's suffix.

    `names` has the real name of each "KIND/NAME" that the file fixes; `separator` stands between the parts of containers' and images' names.
    """

    name: str
    plain_name: str
    working_dir: str
    config_files: tuple[str, ...]
    networks: dict[str, NetworkWish]
    volumes: dict[str, VolumeWish]
    services: dict[str, ServiceWish]
    known_services: frozenset[str]
    project: Project | None = None
    names: Mapping[str, str] = {}
    separator: str = "-"

    def real(self, kind: str, name: str) -> str:
        """Return what a name that the file fixes is on this machine: see `names`."""
        return self.names.get(f"{kind}/{name}", name)


def digest(value: object) -> str:
    """Return the hash of plain data: the same for the same data, whatever its order and the version of Python."""
    return hashlib.sha256(dumps(value, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()


def hash_of_container(service: ServiceWish, container_ids: Mapping[str, str]) -> str:
    """Return what docker compose labels a service's containers with: the hash of the definition in which other services' containers stand for
    the services (service -> id in `container_ids`)."""
    changed: Json = {}
    for key in ("network_mode", "ipc", "pid"):
        mode = str(service.definition.get(key) or "")
        if mode.startswith("service:"):
            changed[key] = f"container:{container_ids.get(mode.removeprefix('service:'), '')}"
    rows = service.definition.get("volumes_from")
    if isinstance(rows, list) and rows:
        changed["volumes_from"] = [
            text.split(":")[1] if text.startswith("container:") else container_ids.get(text.partition(":")[0], "")
            for text in map(str, rows)
        ]
    return service_hash({**service.definition, **changed}) if changed else service.config_hash


def earlier_hash(definition: Json) -> str:
    """Return the hash that labelled a service's containers before docker compose's did: what was made then needn't be made again."""
    kept = {key: value for key, value in definition.items() if key not in UNHASHED}
    deploy = kept.get("deploy")
    if isinstance(deploy, dict):
        kept["deploy"] = {key: value for key, value in deploy.items() if key != "replicas"}
    return digest(kept)


def number(value: object, default: int) -> int:
    """Return an int out of a canonical value (int or decimal string)."""
    if isinstance(value, bool) or value is None:
        return default
    return int(str(value))


def service_scale(definition: Json) -> int:
    """Return how many containers a service wants."""
    deploy = definition.get("deploy")
    replicas = deploy.get("replicas") if isinstance(deploy, dict) else None
    return number(definition.get("scale"), number(replicas, 1))


def separator_of(environment: Mapping[str, str]) -> str:
    """Return what stands between the parts of containers' and images' names: with COMPOSE_COMPATIBILITY what did before version 2."""
    return "_" if environment.get("COMPOSE_COMPATIBILITY", "") in TRUE else "-"


def image_name(
    project_name: str, service: str, definition: Json, names: Mapping[str, str], separator: str = "-"
) -> str:
    """Return the image of a service: the one that is named, or PROJECT-SERVICE for one that is built.

    The tag of one that is built is the project's own (`names`); images that are only used are shared.
    """
    image = str(definition.get("image") or f"{project_name}{separator}{service}")
    return names.get(f"image/{image}", image) if definition.get("build") else image


def dependencies(definition: Json) -> tuple[Dependency, ...]:
    """Return what a service waits for."""
    found = definition.get("depends_on")
    rows = []
    for name, value in (found if isinstance(found, dict) else {}).items():
        options = value if isinstance(value, dict) else {}
        rows.append(
            Dependency(
                str(name),
                str(options.get("condition", "service_started")),
                options.get("required") is True,  # the canonical model leaves false out
                options.get("restart") is True,
            )
        )
    return tuple(rows)


def fixed_names(project: Project) -> list[str]:
    """Return the names that the files fix, as "KIND/NAME": containers', networks', volumes', and tags of images that are built."""
    found = []
    for definition in project.services.values():
        if definition.get("container_name"):
            found.append(f"container/{definition['container_name']}")
        if definition.get("build") and definition.get("image"):
            found.append(f"image/{definition['image']}")
        build = definition.get("build")
        tags = build.get("tags") if isinstance(build, dict) else None
        found.extend(f"image/{tag}" for tag in tags or ())
    for kind, parts in (("network", project.networks), ("volume", project.volumes)):
        for key, definition in parts.items():
            name = str((definition or {}).get("name") or "")
            if name and name != f"{project.name}_{key}" and not (definition or {}).get("external"):
                found.append(f"{kind}/{name}")
    return list(dict.fromkeys(found))


def project_to_desired(
    project: Project, real_name: str, scale: dict[str, int] | None = None, names: Mapping[str, str] | None = None
) -> Desired:
    """Return what a loaded project wants; `names` has the real names of the fixed ones. Raises ComposeError for a scale that can't be."""
    given, separator = names or {}, separator_of(project.environment)
    services = {}
    for name, definition in project.services.items():
        wanted = (scale or {}).get(name, service_scale(definition))
        if definition.get("provider"):
            wanted = 0  # its provider runs in place of containers
        if wanted > 1 and definition.get("container_name"):
            raise ComposeError(
                f'WARNING: The "{name}" service is using the custom container name "{definition["container_name"]}". '
                "Docker requires each container to have a unique name. Remove the custom name to scale the service"
            )
        image = image_name(real_name, name, definition, given, separator)
        services[name] = ServiceWish(
            name, definition, wanted, service_hash(definition), image, dependencies(definition)
        )
    for name in scale or {}:
        if name not in services:
            raise ComposeError(f"no such service: {name}")
    return Desired(
        real_name,
        project.name,
        project.working_dir,
        project.compose_files,
        {key: network_wish(project, real_name, key, given) for key in used_networks(project)},
        {key: volume_wish(project, real_name, key, given) for key in project.volumes},
        services,
        frozenset(project.services) | frozenset(project.disabled_services),
        project,
        given,
        separator,
    )


def used_networks(project: Project) -> list[str]:
    """Return the keys of the networks that are to be made: those of the file but for an implicit default that no service is on."""
    on = {key for definition in project.services.values() for key in (definition.get("networks") or {})}  # type: ignore[attr-defined]
    return [key for key in project.networks if key != "default" or key in on]


def real_resource_name(project: Project, real_name: str, name: str) -> str:
    """Return a network's or volume's name with the project's real name in place of its plain one."""
    if real_name != project.name and name.startswith(f"{project.name}_"):
        return f"{real_name}_{name[len(project.name) + 1 :]}"
    return name


def _labels(definition: Json, project_name: str, kind: str, key: str, config_hash: str) -> dict[str, str]:
    given = definition.get("labels")
    return {
        **(given if isinstance(given, dict) else {}),
        f"{PREFIX}project": project_name,
        f"{PREFIX}{kind}": key,
        f"{PREFIX}version": VERSION,
        f"{PREFIX}config-hash": config_hash,
    }


def _real_name(
    project: Project, real_name: str, definition: Json, kind: str, key: str, names: Mapping[str, str]
) -> tuple[str, bool]:
    """Return a resource's name and whether it is external; a fixed name is the project's own, an external one is as written."""
    name = str(definition.get("name") or f"{project.name}_{key}")
    if definition.get("external"):
        return name, True
    if name == f"{project.name}_{key}":
        return real_resource_name(project, real_name, name), False
    return names.get(f"{kind}/{name}", name), False


def network_wish(project: Project, real_name: str, key: str, names: Mapping[str, str]) -> NetworkWish:
    """Return a network of the file as the engine is to make it."""
    definition = project.networks.get(key) or {}
    name, external = _real_name(project, real_name, definition, "network", key, names)
    config_hash = network_hash(definition)
    body: Json = {
        "Name": name,
        "Driver": definition.get("driver") or "bridge",
        "Internal": definition.get("internal") is True,
        "Attachable": definition.get("attachable") is True,
        "Options": definition.get("driver_opts") or {},
        "Labels": _labels(definition, real_name, "network", key, config_hash),
    }
    for family in ("4", "6"):
        if isinstance(definition.get(f"enable_ipv{family}"), bool):
            body[f"EnableIPv{family}"] = definition[f"enable_ipv{family}"]
    ipam = definition.get("ipam")
    given = ipam if isinstance(ipam, dict) else {}
    body["IPAM"] = {
        "Driver": given.get("driver") or "default",
        "Config": [_ipam(row) for row in given.get("config") or ()],
        "Options": given.get("options") or None,
    }
    return NetworkWish(key, name, body, config_hash, external, digest(definition))


def _ipam(row: Json) -> Json:
    names = {"subnet": "Subnet", "ip_range": "IPRange", "gateway": "Gateway", "aux_addresses": "AuxiliaryAddresses"}
    return {names[key]: value for key, value in row.items() if key in names}


def volume_wish(project: Project, real_name: str, key: str, names: Mapping[str, str]) -> VolumeWish:
    """Return a volume of the file as the engine is to make it."""
    definition = project.volumes.get(key) or {}
    name, external = _real_name(project, real_name, definition, "volume", key, names)
    config_hash = volume_hash(definition)
    body: Json = {
        "Name": name,
        "Driver": definition.get("driver") or "local",
        "DriverOpts": definition.get("driver_opts") or {},
        "Labels": _labels(definition, real_name, "volume", key, config_hash),
    }
    return VolumeWish(key, name, body, config_hash, external, digest(definition))


def container_name(desired: Desired, service: ServiceWish, index: int) -> str:
    """Return the name of a service's container number `index`: PROJECT-SERVICE-N, or what the fixed one is on this machine."""
    if service.container_name:
        return desired.real("container", service.container_name)
    return desired.separator.join((desired.name, service.name, str(index)))


def container_labels(
    desired: Desired,
    service: ServiceWish,
    index: int,
    image_id: str,
    *,
    slug: str = "",
    container_ids: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return docker compose's labels of one container; `slug` marks a one-off container of `run`, `container_ids` is of `hash_of_container`."""
    depends = ",".join(f"{row.service}:{row.condition}:{str(row.restart).lower()}" for row in service.depends_on)
    labels = {
        "config-hash": hash_of_container(service, container_ids or {}),
        "container-number": str(index),
        "depends_on": depends,
        "image": image_id,
        "oneoff": "True" if slug else "False",
        "project": desired.name,
        "project.config_files": ",".join(desired.config_files),
        "project.working_dir": desired.working_dir,
        "service": service.name,
        "version": VERSION,
    }
    if desired.project is not None and desired.project.env_files:
        labels["project.environment_file"] = ",".join(desired.project.env_files)
    if slug:
        labels["slug"] = slug
        del labels["container-number"]
    given = service.definition.get("labels")
    return {**(given if isinstance(given, dict) else {}), **{f"{PREFIX}{key}": value for key, value in labels.items()}}
