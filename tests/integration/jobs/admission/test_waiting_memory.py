"""The memory of queued jobs and waiting submissions: bounded in bytes for any spec."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web

from jobd.api.context import CONTEXT
from jobd.api.endpoints import jobs
from jobd.api.memory import memory_budget
from jobd.api.middleware import each_request
from jobd.budget import ByteBudget
from jobd.jobs.admission.submission import SubmissionLimits
from jobd.store.sqlite.writer import Writer

DEADLINE_S = 60.0
BODIES_BYTES = 8 << 20
BODY = {"id": "", "image": "busybox", "environment": {f"V{n}": "x" * 125_000 for n in range(7)}}
JOB_BYTES = 7_000
"""A record and a supervisor with its task: about 5 kB."""


async def test_a_queued_job_holds_its_record_and_not_its_spec(system: Any) -> None:
    system.engine.away = True
    system.queue.limit = 0
    environment = {f"V{n}": "x" * 1000 for n in range(100)}
    await system.submit(id="first", environment=environment)
    tracemalloc.start()
    try:
        for number in range(90):
            await system.submit(id=f"j{number}", environment=environment)
        for _ in range(20):
            await asyncio.sleep(0)
        gc.collect()
        assert (system.queue.waiting, len(system.supervisors), len(system.submitter._submitting)) == (
            91,
            91,
            0,
        )
        assert tracemalloc.get_traced_memory()[0] < 90 * JOB_BYTES
    finally:
        tracemalloc.stop()


@pytest.fixture
async def stalled(system: Any) -> AsyncIterator[threading.Event]:
    """The disk writes nothing until this is set."""
    goes_on = threading.Event()
    writer: Writer = system.store._writer
    stall = asyncio.create_task(writer.write(lambda connection: goes_on.wait(), outside_transaction=True))
    await asyncio.sleep(0)
    yield goes_on
    goes_on.set()
    await stall


async def test_submissions_that_wait_for_the_disk_are_bounded_by_the_budget_of_bodies(
    system: Any, stalled: threading.Event, unused_tcp_port: int
) -> None:
    system.engine.away = True
    bodies = ByteBudget(BODIES_BYTES)
    app = web.Application(
        middlewares=[each_request(), memory_budget(bodies, ByteBudget(1), {})], client_max_size=1 << 20
    )
    context: Any = SimpleNamespace(submitter=system.submitter, bodies=bodies, jobs=system.service)
    app[CONTEXT] = context
    app.router.add_post("/v1/jobs", jobs.submit)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    writers = []
    for number in range(40):
        body = msgspec.json.encode({**BODY, "id": f"j{number}"})
        _, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        writers.append(writer)
    room = system.store._writer.capacity
    fit = BODIES_BYTES // len(body)
    async with asyncio.timeout(DEADLINE_S):
        while len(system.submitter._submitting) < fit:
            await asyncio.sleep(0.01)
    # A client that disconnects frees nothing: its bytes are on their way to the disk.
    for writer in writers[:fit]:
        writer.transport.abort()
    for _ in range(100):
        await asyncio.sleep(0.001)
    waiting = room.size_bytes + sum(size for _, size in room._waiters)
    assert len(system.submitter._submitting) == fit
    assert bodies.reserved_bytes <= BODIES_BYTES
    assert 0 < waiting <= bodies.reserved_bytes + fit * 4096, (
        "a spec with its defaults, and the rest of a change"
    )
    stalled.set()
    async with asyncio.timeout(DEADLINE_S):
        while len(system.supervisors) < 40:
            await asyncio.sleep(0.01)
    for writer in writers:
        writer.close()
    await runner.cleanup()


async def test_submissions_under_way_count_as_queued_jobs(system: Any, stalled: threading.Event) -> None:
    system.engine.away = True
    system.submitter.limits = SubmissionLimits(max_queued=3)
    outcomes = [asyncio.create_task(system.submit(id=f"j{number}")) for number in range(10)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(system.submitter._submitting) == 3
    assert sum(one.done() for one in outcomes) == 7
    stalled.set()
    ended = await asyncio.gather(*outcomes, return_exceptions=True)
    assert sum(isinstance(one, Exception) for one in ended) == 7
