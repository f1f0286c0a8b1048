"""Jobs that take files of an earlier job: when they start, what is refused, and how long the earlier workspace stays."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.state import facts
from jobd.wire.artifact import JobFiles
from jobd.wire.job import Condition, Dependency
from tests.integration.jobs.earlier_jobs.handovers import (
    RETENTION_S,
    completed,
    files,
    retain,
    running,
    waiting,
    workspace,
)


async def test_the_files_of_an_ended_job_come(system: Any) -> None:
    await completed(system, "a")
    await completed(system, "b", files("a"))
    assert workspace(system, "b")["/workspace/data/f"] == b"a"  # type: ignore[index]


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_input_of_a_running_job_implies_its_completion(system: Any, restarts: bool) -> None:
    first = await running(system, "a")
    second = await system.submit(files("a"), id="b")
    view = await system.service.get("b")
    assert view.waiting_for.startswith("the completion of job 'a'")
    assert view.after == []  # as submitted
    if restarts:
        await system.restart()
    system.engine.end("a", "worker", 0)
    await system.ended(first, tick_s=0.1)
    assert (await system.ended(second, tick_s=0.1)).status == "completed"
    assert workspace(system, "b")["/workspace/data/f"] == b"a"  # type: ignore[index]


async def test_a_job_that_fails_cancels_the_job_that_takes_its_files(system: Any) -> None:
    await running(system, "a")
    second = await system.submit(files("a"), id="b")
    system.engine.end("a", "worker", 1)
    ended = await system.ended(second, tick_s=0.1)
    assert (ended.status, ended.reason) == ("cancelled", "dependency")


@pytest.mark.parametrize("on", ["any", "failed"])
async def test_the_condition_of_after_counts_where_both_name_the_job(system: Any, on: Condition) -> None:
    await running(system, "a")
    second = await system.submit(files("a"), id="b", after=[Dependency(job="a", on=on)])
    assert [(one.id, one.on) for one in second.scheduling.after] == [("a", on)]
    system.engine.end("a", "worker", 1)
    assert (await system.ended(second, tick_s=0.1)).status == "completed"


@pytest.mark.parametrize("on", ["completed", "any"])
async def test_a_job_that_failed_before_gives_its_files_only_where_after_permits_that(
    system: Any, on: Condition
) -> None:
    first = await running(system, "a")
    system.engine.end("a", "worker", 1)
    await system.ended(first, tick_s=0.1)
    if on == "any":
        await completed(system, "b", files("a"), after=[Dependency(job="a", on=on)])
        return
    ended = await system.ended(await system.submit(files("a"), id="b"), tick_s=0.1)
    assert (ended.status, ended.reason) == ("cancelled", "dependency")
    assert "job 'a' has failed; this job starts only if that job completes" in ended.error


async def test_a_path_that_does_not_exist_fails_the_input_with_its_name(system: Any) -> None:
    await completed(system, "a")
    ended = await system.ended(await system.submit(files("a", "nothing/here"), id="b"), tick_s=0.1)
    assert (ended.status, ended.reason) == ("failed", "input-failed")
    assert "job 'a' has no 'nothing/here' in its workspace" in ended.error


async def test_an_unknown_job_is_refused_with_its_field(system: Any) -> None:
    with pytest.raises(InvalidRequest, match="no job 'nobody'") as caught:
        await system.submit(files("nobody"), id="b")
    assert caught.value.field == "artifacts[0].job"
    assert await system.store.get_by_id("b") is None


async def test_a_deleted_job_is_refused(system: Any) -> None:
    await completed(system, "a")
    await system.service.delete("a", "x")
    with pytest.raises(InvalidRequest, match="no job 'a'"):
        await system.submit(files("a"), id="b")


async def test_a_removed_workspace_is_refused_and_the_text_says_since_when(system: Any) -> None:
    await completed(system, "a")
    await retain(system)
    with pytest.raises(
        InvalidRequest, match=r"job 'a' has no workspace any more: jobd removed it at 20\d\d-"
    ) as caught:
        await system.submit(files("a"), id="b")
    assert caught.value.field == "artifacts[0].job"
    with pytest.raises(InvalidRequest, match="has no workspace any more"):
        await system.submitter.check_earlier_jobs((await system.submit(id="c"), _spec())[1])


def _spec() -> Any:
    from jobd.wire.job import JobSpec

    return JobSpec(id="x", image="busybox", artifacts=[files("a")])


async def test_a_job_that_never_had_a_workspace_is_refused(system: Any) -> None:
    record = await waiting(system, "a")
    await system.service.cancel("a", facts.CancelRequested(by="x", grace_s=0, delete=False))
    await system.ended(record)
    with pytest.raises(InvalidRequest, match="job 'a' had no workspace"):
        await system.submit(files("a"), id="b")


@pytest.mark.parametrize("restarts", [False, True])
async def test_retention_keeps_the_workspace_for_a_job_that_waits(system: Any, restarts: bool) -> None:
    await completed(system, "a")
    second = await waiting(system, "b", files("a"))
    if restarts:
        await system.restart()
    for _ in range(3):
        await retain(system)
    assert workspace(system, "a") is not None
    await system.groups.put("held", limit=None, paused=False)
    assert (await system.ended(second, tick_s=0.1)).status == "completed"
    assert workspace(system, "b")["/workspace/data/f"] == b"a"  # type: ignore[index]
    await retain(system)
    assert workspace(system, "a") is None


async def test_the_workspace_stays_while_the_job_that_reads_it_runs_and_may_be_repeated(system: Any) -> None:
    await completed(system, "a")
    second = await running(system, "b", files("a"), retries=1)
    await retain(system)
    system.engine.end("b", "worker", 1)
    await system.until(second, lambda now: now.attempt.number == 2 and now.started_at is not None, tick_s=0.5)
    system.engine.end("b", "worker", 0)
    assert (await system.ended(second, tick_s=0.1)).status == "completed"
    await retain(system)
    assert workspace(system, "a") is None


async def test_the_end_of_the_reader_frees_the_workspace_on_the_engine(system: Any) -> None:
    """A container that has a volume mounted keeps the engine from removing the volume, also after the container's end."""
    await completed(system, "a")
    await completed(system, "b", files("a"))
    async with asyncio.timeout(5):
        while system.supervisors.get_by_id("b") is not None:
            await asyncio.sleep(0.01)
    assert system.engine._world.jobs["b"].sidecar is None
    await system.service.delete("a", "x")
    async with asyncio.timeout(5):
        while workspace(system, "a") is not None:
            await asyncio.sleep(0.01)
    assert workspace(system, "b") is not None


