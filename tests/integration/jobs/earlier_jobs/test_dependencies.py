"""Jobs that wait for the end of other jobs: each condition, each end, also over a restart, and chains of them."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.admission.submission import Submission
from jobd.jobs.record.record import Record
from jobd.jobs.state import facts
from jobd.wire.job import Condition, Dependency, JobSpec
from tests.support.fakes.worker import WorkerScript


def after(*ids: str, on: Condition = "completed") -> list[Dependency]:
    return [Dependency(job=one, on=on) for one in ids]


async def running(system: Any, name: str) -> Record:
    system.engine.workers[name] = WorkerScript(runs_s=None)
    # The clock, which the tests move while they wait, does not reach the job's time limit.
    record = await system.submit(id=name, timeout_seconds=8784 * 3600)
    started: Record = await system.until(record, lambda now: now.started_at is not None)
    return started


async def cancel(system: Any, name: str) -> None:
    await system.service.cancel(name, facts.CancelRequested(by="x", grace_s=0, delete=False))


@pytest.mark.parametrize(
    ("on", "end", "runs"),
    [
        ("completed", 0, True), ("completed", 3, False), ("completed", None, False),
        ("failed", 0, False), ("failed", 3, True), ("failed", None, False),
        ("any", 0, True), ("any", 3, True), ("any", None, True),
    ],
)  # fmt: skip
async def test_a_job_runs_if_its_dependency_ends_as_required_and_else_is_cancelled(
    system: Any, on: Condition, end: int | None, runs: bool
) -> None:
    await running(system, "first")
    second = await system.submit(id="second", after=after("first", on=on))
    view = await system.service.get("second")
    assert view.waiting_for is not None
    assert view.waiting_for.endswith("of job 'first': number 1 in the queue")
    assert [(one.job, one.on) for one in view.after] == [("first", on)]
    if end is None:
        await cancel(system, "first")
    else:
        system.engine.end("first", "worker", end)
    ended = await system.ended(second, tick_s=0.5)
    assert (ended.status, ended.reason) == (("completed", None) if runs else ("cancelled", "dependency"))
    assert ended.scheduling.after == []
    if not runs:
        assert "job 'first'" in ended.error
        assert (await system.event_types(second))[-2:] == ["exit", "complete"]
        assert (await system.service.get("second")).cancelled_by is None


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_failure_cancels_the_whole_chain_behind_it(system: Any, restarts: bool) -> None:
    await running(system, "first")
    chain = [await system.submit(id=f"c{n}", after=after(f"c{n - 1}" if n else "first")) for n in range(5)]
    beside = await system.submit(id="beside", after=after("c4", on="any"))
    if restarts:
        await system.restart()
    system.engine.end("first", "worker", 1)
    for record in chain:
        ended = await system.ended(record, tick_s=0.5)
        assert (ended.status, ended.reason) == ("cancelled", "dependency")
    assert (await system.ended(beside, tick_s=0.5)).status == "completed"


async def test_an_end_while_jobd_is_down_counts(system: Any) -> None:
    """The dependency's end is stored, and jobd is killed before the dependents have taken the end in."""
    first = await running(system, "first")
    ok = await system.submit(id="ok", after=after("first"))
    bad = await system.submit(id="bad", after=after("first", on="failed"))
    for uid in (ok.uid, bad.uid):
        system.supervisors._tasks[uid].cancel()
    await asyncio.sleep(0)
    system.engine.end("first", "worker", 0)
    await system.ended(first, tick_s=0.5)
    await system.restart()
    assert (await system.ended(ok, tick_s=0.5)).status == "completed"
    assert (await system.ended(bad, tick_s=0.5)).reason == "dependency"


async def test_a_dependency_that_has_ended_before_the_submission_counts(system: Any) -> None:
    await system.ended(await system.submit(id="first"))
    assert (await system.ended(await system.submit(id="ok", after=after("first")))).status == "completed"
    bad = await system.ended(await system.submit(id="bad", after=after("first", on="failed")))
    assert (bad.status, bad.reason) == ("cancelled", "dependency")
    assert bad.error == "job 'first' has completed; this job starts only if that job fails"


