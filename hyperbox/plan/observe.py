"""One snapshot of what the engine has of a project. Reads, decides nothing."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.compose.model import Json
    from hyperbox.engine.api import Engine
    from hyperbox.project.desired import Desired

PREFIX = "com.docker.compose."


class ObservedContainer(NamedTuple):
    """A container of the project as it is."""

    container_id: str
    name: str
    service: str
    ordinal: int
    state: str
    config_hash: str
    image_id: str
    one_off: bool
    replaces: str
    created: int
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    summary: Json

    @property
    def running(self) -> bool:
        """Whether it runs, paused or not."""
        return self.state in ("running", "paused", "restarting")


class Observed(NamedTuple):
    """What is there: containers by service, networks and volumes by real name with the hash that they were made with.

    `owners` tells for which project (None: for none) and under which key they were made, by "network:NAME" and "volume:NAME".
    """

    containers: tuple[ObservedContainer, ...]
    networks: dict[str, str]
    volumes: dict[str, str]
    owners: dict[str, tuple[str | None, str]] = {}

    def of(self, service: str) -> list[ObservedContainer]:
        """Return a service's own containers (no one-off ones), by number."""
        found = [row for row in self.containers if row.service == service and not row.one_off]
        return sorted(found, key=lambda row: row.ordinal)

    def container_ids(self) -> dict[str, str]:
        """Return of each service the id of its first container: what stands for it where another one shares its namespaces or volumes."""
        return {row.service: row.container_id for row in reversed(self.containers) if not row.one_off}


def project_containers(engine: Engine, project: str, *, all: bool = True) -> list[ObservedContainer]:
    """Return the containers that compose made for a project, one-off ones included, by name.

    What has a project's label but no hash of a service is somebody's own, who labelled it by hand.
    """
    labels = [f"{PREFIX}project={project}", f"{PREFIX}config-hash"]
    rows = engine.container_list(all=all, filters={"label": labels})
    return sorted((observed(row) for row in rows), key=lambda row: row.name)


def observed(row: Json) -> ObservedContainer:
    """Return a container out of an object of `GET /containers/json`."""
    labels = row.get("Labels")
    label = labels if isinstance(labels, dict) else {}
    names = row.get("Names")
    name = str(names[0]).lstrip("/") if isinstance(names, list) and names else ""
    settings = row.get("NetworkSettings")
    networks = settings.get("Networks") if isinstance(settings, dict) else None
    mounts = row.get("Mounts")
    ordinal = str(label.get(f"{PREFIX}container-number", "0"))
    return ObservedContainer(
        str(row["Id"]),
        name,
        str(label.get(f"{PREFIX}service", "")),
        int(ordinal) if ordinal.isdigit() else 0,
        str(row.get("State", "")),
        str(label.get(f"{PREFIX}config-hash", "")),
        str(label.get(f"{PREFIX}image", "")),
        str(label.get(f"{PREFIX}oneoff", "False")) == "True",
        str(label.get(f"{PREFIX}replace", "")) if is_temporary(name) else "",
        int(str(row.get("Created", 0))),
        tuple(networks) if isinstance(networks, dict) else (),
        tuple(str(mount.get("Name") or "") for mount in (mounts if isinstance(mounts, list) else [])),
        row,
    )


def observe(engine: Engine, desired: Desired) -> Observed:
    """Return what is there of a project, and of the external networks and volumes that it names."""
    wanted_networks = {wish.name for wish in desired.networks.values()}
    wanted_volumes = {wish.name for wish in desired.volumes.values()}
    networks: dict[str, str] = {}
    volumes: dict[str, str] = {}
    owners: dict[str, tuple[str | None, str]] = {}

    def add(kind: str, row: Json, wanted: set[str], there: dict[str, str]) -> None:
        labels = row.get("Labels")
        label = labels if isinstance(labels, dict) else {}
        name, project = str(row["Name"]), label.get(f"{PREFIX}project")
        if name in wanted or project == desired.name:
            there[name] = str(label.get(f"{PREFIX}config-hash", ""))
            owners[f"{kind}:{name}"] = (
                None if project is None else str(project),
                str(label.get(f"{PREFIX}{kind}", "")),
            )

    for row in engine.network_list():
        add("network", row, wanted_networks, networks)
    found = engine.volume_list().get("Volumes")
    for row in found if isinstance(found, list) else []:
        add("volume", row, wanted_volumes, volumes)
    return Observed(tuple(project_containers(engine, desired.name)), networks, volumes, owners)


def is_temporary(name: str) -> bool:
    """Return whether a name is the one that a container has while it replaces another: ID_NAME."""
    return len(name) > 13 and name[12] == "_" and all(digit in "0123456789abcdef" for digit in name[:12])
