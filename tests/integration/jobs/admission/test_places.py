"""Places among the running jobs: every attempt queues, the order follows priorities, and a restart changes neither."""

from dataclasses import replace
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.state.facts import CancelRequested, Reprioritized
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


async def test_a_higher_priority_starts_first_and_a_restart_keeps_the_order(system: Any) -> None:
    for name in ("first", "second"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        await system.until(await system.submit(id=name), lambda now: now.started_at is not None)
    waiting = [await system.submit(id=f"p{n}", priority=p) for n, p in enumerate((0, 5, -5, 5, 0))]
    order = [system.queue.position(record.uid) for record in waiting]
    assert order == [3, 1, 5, 2, 4]
    await system.restart()
    assert [system.queue.position(record.uid) for record in waiting] == order
    view = await system.service.get("p0")
    assert (view.waiting_for, view.priority) == ("a free place: number 3 in the queue", 0)
    system.engine.end("first", "worker", 0)
    ended = [await system.ended(record, tick_s=0.5) for record in waiting]
    started = sorted(range(5), key=lambda n: ended[n].started_at)
    assert started == [1, 3, 0, 4, 2]


async def test_jobs_that_do_not_fit_into_the_memory_together_run_one_after_the_other(system: Any) -> None:
    system.engine.workers["first"] = WorkerScript(runs_s=None)
    first = await system.submit(id="first", memory=5000)
    await system.until(first, lambda now: now.started_at is not None)
    second = await system.submit(id="second", memory=5000)
    assert (system.queue.running, system.queue.position(second.uid)) == (1, 1)
    view = await system.service.get("second")
    assert view.waiting_for == "5000 MB of memory, of which 3192 MB are free: number 1 in the queue"
    system.engine.end("first", "worker", 0)
    assert (await system.ended(second, tick_s=0.5)).exit_code == 0


async def test_before_the_engines_first_answer_jobs_wait_and_then_run_within_its_memory(system: Any) -> None:
    system.engine.away = True
    await system.restart()
    waiting = [await system.submit(id=f"w{n}", memory=5000) for n in range(2)]
    await system.restart()
    waiting.append(await system.submit(id="w2", memory=5000))
    for record in waiting:
        system.engine.workers[record.id] = WorkerScript(runs_s=None)
    assert (system.queue.running, system.queue.waiting) == (0, 3)
    views = [await system.service.get(record.id) for record in waiting]
    assert {(view.phase, view.waiting_for.partition(":")[0]) for view in views} == {
        ("queued", "the container engine to answer")
    }
    await system.service.cancel("w1", CancelRequested(by="x", grace_s=0, delete=False))
    assert (await system.ended(waiting[1])).status == "cancelled"
    system.engine.away = False
    await system.until(waiting[0], lambda now: now.started_at is not None)
    assert (system.queue.running, system.queue.waiting) == (1, 1)
    assert (await system.service.get("w2")).waiting_for.startswith("5000 MB of memory")


async def test_a_waiting_job_is_put_first_or_changes_its_priority_and_a_restart_keeps_that(
    system: Any,
) -> None:
    for name in ("first", "second"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        await system.until(await system.submit(id=name), lambda now: now.started_at is not None)
    waiting = [await system.submit(id=f"w{n}", priority=p) for n, p in enumerate((100, 0, 0))]
    view = await system.service.prioritize("w2", None)
    assert (view.queue_position, view.priority) == (1, 100)
    assert (await system.service.prioritize("w2", None)).queue_position == 1
    assert (await system.service.prioritize("w1", -3)).priority == -3
    for _ in range(2):
        assert [system.queue.position(record.uid) for record in waiting] == [2, 3, 1]
        await system.restart()
    with pytest.raises(Conflict, match="'first' does not wait any more"):
        await system.service.prioritize("first", None)


@pytest.mark.parametrize("priority", [7, None])
async def test_a_job_that_is_admitted_before_its_new_priority_is_stored_is_refused(
    system: Any, monkeypatch: pytest.MonkeyPatch, priority: int | None
) -> None:
    """The job waits when the call begins, and its admission is stored before the priority."""
    system.queue.set_paused(True)
    others = [await system.submit(id=f"o{n}") for n in range(2)]
    record = await system.submit(id="a")
    apply = system.supervisors.get(record.uid).apply

    async def late(fact: Any) -> Any:
        if isinstance(fact, Reprioritized):
            system.queue.set_paused(False)
            await system.until(record, lambda now: now.phase != "queued", tick_s=0.5)
        return await apply(fact)

    monkeypatch.setattr(system.supervisors.get(record.uid), "apply", late)
    with pytest.raises(Conflict, match="'a' does not wait any more") as caught:
        await system.service.prioritize("a", priority)
    assert caught.value.code == "not-waiting"
    assert (await system.service.get("a")).priority == 0
    for other in [*others, record]:
        await system.ended(other, tick_s=0.5)


async def test_a_job_whose_admission_is_being_stored_does_not_wait_any_more(system: Any) -> None:
    system.queue.set_paused(True)
    record = await system.submit(id="a")
    system.queue.set_paused(False)
    assert (system.queue.running, (await system.stored(record)).phase) == (1, "queued")
    with pytest.raises(Conflict, match="'a' does not wait any more"):
        await system.service.prioritize("a", None)


async def test_a_gpu_is_held_by_one_job_also_over_a_restart(system: Any) -> None:
    system._config = replace(system._config, gpus=("0", "1"))
    await system.restart()
    for name in ("first", "second"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
    first = await system.submit(id="first", gpus=1)
    await system.until(first, lambda now: now.started_at is not None)
    assert (await system.service.get("first")).gpu_devices == ["0"]
    second = await system.submit(id="second", gpus="all")
    third = await system.submit(id="third")
    await system.restart()
    view = await system.service.get("second")
    assert view.waiting_for == "2 GPUs, of which 1 is free: number 1 in the queue"
    assert system.queue.position(third.uid) == 2, "the only place is kept for the job that waits for the GPUs"
    system.engine.end("first", "worker", 0)
    await system.until(second, lambda now: now.started_at is not None, tick_s=0.5)
    assert (await system.service.get("second")).gpu_devices == ["0", "1"]
    assert (await system.service.get("second")).limits.gpus == "all"
    assert (await system.ended(third, tick_s=0.5)).exit_code == 0


@pytest.mark.parametrize("gpus", [3, "all"])
async def test_more_gpus_than_there_are_are_refused(system: Any, gpus: Any) -> None:
    if gpus != "all":
        system._config = replace(system._config, gpus=("0", "1"))
        await system.restart()
    with pytest.raises(InvalidRequest, match=f"^gpus: asks for {gpus} GPUs; this daemon has") as caught:
        await system.submit(id="a", gpus=gpus)
    assert caught.value.field == "gpus"
