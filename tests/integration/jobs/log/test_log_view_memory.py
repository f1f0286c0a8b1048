"""The memory of readers of a job's log: no page while a reader waits, and one page of a long tail."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from jobd.jobs.log import log_view
from jobd.jobs.log.log_view import LogQuery
from tests.support.stored_log import DEADLINE_S, Log


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def in_use() -> int:
    """The bytes that Python objects hold."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def next_part(stream: AsyncIterator[bytes]) -> bytes:
    return await anext(stream)


async def followers_at_the_end(log: Log, count: int, **query: Any) -> list[asyncio.Task[bytes]]:
    """Followers that have read the whole log and wait for more."""
    waiting: list[asyncio.Task[bytes]] = []
    for _ in range(count):
        stream = log.view.frames(log.record, LogQuery(follow=True, **query))
        left = log.record.log.size_bytes
        while left > 0:
            left -= len(await anext(stream))
        waiting.append(asyncio.create_task(next_part(stream)))
    return waiting


async def ended(waiting: list[asyncio.Task[bytes]]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("query", [{}, {"stream": "stdout"}], ids=["whole", "one stream"])
async def test_a_follower_keeps_no_page_while_it_waits_for_lines(
    log: Log, traced: None, query: dict[str, Any]
) -> None:
    await log.write(*("x" * 1000 for _ in range(300)))
    before = in_use()
    waiting = await followers_at_the_end(log, 20, **query)
    async with asyncio.timeout(DEADLINE_S):
        while log.system.budget.reserved_bytes:
            await asyncio.sleep(0)
    assert in_use() - before < 20 * 30_000, "a page is 300 kB"
    await ended(waiting)


async def test_a_reader_keeps_no_page_while_it_waits_for_room(log: Log, traced: None) -> None:
    for _ in range(2):
        await log.write(*("x" * 1000 for _ in range(300)))
    before = in_use()
    readers, size = (
        [log.view.frames(log.record, LogQuery()) for _ in range(20)],
        log.record.log.size_bytes // 2,
    )
    for reader in readers:
        got = 0
        while got < size:
            got += len(await anext(reader))
    async with log.system.budget.reserve(log.system.budget.limit // 2):
        waiting = [asyncio.create_task(next_part(reader)) for reader in readers]
        async with log.system.budget.reserve(log.system.budget.limit // 2, estimated=True):
            await asyncio.sleep(0)
            assert log.system.budget.reserved_bytes >= log.system.budget.limit // 2
            assert in_use() - before < 20 * 30_000, "a page is 300 kB"
            await ended(waiting)


async def test_a_long_tail_of_one_stream_holds_a_page_and_not_the_log(
    log: Log, traced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "TAIL_READ_BYTES", 1 << 14)
    for _ in range(8):
        await log.write(*("" for _ in range(1000)))
    before = in_use()
    tracemalloc.reset_peak()
    first = await anext(log.view.frames(log.record, LogQuery(tail=10**18 - 1, stream="stdout")))
    assert msgspec.json.decode(first.splitlines()[0])["seq"] == 1
    small = tracemalloc.get_traced_memory()[1] - before
    del first
    for _ in range(100):
        await log.write(*("" for _ in range(1000)))
    before = in_use()
    tracemalloc.reset_peak()
    await anext(log.view.frames(log.record, LogQuery(tail=10**18 - 1, stream="stdout")))
    assert tracemalloc.get_traced_memory()[1] - before < 1.5 * small, "100000 lines more"
