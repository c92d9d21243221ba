"""Changing a container that is there: its name, its limits, its restart policy."""

from __future__ import annotations

from hyperbox import files
from hyperbox.engine import create_checks, merge_config
from hyperbox.engine.create_checks import number
from hyperbox.engine.events import emit
from hyperbox.engine.state import Container, Roots, claim_name, find_container, read_container, release_name
from hyperbox.errors import Conflict, EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

MOST_SHARES = 262144
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
    warnings = create_checks.check_limits(given)
    if isinstance(changes.get("PidsLimit"), int) and number(changes["PidsLimit"]) <= 0:
        given["PidsLimit"] = 0  # there is no limit any more
    if isinstance(given.get("RestartPolicy"), dict):
        merge_config.check_policy(object_of(given["RestartPolicy"]), False)
    lead = f"Cannot update container {container.id}: "
    with container.lock():
        container = read_container(roots, container.id)
        try:
            check_update(container.host_config, given)
        except Conflict as error:
            raise Conflict(lead + error.message) from None
        merged = {**container.host_config, **given}
        if any(key != "RestartPolicy" for key in given) and container.running:
            update_running(
                roots, Container(roots, container.id, {**container.record, "HostConfig": merged}, container.state), lead
            )
        container.record["HostConfig"] = merged
        files.write_json(f"{container.folder()}/container.json", container.record)
    emit(roots, "update", container)
    return {"Warnings": warnings}


def object_of(value: object) -> Json:
    """Return an object of a request; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def check_update(before: Json, given: Json) -> None:
    """Raise Conflict for a change that does not go with what a container has."""
    policy = object_of(given.get("RestartPolicy"))
    if before.get("AutoRemove") and str(policy.get("Name") or "no") != "no":
        raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
    for mine, other, words, has in (
        ("CpuPeriod", "NanoCpus", "CPU Period", "NanoCPUs"),
        ("CpuQuota", "NanoCpus", "CPU Quota", "NanoCPUs"),
        ("NanoCpus", "CpuPeriod", "Nano CPUs", "CPU Period"),
        ("NanoCpus", "CpuQuota", "Nano CPUs", "CPU Quota"),
    ):
        if number(given.get(mine)) > 0 and number(before.get(other)) > 0:
            raise Conflict(f"Conflicting options: {words} cannot be updated as {has} has already been set")
    swap, memory = number(before.get("MemorySwap")), number(given.get("Memory"))
    if "MemorySwap" not in given and swap and memory > max(swap, 0):
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )


def update_running(roots: Roots, container: Container, lead: str) -> None:
    """Put changed limits in force on a running container. Raises EngineError."""
    from hyperbox.engine.monitor_process import runtime_folder
    from hyperbox.engine.spec_host import exec_host
    from hyperbox.engine.spec_resources import resources
    from hyperbox.runtime.adapters import adapter

    shares = number(container.host_config.get("CpuShares"))
    if shares == 1 or shares > MOST_SHARES:  # the runtime refuses what the kernel would only round
        bound = "minimum allowed cpu-shares is 2" if shares == 1 else f"maximum allowed cpu-shares is {MOST_SHARES}"
        raise EngineError(f"{lead}runc did not terminate successfully: exit status 1: the {bound}")
    swap = number(container.host_config.get("MemorySwap"))
    if 0 < swap < number(container.host_config.get("Memory")):
        raise InvalidParameter(f"{lead}Minimum memoryswap limit should be larger than memory limit, see usage")
    host = exec_host(container, f"/proc/{container.pid}/root", "")
    runtime = adapter(str(container.host_config.get("Runtime") or ""), runtime_folder(roots))
    try:
        runtime.update(container.id, resources(container.host_config, host))
    except OSError as error:
        raise EngineError(f"{lead}{error}") from None
