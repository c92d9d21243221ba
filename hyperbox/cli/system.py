"""`docker info` and `docker system prune`."""

from __future__ import annotations

import sys

from hyperbox.cli import client_plugins
from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_manage import ask, deleted, prune_filters, reclaimed
from hyperbox.cli.version import BUILDX_VERSION, COMPOSE_VERSION, EXIT_BAD_TEMPLATE, client_version, write_template
from hyperbox.errors import EngineError, HyperBoxError, Unreachable
from hyperbox.go.units import bytes_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

INFO_TYPES: dict[str, tuple[str, str]] = {
    "DockerInfo": (
        "system.dockerInfo",
        "+Info:*Info ServerErrors:[]s UserName ClientInfo:*ClientInfo ClientErrors:[]s",
    ),
    "Info": (
        "system.Info",
        "ID Containers:i ContainersRunning:i ContainersPaused:i ContainersStopped:i Images:i Driver DriverStatus:[][]s"
        " SystemStatus:[][]s Plugins:PluginsInfo MemoryLimit:b SwapLimit:b KernelMemory:b KernelMemoryTCP:b"
        " CPUCfsPeriod=CpuCfsPeriod:b CPUCfsQuota=CpuCfsQuota:b CPUShares:b CPUSet:b PidsLimit:b IPv4Forwarding:b Debug:b NFd:i"
        " OomKillDisable:b NGoroutines:i SystemTime LoggingDriver CgroupDriver CgroupVersion NEventsListener:i KernelVersion"
        " OperatingSystem OSVersion OSType Architecture IndexServerAddress RegistryConfig:*RegistryConfig NCPU:i MemTotal:i64"
        " GenericResources:[]any DockerRootDir HTTPProxy=HttpProxy HTTPSProxy=HttpsProxy NoProxy Name Labels:[]s"
        " ExperimentalBuild:b ServerVersion Runtimes:{}Runtime DefaultRuntime Swarm:Swarm LiveRestoreEnabled:b Isolation"
        " InitBinary ContainerdCommit:Commit RuncCommit:Commit InitCommit:Commit SecurityOptions:[]s ProductLicense"
        " DefaultAddressPools:[]any FirewallBackend:*FirewallInfo CDISpecDirs:[]s DiscoveredDevices:[]any"
        " Containerd:*ContainerdInfo Warnings:[]s",
    ),
    "PluginsInfo": ("system.PluginsInfo", "Volume:[]s Network:[]s Authorization:[]s Log:[]s"),
    "RegistryConfig": (
        "registry.ServiceConfig",
        "InsecureRegistryCIDRs:[]s IndexConfigs:{}*IndexInfo Mirrors:[]s",
    ),
    "IndexInfo": ("registry.IndexInfo", "Name Mirrors:[]s Secure:b Official:b"),
    "Runtime": ("system.RuntimeWithStatus", "Path=path Args=runtimeArgs:[]s Status=status:{}s"),
    "Swarm": (
        "swarm.Info",
        "NodeID NodeAddr LocalNodeState:swarm.LocalNodeState!s ControlAvailable:b Error RemoteManagers:[]any Nodes:i Managers:i",
    ),
    "Commit": ("system.Commit", "ID"),
    "FirewallInfo": ("system.FirewallInfo", "Driver Info:[][]s"),
    "ContainerdInfo": ("system.ContainerdInfo", "Address Namespaces:ContainerdNamespaces"),
    "ContainerdNamespaces": ("system.ContainerdNamespaces", "Containers Plugins"),
    "ClientInfo": (
        "system.clientInfo",
        "Debug:b Version DefaultAPIVersion GitCommit GoVersion Os Arch BuildTime Context Plugins:[]Plugin Warnings:[]s",
    ),
    "Plugin": ("manager.Plugin", "SchemaVersion Vendor Version ShortDescription URL Name Path Err:*error"),
}
PLUGINS = (("buildx", BUILDX_VERSION, "Docker Buildx"), ("compose", COMPOSE_VERSION, "Docker Compose"))


