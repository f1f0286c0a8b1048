"""Sets of jobs on the engine in memory: honest numbers, a cancel that starts nothing, and the group of a set."""

import asyncio
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.groups import TEMPORARY_IDLE_S
from jobd.jobs.state import facts
from jobd.wire.job import Dependency
from tests.support.fakes.worker import WorkerScript

CANCEL = facts.CancelRequested(by="x", grace_s=0, delete=False)


async def numbers(system: Any, name: str) -> tuple[int, int, int, int, int]:
    found = await system.sets.get(name)
    return found.waiting, found.running, found.completed, found.failed, found.cancelled


async def test_jobs_of_a_set_are_counted_as_waiting_only_while_they_are_queued(system: Any) -> None:
    for n in range(5):
        system.engine.workers[f"j{n}"] = WorkerScript(runs_s=None)
    records = [await system.submit(id=f"j{n}", set="s") for n in range(5)]
    for record in records[:2]:
        await system.until(record, lambda now: now.started_at is not None)
    assert await numbers(system, "s") == (3, 2, 0, 0, 0)
    system.engine.end("j0", "worker", 0)
    await system.ended(records[0], tick_s=0.5)
    await system.until(records[2], lambda now: now.started_at is not None, tick_s=0.5)
    assert await numbers(system, "s") == (2, 2, 1, 0, 0)
    await system.restart()
    assert await numbers(system, "s") == (2, 2, 1, 0, 0)


async def test_a_job_that_was_admitted_and_has_not_started_runs(system: Any) -> None:
    goes_on = asyncio.Event()

    async def wait() -> None:
        await goes_on.wait()

    system.engine.before_pull_ends = wait
    record = await system.submit(id="j", set="s", pull="always")
    await system.until(record, lambda now: now.phase == "pulling")
    assert await numbers(system, "s") == (0, 1, 0, 0, 0)
    goes_on.set()
    await system.ended(record, tick_s=0.5)
    assert await numbers(system, "s") == (0, 0, 1, 0, 0)


async def test_a_job_between_two_attempts_waits(system: Any) -> None:
    system.engine.workers["j"] = WorkerScript(runs_s=None)
    record = await system.submit(id="j", set="s", retries=1)
    await system.until(record, lambda now: now.started_at is not None)
    system.engine.end("j", "worker", 1)
    await system.until(record, lambda now: now.attempt.number == 2 and now.phase == "queued", tick_s=0.1)
    assert await numbers(system, "s") == (1, 0, 0, 0, 0)


async def test_a_cancelled_set_starts_none_of_its_waiting_jobs(system: Any) -> None:
    ids = [f"j{n}" for n in range(30)]
    for job_id in ids:
        system.engine.workers[job_id] = WorkerScript(runs_s=None)
    first = [await system.submit(id=job_id, set="s") for job_id in ids[:20]]
    last = [await system.submit(id=job_id, set="s", after=[Dependency(job="j0")]) for job_id in ids[20:]]
    for record in first[:2]:
        await system.until(record, lambda now: now.started_at is not None)
    answer = await system.sets.cancel("s", CANCEL)
    assert (answer.id, answer.jobs) == ("s", 30)
    for record in first + last:
        ended = await system.ended(record, tick_s=0.5)
        assert (ended.status, ended.reason) == ("cancelled", "cancelled")
    started = [record.id for record in first + last if (await system.stored(record)).started_at is not None]
    assert started == ["j0", "j1"]
    assert (await system.sets.cancel("s", CANCEL)).jobs == 0
    with pytest.raises(NotFound):
        await system.sets.cancel("none", CANCEL)


async def test_a_deleted_job_leaves_its_set_and_a_set_ends_with_its_last_job(system: Any) -> None:
    for n in range(2):
        await system.ended(await system.submit(id=f"j{n}", set="s"), tick_s=0.5)
    await system.service.delete("j0", "me")
    assert (await system.sets.get("s")).total == 1
    await system.service.delete("j1", "me")
    with pytest.raises(NotFound):
        await system.sets.get("s")
    assert (await system.sets.page(None, 9)).sets == []


async def test_the_settings_of_a_temporary_group_go_an_hour_after_its_last_job(system: Any) -> None:
    await system.groups.put("s", 1, None, True)
    await system.groups.put("kept", 1, None)
    system.engine.workers["j"] = WorkerScript(runs_s=None)
    record = await system.submit(id="j", set="s", group="s")

    async def later() -> list[str]:
        await system.groups.remove_idle()
        system.clock.advance(TEMPORARY_IDLE_S)
        await system.groups.remove_idle()
        return [group.name for group in (await system.store.load_queue()).groups]

    assert await later() == ["kept", "s"], "a job of the group waits or runs"
    await system.until(record, lambda now: now.started_at is not None)
    assert await later() == ["kept", "s"]
    system.engine.end("j", "worker", 0)
    await system.ended(record, tick_s=0.5)
    assert await later() == ["kept"]
    assert [group.name for group in system.groups.show_queue().groups] == ["kept"]


async def test_a_temporary_group_is_known_as_such_after_a_restart(system: Any) -> None:
    await system.groups.put("s", 1, None, True)
    await system.restart()
    await system.groups.load()
    assert system.groups.show("s").temporary
    await system.groups.put("s", 2, None)
    assert system.groups.show("s").temporary
    await system.groups.remove("s")
    assert (await system.store.load_queue()).groups == []
