"""The memory of unfinished jobs and their watchers."""

import asyncio
from typing import Any

import pytest

from jobd.errors import QueueFull
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.record.record_form import encode_record
from tests.support.fakes.worker import WorkerScript

PLACES, MAY_WAIT = 2, 100


async def test_no_more_supervisors_than_queued_jobs_and_none_of_those_has_its_spec(system: Any) -> None:
    async def submit(name: str) -> Any:
        system.engine.workers[name] = WorkerScript(runs_s=None)
        return await system.submit(id=name, environment={"TEXT": "x" * 100_000})

    records = []
    for n in range(PLACES + MAY_WAIT):
        records.append(await submit(f"j{n}"))
        if n < PLACES:
            await system.until(records[n], lambda now: now.phase == "running")
    with pytest.raises(QueueFull):
        await submit("beyond")
    assert len(system.supervisors) == PLACES + MAY_WAIT
    await system.restart()
    assert len(system.supervisors) == PLACES + MAY_WAIT
    await system.until(records[0], lambda now: now.phase == "running")
    waiting = [one for one in system.supervisors if one.record.phase == "queued"]
    assert len(waiting) == MAY_WAIT
    assert all(one._job_state._spec is None for one in waiting)
    assert max(len(encode_record(one.record)) for one in waiting) < 2000
    assert len(system.supervisors._tasks) == len(system.supervisors._supervisors)


async def test_the_notifier_drops_watchers_that_have_left() -> None:
    change_notifier = ChangeNotifier()

    async def watch(uid: str) -> None:
        with change_notifier.watch(uid) as news:
            await news.wait()

    watching = [asyncio.create_task(watch(f"u{n % 3}")) for n in range(30)]
    await asyncio.sleep(0)
    assert sum(len(events) for events in change_notifier._events.values()) == 30
    change_notifier.notify("u0")
    change_notifier.notify("nobody")
    for one in watching[1::3]:
        one.cancel()
    await asyncio.gather(*watching[0::3], *watching[1::3], return_exceptions=True)
    assert set(change_notifier._events) == {"u2"}
    for one in watching:
        one.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    assert change_notifier._events == {}
