"""`hyperbox project`: the click commands; what they show and change is in `project_view` and `project_change`."""

from __future__ import annotations

import json
import sys
import time

import click

from hyperbox.cli import project_change, project_rename, project_view, settings
from hyperbox.cli.compose_identity import projects_folder
from hyperbox.cli.connect import native_engine
from hyperbox.cli.output import human_size, table
from hyperbox.errors import HyperBoxError
from hyperbox.project import address, identity, ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.native import NativeEngine

    Json = dict[str, object]


@click.group(name="project", help="Look after HyperBox projects: names, ports, addresses, limits, folders.")
def project() -> None:
    """Hold the commands together."""


def machine() -> NativeEngine:
    """Return the engine, with no project half renamed."""
    engine = native_engine()
    project_rename.finish(engine)
    return engine


def write_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2))


def write_table(rows: Sequence[Sequence[object]]) -> None:
    """Print rows, the first of them the titles, in columns."""
    sys.stdout.write(table([[str(cell) for cell in row] for row in rows], min_width=0, padding=3))


def named(project_id: str | None) -> str:
    """Return the project that a command is about: the one that was named, or that of the current folder."""
    return project_id or project_view.here()


@project.command(name="ls", help="List the projects of this machine.")
@click.option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_projects(quiet: bool, as_json: bool) -> None:
    """Print id, state, address, leased ports and folder; what has containers and no record is listed too."""
    engine = machine()
    containers = project_view.containers_by_project(engine)
    rows: list[dict[str, str]] = []
    for record in identity.read_all(projects_folder()):
        project_id = str(record["Id"])
        rows.append(
            {
                "Id": project_id,
                "State": project_view.state_of(containers.pop(project_id, [])),
                "Address": address.address(int(str(record["Number"]))),
                "Ports": project_view.leases_text(record),
                "Folder": project_view.folder_of(record),
            }
        )
    for project_id, found in sorted(containers.items()):
        rows.append(
            {"Id": project_id, "State": project_view.state_of(found), "Address": "", "Ports": "", "Folder": "(no record)"}
        )  # fmt: skip
    if quiet:
        click.echo("".join(f"{row['Id']}\n" for row in rows), nl=False)
    elif as_json:
        write_json(rows)
    else:
        write_table([["PROJECT", "STATE", "ADDRESS", "PORTS", "FOLDER"], *(list(row.values()) for row in rows)])


@project.command(name="inspect", help="Print all that is known of projects, as JSON.")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
def inspect(projects: tuple[str, ...]) -> None:
    """Print one list with an object for each project."""
    engine = machine()
    found = [project_view.required(each) for each in projects or (project_view.here(),)]
    write_json([project_view.description(engine, record) for record in found])


