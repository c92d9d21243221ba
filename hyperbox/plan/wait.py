"""Waiting for a container to meet a condition of depends_on, told by the engine's events."""

from __future__ import annotations

import time

from hyperbox.errors import ComposeError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.compose.model import Json
    from hyperbox.engine.api import Engine


def wait_for(engine: Engine, container_id: str, condition: str) -> None:
    """Return once the condition holds. Raises ComposeError with docker compose's words when it can't hold any more."""
    # events are read lazily: those since before the look at the container are not missed
    events = engine.events(since=f"{time.time():.9f}", filters={"type": ["container"], "container": [container_id]})
    inspected = engine.container_inspect(container_id)
    if met(inspected, condition):
        return
    hurried = engine.container_hurry(container_id) if condition == "service_healthy" else None
    for _ in events:
        try:
            inspected = engine.container_inspect(container_id)
        except NotFound:
            raise ComposeError(f"container {container_id[:12]} was removed") from None
        if met(inspected, condition):
            del hurried  # until here it was wanted
            return


def met(inspected: Json, condition: str) -> bool:
    """Return whether a condition holds for a container. Raises ComposeError when it never will."""
    state = inspected["State"]
    assert isinstance(state, dict)
    name = str(inspected["Name"]).lstrip("/")
    status, code = str(state["Status"]), int(state["ExitCode"])
    if condition == "service_completed_successfully":
        if status == "exited" and code == 0:
            return True
        if status in ("exited", "dead"):
            raise ComposeError(f'service "{service_of(inspected)}" didn\'t complete successfully: exit {code}')
        return False
    if condition == "service_healthy":
        health = state.get("Health")
        if not isinstance(health, dict) or health.get("Status") == "none":
            raise ComposeError(f"dependency failed to start: container {name} has no healthcheck configured")
        if status == "exited":
            raise ComposeError(f"dependency failed to start: container {name} exited ({code})")
        if health.get("Status") == "unhealthy":
            raise ComposeError(f"dependency failed to start: container {name} is unhealthy")
        return health.get("Status") == "healthy"
    return status in ("running", "paused", "restarting", "exited")


def running_or_healthy(inspected: Json, *, settled: bool) -> bool:
    """Return whether `up --wait` is content with a container. Raises ComposeError when it never will be.

    `settled`: it has had the time to fail at its start; one without a check is not taken to be up before that.
    """
    state = inspected["State"]
    assert isinstance(state, dict)
    name = str(inspected["Name"]).lstrip("/")
    status, code = str(state["Status"]), int(state["ExitCode"])
    if status in ("exited", "dead", "removing"):
        raise ComposeError(f"container {name} exited ({code})")
    health = state.get("Health")
    if not isinstance(health, dict) or health.get("Status") == "none":
        return settled and status == "running"
    if health.get("Status") == "unhealthy":
        raise ComposeError(f"container {name} is unhealthy")
    return health.get("Status") == "healthy"


def service_of(inspected: Json) -> str:
    """Return the compose service that a container belongs to."""
    config = inspected.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    return str(labels.get("com.docker.compose.service", "")) if isinstance(labels, dict) else ""
