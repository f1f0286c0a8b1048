"""Retries: an ended job runs anew under a new id, with everything that it needs, or not at all."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest, NotFound, QueueFull
from jobd.jobs.admission.resubmission import SPECS_AT_ONCE, Resubmission
from jobd.jobs.admission.submission import Submission
from jobd.jobs.record.parts import RetriedFrom
from jobd.jobs.record.record import Record
from jobd.jobs.state import facts
from jobd.jobs.stored import spec_of
from jobd.store.errors import UnreadableJob
from jobd.wire.job import Callback, Dependency, JobSpec, Output
from jobd.wire.problem import InvalidSpec
from tests.support.fakes.worker import WorkerScript

MAX_QUEUED = 100
RETENTION_S = 901


async def retry(system: Any, job_id: str = "a", **fields: Any) -> Record:
    record, _ = await system.resubmitter.resubmit(Resubmission(job_id, "1000", **fields))
    return record  # type: ignore[no-any-return]


async def failed(system: Any, job_id: str = "a", **fields: Any) -> Record:
    system.engine.workers[job_id] = WorkerScript(exit_code=3)
    return await system.ended(await system.submit(id=job_id, **fields), tick_s=0.5)  # type: ignore[no-any-return]


async def cancel(system: Any, name: str) -> None:
    await system.service.cancel(name, facts.CancelRequested(by="x", grace_s=0, delete=False))


async def stored_spec(system: Any, record: Record) -> JobSpec:
    return spec_of(await system.store.get_by_uid(record.uid))


def received(tmp_path: Path, name: str = "incoming.tar") -> Path:
    file = tmp_path / "spool" / name
    file.write_bytes(bytes(1024))
    return file


async def with_files(system: Any, tmp_path: Path, **fields: Any) -> Record:
    spec = JobSpec(id="a", image="busybox", **fields)
    record, _ = await system.submitter.submit(Submission(spec, "1000", received(tmp_path), b"digest"))
    return await system.ended(record, tick_s=0.5)  # type: ignore[no-any-return]


async def test_a_retry_has_the_spec_and_the_origin_of_the_ended_job(system: Any) -> None:
    given: dict[str, Any] = {
        "command": ["x"], "labels": {"k": "v"}, "meta": {"m": "1"}, "priority": 4, "group": "gpu", "retries": 0,
        "outputs": [Output(path="o", keep=True)], "callback": Callback(url="http://localhost/", key="secret-key"),
    }  # fmt: skip
    old = await failed(system, **given)
    system.engine.workers["a-retry-1"] = WorkerScript(writes={"o": b"x"})
    new = await retry(system)
    assert new.id == "a-retry-1"
    assert new.uid != old.uid
    assert new.retried_from == RetriedFrom(uid=old.uid, id="a")
    spec, before = await stored_spec(system, new), await stored_spec(system, old)
    assert spec == JobSpec(id="a-retry-1", image="busybox", **given)
    assert before == JobSpec(id="a", image="busybox", **given)
    assert (await system.ended(new, tick_s=0.5)).status == "completed"
    assert (await system.service.get("a-retry-1")).retried_from == "a"
    assert (await system.service.get("a")).retried_from is None
    again = await retry(system, "a-retry-1")
    assert (again.id, again.retried_from) == ("a-retry-2", RetriedFrom(uid=new.uid, id="a-retry-1"))


async def test_the_origin_is_stored(system: Any) -> None:
    await failed(system)
    new = await retry(system)
    await system.restart()
    assert (await system.service.get(new.id)).retried_from == "a"
    assert (await system.ended(new, tick_s=0.5)).status == "completed"


async def test_only_an_ended_job_runs_anew(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    running = await system.submit(id="a")
    waiting = await system.submit(id="b", after=[Dependency(job="a")])
    await system.until(running, lambda now: now.started_at is not None)
    for name in ("a", "b"):
        with pytest.raises(Conflict, match=f"job '{name}' has not ended yet") as caught:
            await retry(system, name)
        assert caught.value.code == "not-ended"
    with pytest.raises(NotFound):
        await retry(system, "none")
    assert await system.store.get_by_id("a-retry-1") is None
    assert (await system.stored(waiting)).phase == "queued"


async def test_a_given_id_is_idempotent_and_belongs_to_one_retry(system: Any) -> None:
    await failed(system, secrets={"token": "x"})
    await failed(system, "other", secrets={"token": "x"})
    first, is_new = await system.resubmitter.resubmit(Resubmission("a", "1000", "again", {"token": "y"}))
    assert is_new
    second, is_new = await system.resubmitter.resubmit(Resubmission("a", "1000", "again", {"token": "y"}))
    assert (second.uid, is_new) == (first.uid, False)
    for other in (
        Resubmission("a", "1000", "again", {"token": "z"}),
        Resubmission("other", "1000", "again", {"token": "y"}),
    ):
        with pytest.raises(Conflict, match="job 'again' exists"):
            await system.resubmitter.resubmit(other)
    await system.ended(first, tick_s=0.5)
    third, is_new = await system.resubmitter.resubmit(Resubmission("a", "1000", "again", {"token": "y"}))
    assert (third.uid, is_new) == (first.uid, False)


async def test_the_same_requests_at_once_make_one_job(system: Any) -> None:
    await failed(system)
    requests = [system.resubmitter.resubmit(Resubmission("a", "1000", "again")) for _ in range(8)]
    results = await asyncio.gather(*requests)
    assert len({record.uid for record, _ in results}) == 1
    assert sum(is_new for _, is_new in results) == 1


async def test_derived_ids_differ_also_at_once_and_beside_deleted_jobs(system: Any) -> None:
    await failed(system)
    system.engine.workers["a-retry-1"] = WorkerScript(runs_s=None)
    await system.until(await retry(system), lambda now: now.started_at is not None)
    system.engine.holds_removals = True
    await system.service.delete("a-retry-1", "x")
    made = await asyncio.gather(*(retry(system) for _ in range(5)))
    assert len({record.id for record in made}) == 5
    assert all(record.id.startswith("a-retry-") for record in made)


@pytest.mark.parametrize("new_id", ["", "-x", "x" * 129, "a/b"])
async def test_an_invalid_id_is_refused(system: Any, new_id: str) -> None:
    await failed(system)
    with pytest.raises(InvalidSpec) as caught:
        await retry(system, new_id=new_id)
    assert caught.value.problems[0].field == "id"


async def test_secrets_must_be_given_again_and_are_not_stored(system: Any, tmp_path: Path) -> None:
    await failed(system, secrets={"token": "old-value", "other": "old-value"})
    for given, why in (({}, "give them again: other, token"), ({"token": "x"}, "give them again: other")):
        with pytest.raises(InvalidRequest, match=why) as caught:
            await retry(system, secrets=given)
        assert (caught.value.code, caught.value.field) == ("secrets-needed", "secrets")
        assert "jobctl retry a --secret" in str(caught.value)
    with pytest.raises(InvalidRequest, match="has no secret 'third'"):
        await retry(system, secrets={"token": "x", "other": "x", "third": "x"})
    new = await retry(system, secrets={"token": "new-value", "other": "new-value"})
    assert (await stored_spec(system, new)).secrets == {"token": "", "other": ""}
    await system.ended(new, tick_s=0.5)
    await system.store.close()
    contents = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert contents
    assert not [1 for content in contents if b"-value" in content]


@pytest.mark.parametrize("new_id", [None, "again"])
async def test_local_files_must_be_sent_again(system: Any, tmp_path: Path, new_id: str | None) -> None:
    await with_files(system, tmp_path)
    with pytest.raises(InvalidRequest, match="jobctl retry a --in PATH=SOURCE") as caught:
        await retry(system, new_id=new_id)
    assert (caught.value.code, caught.value.field) == ("files-needed", "files")
    file = received(tmp_path)
    new = await retry(system, new_id=new_id, files=file, files_digest=b"digest")
    ended = await system.ended(new, tick_s=0.5)
    assert (ended.status, ended.has_spool) == ("completed", True)
    file.unlink(missing_ok=True)
    assert not list(file.parent.iterdir())


async def test_files_are_needed_also_after_the_removal_of_the_workspace(system: Any, tmp_path: Path) -> None:
    record = await with_files(system, tmp_path)
    system.clock.advance(RETENTION_S)
    await system.retention.sweep()
    assert (await system.stored(record)).removal is not None
    with pytest.raises(InvalidRequest, match="local files"):
        await retry(system)
    row = await system.store.get_by_uid(record.uid)
    forgetful = (await system.stored(record)).change(has_spool=False)  # as older versions store it
    assert not forgetful.has_spool
    await system.repository.change(forgetful, spec_of(row))
    with pytest.raises(InvalidRequest, match="local files"):
        await retry(system)


async def test_a_refused_retry_leaves_no_file(system: Any, tmp_path: Path) -> None:
    await failed(system, secrets={"token": "x"})
    file = received(tmp_path)
    with pytest.raises(InvalidRequest):
        await retry(system, files=file, files_digest=b"digest")
    assert list(file.parent.iterdir()) == [file]


async def test_met_dependencies_are_dropped(system: Any) -> None:
    await failed(system, "first")
    await failed(system, "a", after=[Dependency(job="first", on="failed")])
    await system.service.delete("first", "x")
    new = await retry(system)
    assert (await stored_spec(system, new)).after == []
    assert (await system.ended(new, tick_s=0.5)).status == "completed"


async def test_a_job_that_never_started_waits_again(system: Any) -> None:
    system.engine.workers["first"] = WorkerScript(runs_s=None)
    first = await system.submit(id="first")
    await system.until(first, lambda now: now.started_at is not None)
    old = await system.submit(id="a", after=[Dependency(job="first")])
    await cancel(system, "a")
    await system.ended(old)
    new = await retry(system)
    assert (await stored_spec(system, new)).after == [Dependency(job="first")]
    assert (await system.stored(new)).phase == "queued"
    system.engine.end("first", "worker", 0)
    assert (await system.ended(new, tick_s=0.5)).status == "completed"


async def test_a_retry_whose_dependency_has_failed_is_refused_unless_another_one_is_given(
    system: Any,
) -> None:
    await failed(system, "first")
    old = await system.ended(await system.submit(id="a", after=[Dependency(job="first")]), tick_s=0.5)
    assert old.reason == "dependency"
    with pytest.raises(Conflict, match=r"job .first. has failed; .*retry that job first") as caught:
        await retry(system)
    assert caught.value.code == "dependency"
    first = await retry(system, "first")
    new = await retry(system, after=[Dependency(job=first.id)])
    assert (await stored_spec(system, new)).after == [Dependency(job="first-retry-1")]
    assert (await system.ended(new, tick_s=0.5)).status == "completed"
    with pytest.raises(InvalidRequest, match="no job 'none'"):
        await retry(system, after=[Dependency(job="none")])
    await system.service.delete("first", "x")
    with pytest.raises(InvalidRequest, match="no job 'first'"):
        await retry(system)


async def test_a_full_queue_refuses_a_retry(system: Any) -> None:
    await failed(system)
    await system.groups.pause_all(True)
    for number in range(MAX_QUEUED):
        await system.submit(id=f"b{number}")
    with pytest.raises(QueueFull):
        await retry(system)


async def test_a_job_whose_spec_is_damaged_is_refused(system: Any) -> None:
    old = await failed(system)
    with sqlite3.connect(system.folder / "jobd.db", timeout=10) as connection:
        connection.execute("UPDATE specs SET spec = x'00'")
    with pytest.raises(UnreadableJob):
        await retry(system)
    assert old.ended


async def test_retries_at_once_read_few_specs(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await failed(system)
    under_way, most = 0, 0
    submit = system.submitter.submit

    async def counted(submission: Submission) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await submit(submission)
        finally:
            under_way -= 1

    monkeypatch.setattr(system.submitter, "submit", counted)
    made = await asyncio.gather(*(retry(system) for _ in range(3 * SPECS_AT_ONCE)))
    assert len({record.id for record in made}) == 3 * SPECS_AT_ONCE
    assert 1 < most <= SPECS_AT_ONCE
