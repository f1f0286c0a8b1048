"""A supervisor whose record is stale reads the stored record and continues: no change is lost or applied twice."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.store.errors import NoSuchJob, StoreFailed
from jobd.store.tables.rows import StoredEvent, Transition
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
    record = await system.ended(await system.submit(), tick_s=0.1)
    assert (record.status, record.exit_code, record.reason) == ("failed", 7, "exit-code")
    events = await system.events(record)
    assert [event["jobsequence"] for event in events] == list(range(1, len(events) + 1))
    types = [kind for kind in await system.event_types(record) if kind != "log"]
    assert types == ["start", "exit", "complete"]
    logged = [line for event in events if event["type"].endswith(".log") for line in event["data"]["lines"]]
    assert logged == [*lines, "the last"]


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
