"""What crashes have left on the machine and nothing else would take away: found for `hyperbox doctor`, removed with --fix.

What a container needs that is there, whatever its state, is never one; nor what a living process is just making.
"""

from __future__ import annotations

import os
from functools import partial

from hyperbox import files, process
from hyperbox.engine import freezing, network_rules, network_setup, network_store, project_groups
from hyperbox.engine.state import Roots, container_ids, is_being_made, maker_is_alive, release_name
from hyperbox.kernel import cgroups, links, netlink
from hyperbox.kernel.nftables import Element, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Leftover:
    """Something left: what it is, in words, and how it goes."""

    __slots__ = ("remove", "what")

    def __init__(self, what: str, remove: Callable[[], object]) -> None:
        self.what = what
        self.remove = remove


def find(roots: Roots) -> list[Leftover]:
    """Return all leftovers of these roots. Nothing is changed."""
    known = {*container_ids(roots), *_being_removed(roots)}
    return [
        *_groups(roots, known),
        *_runtime_folders(roots, known),
        *_names(roots, known),
        *_held(roots),
        *_bridges(roots),
        *_published(roots),
        *_half_written(roots),
        *_half_made(roots),
    ]


def _being_removed(roots: Roots) -> list[str]:
    return list(files.subfolders(f"{roots.data}/removing"))


def _groups(roots: Roots, known: set[str]) -> Iterator[Leftover]:
    parent = project_groups.parent(roots)
    for project in cgroups.groups(parent):
        for name in cgroups.groups(f"{parent}/{project}"):
            path = f"{parent}/{project}/{name}"
            if name not in known and not is_being_made(roots, name) and not cgroups.processes(path):
                yield Leftover(f"cgroup {path}", partial(cgroups.remove_group, path))


def _runtime_folders(roots: Roots, known: set[str]) -> Iterator[Leftover]:
    for name in files.subfolders(f"{roots.run}/containers"):
        if name not in known and not is_being_made(roots, name):
            path = roots.container_run(name)
            yield Leftover(f"folder {path}", partial(files.remove_tree, path))


def _names(roots: Roots, known: set[str]) -> Iterator[Leftover]:
    for name in sorted(_list(f"{roots.data}/names")):
        owner = files.claim_owner(f"{roots.data}/names/{name}")
        if owner is not None and owner not in known and not is_being_made(roots, owner):
            yield Leftover(
                f"name {name} of a container that is gone",
                partial(release_name, roots, name, owner),
            )


def _held(roots: Roots) -> Iterator[Leftover]:
    for container_id, held in network_setup.all_held(roots):
        if not network_store.owner_lives(str(held["Owner"])):
            yield Leftover(
                f"addresses and ports of {held.get('Name') or container_id}, whose monitor is gone",
                partial(network_setup.teardown, roots, container_id),
            )


def _bridges(roots: Roots) -> Iterator[Leftover]:
    wanted = {str(record.get("Bridge")) for record in network_store.all_networks(roots)}
    own = network_rules.group(roots)
    with netlink.Socket() as route:
        found = links.links(route)
    for link in found:
        if link.group & 0xFFFFFF00 == own and link.name not in wanted:
            yield Leftover(f"bridge {link.name}", partial(delete_link, link.name))


def delete_link(name: str) -> None:
    """Take a link away; none there is no error."""
    with netlink.Socket() as route:
        route.send([links.link_delete(name)], tolerate=(19,))


def _published(roots: Roots) -> Iterator[Leftover]:
    wanted = set()
    for _, held in network_setup.all_held(roots):
        published = held.get("Published")
        for address, port, protocol, target, inner in published if isinstance(published, list) else ():
            wanted.add((address if port else "", protocol, port, target, inner))
    for row in listed_elements(roots):
        if row not in wanted:
            address, protocol, port, target, inner = row
            element = (
                network_rules.published(address, protocol, port, target, inner)
                if port
                else network_rules.opened(protocol, target, inner)
            )
            what = f"published port {address}:{port}/{protocol}" if port else f"opened port {target}:{inner}/{protocol}"
            yield Leftover(
                f"{what} of a container that is gone",
                partial(remove_element, roots, element),
            )


def remove_element(roots: Roots, element: Element) -> None:
    """Take one element out of the roots' table."""
    rules = Rules(network_rules.table_name(roots))
    rules.remove([element])
    rules.close()


def listed_elements(roots: Roots) -> list[tuple[str, str, int, str, int]]:
    """Return (host address, protocol, host port, container's address, container's port) of all that the table publishes; "" and 0 stand
    for the host where the container's own port is opened."""
    try:
        done = process.run(["nft", "-j", "-n", "list", "table", "inet", network_rules.table_name(roots)], timeout=30)
        listed = files.loads(done.out.decode()) if done.code == 0 else {}
    except (FileNotFoundError, ValueError, TimeoutError):
        return []
    return parse_elements(listed)


def parse_elements(listed: object) -> list[tuple[str, str, int, str, int]]:
    """Return the published ports in what `nft -j list table` printed. Pure."""
    found = []
    protocols = {str(number): name for name, number in network_rules.PROTOCOLS.items()}
    for row in _list_at(listed, "nftables"):
        opened = row.get("set") or {}
        for key in _list_at(opened, "elem") if str(opened.get("name", "")).startswith("open") else ():
            address, protocol, inner = (str(word) for word in _list_at(key, "concat"))
            found.append(("", protocols.get(protocol, protocol), 0, address, int(inner)))
        maps = row.get("map") or {}
        name = str(maps.get("name", ""))
        if not name.startswith("published"):
            continue
        anywhere = ["::" if "6" in name else "0.0.0.0"] if name.endswith("_any") else []
        for key, value in _list_at(maps, "elem"):
            words = anywhere + [str(word) for word in _list_at(key, "concat")]
            inside = [str(word) for word in _list_at(value, "concat")]
            found.append((words[0], protocols.get(words[1], words[1]), int(words[2]), inside[0], int(inside[1])))
    return found


def _list_at(value: object, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _half_written(roots: Roots) -> Iterator[Leftover]:
    """Temporary files of writers that are gone: NAME.tmp.PID."""
    for place in ("projects", "budgets", "networks", "volumes"):
        folder = f"{roots.data}/{place}"
        for name in _list(folder):
            head, dot, pid = name.rpartition(".")
            if dot and head.endswith(".tmp") and pid.isdigit() and not process.is_alive(int(pid)):
                yield Leftover(f"file {folder}/{name}", partial(files.remove_tree, f"{folder}/{name}"))


def _half_made(roots: Roots) -> Iterator[Leftover]:
    from hyperbox.engine import recovery

    for entry in _list(f"{roots.data}/making"):
        if not maker_is_alive(entry):
            frozen = freezing.container_of(entry)
            what = f"frozen container {frozen[:12]}" if frozen else f"half-made container {entry[:12]}"
            yield Leftover(what, partial(recovery.forget_making, roots, entry))


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