async def test_a_sidecar_that_outlives_its_job_is_removed_with_the_jobs_containers(system: Any) -> None:
    """A kill of jobd, or an engine that is away, comes between the reader's end and the removal of its sidecar."""
    await completed(system, "a")
    second = await running(system, "b", files("a"))
    removing = system.engine.remove

    async def away(*_: Any) -> None:
        raise EngineUnavailable("away")

    system.engine.remove = away
    system.engine.end("b", "worker", 0)
    await system.ended(second, tick_s=0.1)
    await asyncio.sleep(0.05)
    system.engine.remove = removing
    assert system.engine._world.jobs["b"].sidecar is not None
    await system.restart()
    for _ in range(2):  # the engine refuses the removal of the workspace until the sidecar is removed
        await retain(system)
    assert (workspace(system, "a"), workspace(system, "b")) == (None, None)


async def test_a_job_whose_files_are_needed_is_not_deleted(system: Any) -> None:
    await completed(system, "a")
    second = await waiting(system, "b", files("a"))
    with pytest.raises(Conflict, match="job 'a' is not removed: 'b' takes files of its workspace") as caught:
        await system.service.delete("a", "x")
    assert caught.value.code == "needed"
    assert (await system.service.get("a")).status == "completed"
    await system.service.cancel("b", facts.CancelRequested(by="x", grace_s=0, delete=False))
    await system.ended(second)
    await system.service.delete("a", "x")


async def test_a_job_that_is_only_awaited_can_be_deleted_and_keeps_its_workspace_from_retention(
    system: Any,
) -> None:
    await completed(system, "a")
    await waiting(system, "b", after=[Dependency(job="a")])
    await retain(system)
    assert workspace(system, "a") is not None
    await system.service.delete("a", "x")


async def test_a_refused_submission_holds_nothing(system: Any) -> None:
    await completed(system, "a")
    await completed(system, "b")
    with pytest.raises(Conflict):
        await system.submit(files("a"), id="b")
    with pytest.raises(InvalidRequest):
        await system.submit(files("a"), JobFiles(id="x", job="nobody", source=".", out="x"), id="c")
    await retain(system)
    assert workspace(system, "a") is None


async def test_a_workspace_that_is_being_removed_is_refused(system: Any) -> None:
    """The removal is under way on the engine, and its end is not stored yet."""
    await completed(system, "a")
    reached, go = asyncio.Event(), asyncio.Event()
    removing = system.engine.remove

    async def slow(*given: Any) -> None:
        reached.set()
        await go.wait()
        await removing(*given)

    system.engine.remove = slow
    system.clock.advance(RETENTION_S + 1)
    sweep = asyncio.create_task(system.retention.sweep())
    await reached.wait()
    with pytest.raises(InvalidRequest, match="jobd is removing the workspace of job 'a'"):
        await system.submit(files("a"), id="b")
    go.set()
    await sweep
    with pytest.raises(InvalidRequest, match="has no workspace any more"):
        await system.submit(files("a"), id="b")


async def test_a_workspace_that_someone_else_removed_fails_the_job_honestly(system: Any) -> None:
    await completed(system, "a")
    second = await waiting(system, "b", files("a"))
    system.engine._world.remove(system.engine._world.jobs["a"])
    await system.groups.put("held", limit=None, paused=False)
    ended = await system.ended(second, tick_s=0.1)
    assert (ended.status, ended.reason) == ("failed", "input-failed")
    assert "the workspace of job 'a'" in ended.error
