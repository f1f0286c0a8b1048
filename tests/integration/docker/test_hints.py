"""The engine's events as hints on the real engine, over breaks of the connection."""

import asyncio
import time
from typing import Any

import pytest

from jobd.docker.mapping import labels
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.hints import Connected, Disconnected, Ended, Hint, SignalledExternally

DEADLINE_S = 60


async def connected(stream: Any) -> bool:
    """Returns once the stream yields `Connected`; until then the stream yields only `Disconnected`."""
    while (hint := await anext(stream)) != Connected():
        assert hint == Disconnected()
    return True


async def test_hints_come_back_after_a_break(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    stream = bench.orchestrator.hints()
    async with asyncio.timeout(DEADLINE_S):
        assert await anext(stream) == Connected()
        await proxy.cut()
        assert await anext(stream) == Disconnected()
        assert await connected(stream)
        await bench.run(command=["true"])
        while not (isinstance(hint := await anext(stream), Ended) and hint.uid == bench.ref.uid):
            pass
    await stream.aclose()


async def test_missed_events_come_before_connected(make_bench: Any, proxy: Any, until: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await bench.create(command="trap 'exit 77' TERM; sleep 600 & wait $!")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.hints()
    async with asyncio.timeout(DEADLINE_S):
        assert await connected(stream)
        await proxy.stop()
        while await anext(stream) != Disconnected():
            pass
        bench.client.containers.get(labels.container_name(bench.ref.id, "worker")).stop()
        # Long before the subscription that begins when the engine is back.
        back_at = time.time() + 3
        await until(lambda: time.time() >= back_at)
        await proxy.start()
        missed: list[Hint] = []
        while (hint := await anext(stream)) != Connected():
            missed += [] if hint == Disconnected() else [hint]
    await stream.aclose()
    assert missed[-2:] == [SignalledExternally(bench.ref.uid, "worker"), Ended(bench.ref.uid, "worker")]


async def test_hints_wait_for_an_engine_that_is_away(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await proxy.stop()
    stream = bench.orchestrator.hints()
    first = asyncio.ensure_future(connected(stream))
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.probe()
    assert not first.done()
    await proxy.start()
    assert await asyncio.wait_for(first, DEADLINE_S)
    await stream.aclose()
