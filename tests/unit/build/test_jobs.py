"""Coroutines and child processes of a build."""

from __future__ import annotations

import os
import time

import pytest

from hyperbox.build.jobs import Child, JobFailed, Runner


def test_jobs_run_side_by_side_and_give_results_in_any_order() -> None:
    runner = Runner()

    async def wait_for(number: int) -> int:
        answer = await runner.start(lambda child: {"n": number}, lambda message: None)
        return int(str(answer["n"]))

    async def main() -> list[object]:
        tasks = [runner.task(wait_for(number)) for number in range(5)]
        return [await task for task in tasks]

    assert runner.run(main()) == [0, 1, 2, 3, 4]


def test_messages_and_streams_arrive_before_the_result() -> None:
    runner = Runner()
    heard: list[object] = []
    reader, writer = os.pipe()

    def action(child: Child) -> dict[str, object]:
        child.tell({"say": 1})
        os.write(writer, b"text")
        return {}

    async def main() -> None:
        await runner.start(action, heard.append, {reader: heard.append}, (writer,))
        heard.append("end")

    runner.run(main())
    assert heard[-1] == "end"
    assert {"say": 1} in heard
    assert b"text" in heard


def test_an_error_of_a_job_comes_out_where_it_is_awaited() -> None:
    runner = Runner()

    def action(child: Child) -> dict[str, object]:
        raise JobFailed("no", code=3, kind="exit")

    async def main() -> None:
        await runner.start(action, lambda message: None)

    with pytest.raises(JobFailed, match="no") as caught:
        runner.run(main())
    assert (caught.value.code, caught.value.kind) == (3, "exit")


def test_a_killed_job_is_an_error_and_is_told_of() -> None:
    runner = Runner()
    lost: list[bool] = []

    def action(child: Child) -> dict[str, object]:
        os.kill(os.getpid(), 9)
        return {}

    async def main() -> None:
        await runner.start(action, lambda message: None, lost=lambda: lost.append(True))

    with pytest.raises(JobFailed, match="was killed"):
        runner.run(main())
    assert lost == [True]


def test_a_failure_ends_the_jobs_that_still_run() -> None:
    runner = Runner()

    def minds_its_lifeline(child: Child) -> dict[str, object]:
        os.read(child.lifeline, 1)
        return {}

    async def long() -> None:
        await runner.start(minds_its_lifeline, lambda message: None)

    async def main() -> None:
        runner.task(long())
        await runner.start(lambda child: {}, lambda message: None)
        raise JobFailed("stop")

    begun = time.monotonic()
    with pytest.raises(JobFailed, match="stop"):
        runner.run(main())
    assert not runner.jobs
    assert time.monotonic() - begun < 10


def test_the_first_failure_ends_what_nobody_awaits_yet() -> None:
    runner = Runner()

    def minds_its_lifeline(child: Child) -> dict[str, object]:
        os.read(child.lifeline, 1)
        return {}

    async def fails() -> None:
        await runner.start(lambda child: {}, lambda message: None)
        raise JobFailed("first")

    async def main() -> None:
        task = runner.task(fails())
        await runner.start(minds_its_lifeline, lambda message: None)
        await task

    begun = time.monotonic()
    with pytest.raises(JobFailed, match="first"):
        runner.run(main())
    assert time.monotonic() - begun < 10
