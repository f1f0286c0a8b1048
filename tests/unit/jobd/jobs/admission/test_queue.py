"""Admission: first in, first out, never more than the limit, and a place is always given on."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.admission.queue import AdmissionQueue


async def test_the_first_in_line_comes_first() -> None:
    queue = AdmissionQueue(1)
    for uid in "abc":
        queue.enter(uid)
    assert (queue.running, queue.waiting) == (1, 2)
    assert [queue.position(uid) for uid in "abc"] == [None, 1, 2]
    queue.leave("a")
    assert [queue.position(uid) for uid in "abc"] == [None, None, 1]
    await asyncio.wait_for(queue.admitted("b"), 5)
    queue.leave("b")
    await asyncio.wait_for(queue.admitted("c"), 5)


async def test_who_waits_goes_on_when_a_place_is_given_up_and_not_before() -> None:
    queue = AdmissionQueue(1)
    queue.enter("a")
    queue.enter("b")
    waiting = asyncio.create_task(queue.admitted("b"))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.leave("a")
    await asyncio.wait_for(waiting, 60)


async def test_who_leaves_the_line_is_let_go_and_takes_no_place() -> None:
    queue = AdmissionQueue(1)
    queue.enter("a")
    queue.enter("b")
    queue.enter("c")
    waiting = asyncio.create_task(queue.admitted("b"))
    await asyncio.sleep(0)
    queue.leave("b")
    await asyncio.wait_for(waiting, 60)
    assert queue.position("c") == 1
    queue.leave("a")
    assert (queue.running, queue.waiting) == (1, 0)


async def test_who_is_not_in_line_is_not_held_up() -> None:
    await asyncio.wait_for(AdmissionQueue(1).admitted("x"), 5)


def test_entering_twice_keeps_the_place_in_line() -> None:
    queue = AdmissionQueue(1)
    for uid in ("a", "b", "c", "b", "a"):
        queue.enter(uid)
    assert [queue.position(uid) for uid in "abc"] == [None, 1, 2]
    assert queue.running == 1


def test_leaving_twice_gives_up_one_place_alone() -> None:
    queue = AdmissionQueue(1)
    for uid in "abc":
        queue.enter(uid)
    queue.leave("a")
    queue.leave("a")
    assert (queue.running, queue.waiting) == (1, 1)


def test_jobs_of_before_a_restart_keep_their_places_over_the_limit() -> None:
    queue = AdmissionQueue(1)
    queue.occupy("a")
    queue.occupy("b")
    queue.enter("c")
    assert (queue.running, queue.position("c")) == (2, 1)
    queue.leave("a")
    assert queue.position("c") == 1
    queue.leave("b")
    assert queue.position("c") is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(["enter", "leave"]), st.sampled_from("abcdef")), max_size=30),
)
def test_it_is_a_fifo_with_a_limit_whatever_happens(limit: int, moves: list[tuple[str, str]]) -> None:
    queue = AdmissionQueue(limit)
    line: list[str] = []
    for move, uid in moves:
        getattr(queue, move)(uid)
        if move == "enter" and uid not in line:
            line.append(uid)
        elif move == "leave" and uid in line:
            line.remove(uid)
        assert queue.running == min(limit, len(line))
        assert [queue.position(uid) for uid in line] == [None] * queue.running + list(
            range(1, queue.waiting + 1)
        )
