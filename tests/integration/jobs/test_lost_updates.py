"""Acknowledged requests against other writers of the same job: no writer undoes a request by writing over a row that it read before."""

import asyncio
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.budget import ByteBudget
from jobd.errors import Conflict, NotFound
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.feed import Feed
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Ended, Setup, Started
from jobd.jobs.record.record_form import decode_record
from jobd.jobs.record.states import Running
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.jobs.state.transitions.outcome import finish
from jobd.store.store import Store
from jobd.store.tables.rows import JobRow
from jobd.wire.job import JobSpec
from tests.integration.jobs.conftest import NoSender
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.worker import WorkerScript

JOBS_S = 900
DEADLINE_S = 60.0


@pytest.fixture
def between(system: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Runs a call to its end between a sweep's read of its rows and the sweep's first write."""

    def arrange(call: Callable[[], Any]) -> None:
        remove, called = system.engine.remove, False

        async def removing(*args: Any) -> None:
            nonlocal called
            if not called:
                called = True
                await call()
            await remove(*args)

        monkeypatch.setattr(system.engine, "remove", removing)

    return arrange


async def test_a_delete_during_a_sweep_stays_a_delete(
    system: Any, between: Callable[[Callable[[], Any]], None]
) -> None:
    records = [await system.ended(await system.submit(id=f"j{n}")) for n in range(8)]
    system.clock.advance(JOBS_S + 1)

    async def delete_all() -> None:
        for record in records:
            await system.service.delete(record.id, "a user")

    between(delete_all)
    await system.retention.sweep()
    assert (await system.store.list_jobs()).jobs == []
    for record in records:
        with pytest.raises(NotFound):
            await system.service.get(record.id)
        row = await system.store.get_by_uid(record.uid)
        assert row is None or row.hidden


async def test_a_sweep_does_not_unhide_an_older_job_of_the_same_id(
    system: Any, between: Callable[[Callable[[], Any]], None]
) -> None:
    first = await system.ended(await system.submit(id="same"))
    system.clock.advance(JOBS_S + 1)
    await system.retention.sweep()
    second = await system.ended(await system.submit(id="same"))
    system.clock.advance(JOBS_S + 1)
    between(lambda: system.service.delete("same", "a user"))
    await system.retention.sweep()
    for record in (first, second):
        row = await system.store.get_by_uid(record.uid)
        assert row is None or row.hidden


@pytest.mark.parametrize("delete_first", [True, False], ids=["delete-first", "cancel-first"])
@pytest.mark.parametrize("started", [True, False], ids=["running", "queued"])
async def test_a_delete_and_a_cancel_at_once_are_a_delete(
    system: Any, delete_first: bool, started: bool
) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    for n in range(0 if started else 2):  # they take all slots
        system.engine.workers[f"before-{n}"] = WorkerScript(runs_s=None)
        await system.submit(id=f"before-{n}")
    record = await system.submit(id="a")
    await system.until(record, lambda now: (now.started_at is not None) is started)
    row = await system.store.get_by_id("a")
    requests = [
        facts.CancelRequested(by="one", grace_s=0, delete=True),
        facts.CancelRequested(by="two", grace_s=0, delete=False),
    ]
    supervisor = system.supervisors.get(row.uid)
    for request in requests if delete_first else reversed(requests):
        await supervisor.request(request)
    assert (await system.store.get_by_uid(record.uid)).hidden
    system.supervisors.start(
        supervisor
    )  # as a delete does: the cancel of a queued job may have ended the run
    await system.until(record, lambda now: now.removal, tick_s=1)
    row = await system.store.get_by_uid(record.uid)
    assert row is None or row.hidden
    assert "a" not in {job.id for job in (await system.store.list_jobs()).jobs}


async def test_calls_of_delete_and_cancel_at_once_leave_nothing(system: Any) -> None:
    for n in range(20):
        system.engine.workers[f"j{n}"] = WorkerScript(runs_s=None)
        record = await system.submit(id=f"j{n}")
        if n % 2:
            await system.until(record, lambda now: now.started_at is not None)
        calls = [
            system.service.delete(record.id, "one"),
            system.service.cancel(record.id, facts.CancelRequested(by="two", grace_s=0, delete=False)),
        ]
        answers = await asyncio.gather(*(calls if n % 3 else reversed(calls)), return_exceptions=True)
        assert not [a for a in answers if a is not None and not isinstance(a, NotFound | Conflict)]
        assert (await system.store.list_jobs(prefix=f"j{n}")).jobs == []
        await system.until(record, lambda now: now.removal, tick_s=1)
        assert (await system.store.list_jobs(prefix=f"j{n}")).jobs == []


FACTS: dict[str, facts.Fact] = {
    "clean": facts.Cleaned(),
    "delete": facts.CancelRequested(by="one", grace_s=0, delete=True),
    "cancel": facts.CancelRequested(by="two", grace_s=0, delete=False),
    "kill": facts.StopSent(kill=True),
}


class Turns:
    """A store whose every read and write waits for its turn: the schedule, not the event loop, orders them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.waiting: list[asyncio.Future[None]] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        async def in_turn(*args: Any, **kwargs: Any) -> Any:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            await turn
            return await call(*args, **kwargs)

        return in_turn


async def row_of(store: Store, uid: str) -> JobRow:
    row = await store.get_by_uid(uid)
    assert row is not None
    return row


async def interleaved(store: Store, ended: bool, names: list[str], schedule: list[int]) -> None:
    """One writer for each name changes the same job, in the order of the schedule; the invariants are checked after each turn."""
    clock = FakeClock()
    turns = Turns(store)
    feed, change_notifier = Feed(store, ByteBudget(1 << 20)), ChangeNotifier()
    dispatcher = Dispatcher(store, NoSender(), DispatcherSettings(), clock)
    quiet = JobRepository(store, feed, dispatcher, change_notifier, clock)
    repository = JobRepository(cast(Store, turns), feed, dispatcher, change_notifier, clock)
    spec = JobSpec(id="a", image="busybox")
    record = new_record(spec, now=clock.now(), owner=None, digest="", has_spool=False)
    at = clock.now()
    worker = Started(asked_at=at, started_at=at, deadline=at + timedelta(hours=1))
    record = record.with_state(Running(since=at, setup=Setup(admitted_at=at), worker=worker))
    await quiet.open(record, spec, msgspec.json.encode(spec), None)
    if ended:
        await quiet.transition(
            record.uid, lambda now, spec: finish(now, spec, at, None, Ended(asked_at=at, started_at=at))
        )

    async def write(name: str) -> str:
        await repository.transition(record.uid, lambda now, spec: step(now, spec, FACTS[name], clock.now()))
        return name

    writers = [asyncio.create_task(write(name)) for name in names]
    seen = await row_of(store, record.uid)
    places = iter([*schedule, *[0] * 100])
    async with asyncio.timeout(DEADLINE_S):
        while not all(writer.done() for writer in writers):
            # Each writer waits for its turn or has ended: the earlier turn is complete.
            while len(turns.waiting) + sum(writer.done() for writer in writers) < len(writers):
                await asyncio.sleep(0.0002)  # the store's threads and the disk have their turn
            if turns.waiting:
                turns.waiting.pop(next(places) % len(turns.waiting)).set_result(None)
            acknowledged = any(writer.done() and writer.result() == "delete" for writer in writers)
            before, seen = seen, await row_of(store, record.uid)
            assert (seen.hidden, not seen.live) >= (before.hidden, not before.live)
            assert seen.version >= before.version
            assert seen.hidden or not acknowledged, "a delete that was acknowledged"
    done = decode_record((await row_of(store, record.uid)).record)
    assert (done.cancel is not None) == ("delete" in names or ("cancel" in names and not ended))
    assert done.is_deleted == ("delete" in names)
    assert (done.removal is not None) == (ended and "clean" in names)
    assert (done.stop is not None and done.stop.killed) == (not ended and "kill" in names)


async def on_a_store(folder: Path, run: Callable[[Store], Any]) -> None:
    store = await Store.open(folder / "jobd.db")
    try:
        await run(store)
    finally:
        await store.close()


@settings(max_examples=60, deadline=None)
@given(
    ended=st.booleans(),
    names=st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4),
    schedule=st.lists(st.integers(0, 3), max_size=20),
)
def test_no_order_of_reads_and_writes_loses_a_change(
    ended: bool, names: list[str], schedule: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(on_a_store(Path(folder), lambda store: interleaved(store, ended, names, schedule)))
