"""Retention on a real store with a clock that tests move: never early, never other objects, never stuck."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.port.errors import EngineUnavailable, RefusedByEngine
from jobd.jobs.port.model import MAX_UID, JobRef, WorkOrder
from jobd.jobs.record.record import Record
from jobd.jobs.retention import orphans, retention
from jobd.store.tables.delivery_rows import Settlement
from jobd.wire.job import Callback, JobSpec
from tests.support.fakes.worker import WorkerScript
from tests.support.progress import Progress

JOBS_S, HISTORY_S, INTERVAL_S = 900, 86400, 60
DEADLINE_S = 60.0


async def kept(system: Any) -> set[str]:
    """The ids of jobs with containers or volumes on the engine."""
    return {ref.id for ref in await system.engine.refs()}


async def ended(system: Any, *ids: str, **fields: Any) -> list[Record]:
    return [await system.ended(await system.submit(id=name, **fields)) for name in ids]


async def orphan(system: Any, uid: str, job_id: str) -> JobRef:
    """Creates a container that belongs to no job."""
    ref = JobRef(uid, job_id, 1)
    order = WorkOrder(ref, JobSpec(id=job_id, image="busybox"), sidecar=False)
    await system.engine.prepare(order, Progress())
    return ref


async def settle_all(system: Any, record: Record) -> None:
    """Marks all pending deliveries as delivered."""
    while due := await system.store.due_of([record.uid]):
        await system.store.settle([Settlement(due[0].id, "delivered", system.clock.now(), status=204)])


@pytest.fixture
def refuses(system: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ids of jobs whose containers the engine refuses to remove, since they are in use."""
    ids: set[str] = set()
    remove = system.engine.remove

    async def refusing(ref: JobRef, role: Any = None) -> None:
        if ref.id in ids:
            raise RefusedByEngine("volume is in use")
        await remove(ref, role)

    monkeypatch.setattr(system.engine, "remove", refusing)
    return ids


async def test_containers_are_kept_for_job_retention_and_records_for_history_retention(system: Any) -> None:
    (record,) = await ended(system, "a")
    system.clock.advance(JOBS_S - 1)
    await system.retention.sweep()
    assert await kept(system) == {"a"}
    assert not (await system.stored(record)).removal
    system.clock.advance(2)
    await system.retention.sweep()
    assert await kept(system) == set()
    assert (await system.service.get("a")).status == "completed"


