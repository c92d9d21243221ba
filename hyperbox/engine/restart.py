"""When a container that ended is started again. Pure.

docker's rules: the wait doubles from 100 ms to a minute, and begins anew once the container ran for ten seconds.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

FIRST_WAIT = 0.1  # seconds
LONGEST_WAIT = 60.0
STEADY = 10.0


def next_wait(previous: float, ran: float) -> float:
    """Return how many seconds to wait before the next start, after `previous` (0 for none) and a run of `ran` seconds."""
    if previous == 0 or ran >= STEADY:
        return FIRST_WAIT
    return min(previous * 2, LONGEST_WAIT)


def restarts(policy: Json, *, exit_code: int, stopped: bool, count: int) -> bool:
    """Return whether a container with this RestartPolicy starts again; `stopped`: somebody asked it to end; `count` restarts so far."""
    if stopped:
        return False
    name = policy.get("Name") or "no"
    if name in ("always", "unless-stopped"):
        return True
    if name != "on-failure" or exit_code == 0:
        return False
    most = policy.get("MaximumRetryCount") or 0
    assert isinstance(most, int)
    return most == 0 or count < most
