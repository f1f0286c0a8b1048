"""Groups: limits and pauses hold, are stored, and a restart changes none of them."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest, NotFound
from jobd.jobs import groups
from jobd.wire.views.queue import GroupView
from tests.support.fakes.worker import WorkerScript


def scripts(system: Any, *names: str) -> None:
    for name in names:
        system.engine.workers[name] = WorkerScript(runs_s=None)


async def test_a_group_runs_as_many_jobs_as_its_limit_allows_and_others_pass(system: Any) -> None:
    scripts(system, "a", "b", "c")
    await system.groups.put("gpu", 1, None)
    jobs = [await system.submit(id=name, group="gpu") for name in ("a", "b")]
    other = await system.submit(id="c")
    await system.until(other, lambda now: now.started_at is not None)
    assert (await system.stored(jobs[1])).phase == "queued"
    view = await system.service.get("b")
    assert view.waiting_for == "a free place in group 'gpu', which runs 1 at once: number 1 in the queue"
    assert system.groups.show("gpu") == GroupView(name="gpu", limit=1, running=1, waiting=1)
    await system.groups.put("gpu", None, None)
    system.engine.end("c", "worker", 0)
    await system.until(jobs[1], lambda now: now.started_at is not None, tick_s=0.5)


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_paused_group_starts_nothing_until_it_is_resumed(system: Any, restarts: bool) -> None:
    await system.groups.put("night", None, True)
    record = await system.submit(id="a", group="night")
    assert (await system.ended(await system.submit(id="b"), tick_s=0.5)).status == "completed"
    if restarts:
        await system.restart()
    assert system.groups.show("night").paused
    assert (await system.service.get("a")).waiting_for == "group 'night' to be resumed: number 1 in the queue"
    await system.groups.pause("night", False)
    assert (await system.ended(record, tick_s=0.5)).status == "completed"


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_pause_of_everything_starts_nothing_and_keeps_the_groups_own_settings(
    system: Any, restarts: bool
) -> None:
    await system.groups.put("gpu", 3, True)
    await system.groups.pause_all(True)
    record = await system.submit(id="a")
    if restarts:
        await system.restart()
    queue = system.groups.show_queue()
    assert (queue.paused, queue.limit, queue.running, queue.waiting) == (True, 2, 0, 1)
    assert queue.groups == [
        GroupView(name="default", running=0, waiting=1),
        GroupView(name="gpu", running=0, waiting=0, limit=3, paused=True),
    ]
    assert (await system.groups.pause_all(False)).paused is False
    assert (await system.ended(record, tick_s=0.5)).status == "completed"
    assert system.groups.show("gpu").paused


async def test_the_settings_of_a_group_with_waiting_jobs_are_not_removed(system: Any) -> None:
    await system.groups.put("gpu", None, None)
    await system.groups.pause("gpu", True)
    record = await system.submit(id="a", group="gpu")
    with pytest.raises(Conflict, match="1 job of group 'gpu' waits"):
        await system.groups.remove("gpu")
    await system.groups.pause("gpu", False)
    await system.ended(record, tick_s=0.5)
    await system.groups.remove("gpu")
    for call in (system.groups.pause("gpu", True), asyncio.to_thread(system.groups.show, "gpu")):
        with pytest.raises(NotFound, match="group 'gpu' has neither settings nor jobs"):
            await call
    assert (await system.store.load_queue()).groups == []
    with pytest.raises(NotFound):
        await system.groups.remove("gpu")


async def test_a_change_completes_although_its_caller_is_cancelled(system: Any) -> None:
    calls = [asyncio.create_task(system.groups.put("gpu", n, None)) for n in range(1, 9)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await system.groups.put("other", 1, None)
    stored = {group.name: group.limit for group in (await system.store.load_queue()).groups}
    assert stored["gpu"] == system.groups.show("gpu").limit == 8


async def test_the_number_of_groups_with_settings_is_bounded(system: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(groups, "MAX_GROUPS", 2)
    for name in ("a", "b", "a"):
        await system.groups.put(name, 1, None)
    with pytest.raises(Conflict, match="2 groups have settings"):
        await system.groups.put("c", None, True)
    with pytest.raises(InvalidRequest, match="the group's name must start with"):
        await system.groups.put("-", 1, None)