def info(invocation: Invocation) -> int:
    """docker info"""
    from hyperbox.cli import templates
    from hyperbox.cli.output import go_json

    template = str(invocation.flags["format"])
    parsed = None
    if template and template != "json":
        try:
            parsed = templates.parse(template)
        except templates.ParseError as error:
            raise HyperBoxError(f"template parsing error: {error}", exit_code=EXIT_BAD_TEMPLATE) from None
    failure: HyperBoxError | None = None
    value: Json = {}
    try:
        value = dict(engine_for(invocation).info())
    except Unreachable as error:
        failure = error
    except EngineError as error:
        failure = error
        value["ServerErrors"] = [error.message]
    value["ClientInfo"] = client_info(invocation)
    if template == "json":
        sys.stdout.write(go_json(value, escape_html=False) + "\n")
    elif parsed is not None:
        write_template(parsed, "DockerInfo", INFO_TYPES, value)
    else:
        sys.stdout.write(layout(value) if failure is None else layout(value).removesuffix("\n"))
        for warning in _list(value.get("Warnings")):
            sys.stderr.write(f"{warning}\n")
    if failure is not None:
        sys.stdout.flush()
        closing = "errors pretty printing info\n" if not template and isinstance(failure, EngineError) else ""
        sys.stderr.write(f"{failure.message}\n{closing}")
        return 1
    return 0


def client_info(invocation: Invocation) -> Json:
    """Return the ClientInfo part of `docker info`: buildx and compose stand among the plugins, as clients look for them there."""
    client = client_version(invocation)
    return {
        "Debug": bool(invocation.globals.get("debug")),
        "Version": client["Version"],
        "DefaultAPIVersion": client["DefaultAPIVersion"],
        "GitCommit": client["GitCommit"],
        "GoVersion": "",
        "Os": client["Os"],
        "Arch": client["Arch"],
        "BuildTime": "",
        "Context": client["Context"],
        "Plugins": [
            {
                "SchemaVersion": "0.1.0",
                "Vendor": "HyperBox",
                "Version": version,
                "ShortDescription": description,
                "Name": name,
                "Path": sys.argv[0],
            }
            for name, version, description in PLUGINS
        ]
        + [{**about, "Name": name, "Path": path} for name, path, about in client_plugins.installed(invocation)],
        "Warnings": None,
    }


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def layout(value: Json) -> str:
    """Return docker's own layout of `docker info`."""
    client = _dict(value["ClientInfo"])
    lines = [
        "Client:",
        f" Version:    {client['Version']}",
        f" Context:    {client['Context']}",
        f" Debug Mode: {_bool(client['Debug'])}",
        " Plugins:",
    ]
    for plugin in _list(client["Plugins"]):
        entry = _dict(plugin)
        lines.append(f"  {entry['Name']}: {entry.get('ShortDescription') or ''} ({entry['Vendor']})")
        if entry.get("Version"):
            lines.append(f"    Version:  {entry['Version']}")
        lines.append(f"    Path:     {entry['Path']}")
    lines.extend(["", "Server:"])
    if "ServerVersion" in value:
        lines.extend(_server(value))
    return "\n".join(lines) + "\n\n"


def _bool(value: object) -> str:
    return "true" if value else "false"


MACHINE = (
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
)


