"""`up --wait` and `compose wait`: until containers run, are healthy, or have ended."""

from __future__ import annotations

import time
from collections.abc import Generator

from hyperbox.cli.compose_project import Session, containers_named, session_by_name
from hyperbox.errors import ComposeError, NotFound
from hyperbox.go.times import timestamp_seconds
from hyperbox.plan.execute import StepEvent
from hyperbox.plan.observe import ObservedContainer
from hyperbox.plan.wait import met, running_or_healthy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.compose.model import Json
    from hyperbox.grammar.parse import Invocation


# what has no check is up when it has run so long: docker compose looks for the first time then
_SETTLED = 0.5


def wait_until_up(found: Session, services: Sequence[str], timeout: int, progress: StepProgress | None) -> None:
    """Return once every container of the services runs and is healthy; one that others wait for to complete, once it has.

    Raises ComposeError when one never will, or after `timeout` seconds (0: none).
    """
    from hyperbox.plan.order import selected

    names = selected(found.desired, services)
    completed = {
        row.service
        for name in names
        for row in found.desired.services[name].depends_on
        if row.condition == "service_completed_successfully"
    }
    tell = progress.event if progress is not None else lambda event: None
    pending = [row for row in found.containers(names) if row.service in names]
    for row in pending:
        tell(StepEvent(f"Container {row.name}", "Waiting", "working"))
    begun = time.monotonic()
    deadline = begun + timeout if timeout > 0 else None
    filters = {"type": ["container"], "label": [f"com.docker.compose.project={found.desired.name}"]}
    since = time.time()
    hurried = [found.engine.container_hurry(row.container_id) for row in pending]
    while True:
        settled = begun + _SETTLED - time.monotonic()
        pending = [row for row in pending if not _up(found, row, completed, settled <= 0, tell)]
        if not pending:
            del hurried  # until here they were wanted
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise ComposeError(f"application not healthy after {timeout}s")
        # the next event of the project, or a second: health is told by events, a lost one costs no more than that
        remaining = 1.0 if settled <= 0 else settled
        if deadline is not None:
            remaining = max(0.0, min(remaining, deadline - time.monotonic()))
        _await_event(found, since, remaining, filters)
        since = time.time() - 0.001


def _await_event(found: Session, since: float, patience: float, filters: dict[str, list[str]]) -> None:
    """Return once something has happened since a moment, or after some seconds."""
    events = found.engine.events(since=f"{since:.9f}", until=f"{time.time() + patience:.9f}", filters=filters)
    try:
        next(iter(events), None)
    finally:
        if isinstance(events, Generator):  # a signal that came while it is disposed of without this would be lost
            events.close()


def _up(found: Session, row: ObservedContainer, completed: set[str], settled: bool, tell: object) -> bool:
    assert callable(tell)
    try:
        inspected = found.engine.container_inspect(row.container_id)
    except NotFound:
        raise ComposeError(f"container {row.name} was removed") from None
    if row.service in completed:
        done, word = met(inspected, "service_completed_successfully"), "Exited"
    else:
        done, word = running_or_healthy(inspected, settled=settled or _ran(inspected) >= _SETTLED), "Healthy"
    if done:
        tell(StepEvent(f"Container {row.name}", word, "done"))
    return done


def _ran(inspected: Json) -> float:
    """Return for how many seconds a container has run."""
    state = inspected["State"]
    assert isinstance(state, dict)
    return time.time() - timestamp_seconds(str(state["StartedAt"])) if state["Running"] else 0.0


def wait(invocation: Invocation) -> int:
    """`docker compose wait`: until the services' containers have ended; the first one's code with --down-project."""
    found = session_by_name(invocation)
    rows = containers_named(found, invocation.arguments, all=False)
    if not rows:
        raise ComposeError("no containers for project " + repr(found.desired.name).replace("'", '"'))
    code = 0
    for row in rows:
        code = found.engine.container_wait(row.container_id)
        print(f'container "{row.container_id}" exited with status code {code}')
        if invocation.flags.get("down-project"):
            from hyperbox.cli.compose_lifecycle import bring_down

            bring_down(found, invocation)
            break
    return code
