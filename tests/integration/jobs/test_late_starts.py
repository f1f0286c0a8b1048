"""A start whose response was lost arrives late: each attempt has one worker, and the job has the worker's own end."""

from typing import Any

import pytest

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef
from jobd.jobs.state.parts import Starting
from tests.support.fakes.worker import WorkerScript


async def held_back(house: Any, **fields: Any) -> Any:
    """A job whose worker's start was requested; the start has not arrived."""
    house.engine.lose_start = "late"
    record = await house.submit(**fields)
    record = await house.until(record, lambda now: now.worker is not None)
    house.engine.lose_start = None
    return record


def unavailable() -> None:
    raise EngineUnavailable("held until jobd has ended")


@pytest.mark.parametrize("runs_s", [None, 0.0], ids=["runs", "has ended"])
async def test_a_start_arrives_while_its_container_is_removed(house: Any, runs_s: float | None) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=runs_s, exit_code=7, lines=["one"])
    house.engine.before_removal = house.engine.let_starts_arrive
    record = await held_back(house)
    record = await house.until(record, lambda now: now.started_at is not None, tick_s=0.5)
    house.engine.end("a", "worker", 7)
    record = await house.ended(record, tick_s=0.5)
    assert (record.reason, record.exit_code) == ("exit-code", 7)
    assert len(house.engine.starts) == 1
    logs = [event for event in await house.events(record) if event["type"].endswith(".log")]
    gone = [event["data"].get("gap") for event in logs]
    assert gone == (
        [None]
        if runs_s is None
        else ["the container was removed before jobd read its log to the end; later lines may be missing"]
    )


async def test_a_start_that_arrives_after_the_removal_does_nothing(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await held_back(house)
    first = record.worker_id
    record = await house.until(record, lambda now: now.status == "running", tick_s=0.5)
    assert record.worker_id != first
    house.engine.let_starts_arrive()
    assert len(house.engine.starts) == 1
    house.engine.end("a", "worker", 0)
    assert (await house.ended(record, tick_s=0.5)).status == "completed"


def is_in_doubt(now: Any) -> bool:
    return isinstance(now.worker, Starting) and now.worker.in_doubt


async def test_jobd_ends_between_the_removal_and_its_record(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=0.0)
    record = await held_back(house)
    house.engine.before_removal = unavailable
    record = await house.until(record, is_in_doubt, tick_s=0.5)
    await house.stop()
    house.engine.before_removal = lambda: None
    assert await house.engine.remove_unstarted(JobRef(record.uid, "a"), "worker", record.worker_id)
    await house.restart()
    record = await house.ended(record, tick_s=0.5)
    assert record.status == "completed"
    assert len(house.engine.starts) == 1


async def test_a_container_that_disappeared_is_not_created_again(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=0.0)
    record = await held_back(house)
    house.engine.before_removal = unavailable
    record = await house.until(record, is_in_doubt, tick_s=0.5)
    await house.stop()
    house.engine.before_removal = lambda: None
    house.engine.remove_by_hand("a", "worker")
    house.engine.forget_events()
    await house.restart()
    record = await house.ended(record, tick_s=0.5)
    assert (record.reason, record.exit_code, house.engine.starts) == ("lost", None, [])
