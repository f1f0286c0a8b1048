"""Admission: first in, first out, never more than the limit, and a released place is always used."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.admission.scheduling.resources import UNLIMITED
from jobd.jobs.admission.scheduling.waits import WaitReason
from jobd.jobs.port.model import EngineFacts
from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import Awaited, Scheduling, ticket_at
from jobd.jobs.record.states import Queued
from tests.support.admission import open_queue

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def job(uid: str, ticket: int = 0, **scheduling: Any) -> Record:
    """A waiting job; jobs with one ticket are in the order of their uids."""
    return Record(
        uid=uid,
        id=uid,
        created_at=NOW,
        scheduling=Scheduling(ticket=ticket, **scheduling),
        attempt=Attempt(state=Queued(since=NOW)),
    )


async def test_the_first_in_the_queue_is_admitted_first() -> None:
    queue = open_queue(1)
    for uid in "abc":
        queue.enter(job(uid))
    assert (queue.running, queue.waiting) == (1, 2)
    assert [queue.position(uid) for uid in "abc"] == [None, 1, 2]
    queue.leave("a")
    assert [queue.position(uid) for uid in "abc"] == [None, None, 1]
    await asyncio.wait_for(queue.changed("b"), 5)
    queue.leave("b")
    await asyncio.wait_for(queue.changed("c"), 5)


async def test_a_waiting_job_is_admitted_once_a_place_is_released() -> None:
    queue = open_queue(1)
    queue.enter(job("a"))
    queue.enter(job("b"))
    waiting = asyncio.create_task(queue.changed("b"))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.leave("a")
    await asyncio.wait_for(waiting, 60)


async def test_a_job_that_leaves_the_queue_takes_no_place() -> None:
    queue = open_queue(1)
    queue.enter(job("a"))
    queue.enter(job("b"))
    queue.enter(job("c"))
    waiting = asyncio.create_task(queue.changed("b"))
    await asyncio.sleep(0)
    queue.leave("b")
    await asyncio.wait_for(waiting, 60)
    assert queue.position("c") == 1
    queue.leave("a")
    assert (queue.running, queue.waiting) == (1, 0)


async def test_a_job_outside_the_queue_does_not_wait() -> None:
    await asyncio.wait_for(open_queue(1).changed("x"), 5)


def test_entering_twice_keeps_the_position() -> None:
    queue = open_queue(1)
    for uid in ("a", "b", "c", "b", "a"):
        queue.enter(job(uid))
    assert [queue.position(uid) for uid in "abc"] == [None, 1, 2]
    assert queue.running == 1


def test_leaving_twice_releases_one_place() -> None:
    queue = open_queue(1)
    for uid in "abc":
        queue.enter(job(uid))
    queue.leave("a")
    queue.leave("a")
    assert (queue.running, queue.waiting) == (1, 1)


def test_jobs_from_before_a_restart_keep_their_places_over_the_limit() -> None:
    queue = open_queue(1)
    queue.occupy(job("a"))
    queue.occupy(job("b"))
    queue.enter(job("c"))
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
    queue = open_queue(limit)
    line: list[str] = []
    tickets: dict[str, int] = {}
    for move, uid in moves:
        if move == "enter":
            if uid not in line:
                tickets[uid] = queue.next_ticket(NOW)
            queue.enter(job(uid, tickets[uid]))
        else:
            queue.leave(uid)
        if move == "enter" and uid not in line:
            line.append(uid)
        elif move == "leave" and uid in line:
            line.remove(uid)
        assert queue.running == min(limit, len(line))
        assert [queue.position(uid) for uid in line] == [None] * queue.running + list(
            range(1, queue.waiting + 1)
        )


def test_a_ticket_is_behind_all_jobs_even_if_the_clock_was_set_back() -> None:
    queue = open_queue(0)
    first = queue.next_ticket(NOW)
    assert first == ticket_at(NOW)
    queue.enter(job("retried", ticket_at(NOW + timedelta(seconds=5))))
    assert queue.next_ticket(NOW - timedelta(days=1)) == ticket_at(NOW + timedelta(seconds=5)) + 1


def test_jobs_from_before_a_restart_enter_in_any_order_and_start_in_that_of_their_tickets() -> None:
    queue = open_queue(1)
    with queue.rebuilding():
        for uid, ticket in (("c", 3), ("a", 1), ("b", 2)):
            queue.enter(job(uid, ticket))
    assert [queue.position(uid) for uid in "abc"] == [None, 1, 2]


def test_the_memory_of_the_engine_limits_the_jobs_that_run_at_once() -> None:
    queue = AdmissionQueue(8)
    queue.enter(job("a", memory_mb=900))
    queue.enter(job("b", memory_mb=900))
    assert queue.running == 0, "the engine has not answered yet"
    queue.take_engine_facts(EngineFacts("x", "1", "1", cpus=4, memory_bytes=2 << 30, platform="linux"))
    queue.enter(job("c", memory_mb=900))
    wait = queue.wait_of("c")
    assert wait == (WaitReason.MEMORY, 900, 248)
    queue.leave("a")
    assert (queue.running, queue.wait_of("c")) == (2, None)


def test_more_cores_than_one_are_counted() -> None:
    queue = AdmissionQueue(8)
    queue.take_engine_facts(EngineFacts("x", "1", "1", cpus=4, memory_bytes=64 << 30, platform="linux"))
    for uid, cpu in (("a", 3.0), ("b", 1.0), ("c", 0.5), ("d", 1.5)):
        queue.enter(job(uid, cpu=cpu))
    assert queue.running == 3
    assert queue.wait_of("d") == (WaitReason.CPUS, 1500, 1000)


async def test_a_job_waits_for_the_end_of_others_and_for_its_record_to_take_the_ends_in() -> None:
    queue = open_queue(8)
    after = [Awaited(uid="a", id="x"), Awaited(uid="b", id="y")]
    queue.enter(job("a"))
    queue.enter(job("c", after=after))
    assert (queue.gpus_of("c"), queue.news("c")) == (None, None)
    waiting = asyncio.create_task(queue.changed("c"))
    await asyncio.sleep(0)
    queue.job_ended("a", "completed")
    await asyncio.wait_for(waiting, 60)
    await asyncio.wait_for(queue.changed("c"), 60)
    assert queue.news("c") == ("a", "completed")
    queue.update(job("c", after=after[1:]))
    assert (queue.gpus_of("c"), queue.news("c")) == (None, None)
    queue.job_ended("b", "failed")
    assert queue.news("c") == ("b", "failed")
    queue.update(job("c"))
    assert queue.gpus_of("c") == ()


async def test_no_job_is_admitted_before_the_engine_has_told_its_cores_and_memory() -> None:
    queue = AdmissionQueue(8)
    queue.occupy(job("from before the restart", memory_mb=1500))
    with queue.rebuilding():
        for number in range(3):
            queue.enter(job(f"j{number}", number + 1, memory_mb=900))
    queue.enter(job("behind", 9, after=[Awaited(uid="j0", id="j0")]))
    queue.limit = 9
    queue.leave("nobody")
    assert (queue.running, queue.position("j0")) == (1, 1)
    assert queue.wait_of("j0") == (WaitReason.ENGINE, 0, 0)
    assert set(queue.waits()) == {("default", "engine", 3), ("default", "dependency", 1)}
    waiting = asyncio.create_task(queue.changed("j0"))
    await asyncio.sleep(0)
    queue.take_engine_facts(EngineFacts("x", "1", "1", cpus=4, memory_bytes=3 << 30, platform="linux"))
    await asyncio.wait_for(waiting, 60)
    assert (queue.running, queue.wait_of("j1")) == (2, (WaitReason.MEMORY, 900, 672))


def test_the_first_answer_admits_also_if_the_machine_is_without_limits() -> None:
    queue = AdmissionQueue(1)
    queue.enter(job("a"))
    unlimited = EngineFacts("x", "1", "1", cpus=UNLIMITED, memory_bytes=UNLIMITED << 20, platform="linux")
    queue.take_engine_facts(unlimited)
    assert queue.running == 1
