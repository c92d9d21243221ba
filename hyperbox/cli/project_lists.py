"""The lists of `hyperbox project` as `output_list` shows them: by `--format` table, json, or a Go template, as docker's own lists."""

from __future__ import annotations

from hyperbox.cli.output_list import Listing
from hyperbox.go.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.cli.project_view import PortRow

    Json = dict[str, object]


def _field(name: str) -> Callable[[object], object]:
    def value(item: object) -> object:
        assert isinstance(item, dict)
        return item[name]

    return value


def _listing(type_name: str, headers: dict[str, str], columns: Sequence[str], identity: str) -> Listing:
    return Listing(type_name, {name: _field(name) for name in headers}, headers, columns, identity=identity)


PROJECTS = _listing(
    "*formatter.ProjectContext",
    {"ID": "PROJECT", "Name": "NAME", "State": "STATE", "Address": "ADDRESS", "Ports": "PORTS", "Folder": "FOLDER"},
    ("ID", "State", "Address", "Ports", "Folder"),
    "ID",
)
PORTS = _listing(
    "*formatter.PortContext",
    {
        "Service": "SERVICE",
        "Container": "CONTAINER",
        "Port": "PORT",
        "Host": "HOST",
        "OwnAddress": "OWN ADDRESS",
        "ContainerPort": "CONTAINER PORT",
        "Protocol": "PROTOCOL",
        "HostIp": "HOST IP",
        "HostPort": "HOST PORT",
        "OwnPort": "OWN PORT",
    },
    ("Service", "Container", "Port", "Host", "OwnAddress"),
    "Host",
)
STATS = _listing(
    "*formatter.ProjectStatsContext",
    {
        "Project": "PROJECT",
        "CPUPerc": "CPU %",
        "MemUsage": "MEMORY / LIMIT",
        "PIDs": "PIDS",
        "BlockIO": "READ / WRITTEN",
        "OOMKills": "OOM KILLS",
        "Pressure": "PRESSURE CPU / MEMORY / IO",
    },
    ("Project", "CPUPerc", "MemUsage", "PIDs", "BlockIO", "OOMKills", "Pressure"),
    "Project",
)


def port_fields(row: PortRow, own: str) -> Json:
    """Return the fields of a port; `own` is the project's address. Pure."""
    host = row.host_address or "0.0.0.0"
    host = f"[{host.strip('[]')}]" if ":" in host else host
    return {
        "Service": row.service,
        "Container": row.ordinal,
        "Port": f"{row.container_port}/{row.protocol}",
        "Host": f"{host}:{row.host_port}",
        "OwnAddress": f"{own}:{row.own_port}" if row.own_port else "",
        "ContainerPort": row.container_port,
        "Protocol": row.protocol,
        "HostIp": row.host_address,
        "HostPort": row.host_port,
        "OwnPort": row.own_port,
    }


def stats_fields(name: str, before: Json, after: Json, seconds: float) -> Json:
    """Return the fields of a project's line of `stats`; `seconds` lie between the two samples. Pure."""
    used = (int(str(after["cpu"])) - int(str(before["cpu"]))) / 1e9 / seconds * 100
    numbers = {key: float(str(after[key])) for key in ("memory", "memory_limit", "read", "written")}
    pressure = after["pressure"]
    some = [
        f"{pressure[kind]['some']['avg10']:.2f}" if isinstance(pressure, dict) and pressure.get(kind) else "-"
        for kind in ("cpu", "memory", "io")
    ]
    limit = int(str(after["pids_limit"]))
    return {
        "Project": name,
        "CPUPerc": f"{max(used, 0):.2f}%",
        "MemUsage": f"{human_size(numbers['memory'])} / {human_size(numbers['memory_limit'])}",
        "PIDs": f"{after['pids']}" + (f" / {limit}" if limit < 1 << 40 else ""),
        "BlockIO": f"{human_size(numbers['read'])} / {human_size(numbers['written'])}",
        "OOMKills": str(after["oom_kills"]),
        "Pressure": " / ".join(some),
    }