async def test_a_job_that_waits_for_another_takes_no_place_and_can_be_cancelled_and_deleted(
    system: Any,
) -> None:
    await running(system, "first")
    waiting = [await system.submit(id=f"w{n}", after=after("first")) for n in range(3)]
    beside = await system.submit(id="beside")
    assert (await system.ended(beside, tick_s=0.5)).status == "completed"
    await cancel(system, "w0")
    await system.service.delete("w1", "x")
    assert (await system.ended(waiting[0])).reason == "cancelled"
    system.engine.end("first", "worker", 0)
    assert (await system.ended(waiting[2], tick_s=0.5)).status == "completed"
    assert (system.queue.running, system.queue.waiting) == (0, 0)


async def test_a_deleted_dependency_is_one_that_was_cancelled(system: Any) -> None:
    await running(system, "first")
    second = await system.submit(id="second", after=after("first"))
    await system.service.delete("first", "x")
    ended = await system.ended(second, tick_s=0.5)
    assert (ended.status, ended.reason) == ("cancelled", "dependency")


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_id_without_a_job_is_refused_with_its_name(system: Any, deleted: bool) -> None:
    if deleted:
        await running(system, "nobody")
        await system.service.delete("nobody", "x")
    with pytest.raises(InvalidRequest, match="no job 'nobody'") as caught:
        await system.submit(id="a", after=after("nobody"))
    assert caught.value.field == "after[0].job"
    assert await system.store.get_by_id("a") is None


async def test_a_repeated_submission_gets_its_job_also_if_a_new_job_would_be_refused(system: Any) -> None:
    """The dependency is deleted, the queue is full and the host is smaller now."""
    await system.ended(await system.submit(id="first"))
    spec = JobSpec(id="second", image="busybox", memory=6000, after=after("first"))
    record, _ = await system.submitter.submit(Submission(spec, None, idempotent=True))
    await system.service.delete("first", "x")
    system.submitter.limits = replace(system.submitter.limits, max_queued=0)
    system.engine_monitor.facts = replace(system.engine_monitor.facts, memory_bytes=1 << 30)
    again, is_new = await system.submitter.submit(Submission(spec, None, idempotent=True))
    assert (again.uid, is_new) == (record.uid, False)
    other = msgspec.structs.replace(spec, command="other")
    with pytest.raises(Conflict, match="another spec") as caught:
        await system.submitter.submit(Submission(other, None, idempotent=True))
    assert caught.value.code == "exists"
    await system.service.delete("second", "x")
    with pytest.raises(InvalidRequest):
        await system.submitter.submit(Submission(spec, None, idempotent=True))


@pytest.mark.parametrize("on", ["completed", "failed", "any"])
async def test_a_job_whose_record_was_removed_has_ended_in_an_unknown_way(system: Any, on: Condition) -> None:
    first = await running(system, "first")
    second = await system.submit(id="second", after=after("first", on=on))
    system.supervisors._tasks[second.uid].cancel()
    await asyncio.sleep(0)
    await system.service.delete("first", "x")
    await system.until(first, lambda now: now.removal, tick_s=0.5)
    await system.stop()
    await system.store.remove_hidden()
    assert await system.store.get_by_uid(first.uid) is None
    await system.restart()
    ended = await system.ended(second, tick_s=0.5)
    if on == "any":
        assert ended.status == "completed"
    else:
        assert (ended.status, ended.reason) == ("cancelled", "dependency")
        wanted = {"completed": "completes", "failed": "fails"}[on]
        assert ended.error == (
            f"job 'first' has ended, and its record was removed; this job starts only if that job {wanted}"
        )


async def test_hundreds_of_jobs_may_wait_for_one(system: Any) -> None:
    system.submitter.limits = replace(system.submitter.limits, max_queued=2000)
    await running(system, "first")
    waiting = [await system.submit(id=f"w{n}", after=after("first", on="failed")) for n in range(300)]
    system.engine.end("first", "worker", 0)
    for record in waiting:
        assert (await system.ended(record)).reason == "dependency"
