"""A failed supervisor starts again from the stored record, whatever else fails."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.run.supervisors import AGAIN_AFTER_FAULT_S
from jobd.jobs.state import facts
from jobd.store.errors import StoreFailed
from tests.support.fakes.worker import WorkerScript

DEADLINE_S = 60.0


class Gate:
    """Calls that the test holds, fails or lets through, one by one; `reached` counts those that failed or have their answer."""

    def __init__(self, behind: Callable[..., Any]) -> None:
        self.behind = behind
        self.reached = 0
        self.failures: list[Exception] = []
        self.held: asyncio.Event | None = None

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.failures:
            self.reached += 1
            raise self.failures.pop(0)
        answer = await self.behind(*args, **kwargs)
        self.reached += 1
        if self.held is not None:
            await self.held.wait()
        return answer


class GatedStore:
    """The supervisors' view of the store."""

    def __init__(self, store: Any) -> None:
        self.get_by_uid = Gate(store.get_by_uid)


@pytest.fixture
def gates(system: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reload of a record, and the inspection of a job's containers."""
    system.gated = GatedStore(system.store)
    monkeypatch.setattr(system.supervisors, "_store", system.gated)
    look = Gate(system.engine.observe)
    monkeypatch.setattr(system.engine, "observe", look)
    return system.gated.get_by_uid, look


async def reached(system: Any, gate: Gate, count: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while gate.reached < count:
            system.clock.advance(AGAIN_AFTER_FAULT_S)
            await asyncio.sleep(0)


async def running(system: Any) -> Any:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    return await system.until(record, lambda now: now.status == "running")


async def test_a_failed_reload_is_retried(system: Any, gates: Any) -> None:
    reload, look = gates
    record = await running(system)
    look.failures = [RuntimeError("a fault in the code")]
    reload.failures = [
        StoreFailed("the disk is unavailable"),
        StoreFailed("still"),
        ValueError("not a record"),
    ]
    await reached(system, reload, 4)
    assert system.supervisors.get(record.uid) is not None
    system.engine.end("a", "worker", 3)
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.exit_code) == ("failed", 3)
    assert len(system.engine.starts) == 1


async def test_a_cancel_request_during_a_reload_is_kept(system: Any, gates: Any) -> None:
    reload, look = gates
    record = await running(system)
    look.failures = [RuntimeError("a fault in the code")]
    reload.held = asyncio.Event()
    await reached(system, reload, 1)
    await system.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    reload.held.set()
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.cancel.by) == ("cancelled", "x")


@pytest.mark.parametrize("what", ["unlink", "stop_reading"])
async def test_a_failed_clean_up_is_retried_and_holds_no_slot(
    system: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    record = await running(system)
    supervisor = system.supervisors.get(record.uid)
    failing, cleaned = True, 0
    stops = supervisor._execution.stop_reading

    class Spool:
        def unlink(self, missing_ok: bool) -> None:
            nonlocal cleaned
            if failing and what == "unlink":
                raise OSError("the folder is unavailable")
            cleaned += 1

    async def stop_reading() -> None:
        if failing:
            raise RuntimeError("a fault in the code")
        await stops()

    monkeypatch.setattr(type(supervisor._deps), "spool_path", property(lambda self: lambda uid: Spool()))
    if what == "stop_reading":
        monkeypatch.setattr(supervisor._execution, "stop_reading", stop_reading)
    system.engine.end("a", "worker", 0)
    await system.ended(record, tick_s=0.5)
    async with asyncio.timeout(DEADLINE_S):
        while system.queue.running:
            await asyncio.sleep(0)
    assert system.supervisors.get(record.uid) is not None, "the clean-up is not complete yet"
    failing = False
    async with asyncio.timeout(DEADLINE_S):
        while system.supervisors.get(record.uid) is not None:
            system.clock.advance(AGAIN_AFTER_FAULT_S)
            await asyncio.sleep(0)
    assert cleaned == 1, "the job's file is removed"


async def test_a_supervisor_is_found_by_the_id_of_its_job_until_the_job_has_ended(system: Any) -> None:
    record = await running(system)
    assert system.supervisors.get_by_id("a") is system.supervisors.get(record.uid)
    system.engine.end("a", "worker", 0)
    await system.ended(record, tick_s=0.5)
    async with asyncio.timeout(DEADLINE_S):
        while system.supervisors.get(record.uid) is not None:
            await asyncio.sleep(0)
    assert system.supervisors.get_by_id("a") is None
