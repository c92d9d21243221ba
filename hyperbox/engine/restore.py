"""After a reboot: the runtime folder is gone and the data folder is there. What was up comes back as its restart policy says.

    RUN/restored    {"Started": [names], "Failed": {name: why}}: it was done since the machine's start
    RUN/restoring   claim: "PID START" of the process that does it; one whose process is gone is taken over

The first command that uses the engine does it, others wait for it. docker's rules for the start of its daemon: `always` and `unless-stopped`
come back (the latter not if somebody stopped them), `on-failure` after a failure only, and being killed by the reboot is one; what was
never started stays as it is.
"""

from __future__ import annotations

import os
import time

from hyperbox import files, process
from hyperbox.engine.state import Container, Roots, all_containers
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

LONGEST = 120.0  # seconds that a command waits for another one's restoring


def restore(roots: Roots) -> list[str]:
    """See `engine.api.Engine.restore`."""
    started = outcome(roots).get("Started")
    return [str(name) for name in started] if isinstance(started, list) else []


def failures(roots: Roots) -> dict[str, str]:
    """See `engine.api.Engine.restore_failures`."""
    failed = outcome(roots).get("Failed")
    return {str(name): str(why) for name, why in failed.items()} if isinstance(failed, dict) else {}


def outcome(roots: Roots) -> Json:
    """Restore what is to be restored, once since the machine's start, and return {"Started", "Failed"} of that time."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        try:
            done = files.read_json(f"{roots.run}/restored")
        except (OSError, ValueError):
            done = None
        if isinstance(done, dict):
            return done
        if take(f"{roots.run}/restoring"):
            return _restore(roots)
        time.sleep(0.01)
    return {}


def take(path: str) -> bool:
    """Take the claim on restoring; returns whether this process has it."""
    pid = os.getpid()
    mine = f"{pid} {process.start_time(pid)}"
    owner = files.claim(path, mine)
    if owner is None or owner == mine:
        return True
    other, _, started = owner.partition(" ")
    if not process.is_alive(int(other), int(started)):
        aside = f"{path}.{pid}"
        os.symlink(mine, aside)
        os.rename(aside, path)
        return files.claim_owner(path) == mine
    return False


def _restore(roots: Roots) -> Json:
    from hyperbox.engine.launch import container_start

    waiting = sorted(
        (each for each in all_containers(roots) if comes_back(each)), key=lambda each: str(each.record["Created"])
    )
    started: list[str] = []
    failed: Json = {}
    for _ in range(2):  # one that shares another's namespace may come before it
        again = []
        for container in waiting:
            try:
                container_start(roots, container.id)
                started.append(container.name)
                failed.pop(container.name, None)
            except (HyperBoxError, OSError) as error:
                failed[container.name] = str(error)
                again.append(container)
        waiting = again
    result: Json = {"Started": started, "Failed": failed}
    files.write_json(f"{roots.run}/restored", result)
    return result


def comes_back(container: Container) -> bool:
    """Return whether a container that does not run starts again with the machine."""
    policy = container.host_config.get("RestartPolicy")
    if container.status != "exited" or not isinstance(policy, dict):
        return False
    name = policy.get("Name") or "no"
    if name == "unless-stopped":
        return not os.path.lexists(f"{container.folder()}/wanted")
    if name == "on-failure":
        return container.state.get("ExitCode") != 0
    return name == "always"
