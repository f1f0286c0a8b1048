"""The bytes that many readers share: never more than the limit, first come first served, and a stalled reader gives way."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.budget import EVICTED, BudgetExhausted, ByteBudget

DEADLINE_S = 5.0


class Holder:
    """A task that holds until it is let go."""

    def __init__(self, budget: ByteBudget, size: int, estimated: bool = False) -> None:
        self.held = asyncio.Event()
        self.let_go = asyncio.Event()
        self.hold: Any = None
        self.task = asyncio.create_task(self._run(budget, size, estimated))

    async def _run(self, budget: ByteBudget, size: int, estimated: bool) -> None:
        async with budget.reserve(size, estimated=estimated) as self.hold:
            self.held.set()
            await self.let_go.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_does_not_fit_waits_for_room() -> None:
    budget = ByteBudget(100)
    first, second, third = (Holder(budget, size) for size in (60, 50, 10))
    await settle()
    assert (first.held.is_set(), second.held.is_set(), third.held.is_set()) == (True, False, False)
    assert budget.reserved_bytes == 60
    first.let_go.set()
    await settle()
    assert second.held.is_set()
    assert third.held.is_set(), "room is left for the next one as well"
    for holder in (second, third):
        holder.let_go.set()
    await settle()
    assert budget.reserved_bytes == 0


async def test_an_estimate_is_corrected_before_anybody_else_reads() -> None:
    budget = ByteBudget(100)
    first, second = Holder(budget, 10, estimated=True), Holder(budget, 10, estimated=True)
    await settle()
    assert not second.held.is_set()
    first.hold.resize(500)
    await settle()
    assert (budget.reserved_bytes, second.held.is_set()) == (500, False)
    first.let_go.set()
    await settle()
    assert second.held.is_set()
    second.let_go.set()
    await settle()
    assert budget.reserved_bytes == 0


async def test_one_that_leaves_the_line_lets_the_next_one_in() -> None:
    budget = ByteBudget(100)
    first, big, small = (Holder(budget, size) for size in (60, 100, 10))
    await settle()
    big.task.cancel()
    await settle()
    assert small.held.is_set()
    first.task.cancel()
    small.task.cancel()
    await settle()
    assert budget.reserved_bytes == 0


async def test_more_than_the_limit_waits_for_all_of_it() -> None:
    budget = ByteBudget(100)
    one = Holder(budget, 10_000)
    await settle()
    assert (one.held.is_set(), budget.reserved_bytes) == (True, 100)
    one.let_go.set()
    await settle()


async def test_waiting_has_an_end() -> None:
    budget = ByteBudget(100)
    first = Holder(budget, 100)
    await settle()
    with pytest.raises(BudgetExhausted):
        async with budget.reserve(1, limit_s=0.01):
            pass
    first.task.cancel()


async def test_a_reader_that_has_not_moved_gives_way() -> None:
    now = 0.0
    budget = ByteBudget(100, patience_s=0.01, now=lambda: now)
    stalled, reading = Holder(budget, 50), Holder(budget, 50)
    await settle()
    now = 5.0
    reading.hold.mark_progress()
    third = Holder(budget, 50)
    async with asyncio.timeout(DEADLINE_S):
        await third.held.wait()
    with pytest.raises(asyncio.CancelledError) as caught:
        await stalled.task
    assert EVICTED in caught.value.args
    assert not reading.task.done()
    for holder in (reading, third):
        holder.let_go.set()
    await settle()
    assert budget.reserved_bytes == 0


async def test_nobody_who_moves_gives_way() -> None:
    budget = ByteBudget(
        100, patience_s=0.001, now=lambda: 0.0
    )  # time that stands still: all have moved just now
    first = Holder(budget, 100)
    await settle()
    second = Holder(budget, 1)
    await asyncio.sleep(0.02)
    assert not first.task.done()
    first.let_go.set()
    async with asyncio.timeout(DEADLINE_S):
        await second.held.wait()
    second.let_go.set()
    await settle()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.booleans(), st.integers(0, 120), st.integers(0, 7)), max_size=30
    )
)
def test_no_order_of_holders_exceeds_the_limit_by_more_than_one_item(
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
            if estimated and newest.held.is_set():
                newest.hold.resize(measured)
            assert budget.reserved_bytes <= 100 + 120
            if leaves < len(holders):
                leaving = holders.pop(leaves)
                leaving.let_go.set() if leaves % 2 else leaving.task.cancel()
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
    first.let_go.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    second.task.cancel()
    await settle()
    assert second.task.cancelled()
    assert budget.reserved_bytes == 0
    assert (len(budget._waiters), len(budget._reservations)) == (0, 0)
