"""`docker compose ps`, `ls`, `images`, `port`, `top`, `volumes`, `stats`, `version`: what a project has, and which projects there are."""

from __future__ import annotations

import re
import sys
import time

from hyperbox.cli import container_list
from hyperbox.cli.compose_project import containers_named, session_by_name, session_of_name
from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import labels_of
from hyperbox.cli.container_ports import host_and_port
from hyperbox.cli.output import go_json, short_id, table
from hyperbox.cli.output_list import Listing, show
from hyperbox.cli.templates_values import Fields
from hyperbox.cli.version import COMPOSE_VERSION
from hyperbox.errors import ComposeError
from hyperbox.go.text import invalid_syntax, out_of_range
from hyperbox.go.units import human_duration, human_size
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.cli.compose_project import Session
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer

    Json = dict[str, object]

WIDE = 20  # the narrowest column of the tables that compose draws itself
STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")
PROJECT_LABEL = "com.docker.compose.project"
# docker compose has no headings for what is not here
HEADLESS = ("LocalVolumes", "Mounts", "Names", "Networks")
PS_HEADERS = {
    **{name: text for name, text in container_list.HEADERS.items() if name not in HEADLESS},
    "Name": "NAME",
    "Service": "SERVICE",
    "Project": "PROJECT",
}
PS_COLUMNS = ("Name", "Image", "Command", "Service", "RunningFor", "Status", "Ports")


# --- ps -----------------------------------------------------------------------------------------------------------------------
def publishers(summary: Json) -> list[Json]:
    """Return compose's own form of the published ports."""
    ports = summary.get("Ports")
    rows: list[Json] = [
        Fields(
            URL=port.get("IP") or "",
            TargetPort=port.get("PrivatePort") or 0,
            PublishedPort=port.get("PublicPort") or 0,
            Protocol=port.get("Type") or "tcp",
        )
        for port in (ports if isinstance(ports, list) else [])
    ]
    return rows


def exit_code(summary: Json) -> int:
    """Return the exit code that a container's status tells: "Exited (3) 2 seconds ago"."""
    status = str(summary.get("Status") or "")
    inner = status.partition("(")[2].partition(")")[0] if status.startswith("Exited") else ""
    return int(inner) if inner.isdigit() else 0


def health(summary: Json) -> str:
    """Return the health that a container's status tells."""
    status = str(summary.get("Status") or "")
    for words, name in (("(healthy)", "healthy"), ("(unhealthy)", "unhealthy"), ("(health: starting)", "starting")):
        if words in status:
            return name
    return ""


def ps_listing(*, short: bool) -> Listing:
    """Return how compose shows containers: as `docker ps`, with what only compose knows."""
    base = container_list.listing(short=short, now=time.time())
    methods: dict[str, Callable[..., object]] = {
        **base.methods,
        "Name": lambda item: container_list.names(item, short=True),
        "Service": lambda item: labels_of(item).get("com.docker.compose.service", ""),
        "Project": lambda item: labels_of(item).get(PROJECT_LABEL, ""),
        "ExitCode": exit_code,
        "Health": health,
        "Publishers": publishers,
    }
    del methods["Platform"]
    return Listing("*formatter.ContainerContext", methods, PS_HEADERS, PS_COLUMNS, calls=base.calls)


def wanted_states(invocation: Invocation) -> list[str]:
    """Return the states of --status and --filter. Raises ComposeError for other filters."""
    states = words_of(invocation.flags["status"])
    text = str(invocation.flags["filter"])
    if text:
        key, equals, value = text.partition("=")
        if not equals:
            raise ComposeError("arguments to --filter should be in form KEY=VAL")
        if key == "source":
            raise ComposeError("not implemented")
        if key != "status":
            raise ComposeError(f"unknown filter {key}")
        states.append(value)
    return states


