"""Retention on a real store with a clock that tests move: never early, never other objects, never stuck."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.port.errors import EngineUnavailable, RefusedByEngine
from jobd.jobs.port.model import MAX_UID, JobRef, WorkOrder
from jobd.jobs.retention import orphans, retention
from jobd.jobs.state.record import Record
from jobd.store.tables.rows import Settlement
from jobd.wire.job import Callback, JobSpec
from tests.support.fakes.worker import WorkerScript

JOBS_S, HISTORY_S, INTERVAL_S = 900, 86400, 60
DEADLINE_S = 60.0


async def kept(house: Any) -> set[str]:
    """The ids of jobs with containers or volumes on the engine."""
    return {ref.id for ref in await house.engine.refs()}


async def ended(house: Any, *ids: str, **fields: Any) -> list[Record]:
    return [await house.ended(await house.submit(id=name, **fields)) for name in ids]


async def orphan(house: Any, uid: str, job_id: str) -> JobRef:
    """Creates a container that belongs to no job."""
    ref = JobRef(uid, job_id, 1)
    await house.engine.create(WorkOrder(ref, JobSpec(id=job_id, image="busybox"), sidecar=False), None)
    return ref


async def settle_all(house: Any, record: Record) -> None:
    """Marks all pending deliveries as delivered."""
    while due := await house.store.due_of([record.uid]):
        await house.store.settle([Settlement(due[0].id, "delivered", house.clock.now(), status=204)])


@pytest.fixture
def refuses(house: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ids of jobs whose containers the engine refuses to remove, since they are in use."""
    ids: set[str] = set()
    remove = house.engine.remove

    async def refusing(ref: JobRef, role: Any = None) -> None:
        if ref.id in ids:
            raise RefusedByEngine("volume is in use")
        await remove(ref, role)

    monkeypatch.setattr(house.engine, "remove", refusing)
    return ids


async def test_containers_are_kept_for_job_retention_and_records_for_history_retention(house: Any) -> None:
    (record,) = await ended(house, "a")
    house.clock.advance(JOBS_S - 1)
    await house.retention.sweep()
    assert await kept(house) == {"a"}
    assert not (await house.stored(record)).removal
    house.clock.advance(2)
    await house.retention.sweep()
    assert await kept(house) == set()
    assert (await house.service.get("a")).status == "completed"


