"""Places among the running jobs: every attempt queues, and a restart takes no place away."""

from typing import Any

from tests.support.fakes.worker import WorkerScript


async def test_a_job_that_waits_for_its_next_attempt_holds_no_place(system: Any) -> None:
    system.queue.limit = 1
    system.engine.workers["first"] = WorkerScript(exit_code=3, runs_s=0)
    first = await system.submit(id="first", retries=1)
    behind = await system.submit(id="behind")
    assert (await system.ended(behind)).exit_code == 0, (
        "the clock has not moved: the next attempt still waits"
    )
    assert (await system.stored(first)).attempt.number == 2
    assert (system.queue.running, system.queue.waiting) == (0, 0)
    assert (await system.ended(first, tick_s=1)).exit_code == 3


async def test_the_next_attempt_queues_behind_those_that_wait(system: Any) -> None:
    system.queue.limit = 1
    system.engine.workers["first"] = WorkerScript(exit_code=3, runs_s=0)
    system.engine.workers["second"] = WorkerScript(runs_s=None)
    first = await system.submit(id="first", retries=1)
    second = await system.submit(id="second")
    await system.submit(id="third")
    await system.until(second, lambda now: now.started_at is not None)
    await system.until(first, lambda now: system.queue.position(now.uid) is not None, tick_s=1)
    assert system.queue.position(first.uid) == 2


async def test_a_restart_takes_no_place_from_a_job_that_runs(system: Any) -> None:
    for name in ("first", "second"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        await system.until(await system.submit(id=name), lambda now: now.started_at is not None)
    third = await system.submit(id="third")
    await system.restart()
    assert (system.queue.running, system.queue.position(third.uid)) == (2, 1)
    system.engine.end("second", "worker", 0)
    assert (await system.ended(third, tick_s=0.5)).exit_code == 0


async def test_a_start_after_a_boot_of_the_machine_writes_nothing_of_jobs_that_wait(system: Any) -> None:
    for name in ("first", "second"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        running = await system.submit(id=name)
        await system.until(running, lambda now: now.started_at is not None)
    waiting = await system.submit(id="third")
    system.clock._boot = "another"
    await system.restart()
    await system.until(running, lambda now: now.clock.boot == "another")
    assert (await system.store.get_by_uid(waiting.uid)).version == 0
    for name in ("first", "second"):
        system.engine.end(name, "worker", 0)
    ended = await system.ended(waiting, tick_s=0.5)
    assert (ended.exit_code, ended.clock.boot) == (0, "another")
