"""What goes: the steps of `down`, `rm` and of containers that nobody wants any more. Pure decisions, as in `reconcile`."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.plan.operations import (
    Builder,
    Plan,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveProvider,
    RemoveVolume,
    StopContainer,
)
from hyperbox.plan.order import hooks_of, service_order
from hyperbox.plan.ownership import is_foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.plan.observe import Observed, ObservedContainer
    from hyperbox.plan.operations import Hooks
    from hyperbox.project.desired import Desired, NetworkWish, VolumeWish


def resource(row: ObservedContainer) -> str:
    """Return a container's resource id: service:db:1, or container:NAME for one of no service."""
    return f"service:{row.service}:{row.ordinal}" if row.service and not row.one_off else f"container:{row.name}"


def remove(
    builder: Builder,
    row: ObservedContainer,
    cause: str,
    timeout: int | None,
    *,
    volumes: bool = False,
    after: list[int] | None = None,
    hooks: Hooks = (),
) -> int:
    """Add the steps that stop and remove a container; returns the last one."""
    stop = StopContainer(row.container_id, timeout, row.service, hooks)
    steps = [builder.add(stop, resource(row), f"Container {row.name}", cause, after or ())]
    return builder.add(RemoveContainer(row.container_id, volumes), resource(row), f"Container {row.name}", cause, steps)


def orphans(desired: Desired, observed: Observed) -> list[ObservedContainer]:
    """Return the containers of services that the files don't know, and those of `run` that have ended, whatever their service."""
    return [
        row
        for row in observed.containers
        if (row.state in ("exited", "dead") if row.one_off else row.service not in desired.known_services)
    ]


def orphans_removal(desired: Desired, observed: Observed) -> Plan:
    """Return the plan that takes the orphans away."""
    builder = Builder()
    for row in orphans(desired, observed):
        remove(builder, row, "orphan", None)
    return builder.plan()


class DownOptions(NamedTuple):
    """How `down` reconciles; `images` names those to remove, `remove_orphans` takes containers of `run` along too."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    remove_orphans: bool = False
    timeout: int | None = None
    images: tuple[str, ...] = ()


def reconcile_down(desired: Desired, observed: Observed, options: DownOptions) -> Plan:
    """Return the plan of `down`: containers in reverse order of dependency, then networks, volumes and images.

    Services that no active profile has stay, and the networks that they are on with them.
    """
    builder = Builder()
    included = [row for row in observed.containers if not row.one_off or options.remove_orphans]
    removed: dict[str, list[int]] = {}
    for name in reversed(service_order(desired)):
        if options.services and name not in options.services:
            continue
        dependents = [
            step
            for other, steps in removed.items()
            if any(row.service == name for row in desired.services[other].depends_on)
            for step in steps
        ]
        hooks = hooks_of(desired, name, "pre_stop")
        removed[name] = [
            remove(builder, row, "down", options.timeout, volumes=options.volumes, after=dependents, hooks=hooks)
            for row in included
            if row.service == name
        ]
        if name in desired.services and desired.services[name].definition.get("provider"):
            after = [*dependents, *removed[name]]
            removed[name].append(builder.add(RemoveProvider(name), f"service:{name}", name, "down", after))
    steps = [step for rows in removed.values() for step in rows]
    for row in included:
        orphan = row.service not in desired.known_services
        if not desired.services or (orphan and options.remove_orphans):
            cause = "orphan" if desired.services else "down"
            steps.append(remove(builder, row, cause, options.timeout, volumes=options.volumes))
    _resources(builder, desired, observed, options, steps)
    return builder.plan()


def _own(desired: Desired, wishes: Iterable[NetworkWish | VolumeWish], there: Iterable[str]) -> list[str]:
    """Return what is there of the resources that a project may remove: those that its files have and that are not external.

    What the files don't name any more stays, data above all; where there are no files, all that the project made.
    """
    if desired.project is None:
        return list(there)
    names = {wish.name for wish in wishes if not wish.external}
    return [name for name in there if name in names]


def _resources(builder: Builder, desired: Desired, observed: Observed, options: DownOptions, steps: list[int]) -> None:
    for name in _own(desired, desired.volumes.values(), observed.volumes) if options.volumes else ():
        builder.add(RemoveVolume(name), f"volume:{name}", f"Volume {name}", "down", steps)
    named = [desired.services[name] for name in options.services if name in desired.services]
    if named and all(wish.definition.get("provider") for wish in named):
        return  # they are on no network and have no image
    for name in _own(desired, desired.networks.values(), observed.networks):
        if is_foreign(desired, observed, name):
            continue
        builder.add(RemoveNetwork(name), f"network:{name}", f"Network {name}", "down", steps)
    for name in options.images:
        builder.add(RemoveImage(name), f"image:{name}", f"Image {name}", "down", steps)
