"""A cancelled creation ends after the create requests that it has sent."""

import asyncio
from typing import Any

import pytest

from jobd.docker.containers.creation import Creation
from jobd.docker.mapping import labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.wire.job import JobSpec

ORDER = WorkOrder(JobRef("u", "a"), JobSpec(id="a", image="b", user="1:1"), sidecar=True, image_ready=True)


class Slow:
    """An engine, its network, its volumes and its owners; a create request ends once `released` is set."""

    has_init = True

    def __init__(self, fails: bool) -> None:
        self.asked = asyncio.Event()
        self.released = asyncio.Event()
        self.containers: list[str] = []
        self.resolved = False
        self.unconfirmed_volumes = self
        self._fails = fails

    async def ensure(self) -> None:
        pass

    async def create(self, name: str, named: Any, options: Any = None) -> dict[str, str]:
        return {labels.MAKING: named[labels.MAKING]}

    async def create_container(self, body: Any, name: str, platform: str | None) -> str:
        self.asked.set()
        await self.released.wait()
        if self._fails:
            raise RuntimeError("a fault")
        self.containers.append(name)
        return name

    async def lease(self, *_: Any) -> str | None:
        return None

    async def resolve(self, *_: Any) -> tuple[int, int]:
        self.resolved = True
        return 1, 1


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_creation_waits_for_its_requests_and_fills_nothing(fails: bool) -> None:
    engine: Any = Slow(fails)
    creation = Creation(engine, DockerSettings("one"), engine, engine, engine, engine, engine)
    creating = asyncio.create_task(creation.create(ORDER, None))
    await engine.asked.wait()
    creating.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not creating.done()
    engine.released.set()
    await asyncio.wait({creating})
    assert creating.cancelled()
    assert sorted(engine.containers) == ([] if fails else ["job-a-sidecar", "job-a-worker"])
    assert not engine.resolved


async def test_a_second_cancel_ends_the_wait() -> None:
    """At jobd's end the requests that are under way are left alone."""
    engine: Any = Slow(False)
    creation = Creation(engine, DockerSettings("one"), engine, engine, engine, engine, engine)
    creating = asyncio.create_task(creation.create(ORDER, None))
    await engine.asked.wait()
    for _ in range(2):
        creating.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    assert creating.cancelled()
    engine.released.set()
