"""The contract of the engine port, for every engine: the engine itself, images, and a job's worker."""

import asyncio
from typing import Any

import pytest

from jobd.jobs.port.errors import (
    ContainerGone,
    ImageUnavailable,
    NoSuchFile,
    StartFailed,
)
from jobd.jobs.port.model import (
    ContainerState,
    EndCause,
    JobRef,
    Observation,
)
from tests.contract.steps import Until, ended, file_of, read, run
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress

AGAIN_S = 3.0
"""After this time a signal is sent once more."""


async def test_the_engine_says_who_it_is(world: Any) -> None:
    facts = await world.orchestrator.probe()
    assert facts.cpus > 0
    assert facts.memory_bytes > 0
    assert facts.name
    assert facts.version
    assert facts.platform


async def test_the_engine_has_what_an_ordinary_job_asks_for(world: Any, ref: JobRef, behave: Any) -> None:
    assert world.orchestrator.unsupported(world.work(ref, behave()).spec) is None


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
    made = await world.orchestrator.prepare(world.work(other, behave()), Progress())
    earlier = (await world.orchestrator.observe(ref)).worker
    assert earlier is None or earlier.id != made.worker_id
    await world.orchestrator.remove(ref)
    assert (await world.orchestrator.observe(other)).worker is not None


async def test_a_command_that_does_not_exist_is_not_started_without_an_init(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(missing=True), init=False), Progress())
    if Ability.IMAGES_FIRST in world.lacks:
        assert await world.orchestrator.start_worker(ref) is ContainerState.STARTING
    else:
        with pytest.raises(StartFailed) as caught:
            await world.orchestrator.start_worker(ref)
        assert caught.value.exit_code == 127
    worker = (await until(ref, lambda seen: seen.worker is not None and bool(seen.worker.error))).worker
    assert worker is not None
    assert (worker.state, worker.exit_code, worker.started_at, worker.ended) == (
        ContainerState.CREATED,
        127,
        None,
        False,
    )
    assert worker.error


@pytest.mark.parametrize("init", [True, False])
async def test_a_signal_without_a_handler_ends_a_command_under_an_init(
    world: Any, ref: JobRef, behave: Any, until: Until, init: bool
) -> None:
    """Process 1 ignores a signal without a handler: only SIGKILL ends it. An init that has just begun has no handler yet."""
    await world.orchestrator.prepare(world.work(ref, behave(stays=True), init=init), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.state is ContainerState.RUNNING)
    await world.orchestrator.signal(ref, "worker", "SIGTERM")
    if not init:
        await world.orchestrator.signal(ref, "worker", "SIGKILL")
    try:
        async with asyncio.timeout(AGAIN_S):
            seen = await until(ref, ended)
    except TimeoutError:
        await world.orchestrator.signal(ref, "worker", "SIGTERM")
        seen = await until(ref, ended)
    worker = seen.worker
    assert worker is not None
    assert (worker.exit_code, worker.cause) == (143 if init else 137, EndCause.SIGNAL)


async def test_a_signal_ends_a_worker(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.state is ContainerState.RUNNING)
    await world.orchestrator.signal(ref, "worker", "SIGKILL")
    worker = (await until(ref, ended)).worker
    assert worker is not None
    # An engine that has no call for signals ends a container by SIGTERM first.
    codes = (137,) if Ability.SINGLE_CONTAINERS not in world.lacks else (137, 143)
    assert worker.exit_code in codes
    assert worker.cause is EndCause.SIGNAL
    await world.orchestrator.signal(ref, "worker", "SIGKILL")


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


async def test_a_local_image_is_found_without_a_pull(world: Any, ref: JobRef, behave: Any) -> None:
    progress = Progress()
    await world.orchestrator.prepare(world.work(ref, behave(), pull="missing"), progress)
    assert [bool(image.id) for image in progress.images] == [True]
    assert progress.texts == []


async def test_an_image_that_may_not_be_pulled_is_named(world: Any, ref: JobRef, behave: Any) -> None:
    needs(world, Ability.IMAGES_FIRST)
    progress = Progress()
    with pytest.raises(ImageUnavailable, match="no-such-image"):
        await world.orchestrator.prepare(
            world.work(ref, behave(), image="no-such-image:1", pull="never"), progress
        )
    assert progress.images == []
    assert await world.orchestrator.observe(ref) == Observation(None, None)


async def test_an_image_that_may_not_be_pulled_is_named_at_the_start(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    if Ability.IMAGES_FIRST not in world.lacks:
        return
    order = world.work(ref, behave(), image="no-such-image:1", pull="never")
    await world.orchestrator.prepare(order, Progress())
    assert await world.orchestrator.start_worker(ref) is ContainerState.STARTING
    seen = await until(ref, lambda now: now.worker is not None and now.worker.image_unavailable)
    assert seen.worker is not None
    assert "no-such-image" in seen.worker.error
    assert seen.worker.started_at is None


async def test_a_running_worker_is_measured(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    assert await world.orchestrator.usage(ref) is None
    needs(world, Ability.MEASURING)
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
