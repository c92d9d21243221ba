"""Networks and volumes that a project finds under its own names and that somebody else made."""

from __future__ import annotations

from hyperbox.errors import ComposeError
from hyperbox.plan.observe import PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.plan.observe import Observed
    from hyperbox.project.desired import Desired


def tell_foreign(desired: Desired, observed: Observed, warn: Callable[[str], None]) -> None:
    """Warn, in docker compose's words, of networks and volumes that are there and were not made for this project.

    Raises ComposeError for a network that carries another network's label, or none: it would not be what the files describe.
    """
    external = "Set `external: true` to use an existing network"
    for key, wish in desired.networks.items():
        owner = observed.owners.get(f"network:{wish.name}")
        if wish.external or owner is None:
            continue
        project, label = owner
        if project is None:
            warn(f"a network with name {wish.name} exists but was not created by compose.\n{external}")
        elif project != desired.name:
            warn(
                f'a network with name {wish.name} exists but was not created for project "{desired.name}".\n{external}'
            )
        if label != key:
            raise ComposeError(
                f'network {wish.name} was found but has incorrect label {PREFIX}network set to "{label}" (expected: "{key}")'
            )
    external = "Use `external: true` to use an existing volume"
    for volume in desired.volumes.values():
        owner = observed.owners.get(f"volume:{volume.name}")
        if volume.external or owner is None or owner[0] == desired.name:
            continue
        made = (
            "was not created by Docker Compose."
            if owner[0] is None
            else f'was created for project "{owner[0]}" (expected "{desired.name}").'
        )
        warn(f'volume "{volume.name}" already exists but {made} {external}')


def is_foreign(desired: Desired, observed: Observed, name: str) -> bool:
    """Return whether the network `name` is known to be another's: `down` leaves it alone."""
    owner = observed.owners.get(f"network:{name}")
    return owner is not None and owner[0] != desired.name
