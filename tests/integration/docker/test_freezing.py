"""A frozen worker on the real engine: no process runs, and all that jobd reads of the worker can be read."""

import asyncio
from typing import Any

import pytest

from jobd.jobs.port.errors import ContainerGone

STANDS_STILL_S = 0.5


async def prints(bench: Any) -> int:
    return len(await bench.lines())


async def test_a_frozen_worker_stands_still_and_can_be_read(bench: Any) -> None:
    port, ref = bench.orchestrator, bench.ref
    await bench.create(command="echo x > f; while :; do echo tick; sleep 0.01; done")
    await port.start_worker(ref)
    async with asyncio.timeout(60):
        while await prints(bench) < 3:
            await asyncio.sleep(0.05)
    await port.freeze_worker(ref)
    before = await prints(bench), (await port.usage(ref)).cpu_s
    await asyncio.sleep(STANDS_STILL_S)
    assert (await prints(bench), (await port.usage(ref)).cpu_s) == before
    spec = (await port.observe(ref)).worker
    assert spec.frozen
    tar = b"".join([chunk async for chunk in port.open_tar(ref, "/workspace/f")])
    assert b"x\n" in tar
    with pytest.raises(ContainerGone):
        async with port.output(ref):
            pass
    await port.thaw_worker(ref)
    async with asyncio.timeout(60), port.output(ref) as connection:
        assert await anext(aiter(connection.pieces())) == ("stdout", b"tick\n")
        assert await prints(bench) > before[0]
