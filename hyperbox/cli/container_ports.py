"""Published ports as `ps` and `port` show them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = dict[str, object]


def host_and_port(address: str, port: str) -> str:
    """Return ADDRESS:PORT, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def displayed(ports: object) -> str:
    """Return the PORTS column for the API's list of ports: sorted, adjacent ones with equal numbers on both sides folded into a range."""
    if not isinstance(ports, list) or not ports:
        return ""
    entries = sorted(_entry(port) for port in ports if isinstance(port, dict))
    groups: dict[str, tuple[int, int]] = {}
    output: list[str] = []
    mapped: list[str] = []
    for private, address, public, protocol in entries:
        key = protocol
        if address:
            if public != private:
                mapped.append(f"{host_and_port(address, str(public))}->{private}/{protocol}")
                continue
            key = f"{address}/{protocol}"
        group = groups.get(key)
        if group is None:
            groups[key] = (private, private)
        elif private == group[1] + 1:
            groups[key] = (group[0], private)
        else:
            output.append(_group(key, group))
            groups[key] = (private, private)
    output.extend(_group(key, group) for key, group in groups.items())
    return ", ".join(output + mapped)


def _entry(port: Mapping[str, object]) -> tuple[int, str, int, str]:
    return (
        int(str(port.get("PrivatePort") or 0)),
        str(port.get("IP") or ""),
        int(str(port.get("PublicPort") or 0)),
        str(port.get("Type") or "tcp"),
    )


def _group(key: str, group: tuple[int, int]) -> str:
    address, _, protocol = key.rpartition("/")
    span = str(group[0]) if group[0] == group[1] else f"{group[0]}-{group[1]}"
    return f"{host_and_port(address, span)}->{span}/{protocol}" if address else f"{span}/{protocol}"


def bindings(container: Json) -> dict[str, list[dict[str, str]]]:
    """Return what an inspected container publishes: "80/tcp" -> [{"HostIp", "HostPort"}]; unpublished ports are left out."""
    settings = container.get("NetworkSettings")
    ports = settings.get("Ports") if isinstance(settings, dict) else None
    if not isinstance(ports, dict):
        return {}
    return {str(port): list(hosts) for port, hosts in ports.items() if hosts}
