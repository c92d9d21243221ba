"""The steps of a plan: what one call to the engine is to do, why, and after which others. Text form: `Plan.text()`."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.engine.api import ContainerSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.compose.model import Json
    from hyperbox.project.desired_mounts import FileWish

    # a service's `post_start` or `pre_stop`, as the canonical model has them
    Hooks = tuple[Json, ...]


class CreateNetwork(NamedTuple):
    """Make a network."""

    name: str
    body: Json


class RemoveNetwork(NamedTuple):
    """Remove a network, or to make it anew (`replaced`); one that is gone is no error, one in use only outside of that."""

    name: str
    replaced: bool = False


class CreateVolume(NamedTuple):
    """Make a volume."""

    name: str
    body: Json


class RemoveVolume(NamedTuple):
    """Remove a volume, or to make it anew (`replaced`)."""

    name: str
    replaced: bool = False


class RemoveImage(NamedTuple):
    """Remove an image; one that is in use or gone is left."""

    name: str


class RemoveProvider(NamedTuple):
    """Have a service's provider do `down`."""

    service: str


class CreateContainer(NamedTuple):
    """Make a container that is not there yet."""

    service: str
    ordinal: int


class RecreateContainer(NamedTuple):
    """Replace a container by a new one with its anonymous volumes."""

    service: str
    ordinal: int
    container_id: str
    timeout: int | None
    inherit: bool


class StartContainer(NamedTuple):
    """Start a container, made in this plan or before, with its files in it, and run its service's `post_start` hooks in it.

    `refusal`: why it is not to be.
    """

    service: str
    ordinal: int
    hooks: Hooks = ()
    refusal: str = ""
    files: tuple[FileWish, ...] = ()


class StopContainer(NamedTuple):
    """Stop a container, after its service's `pre_stop` hooks have run in it; one in which they can't run, as it doesn't, is left as it is."""

    container_id: str
    timeout: int | None
    service: str = ""
    hooks: Hooks = ()


class RemoveContainer(NamedTuple):
    """Remove a stopped container, and its anonymous volumes where that is wanted."""

    container_id: str
    volumes: bool


class RenameContainer(NamedTuple):
    """Give a container that was made to replace another one its final name."""

    container_id: str
    name: str


class RunHooks(NamedTuple):
    """Run a service's hooks in a container that is about to be restarted (`pre_stop`) or has been (`post_start`)."""

    container_id: str
    service: str
    hooks: Hooks


class RestartContainer(NamedTuple):
    """Stop and start a container."""

    container_id: str
    timeout: int | None


class DisconnectContainer(NamedTuple):
    """Take a stopped container off a network that is about to be replaced."""

    container_id: str
    network: str


class ConnectContainer(NamedTuple):
    """Join a stopped container to a network that was replaced, under the names that it had on the old one."""

    service: str
    ordinal: int
    container_id: str
    network: str


class WaitFor(NamedTuple):
    """Wait until a container meets a condition of depends_on; one that is not `required` and never will is only told."""

    service: str
    ordinal: int
    condition: str
    required: bool = True


class ResumeContainer(NamedTuple):
    """Start a container that is paused, which the engine refuses: docker compose starts all that neither run nor have ended."""

    service: str
    ordinal: int
    container_id: str


class KeepContainer(NamedTuple):
    """Nothing to do: it runs and is as wanted."""

    service: str
    ordinal: int


Operation = (
    CreateNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | RemoveImage
    | RemoveProvider
    | CreateContainer
    | RecreateContainer
    | StartContainer
    | StopContainer
    | RemoveContainer
    | RenameContainer
    | RunHooks
    | RestartContainer
    | DisconnectContainer
    | ConnectContainer
    | WaitFor
    | ResumeContainer
    | KeepContainer
)


class Node(NamedTuple):
    """A step: its number (from 1), what it does, to which resource ("service:db:1", "network:front"), the name that is shown, why, after which.

    A container that is made `beside` others is there only if those could be made, too.
    """

    number: int
    operation: Operation
    resource: str
    name: str
    cause: str
    after: tuple[int, ...]
    beside: tuple[int, ...] = ()


class Prepared(NamedTuple):
    """What making a container needs: its spec, the files to put in at once, and what is to be said of it."""

    spec: ContainerSpec
    files: tuple[FileWish, ...] = ()
    warnings: tuple[str, ...] = ()


class Plan(NamedTuple):
    """The steps in an order in which each comes after those that it waits for."""

    nodes: tuple[Node, ...]

    def text(self) -> str:
        """Return one line a step: [1,2] -> #4 service:web:1, CreateContainer, no existing container, beside 3."""
        lines = []
        for node in self.nodes:
            after = f"[{','.join(map(str, node.after))}] -> " if node.after else ""
            beside = f", beside {','.join(map(str, node.beside))}" if node.beside else ""
            step = f"#{node.number} {node.resource}, {type(node.operation).__name__}, {node.cause}"
            lines.append(f"{after}{step}{beside}\n")
        return "".join(lines)


class Builder:
    """Collects the steps of a plan in order."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(
        self,
        operation: Operation,
        resource: str,
        name: str,
        cause: str,
        after: list[int] | tuple[int, ...] = (),
        beside: list[int] | tuple[int, ...] = (),
    ) -> int:
        """Append a step and return its number."""
        number = len(self.nodes) + 1
        others = tuple(sorted(set(beside) - set(after)))
        self.nodes.append(Node(number, operation, resource, name, cause, tuple(sorted(set(after))), others))
        return number

    def plan(self) -> Plan:
        """Return what was collected."""
        return Plan(tuple(self.nodes))


def without_kept(plan: Plan) -> Plan:
    """Return a plan without the steps that leave a container as it is."""
    kept = {node.number for node in plan.nodes if isinstance(node.operation, KeepContainer)}
    return plan._replace(
        nodes=tuple(
            node._replace(
                after=tuple(number for number in node.after if number not in kept),
                beside=tuple(number for number in node.beside if number not in kept),
            )
            for node in plan.nodes
            if node.number not in kept
        )
    )
