"""The capacity of the write queue: a limit on changes and bytes in FIFO order, which cancelled callers give back."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.store.sqlite.write_capacity import WriteCapacity

COUNT, BYTES = 4, 100


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_bytes_are_bounded() -> None:
    capacity = WriteCapacity(COUNT, BYTES)
    await capacity.acquire(60)
    waiting = asyncio.create_task(capacity.acquire(60))
    await turn()
    assert not waiting.done()
    assert capacity.size_bytes == 60
    capacity.release(60)
    async with asyncio.timeout(5):
        await waiting
    assert capacity.size_bytes == 60


async def test_a_change_above_the_limit_waits_until_the_queue_is_empty() -> None:
    capacity = WriteCapacity(COUNT, BYTES)
    await capacity.acquire(10)
    large = asyncio.create_task(capacity.acquire(1000))
    small = asyncio.create_task(capacity.acquire(1))
    await turn()
    assert not large.done()
    assert not small.done(), "no later change overtakes it"
    capacity.release(10)
    async with asyncio.timeout(5):
        await large
    await turn()
    assert not small.done()
    capacity.release(1000)
    async with asyncio.timeout(5):
        await small


async def test_a_caller_that_is_cancelled_as_its_turn_comes_releases_its_capacity() -> None:
    capacity = WriteCapacity(1, BYTES)
    await capacity.acquire(1)
    first, second = (asyncio.create_task(capacity.acquire(1)) for _ in range(2))
    await turn()
    capacity.release(1)  # the first caller has the capacity now, but has not run yet
    first.cancel()
    async with asyncio.timeout(5):
        await second
    assert first.cancelled()
    assert capacity.count == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["acquire", "release", "cancel"]), st.integers(0, 150), st.booleans()),
        max_size=40,
    )
)
@pytest.mark.filterwarnings("error")
def test_the_limits_hold_for_any_order_of_calls(steps: list[tuple[str, int, bool]]) -> None:
    async def walk() -> None:
        capacity = WriteCapacity(COUNT, BYTES)
        inside: list[tuple[asyncio.Task[None], int]] = []
        waiting: list[tuple[asyncio.Task[None], int]] = []
        for kind, number, settles in steps:
            if kind == "acquire":
                waiting.append((asyncio.create_task(capacity.acquire(number)), number))
            elif kind == "release" and inside:
                capacity.release(inside.pop(number % len(inside))[1])
            elif kind == "cancel" and waiting:
                waiting[number % len(waiting)][0].cancel()
            if settles:
                await turn()
                inside += [one for one in waiting if one[0].done() and not one[0].cancelled()]
                waiting = [one for one in waiting if not one[0].done()]
                assert capacity.count == len(inside)
                assert capacity.size_bytes == sum(size for _, size in inside)
                assert capacity.count <= COUNT
                assert capacity.size_bytes <= BYTES or capacity.count == 1
                if waiting:
                    assert inside, "a caller waits, and the queue is empty"
        await turn()
        inside += [one for one in waiting if one[0].done() and not one[0].cancelled()]
        waiting = [one for one in waiting if not one[0].done()]
        while inside:
            capacity.release(inside.pop()[1])
            await turn()
            inside += [one for one in waiting if one[0].done()]
            waiting = [one for one in waiting if not one[0].done()]
        assert not waiting
        assert (capacity.count, capacity.size_bytes) == (0, 0)

    asyncio.run(walk())
