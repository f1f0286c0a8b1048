"""The memory budget that many readers share: a limit, FIFO order, and eviction of stalled readers."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.budget import EVICTED, BudgetExhausted, ByteBudget

DEADLINE_S = 60.0


class Holder:
    """A task with a reservation until `release` is set."""

    def __init__(self, budget: ByteBudget, size: int, estimated: bool = False) -> None:
        self.reserved = asyncio.Event()
        self.release = asyncio.Event()
        self.reservation: Any = None
        self.task = asyncio.create_task(self._run(budget, size, estimated))

    async def _run(self, budget: ByteBudget, size: int, estimated: bool) -> None:
        async with budget.reserve(size, estimated=estimated) as self.reservation:
            self.reserved.set()
            await self.release.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_request_that_does_not_fit_waits() -> None:
    budget = ByteBudget(100)
    first, second, third = (Holder(budget, size) for size in (60, 50, 10))
    await settle()
    assert (first.reserved.is_set(), second.reserved.is_set(), third.reserved.is_set()) == (
        True,
        False,
        False,
    )
    assert budget.reserved_bytes == 60
    first.release.set()
    await settle()
    assert second.reserved.is_set()
    assert third.reserved.is_set(), "the next request fits as well"
    for holder in (second, third):
        holder.release.set()
    await settle()
    assert budget.reserved_bytes == 0


async def test_an_estimate_is_corrected_before_the_next_reservation() -> None:
    budget = ByteBudget(100)
    first, second = Holder(budget, 10, estimated=True), Holder(budget, 10, estimated=True)
    await settle()
    assert not second.reserved.is_set()
    first.reservation.resize(500)
    await settle()
    assert (budget.reserved_bytes, second.reserved.is_set()) == (500, False)
    first.release.set()
    await settle()
    assert second.reserved.is_set()
    second.release.set()
    await settle()
    assert budget.reserved_bytes == 0


async def test_a_cancelled_waiter_wakes_the_next_one() -> None:
    budget = ByteBudget(100)
    first, big, small = (Holder(budget, size) for size in (60, 100, 10))
    await settle()
    big.task.cancel()
    await settle()
    assert small.reserved.is_set()
    first.task.cancel()
    small.task.cancel()
    await settle()
    assert budget.reserved_bytes == 0


async def test_a_size_above_the_limit_waits_for_the_whole_budget() -> None:
    budget = ByteBudget(100)
    one = Holder(budget, 10_000)
    await settle()
    assert (one.reserved.is_set(), budget.reserved_bytes) == (True, 100)
    one.release.set()
    await settle()


async def test_waiting_has_a_time_limit() -> None:
    budget = ByteBudget(100)
    first = Holder(budget, 100)
    await settle()
    with pytest.raises(BudgetExhausted):
        async with budget.reserve(1, limit_s=0.01):
            pass
    first.task.cancel()


async def test_a_stalled_reader_is_evicted() -> None:
    now = 0.0
    budget = ByteBudget(100, patience_s=0.01, now=lambda: now)
    stalled, reading = Holder(budget, 50), Holder(budget, 50)
    await settle()
    now = 5.0
    reading.reservation.mark_progress()
    third = Holder(budget, 50)
    async with asyncio.timeout(DEADLINE_S):
        await third.reserved.wait()
    with pytest.raises(asyncio.CancelledError) as caught:
        await stalled.task
    assert EVICTED in caught.value.args
    assert not reading.task.done()
    for holder in (reading, third):
        holder.release.set()
    await settle()
    assert budget.reserved_bytes == 0


async def test_a_reader_with_progress_is_not_evicted() -> None:
    budget = ByteBudget(
        100, patience_s=0.001, now=lambda: 0.0
    )  # time that stands still: all have moved just now
    first = Holder(budget, 100)
    await settle()
    second = Holder(budget, 1)
    await asyncio.sleep(0.02)
    assert not first.task.done()
    first.release.set()
    async with asyncio.timeout(DEADLINE_S):
        await second.reserved.wait()
    second.release.set()
    await settle()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.booleans(), st.integers(0, 120), st.integers(0, 7)), max_size=30
    )
)
def test_no_order_of_reservations_exceeds_the_limit_by_more_than_one_item(
    plan: list[tuple[int, bool, int, int]],
) -> None:
    async def run() -> None:
        budget = ByteBudget(100)
        holders: list[Holder] = []
        tasks: list[asyncio.Task[None]] = []
        for size, estimated, measured, leaves in plan:
            holders.append(Holder(budget, size, estimated))
            newest = holders[-1]
            tasks.append(newest.task)
            await settle()
            if estimated and newest.reserved.is_set():
                newest.reservation.resize(measured)
            assert budget.reserved_bytes <= 100 + 120
            if leaves < len(holders):
                leaving = holders.pop(leaves)
                leaving.release.set() if leaves % 2 else leaving.task.cancel()
                await settle()
        for holder in holders:
            holder.task.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*tasks, return_exceptions=True)
        assert budget.reserved_bytes == 0

    asyncio.run(run())


@pytest.mark.parametrize("steps", range(6))
async def test_a_reader_that_is_cancelled_as_its_turn_comes_is_cancelled(steps: int) -> None:
    budget = ByteBudget(100)
    first = Holder(budget, 100)
    await settle()
    second = Holder(budget, 100)
    await settle()
    first.release.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    second.task.cancel()
    await settle()
    assert second.task.cancelled()
    assert budget.reserved_bytes == 0
    assert (len(budget._waiters), len(budget._reservations)) == (0, 0)
