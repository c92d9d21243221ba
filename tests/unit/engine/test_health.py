import pytest

from hyperbox.engine import health

SECOND = 10**9


def check(**config: object) -> health.HealthCheck:
    found = health.health_check({"Healthcheck": {"Test": ["CMD", "true"], **config}})
    assert found is not None
    return found


def after(codes: list[int], found: health.HealthCheck, ages: list[float] | None = None) -> dict[str, object]:
    state = health.starting()
    for index, code in enumerate(codes):
        result = health.probe_result("t", "t", code, b"")
        state = health.with_result(state, result, found, ages[index] if ages else 1000.0)
    return state


@pytest.mark.parametrize(
    "config", [{}, {"Healthcheck": None}, {"Healthcheck": {"Test": ["NONE"]}}, {"Healthcheck": {"Test": []}}]
)
def test_there_is_no_check_without_a_test(config: dict[str, object]) -> None:
    assert health.health_check(config) is None


def test_a_shell_check_runs_in_the_containers_shell() -> None:
    config = {"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}}
    found = health.health_check(config)
    assert found is not None
    assert found.command == ["/bin/sh", "-c", "a b"]
    found = health.health_check({**config, "Shell": ["/bin/bash", "-ec"]})
    assert found is not None
    assert found.command == ["/bin/bash", "-ec", "a b"]


def test_times_have_dockers_defaults() -> None:
    found = check()
    assert (found.interval, found.timeout, found.start_period, found.start_interval, found.retries) == (30, 30, 0, 5, 3)
    assert check(Interval=SECOND // 2).interval == 0.5


def test_one_success_makes_healthy_and_as_many_failures_as_retries_make_unhealthy() -> None:
    found = check(Retries=2)
    assert after([1], found)["Status"] == "starting"
    assert after([1, 0], found) == {**after([1, 0], found), "Status": "healthy", "FailingStreak": 0}
    assert after([0, 1], found)["Status"] == "healthy"
    assert after([0, 1, 1], found)["Status"] == "unhealthy"
    assert after([0, 1, 1, 0], found)["Status"] == "healthy"


def test_failures_in_the_start_period_do_not_count_until_the_first_success() -> None:
    found = check(Retries=1, StartPeriod=10 * SECOND)
    assert after([1, 1], found, [1.0, 2.0]) == {
        **after([1, 1], found, [1.0, 2.0]),
        "Status": "starting",
        "FailingStreak": 0,
    }
    assert after([1, 0, 1], found, [1.0, 2.0, 3.0])["Status"] == "unhealthy"
    assert after([1], found, [11.0])["Status"] == "unhealthy"


def test_the_last_five_results_are_kept_with_4096_bytes_of_output_each() -> None:
    log = after([0] * 7, check())["Log"]
    assert isinstance(log, list)
    assert len(log) == 5
    assert len(str(health.probe_result("t", "t", 0, b"x" * 9000)["Output"])) == 4096


def test_probes_come_at_the_start_interval_while_starting() -> None:
    found = check(StartPeriod=10 * SECOND, StartInterval=SECOND)
    assert health.next_probe(health.starting(), found, age=3.0) == 1.0
    assert health.next_probe(health.starting(), found, age=11.0) == 30.0
    assert health.next_probe({"Status": "healthy"}, found, age=3.0) == 30.0


def test_after_a_pause_a_whole_interval_goes_by() -> None:
    check = health.HealthCheck(["true"], {"Interval": 3 * 10**9})
    assert health.rest_after_pause(check, 0.5) == 2.5
    assert health.rest_after_pause(check, 3.5) == 0.0
    assert health.rest_after_pause(check, float("inf")) == 0.0  # it was never paused
    assert health.rest_after_pause(check, -9.0) == 0.0  # before the machine's start
