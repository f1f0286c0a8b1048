import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobd.docker.http.endpoint import parse
from jobd.docker.http.http_session import HttpSession, Timeouts
from jobd.docker.http.transport import Transport, at_once
from jobd.docker.mapping.models import Version
from jobd.jobs.port.errors import EngineUnavailable


@pytest.mark.parametrize(("descriptors", "calls"), [(-1, 32), (1024, 32), (64, 8), (10, 2)])
def test_few_descriptors_allow_few_calls(descriptors: int, calls: int) -> None:
    assert at_once(descriptors) == calls


@pytest.fixture
async def calls() -> AsyncIterator[Transport]:
    """Calls to an engine with a negotiated version."""
    timeouts = Timeouts(connect_s=0.02, answer_s=0.02, work_s=60)
    endpoint = parse("unix:///nonexistent", None)
    made: Any = Transport(endpoint, timeouts, HttpSession(endpoint, timeouts), None)
    made._agreed, made._clients = Version(negotiated="1.41"), {"answer": None, "work": None}
    yield made
    made._clients = {}
    made.close()


def waiting(calls: Any) -> int:
    """The number of calls in the pool's own, unbounded queue."""
    return int(calls._threads._work_queue.qsize())


async def test_calls_to_a_hanging_engine_do_not_queue_in_the_pool(calls: Transport) -> None:
    hangs = threading.Event()
    try:
        for _ in range(2):
            outcomes = await asyncio.gather(
                *(calls.in_thread("inspect", lambda client: hangs.wait()) for _ in range(100)),
                return_exceptions=True,
            )
            assert all(isinstance(outcome, EngineUnavailable) for outcome in outcomes)
            assert waiting(calls) == 0
    finally:
        hangs.set()
    assert await calls.in_thread("inspect", lambda client: 7, "work") == 7


async def test_a_cancelled_call_keeps_its_thread_until_the_thread_ends(calls: Transport) -> None:
    hangs = threading.Event()
    asked = [
        asyncio.create_task(calls.in_thread("inspect", lambda client: hangs.wait(), "work"))
        for _ in range(100)
    ]
    try:
        for _ in range(3):
            await asyncio.sleep(0)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        again = [
            asyncio.create_task(calls.in_thread("inspect", lambda client: 7, "work")) for _ in range(100)
        ]
        for _ in range(3):
            await asyncio.sleep(0)
        assert waiting(calls) == 0
    finally:
        hangs.set()
    assert await asyncio.gather(*again) == [7] * 100


async def test_a_failure_after_the_callers_cancel_is_not_logged(
    calls: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    hangs = threading.Event()

    def fails(_: Any) -> None:
        hangs.wait()
        raise ValueError("too late")

    try:
        with pytest.raises(EngineUnavailable):
            await calls.in_thread("inspect", fails)
    finally:
        hangs.set()
    assert await calls.in_thread("inspect", lambda client: 7, "work") == 7
    await asyncio.get_running_loop().run_in_executor(None, gc.collect)
    assert not caplog.records
