"""Liveness and readiness: what is wrong is named, and many probes ask the store once a second."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from jobd.health.health import DISK_FULL, STORE_ANSWER_S, HealthCheck
from jobd.store.errors import StoreFailed


class World:
    """What the checks ask."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.failure: Exception | None = None
        self.has_room = True
        self.engine = SimpleNamespace(trouble=None)
        engine: Any = self.engine
        self.health = HealthCheck(self._read, self._room, engine, lambda: self.now)

    async def _read(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure

    async def _room(self) -> bool:
        return self.has_room


@pytest.fixture
def world() -> World:
    return World()


async def test_many_probes_read_the_store_once_a_second(world: World) -> None:
    for _ in range(50):
        assert (await world.health.live()).status == "healthy"
        assert (await world.health.ready()).status == "healthy"
    assert world.reads == 1
    world.now += STORE_ANSWER_S
    await world.health.live()
    assert world.reads == 2


async def test_probes_that_come_together_read_the_store_once(world: World) -> None:
    found = await asyncio.gather(*(world.health.live() for _ in range(20)), world.health.ready())
    assert {health.checks["store"] for health in found} == {"healthy"}
    assert world.reads == 1
    world.failure = StoreFailed("the disk is gone")
    world.now += STORE_ANSWER_S
    found = await asyncio.gather(*(world.health.live() for _ in range(20)))
    assert {health.checks["store"] for health in found} == {"the disk is gone"}
    assert world.reads == 2


async def test_a_probe_that_leaves_stops_no_other(world: World) -> None:
    first, second = (asyncio.ensure_future(world.health.live()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status == "healthy"
    assert world.reads == 2


async def test_a_store_that_fails_and_recovers_is_noticed(world: World) -> None:
    await world.health.live()
    world.failure = StoreFailed("the disk is gone")
    world.now += STORE_ANSWER_S
    found = await world.health.live()
    assert (found.status, found.checks["store"]) == ("unhealthy", "the disk is gone")
    world.failure = None
    world.now += STORE_ANSWER_S
    assert (await world.health.live()).status == "healthy"


async def test_the_engine_the_disk_and_a_shutdown_count_at_once(world: World) -> None:
    await world.health.ready()
    world.engine.trouble, world.has_room, world.health.stopping = "no answer", False, True
    found = await world.health.ready()
    assert found.status == "unhealthy"
    assert found.checks == {
        "store": "healthy",
        "disk": DISK_FULL,
        "engine": "unreachable: no answer",
        "shutdown": "stopping",
    }
    assert (await world.health.live()).status == "healthy"
