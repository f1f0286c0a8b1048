"""A supervisor whose record is stale reads the stored record and continues: no change is lost or applied twice."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.record.states import DrainingLog, Queued
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.jobs.stored import record_of
from jobd.store.errors import NoSuchJob, StoreFailed
from jobd.store.tables.rows import JobRow, StoredEvent, Transition
from jobd.wire.job import Dependency
from tests.support.fakes.worker import WorkerScript


@pytest.fixture
def fails_though_kept(system: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Reports every n-th commit as failed although it is durable, as a disk may whose response is lost."""

    def arrange(every: int) -> None:
        commit, commits = system.store.commit, 0

        async def committing(transition: Transition) -> list[StoredEvent]:
            nonlocal commits
            stored: list[StoredEvent] = await commit(transition)
            commits += 1
            if not transition.claim_id and commits % every == 0:
                raise StoreFailed("the disk failed")
            return stored

        monkeypatch.setattr(system.store, "commit", committing)

    return arrange


@pytest.mark.parametrize("every", [2, 3, 5])
async def test_a_commit_that_is_durable_although_it_was_reported_as_failed(
    system: Any, fails_though_kept: Callable[[int], None], every: int
) -> None:
    fails_though_kept(every)
    lines = [f"line {n}" for n in range(5)]
    system.engine.workers["a"] = WorkerScript(lines=lines, rest="the last", exit_code=7)
    record = await system.submit()
    behind = await system.submit(id="behind", after=[Dependency(job="a", on="failed")])
    record = await system.ended(record, tick_s=0.1)
    assert (record.status, record.exit_code, record.reason) == ("failed", 7, "exit-code")
    events = await system.events(record)
    assert [event["jobsequence"] for event in events] == list(range(1, len(events) + 1))
    types = [kind for kind in await system.event_types(record) if kind != "log"]
    assert types == ["start", "exit", "complete"]
    logged = [line for event in events if event["type"].endswith(".log") for line in event["data"]["lines"]]
    assert logged == [*lines, "the last"]
    assert (await system.ended(behind, tick_s=0.1)).status == "completed"


@pytest.fixture
def lose_commit(system: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[JobRow], bool]], None]:
    """Reports one commit as failed although it is durable: the first one whose row fulfils the condition."""

    def arrange(chosen: Callable[[JobRow], bool]) -> None:
        commit, lost = system.store.commit, False

        async def committing(transition: Transition) -> list[StoredEvent]:
            nonlocal lost
            stored: list[StoredEvent] = await commit(transition)
            if not lost and chosen(transition.job):
                lost = True
                raise StoreFailed("the disk failed")
            return stored

        monkeypatch.setattr(system.store, "commit", committing)

    return arrange


async def test_the_jobs_behind_a_job_learn_of_its_end_although_the_commit_was_reported_as_failed(
    system: Any, lose_commit: Callable[[Callable[[JobRow], bool]], None]
) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.until(await system.submit(), lambda now: now.started_at is not None)
    behind = await system.submit(id="behind", after=[Dependency(job="a")])
    lose_commit(lambda row: row.uid == record.uid and row.status == "completed")
    system.engine.end("a", "worker", 0)
    await system.ended(record, tick_s=0.5)
    assert (await system.ended(behind, tick_s=0.5)).status == "completed"
    metrics = system._observer._metrics.registry
    assert metrics.get_sample_value("jobs_active", {"image": "busybox"}) == 0


async def test_an_end_whose_commit_was_lost_counts_after_a_fault_of_the_supervisor_too(
    system: Any,
    lose_commit: Callable[[Callable[[JobRow], bool]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.until(await system.submit(), lambda now: now.started_at is not None)
    behind = await system.submit(id="behind", after=[Dependency(job="a")])
    lose_commit(lambda row: row.uid == record.uid and row.status == "completed")
    monkeypatch.setattr(system.supervisors.get(record.uid), "_counted", None)  # a fault after the lost commit
    system.engine.end("a", "worker", 0)
    await system.ended(record, tick_s=0.5)
    assert (await system.ended(behind, tick_s=0.5)).status == "completed"


async def test_a_failed_attempt_whose_commit_was_lost_releases_its_place(
    system: Any, lose_commit: Callable[[Callable[[JobRow], bool]], None]
) -> None:
    system.engine.workers["a"] = WorkerScript(exit_code=1)
    record = await system.until(
        await system.submit(retries=1), lambda now: isinstance(now.state, DrainingLog), tick_s=0.1
    )
    assert system.queue.running == 1
    lose_commit(lambda row: row.uid == record.uid and record_of(row).attempt.number == 2)
    waiting = await system.until(record, lambda now: now.attempt.number == 2, tick_s=0.1)
    assert isinstance(waiting.state, Queued)
    assert system.queue.running == 0


async def test_a_priority_whose_commit_was_lost_takes_effect_at_the_next_try(
    system: Any, lose_commit: Callable[[Callable[[JobRow], bool]], None]
) -> None:
    system.queue.set_paused(True)
    await system.submit(id="first")
    second = await system.submit(id="second")
    lose_commit(lambda row: row.uid == second.uid)
    with pytest.raises(StoreFailed):
        await system.service.prioritize("second", 5)
    await system.service.prioritize("second", 5)
    assert system.queue.position(second.uid) == 1


async def test_a_change_by_another_component_is_read_before_the_next_change(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    request = facts.CancelRequested(by="another part", grace_s=0, delete=False)
    await system.repository.transition(
        record.uid, lambda now, spec: step(now, spec, request, system.clock.now())
    )
    await system.supervisors.get(record.uid).apply(facts.StopSent(kill=False))
    now = system.supervisors.get(record.uid).record
    assert (now.is_deleted, now.cancel.by, now.stop is not None) == (False, "another part", True)
    assert (await system.ended(record, tick_s=1)).status == "cancelled"


async def test_the_supervisor_of_a_purged_job_ends(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    supervisor = system.supervisors.get(record.uid)
    await system.store.purge(record.uid)
    with pytest.raises(NoSuchJob):
        await supervisor.apply(facts.StopSent(kill=False))
    assert supervisor.settled
    with pytest.raises(NotFound):
        await system.service.get("a")
