"""Repeated outputs: a new job delivers what an ended one could not, on the workspace that is still there; the command never runs again."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.admission.resubmission import Resubmission
from jobd.jobs.record.parts import RetriedFrom
from jobd.jobs.record.record import Record
from jobd.wire.artifact import JobFiles
from jobd.wire.job import Dependency, Output
from tests.integration.jobs.earlier_jobs.outputs_retries import (
    FAILS_AGAIN,
    OUT,
    output_failed,
    repeat,
    retain,
    started_workers,
)
from tests.support.fakes.worker import WorkerScript


async def test_the_outputs_are_delivered_and_the_command_does_not_run_again(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = started_workers(system, monkeypatch)
    old = await output_failed(system)
    new = await repeat(system)
    assert (new.id, new.retried_from) == ("a-retry-1", RetriedFrom(uid=old.uid, id="a"))
    ended = await system.ended(new, tick_s=0.2)
    assert (ended.status, ended.exit_code, ended.started_at) == ("completed", 0, None)
    assert starts == ["a"]
    assert ended.attempt.artifacts.keys() == {"out"}
    assert await system.event_types(new) == ["exit", "artifact", "complete"]
    events = await system.events(new)
    assert (events[0]["data"]["exitCode"], events[-1]["data"]["status"]) == (0, "completed")
    assert (await system.stored(old)).status == "failed", "an end is final"
    assert (await system.event_types(old))[-1] == "complete"
    view = await system.service.get("a-retry-1")
    assert (view.exit_code, view.started_at, view.retried_from) == (0, None, "a")
    order = system.engine._world.jobs["a-retry-1"].sidecar.order
    assert ([a.id for a in order.artifacts], order.secrets) == (["out"], {})


async def test_outputs_for_the_client_are_collected_from_the_same_workspace(system: Any) -> None:
    await output_failed(system, "a", outputs=[Output(path="o", keep=True)])
    new = await system.ended(await repeat(system), tick_s=0.2)
    assert new.status == "completed"
    assert new.outputs["o"].status == "kept"
    read = await system.service.open_files("a-retry-1", "r")
    assert b"result" in b"".join([chunk async for chunk in read])


async def test_a_job_without_artifacts_needs_no_sidecar(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript()
    old = await system.ended(await system.submit(id="a", outputs=[Output(path="o")]), tick_s=0.2)
    assert old.reason == "output-failed"
    again = await system.ended(await repeat(system), tick_s=0.2)
    assert (again.reason, again.exit_code) == ("output-failed", 0)
    system.engine._world.jobs["a"].files["/workspace/o"] = b"there now"
    third = await system.ended(await repeat(system, "a-retry-1"), tick_s=0.2)
    assert (third.id, third.status) == ("a-retry-2", "completed")


async def test_secrets_files_and_sources_are_not_needed_again(system: Any) -> None:
    """Only the command needed them: the values of secrets are gone, and so is the job that inputs came from."""
    source = JobFiles(id="in", job="s", source="r", out="f")
    system.engine.workers["s"] = WorkerScript(writes={"r": b"r"})
    await system.ended(await system.submit(id="s"), tick_s=0.2)
    await output_failed(system, "a", source, OUT, secrets={"token": "t"}, after=[Dependency(job="s")])
    await asyncio.sleep(0.05)
    await system.service.delete("s", "x")
    ended = await system.ended(await repeat(system), tick_s=0.2)
    assert ended.status == "completed"


async def test_outputs_may_fail_again_and_be_repeated_again(system: Any) -> None:
    old = await output_failed(system)
    system.engine.sidecars["a-retry-1"] = FAILS_AGAIN
    second = await system.ended(await repeat(system), tick_s=0.2)
    assert (second.status, second.reason, second.exit_code) == ("failed", "output-failed", 0)
    assert second.attempt.artifacts["out"].error == "still away"
    third = await system.ended(await repeat(system, "a-retry-1"), tick_s=0.2)
    assert (third.id, third.status) == ("a-retry-2", "completed")
    assert third.takes is not None
    assert third.takes.workspace.uid == old.uid


@pytest.mark.parametrize("end", [0, 3, None])
async def test_only_failed_outputs_can_be_repeated(system: Any, end: int | None) -> None:
    system.engine.workers["a"] = WorkerScript(exit_code=end or 0, runs_s=None if end is None else 0.0)
    record = await system.submit(id="a")
    if end is None:
        await system.until(record, lambda now: now.started_at is not None, tick_s=0.1)
        with pytest.raises(Conflict, match="has not ended yet") as caught:
            await repeat(system)
        assert caught.value.code == "not-ended"
        return
    await system.ended(record, tick_s=0.2)
    with pytest.raises(
        Conflict, match=r"only outputs that have failed.*jobctl retry a runs the whole job"
    ) as caught:
        await repeat(system)
    assert caught.value.code == "outputs-not-failed"


async def test_a_workspace_that_retention_has_removed_is_said_with_its_time(system: Any) -> None:
    await output_failed(system)
    await retain(system)
    with pytest.raises(
        Conflict, match=r"cannot be repeated: job 'a' has no workspace any more: jobd removed it at 20"
    ) as caught:
        await repeat(system)
    assert caught.value.code == "no-workspace"
    assert await system.store.get_by_id("a-retry-1") is None


async def test_a_workspace_that_someone_else_removed_fails_the_outputs_honestly(system: Any) -> None:
    await output_failed(system)
    system.engine._world.remove(system.engine._world.jobs["a"])
    ended = await system.ended(await repeat(system), tick_s=0.2)
    assert (ended.status, ended.reason, ended.exit_code) == ("failed", "output-failed", 0)
    assert "workspace of job 'a' is gone" in ended.error
    assert await system.event_types(ended) == ["exit", "complete"]


@pytest.mark.parametrize(
    ("given", "field"), [({"secrets": {"a": "b"}}, "secrets"), ({"after": [Dependency(job="x")]}, "after")]
)
async def test_what_only_the_command_would_need_is_refused(system: Any, given: Any, field: str) -> None:
    await output_failed(system)
    with pytest.raises(InvalidRequest, match="does not run again") as caught:
        await repeat(system, **given)
    assert caught.value.field == field


async def test_a_workspace_has_one_taker(system: Any) -> None:
    """Of requests at the same time one succeeds; the others name its job."""
    await output_failed(system)
    found = await asyncio.gather(*(repeat(system) for _ in range(5)), return_exceptions=True)
    made = [one for one in found if isinstance(one, Record)]
    assert len(made) == 1
    assert {type(one) for one in found} == {Record, Conflict}
    with pytest.raises(Conflict, match="job 'a-retry-1' has taken over the workspace of job 'a'") as caught:
        await repeat(system)
    assert caught.value.code == "taken-over"


async def test_the_same_request_under_the_same_id_is_the_same_job(system: Any) -> None:
    await output_failed(system)
    first = await repeat(system, new_id="b")
    await system.ended(first, tick_s=0.2)
    second, is_new = await system.resubmitter.resubmit(Resubmission("a", "1000", new_id="b", outputs=True))
    assert (second.uid, is_new) == (first.uid, False)
    with pytest.raises(Conflict):
        await system.resubmitter.resubmit(Resubmission("a", "1000", new_id="b"))
