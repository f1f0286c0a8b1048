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
async def test_a_job_runs_to_its_end_with_its_log_and_events(system: Any, hints_say_all: bool) -> None:
    system.engine.hints_say_all = hints_say_all
    system.engine.workers["a"] = WorkerScript(lines=["one", "two"], rest="three", exit_code=4)
    record = await system.ended(await system.submit())
    assert (record.status, record.reason, record.exit_code) == ("failed", "exit-code", 4)
    types = await system.event_types(record)
    assert (types[0], types[-2:]) == ("start", ["exit", "complete"])
    logged = [
        line
        for event in await system.events(record)
        if event["type"].endswith(".log")
        for line in event["data"]["lines"]
    ]
    assert logged == ["one", "two", "three"]
    assert [event["jobsequence"] for event in await system.events(record)] == list(range(1, len(types) + 1))
    assert len(system.engine.starts) == 1


async def test_a_job_with_artifacts_runs_to_its_end(system: Any) -> None:
    record = await system.ended(await system.submit(INPUT, OUTPUT))
    assert record.status == "completed"
    assert await system.event_types(record) == ["artifact", "start", "exit", "artifact", "complete"]
    assert {name: state.status for name, state in record.attempt.artifacts.items()} == {
        "in": "success",
        "out": "success",
    }


async def test_a_missing_image_fails_the_job_with_its_name(system: Any) -> None:
    system.engine.missing_images.add("busybox")
    record = await system.ended(await system.submit())
    assert (record.status, record.reason) == ("failed", "image-not-found")
    assert "busybox" in (record.error or "")


async def test_a_missing_sidecar_image_fails_only_jobs_that_need_it(system: Any) -> None:
    system.engine.sidecar_image_missing = True
    assert (await system.ended(await system.submit(id="plain"))).status == "completed"
    assert (await system.ended(await system.submit(INPUT, id="files"))).reason == "image-not-found"


async def test_a_command_that_does_not_start(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(start_error=(127, "no such file"))
    record = await system.ended(await system.submit())
    assert (record.reason, record.error) == ("start-failed", "no such file")
    assert await system.event_types(record) == ["exit", "complete"]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_start_whose_answer_was_lost_runs_the_worker_once(system: Any, lost: Any) -> None:
    system.engine.lose_start = lost
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.worker is not None)
    system.engine.lose_start = None
    record = await system.until(record, lambda now: now.status == "running", tick_s=0.5)
    system.engine.end("a", "worker", 0)
    record = await system.ended(record, tick_s=0.5)
    assert record.status == "completed"
    assert len(system.engine.starts) == 1


async def test_a_start_that_was_not_sent_is_repeated_at_once(system: Any) -> None:
    tries, start = [], system.engine.start_worker

    async def refused_twice(ref: JobRef) -> Any:
        tries.append((await system.engine.observe(ref)).worker.id)
        if len(tries) <= 2:
            raise EngineUnavailable("connection refused", unsent=True)
        return await start(ref)

    system.engine.start_worker = refused_twice
    record = await system.ended(await system.submit(), tick_s=0.1)
    assert record.status == "completed"
    assert (len(tries), len(set(tries)), len(system.engine.starts)) == (3, 1, 1)


async def test_a_cancelled_job_whose_start_was_not_sent_ends(system: Any) -> None:
    async def refused(ref: JobRef) -> Any:
        await system.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
        raise EngineUnavailable("connection refused", unsent=True)

    system.engine.start_worker = refused
    record = await system.ended(await system.submit(), tick_s=0.1)
    assert (record.status, record.exit_code, system.engine.starts) == ("cancelled", None, [])


@pytest.mark.parametrize("fate", ["removed", "ended"])
async def test_a_worker_is_not_started_beside_a_sidecar_that_does_not_wait(system: Any, fate: str) -> None:
    system.engine.lose_start = "before"
    record = await system.submit(INPUT, OUTPUT)
    record = await system.until(record, lambda now: now.worker is not None)
    if fate == "ended":
        system.engine.end("a", "sidecar", 143)
    else:
        await system.engine.remove(JobRef(record.uid, record.id, record.attempt.number), "sidecar")
    system.engine.lose_start = None
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.reason) == ("completed", None)
    assert record.setup.sidecar_runs == 2
    assert len(system.engine.starts) == 1


async def test_no_worker_is_started_without_its_inputs(system: Any) -> None:
    system.engine.lose_start = "before"
    record = await system.submit(INPUT)
    record = await system.until(record, lambda now: now.worker is not None)
    await system.engine.remove(JobRef(record.uid, record.id, record.attempt.number), "sidecar")
    system.engine.lose_start = None
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.reason) == ("completed", None)
    assert record.setup.sidecar_runs == 2
    assert len(system.engine.starts) == 1


async def test_a_job_over_its_time_is_stopped_and_then_killed(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None, ignores_sigterm=True)
    record = await system.submit(timeout_seconds=60)
    record = await system.ended(record, tick_s=1)
    assert (record.status, record.reason, record.exit_code) == ("failed", "timeout", 137)


