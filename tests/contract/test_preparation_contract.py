"""Every engine prepares a job: its image, its containers, its files and who owns them; and says so if it keeps no files."""

import asyncio
import io
import tarfile
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from jobd.jobs.port.errors import FilesNotKept, ImageUnavailable
from jobd.jobs.port.model import LOG_START, ContainerState, ImageFacts, JobRef, Observation
from jobd.wire.artifact import Write
from jobd.wire.report import Ready, SidecarOrder, decode_report
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress

USER = (1234, 5678)

Until = Callable[[JobRef, Callable[[Observation], bool]], Coroutine[Any, Any, Observation]]


async def member_of(world: Any, ref: JobRef, path: str) -> tuple[bytes, tuple[int, int]]:
    """Returns a file's content, and its uid and gid."""
    whole = b"".join([chunk async for chunk in world.orchestrator.open_tar(ref, path)])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        return file.read(), (member.uid, member.gid)


async def ready(world: Any, ref: JobRef) -> None:
    """Returns once the sidecar has reported that the inputs are in place."""
    async with asyncio.timeout(world.deadline_s):
        while True:
            read = world.orchestrator.logs(ref, "sidecar", LOG_START, False)
            lines = [line async for batch in read for line in batch.lines]
            if any(isinstance(decode_report(line.text.encode()), Ready) for line in lines):
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "files.tar"


def fill(files: Path) -> None:
    with tarfile.open(files, "w") as archive:
        member = tarfile.TarInfo("given")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))


async def test_the_image_is_reported_once(world: Any, ref: JobRef, behave: Any) -> None:
    progress = Progress()
    await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), progress)
    assert len(progress.images) == 1
    await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True, image_ready=True), progress)
    assert len(progress.images) == 1


async def test_an_image_that_was_reported_is_not_pulled_again(world: Any, ref: JobRef, behave: Any) -> None:
    """`always` asks a registry; the image of the worlds is local only."""
    progress = Progress()
    order = world.work(ref, behave(), image_ready=True, pull="always")
    made = await world.orchestrator.prepare(order, progress)
    assert (progress.texts, progress.images) == ([], [])
    seen = await world.orchestrator.observe(ref)
    assert seen.worker is not None
    assert (seen.worker.id, seen.worker.state) == (made.worker_id, ContainerState.CREATED)


async def test_an_image_that_is_gone_after_its_report_is_unavailable(
    world: Any, ref: JobRef, behave: Any
) -> None:
    needs(world, Ability.IMAGES_FIRST)
    order = world.work(ref, behave(), image_ready=True, image="no-such-image:1")
    with pytest.raises(ImageUnavailable):
        await world.orchestrator.prepare(order, Progress())


async def test_an_error_of_the_progress_ends_the_preparation(world: Any, ref: JobRef, behave: Any) -> None:
    class Full(Exception):
        pass

    class Refusing(Progress):
        async def image_ready(self, image: ImageFacts) -> None:
            raise Full

    with pytest.raises(Full):
        await world.orchestrator.prepare(world.work(ref, behave()), Refusing())
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())


@pytest.mark.parametrize("turns", [0, 1, 3, 10, 100])
async def test_after_a_cancelled_preparation_no_container_appears(
    world: Any, ref: JobRef, behave: Any, turns: int
) -> None:
    preparing = asyncio.create_task(
        world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    )
    for _ in range(turns):
        await asyncio.sleep(0.001)
    preparing.cancel()
    await asyncio.gather(preparing, return_exceptions=True)
    await world.orchestrator.remove(ref)
    for _ in range(10):
        assert await world.orchestrator.observe(ref) == Observation(None, None)
        await asyncio.sleep(0.02)
    assert ref not in await world.orchestrator.refs()


async def test_the_workspace_and_its_files_belong_to_the_workers_user(
    world: Any, ref: JobRef, behave: Any, until: Until, files: Path
) -> None:
    fill(files)
    behaviour = behave(writes={"made": "out"}, lines=("done",), stays=True)
    user = ":".join(map(str, USER))
    await world.orchestrator.prepare(world.work(ref, behaviour, files=files, user=user), Progress())
    assert await member_of(world, ref, "/workspace/given") == (b"hello", USER)
    await world.orchestrator.start_worker(ref)
    async with asyncio.timeout(world.deadline_s):
        while not [batch async for batch in world.orchestrator.logs(ref, "worker", LOG_START, False)]:
            await asyncio.sleep(0.02)
    assert await member_of(world, ref, "/workspace/made") == (b"out", USER)


async def test_inputs_belong_to_the_workers_user(world: Any, ref: JobRef, behave: Any) -> None:
    """The order names no user: the engine's adapter settles ownership."""
    user = ":".join(map(str, USER))
    await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True, user=user), Progress())
    order = SidecarOrder(
        job_id=ref.id,
        job_uid=ref.uid,
        artifacts=[Write(id="w", source="hi", out="w.txt")],
    )
    await world.orchestrator.start_inputs(ref, order)
    await ready(world, ref)
    assert await member_of(world, ref, "/workspace/w.txt") == (b"hi", USER)


async def test_files_after_the_workers_end_come_out_or_the_engine_keeps_none(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(writes={"made": "out"})), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    if world.keeps_files:
        assert (await member_of(world, ref, "/workspace/made"))[0] == b"out"
        return
    with pytest.raises(FilesNotKept) as caught:
        await member_of(world, ref, "/workspace/made")
    assert str(caught.value), "the sentence reaches the caller of the API"


async def test_a_job_whose_run_is_over_keeps_its_log_and_its_state(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(lines=("said",))), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    for _ in range(2):
        world.orchestrator.release_run(ref, lambda: 0.0)
    batches = [batch async for batch in world.orchestrator.logs(ref, "worker", LOG_START, False)]
    assert [line.text for batch in batches for line in batch.lines] == ["said"]
    assert (await world.orchestrator.observe(ref)).worker.ended


async def test_the_end_of_a_job_without_containers_touches_no_other_job(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    ended = JobRef(uid=uuid.uuid4().hex, id=f"{ref.id}-ended", attempt=1)
    assert world.orchestrator.release_run(ended, lambda: 0.0) is None
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    assert await world.orchestrator.observe(ended) == Observation(None, None)