def _server(value: Json) -> list[str]:
    lines = [
        f" Containers: {value.get('Containers')}",
        f"  Running: {value.get('ContainersRunning')}",
        f"  Paused: {value.get('ContainersPaused')}",
        f"  Stopped: {value.get('ContainersStopped')}",
        f" Images: {value.get('Images')}",
        f" Server Version: {value.get('ServerVersion')}",
        f" Storage Driver: {value.get('Driver')}",
    ]
    lines.extend(f"  {pair[0]}: {pair[1]}" for pair in _list(value.get("DriverStatus")) if isinstance(pair, list))
    for title, key in (("Logging Driver", "LoggingDriver"), ("Cgroup Driver", "CgroupDriver")):
        lines.append(f" {title}: {value.get(key)}")
    lines.append(f" Cgroup Version: {value.get('CgroupVersion')}")
    plugins = _dict(value.get("Plugins"))
    lines.append(" Plugins:")
    for key in ("Volume", "Network", "Authorization", "Log"):
        if plugins.get(key):
            lines.append(f"  {key}: {' '.join(str(name) for name in _list(plugins[key]))}")
    if value.get("CDISpecDirs"):
        lines.append(" CDI spec directories:")
        lines.extend(f"  {folder}" for folder in _list(value["CDISpecDirs"]))
    lines.append(f" Swarm: {_dict(value.get('Swarm')).get('LocalNodeState') or 'inactive'}")
    lines.append(f" Runtimes: {' '.join(sorted(_dict(value.get('Runtimes'))))}")
    lines.append(f" Default Runtime: {value.get('DefaultRuntime')}")
    lines.append(f" Init Binary: {value.get('InitBinary', '')}")
    for title, key in (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit")):
        lines.append(f" {title} version: {_dict(value.get(key)).get('ID', '')}")
    lines.extend(_security(value))
    lines.extend(f" {title}: {value.get(key)}" for title, key in MACHINE)
    memory = value.get("MemTotal")
    lines.append(f" Total Memory: {bytes_size(memory if isinstance(memory, int) else 0)}")
    for title, key in (("Name", "Name"), ("ID", "ID"), ("Docker Root Dir", "DockerRootDir")):
        lines.append(f" {title}: {value.get(key)}")
    lines.append(f" Debug Mode: {_bool(value.get('Debug'))}")
    for title, key in (("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy")):
        if value.get(key):
            lines.append(f" {title}: {value[key]}")
    if value.get("Labels"):
        lines.append(" Labels:")
        lines.extend(f"  {label}" for label in _list(value["Labels"]))
    lines.append(f" Experimental: {_bool(value.get('ExperimentalBuild'))}")
    lines.extend(_registries(_dict(value.get("RegistryConfig"))))
    lines.append(f" Live Restore Enabled: {_bool(value.get('LiveRestoreEnabled'))}")
    return lines


def _security(value: Json) -> list[str]:
    options = _list(value.get("SecurityOptions"))
    if not options:
        return []
    lines = [" Security Options:"]
    for option in options:
        pairs = [pair.partition("=") for pair in str(option).split(",")]
        lines.append("  " + next((text for key, _, text in pairs if key == "name"), str(option)))
        lines.extend(f"   {key.capitalize()}: {text}" for key, _, text in pairs if key != "name")
    return lines


def _registries(configuration: Json) -> list[str]:
    lines = []
    insecure = [
        name
        for name, index in _dict(configuration.get("IndexConfigs")).items()
        if isinstance(index, dict) and not index.get("Secure")
    ] + [str(name) for name in _list(configuration.get("InsecureRegistryCIDRs"))]
    if insecure:
        lines.append(" Insecure Registries:")
        lines.extend(f"  {name}" for name in insecure)
    if configuration.get("Mirrors"):
        lines.append(" Registry Mirrors:")
        lines.extend(f"  {name}" for name in _list(configuration["Mirrors"]))
    return lines


# --- prune --------------------------------------------------------------------------------------------------------------------
def prune(invocation: Invocation) -> int:
    """docker system prune"""
    from hyperbox.cli import project_claims
    from hyperbox.cli.image_manage import deleted_images, image_filters

    flags = invocation.flags
    filters = prune_filters(invocation)
    if flags["volumes"] and "until" in filters:
        raise HyperBoxError('ERROR: The "until" filter is not supported with "--volumes"')
    ask(invocation, _warning(invocation))
    engine = engine_for(invocation)
    projects = project_claims.projects_with_containers(engine)
    answers: list[Json] = [engine.container_prune(filters)]
    project_claims.give_back(engine, projects)
    sys.stdout.write(deleted("Deleted Containers", answers[0], "ContainersDeleted"))
    sys.stdout.write(deleted("Deleted Networks", engine.network_prune(filters), "NetworksDeleted"))
    if flags["volumes"]:
        answers.append(engine.volume_prune(filters))
        sys.stdout.write(deleted("Deleted Volumes", answers[-1], "VolumesDeleted"))
    answers.append(engine.image_prune(image_filters(invocation)))
    sys.stdout.write(deleted_images(answers[-1]))
    answers.append(_prune_build_cache(invocation, filters))
    sys.stdout.write(deleted("Deleted build cache objects", answers[-1], "CachesDeleted"))
    sys.stdout.write(reclaimed(*answers))
    return 0


def _prune_build_cache(invocation: Invocation, filters: dict[str, list[str]]) -> Json:
    """Prune the build cache too; labels are not of its filters."""
    from hyperbox.build.api import cache_prune
    from hyperbox.cli.connect import native_engine

    if set(filters) - {"until"}:
        return {"CachesDeleted": [], "SpaceReclaimed": 0}
    return cache_prune(native_engine().roots, all=bool(invocation.flags["all"]), filters=filters)


def _warning(invocation: Invocation) -> str:
    flags = invocation.flags
    everything = bool(flags["all"])
    lines = ["all stopped containers", "all networks not used by at least one container"]
    if flags["volumes"]:
        lines.append("all anonymous volumes not used by at least one container")
    lines.append(
        "all images without at least one container associated to them" if everything else "all dangling images"
    )
    lines.append("all build cache" if everything else "unused build cache")
    text = "WARNING! This will remove:\n" + "".join(f"  - {line}\n" for line in lines)
    given = flags["filter"]
    if isinstance(given, list) and given:
        text += "\n  Items to be pruned will be filtered with:\n" + "".join(f"  - {pair}\n" for pair in sorted(given))
    return text
