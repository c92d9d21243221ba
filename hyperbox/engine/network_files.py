"""The files hosts, resolv.conf and hostname of a container, as docker writes them."""

from __future__ import annotations

import _socket

from hyperbox import files
from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]

HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
FALLBACK_SERVERS = ("8.8.8.8", "8.8.4.4")


def words(value: object) -> list[str]:
    """Return a list of the API as strings; None is an empty one."""
    return [str(word) for word in value] if isinstance(value, list) else []


def host_resolver() -> tuple[list[str], list[str], list[str]]:
    """Return name servers, search domains and options of the host's resolv.conf, or of systemd-resolved's behind its stub."""
    found = _parse("/etc/resolv.conf")
    if found[0] == ["127.0.0.53"]:
        found = _parse("/run/systemd/resolve/resolv.conf")
    return found


def _parse(path: str) -> tuple[list[str], list[str], list[str]]:
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    try:
        lines = files.read_text(path).splitlines()
    except OSError:
        lines = []
    for line in lines:
        parts = line.split()
        if len(parts) < 2 or parts[0][0] in "#;":
            continue
        if parts[0] == "nameserver":
            servers.append(parts[1])
        elif parts[0] in ("search", "domain"):
            search = parts[1:]
        elif parts[0] == "options":
            options += parts[1:]
    return servers, search, options


def on_user_network(settings: Json) -> bool:
    """Return whether a container is on a network of the user's, where 127.0.0.11 answers."""
    networks = settings.get("Networks")
    return any(name not in ("bridge", "host", "none") for name in networks) if isinstance(networks, dict) else False


def upstream(container: Container) -> list[str]:
    """Return the name servers that the container's questions about other names go to: its own, or the host's."""
    return words(container.host_config.get("Dns")) or host_resolver()[0]


def check_servers(addresses: list[str]) -> None:
    """Raise EngineError with docker's words for a name server that is no address."""
    for address in addresses:
        try:
            _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)
        except OSError:
            raise EngineError(f'bad nameserver address {address}: ParseAddr("{address}"): unable to parse IP') from None


def resolv_conf(container: Container, *, embedded: bool, host_network: bool) -> str:
    """Return resolv.conf: 127.0.0.11 where `embedded`, else the servers that the user gave or the host's that a container can reach."""
    servers, search, options = host_resolver()
    config = container.host_config
    given = words(config.get("Dns"))
    check_servers(given)
    search = words(config.get("DnsSearch")) or search
    options = words(config.get("DnsOptions")) or options
    note = ""
    if embedded:
        servers = ["127.0.0.11"]
        options = [*options, *([] if any(each.startswith("ndots:") for each in options) else ["ndots:0"])]
        note = f"# ExtServers: [{' '.join(given or host_resolver()[0])}]\n"
    elif given:
        servers = given
    elif not host_network:
        servers = [each for each in servers if not each.startswith("127.") and each != "::1"] or list(FALLBACK_SERVERS)
    text = "".join(f"nameserver {server}\n" for server in servers)
    if search and search != ["."]:
        text += f"search {' '.join(search)}\n"
    if options:
        text += f"options {' '.join(options)}\n"
    return text + note


def host_gateway(settings: Json) -> str:
    """Return the host's address as the container sees it: the gateway of its first network that has one."""
    networks = settings.get("Networks")
    for endpoint in networks.values() if isinstance(networks, dict) else ():
        if endpoint.get("Gateway"):
            return str(endpoint["Gateway"])
    return ""


def extra_hosts(container: Container, settings: Json) -> list[tuple[str, str]]:
    """Return (address, name) of each of ExtraHosts, `host-gateway` being the host's address."""
    found = []
    for entry in words(container.host_config.get("ExtraHosts")):
        name, _, address = entry.partition(":")
        if address.strip("[]") == "host-gateway":
            address = host_gateway(settings) or "127.0.0.1"
        found.append((address.strip("[]"), name))
    return found


def hosts(container: Container, settings: Json, linked: list[tuple[str, str]]) -> str:
    """Return the hosts file: the fixed lines, extra hosts, links, and the container's own addresses."""
    lines = [HOSTS]
    lines += [f"{address}\t{name}\n" for address, name in [*extra_hosts(container, settings), *linked]]
    hostname = str(container.config.get("Hostname") or container.id[:12])
    domain = str(container.config.get("Domainname") or "")
    full = f"{hostname}.{domain}" if domain else hostname
    short = full.partition(".")[0]
    names = f"{full} {short}" if short != full else full
    networks = settings.get("Networks")
    for endpoint in networks.values() if isinstance(networks, dict) else ():
        for key in ("IPAddress", "GlobalIPv6Address"):
            if endpoint.get(key):
                lines.append(f"{endpoint[key]}\t{names}\n")
    return "".join(lines)


def prepare_files(roots: Roots, container: Container) -> None:
    """Write hosts, resolv.conf and hostname into the container's folder, as far as its NetworkSettings tell; see spec.mounts."""
    mode = str(container.host_config.get("NetworkMode") or "")
    folder = container.folder()
    if mode.startswith("container:"):
        from hyperbox.engine.state import find_container

        other = find_container(roots, mode[10:]).folder()
        for name in ("hosts", "resolv.conf", "hostname"):
            files.write_atomic(f"{folder}/{name}", files.read_text(f"{other}/{name}"), mode=0o644)
        return
    hostname = str(container.config.get("Hostname") or container.id[:12])
    files.write_atomic(f"{folder}/hostname", hostname + "\n", mode=0o644)
    for name, text in addressed_files(roots, container).items():
        files.write_atomic(f"{folder}/{name}", text, mode=0o644)


def complete_files(roots: Roots, container: Container) -> None:
    """Write what depends on NetworkSettings into the files that are there, which may be mounted in the container already."""
    for name, text in addressed_files(roots, container).items():
        with open(f"{container.folder()}/{name}", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)


def addressed_files(roots: Roots, container: Container) -> dict[str, str]:
    """Return hosts and resolv.conf of a container that has its own."""
    found = container.state.get("NetworkSettings")
    settings = found if isinstance(found, dict) else {}
    host_network = str(container.host_config.get("NetworkMode") or "") == "host"
    if host_network:
        text = files.read_text("/etc/hosts")
        text += "".join(f"{address}\t{name}\n" for address, name in extra_hosts(container, settings))
    else:
        linked: list[tuple[str, str]] = []
        if container.host_config.get("Links"):
            from hyperbox.engine import legacy_links

            linked = legacy_links.hosts(roots, container)
        text = hosts(container, settings, linked)
    resolver = resolv_conf(container, embedded=on_user_network(settings), host_network=host_network)
    return {"hosts": text, "resolv.conf": resolver}
