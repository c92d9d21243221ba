"""`docker version`, and the client's own facts that `docker info` shows too."""

from __future__ import annotations

import os
import sys

from hyperbox.errors import EngineError, HyperBoxError, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

# what scripts sniff: the version of the command line whose behaviour this one keeps
CLIENT_VERSION = "28.5.2"
API_VERSION = "1.51"
COMPOSE_VERSION = "2.40.3"
BUILDX_VERSION = "0.29.1"
GIT_COMMIT = "hyperbox"
EXIT_BAD_TEMPLATE = 64

VERSION_TYPES: dict[str, tuple[str, str]] = {
    "VersionInfo": ("system.versionInfo", "Client:ClientVersion Server:*ServerVersion"),
    "ClientVersion": (
        "system.clientVersion",
        "Platform:*VersionPlatform Version APIVersion=ApiVersion DefaultAPIVersion GitCommit GoVersion Os Arch BuildTime Context",
    ),
    "VersionPlatform": ("system.platformInfo", "Name"),
    "ServerVersion": (
        "types.Version",
        "Platform:ServerPlatform Components:[]Component Version APIVersion=ApiVersion MinAPIVersion GitCommit GoVersion Os Arch"
        " KernelVersion Experimental:b BuildTime",
    ),
    "ServerPlatform": ("struct { Name string }", "Name"),
    "Component": ("types.ComponentVersion", "Name Version Details:{}s"),
}


def architecture() -> str:
    """Return Go's name for this machine's architecture."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}.get(machine, machine)


def client_version(invocation: Invocation) -> Json:
    """Return the client's half of `docker version`, in docker's order of fields."""
    from hyperbox.cli.context_store import current_name

    return {
        "Version": CLIENT_VERSION,
        "ApiVersion": os.environ.get("DOCKER_API_VERSION", "").removeprefix("v") or API_VERSION,
        "DefaultAPIVersion": API_VERSION,
        "GitCommit": GIT_COMMIT,
        "GoVersion": "",
        "Os": "linux",
        "Arch": architecture(),
        "BuildTime": "",
        "Context": current_name(invocation),
    }


def version(invocation: Invocation) -> int:
    """docker version"""
    from hyperbox.cli import templates
    from hyperbox.cli.connect import engine_for

    template = str(invocation.flags["format"])
    parsed = None
    if template and template != "json":
        try:
            parsed = templates.parse(template, "version")
        except templates.ParseError as error:
            raise HyperBoxError(f"template parsing error: {error}", exit_code=EXIT_BAD_TEMPLATE) from None
    value: Json = {"Client": client_version(invocation), "Server": None}
    failure: HyperBoxError | None = None
    try:
        value["Server"] = with_readable_times(engine_for(invocation).version())
    except (EngineError, Unreachable) as error:
        failure = error
    try:
        show_version(value, template, parsed)
    except HyperBoxError:
        if failure is None:
            raise
    if failure is not None:
        raise failure
    return 0


def show_version(value: Json, template: str, parsed: object) -> None:
    """Write the versions as JSON, by a parsed template, or in docker's layout. Raises HyperBoxError after what the template had written."""
    if template == "json":
        from hyperbox.cli.output import go_json

        sys.stdout.write(go_json(value, escape_html=False) + "\n")
    elif parsed is not None:
        write_template(parsed, "VersionInfo", VERSION_TYPES, value)
    else:
        sys.stdout.write(layout(value))


def with_readable_times(server: Json) -> Json:
    """Return the engine's version with the build times of its components as docker's client writes them: Tue Sep 15 11:02:57 2026."""
    import time

    from hyperbox.go.times import timestamp_seconds

    components = server.get("Components")
    changed = []
    for component in components if isinstance(components, list) else []:
        details = dict(component.get("Details") or {})
        if details.get("BuildTime"):
            try:
                details["BuildTime"] = time.strftime(
                    "%a %b %e %H:%M:%S %Y", time.gmtime(timestamp_seconds(details["BuildTime"]))
                )
            except ValueError:
                pass
        changed.append({**component, "Details": details})
    return {**server, "Components": changed}


def write_template(parsed: object, name: str, types: dict[str, tuple[str, str]], value: Json) -> None:
    """Write what a template makes of a typed record, with a newline after; raises HyperBoxError after what it had written."""
    from hyperbox.cli import templates
    from hyperbox.cli.templates_types import typed

    assert isinstance(parsed, templates.Template)
    try:
        sys.stdout.write(templates.execute(parsed, typed(name, value, types=types)) + "\n")
    except templates.ExecuteError as error:
        sys.stdout.write(error.partial + "\n")
        raise HyperBoxError(str(error)) from None


def layout(value: Json) -> str:
    """Return docker's own layout of `docker version`."""
    client, server = value["Client"], value["Server"]
    assert isinstance(client, dict)
    lines = ["Client:\n"]
    for label, key in (
        ("Version", "Version"),
        ("API version", "ApiVersion"),
        ("Go version", "GoVersion"),
        ("Git commit", "GitCommit"),
        ("Built", "BuildTime"),
    ):
        lines.append(_line(" ", label, client[key]))
    lines.append(_line(" ", "OS/Arch", f"{client['Os']}/{client['Arch']}"))
    lines.append(_line(" ", "Context", client["Context"]))
    if isinstance(server, dict):
        lines.append(server_layout(server))
    return "".join(lines)


def _line(indent: str, label: str, value: object) -> str:
    return f"{indent}{label + ':':<{19 if len(indent) == 1 else 18}}{value}\n"


def server_layout(server: Json) -> str:
    """Return the server's half: each component with its details."""
    platform = server.get("Platform")
    name = str(platform.get("Name") or "") if isinstance(platform, dict) else ""
    lines = [f"\nServer: {name}\n" if name else "\nServer:\n"]
    components = server.get("Components")
    for component in components if isinstance(components, list) else []:
        details = component.get("Details") or {}
        lines.append(f" {component['Name']}:\n")
        lines.append(_line("  ", "Version", component["Version"]))
        if component["Name"] == "Engine":
            minimum = details.get("MinAPIVersion")
            extra = f" (minimum version {minimum})" if minimum else ""
            lines.append(_line("  ", "API version", f"{details.get('ApiVersion', '')}{extra}"))
            lines.append(_line("  ", "Go version", details.get("GoVersion", "")))
            lines.append(_line("  ", "Git commit", details.get("GitCommit", "")))
            lines.append(_line("  ", "Built", details.get("BuildTime", "")))
            lines.append(_line("  ", "OS/Arch", f"{details.get('Os', '')}/{details.get('Arch', '')}"))
            lines.append(_line("  ", "Experimental", details.get("Experimental", "false")))
        else:
            lines.extend(_line("  ", key, details[key]) for key in sorted(details))
    return "".join(lines)
