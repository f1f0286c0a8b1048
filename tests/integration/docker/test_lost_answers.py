"""Calls whose answer is lost, and an engine that is silent or away."""

import asyncio
from typing import Any

import pytest

from jobd.docker.http.http_session import Timeouts
from jobd.jobs.port.errors import EngineUnavailable
from tests.support.repeated import repeated

DEADLINE_S = 60


async def test_a_start_whose_answer_is_lost_is_not_repeated(make_bench: Any, proxy: Any, until: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await bench.create(command="echo once >> log; cat log")
    proxy.swallow = b"/start "
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.start_worker(bench.ref)
    assert proxy.swallowed == 1
    await until(lambda: bench.inspect()["State"]["Status"] == "exited")
    assert [line.text for line in await bench.lines()] == ["once"]


async def test_a_create_whose_answer_is_lost_is_made_anew(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    proxy.swallow = b"/containers/create"
    with pytest.raises(EngineUnavailable):
        await bench.create()
    await repeated(lambda: bench.create(command="echo fine"))
    await bench.orchestrator.start_worker(bench.ref)
    await bench.ended()
    assert [line.text for line in await bench.lines()] == ["fine"]


async def test_an_engine_that_is_silent_is_unavailable_and_no_call_hangs(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(
        environ={"DOCKER_HOST": proxy.url},
        timeouts=Timeouts(connect_s=0.2, answer_s=0.2, work_s=0.2, stall_s=0.2),
    )
    await bench.orchestrator.probe()
    proxy.silent = True
    for call in (
        bench.orchestrator.probe,
        bench.orchestrator.refs,
        lambda: bench.orchestrator.observe(bench.ref),
    ):
        with pytest.raises(EngineUnavailable):
            await asyncio.wait_for(call(), DEADLINE_S)
    proxy.silent = False


async def test_an_engine_that_is_away_is_unavailable(make_bench: Any, tmp_path: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    for call in (bench.orchestrator.probe, bench.orchestrator.refs, bench.create, bench.lines):
        with pytest.raises(EngineUnavailable):
            await call()