def ps(invocation: Invocation) -> int:
    """docker compose ps [SERVICE…]"""
    flags = invocation.flags
    states = wanted_states(invocation)
    found = session_by_name(invocation)
    everything = bool(flags["all"]) or bool(states)
    rows = found.containers(invocation.arguments, all=everything, one_off=bool(flags["all"]))
    if not flags["orphans"] and found.desired.known_services:
        rows = [row for row in rows if row.service in found.desired.known_services]
    if states:
        rows = [row for row in rows if row.state in states]
    elif not everything:
        rows = [row for row in rows if row.running]
    rows.sort(key=lambda row: row.name)
    if flags["quiet"]:
        sys.stdout.write("".join(f"{row.container_id}\n" for row in rows))
    elif flags["services"]:
        names = list(dict.fromkeys(row.service for row in rows))
        sys.stdout.write("\n".join(names) + "\n")
    else:
        template = str(flags["format"])
        template = "" if template == "table" else template
        show(ps_listing(short=not flags["no-trunc"]), [row.summary for row in rows], template)
    return 0


# --- ls -----------------------------------------------------------------------------------------------------------------------
def projects(containers: list[Json]) -> list[Json]:
    """Return name, status and files of each project, from its containers' labels."""
    grouped: dict[str, list[Json]] = {}
    for container in containers:
        grouped.setdefault(labels_of(container).get(PROJECT_LABEL, ""), []).append(container)
    output: list[Json] = []
    for name in sorted(grouped):
        states: dict[str, int] = {}
        files: dict[str, None] = {}
        for container in grouped[name]:
            state = str(container.get("State"))
            states[state] = states.get(state, 0) + 1
            files[labels_of(container).get("com.docker.compose.project.config_files") or "N/A"] = None
        status = ", ".join(f"{state}({states[state]})" for state in sorted(states))
        output.append({"Name": name, "Status": status, "ConfigFiles": ",".join(files)})
    return output


def list_projects(invocation: Invocation) -> int:
    """docker compose ls"""
    flags = invocation.flags
    listed = engine_for(invocation).container_list(
        all=bool(flags["all"]), filters={"label": [PROJECT_LABEL, "com.docker.compose.oneoff=False"]}
    )
    rows = projects(listed)
    for text in words_of(flags["filter"]):
        key, _, value = text.partition("=")
        if key != "name":
            raise ComposeError(f"invalid filter '{key}'")
        try:
            pattern = re.compile(value)
        except re.error:
            raise ComposeError(f"error parsing regexp: {value}") from None
        rows = [row for row in rows if pattern.search(str(row["Name"]))]
    if flags["quiet"]:
        sys.stdout.write("".join(f"{row['Name']}\n" for row in rows))
    elif flags["format"] == "json":
        sys.stdout.write(go_json(rows) + "\n")
    elif flags["format"] in ("table", ""):
        cells = [[str(row[key]) for key in ("Name", "Status", "ConfigFiles")] for row in rows]
        sys.stdout.write(table([["NAME", "STATUS", "CONFIG FILES"], *cells], min_width=WIDE))
    else:
        raise ComposeError(f'format value "{flags["format"]}" could not be parsed: parsing failed')
    return 0


# --- images -------------------------------------------------------------------------------------------------------------------
def images(invocation: Invocation) -> int:
    """docker compose images [SERVICE…]"""
    flags = invocation.flags
    found = session_of_name(invocation)
    rows = containers_named(found, invocation.arguments)
    if flags["quiet"]:
        ids = dict.fromkeys(row.image_id.removeprefix("sha256:") for row in rows)
        sys.stdout.write("".join(f"{image_id}\n" for image_id in ids))
        return 0
    described = [_image(found, row) for row in rows]
    if flags["format"] == "json":
        sys.stdout.write((go_json(described) if described else "null") + "\n\n")
        return 0
    if flags["format"] not in ("table", ""):
        raise ComposeError(f'format value "{flags["format"]}" could not be parsed: parsing failed')
    now = time.time()
    titles = ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"]
    cells = [
        [
            str(row["ContainerName"]),
            str(row["Repository"]),
            str(row["Tag"]),
            str(row["Platform"]),
            short_id(str(row["ID"])),
            human_size(float(str(row["Size"]))),
            _age(str(row["LastTagTime"]), now),
        ]
        for row in described
    ]
    sys.stdout.write(table([titles, *cells], min_width=WIDE))
    return 0


def _age(text: str, now: float) -> str:
    from hyperbox.go.times import timestamp_seconds

    seconds = timestamp_seconds(text) if text else 0.0
    return human_duration(now - seconds) + " ago" if seconds > 0 else "N/A"


