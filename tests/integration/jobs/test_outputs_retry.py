"""Repeated outputs: a new job delivers what an ended one could not, on the workspace that is still there; the command never runs again."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.admission.resubmission import Resubmission
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.record.parts import RetriedFrom
from jobd.jobs.record.record import Record
from jobd.jobs.state import facts
from jobd.wire.artifact import JobFiles, Read, Write
from jobd.wire.job import Dependency, Output
from jobd.wire.report import ArtifactDone, Done, OutputsStarted
from tests.support.fakes.sidecar import SidecarScript
from tests.support.fakes.worker import WorkerScript

RETENTION_S = 15 * 60.0
IN, OUT = Write(id="in", source="x", out="f"), Read(id="out", source="r", depends="job")
FAILS = SidecarScript(
    outputs=[
        OutputsStarted(n=4),
        ArtifactDone(
            n=5, artifact_id="out", artifact_type="read", status="failed", error="the server was away"
        ),
        Done(n=6, failed=["out"]),
    ]
)
FAILS_AGAIN = SidecarScript(
    outputs=[
        OutputsStarted(n=3),
        ArtifactDone(n=4, artifact_id="out", artifact_type="read", status="failed", error="still away"),
        Done(n=5, failed=["out"]),
    ]
)
"""The same of a sidecar that has only outputs."""


async def output_failed(system: Any, name: str = "a", *artifacts: Any, **fields: Any) -> Record:
    system.engine.sidecars[name] = FAILS
    system.engine.workers[name] = WorkerScript(writes={"r": b"result", "o/1": b"1"})
    record: Record = await system.ended(
        await system.submit(*(artifacts or (IN, OUT)), id=name, **fields), tick_s=0.2
    )
    assert (record.status, record.reason) == ("failed", "output-failed")
    return record


async def repeat(system: Any, name: str = "a", **fields: Any) -> Record:
    record, _ = await system.resubmitter.resubmit(Resubmission(name, "1000", outputs=True, **fields))
    return record  # type: ignore[no-any-return]


def started_workers(system: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    starts: list[str] = []
    start = system.engine.start_worker

    async def counted(ref: Any) -> None:
        starts.append(ref.id)
        await start(ref)

    monkeypatch.setattr(system.engine, "start_worker", counted)
    return starts


async def retain(system: Any) -> None:
    system.clock.advance(RETENTION_S + 1)
    await system.retention.sweep()


def exists(system: Any, name: str) -> bool:
    return name in system.engine._world.jobs


async def away(*_: Any) -> None:
    raise EngineUnavailable("away")


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
