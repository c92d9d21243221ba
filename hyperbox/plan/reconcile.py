"""From what is there to what is wanted: pure decisions. The result is a Plan whose every step says why."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.errors import ComposeError
from hyperbox.plan.operations import (
    Builder,
    ConnectContainer,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    DisconnectContainer,
    KeepContainer,
    Plan,
    RecreateContainer,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    ResumeContainer,
    StopContainer,
    WaitFor,
)
from hyperbox.plan.order import WAITED, selected, start_step
from hyperbox.plan.removal import orphans, remove, resource
from hyperbox.plan.states import restart_steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.plan.observe import Observed, ObservedContainer
    from hyperbox.project.desired import Dependency, Desired, ServiceWish, VolumeWish


class UpOptions(NamedTuple):
    """How `up` and `create` reconcile.

    services   those that were asked for (none: all); what they depend on comes too unless `no_deps`
    recreate   "diverged" | "force" | "never", for the services asked for; `recreate_dependencies` the same for the others
    image_ids  service -> id of the image that it would be made from now
    volumes    keys of the named volumes that may be made anew where they differ from the file: their data goes
    """

    services: tuple[str, ...] = ()
    no_deps: bool = False
    recreate: str = "diverged"
    recreate_dependencies: str = "diverged"
    start: bool = True
    renew_volumes: bool = False
    remove_orphans: bool = False
    timeout: int | None = None
    image_ids: Mapping[str, str] = {}
    volumes: frozenset[str] = frozenset()


class Up:
    """The making of one `up` plan: the builder, and the step after which each service's containers are there."""

    def __init__(self, desired: Desired, observed: Observed, options: UpOptions) -> None:
        self.desired = desired
        self.observed = observed
        self.options = options
        self.builder = Builder()
        self.network_steps: dict[str, int] = {}
        self.missing_networks: list[int] = []
        self.volume_steps: dict[str, int] = {}
        self.made: dict[tuple[str, int], int] = {}
        self.started: dict[tuple[str, int], int] = {}
        self.ordinals: dict[str, list[int]] = {}
        self.recreated: set[str] = set()
        self.running: set[tuple[str, int]] = set()
        self.moved: list[int] = []
        self.finished: dict[tuple[str, int], int] = {}
        self.stopped: dict[str, int] = {}
        self.removed: set[str] = set()
        self.container_ids = observed.container_ids()

    def finish_recreations(self) -> None:
        """Add what an interrupted recreation left to do: the old container is there (then the new one goes) or not (it gets its name)."""
        names = {row.name for row in self.observed.containers}
        kept = []
        for row in self.observed.containers:
            if not row.replaces:
                kept.append(row)
            elif row.name[13:] in names:
                step = remove(self.builder, row, "a recreation was interrupted", self.options.timeout)
                self.finished[row.service, row.ordinal] = step
            else:
                name = row.name[13:]
                self.finished[row.service, row.ordinal] = self.builder.add(
                    RenameContainer(row.container_id, name),
                    resource(row),
                    f"Container {name}",
                    "a recreation was interrupted",
                )
                kept.append(row._replace(name=name, replaces=""))
        self.observed = self.observed._replace(containers=tuple(kept))

    def networks(self, services: list[str]) -> None:
        """Add the networks that the services are on."""
        used = {key for name in services for key in (self.desired.services[name].definition.get("networks") or {})}  # type: ignore[attr-defined]
        for key, wish in self.desired.networks.items():
            if key not in used and self.options.services:
                continue
            found = self.observed.networks.get(wish.name)
            if wish.external:
                if found is None:
                    raise ComposeError(f"network {wish.name} declared as external, but could not be found")
                continue
            if found is None:
                self.network_steps[wish.name] = self.builder.add(
                    CreateNetwork(wish.name, wish.body), f"network:{key}", f"Network {wish.name}", "no existing network"
                )
                self.missing_networks.append(self.network_steps[wish.name])
            elif found and not wish.made_with(found):
                self._replace_network(key)

    def _replace_network(self, key: str) -> None:
        """Add the steps that make a network anew; the containers on it are stopped and moved over, not made anew."""
        wish, cause = self.desired.networks[key], f"network {key} diverged"
        on = [row for row in self.observed.containers if wish.name in row.networks]
        moved = [
            self.builder.add(
                DisconnectContainer(row.container_id, wish.name),
                resource(row),
                f"Container {row.name}",
                cause,
                [self._stop(row, cause)],
            )
            for row in on
        ]
        gone = self.builder.add(
            RemoveNetwork(wish.name, replaced=True),
            f"network:{key}",
            f"Network {wish.name}",
            "config hash diverged",
            moved,
        )
        made = self.builder.add(
            CreateNetwork(wish.name, wish.body),
            f"network:{key}",
            f"Network {wish.name}",
            "config hash diverged",
            [gone],
        )
        self.moved += [
            self.builder.add(
                ConnectContainer(row.service, row.ordinal, row.container_id, wish.name),
                resource(row),
                f"Container {row.name}",
                cause,
                [made],
            )
            for row in on
        ]
        self.network_steps[wish.name] = made

    def _stop(self, row: ObservedContainer, cause: str) -> int:
        """Add the step that stops a container for the sake of what it uses, once."""
        if row.container_id not in self.stopped:
            operation = StopContainer(row.container_id, self.options.timeout, row.service)
            self.stopped[row.container_id] = self.builder.add(operation, resource(row), f"Container {row.name}", cause)
        return self.stopped[row.container_id]

    def volumes(self, services: list[str]) -> None:
        """Add the named volumes that the services use."""
        used: set[str] = set()
        for name in services:
            rows = self.desired.services[name].definition.get("volumes")
            used.update(
                str(row.get("source"))
                for row in (rows if isinstance(rows, list) else [])
                if row.get("type") == "volume"
            )
        for key, wish in self.desired.volumes.items():
            if key not in used and self.options.services:
                continue
            found = self.observed.volumes.get(wish.name)
            if wish.external and found is None:
                raise ComposeError(f'external volume "{wish.name}" not found')
            if key in self.options.volumes and volume_diverged(wish, self.observed):
                self._replace_volume(key)
            if found is None:
                self.volume_steps[wish.name] = self.builder.add(
                    CreateVolume(wish.name, wish.body), f"volume:{key}", f"Volume {wish.name}", "no existing volume"
                )

    def _replace_volume(self, key: str) -> None:
        wish, cause = self.desired.volumes[key], f"volume {key} diverged"
        users = [row for row in self.observed.containers if wish.name in row.volumes]
        removed = [remove(self.builder, row, cause, self.options.timeout) for row in users]
        self.removed.update(row.container_id for row in users)
        gone = self.builder.add(
            RemoveVolume(wish.name, replaced=True),
            f"volume:{key}",
            f"Volume {wish.name}",
            "config hash diverged",
            removed,
        )
        self.volume_steps[wish.name] = self.builder.add(
            CreateVolume(wish.name, wish.body), f"volume:{key}", f"Volume {wish.name}", "config hash diverged", [gone]
        )

    def service(self, name: str) -> None:
        """Add the steps after which a service's containers are there as wanted, not yet started."""
        wish = self.desired.services[name]
        existing = [row for row in self.observed.of(name) if row.container_id not in self.removed]
        kept = self._too_many(wish, existing)
        self.ordinals[name] = [row.ordinal for row in kept]
        before = [*self.network_steps.values(), *self.moved, *self.volume_steps.values(), *self._referred(wish)]
        needed = {row.service for row in wish.depends_on}
        beside = [step for (service, _), step in self.made.items() if service in needed]
        for row in kept:
            cause = self._diverged(wish, row)
            key = (name, row.ordinal)
            if key in self.finished:
                self.made[key] = self.finished[key]
            if cause:
                inherit = not self.options.renew_volumes
                operation = RecreateContainer(name, row.ordinal, row.container_id, self.options.timeout, inherit)
                self.made[key] = self.builder.add(
                    operation, resource(row), f"Container {row.name}", cause, self._after(key, before), beside
                )
                self.recreated.add(name)
            elif row.running and row.container_id not in self.stopped:
                self.running.add(key)
                paused = row.state == "paused"
                self.made[key] = self.builder.add(
                    ResumeContainer(*key, row.container_id) if paused else KeepContainer(*key),
                    resource(row),
                    f"Container {row.name}",
                    "paused" if paused else "as wanted",
                    [],
                    beside,
                )
        number = 0
        while len(self.ordinals[name]) < wish.scale:
            number += 1
            if number in self.ordinals[name]:
                continue
            self.ordinals[name].append(number)
            shown = self._shown(wish, number)
            self.made[name, number] = self.builder.add(
                CreateContainer(name, number),
                f"service:{name}:{number}",
                f"Container {shown}",
                "no existing container",
                before,
                beside,
            )

    def _after(self, key: tuple[str, int], before: list[int]) -> list[int]:
        """Return the steps that making a container anew comes after: an interrupted recreation is finished first, it has the same name."""
        return [*before, self.finished[key]] if key in self.finished else before

    def _shown(self, wish: ServiceWish, number: int) -> str:
        from hyperbox.project.desired import container_name

        return container_name(self.desired, wish, number)

    def _referred(self, wish: ServiceWish) -> list[int]:
        """Return the steps that make the containers whose namespaces or volumes this service shares."""
        steps = []
        definition = wish.definition
        texts = [str(definition.get(key) or "") for key in ("network_mode", "ipc", "pid")]
        others = [text.removeprefix("service:") for text in texts if text.startswith("service:")]
        shared = definition.get("volumes_from")
        others += [str(text).partition(":")[0] for text in (shared if isinstance(shared, list) else [])]
        for (service, _), step in self.made.items():
            if service in others:
                steps.append(step)
        return steps

    def _too_many(self, wish: ServiceWish, existing: list[ObservedContainer]) -> list[ObservedContainer]:
        surplus = len(existing) - wish.scale
        if surplus <= 0:
            return existing
        doomed = sorted(existing, key=lambda row: (not self._diverged(wish, row), -row.ordinal))[:surplus]
        for row in doomed:
            remove(self.builder, row, "scaled down", self.options.timeout)
        return [row for row in existing if row not in doomed]

    def _diverged(self, wish: ServiceWish, row: ObservedContainer) -> str:
        asked = not self.options.services or wish.name in self.options.services
        policy = self.options.recreate if asked else self.options.recreate_dependencies
        if policy == "never":
            return ""
        if policy == "force":
            return "recreation was asked for"
        if not wish.made_with(row.config_hash, self.container_ids):
            return "config hash diverged"
        image_id = self.options.image_ids.get(wish.name, "")
        if image_id and row.image_id and image_id != row.image_id:
            return "image changed"
        if self._shares_with_recreated(wish):
            return "a container whose namespace it shares is recreated"
        if self._mounts_of_recreated(wish):
            return "a container whose volumes it mounts is recreated"
        return ""

    def _shares_with_recreated(self, wish: ServiceWish) -> bool:
        modes = [str(wish.definition.get(key) or "") for key in ("network_mode", "ipc", "pid")]
        return any(mode.removeprefix("service:") in self.recreated for mode in modes if mode.startswith("service:"))

    def _mounts_of_recreated(self, wish: ServiceWish) -> bool:
        shared = wish.definition.get("volumes_from")
        return any(
            str(text).partition(":")[0] in self.recreated for text in (shared if isinstance(shared, list) else ())
        )

    def start(self, name: str) -> None:
        """Add the steps that start a service's containers, after what it waits for."""
        wish = self.desired.services[name]
        before: list[int] = []
        restarted = False
        for row in wish.depends_on:
            restarted = restarted or (row.restart and row.service in self.recreated)
            before.extend(self._wait(row))
        for ordinal in self.ordinals[name]:
            key = (name, ordinal)
            shown = f"Container {self._name(wish, ordinal)}"
            if key in self.running:
                if restarted:
                    container = next(row for row in self.observed.of(name) if row.ordinal == ordinal)
                    cause = "a dependency was recreated"
                    self.started[key] = restart_steps(
                        self.builder, self.desired, container, self.options.timeout, cause, before
                    )
                continue
            after = [*before, *([self.made[key]] if key in self.made else [])]
            if key not in self.made:  # it is there; its networks may have to be made, and it moved to those made anew
                after.extend([*self.missing_networks, *self.moved])
            self.started[key] = self.builder.add(
                start_step(self.desired, name, ordinal),
                f"service:{name}:{ordinal}",
                shown,
                "not running",
                after,
            )

    def _name(self, wish: ServiceWish, ordinal: int) -> str:
        for row in self.observed.of(wish.name):
            if row.ordinal == ordinal:
                return row.name
        return self._shown(wish, ordinal)

    def _wait(self, dependency: Dependency) -> list[int]:
        service, condition = dependency.service, dependency.condition
        steps = []
        for ordinal in self.ordinals.get(service, []):
            after = [step for step in (self.started.get((service, ordinal)),) if step is not None]
            if condition in WAITED:
                shown = f"Container {self._name(self.desired.services[service], ordinal)}"
                steps.append(
                    self.builder.add(
                        WaitFor(service, ordinal, condition, dependency.required),
                        f"service:{service}:{ordinal}",
                        shown,
                        condition,
                        after,
                    )
                )
            else:
                steps.extend(after)
        return steps


def volume_diverged(wish: VolumeWish, observed: Observed) -> bool:
    """Return whether a volume of the project was made from something else than the file says now."""
    found = observed.volumes.get(wish.name)
    return not wish.external and bool(found) and not wish.made_with(str(found))


def reconcile_up(desired: Desired, observed: Observed, options: UpOptions) -> Plan:
    """Return the plan of `up` (or `create`, with `options.start` false)."""
    services = selected(desired, options.services, no_deps=options.no_deps)
    up = Up(desired, observed, options)
    up.finish_recreations()
    if options.remove_orphans:
        for row in orphans(desired, observed):
            remove(up.builder, row, "orphan", options.timeout)
    up.networks(services)
    up.volumes(services)
    for name in services:
        up.service(name)
    if options.start:
        for name in services:
            up.start(name)
    return up.builder.plan()
