"""What dead containers left of their networks, found and removed."""

from __future__ import annotations

import os

from hyperbox.engine import network_setup, network_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from hyperbox.engine.state import Roots

    Json = dict[str, object]


def sweep(roots: Roots, alive_ids: Collection[str] = ()) -> list[str]:
    """Give back what containers hold whose owner is gone and that are not in `alive_ids`; returns their ids."""
    swept = []
    for container_id, held in network_setup.all_held(roots):
        if container_id not in alive_ids and not network_store.owner_lives(str(held["Owner"])):
            network_setup.teardown(roots, container_id)
            swept.append(container_id)
    return swept


def sweep_network(roots: Roots, record: Json) -> None:
    """Remove a network's claims and endpoints whose owner is gone."""
    sweep(roots)
    folder = network_store.run_folder(roots, str(record["Id"]))
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        try:
            owner = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if not network_store.owner_lives(owner):
            try:
                os.unlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
