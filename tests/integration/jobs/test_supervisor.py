"""One job from its submission to its end, on a real store: the record, the events, and the containers."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, NotFound
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.hints import Changed, Connected
from jobd.jobs.port.model import EndCause, JobRef
from jobd.jobs.state import facts
from jobd.wire.artifact import Read, Write
from tests.support.fakes.sidecar import SidecarScript
from tests.support.fakes.worker import WorkerScript

INPUT = Write(id="in", source="x", out="f")
OUTPUT = Read(id="out", source="f", depends="job")


@pytest.mark.parametrize("hints_say_all", [True, False])
async def test_a_job_runs_to_its_end_with_its_log_and_events(house: Any, hints_say_all: bool) -> None:
    house.engine.hints_say_all = hints_say_all
    house.engine.workers["a"] = WorkerScript(lines=["one", "two"], rest="three", exit_code=4)
    record = await house.ended(await house.submit())
    assert (record.status, record.reason, record.exit_code) == ("failed", "exit-code", 4)
    types = await house.event_types(record)
    assert (types[0], types[-2:]) == ("start", ["exit", "complete"])
    logged = [
        line
        for event in await house.events(record)
        if event["type"].endswith(".log")
        for line in event["data"]["lines"]
    ]
    assert logged == ["one", "two", "three"]
    assert [event["jobsequence"] for event in await house.events(record)] == list(range(1, len(types) + 1))
    assert len(house.engine.starts) == 1


async def test_a_job_with_artifacts_runs_to_its_end(house: Any) -> None:
    record = await house.ended(await house.submit(INPUT, OUTPUT))
    assert record.status == "completed"
    assert await house.event_types(record) == ["artifact", "start", "exit", "artifact", "complete"]
    assert {name: state.status for name, state in record.attempt.artifacts.items()} == {
        "in": "success",
        "out": "success",
    }


async def test_a_missing_image_fails_the_job_with_its_name(house: Any) -> None:
    house.engine.missing_images.add("busybox")
    record = await house.ended(await house.submit())
    assert (record.status, record.reason) == ("failed", "image-not-found")
    assert "busybox" in (record.error or "")


async def test_a_missing_sidecar_image_fails_only_jobs_that_need_it(house: Any) -> None:
    house.engine.sidecar_image_missing = True
    assert (await house.ended(await house.submit(id="plain"))).status == "completed"
    assert (await house.ended(await house.submit(INPUT, id="files"))).reason == "image-not-found"


async def test_a_command_that_does_not_start(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(start_error=(127, "no such file"))
    record = await house.ended(await house.submit())
    assert (record.reason, record.error) == ("start-failed", "no such file")
    assert await house.event_types(record) == ["exit", "complete"]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_start_whose_answer_was_lost_runs_the_worker_once(house: Any, lost: Any) -> None:
    house.engine.lose_start = lost
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.worker is not None)
    house.engine.lose_start = None
    record = await house.until(record, lambda now: now.status == "running", tick_s=0.5)
    house.engine.end("a", "worker", 0)
    record = await house.ended(record, tick_s=0.5)
    assert record.status == "completed"
    assert len(house.engine.starts) == 1


async def test_no_worker_is_started_without_its_inputs(house: Any) -> None:
    house.engine.lose_start = "before"
    record = await house.submit(INPUT)
    record = await house.until(record, lambda now: now.worker is not None)
    await house.engine.remove(JobRef(record.uid, record.id, record.attempt.number), "sidecar")
    house.engine.lose_start = None
    record = await house.ended(record, tick_s=0.5)
    assert (record.status, record.reason) == ("failed", "input-failed")
    assert "removed" in (record.error or "")
    assert house.engine.starts == []


async def test_a_job_over_its_time_is_stopped_and_then_killed(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None, ignores_sigterm=True)
    record = await house.submit(timeout_seconds=60)
    record = await house.ended(record, tick_s=1)
    assert (record.status, record.reason, record.exit_code) == ("failed", "timeout", 137)


@pytest.mark.parametrize(("oom", "reason"), [(True, "oom-killed"), (False, "exit-code")])
async def test_out_of_memory_differs_from_an_external_kill(house: Any, oom: bool, reason: str) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    house.engine.end("a", "worker", 137, cause=EndCause.OUT_OF_MEMORY if oom else EndCause.SIGNAL)
    record = await house.ended(record)
    assert (record.status, record.reason, record.exit_code) == ("failed", reason, 137)


async def test_out_of_memory_reported_late_is_out_of_memory(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    house.engine.end("a", "worker", 137, told_late=True)
    record = await house.ended(record)
    assert (record.status, record.reason, record.exit_code) == ("failed", "oom-killed", 137)


async def test_a_job_that_is_cancelled_ends_with_its_record_kept(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    await house.service.cancel("a", facts.CancelRequested(by="uid 1000", grace_s=5, delete=False))
    record = await house.ended(record)
    assert (record.status, record.exit_code, record.cancel.by) == ("cancelled", 143, "uid 1000")
    with pytest.raises(Conflict):
        await house.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    assert (await house.service.get("a")).status == "cancelled"


async def test_a_job_that_is_deleted_is_not_found_at_once_and_leaves_nothing(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    await house.service.delete("a", by="x")
    with pytest.raises(NotFound):
        await house.service.get("a")
    record = await house.until(record, lambda now: now.removal)
    assert record.status == "cancelled"
    assert await house.engine.refs() == []
    assert (await house.event_types(record))[-1] == "complete"
    house.engine.workers.clear()
    again = await house.ended(await house.submit())
    assert again.uid != record.uid


async def test_a_queued_job_is_cancelled_without_a_slot(house: Any) -> None:
    for name in ("x", "y"):
        house.engine.workers[name] = WorkerScript(runs_s=None)
        await house.submit(id=name)
    waiting = await house.submit()
    view = await house.service.get("a")
    assert (view.phase, view.queue_position) == ("queued", 1)
    await house.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    assert (await house.ended(waiting)).status == "cancelled"
    assert (house.queue.running, house.queue.waiting) == (2, 0)


async def test_a_slot_is_free_once_a_job_ends(house: Any) -> None:
    for name in ("x", "y"):
        house.engine.workers[name] = WorkerScript(runs_s=None)
        await house.until(await house.submit(id=name), lambda now: now.started_at is not None)
    waiting = await house.submit()
    assert (await house.service.get("a")).queue_position == 1
    house.engine.end("x", "worker", 0)
    assert (await house.ended(waiting)).status == "completed"


async def test_a_supervisor_waits_for_an_unavailable_engine(house: Any) -> None:
    house.engine.away = True
    record = await house.submit()
    await house.until(record, lambda now: now.phase == "pulling", tick_s=0.1)
    house.engine.away = False
    assert (await house.ended(record, tick_s=0.1)).status == "completed"


async def test_a_job_continues_after_a_restart_in_any_phase(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one"], runs_s=None)
    house.engine.sidecars["a"] = SidecarScript(outputs=[])
    record = await house.submit(INPUT, OUTPUT)
    await house.restart()
    await house.until(record, lambda now: now.started_at is not None and now.log.seq == 1)
    await house.restart()
    house.engine.end("a", "worker", 0)
    await house.until(record, lambda now: now.phase == "outputs" and now.state.told_at is not None)
    await house.restart()
    house.engine.sidecars.clear()
    house.engine.end("a", "sidecar", 9)
    record = await house.ended(record, tick_s=0.1)
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert await house.event_types(record) == ["artifact", "start", "log", "exit", "complete"]
    assert len(house.engine.starts) == 1


async def test_a_worker_that_ended_while_jobd_was_down_is_found_with_its_code_and_log(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one"], rest="two", runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None and now.log.seq == 1)
    await house.stop()
    house.engine.end("a", "worker", 6)
    await house.restart()
    record = await house.ended(record)
    assert (record.exit_code, record.log.seq) == (6, 2)


async def test_a_worker_that_was_removed_by_hand_is_lost(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.started_at is not None)
    house.engine.remove_by_hand("a", "worker")
    assert (await house.ended(record)).reason == "lost"


async def test_one_id_submitted_many_times_at_once_is_one_job(house: Any) -> None:
    results = await asyncio.gather(*(house.submit() for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, Conflict) for result in results if isinstance(result, BaseException))


async def test_hints_do_not_shorten_the_pause_after_a_failure_but_a_reconnect_and_a_cancel_request_do(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def away(*_: Any) -> Any:
        nonlocal tries
        tries += 1
        raise EngineUnavailable("away")

    async def more_than(before: int) -> None:
        async with asyncio.timeout(60):
            while tries <= before:
                await house.stored(record)

    monkeypatch.setattr(house.engine, "ensure_image", away)
    record = await house.submit()
    await more_than(0)
    for _ in range(5):  # the first hints have arrived
        await house.stored(record)
    before = tries
    for _ in range(20):
        house.supervisors.hint(Changed(record.uid, "worker"))
        await house.stored(record)
    assert tries == before
    house.supervisors.hint(Connected())
    await more_than(before)
    await house.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    assert (await house.ended(record)).status == "cancelled"
