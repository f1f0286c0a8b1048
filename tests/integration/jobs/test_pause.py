"""Paused running jobs, on the engine in memory: workers stand still, over a restart of jobd too, and every end works."""

from datetime import timedelta
from typing import Any

import pytest

from jobd.errors import Conflict, NotFound
from jobd.jobs.state import facts, freezing
from jobd.wire.views.queue import GroupView
from tests.support.fakes.worker import WorkerScript

RUNS_S = 30.0
LIMIT_S = 100_000
"""More than the clock moves while a loaded machine stores a change."""


async def started(system: Any, runs_s: float | None = RUNS_S, **fields: Any) -> Any:
    """Returns a job whose worker runs for `runs_s`; None: until a signal."""
    system.engine.workers[fields["id"]] = WorkerScript(runs_s=runs_s)
    record = await system.submit(**fields)
    return await system.until(record, lambda now: now.started_at is not None)


async def frozen(system: Any, record: Any) -> Any:
    return await system.until(record, lambda now: freezing.is_frozen(now.worker))


async def thawed(system: Any, record: Any) -> Any:
    return await system.until(record, lambda now: now.worker.freeze is None)


async def time_passes(system: Any, record: Any, steps: int, step_s: float = 1) -> None:
    for _ in range(steps):
        system.clock.advance(step_s)
        await system.stored(record)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("whole", [False, True])
async def test_running_workers_stand_still_until_the_resume(system: Any, restarts: bool, whole: bool) -> None:
    record = await started(system, id="a", group="gpu", timeout_seconds=LIMIT_S)
    other = await started(system, id="b")
    if whole:
        assert (await system.groups.pause_all(True, running=True)).running_paused
        await frozen(system, other)
    else:
        view = await system.groups.pause("gpu", True, running=True)
        assert view == GroupView(name="gpu", running=1, waiting=0, paused=True, running_paused=True)
    await frozen(system, record)
    if restarts:
        await system.restart()
    await time_passes(system, record, 10, LIMIT_S)
    view = await system.service.get("a")
    held = "the queue" if whole else "group 'gpu'"
    assert (view.paused, view.waiting_for) == (True, f"{held} to be resumed")
    assert view.paused_seconds == 10 * LIMIT_S
    assert (await system.service.get("b")).paused == whole
    if whole:
        assert not (await system.groups.pause_all(False)).running_paused
    else:
        assert not (await system.groups.pause("gpu", False)).running_paused
    await thawed(system, record)
    ended = await system.ended(record, tick_s=1)
    assert ended.status == "completed"
    assert 10 * LIMIT_S <= ended.frozen_s <= 11 * LIMIT_S
    view = await system.service.get("a")
    assert (view.paused, view.waiting_for, view.paused_seconds) == (False, None, ended.frozen_s)


@pytest.mark.parametrize("restarts", [False, True])
async def test_one_job_is_paused_before_its_start_and_while_it_runs(system: Any, restarts: bool) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=RUNS_S)
    await system.groups.pause_all(True)
    record = await system.submit(id="a", timeout_seconds=LIMIT_S)
    view = await system.service.pause("a", True)
    assert list(system.queue.waits()) == [("default", "job-paused", 1)]
    assert (view.paused, view.waiting_for) == (True, "the job to be resumed: number 1 in the queue")
    await system.groups.pause_all(False)
    if restarts:
        await system.restart()
    other = await system.submit(id="b")
    assert (await system.ended(other, tick_s=0.5)).status == "completed", "others pass the paused job"
    assert (await system.stored(record)).phase == "queued"
    assert not (await system.service.pause("a", False)).paused
    await system.until(record, lambda now: now.started_at is not None)
    await system.service.pause("a", True)
    await frozen(system, record)
    if restarts:
        await system.restart()
    view = await system.service.get("a")
    assert (view.paused, view.waiting_for) == (True, "the job to be resumed")
    await system.service.pause("a", False)
    assert (await system.ended(record, tick_s=1)).status == "completed"