def _image(found: Session, row: ObservedContainer) -> Json:
    value = found.engine.image_inspect(row.image_id)
    tags = value.get("RepoTags")
    name = str(tags[0]) if isinstance(tags, list) and tags else "<none>:<none>"
    repository, _, tag = name.rpartition(":")
    metadata = value.get("Metadata")
    tagged = str(metadata.get("LastTagTime") or "") if isinstance(metadata, dict) else ""
    return {
        "ID": row.image_id,
        "ContainerName": row.name,
        "Repository": repository,
        "Tag": tag,
        "Platform": f"{value.get('Os')}/{value.get('Architecture')}",
        "Size": value.get("Size") or 0,
        "LastTagTime": tagged or str(value.get("Created") or ""),
    }


# --- the small ones -----------------------------------------------------------------------------------------------------------
def port(invocation: Invocation) -> int:
    """docker compose port SERVICE PRIVATE_PORT"""
    service, number = invocation.arguments[:2]
    protocol = str(invocation.flags["protocol"]).lower()
    if not number.isdigit() or int(number) > 65535:
        raise ComposeError((out_of_range if number.isdigit() else invalid_syntax)("ParseUint", number))
    index = invocation.flags["index"]
    row = session_of_name(invocation).container(service, index if isinstance(index, int) else 0)
    rows = publishers(row.summary)
    for one in rows:
        if one["TargetPort"] == int(number) and one["Protocol"] == protocol and one["PublishedPort"]:
            sys.stdout.write(host_and_port(str(one["URL"]), str(one["PublishedPort"])) + "\n")
            return 0
    known = ", ".join(f"{one['PublishedPort'] or one['TargetPort']}/{one['Protocol']}" for one in rows)
    raise ComposeError(f"no port {number}/{protocol} for container {row.name}: {known}")


def top(invocation: Invocation) -> int:
    """docker compose top [SERVICE…]"""
    found = session_of_name(invocation)
    rows: list[list[str]] = []
    titles: list[str] = []
    for row in containers_named(found, invocation.arguments, all=False):
        answer = found.engine.container_top(row.container_id)
        heads, lines = answer["Titles"], answer["Processes"]
        assert isinstance(heads, list)
        assert isinstance(lines, list)
        titles = ["SERVICE", "#", *map(str, heads)]
        rows.extend([row.service, str(row.ordinal), *map(str, line)] for line in lines)
    if rows:
        sys.stdout.write(table([titles, *rows], min_width=0, padding=2))
    return 0


def volumes(invocation: Invocation) -> int:
    """docker compose volumes [SERVICE…]"""
    from hyperbox.cli.disk_usage import volume_listing

    flags = invocation.flags
    found = session_by_name(invocation)
    answer = found.engine.volume_list({"label": [f"{PROJECT_LABEL}={found.desired.name}"]})
    rows = answer.get("Volumes")
    listed = rows if isinstance(rows, list) else []
    if invocation.arguments:
        mounts = [
            mount
            for row in found.containers(invocation.arguments)
            for mount in row.summary.get("Mounts") or []  # type: ignore[attr-defined]
        ]
        used = {mount.get("Name") for mount in mounts}
        listed = [volume for volume in listed if volume["Name"] in used]
    template = str(flags["format"])
    template = "" if template == "table" else template
    show(volume_listing(), listed, template, quiet=bool(flags["quiet"]), columns=("Driver", "Name"))
    return 0


def stats(invocation: Invocation) -> int:
    """docker compose stats [SERVICE]"""
    from hyperbox.cli import container_stats

    found = session_of_name(invocation)
    labels = [f"com.docker.compose.project={found.desired.name}"]
    labels += [f"com.docker.compose.service={name}" for name in invocation.arguments]
    invocation.arguments.clear()
    return container_stats.stats_of(invocation, {"label": labels})


def version(invocation: Invocation) -> int:
    """docker compose version"""
    if invocation.flags.get("short"):
        text = COMPOSE_VERSION
    elif invocation.flags.get("format") == "json":
        text = go_json({"version": COMPOSE_VERSION})
    else:
        text = f"Docker Compose version {COMPOSE_VERSION}"
    sys.stdout.write(text + "\n")
    return 0
