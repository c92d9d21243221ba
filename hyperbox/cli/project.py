"""`hyperbox project`: the click commands; what they show and change is in `project_view` and `project_change`."""

from __future__ import annotations

import json
import time

import click

from hyperbox.cli import project_change, project_rename, project_view, settings
from hyperbox.cli.compose_identity import projects_folder
from hyperbox.cli.connect import native_engine
from hyperbox.cli.output_list import show
from hyperbox.cli.project_lists import PORTS, PROJECTS, STATS, port_fields, stats_fields
from hyperbox.errors import HyperBoxError
from hyperbox.project import address, identity, ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.native import NativeEngine

    Json = dict[str, object]


FORMAT = click.option(
    "--format", "template", default="", metavar="FORMAT", help='"table", "json", "table TEMPLATE" or a Go template.'
)


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


def write_objects(found: Sequence[Json], template: str) -> None:
    """Print objects: as one indented list, for "json" one in a line each, else each by a Go template. Raises HyperBoxError."""
    from hyperbox.cli.inspect import Collector, Failed

    if template == "json":
        click.echo("".join(f"{json.dumps(each)}\n" for each in found), nl=False)
    elif not template:
        write_json(found)
    else:
        collector = Collector(template)
        try:
            for each in found:
                collector.add("", each)
        except Failed as error:
            raise HyperBoxError(str(error)) from None
        click.echo(collector.text(), nl=False)


def named(project_id: str | None) -> str:
    """Return the project that a command is about: the one that was named, or that of the current folder."""
    return project_id or project_view.here()


@project.command(name="ls", help="List the projects of this machine.")
@click.option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@FORMAT
def list_projects(quiet: bool, as_json: bool, template: str) -> None:
    """Print id, state, address, leased ports and folder; what has containers and no record is listed too."""
    containers = project_view.containers_by_project(machine())
    rows: list[dict[str, str]] = []
    for record in identity.read_all(projects_folder()):
        project_id = str(record["Id"])
        rows.append(
            {
                "ID": project_id,
                "Name": str(record["Name"]),
                "State": project_view.state_of(containers.pop(project_id, [])),
                "Address": address.address(int(str(record["Number"]))),
                "Ports": project_view.leases_text(record),
                "Folder": project_view.folder_of(record),
            }
        )
    for project_id, found in sorted(containers.items()):
        none = {"Name": project_id, "Address": "", "Ports": "", "Folder": "(no record)"}
        rows.append({"ID": project_id, **none, "State": project_view.state_of(found)})
    if as_json and not quiet:
        write_json([{"Id" if key == "ID" else key: value for key, value in row.items()} for row in rows])
    else:
        show(PROJECTS, rows, template, quiet=quiet)


@project.command(name="inspect", help="Print all that is known of projects, as JSON.")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@FORMAT
def inspect(projects: tuple[str, ...], template: str) -> None:
    """Print one list with an object for each project, or each by the template."""
    engine = machine()
    found = [project_view.required(each) for each in projects or (project_view.here(),)]
    write_objects([project_view.description(engine, record) for record in found], template)


@project.command(
    name="ports", help="Print a project's ports: where each is on the host and on the project's own address."
)
@click.argument("name", required=False, metavar="[PROJECT]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@FORMAT
def show_ports(name: str | None, as_json: bool, template: str) -> None:
    """Print the ports that its containers publish; while it has none, those that it will have."""
    engine, project_id = machine(), named(name)
    record = project_view.required(project_id)
    number = int(str(record["Number"]))
    containers = project_view.containers_by_project(engine).get(project_id, [])
    rows = project_view.published(containers, number) or project_view.assigned(record)
    rows = sorted(project_view.with_own(rows, record.get("Services")))
    if as_json:
        write_json([project_view.port_json(row) for row in rows])
    else:
        show(PORTS, [port_fields(row, address.address(number)) for row in rows], template)


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
@FORMAT
def limit(
    name: str | None, io: tuple[str, ...], clear: tuple[str, ...], template: str, **given: float | int | str | None
) -> None:
    """Print the whole budget after the change, as JSON or by the template; it is in force for what runs already."""
    engine, project_id = machine(), named(name)
    changes = settings.budget({key: value for key, value in given.items() if value is not None}, "limit")
    changes.update(io_changes(io))
    if changes or clear:
        budget = project_change.set_limit(engine, project_id, changes, clear)
    else:
        budget = project_view.effective_budget(project_view.required(project_id))
    if template:
        write_objects([budget], template)
    else:
        write_json(budget)


@project.command(name="policy", help="Show or set how a project gets its host ports.")
@click.argument("name", metavar="PROJECT")
@click.argument("policy", required=False, type=click.Choice((*ports.POLICIES, "default")))
def set_policy(name: str, policy: str | None) -> None:
    """Print the policy; a change holds for containers that are made from then on."""
    record = project_view.required(name)
    if policy is not None:
        record = identity.change(projects_folder(), name, "Policy", "" if policy == "default" else policy) or record
    click.echo(str(record.get("Policy") or "") or f"{settings.values()['ports.policy']} (default)")


@project.command(name="stats", help="Print what projects use, from their own cgroups.")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@click.option("--json", "as_json", is_flag=True, help="Print the counters as JSON.")
@click.option("--interval", default=0.5, show_default=True, help="Seconds over which the CPU is measured.")
@FORMAT
def stats(projects: tuple[str, ...], as_json: bool, interval: float, template: str) -> None:
    """Print one line for each project that has run since the machine's start."""
    engine = machine()
    known = [str(record["Id"]) for record in identity.read_all(projects_folder())]
    chosen = [str(project_view.required(each)["Id"]) for each in projects] or [*known, "default"]
    first = {each: engine.project_stats(each) for each in dict.fromkeys(chosen)}
    if as_json:
        write_json({name: counters for name, counters in first.items() if counters})
        return
    started = time.monotonic()
    time.sleep(max(interval, 0.01))
    rows: list[Json] = []
    for name, before in first.items():
        after = engine.project_stats(name)
        if before and after:
            rows.append(stats_fields(name, before, after, time.monotonic() - started))
    show(STATS, rows, template)


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