async def test_a_worker_that_starts_during_a_pause_is_frozen(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=RUNS_S)
    record = await system.submit(id="a")
    supervisor = system.supervisors.get(record.uid)
    await system.until(
        record, lambda now: now.worker is not None
    )  # the start is requested, and cannot be undone
    await system.groups.pause_all(True, running=True)
    await frozen(system, record)
    assert supervisor.record.started_at is not None


async def test_a_pause_without_a_word_on_running_jobs_leaves_them_as_they_are(system: Any) -> None:
    record = await started(system, id="a", group="gpu")
    assert not (await system.groups.pause("gpu", True)).running_paused
    assert (await system.groups.pause("gpu", True, running=True)).running_paused
    await frozen(system, record)
    assert (await system.groups.pause("gpu", True)).running_paused
    assert (await system.groups.put("gpu", 3, None)).running_paused
    assert not (await system.groups.pause("gpu", True, running=False)).running_paused
    await thawed(system, record)
    assert system.groups.show("gpu").paused
    await system.groups.pause("gpu", True, running=True)
    await frozen(system, record)
    assert not (await system.groups.put("gpu", None, False)).running_paused
    await thawed(system, record)
    await system.groups.pause("gpu", True, running=True)
    await frozen(system, record)
    await system.groups.remove("gpu")
    await thawed(system, record)
    await system.groups.pause_all(True)
    assert not (await system.groups.pause_all(True)).running_paused
    assert (await system.groups.pause_all(True, running=True)).running_paused
    assert (await system.groups.pause_all(True)).running_paused
    assert not (await system.groups.pause_all(False)).running_paused
    assert not (await system.groups.pause_all(True)).running_paused


@pytest.mark.parametrize("grace_s", [0.0, 10.0])
async def test_a_paused_job_is_cancelled_at_once(system: Any, grace_s: float) -> None:
    record = await started(system, id="a")
    await system.groups.pause_all(True, running=True)
    await frozen(system, record)
    await system.service.cancel("a", facts.CancelRequested(by="me", grace_s=grace_s, delete=False))
    ended = await system.ended(record)
    assert (ended.status, ended.exit_code) == ("cancelled", 137 if grace_s == 0 else 143)


async def test_a_paused_job_is_deleted_at_once(system: Any) -> None:
    record = await started(system, id="a")
    await system.service.pause("a", True)
    await frozen(system, record)
    await system.service.delete("a", by="me")
    await system.until(record, lambda now: now.removal is not None)
    assert await system.engine.refs() == []


async def test_a_cancel_ends_a_worker_that_the_engine_does_not_thaw(system: Any) -> None:
    record = await started(system, id="a")
    await system.service.pause("a", True)
    await frozen(system, record)
    system.engine.refuse_thaw = "no"
    await system.service.cancel("a", facts.CancelRequested(by="me", grace_s=3.0, delete=False))
    assert (await system.ended(record, tick_s=0.5)).exit_code == 137


async def test_a_refusal_of_the_engine_is_told_and_harmless(system: Any) -> None:
    system.engine.refuse_freeze = "the engine cannot pause the container: no freezer"
    record = await started(system, None, id="a")
    await system.groups.pause_all(True, running=True)
    await system.until(record, lambda now: now.worker.freeze_refusal is not None)
    view = await system.service.get("a")
    text = "the command to end, which runs on: the engine cannot pause the container: no freezer"
    assert (view.paused, view.waiting_for) == (False, text)
    system.engine.refuse_freeze = None
    await system.until(record, lambda now: freezing.is_frozen(now.worker), tick_s=0.5)
    await system.groups.pause_all(False)
    await thawed(system, record)


async def test_a_refusal_ends_with_the_pause(system: Any) -> None:
    system.engine.refuse_freeze = "no"
    record = await started(system, id="a", timeout_seconds=LIMIT_S)
    await system.groups.pause_all(True, running=True)
    await system.until(record, lambda now: now.worker.freeze_refusal is not None)
    await system.groups.pause_all(False)
    await system.until(record, lambda now: now.worker.freeze_refusal is None)
    assert (await system.ended(record, tick_s=1)).frozen_s == 0


