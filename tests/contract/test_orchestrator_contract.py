"""The contract of the engine port, for every engine."""

import asyncio
import io
import tarfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.jobs.port.errors import (
    ContainerGone,
    EngineUnavailable,
    ImageUnavailable,
    NoSuchFile,
    StartFailed,
)
from jobd.jobs.port.model import (
    LOG_START,
    ContainerFacts,
    ContainerState,
    EndCause,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    RawLine,
    Role,
    StartFate,
)
from jobd.wire.artifact import Artifact, Read, Write
from jobd.wire.report import ArtifactDone, Ready, Report, SidecarOrder, decode_report
from tests.support.progress import Progress

Until = Callable[[JobRef, Callable[[Observation], bool]], Coroutine[Any, Any, Observation]]


def ended(seen: Observation) -> bool:
    return seen.worker is not None and seen.worker.ended


async def run(world: Any, ref: JobRef, behaviour: Any, until: Until) -> ContainerFacts:
    await world.orchestrator.prepare(world.work(ref, behaviour), Progress())
    await world.orchestrator.start_worker(ref)
    worker = (await until(ref, ended)).worker
    assert worker is not None
    return worker


async def batches(
    world: Any, ref: JobRef, cursor: LogCursor = LOG_START, follow: bool = False, role: Role = "worker"
) -> list[LogBatch]:
    async with asyncio.timeout(world.deadline_s):
        return [batch async for batch in world.orchestrator.logs(ref, role, cursor, follow)]


async def read(world: Any, ref: JobRef, cursor: LogCursor = LOG_START, follow: bool = False) -> list[RawLine]:
    return [line for batch in await batches(world, ref, cursor, follow) for line in batch.lines]


async def reports(world: Any, ref: JobRef) -> list[Report]:
    """Returns the sidecar's reports."""
    read = await batches(world, ref, role="sidecar")
    return [decode_report(line.text.encode()) for batch in read for line in batch.lines]


async def reported(world: Any, ref: JobRef, kind: type) -> None:
    """Returns once the sidecar has sent a report of this kind."""
    async with asyncio.timeout(world.deadline_s):
        while not any(isinstance(report, kind) for report in await reports(world, ref)):
            await asyncio.sleep(0.02)


async def file_of(world: Any, ref: JobRef, path: str) -> bytes:
    whole = b"".join([chunk async for chunk in world.orchestrator.open_tar(ref, path)])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        return file.read()


async def test_the_engine_says_who_it_is(world: Any) -> None:
    facts = await world.orchestrator.probe()
    assert facts.cpus > 0
    assert facts.memory_bytes > 0
    assert facts.name
    assert facts.version
    assert facts.platform


