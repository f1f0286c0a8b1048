"""The workspace of repeated outputs: which job has it, how long it stays, over kills, cancels and removals."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict
from jobd.jobs.admission.resubmission import Resubmission
from jobd.jobs.state import facts
from jobd.wire.artifact import JobFiles
from jobd.wire.report import OutputsStarted
from tests.integration.jobs.earlier_jobs.outputs_retries import (
    RETENTION_S,
    away,
    exists,
    output_failed,
    repeat,
    retain,
    started_workers,
)
from tests.support.fakes.sidecar import SidecarScript


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_workspace_stays_for_the_new_job_and_goes_after_it(system: Any, restarts: bool) -> None:
    await output_failed(system)
    system.clock.advance(RETENTION_S - 1)
    await system.ended(await repeat(system), tick_s=0.1)
    system.clock.advance(RETENTION_S / 2)
    if restarts:
        await system.restart()
    await system.retention.sweep()
    assert exists(system, "a"), "its own retention is over, that of the new job is not"
    await system.service.open_files("a-retry-1", "r")
    with pytest.raises(Conflict, match="'a-retry-1' has taken over its workspace; remove that job first"):
        await system.service.delete("a", "x")
    for _ in range(2):
        await retain(system)
    assert (exists(system, "a"), exists(system, "a-retry-1")) == (False, False)
    assert await system.engine.refs() == []


@pytest.mark.parametrize("restarts", [False, True])
async def test_orphans_leave_a_workspace_that_was_taken_over(system: Any, restarts: bool) -> None:
    await output_failed(system)
    await system.ended(await repeat(system), tick_s=0.1)
    if restarts:
        await system.restart()
    for _ in range(3):
        system.clock.advance(100)
        await system.retention.orphans.remove()
    assert (exists(system, "a"), exists(system, "a-retry-1")) == (True, True)


async def test_the_removal_of_the_new_job_gives_the_workspace_back(system: Any) -> None:
    await output_failed(system)
    await system.ended(await repeat(system), tick_s=0.1)
    await system.service.delete("a-retry-1", "x")
    async with asyncio.timeout(5):
        while exists(system, "a-retry-1"):
            await asyncio.sleep(0.01)
    assert exists(system, "a")
    await asyncio.sleep(0.05)
    assert (await system.ended(await repeat(system), tick_s=0.1)).status == "completed"


async def test_both_jobs_can_be_deleted_at_once(system: Any) -> None:
    """The engine refuses the removal of the workspace until the new job's sidecar is removed."""
    await output_failed(system)
    await system.ended(await repeat(system), tick_s=0.1)
    await asyncio.sleep(0.05)
    await system.service.delete("a-retry-1", "x")
    await system.service.delete("a", "x")
    async with asyncio.timeout(5):
        while await system.engine.refs():
            system.clock.advance(1)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("phase", ["queued", "pulling", "inputs", "outputs"])
async def test_a_kill_in_any_phase_changes_nothing(
    system: Any, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = started_workers(system, monkeypatch)
    await output_failed(system)
    calls = {"pulling": "prepare", "inputs": "start_inputs", "outputs": "notify_worker_ended"}
    before = {name: getattr(system.engine, name) for name in calls.values()}
    if phase == "queued":
        await system.groups.pause_all(True)
    else:
        setattr(system.engine, calls[phase], away)
    new = await repeat(system)
    reached = await system.until(new, lambda now: now.phase == phase, tick_s=0.05)
    assert reached.exit_code == 0, "the earlier worker's"
    await system.restart()
    for name, call in before.items():
        setattr(system.engine, name, call)
    if phase == "queued":
        await system.groups.pause_all(False)
    ended = await system.ended(new, tick_s=0.5)
    assert (ended.status, ended.exit_code) == ("completed", 0)
    assert (await system.event_types(new)).count("exit") == 1
    assert starts == ["a"]


async def test_repeated_outputs_can_be_cancelled(system: Any) -> None:
    await output_failed(system)
    system.engine.sidecars["a-retry-1"] = SidecarScript(outputs=[OutputsStarted(n=3)])
    new = await repeat(system)
    await system.until(new, lambda now: now.phase == "outputs", tick_s=0.05)
    assert (await system.stored(new)).status == "running"
    await system.service.cancel("a-retry-1", facts.CancelRequested(by="x", grace_s=0, delete=False))
    ended = await system.ended(new, tick_s=0.2)
    assert (ended.status, ended.exit_code) == ("cancelled", 0)


async def test_the_whole_job_can_still_run_anew(system: Any) -> None:
    """From the old job, and from the one that has repeated its outputs: with the inputs and the command."""
    await output_failed(system)
    await system.ended(await repeat(system), tick_s=0.2)
    for origin, new_id in (("a", "b"), ("a-retry-1", "c")):
        record, _ = await system.resubmitter.resubmit(Resubmission(origin, "1000", new_id=new_id))
        ended = await system.ended(record, tick_s=0.2)
        assert (ended.status, ended.takes) == ("completed", None)
        assert ended.started_at is not None
        assert set(ended.attempt.artifacts) == {"in", "out"}


async def test_another_job_takes_files_of_the_job_that_has_taken_over(system: Any) -> None:
    await output_failed(system)
    await system.ended(await repeat(system), tick_s=0.2)
    reader = await system.submit(JobFiles(id="in", job="a-retry-1", source="r", out="copy"), id="reader")
    assert (await system.ended(reader, tick_s=0.2)).status == "completed"
    assert system.engine._world.jobs["reader"].files["/workspace/copy"] == b"result"