async def test_a_worker_that_another_program_thaws_is_frozen_again(system: Any) -> None:
    record = await started(system, None, id="a")
    await system.service.pause("a", True)
    await frozen(system, record)
    await time_passes(system, record, 5)
    system.engine.thaw_from_outside("a")
    await system.until(record, lambda now: now.frozen_s > 0 and freezing.is_frozen(now.worker), tick_s=0.5)


async def test_a_pause_waits_for_an_engine_that_is_away(system: Any) -> None:
    record = await started(system, None, id="a", timeout_seconds=LIMIT_S)
    system.engine.errors["freeze_worker"] = "the engine is stopping"
    await system.groups.pause_all(True, running=True)
    await system.until(record, lambda now: now.worker.freeze is not None)
    del system.engine.errors["freeze_worker"]
    await system.until(record, lambda now: freezing.is_frozen(now.worker), tick_s=0.5)
    system.engine.errors["thaw_worker"] = "the engine is stopping"
    await system.groups.pause_all(False)
    await system.until(record, lambda now: now.worker.freeze.thaw_at is not None)
    system.engine.away = True
    system.clock.advance(2 * LIMIT_S)
    system.engine.away = False
    del system.engine.errors["thaw_worker"]
    now = await system.until(record, lambda now: now.worker.freeze is None, tick_s=0.5)
    assert now.frozen_s >= 2 * LIMIT_S, "the worker stood still meanwhile"


async def test_a_worker_that_ends_with_the_engine_during_a_pause_is_lost(system: Any) -> None:
    record = await started(system, id="a")
    await system.groups.pause_all(True, running=True)
    await frozen(system, record)
    system.engine.restart()
    ended = await system.ended(record, tick_s=0.5)
    assert (ended.status, ended.reason) == ("failed", "lost")


async def test_a_clock_that_is_set_during_a_pause_changes_nothing(system: Any) -> None:
    record = await started(system, id="a", timeout_seconds=LIMIT_S)
    await system.service.pause("a", True)
    now = await frozen(system, record)
    left = now.worker.deadline - now.worker.freeze.since
    system.clock.advance(100)
    system.clock.jump(-86400)
    await system.restart()
    system.clock.advance(100)
    await system.service.pause("a", False)
    now = await thawed(system, record)
    assert now.frozen_s == 200
    assert abs(now.worker.deadline - system.clock.now() - left) <= timedelta(seconds=1)


async def test_a_pause_of_no_job_is_refused(system: Any) -> None:
    with pytest.raises(NotFound):
        await system.service.pause("a", True)
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(id="a")
    await system.until(record, lambda now: now.started_at is not None)
    await system.service.pause("a", False)  # not paused
    await system.service.cancel("a", facts.CancelRequested(by="me", grace_s=3600, delete=False))
    system.engine.workers["b"] = WorkerScript()
    with pytest.raises(
        Conflict, match=r"has ended already|is being cancelled|the command of job 'a' has ended"
    ):
        await system.service.pause("a", True)
    await system.ended(record)
    for paused in (True, False):
        with pytest.raises(Conflict, match="job 'a' has ended already"):
            await system.service.pause("a", paused)


async def test_frozen_workers_are_counted(system: Any) -> None:
    record = await started(system, id="a")
    assert system.supervisors.frozen == 0
    await system.service.pause("a", True)
    await frozen(system, record)
    assert system.supervisors.frozen == 1


async def test_an_adopted_frozen_worker_is_followed_from_its_thaw_on(system: Any) -> None:
    record = await started(system, None, id="a")
    await system.service.pause("a", True)
    await frozen(system, record)
    await system.restart()
    await time_passes(system, record, 10)
    await system.service.pause("a", False)
    await thawed(system, record)

    def followed(_: Any) -> bool:
        output = system.live_outputs.of(record.uid)
        return output is not None and not output.ended.is_set()

    await system.until(record, followed, tick_s=0.5)
