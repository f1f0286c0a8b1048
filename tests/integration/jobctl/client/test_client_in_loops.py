"""The Python client where an event loop runs: coroutines, and a cell of a notebook."""

import asyncio
import threading

import pytest

from jobctl.client import (
    AsyncClient,
    Client,
    Conflict,
    JobCancelled,
    NotFound,
    WaitTimedOut,
)
from tests.support.daemon import Daemon, until

DEADLINE_S = 30.0


async def test_coroutines_wait_without_threads_of_their_own(jobd: Daemon, job_id: str) -> None:
    async with AsyncClient(f"unix://{jobd.socket}") as client:
        jobs = await asyncio.gather(*(client.submit("busybox", id=f"{job_id}-{n}") for n in range(30)))
        waits = [asyncio.create_task(job.wait(DEADLINE_S, check=False)) for job in jobs]
        with pytest.raises(WaitTimedOut):
            await jobs[0].wait(0.1)
        named = [one.name for one in threading.enumerate()]
        assert sum("jobctl-waits" in name for name in named) == 1
        assert sum("jobctl-requests" in name for name in named) <= 8
        await asyncio.gather(*(job.cancel("no need") for job in jobs))
        ended = await asyncio.gather(*waits)
        assert {job.status for job in ended} == {"cancelled"}
        with pytest.raises(JobCancelled, match=f"{job_id}-0 cancelled"):
            await client.wait_all(jobs, DEADLINE_S)
        assert {job.id for job in jobs} == {job.id async for job in client.as_completed(jobs)}
        assert len([job async for job in client.jobs(prefix=job_id)]) == 30
        with pytest.raises(Conflict):
            await jobs[0].cancel()
        with pytest.raises(NotFound):
            await client.job("nothing-has-this-id")


async def test_a_cancelled_coroutine_leaves_a_stream_at_once(jobd: Daemon, job_id: str) -> None:
    async with AsyncClient(f"unix://{jobd.socket}") as client:
        job = await client.submit("busybox", id=job_id)
        for stream in (job.logs(follow=True), job.events(follow=True)):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(aiter(stream)), 0.2)
        with pytest.raises(WaitTimedOut):
            async for _ in job.logs(follow=True, timeout=0.1):
                pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job.wait(), 0.2)
    await asyncio.to_thread(
        until,
        lambda: not any(one.name.startswith("jobctl-") for one in threading.enumerate()),
        "no thread is left",
    )


def test_a_synchronous_call_works_where_an_event_loop_runs(jobd: Daemon, job_id: str) -> None:
    """As in a cell of a notebook."""

    async def cell() -> str:
        with Client(f"unix://{jobd.socket}") as client:
            job = client.submit("busybox", id=job_id)
            job.cancel()
            return job.wait(DEADLINE_S, check=False).status

    assert asyncio.run(cell()) == "cancelled"