async def test_a_running_job_is_never_removed(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(timeout_seconds=10 * HISTORY_S)
    await system.until(record, lambda now: now.started_at is not None)
    system.clock.advance(2 * HISTORY_S)
    await system.retention.sweep()
    await system.retention.orphans.remove()
    system.clock.advance(2 * INTERVAL_S)
    await system.retention.orphans.remove()
    assert await kept(system) == {"a"}
    system.engine.end("a", "worker", 4)
    assert (await system.ended(record)).exit_code == 4


async def test_records_are_removed_after_history_retention(system: Any) -> None:
    (record,) = await ended(system, "a")
    system.clock.advance(JOBS_S + 1)
    await system.retention.sweep()
    system.clock.advance(HISTORY_S - JOBS_S - 2)
    await system.retention.sweep()
    assert await system.store.get_by_uid(record.uid) is not None
    system.clock.advance(2)
    await system.retention.sweep()
    assert await system.store.get_by_uid(record.uid) is None
    assert await system.events(record) == []
    with pytest.raises(NotFound):
        await system.service.get("a")


async def test_a_record_with_pending_deliveries_outlives_its_retention(system: Any) -> None:
    (record,) = await ended(system, "a", callback=Callback(url="http://127.0.0.1:9/"))
    system.clock.advance(HISTORY_S + 1)
    await system.retention.sweep()
    assert await kept(system) == set(), "its containers need no receiver"
    assert await system.store.get_by_uid(record.uid) is not None
    await settle_all(system, record)
    await system.retention.sweep()
    assert await system.store.get_by_uid(record.uid) is None


async def test_more_expired_jobs_than_a_batch_are_all_removed(
    system: Any, refuses: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    await ended(system, *(f"j{n}" for n in range(5)))
    refuses.add("j0")
    system.clock.advance(JOBS_S + 1)
    await system.retention.sweep()
    assert await kept(system) == {"j0"}
    refuses.clear()
    await system.retention.sweep()
    assert await kept(system) == set()


async def test_an_unavailable_engine_postpones_the_sweep(system: Any) -> None:
    (record,) = await ended(system, "a")
    system.clock.advance(JOBS_S + 1)
    system.engine.away = True
    with pytest.raises(EngineUnavailable):
        await system.retention.sweep()
    assert not (await system.stored(record)).removal
    system.engine.away = False
    await system.retention.sweep()
    assert (await system.stored(record)).removal


async def test_an_orphan_is_removed_after_the_grace_period(system: Any) -> None:
    await orphan(system, "u-stray", "stray")
    await ended(system, "known")
    await system.retention.orphans.remove()
    system.clock.advance(INTERVAL_S - 1)
    await system.retention.orphans.remove()
    assert await kept(system) == {"stray", "known"}
    system.clock.advance(1)
    await system.retention.orphans.remove()
    assert await kept(system) == {"known"}


async def test_an_orphan_that_was_gone_meanwhile_gets_a_new_grace_period(system: Any) -> None:
    ref = await orphan(system, "u-stray", "stray")
    await system.retention.orphans.remove()
    await system.engine.remove(ref)
    system.clock.advance(INTERVAL_S)
    await system.retention.orphans.remove()
    await orphan(system, "u-stray", "stray")
    await system.retention.orphans.remove()
    assert await kept(system) == {"stray"}


async def test_an_orphan_in_use_does_not_hold_up_the_others(system: Any, refuses: set[str]) -> None:
    for name in ("one", "two"):
        await orphan(system, f"u-{name}", name)
    refuses.add("one")
    await system.retention.orphans.remove()
    system.clock.advance(INTERVAL_S)
    await system.retention.orphans.remove()
    assert await kept(system) == {"one"}
    refuses.clear()
    await system.retention.orphans.remove()
    assert await kept(system) == set()


async def test_a_container_of_a_cleaned_job_is_an_orphan(system: Any) -> None:
    (record,) = await ended(system, "a")
    system.clock.advance(JOBS_S + 1)
    await system.retention.sweep()
    await orphan(system, record.uid, "a")  # as a delayed create of the engine would
    await system.retention.orphans.remove()
    system.clock.advance(INTERVAL_S)
    await system.retention.orphans.remove()
    assert await kept(system) == set()


async def test_the_timer_goes_on_after_a_failure(system: Any) -> None:
    (record,) = await ended(system, "a")
    await orphan(system, "u-stray", "stray")
    system.engine.away = True
    timer = asyncio.create_task(system.retention.run())
    try:
        system.clock.advance(JOBS_S + 1)
        await rounds(system, lambda: True)
        assert not (await system.stored(record)).removal
        system.engine.away = False
        left: set[str] = await kept(system)

        async def look() -> None:
            nonlocal left
            left = await kept(system)

        await rounds(system, lambda: not left, look)
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)
    assert (await system.stored(record)).removal


async def rounds(system: Any, over: Callable[[], bool], look: Callable[[], Any] | None = None) -> None:
    """Runs rounds of the timer until `over`, five at least."""
    async with asyncio.timeout(DEADLINE_S):
        turn = 0
        while turn < 5 or not over():
            turn += 1
            await asyncio.sleep(0.005)  # for the store's threads
            system.clock.advance(INTERVAL_S)
            if look is not None:
                await look()


async def test_delivered_returns_at_once_without_pending_deliveries(system: Any) -> None:
    (record,) = await ended(system, "a")
    async with asyncio.timeout(DEADLINE_S):
        await system.repository.delivered(record.uid, 3600)


async def test_delivered_returns_after_the_last_delivery(system: Any) -> None:
    (record,) = await ended(system, "a", callback=Callback(url="http://127.0.0.1:9/"))
    (other,) = await ended(system, "b", callback=Callback(url="http://127.0.0.1:9/"))
    waiting = asyncio.create_task(system.repository.delivered(record.uid, 3600))
    async with asyncio.timeout(DEADLINE_S):
        while due := await system.store.due_of([record.uid]):
            assert not waiting.done()
            settled = Settlement(due[0].id, "delivered", system.clock.now(), status=204)
            await system.store.settle([settled])
            system.clock.advance(1)
        while not waiting.done():
            system.clock.advance(1)
            await asyncio.sleep(0)
    await waiting
    assert await system.store.due_of([other.uid]), "another job's deliveries stay pending"


async def test_delivered_returns_after_its_limit(system: Any) -> None:
    (record,) = await ended(system, "a", callback=Callback(url="http://127.0.0.1:9/"))
    async with asyncio.timeout(DEADLINE_S):
        await system.repository.delivered(record.uid, 0.01)
    assert await system.store.due_of([record.uid])


async def test_more_orphans_than_are_tracked_are_all_removed(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_TRACKED", 2)
    for number in range(5):
        await orphan(system, f"u-{number}", f"stray-{number}")
    for _ in range(3):
        await system.retention.orphans.remove()
        assert len(system.retention.orphans._found_at) <= 2
        system.clock.advance(INTERVAL_S)
        await system.retention.orphans.remove()
    system.clock.advance(INTERVAL_S)
    await system.retention.orphans.remove()
    assert await kept(system) == set()


async def test_orphans_in_use_do_not_hold_up_the_untracked_ones(
    system: Any, refuses: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_TRACKED", 2)
    for number in range(5):
        await orphan(system, f"u-{number}", f"stray-{number}")
    refuses |= {"stray-0", "stray-1", "stray-2"}
    for _ in range(12):
        await system.retention.orphans.remove()
        assert len(system.retention.orphans._found_at) <= 2
        system.clock.advance(INTERVAL_S)
    assert await kept(system) == {"stray-0", "stray-1", "stray-2"}


async def test_deleted_unreadable_jobs_are_tracked_up_to_a_bound(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_TRACKED", 2)
    records = [await system.submit(id=f"j{number}") for number in range(5)]
    for record in records:
        row = await system.store.get_by_uid(record.uid)
        await system.retention.delete_unreadable(row)
    assert list(system.retention.orphans._without_grace) == [record.uid for record in records[-2:]]
    await system.retention.delete_unreadable(dataclasses.replace(row, uid="x" * (MAX_UID + 1)))
    assert list(system.retention.orphans._without_grace) == [record.uid for record in records[-2:]], (
        "no job has such a uid"
    )
