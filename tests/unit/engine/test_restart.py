from hyperbox.engine.restart import next_wait, restarts


def test_the_wait_doubles_from_100_ms_to_a_minute() -> None:
    waits, wait = [], 0.0
    for _ in range(12):
        wait = next_wait(wait, ran=0.5)
        waits.append(wait)
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 60.0


def test_the_wait_begins_anew_after_ten_seconds_of_running() -> None:
    assert next_wait(6.4, ran=10.0) == 0.1
    assert next_wait(6.4, ran=9.9) == 12.8


def test_policies_follow_docker() -> None:
    def again(name: str, code: int, *, most: int = 0, count: int = 0, stopped: bool = False) -> bool:
        policy = {"Name": name, "MaximumRetryCount": most}
        return restarts(policy, exit_code=code, stopped=stopped, count=count)

    assert not again("no", 1)
    assert not again("", 1)
    assert again("always", 0)
    assert again("unless-stopped", 0)
    assert not again("always", 0, stopped=True)
    assert not again("on-failure", 0)
    assert again("on-failure", 1, count=1000)
    assert again("on-failure", 1, most=3, count=2)
    assert not again("on-failure", 1, most=3, count=3)