@pytest.mark.parametrize(("oom", "reason"), [(True, "oom-killed"), (False, "exit-code")])
async def test_out_of_memory_differs_from_an_external_kill(system: Any, oom: bool, reason: str) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    system.engine.end("a", "worker", 137, cause=EndCause.OUT_OF_MEMORY if oom else EndCause.SIGNAL)
    record = await system.ended(record)
    assert (record.status, record.reason, record.exit_code) == ("failed", reason, 137)


async def test_out_of_memory_reported_late_is_out_of_memory(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    system.engine.end("a", "worker", 137, told_late=True)
    record = await system.ended(record)
    assert (record.status, record.reason, record.exit_code) == ("failed", "oom-killed", 137)


async def test_a_job_that_is_cancelled_ends_with_its_record_kept(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    await system.service.cancel("a", facts.CancelRequested(by="uid 1000", grace_s=5, delete=False))
    record = await system.ended(record)
    assert (record.status, record.exit_code, record.cancel.by) == ("cancelled", 143, "uid 1000")
    with pytest.raises(Conflict):
        await system.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    assert (await system.service.get("a")).status == "cancelled"


async def test_a_job_that_is_deleted_is_not_found_at_once_and_leaves_nothing(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    await system.service.delete("a", by="x")
    with pytest.raises(NotFound):
        await system.service.get("a")
    record = await system.until(record, lambda now: now.removal)
    assert record.status == "cancelled"
    assert await system.engine.refs() == []
    assert (await system.event_types(record))[-1] == "complete"
    system.engine.workers.clear()
    again = await system.ended(await system.submit())
    assert again.uid != record.uid


async def test_a_queued_job_is_cancelled_without_a_slot(system: Any) -> None:
    for name in ("x", "y"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        await system.submit(id=name)
    waiting = await system.submit()
    view = await system.service.get("a")
    assert (view.phase, view.queue_position) == ("queued", 1)
    await system.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    assert (await system.ended(waiting)).status == "cancelled"
    assert (system.queue.running, system.queue.waiting) == (2, 0)


async def test_a_slot_is_free_once_a_job_ends(system: Any) -> None:
    for name in ("x", "y"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        await system.until(await system.submit(id=name), lambda now: now.started_at is not None)
    waiting = await system.submit()
    assert (await system.service.get("a")).queue_position == 1
    system.engine.end("x", "worker", 0)
    assert (await system.ended(waiting)).status == "completed"


async def test_a_supervisor_waits_for_an_unavailable_engine(system: Any) -> None:
    system.engine.away = True
    record = await system.submit()
    await system.until(record, lambda now: now.phase == "pulling", tick_s=0.1)
    system.engine.away = False
    assert (await system.ended(record, tick_s=0.1)).status == "completed"


async def test_a_job_continues_after_a_restart_in_any_phase(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["one"], runs_s=None)
    system.engine.sidecars["a"] = SidecarScript(outputs=[])
    record = await system.submit(INPUT, OUTPUT)
    await system.restart()
    await system.until(record, lambda now: now.started_at is not None and now.log.seq == 1)
    await system.restart()
    system.engine.end("a", "worker", 0)
    await system.until(record, lambda now: now.phase == "outputs" and now.state.told_at is not None)
    await system.restart()
    system.engine.sidecars.clear()
    system.engine.end("a", "sidecar", 9)
    record = await system.ended(record, tick_s=0.1)
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert await system.event_types(record) == ["artifact", "start", "log", "exit", "complete"]
    assert len(system.engine.starts) == 1


async def test_a_worker_that_ended_while_jobd_was_down_is_found_with_its_code_and_log(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["one"], rest="two", runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None and now.log.seq == 1)
    await system.stop()
    system.engine.end("a", "worker", 6)
    await system.restart()
    record = await system.ended(record)
    assert (record.exit_code, record.log.seq) == (6, 2)


async def test_a_worker_that_was_removed_by_hand_is_lost(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.started_at is not None)
    system.engine.remove_by_hand("a", "worker")
    assert (await system.ended(record)).reason == "lost"


async def test_one_id_submitted_many_times_at_once_is_one_job(system: Any) -> None:
    results = await asyncio.gather(*(system.submit() for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, Conflict) for result in results if isinstance(result, BaseException))


async def test_hints_do_not_shorten_the_pause_after_a_failure_but_a_reconnect_and_a_cancel_request_do(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def away(*_: Any) -> Any:
        nonlocal tries
        tries += 1
        raise EngineUnavailable("away")

    async def more_than(before: int) -> None:
        async with asyncio.timeout(60):
            while tries <= before:
                await system.stored(record)

    monkeypatch.setattr(system.engine, "prepare", away)
    record = await system.submit()
    await more_than(0)
    for _ in range(5):  # the first hints have arrived
        await system.stored(record)
    before = tries
    for _ in range(20):
        system.supervisors.hint(Changed(record.uid, "worker"))
        await system.stored(record)
    assert tries == before
    system.supervisors.hint(Connected())
    await more_than(before)
    await system.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    assert (await system.ended(record)).status == "cancelled"
