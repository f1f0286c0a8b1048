"""The line of those who want to write: bounded in number and in bytes, fair, and nothing is lost where a caller leaves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.store.sqlite.room import Room

COUNT, BYTES = 4, 100


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_bytes_are_bounded() -> None:
    room = Room(COUNT, BYTES)
    await room.enter(60)
    waiting = asyncio.create_task(room.enter(60))
    await turn()
    assert not waiting.done()
    assert room.size_bytes == 60
    room.leave(60)
    async with asyncio.timeout(60):
        await waiting
    assert room.size_bytes == 60


async def test_one_that_is_larger_than_all_the_room_goes_alone() -> None:
    room = Room(COUNT, BYTES)
    await room.enter(10)
    large = asyncio.create_task(room.enter(1000))
    small = asyncio.create_task(room.enter(1))
    await turn()
    assert not large.done()
    assert not small.done(), "nobody overtakes it"
    room.leave(10)
    async with asyncio.timeout(60):
        await large
    await turn()
    assert not small.done()
    room.leave(1000)
    async with asyncio.timeout(60):
        await small


async def test_a_caller_that_is_cancelled_as_its_turn_comes_gives_the_room_back() -> None:
    room = Room(1, BYTES)
    await room.enter(1)
    first, second = (asyncio.create_task(room.enter(1)) for _ in range(2))
    await turn()
    room.leave(1)  # the room is the first one's now, and it does not know yet
    first.cancel()
    async with asyncio.timeout(60):
        await second
    assert first.cancelled()
    assert room.count == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "leave", "cancel"]), st.integers(0, 150), st.booleans()),
        max_size=40,
    )
)
@pytest.mark.filterwarnings("error")
def test_any_order_of_callers(steps: list[tuple[str, int, bool]]) -> None:
    async def walk() -> None:
        room = Room(COUNT, BYTES)
        inside: list[tuple[asyncio.Task[None], int]] = []
        waiting: list[tuple[asyncio.Task[None], int]] = []
        for kind, number, settles in steps:
            if kind == "enter":
                waiting.append((asyncio.create_task(room.enter(number)), number))
            elif kind == "leave" and inside:
                room.leave(inside.pop(number % len(inside))[1])
            elif kind == "cancel" and waiting:
                waiting[number % len(waiting)][0].cancel()
            if settles:
                await turn()
                inside += [one for one in waiting if one[0].done() and not one[0].cancelled()]
                waiting = [one for one in waiting if not one[0].done()]
                assert room.count == len(inside)
                assert room.size_bytes == sum(size for _, size in inside)
                assert room.count <= COUNT
                assert room.size_bytes <= BYTES or room.count == 1
                if waiting:
                    assert inside, "somebody waits, and nobody is inside"
        await turn()
        inside += [one for one in waiting if one[0].done() and not one[0].cancelled()]
        waiting = [one for one in waiting if not one[0].done()]
        while inside:
            room.leave(inside.pop()[1])
            await turn()
            inside += [one for one in waiting if one[0].done()]
            waiting = [one for one in waiting if not one[0].done()]
        assert not waiting
        assert (room.count, room.size_bytes) == (0, 0)

    asyncio.run(walk())
