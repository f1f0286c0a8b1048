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
def fails_though_kept(house: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Reports every n-th commit as failed although it is durable, as a disk may whose response is lost."""

    def arrange(every: int) -> None:
        commit, commits = house.store.commit, 0

        async def committing(transition: Transition) -> list[StoredEvent]:
            nonlocal commits
            stored: list[StoredEvent] = await commit(transition)
            commits += 1
            if not transition.claim_id and commits % every == 0:
                raise StoreFailed("the disk failed")
            return stored

        monkeypatch.setattr(house.store, "commit", committing)

    return arrange


@pytest.mark.parametrize("every", [2, 3, 5])
async def test_a_commit_that_is_durable_although_it_was_reported_as_failed(
    house: Any, fails_though_kept: Callable[[int], None], every: int
) -> None:
    fails_though_kept(every)
    lines = [f"line {n}" for n in range(5)]
    house.engine.workers["a"] = WorkerScript(lines=lines, rest="the last", exit_code=7)
    record = await house.ended(await house.submit(), tick_s=0.1)
    assert (record.status, record.exit_code, record.reason) == ("failed", 7, "exit-code")
    events = await house.events(record)
    assert [event["jobsequence"] for event in events] == list(range(1, len(events) + 1))
    types = [kind for kind in await house.event_types(record) if kind != "log"]
    assert types == ["start", "exit", "complete"]
    logged = [line for event in events if event["type"].endswith(".log") for line in event["data"]["lines"]]
    assert logged == [*lines, "the last"]


async def test_a_change_by_another_component_is_read_before_the_next_change(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    request = facts.CancelRequested(by="another part", grace_s=0, delete=False)
    await house.repository.transition(
        record.uid, lambda now, spec: step(now, spec, request, house.clock.now())
    )
    await house.supervisors.get(record.uid).apply(facts.StopSent(kill=False))
    now = house.supervisors.get(record.uid).record
    assert (now.is_deleted, now.cancel.by, now.stop is not None) == (False, "another part", True)
    assert (await house.ended(record, tick_s=1)).status == "cancelled"


async def test_the_supervisor_of_a_purged_job_ends(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    supervisor = house.supervisors.get(record.uid)
    await house.store.purge(record.uid)
    with pytest.raises(NoSuchJob):
        await supervisor.apply(facts.StopSent(kill=False))
    assert supervisor.settled
    with pytest.raises(NotFound):
        await house.service.get("a")
