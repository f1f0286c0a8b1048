"""A job's preparation: the pull's progress and image reach the job, and a user's request interrupts it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import ImageFacts
from jobd.jobs.record.record import Record
from jobd.jobs.run import preparation
from jobd.jobs.state import facts
from jobd.wire.job import Output
from tests.support.fakes.worker import WorkerScript


def has_image(record: Record) -> bool:
    return record.setup is not None and record.setup.image is not None


class Held:
    """A pull that does not end before `released` is set."""

    def __init__(self, system: Any) -> None:
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        system.engine.before_pull_ends = self

    async def __call__(self) -> None:
        self.begun.set()
        await self.released.wait()


async def test_the_progress_of_a_pull_reaches_the_job(system: Any) -> None:
    pull = Held(system)
    record = await system.submit(pull="always")
    await pull.begun.wait()
    assert (await system.service.get("a")).waiting_for == "pulling busybox"
    pull.released.set()
    assert (await system.ended(record)).status == "completed"


@pytest.mark.parametrize("delete", [False, True])
async def test_a_users_request_interrupts_a_pull(system: Any, delete: bool) -> None:
    pull = Held(system)
    record = await system.submit()
    await pull.begun.wait()
    supervisor = system.supervisors.get(record.uid)
    await supervisor.request(facts.CancelRequested(by="x", grace_s=0, delete=delete))
    await system.until(record, lambda now: now.ended and system.supervisors.get(record.uid) is None)
    assert supervisor.record.status == "cancelled"
    assert not has_image(supervisor.record)
    assert await system.engine.refs() == []


async def test_the_image_is_stored_before_the_containers_are_created(system: Any) -> None:
    system.engine.errors["create"] = "full"
    record = await system.until(await system.submit(), has_image)
    assert (record.phase, record.worker_id) == ("pulling", None)
    system.engine.errors.clear()
    assert (await system.ended(record, tick_s=1)).status == "completed"


async def test_a_pulled_image_is_not_pulled_again(system: Any) -> None:
    """Neither if the creation fails, nor after a restart of jobd."""
    system.engine.errors["create"] = "full"
    record = await system.until(await system.submit(pull="always"), has_image)
    for _ in range(5):
        system.clock.advance(10)
        await system.stored(record)
    await system.restart()
    await system.stored(record)
    system.engine.errors.clear()
    assert (await system.ended(record, tick_s=1)).status == "completed"
    assert system.engine.pulls == 1


async def test_a_pull_that_takes_too_long_fails_the_job(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "PULL_LIMIT_S", 0.01)
    Held(system)
    record = await system.submit()
    async with asyncio.timeout(10):
        while not (now := await system.stored(record)).ended:
            await asyncio.sleep(0.01)
    assert (now.reason, now.error) == ("image-not-found", "the image was not pulled within half an hour")


async def test_files_that_the_engine_does_not_keep_are_not_found_and_it_is_said_why(system: Any) -> None:
    system.engine.keeps_files = False
    system.engine.workers["a"] = WorkerScript(writes={"f": b"x"})
    record = await system.ended(await system.submit(outputs=[Output(path="f")]))
    why = "the engine keeps no files of job a after the end of its worker"
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert record.error == f"the command succeeded but the job has no 'f' ({why})"
    with pytest.raises(NotFound, match=why) as caught:
        await system.service.open_files("a", "f")
    assert caught.value.code == "files-not-kept"


async def test_an_engine_that_leaves_during_a_pull_is_asked_again(system: Any) -> None:
    async def leaves() -> None:
        raise EngineUnavailable("away")

    system.engine.before_pull_ends = leaves
    record = await system.submit()
    await system.until(record, lambda now: system.engine.pulls == 0 and now.phase == "pulling")
    Held(system).released.set()
    assert (await system.ended(record, tick_s=1)).status == "completed"


async def test_the_limit_of_a_pull_ends_with_the_pull(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = system.engine.prepare

    async def slow_creation(order: Any, progress: Any) -> Any:
        await progress.image_ready(ImageFacts("sha256:1", None))
        await asyncio.sleep(0.3)
        return await prepare(replace(order, image_ready=True), progress)

    monkeypatch.setattr(preparation, "PULL_LIMIT_S", 0.1)
    monkeypatch.setattr(system.engine, "prepare", slow_creation)
    record = await system.submit()
    async with asyncio.timeout(10):
        while not (now := await system.stored(record)).ended:
            await asyncio.sleep(0.01)
    assert now.status == "completed"


@pytest.mark.parametrize("fails_at", ["", "create", "start_worker"])
async def test_what_the_engine_holds_for_a_run_is_freed_however_the_job_ends(
    system: Any, fails_at: str
) -> None:
    if fails_at:
        system.engine.errors[fails_at] = "final"
    record = await system.submit()
    assert (await system.ended(record, tick_s=1)).ended
    await system.until(record, lambda _: system.supervisors.get(record.uid) is None)
    assert system.engine._world.released == {record.uid}


async def test_what_the_engine_holds_for_a_run_is_freed_after_a_cancel_before_the_start(system: Any) -> None:
    pull = Held(system)
    record = await system.submit()
    await pull.begun.wait()
    assert system.engine._world.released == set()
    await system.supervisors.get(record.uid).request(facts.CancelRequested(by="x", grace_s=0, delete=False))
    await system.until(record, lambda now: now.ended and system.supervisors.get(record.uid) is None)
    assert system.engine._world.released == {record.uid}
