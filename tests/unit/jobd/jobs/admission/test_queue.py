"""Admission: first in, first out, never more than the limit, and a released place is always used."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.admission.queue import AdmissionQueue


async def test_the_first_in_the_queue_is_admitted_first() -> None:
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


async def test_a_waiting_job_is_admitted_once_a_place_is_released() -> None:
    queue = AdmissionQueue(1)
    queue.enter("a")
    queue.enter("b")
    waiting = asyncio.create_task(queue.admitted("b"))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.leave("a")
    await asyncio.wait_for(waiting, 60)


async def test_a_job_that_leaves_the_queue_takes_no_place() -> None:
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


async def test_a_job_outside_the_queue_does_not_wait() -> None:
    await asyncio.wait_for(AdmissionQueue(1).admitted("x"), 5)


def test_entering_twice_keeps_the_position() -> None:
    queue = AdmissionQueue(1)
    for uid in ("a", "b", "c", "b", "a"):
        queue.enter(uid)
    assert [queue.position(uid) for uid in "abc"] == [None, 1, 2]
    assert queue.running == 1


def test_leaving_twice_releases_one_place() -> None:
    queue = AdmissionQueue(1)
    for uid in "abc":
        queue.enter(uid)
    queue.leave("a")
    queue.leave("a")
    assert (queue.running, queue.waiting) == (1, 1)


def test_jobs_from_before_a_restart_keep_their_places_over_the_limit() -> None:
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
def test_any_order_of_calls_is_a_fifo_with_a_limit(limit: int, moves: list[tuple[str, str]]) -> None:
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
