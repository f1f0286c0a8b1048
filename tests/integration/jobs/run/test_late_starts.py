"""A start whose response was lost arrives late: each attempt has one worker, and the job has the worker's own end."""

from typing import Any

import pytest

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef
from jobd.jobs.record.parts import Starting
from tests.support.fakes.worker import WorkerScript


async def held_back(system: Any, **fields: Any) -> Any:
    """A job whose worker's start was requested; the start has not arrived."""
    system.engine.lose_start = "late"
    record = await system.submit(**fields)
    record = await system.until(record, lambda now: now.worker is not None)
    system.engine.lose_start = None
    return record


def unavailable() -> None:
    raise EngineUnavailable("held until jobd has ended")


@pytest.mark.parametrize("runs_s", [None, 0.0], ids=["runs", "has ended"])
async def test_a_start_arrives_while_its_container_is_removed(system: Any, runs_s: float | None) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=runs_s, exit_code=7, lines=["one"])
    system.engine.before_removal = system.engine.let_starts_arrive
    record = await held_back(system)
    record = await system.until(record, lambda now: now.started_at is not None, tick_s=0.5)
    system.engine.end("a", "worker", 7)
    record = await system.ended(record, tick_s=0.5)
    assert (record.reason, record.exit_code) == ("exit-code", 7)
    assert len(system.engine.starts) == 1
    logs = [event for event in await system.events(record) if event["type"].endswith(".log")]
    gone = [event["data"].get("gap") for event in logs]
    assert gone == (
        [None]
        if runs_s is None
        else ["the container was removed before jobd read its log to the end; later lines may be missing"]
    )


async def test_a_start_that_arrives_after_the_removal_does_nothing(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await held_back(system)
    first = record.worker_id
    record = await system.until(record, lambda now: now.status == "running", tick_s=0.5)
    assert record.worker_id != first
    system.engine.let_starts_arrive()
    assert len(system.engine.starts) == 1
    system.engine.end("a", "worker", 0)
    assert (await system.ended(record, tick_s=0.5)).status == "completed"


def is_in_doubt(now: Any) -> bool:
    return isinstance(now.worker, Starting) and now.worker.in_doubt


async def test_jobd_ends_between_the_removal_and_its_record(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=0.0)
    record = await held_back(system)
    system.engine.before_removal = unavailable
    record = await system.until(record, is_in_doubt, tick_s=0.5)
    await system.stop()
    system.engine.before_removal = lambda: None
    assert await system.engine.remove_unstarted(JobRef(record.uid, "a"), "worker", record.worker_id)
    await system.restart()
    record = await system.ended(record, tick_s=0.5)
    assert record.status == "completed"
    assert len(system.engine.starts) == 1


async def test_a_container_that_disappeared_is_not_created_again(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=0.0)
    record = await held_back(system)
    system.engine.before_removal = unavailable
    record = await system.until(record, is_in_doubt, tick_s=0.5)
    await system.stop()
    system.engine.before_removal = lambda: None
    system.engine.remove_by_hand("a", "worker")
    system.engine.forget_events()
    await system.restart()
    record = await system.ended(record, tick_s=0.5)
    assert (record.reason, record.exit_code, system.engine.starts) == ("lost", None, [])
