"""Places among the running jobs: every attempt queues, and a restart takes no place away."""

from typing import Any

from tests.support.fakes.worker import WorkerScript


async def test_a_job_that_waits_for_its_next_attempt_holds_no_place(house: Any) -> None:
    house.queue.limit = 1
    house.engine.workers["first"] = WorkerScript(exit_code=3, runs_s=0)
    first = await house.submit(id="first", retries=1)
    behind = await house.submit(id="behind")
    assert (await house.ended(behind)).exit_code == 0, "the clock has not moved: the next attempt still waits"
    assert (await house.stored(first)).attempt.number == 2
    assert (house.queue.running, house.queue.waiting) == (0, 0)
    assert (await house.ended(first, tick_s=1)).exit_code == 3


async def test_the_next_attempt_queues_behind_those_that_wait(house: Any) -> None:
    house.queue.limit = 1
    house.engine.workers["first"] = WorkerScript(exit_code=3, runs_s=0)
    house.engine.workers["second"] = WorkerScript(runs_s=None)
    first = await house.submit(id="first", retries=1)
    second = await house.submit(id="second")
    await house.submit(id="third")
    await house.until(second, lambda now: now.started_at is not None)
    await house.until(first, lambda now: house.queue.position(now.uid) is not None, tick_s=1)
    assert house.queue.position(first.uid) == 2


async def test_a_restart_takes_no_place_from_a_job_that_runs(house: Any) -> None:
    for name in ("first", "second"):
        house.engine.workers[name] = WorkerScript(runs_s=None)
        await house.until(await house.submit(id=name), lambda now: now.started_at is not None)
    third = await house.submit(id="third")
    await house.restart()
    assert (house.queue.running, house.queue.position(third.uid)) == (2, 1)
    house.engine.end("second", "worker", 0)
    assert (await house.ended(third, tick_s=0.5)).exit_code == 0
