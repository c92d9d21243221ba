"""From what is there to what is wanted: pure decisions. The result is a Plan whose every step says why."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.errors import ComposeError
from hyperbox.plan.operations import (
    Builder,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    KeepContainer,
    Plan,
    RecreateContainer,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RestartContainer,
    StartContainer,
    StopContainer,
    WaitFor,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hyperbox.plan.observe import Observed, ObservedContainer
    from hyperbox.project.desired import Desired, ServiceWish

WAITED = ("service_healthy", "service_completed_successfully")


class UpOptions(NamedTuple):
    """How `up` and `create` reconcile.

    services   those that were asked for (none: all); what they depend on comes too unless `no_deps`
    recreate   "diverged" | "force" | "never", for the services asked for; `recreate_dependencies` the same for the others
    image_ids  service -> id of the image that it would be made from now
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


def service_order(desired: Desired) -> list[str]:
    """Return the services so that each comes after those that it depends on. Raises ComposeError for a cycle."""
    order: list[str] = []
    state: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if state.get(name) == 2 or name not in desired.services:
            return
        if state.get(name) == 1:
            raise ComposeError(f"dependency cycle detected: {' -> '.join((*path[path.index(name) :], name))}")
        state[name] = 1
        for row in sorted(desired.services[name].depends_on):
            visit(row.service, (*path, name))
        state[name] = 2
        order.append(name)

    for name in sorted(desired.services):
        visit(name, ())
    return order


def selected(desired: Desired, names: Iterable[str], *, no_deps: bool = False) -> list[str]:
    """Return the services that a command is about, in order of dependency. Raises ComposeError "no such service: x"."""
    wanted = list(names)
    for name in wanted:
        if name not in desired.services:
            raise ComposeError(f"no such service: {name}")
    order = service_order(desired)
    if not wanted:
        return order
    found = set(wanted)
    if not no_deps:
        pending = list(wanted)
        while pending:
            for row in desired.services[pending.pop()].depends_on:
                if row.service in desired.services and row.service not in found:
                    found.add(row.service)
                    pending.append(row.service)
    return [name for name in order if name in found]


