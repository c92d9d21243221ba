"""Changing a container that is there: its name, its limits, its restart policy."""

from __future__ import annotations

from hyperbox import files
from hyperbox.engine import merge_config
from hyperbox.engine.events import emit
from hyperbox.engine.state import Container, Roots, claim_name, find_container, read_container, release_name
from hyperbox.errors import Conflict, EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

# what `POST /containers/{id}/update` may change
UPDATABLE = frozenset(
    {
        "BlkioWeight",
        "BlkioWeightDevice",
        "BlkioDeviceReadBps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteIOps",
        "CpuShares",
        "CpuPeriod",
        "CpuQuota",
        "CpuRealtimePeriod",
        "CpuRealtimeRuntime",
        "CpusetCpus",
        "CpusetMems",
        "NanoCpus",
        "Memory",
        "MemoryReservation",
        "MemorySwap",
        "PidsLimit",
        "RestartPolicy",
    }
)


def container_rename(roots: Roots, reference: str, name: str) -> None:
    """See `engine.api.Engine.container_rename`."""
    container = find_container(roots, reference)
    wanted = name.removeprefix("/")
    if not wanted:
        raise InvalidParameter("Neither old nor new names may be empty")
    if wanted == container.name:
        raise InvalidParameter("Renaming a container with the same name as its current name")
    try:
        merge_config.check_name(wanted)
    except InvalidParameter as error:
        reason = error.message.replace(f"({wanted})", f"(/{wanted})", 1)
        raise InvalidParameter(f"Error when allocating new name: {reason}") from None
    with container.lock():
        container = read_container(roots, container.id)
        old = container.name
        try:
            claim_name(roots, wanted, container.id)
        except Conflict as error:
            raise Conflict(f"Error when allocating new name: {error.message}") from None
        container.record["Name"] = wanted
        files.write_json(f"{container.folder()}/container.json", container.record)
        release_name(roots, old, container.id)
    emit(roots, "rename", container, {"oldName": f"/{old}"})


def container_update(roots: Roots, reference: str, changes: Json) -> Json:
    """See `engine.api.Engine.container_update`."""
    container = find_container(roots, reference)
    given = {key: value for key, value in changes.items() if key in UPDATABLE and value not in (None, 0, "", [], {})}
    lead = f"Cannot update container {container.id}: "
    with container.lock():
        container = read_container(roots, container.id)
        merged = {**container.host_config, **given}
        check_update(container.host_config, merged, given)
        if any(key != "RestartPolicy" for key in given) and container.running:
            update_running(
                roots, Container(roots, container.id, {**container.record, "HostConfig": merged}, container.state), lead
            )
        container.record["HostConfig"] = merged
        files.write_json(f"{container.folder()}/container.json", container.record)
    emit(roots, "update", container)
    return {"Warnings": []}


def check_update(before: Json, merged: Json, given: Json) -> None:
    """Raise InvalidParameter or Conflict for a change that docker refuses."""
    policy = given.get("RestartPolicy")
    if isinstance(policy, dict):
        if before.get("AutoRemove") and str(policy.get("Name") or "no") != "no":
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
        merge_config.check_policy(policy, bool(before.get("AutoRemove")))
    if merged.get("NanoCpus") and (merged.get("CpuQuota") or merged.get("CpuPeriod")):
        other, asked = ("CPU Quota", "NanoCPUs") if "NanoCpus" in given else ("NanoCPUs", "CPU Quota")
        raise Conflict(f"Conflicting options: {asked} cannot be updated as {other} has already been set")
    memory, swap = merged.get("Memory") or 0, merged.get("MemorySwap") or 0
    assert isinstance(memory, int)
    assert isinstance(swap, int)
    if "Memory" in given and "MemorySwap" not in given and 0 < swap < memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    merge_config.check({}, {key: value for key, value in merged.items() if key in ("Memory", "MemorySwap")})


def update_running(roots: Roots, container: Container, lead: str) -> None:
    """Put changed limits in force on a running container. Raises EngineError."""
    from hyperbox.engine.monitor_process import runtime_folder
    from hyperbox.engine.spec_host import exec_host
    from hyperbox.engine.spec_resources import resources
    from hyperbox.runtime.adapters import adapter

    host = exec_host(container, f"/proc/{container.pid}/root", "")
    runtime = adapter(str(container.host_config.get("Runtime") or ""), runtime_folder(roots))
    try:
        runtime.update(container.id, resources(container.host_config, host))
    except OSError as error:
        raise EngineError(f"{lead}{error}") from None
