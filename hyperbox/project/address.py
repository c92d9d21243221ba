"""A project's own loopback address, its names in /etc/hosts, and the variables that tell of both.

Every project has one address in 127.89.0.0/16, made from its number, on which its published ports have the numbers that the file asks
for, whatever they were remapped to on the host's other addresses. `PROJECT.hyperbox` and `SERVICE.PROJECT.hyperbox` stand in a block of
/etc/hosts that is ours; all else in that file stays as it is. The rules that lead the address to containers are the engine's.
"""

from __future__ import annotations

import os

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "127.89"
SUFFIX = "hyperbox"


def address(number: int) -> str:
    """Return the loopback address of the project with this number (from 1). Pure."""
    high, low = divmod((number - 1) % 65024, 254)
    return f"{PREFIX}.{high}.{low + 1}"


def names(project_id: str, services: Sequence[str]) -> list[str]:
    """Return the names that stand for a project's address: PROJECT.hyperbox, then SERVICE.PROJECT.hyperbox. Pure."""
    project = host_label(project_id)
    return [f"{project}.{SUFFIX}", *(f"{host_label(service)}.{project}.{SUFFIX}" for service in services)]


def host_label(text: str) -> str:
    """Return text as a label of a host's name: what may not stand in one becomes `-`. Pure."""
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in text.lower()).strip("-")[:63] or "x"


def with_block(text: str, marker: str, lines: Sequence[str]) -> str:
    """Return the text of a hosts file with our block for `marker` replaced by `lines`; without lines there is no block. Pure."""
    begin, end = f"# hyperbox {marker} begin", f"# hyperbox {marker} end"
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if line == begin:
            inside = True
        elif line == end and inside:
            inside = False
        elif not inside:
            kept.append(line)
    block = [begin, *lines, end] if lines else []
    joined = "\n".join([*kept, *block])
    return joined + "\n" if joined else ""


def write_hosts(path: str, lock: str, marker: str, lines: Sequence[str]) -> None:
    """Replace our block for `marker` in a hosts file, under the lock file `lock`. Raises OSError.

    The file is replaced by rename where it can be; a bind-mounted one (in a container) is written in place.
    """
    with files.Lock(lock):
        before = files.read_text(path)
        after = with_block(before, marker, lines)
        if after == before:
            return
        try:
            files.write_atomic(path, after, mode=0o644)
        except OSError:
            with open(path, "r+") as file:
                file.write(after)
                file.truncate()
                os.fsync(file.fileno())


def environment(number: int, ports: Mapping[tuple[str, int, str], int]) -> dict[str, str]:
    """Return HYPERBOX_ADDRESS and HYPERBOX_PORT_<SERVICE>_<PORT>, from (service, container port, protocol) -> host port. Pure."""
    result = {"HYPERBOX_ADDRESS": address(number)}
    for (service, port, protocol), host_port in sorted(ports.items()):
        name = "".join(each if each.isascii() and each.isalnum() else "_" for each in service.upper())
        suffix = "" if protocol == "tcp" else f"_{protocol.upper()}"
        result[f"HYPERBOX_PORT_{name}_{port}{suffix}"] = str(host_port)
    return result