class Up:
    """The making of one `up` plan: the builder, and the step after which each service's containers are there."""

    def __init__(self, desired: Desired, observed: Observed, options: UpOptions) -> None:
        self.desired = desired
        self.observed = observed
        self.options = options
        self.builder = Builder()
        self.network_steps: dict[str, int] = {}
        self.volume_steps: dict[str, int] = {}
        self.made: dict[tuple[str, int], int] = {}
        self.started: dict[tuple[str, int], int] = {}
        self.ordinals: dict[str, list[int]] = {}
        self.recreated: set[str] = set()
        self.running: set[tuple[str, int]] = set()
        self.replaced_networks: set[str] = set()

    def finish_recreations(self) -> None:
        """Add what an interrupted recreation left to do: the old container is there (then the new one goes) or not (it gets its name)."""
        names = {row.name for row in self.observed.containers}
        kept = []
        for row in self.observed.containers:
            if not row.replaces:
                kept.append(row)
            elif row.name[13:] in names:
                remove(self.builder, row, "a recreation was interrupted", self.options.timeout)
            else:
                name = row.name[13:]
                self.builder.add(
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
            elif found and found != wish.config_hash:
                self._replace_network(key)

    def _replace_network(self, key: str) -> None:
        wish = self.desired.networks[key]
        removed = []
        for row in self.observed.containers:
            if wish.name in row.networks:
                stop = self.builder.add(
                    StopContainer(row.container_id, self.options.timeout),
                    resource(row),
                    f"Container {row.name}",
                    f"network {key} diverged",
                )
                removed.append(
                    self.builder.add(
                        RemoveContainer(row.container_id, False),
                        resource(row),
                        f"Container {row.name}",
                        f"network {key} diverged",
                        [stop],
                    )
                )
        gone = self.builder.add(
            RemoveNetwork(wish.name), f"network:{key}", f"Network {wish.name}", "config hash diverged", removed
        )
        self.network_steps[wish.name] = self.builder.add(
            CreateNetwork(wish.name, wish.body),
            f"network:{key}",
            f"Network {wish.name}",
            "config hash diverged",
            [gone],
        )
        self.replaced_networks.add(wish.name)

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
            if found is None:
                self.volume_steps[wish.name] = self.builder.add(
                    CreateVolume(wish.name, wish.body), f"volume:{key}", f"Volume {wish.name}", "no existing volume"
                )

    def service(self, name: str) -> None:
        """Add the steps after which a service's containers are there as wanted, not yet started."""
        wish = self.desired.services[name]
        existing = [row for row in self.observed.of(name) if not self.replaced_networks.intersection(row.networks)]
        kept = self._too_many(wish, existing)
        self.ordinals[name] = [row.ordinal for row in kept]
        before = [*self.network_steps.values(), *self.volume_steps.values(), *self._referred(wish)]
        for row in kept:
            cause = self._diverged(wish, row)
            key = (name, row.ordinal)
            if cause:
                inherit = not self.options.renew_volumes
                operation = RecreateContainer(name, row.ordinal, row.container_id, self.options.timeout, inherit)
                self.made[key] = self.builder.add(operation, resource(row), f"Container {row.name}", cause, before)
                self.recreated.add(name)
            elif row.running:
                self.running.add(key)
                self.made[key] = self.builder.add(
                    KeepContainer(name, row.ordinal), resource(row), f"Container {row.name}", "as wanted", []
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
            )

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
        if row.config_hash != wish.config_hash:
            return "config hash diverged"
        image_id = self.options.image_ids.get(wish.name, "")
        if image_id and row.image_id and image_id != row.image_id:
            return "image changed"
        if self._shares_with_recreated(wish):
            return "a container whose namespace it shares is recreated"
        return ""

    def _shares_with_recreated(self, wish: ServiceWish) -> bool:
        modes = [str(wish.definition.get(key) or "") for key in ("network_mode", "ipc", "pid")]
        return any(mode.removeprefix("service:") in self.recreated for mode in modes if mode.startswith("service:"))

    def start(self, name: str) -> None:
        """Add the steps that start a service's containers, after what it waits for."""
        wish = self.desired.services[name]
        before: list[int] = []
        pending = any((name, ordinal) not in self.running for ordinal in self.ordinals[name])
        restarted = False
        for row in wish.depends_on:
            restarted = restarted or (row.restart and row.service in self.recreated)
            if pending or restarted:
                before.extend(self._wait(row.service, row.condition))
        for ordinal in self.ordinals[name]:
            key = (name, ordinal)
            shown = f"Container {self._name(wish, ordinal)}"
            if key in self.running:
                if restarted:
                    container = next(row for row in self.observed.of(name) if row.ordinal == ordinal)
                    operation = RestartContainer(container.container_id, self.options.timeout)
                    self.started[key] = self.builder.add(
                        operation, f"service:{name}:{ordinal}", shown, "a dependency was recreated", before
                    )
                continue
            after = [*before, *([self.made[key]] if key in self.made else [])]
            self.started[key] = self.builder.add(
                StartContainer(name, ordinal), f"service:{name}:{ordinal}", shown, "not running", after
            )

    def _name(self, wish: ServiceWish, ordinal: int) -> str:
        for row in self.observed.of(wish.name):
            if row.ordinal == ordinal:
                return row.name
        return self._shown(wish, ordinal)

    def _wait(self, service: str, condition: str) -> list[int]:
        steps = []
        for ordinal in self.ordinals.get(service, []):
            after = [step for step in (self.started.get((service, ordinal)),) if step is not None]
            if condition in WAITED:
                shown = f"Container {self._name(self.desired.services[service], ordinal)}"
                steps.append(
                    self.builder.add(
                        WaitFor(service, ordinal, condition), f"service:{service}:{ordinal}", shown, condition, after
                    )
                )
            else:
                steps.extend(after)
        return steps


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
) -> int:
    """Add the steps that stop and remove a container; returns the last one."""
    steps = list(after or ())
    if row.running:
        steps = [
            builder.add(StopContainer(row.container_id, timeout), resource(row), f"Container {row.name}", cause, steps)
        ]
    return builder.add(RemoveContainer(row.container_id, volumes), resource(row), f"Container {row.name}", cause, steps)


def orphans(desired: Desired, observed: Observed) -> list[ObservedContainer]:
    """Return the containers of services that the files don't know."""
    return [row for row in observed.containers if row.service not in desired.known_services and not row.one_off]


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


