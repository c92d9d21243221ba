"""A container's network, and the API's requests about networks: the entrance to this room's files.

`setup` and `teardown` are the monitor's; each call imports only the file that does it.

    network_store   records, names, addresses      network_rules   the nftables table      network_bridge   links
    network_setup   a container's start and end    network_ports   host ports              network_files    hosts, resolv.conf, hostname
    network_manage  create, inspect, remove        network_list    list, prune             network_move     connect, disconnect
    network_sweep   leftovers                      dns             names inside containers
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from hyperbox.engine.state import Container, Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]


def setup(roots: Roots, container: Container, netns: int) -> Json:
    """Set up the network of a container that starts; returns its NetworkSettings. See `network_setup.setup`."""
    from hyperbox.engine import network_setup

    return network_setup.setup(roots, container, netns)


def teardown(roots: Roots, container_id: str) -> None:
    """Give back what a container's network held. See `network_setup.teardown`."""
    from hyperbox.engine import network_setup

    network_setup.teardown(roots, container_id)


def sweep(roots: Roots, alive_ids: Collection[str] = ()) -> list[str]:
    """Remove what dead containers left; returns their ids."""
    from hyperbox.engine import network_sweep

    return network_sweep.sweep(roots, alive_ids)


def network_create(roots: Roots, config: Json) -> Json:
    """See `engine.api.Engine.network_create`."""
    from hyperbox.engine import network_manage

    return network_manage.network_create(roots, config)


def network_inspect(roots: Roots, reference: str, *, verbose: bool = False) -> Json:
    """See `engine.api.Engine.network_inspect`."""
    from hyperbox.engine import network_manage

    return network_manage.network_inspect(roots, reference, verbose=verbose)


def network_remove(roots: Roots, reference: str) -> None:
    """See `engine.api.Engine.network_remove`."""
    from hyperbox.engine import network_manage

    network_manage.network_remove(roots, reference)


def network_list(roots: Roots, filters: Filters | None = None) -> list[Json]:
    """See `engine.api.Engine.network_list`."""
    from hyperbox.engine import network_list as listing

    return listing.network_list(roots, filters)


def network_prune(roots: Roots, filters: Filters | None = None) -> Json:
    """See `engine.api.Engine.network_prune`."""
    from hyperbox.engine import network_list as listing

    return listing.network_prune(roots, filters)


def network_connect(roots: Roots, reference: str, container: str, endpoint: Json) -> None:
    """See `engine.api.Engine.network_connect`."""
    from hyperbox.engine import network_move

    network_move.network_connect(roots, reference, container, endpoint)


def network_disconnect(roots: Roots, reference: str, container: str, *, force: bool = False) -> None:
    """See `engine.api.Engine.network_disconnect`."""
    from hyperbox.engine import network_move

    network_move.network_disconnect(roots, reference, container, force=force)