async def test_the_disk_use_of_jobs_is_measured(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    before = await world.orchestrator.disk_use()
    await run(world, ref, behave(writes={"f": "x" * 1000}), until)
    kept = await world.orchestrator.disk_use()
    assert (kept.containers - before.containers, kept.volumes - before.volumes) == (1, 1)
    assert kept.container_bytes >= 0
    assert kept.volume_bytes >= before.volume_bytes
    await world.orchestrator.remove(ref)
    assert await world.orchestrator.disk_use() == before


async def test_a_made_job_has_not_run(world: Any, ref: JobRef, behave: Any) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    seen = await world.orchestrator.observe(ref)
    assert seen.worker is not None
    assert (seen.worker.id, seen.worker.state, seen.worker.attempt) == (
        made.worker_id,
        ContainerState.CREATED,
        1,
    )
    assert (seen.worker.started_at, seen.worker.exit_code, seen.worker.ended) == (None, None, False)
    assert (seen.sidecar, made.sidecar_id) == (None, None)
    assert ref in await world.orchestrator.refs()


async def test_making_again_leaves_one_job_that_has_not_run(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    order = world.work(ref, behave(exit_code=3))
    await world.orchestrator.prepare(order, Progress())
    made = await world.orchestrator.prepare(order, Progress())
    seen = await world.orchestrator.observe(ref)
    assert seen.worker is not None
    assert (seen.worker.id, seen.worker.state) == (made.worker_id, ContainerState.CREATED)
    await world.orchestrator.start_worker(ref)
    worker = (await until(ref, ended)).worker
    assert worker is not None
    assert worker.exit_code == 3


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_the_exit_code_is_the_workers(
    world: Any, ref: JobRef, behave: Any, until: Until, code: int
) -> None:
    worker = await run(world, ref, behave(exit_code=code), until)
    assert worker.exit_code == code
    assert worker.started_at is not None
    assert worker.finished_at is not None
    assert worker.finished_at >= worker.started_at


async def test_what_has_run_is_taken_over_and_not_made_again(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    worker = await run(world, ref, behave(exit_code=7), until)
    made = await world.orchestrator.prepare(world.work(ref, behave(exit_code=7)), Progress())
    seen = await world.orchestrator.observe(ref)
    assert made.worker_id == worker.id
    assert seen.worker == worker


async def test_what_has_run_is_not_started_again(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    worker = await run(world, ref, behave(exit_code=7), until)
    await world.orchestrator.start_worker(ref)
    assert (await world.orchestrator.observe(ref)).worker == worker


async def test_what_was_taken_over_is_not_started_again(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    worker = await run(world, ref, behave(exit_code=7), until)
    await world.orchestrator.prepare(world.work(ref, behave(exit_code=7)), Progress())
    await world.orchestrator.start_worker(ref)
    assert (await world.orchestrator.observe(ref)).worker == worker


async def test_a_new_attempt_replaces_the_one_before(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    worker = await run(world, ref, behave(writes={"old": "1"}), until)
    again = JobRef(ref.uid, ref.id, 2)
    made = await world.orchestrator.prepare(world.work(again, behave()), Progress())
    assert made.worker_id != worker.id
    for look in (ref, again):
        seen = await world.orchestrator.observe(look)
        assert seen.worker is not None
        assert (seen.worker.attempt, seen.worker.state) == (2, ContainerState.CREATED)
    with pytest.raises(NoSuchFile):
        await file_of(world, again, "/workspace/old")


async def test_a_job_that_reuses_an_id_is_not_the_earlier_job(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await run(world, ref, behave(), until)
    other = JobRef("another-uid", ref.id, 1)
    await world.orchestrator.prepare(world.work(other, behave()), Progress())
    assert await world.orchestrator.observe(ref) == Observation(None, None)
    await world.orchestrator.remove(ref)
    assert (await world.orchestrator.observe(other)).worker is not None


async def test_a_command_that_does_not_exist(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(missing=True)), Progress())
    with pytest.raises(StartFailed) as caught:
        await world.orchestrator.start_worker(ref)
    assert caught.value.exit_code == 127
    worker = (await world.orchestrator.observe(ref)).worker
    assert worker is not None
    assert (worker.state, worker.exit_code, worker.started_at, worker.ended) == (
        ContainerState.CREATED,
        127,
        None,
        False,
    )
    assert worker.error


async def test_a_signal_ends_a_worker(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.state is ContainerState.RUNNING)
    await world.orchestrator.signal(ref, "worker", "SIGKILL")
    worker = (await until(ref, ended)).worker
    assert worker is not None
    assert (worker.exit_code, worker.cause) == (137, EndCause.SIGNAL)
    await world.orchestrator.signal(ref, "worker", "SIGKILL")


async def test_nothing_is_left_after_removal(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    await world.orchestrator.remove(ref)
    assert await world.orchestrator.observe(ref) == Observation(None, None)
    assert ref not in await world.orchestrator.refs()
    await world.orchestrator.remove(ref)


async def test_the_volume_alone_still_names_the_job(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.remove(ref, "worker")
    assert (await world.orchestrator.observe(ref)).worker is None
    assert ref in await world.orchestrator.refs()


async def test_an_unknown_job_is_absent_and_that_is_no_error(world: Any, ref: JobRef) -> None:
    assert await world.orchestrator.observe(ref) == Observation(None, None)
    for follow in (False, True):
        # Not an empty log: the reader must know that there may have been lines.
        with pytest.raises(ContainerGone):
            await read(world, ref, follow=follow)
    await world.orchestrator.signal(ref, "worker", "SIGTERM")
    await world.orchestrator.remove(ref)
    with pytest.raises(NoSuchFile):
        await file_of(world, ref, "/workspace/x")
    with pytest.raises(StartFailed):
        await world.orchestrator.start_worker(ref)


async def test_the_log_is_there_after_the_end(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    await run(world, ref, behave(lines=("one", "", "three é"), errors=("oops",), rest="no newline"), until)
    lines = await read(world, ref)
    assert [line.text for line in lines if line.stream == "stdout"] == ["one", "", "three é", "no newline"]
    assert [line.text for line in lines if line.stream == "stderr"] == ["oops"]
    assert all(line.gap is None and not line.partial for line in lines)


async def test_reading_goes_on_after_each_cursor(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    """A cursor is stored as its bytes."""
    await run(world, ref, behave(lines=("one", "two", "three"), rest="four"), until)
    whole = await batches(world, ref)
    assert [line.text for batch in whole for line in batch.lines] == ["one", "two", "three", "four"]
    for number, batch in enumerate(whole):
        rest = [line for later in whole[number + 1 :] for line in later.lines]
        assert await read(world, ref, LogCursor(bytes(batch.cursor))) == rest
    assert msgspec.json.decode(whole[-1].cursor), "a cursor is JSON"


async def test_following_ends_with_the_worker_and_keeps_back_an_unfinished_line(
    world: Any, ref: JobRef, behave: Any
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(lines=("one", "two"), rest="three")), Progress())
    await world.orchestrator.start_worker(ref)
    followed = await batches(world, ref, follow=True)
    shown = [line.text for batch in followed for line in batch.lines]
    rest = await read(world, ref, followed[-1].cursor if followed else LOG_START)
    assert "three" not in shown
    assert [*shown, *(line.text for line in rest)] == ["one", "two", "three"]


async def test_a_line_is_followed_while_the_worker_runs(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(lines=("hello",), stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    stream = world.orchestrator.logs(ref, "worker", LOG_START, True)
    async with asyncio.timeout(world.deadline_s):
        assert [line.text for line in (await anext(stream)).lines] == ["hello"]
    await stream.aclose()


async def test_output_arrives_before_its_line_ends(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(
        world.work(ref, behave(lines=("one",), rest="two", stays=True)), Progress()
    )
    heard = b""
    async with asyncio.timeout(world.deadline_s), world.orchestrator.output(ref) as pieces:
        await world.orchestrator.start_worker(ref)
        async for stream, data in pieces:
            assert stream == "stdout"
            heard += data
            if heard == b"one\ntwo":
                await world.orchestrator.signal(ref, "worker", "SIGKILL")
    assert heard == b"one\ntwo", "it ends with the worker"


async def test_the_streams_of_an_output_are_apart(world: Any, ref: JobRef, behave: Any) -> None:
    behaviour = behave(lines=("a", "b"), errors=("c",), rest="d")
    await world.orchestrator.prepare(world.work(ref, behaviour), Progress())
    heard = {"stdout": b"", "stderr": b""}
    async with asyncio.timeout(world.deadline_s), world.orchestrator.output(ref) as pieces:
        await world.orchestrator.start_worker(ref)
        async for stream, data in pieces:
            heard[stream] += data
    assert heard == {"stdout": b"a\nb\nd", "stderr": b"c\n"}


async def test_a_worker_that_is_not_there_has_no_output(world: Any, ref: JobRef) -> None:
    with pytest.raises(ContainerGone):
        async with world.orchestrator.output(ref):
            pass


async def test_files_go_in_before_the_start_and_come_out(
    world: Any, ref: JobRef, behave: Any, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        member = tarfile.TarInfo("given/a.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    behaviour = behave(writes={"made": "out"}, lines=("done",), stays=True)
    await world.orchestrator.prepare(world.work(ref, behaviour, files=tmp_path / "in.tar"), Progress())
    assert await file_of(world, ref, "/workspace/given/a.txt") == b"hello"
    await world.orchestrator.start_worker(ref)
    async with asyncio.timeout(world.deadline_s):
        while not await read(world, ref):
            await asyncio.sleep(0.02)
    assert await file_of(world, ref, "/workspace/made") == b"out"
    with pytest.raises(NoSuchFile):
        await file_of(world, ref, "/workspace/nothing")


async def test_making_again_fills_again(world: Any, ref: JobRef, behave: Any, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.prepare(world.work(ref, behave(), files=tmp_path / "in.tar"), Progress())
    assert await file_of(world, ref, "/workspace/a.txt") == b"hello"


async def test_a_local_image_is_found_without_a_pull(world: Any, ref: JobRef, behave: Any) -> None:
    progress = Progress()
    await world.orchestrator.prepare(world.work(ref, behave(), pull="missing"), progress)
    assert [bool(image.id) for image in progress.images] == [True]
    assert progress.texts == []


async def test_an_image_that_may_not_be_pulled_is_named(world: Any, ref: JobRef, behave: Any) -> None:
    progress = Progress()
    with pytest.raises(ImageUnavailable, match="no-such-image"):
        await world.orchestrator.prepare(
            world.work(ref, behave(), image="no-such-image:1", pull="never"), progress
        )
    assert progress.images == []
    assert await world.orchestrator.observe(ref) == Observation(None, None)


async def test_a_sidecar_starts_once(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    assert made.sidecar_id is not None
    order = SidecarOrder(
        job_id=ref.id,
        job_uid=ref.uid,
        artifacts=[Write(id="w", source="hi", out="w"), Write(id="x", source="", out="x", depends="w")],
    )
    await world.orchestrator.start_inputs(ref, order)
    first = await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.started_at is not None)
    await world.orchestrator.start_inputs(ref, order)
    again = await world.orchestrator.observe(ref)
    assert first.sidecar is not None
    assert again.sidecar is not None
    assert again.sidecar.started_at == first.sidecar.started_at
    assert again.worker is not None
    assert again.worker.state is ContainerState.CREATED


async def test_a_worker_that_is_made_anew_finds_its_sidecar_and_what_it_left(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    write = Write(id="w", source="hi", out="w.txt")
    await world.orchestrator.start_inputs(
        ref, SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=[write])
    )
    # Without outputs the sidecar may end before the first observation.
    await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.started_at is not None)
    await world.orchestrator.remove(ref, "worker")
    again = await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    assert again.sidecar_id == made.sidecar_id
    assert again.worker_id != made.worker_id
    seen = await world.orchestrator.observe(ref)
    assert (seen.worker.state, seen.sidecar.id) == (ContainerState.CREATED, made.sidecar_id)


async def test_what_has_not_run_is_removed_and_its_late_start_finds_nothing(
    world: Any, ref: JobRef, behave: Any
) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    assert await world.orchestrator.remove_unstarted(ref, "worker", made.worker_id) == StartFate("never")
    assert (await world.orchestrator.observe(ref)).worker is None
    assert await world.orchestrator.remove_unstarted(ref, "worker", made.worker_id) == StartFate("never")
    with pytest.raises(StartFailed):
        await world.orchestrator.start_worker(ref)


@pytest.mark.parametrize("stays", [True, False])
async def test_what_has_run_is_not_removed_as_not_started(
    world: Any, ref: JobRef, behave: Any, until: Until, stays: bool
) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave(stays=stays, exit_code=7)), Progress())
    await world.orchestrator.start_worker(ref)
    seen = await until(ref, lambda now: now.worker is not None and (stays or now.worker.ended))
    assert await world.orchestrator.remove_unstarted(ref, "worker", made.worker_id) == StartFate("began")
    assert await world.orchestrator.observe(ref) == seen


async def test_what_has_run_and_is_gone_is_known_by_its_end(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    worker = await run(world, ref, behave(exit_code=7), until)
    await world.orchestrator.remove_stopped(ref)
    fate = await world.orchestrator.remove_unstarted(ref, "worker", worker.id)
    assert fate.kind == "began"
    assert fate.end is not None
    assert (fate.end.exit_code, fate.end.ended, fate.end.attempt) == (7, True, 1)


async def test_a_removal_that_kills_nothing_waits_for_what_runs(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    with pytest.raises(EngineUnavailable):
        await world.orchestrator.remove_stopped(ref)
    seen = await world.orchestrator.observe(ref)
    assert seen.worker is not None
    assert seen.worker.state is ContainerState.RUNNING
    await world.orchestrator.signal(ref, "worker", "SIGKILL")
    await until(ref, ended)
    await world.orchestrator.remove_stopped(ref)
    assert await world.orchestrator.observe(ref) == Observation(None, None)
    assert ref not in await world.orchestrator.refs()


async def test_a_running_worker_is_measured(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    assert await world.orchestrator.usage(ref) is None
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    async with asyncio.timeout(world.deadline_s):
        while (used := await world.orchestrator.usage(ref)) is None:
            await asyncio.sleep(0.02)
    assert used.cpu_s >= 0
    assert used.memory_peak_bytes > 0
    await world.orchestrator.signal(ref, "worker", "SIGKILL")
    await until(ref, ended)
    assert await world.orchestrator.usage(ref) is None


async def test_a_sidecar_does_its_outputs_once_notified_of_the_workers_end(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.notify_worker_ended(ref, True)  # a missing sidecar is no error
    await world.orchestrator.prepare(world.work(ref, behave(writes={"f": "x"}), sidecar=True), Progress())
    assert (await world.orchestrator.probe()).has_sidecar_image
    outputs: list[Artifact] = [
        Read(id=when, source="f", depends="job", when=when) for when in ("success", "failure")
    ]
    order = SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=outputs)
    await world.orchestrator.start_inputs(ref, order)
    await reported(world, ref, Ready)
    await world.orchestrator.start_worker(ref)
    await until(ref, ended)
    for _ in range(2):
        await world.orchestrator.notify_worker_ended(ref, False)
    seen = await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.ended)
    assert seen.sidecar is not None
    assert seen.sidecar.exit_code == 0
    done = [one for one in await reports(world, ref) if isinstance(one, ArtifactDone)]
    assert {one.artifact_id: one.status for one in done} == {"success": "skipped", "failure": "success"}
    await world.orchestrator.notify_worker_ended(ref, True)
