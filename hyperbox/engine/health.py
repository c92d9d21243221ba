"""Health checks: docker's rules from results to a status. Pure; the monitor runs the probes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

SECOND = 10**9  # the API's durations are nanoseconds
DEFAULTS = {"Interval": 30 * SECOND, "Timeout": 30 * SECOND, "StartPeriod": 0, "StartInterval": 5 * SECOND}
DEFAULT_RETRIES = 3
KEPT_RESULTS = 5
KEPT_OUTPUT = 4096  # bytes


class HealthCheck:
    """A container's check: the command, and times in seconds."""

    __slots__ = ("command", "interval", "retries", "start_interval", "start_period", "timeout")

    def __init__(self, command: list[str], config: Json) -> None:
        self.command = command
        self.interval = seconds(config, "Interval")
        self.timeout = seconds(config, "Timeout")
        self.start_period = seconds(config, "StartPeriod")
        self.start_interval = seconds(config, "StartInterval")
        retries = config.get("Retries") or DEFAULT_RETRIES
        assert isinstance(retries, int)
        self.retries = retries


def seconds(config: Json, key: str) -> float:
    """Return a duration of the API (nanoseconds; 0 for the default) in seconds."""
    value = config.get(key) or DEFAULTS[key]
    assert isinstance(value, (int, float))
    return value / SECOND


def health_check(config: Json) -> HealthCheck | None:
    """Return the check of a ContainerConfig, or None where there is none or it is switched off."""
    found = config.get("Healthcheck")
    if not isinstance(found, dict):
        return None
    test = found.get("Test")
    if not isinstance(test, list) or not test or test[0] == "NONE":
        return None
    if test[0] == "CMD":
        return HealthCheck([str(word) for word in test[1:]], found)
    shell = config.get("Shell")
    prefix = [str(word) for word in shell] if isinstance(shell, list) and shell else ["/bin/sh", "-c"]
    return HealthCheck([*prefix, *(str(word) for word in test[1:])], found)


def starting(before: object = None) -> Json:
    """Return the health of a container that was just started; `before` is its health of the last time, whose results stay in the log."""
    log = before.get("Log") if isinstance(before, dict) else None
    return {"Status": "starting", "FailingStreak": 0, "Log": log or []}


def probe_result(begun: str, ended: str, exit_code: int, output: bytes) -> Json:
    """Return one entry of the health log."""
    return {
        "Start": begun,
        "End": ended,
        "ExitCode": exit_code,
        "Output": output[:KEPT_OUTPUT].decode("utf-8", "replace"),
    }


def with_result(health: Json, result: Json, check: HealthCheck, age: float) -> Json:
    """Return the health after one more probe result, `age` seconds after the start.

    A success makes healthy; a failure counts, except in the start period of a container that has not been healthy yet; as many failures
    in a row as `retries` make unhealthy.
    """
    log = health["Log"]
    assert isinstance(log, list)
    streak = health["FailingStreak"]
    assert isinstance(streak, int)
    status = str(health["Status"])
    if result["ExitCode"] == 0:
        status, streak = "healthy", 0
    elif not (status == "starting" and age < check.start_period):
        streak += 1
        if streak >= check.retries:
            status = "unhealthy"
    return {"Status": status, "FailingStreak": streak, "Log": [*log, result][-KEPT_RESULTS:]}


def next_probe(health: Json, check: HealthCheck, age: float) -> float:
    """Return how many seconds to wait until the next probe begins."""
    if health["Status"] == "starting" and age < check.start_period:
        return min(check.start_interval, check.interval) if check.start_interval else check.interval
    return check.interval


def rest_after_pause(check: HealthCheck, since: float) -> float:
    """Return how many seconds are left to wait for a probe that is due `since` seconds after its container went on: a whole interval."""
    return max(check.interval - since, 0.0) if since >= 0 else 0.0


def early_probe(check: HealthCheck, failed: int) -> float:
    """Return how many seconds to wait until the next probe beside the regular ones, after so many that have failed.

    There are such probes while somebody waits for a starting container. They come fast at first, then with half a second between
    them, or the check's own interval where that is shorter. What fails of them does not count.
    """
    if failed == 0:
        return 0.0
    return min(0.05 * 2.0 ** min(failed - 1, 10), 0.5, check.interval, check.start_interval)