class DownOptions(NamedTuple):
    """How `down` reconciles; `images` names those to remove."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    remove_orphans: bool = False
    timeout: int | None = None
    images: tuple[str, ...] = ()


def reconcile_down(desired: Desired, observed: Observed, options: DownOptions) -> Plan:
    """Return the plan of `down`: containers in reverse order of dependency, then networks, volumes and images."""
    builder = Builder()
    removed: dict[str, list[int]] = {}
    order = list(reversed(service_order(desired)))
    known = set(desired.known_services)
    wanted = set(options.services) or known
    for name in order:
        if name not in wanted:
            continue
        dependents = [
            step
            for other, steps in removed.items()
            if any(row.service == name for row in desired.services[other].depends_on)
            for step in steps
        ]
        rows = [row for row in observed.containers if row.service == name]
        removed[name] = [
            remove(builder, row, "down", options.timeout, volumes=options.volumes, after=dependents) for row in rows
        ]
    steps = [step for rows in removed.values() for step in rows]
    for row in observed.containers:
        unknown = row.service not in desired.services
        if (
            unknown
            and not options.services
            and (row.service in known or row.one_off or options.remove_orphans or not desired.services)
        ):
            steps.append(
                remove(
                    builder,
                    row,
                    "orphan" if row.service not in known else "down",
                    options.timeout,
                    volumes=options.volumes,
                )
            )
    if not options.services:
        _down_resources(builder, desired, observed, options, steps)
    return builder.plan()


def _down_resources(
    builder: Builder, desired: Desired, observed: Observed, options: DownOptions, steps: list[int]
) -> None:
    if options.volumes:
        external = {wish.name for wish in desired.volumes.values() if wish.external}
        for name in observed.volumes:
            if name not in external:
                builder.add(RemoveVolume(name), f"volume:{name}", f"Volume {name}", "down", steps)
    external = {wish.name for wish in desired.networks.values() if wish.external}
    for name in observed.networks:
        if name not in external:
            builder.add(RemoveNetwork(name), f"network:{name}", f"Network {name}", "down", steps)
    for name in options.images:
        builder.add(RemoveImage(name), f"image:{name}", f"Image {name}", "down", steps)


def reconcile_states(
    desired: Desired, observed: Observed, services: tuple[str, ...], verb: str, timeout: int | None
) -> Plan:
    """Return the plan of `stop`, `start` or `restart` for existing containers, in order of dependency."""
    builder = Builder()
    order = selected(desired, services, no_deps=verb != "start")
    steps: dict[str, list[int]] = {}
    for name in reversed(order) if verb == "stop" else order:
        rows = observed.of(name)
        steps[name] = []
        before = _before(desired, observed, builder, name, steps, verb)
        for row in rows:
            shown = f"Container {row.name}"
            if verb == "stop" and row.running:
                steps[name].append(
                    builder.add(StopContainer(row.container_id, timeout), resource(row), shown, "stop", before)
                )
            elif verb == "restart":
                steps[name].append(
                    builder.add(RestartContainer(row.container_id, timeout), resource(row), shown, "restart", before)
                )
            elif verb == "start" and not row.running:
                steps[name].append(
                    builder.add(StartContainer(name, row.ordinal), resource(row), shown, "not running", before)
                )
    return builder.plan()


def _before(
    desired: Desired, observed: Observed, builder: Builder, name: str, steps: dict[str, list[int]], verb: str
) -> list[int]:
    """Return the steps that a service's steps come after: dependents when stopping, dependencies and their conditions when starting."""
    if verb == "stop":
        return [
            step
            for other, rows in steps.items()
            for step in rows
            if any(row.service == name for row in desired.services[other].depends_on)
        ]
    before: list[int] = []
    for row in desired.services[name].depends_on:
        before.extend(steps.get(row.service, []))
        if verb == "start" and row.condition in WAITED and any(not item.running for item in observed.of(name)):
            for item in observed.of(row.service):
                wait = WaitFor(row.service, item.ordinal, row.condition)
                before.append(
                    builder.add(
                        wait, resource(item), f"Container {item.name}", row.condition, steps.get(row.service, [])
                    )
                )
    return before