@project.command(
    name="ports", help="Print a project's ports: where each is on the host and on the project's own address."
)
@click.argument("name", required=False, metavar="[PROJECT]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_ports(name: str | None, as_json: bool) -> None:
    """Print the ports that its containers publish; while it has none, those that it will have."""
    project_id = named(name)
    record = project_view.required(project_id)
    number = int(str(record["Number"]))
    containers = project_view.containers_by_project(machine()).get(project_id, [])
    rows = project_view.published(containers, number) or project_view.assigned(record)
    rows = sorted(project_view.with_own(rows, record.get("Services")))
    if as_json:
        write_json([project_view.port_json(row) for row in rows])
        return
    own = address.address(number)
    titles = ["SERVICE", "CONTAINER", "PORT", "HOST", "OWN ADDRESS"]
    lines = [
        [
            row.service,
            row.ordinal,
            f"{row.container_port}/{row.protocol}",
            f"{row.host_address or '0.0.0.0'}:{row.host_port}",
            f"{own}:{row.own_port}" if row.own_port else "",
        ]
        for row in rows
    ]
    write_table([titles, *lines])


def io_changes(values: tuple[str, ...]) -> Json:
    """Return --io DEVICE=LIMIT:NUMBER[,…] as limits by device. Raises HyperBoxError."""
    found: dict[str, dict[str, object]] = {}
    for text in values:
        device, equals, limits = text.partition("=")
        for part in limits.split(","):
            name, colon, number = part.partition(":")
            if not equals or not colon:
                raise HyperBoxError(f'--io "{text}": should be DEVICE=rbps:10m,wiops:100')
            found.setdefault(device, {})[name] = int(number) if number.isdigit() else number
    return settings.budget({"io": found}, "--io") if found else {}


@project.command(name="limit", help="Show or change what all containers of a project may use together.")
@click.argument("name", required=False, metavar="[PROJECT]")
@click.option("--cpus", type=float, help="CPUs, such as 1.5.")
@click.option("--memory", metavar="SIZE", help="Memory, such as 512m; above it the kernel kills.")
@click.option("--memory-high", metavar="SIZE", help="Memory above which the project is slowed down (cgroup v2).")
@click.option("--pids", type=int, help="Processes and threads.")
@click.option("--cpu-weight", type=int, help="Share of the CPU while several want it; 100 is usual.")
@click.option(
    "--io", multiple=True, metavar="DEVICE=LIMIT:N[,…]", help="rbps, wbps, riops, wiops of a device (cgroup v2)."
)
@click.option(
    "--clear", multiple=True, type=click.Choice(settings.BUDGET), help="Take a limit of the project's own away."
)
def limit(name: str | None, io: tuple[str, ...], clear: tuple[str, ...], **given: float | int | str | None) -> None:
    """Print the whole budget after the change, as JSON; it is in force for what runs already."""
    project_id = named(name)
    changes = settings.budget({key: value for key, value in given.items() if value is not None}, "limit")
    changes.update(io_changes(io))
    if changes or clear:
        write_json(project_change.set_limit(machine(), project_id, changes, clear))
    else:
        write_json(project_view.effective_budget(project_view.required(project_id)))


@project.command(name="policy", help="Show or set how a project gets its host ports.")
@click.argument("name", metavar="PROJECT")
@click.argument("policy", required=False, type=click.Choice((*ports.POLICIES, "default")))
def set_policy(name: str, policy: str | None) -> None:
    """Print the policy; a change holds for containers that are made from then on."""
    record = project_view.required(name)
    if policy is not None:
        record = identity.change(projects_folder(), name, "Policy", "" if policy == "default" else policy) or record
    click.echo(str(record.get("Policy") or "") or f"{settings.values()['ports.policy']} (default)")


STATS = ("PROJECT", "CPU %", "MEMORY / LIMIT", "PIDS", "READ / WRITTEN", "OOM KILLS", "PRESSURE CPU / MEMORY / IO")


@project.command(name="stats", help="Print what projects use, from their own cgroups.")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@click.option("--json", "as_json", is_flag=True, help="Print the counters as JSON.")
@click.option("--interval", default=0.5, show_default=True, help="Seconds over which the CPU is measured.")
def stats(projects: tuple[str, ...], as_json: bool, interval: float) -> None:
    """Print one line for each project that has run since the machine's start."""
    engine = machine()
    known = [str(record["Id"]) for record in identity.read_all(projects_folder())]
    chosen = [str(project_view.required(each)["Id"]) for each in projects] or [*known, "default"]
    first = {each: engine.project_stats(each) for each in dict.fromkeys(chosen)}
    if as_json:
        write_json({name: counters for name, counters in first.items() if counters})
        return
    started = time.monotonic()
    time.sleep(interval)
    rows: list[Sequence[object]] = [STATS]
    for name, before in first.items():
        after = engine.project_stats(name)
        if before and after:
            elapsed = time.monotonic() - started
            rows.append(stats_row(name, before, after, elapsed))
    write_table(rows)


def stats_row(name: str, before: Json, after: Json, seconds: float) -> list[str]:
    """Return a project's line of `stats`; `seconds` lie between the two samples."""
    used = (int(str(after["cpu"])) - int(str(before["cpu"]))) / 1e9 / seconds * 100
    numbers = {key: float(str(after[key])) for key in ("memory", "memory_limit", "read", "written")}
    pressure = after["pressure"]
    some = [
        f"{pressure[kind]['some']['avg10']:.2f}" if isinstance(pressure, dict) and pressure.get(kind) else "-"
        for kind in ("cpu", "memory", "io")
    ]
    limit = int(str(after["pids_limit"]))
    return [
        name,
        f"{max(used, 0):.2f}%",
        f"{human_size(numbers['memory'])} / {human_size(numbers['memory_limit'])}",
        f"{after['pids']}" + (f" / {limit}" if limit < 1 << 40 else ""),
        f"{human_size(numbers['read'])} / {human_size(numbers['written'])}",
        str(after["oom_kills"]),
        " / ".join(some),
    ]


@project.command(name="adopt", help="Tell a project that its folder has moved: here, or to FOLDER.")
@click.argument("name", metavar="PROJECT")
@click.argument("folder", default=".", type=click.Path())
def adopt(name: str, folder: str) -> None:
    """Keep id, ports, address and data for the folder's new place."""
    project_change.adopt(name, folder)


@project.command(name="rename", help="Give a project that is down another id; its volumes are renamed with it.")
@click.argument("name", metavar="PROJECT")
@click.argument("new", metavar="NEW")
def rename(name: str, new: str) -> None:
    """Keep ports, address and data."""
    project_rename.rename(machine(), name, new)


@project.command(name="rm", help="Remove projects: names, address, ports, limits; with --force what is up, too.")
@click.argument("projects", nargs=-1, required=True, metavar="PROJECT...")
@click.option("--force", "-f", is_flag=True, help="Remove its containers and networks as well.")
@click.option("--volumes", "-v", is_flag=True, help="Remove its named volumes as well.")
def remove(projects: tuple[str, ...], force: bool, volumes: bool) -> None:
    """Print each id that was removed; volumes that stay are told on stderr."""
    engine = machine()
    for name in projects:
        tell_removed(name, project_change.remove(engine, name, force=force, volumes=volumes))


def tell_removed(name: str, kept: list[str]) -> None:
    """Print a removed project's id, and on stderr the volumes that it left."""
    click.echo(name)
    if kept:
        click.echo(f"{name}: its volumes stay: {', '.join(kept)}", err=True)


@project.command(name="prune", help="Remove the projects that have no containers and whose folder is gone.")
@click.option("--all", "-a", "down", is_flag=True, help="Those whose folder is there, too.")
@click.option("--volumes", "-v", is_flag=True, help="Remove their named volumes as well.")
@click.option("--force", "-f", is_flag=True, help="Don't ask.")
def prune(down: bool, volumes: bool, force: bool) -> None:
    """Ask, then print each id that was removed."""
    engine = machine()
    found = [str(record["Id"]) for record in project_change.prunable(engine, down=down)]
    if not found:
        return
    if not force and not click.confirm(f"Remove {', '.join(found)}?", err=True):
        return
    for name in found:
        tell_removed(name, project_change.remove(engine, name, force=False, volumes=volumes))


@project.command(name="restore", help="Start what the last reboot ended and restart policies want back.")
def restore() -> None:
    """Print the names of the containers that came back with this command or with the first one since the machine's start."""
    engine = machine()
    click.echo("".join(f"{name}\n" for name in engine.restore()), nl=False)
    failed = engine.restore_failures()
    for name, why in failed.items():
        click.echo(f"{name}: {why}", err=True)
    if failed:
        raise SystemExit(1)