async def test_a_running_job_is_never_removed(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit(timeout_seconds=10 * HISTORY_S)
    await house.until(record, lambda now: now.started_at is not None)
    house.clock.advance(2 * HISTORY_S)
    await house.retention.sweep()
    await house.retention.orphans.remove()
    house.clock.advance(2 * INTERVAL_S)
    await house.retention.orphans.remove()
    assert await kept(house) == {"a"}
    house.engine.end("a", "worker", 4)
    assert (await house.ended(record)).exit_code == 4


async def test_records_are_removed_after_history_retention(house: Any) -> None:
    (record,) = await ended(house, "a")
    house.clock.advance(JOBS_S + 1)
    await house.retention.sweep()
    house.clock.advance(HISTORY_S - JOBS_S - 2)
    await house.retention.sweep()
    assert await house.store.get_by_uid(record.uid) is not None
    house.clock.advance(2)
    await house.retention.sweep()
    assert await house.store.get_by_uid(record.uid) is None
    assert await house.events(record) == []
    with pytest.raises(NotFound):
        await house.service.get("a")


async def test_a_record_with_pending_deliveries_outlives_its_retention(house: Any) -> None:
    (record,) = await ended(house, "a", callback=Callback(url="http://127.0.0.1:9/"))
    house.clock.advance(HISTORY_S + 1)
    await house.retention.sweep()
    assert await kept(house) == set(), "its containers need no receiver"
    assert await house.store.get_by_uid(record.uid) is not None
    await settle_all(house, record)
    await house.retention.sweep()
    assert await house.store.get_by_uid(record.uid) is None


async def test_more_expired_jobs_than_a_batch_are_all_removed(
    house: Any, refuses: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    await ended(house, *(f"j{n}" for n in range(5)))
    refuses.add("j0")
    house.clock.advance(JOBS_S + 1)
    await house.retention.sweep()
    assert await kept(house) == {"j0"}
    refuses.clear()
    await house.retention.sweep()
    assert await kept(house) == set()


async def test_an_unavailable_engine_postpones_the_sweep(house: Any) -> None:
    (record,) = await ended(house, "a")
    house.clock.advance(JOBS_S + 1)
    house.engine.away = True
    with pytest.raises(EngineUnavailable):
        await house.retention.sweep()
    assert not (await house.stored(record)).removal
    house.engine.away = False
    await house.retention.sweep()
    assert (await house.stored(record)).removal


async def test_an_orphan_is_removed_after_the_grace_period(house: Any) -> None:
    await orphan(house, "u-stray", "stray")
    await ended(house, "known")
    await house.retention.orphans.remove()
    house.clock.advance(INTERVAL_S - 1)
    await house.retention.orphans.remove()
    assert await kept(house) == {"stray", "known"}
    house.clock.advance(1)
    await house.retention.orphans.remove()
    assert await kept(house) == {"known"}


async def test_an_orphan_that_was_gone_meanwhile_gets_a_new_grace_period(house: Any) -> None:
    ref = await orphan(house, "u-stray", "stray")
    await house.retention.orphans.remove()
    await house.engine.remove(ref)
    house.clock.advance(INTERVAL_S)
    await house.retention.orphans.remove()
    await orphan(house, "u-stray", "stray")
    await house.retention.orphans.remove()
    assert await kept(house) == {"stray"}


async def test_an_orphan_in_use_does_not_hold_up_the_others(house: Any, refuses: set[str]) -> None:
    for name in ("one", "two"):
        await orphan(house, f"u-{name}", name)
    refuses.add("one")
    await house.retention.orphans.remove()
    house.clock.advance(INTERVAL_S)
    await house.retention.orphans.remove()
    assert await kept(house) == {"one"}
    refuses.clear()
    await house.retention.orphans.remove()
    assert await kept(house) == set()


async def test_a_container_of_a_cleaned_job_is_an_orphan(house: Any) -> None:
    (record,) = await ended(house, "a")
    house.clock.advance(JOBS_S + 1)
    await house.retention.sweep()
    await orphan(house, record.uid, "a")  # as a delayed create of the engine would
    await house.retention.orphans.remove()
    house.clock.advance(INTERVAL_S)
    await house.retention.orphans.remove()
    assert await kept(house) == set()


async def test_the_timer_goes_on_after_a_failure(house: Any) -> None:
    (record,) = await ended(house, "a")
    await orphan(house, "u-stray", "stray")
    house.engine.away = True
    timer = asyncio.create_task(house.retention.run())
    try:
        house.clock.advance(JOBS_S + 1)
        await rounds(house, lambda: True)
        assert not (await house.stored(record)).removal
        house.engine.away = False
        left: set[str] = await kept(house)

        async def look() -> None:
            nonlocal left
            left = await kept(house)

        await rounds(house, lambda: not left, look)
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)
    assert (await house.stored(record)).removal


async def rounds(house: Any, over: Callable[[], bool], look: Callable[[], Any] | None = None) -> None:
    """Runs rounds of the timer until `over`, five at least."""
    async with asyncio.timeout(DEADLINE_S):
        turn = 0
        while turn < 5 or not over():
            turn += 1
            await asyncio.sleep(0.005)  # for the store's threads
            house.clock.advance(INTERVAL_S)
            if look is not None:
                await look()


async def test_delivered_returns_at_once_without_pending_deliveries(house: Any) -> None:
    (record,) = await ended(house, "a")
    async with asyncio.timeout(DEADLINE_S):
        await house.repository.delivered(record.uid, 3600)


async def test_delivered_returns_after_the_last_delivery(house: Any) -> None:
    (record,) = await ended(house, "a", callback=Callback(url="http://127.0.0.1:9/"))
    (other,) = await ended(house, "b", callback=Callback(url="http://127.0.0.1:9/"))
    waiting = asyncio.create_task(house.repository.delivered(record.uid, 3600))
    async with asyncio.timeout(DEADLINE_S):
        while due := await house.store.due_of([record.uid]):
            assert not waiting.done()
            settled = Settlement(due[0].id, "delivered", house.clock.now(), status=204)
            await house.store.settle([settled])
            house.clock.advance(1)
        while not waiting.done():
            house.clock.advance(1)
            await asyncio.sleep(0)
    await waiting
    assert await house.store.due_of([other.uid]), "another job's deliveries stay pending"


async def test_delivered_returns_after_its_limit(house: Any) -> None:
    (record,) = await ended(house, "a", callback=Callback(url="http://127.0.0.1:9/"))
    async with asyncio.timeout(DEADLINE_S):
        await house.repository.delivered(record.uid, 0.01)
    assert await house.store.due_of([record.uid])


async def test_more_orphans_than_are_tracked_are_all_removed(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_TRACKED", 2)
    for number in range(5):
        await orphan(house, f"u-{number}", f"stray-{number}")
    for _ in range(3):
        await house.retention.orphans.remove()
        assert len(house.retention.orphans._found_at) <= 2
        house.clock.advance(INTERVAL_S)
        await house.retention.orphans.remove()
    house.clock.advance(INTERVAL_S)
    await house.retention.orphans.remove()
    assert await kept(house) == set()


async def test_orphans_in_use_do_not_hold_up_the_untracked_ones(
    house: Any, refuses: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_TRACKED", 2)
    for number in range(5):
        await orphan(house, f"u-{number}", f"stray-{number}")
    refuses |= {"stray-0", "stray-1", "stray-2"}
    for _ in range(12):
        await house.retention.orphans.remove()
        assert len(house.retention.orphans._found_at) <= 2
        house.clock.advance(INTERVAL_S)
    assert await kept(house) == {"stray-0", "stray-1", "stray-2"}


async def test_deleted_unreadable_jobs_are_tracked_up_to_a_bound(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_TRACKED", 2)
    records = [await house.submit(id=f"j{number}") for number in range(5)]
    for record in records:
        row = await house.store.get_by_uid(record.uid)
        await house.retention.delete_unreadable(row)
    assert list(house.retention.orphans._without_grace) == [record.uid for record in records[-2:]]
    await house.retention.delete_unreadable(dataclasses.replace(row, uid="x" * (MAX_UID + 1)))
    assert list(house.retention.orphans._without_grace) == [record.uid for record in records[-2:]], (
        "no job has such a uid"
    )
