"""What there is of each project, gathered from its record, the engine and the settings; for `hyperbox project` and `hyperbox env`."""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox.cli.compose_identity import projects_folder
from hyperbox.cli.project_settings import budget
from hyperbox.errors import HyperBoxError
from hyperbox.project import address, identity, ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.engine.api import Engine

    Json = dict[str, object]

LABEL = "com.docker.compose.project"


class PortRow(NamedTuple):
    """A published port: whose, where on the host, and its number on the project's own address (0: none there)."""

    service: str
    ordinal: int
    container_port: int
    protocol: str
    host_address: str
    host_port: int
    own_port: int


def required(project_id: str) -> Json:
    """Return a project's record. Raises HyperBoxError where there is none."""
    record = identity.read(projects_folder(), project_id)
    if record is None:
        raise HyperBoxError(f"no such project: {project_id}", hint="`hyperbox project ls` lists them")
    return record


def here() -> str:
    """Return the id of the project whose folder the current one is (or is in). Raises HyperBoxError for none or several."""
    folder = os.path.realpath(os.getcwd())
    records = identity.read_all(projects_folder())
    while True:
        found = [str(record["Id"]) for record in records if record["Folder"] == folder]
        if len(found) == 1:
            return found[0]
        if found:
            raise HyperBoxError(f"several projects are of this folder: {', '.join(found)}", hint="name one")
        if folder == "/":
            raise HyperBoxError("no project is of this folder", hint="name one, or bring it up first")
        folder = os.path.dirname(folder)


def containers_by_project(engine: Engine) -> dict[str, list[Json]]:
    """Return all containers of projects, by the project's id."""
    found: dict[str, list[Json]] = {}
    for row in engine.container_list(all=True, filters={"label": [LABEL]}):
        labels = row.get("Labels")
        if isinstance(labels, dict):
            found.setdefault(str(labels.get(LABEL)), []).append(row)
    return found


def state_of(containers: Iterable[Json]) -> str:
    """Return the states of a project's containers with their numbers, "down" for none: "exited(1), running(2)"."""
    counts: dict[str, int] = {}
    for row in containers:
        counts[str(row["State"])] = counts.get(str(row["State"]), 0) + 1
    return ", ".join(f"{state}({count})" for state, count in sorted(counts.items())) or "down"


def folder_of(record: Json) -> str:
    """Return a project's folder, with a note where it is not there any more."""
    folder = str(record["Folder"])
    return folder if os.path.isdir(folder) else f"{folder} (gone)"


def leases_text(record: Json) -> str:
    """Return a project's leases: "10000-10999"."""
    return ", ".join(f"{lease.start}-{lease.start + lease.size - 1}" for lease in ports.leases_of(record))


def published(containers: Iterable[Json], number: int) -> list[PortRow]:
    """Return the ports that a project's containers publish now, as the engine has them."""
    own = address.address(number)
    rows = []
    for container in containers:
        labels = container.get("Labels")
        label = labels if isinstance(labels, dict) else {}
        service = str(label.get("com.docker.compose.service", ""))
        ordinal = int(str(label.get("com.docker.compose.container-number") or 0))
        listed = container.get("Ports")
        for port in listed if isinstance(listed, list) else []:
            if port.get("PublicPort") and port.get("IP") != own:
                row = (service, ordinal, int(port["PrivatePort"]), str(port["Type"]))
                rows.append(PortRow(*row, str(port.get("IP") or ""), int(port["PublicPort"]), 0))
    return rows


def assigned(record: Json) -> list[PortRow]:
    """Return the ports that a project's record keeps for its containers, up or not."""
    rows = []
    for key, port in ports.ports_of(record).items():
        service, ordinal, target, protocol, *rest = key.split("/")
        host = rest[1] if len(rest) > 1 else ""
        rows.append(PortRow(service, int(ordinal), int(target), protocol, host, port, 0))
    return sorted(rows)


def with_own(rows: list[PortRow], declared: object) -> list[PortRow]:
    """Return rows with the numbers that `declared` (the record's "Services") has on the project's own address."""
    numbers: dict[tuple[str, int, str], int] = {}
    for service, listed in declared.items() if isinstance(declared, dict) else ():
        for own, protocol, target in listed:
            numbers.setdefault((str(service), int(target), str(protocol)), int(own))
    return [
        row._replace(
            own_port=numbers.get((row.service, row.container_port, row.protocol), 0) if row.ordinal == 1 else 0
        )
        for row in rows
    ]


def effective_budget(record: Json) -> Json:
    """Return the budget that a project has: the settings', what its files declared at the last `up`, and its own limit."""
    return budget(record.get("Declared"), record.get("Limit"))


def description(engine: Engine, record: Json) -> Json:
    """Return all that is known of a project, for `project inspect`."""
    project_id = str(record["Id"])
    containers = containers_by_project(engine).get(project_id, [])
    label = {"label": [f"{LABEL}={project_id}"]}
    volumes = engine.volume_list(label).get("Volumes")
    services = record.get("Services")
    number = int(str(record["Number"]))
    return {
        "Id": project_id,
        "Name": record["Name"],
        "Folder": record["Folder"],
        "FolderExists": os.path.isdir(str(record["Folder"])),
        "Created": record["Created"],
        "State": state_of(containers),
        "Address": address.address(number),
        "Hosts": address.names(project_id, list(services) if isinstance(services, dict) else []),
        "Policy": record.get("Policy") or "",
        "Leases": [{"First": lease.start, "Last": lease.start + lease.size - 1} for lease in ports.leases_of(record)],
        "Ports": [port_json(row) for row in with_own(assigned(record), services)],
        "FixedNames": record.get("Names") or {},
        "Budget": effective_budget(record),
        "Containers": [{"Id": row["Id"], "Name": str(row["Names"][0]).lstrip("/"), "State": row["State"]} for row in containers],  # type: ignore[index]
        "Networks": [str(row["Name"]) for row in engine.network_list(label)],
        "Volumes": [str(row["Name"]) for row in (volumes if isinstance(volumes, list) else [])],
    }  # fmt: skip


def port_json(row: PortRow) -> Json:
    """Return a port for JSON output."""
    return {
        "Service": row.service,
        "Container": row.ordinal,
        "ContainerPort": row.container_port,
        "Protocol": row.protocol,
        "HostIp": row.host_address,
        "HostPort": row.host_port,
        "OwnPort": row.own_port,
    }


def variables(record: Json) -> dict[str, str]:
    """Return the variables that tell a project's address and ports, for its shell and its compose files."""
    found: dict[tuple[str, int, str], int] = {}
    for row in assigned(record):
        if row.ordinal == 1:
            found.setdefault((row.service, row.container_port, row.protocol), row.host_port)
    return address.environment(int(str(record["Number"])), found, str(record["Id"]))
