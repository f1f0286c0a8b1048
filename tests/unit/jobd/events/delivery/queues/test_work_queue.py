"""The queue between poller and workers: waking workers, dropping deliveries of an open breaker, the bound on waiting answers."""

import asyncio
from pathlib import Path

from jobd.events.delivery.answered import Answered
from jobd.events.delivery.policies.breaker import Breakers
from jobd.events.delivery.queues import work_queue
from jobd.events.delivery.queues.destination_queues import DestinationQueues
from jobd.events.delivery.queues.work_queue import UNSETTLED_PER_WORKER, Taken, WorkQueue
from tests.support.fakes.clock import FakeClock
from tests.unit.jobd.events.delivery.queues.test_destination_queues import due

A, B = "http://a.test:80", "http://b.test:80"
PAGE = Path(work_queue.__file__).parents[4] / "docs" / "architecture.md"


def queue_of(workers: int = 10, threshold: int = 1) -> tuple[WorkQueue, FakeClock]:
    clock = FakeClock()
    breakers = Breakers(threshold, 30, lambda destination, state: None)
    return WorkQueue(DestinationQueues(workers, 1000), breakers, clock, lambda: None), clock


def working(queue: WorkQueue) -> list[Taken]:
    """From now on a worker takes what the queue gives out, as soon as the queue says so."""
    got: list[Taken] = []

    def take() -> None:
        while (taken := queue.take()) is not None:
            got.append(taken)

    queue._wake_workers = take
    return got


async def test_a_queued_delivery_goes_to_the_waiting_worker() -> None:
    queue, _ = queue_of()
    assert queue.take() is None
    got = working(queue)
    assert queue.put(due("x", A))
    assert [one.job_uid for one, _ in got] == ["x"]
    assert not queue.put(due("x", A))  # the job is in memory already


async def test_an_open_breaker_drops_the_queue_and_admits_a_probe_after_its_cooldown() -> None:
    queue, clock = queue_of()
    for job in ("x", "y"):
        queue.put(due(job, A))
    taken = queue.take()
    assert taken is not None
    assert queue.answered(taken, "down")
    assert (queue.holds("x"), queue.holds("y")) == (True, False)
    queue.put(due("z", A))
    assert queue.take() is None
    got = working(queue)
    clock.advance(30)
    queue.wake_workers()
    assert [one.job_uid for one, _ in got] == ["z"]


async def test_an_answer_of_a_host_that_is_up_drops_nothing() -> None:
    queue, _ = queue_of()
    for job in ("x", "y"):
        queue.put(due(job, A))
    taken = queue.take()
    assert taken is not None
    assert not queue.answered(taken, "up")
    assert queue.holds("y")


async def test_no_more_is_sent_while_too_many_answers_wait_for_their_record() -> None:
    queue, _ = queue_of(workers=1)
    answered = []
    for n in range(UNSETTLED_PER_WORKER):
        queue.put(due(f"j{n}", f"http://h{n}.test:80"))
        taken = queue.take()
        assert taken is not None
        queue.answered(taken, "up")
        answered.append(Answered.of(taken[0]))
    queue.put(due("next", B))
    assert queue.take() is None
    got = working(queue)
    queue.release(answered[0])
    assert not got
    queue.done()
    assert [one.job_uid for one, _ in got] == ["next"]


async def test_a_read_that_is_older_than_a_record_is_known() -> None:
    queue, _ = queue_of()
    queue.put(due("x", A))
    taken = queue.take()
    assert taken is not None
    queue.answered(taken, "up")
    queue.begin_read()
    assert not queue.was_released("x")
    queue.release(Answered.of(taken[0]))
    assert (queue.holds("x"), queue.was_released("x")) == (False, True)
    queue.begin_read()
    assert not queue.was_released("x")


async def test_a_stopped_queue_hands_out_no_delivery_and_waits_for_requests() -> None:
    queue, clock = queue_of()
    queue.put(due("x", A))
    taken = queue.take()
    assert taken is not None
    queue.stop()
    queue.put(due("y", B))
    assert queue.take() is None
    waiting = asyncio.ensure_future(queue.wait_until_settled(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.answered(taken, "up")
    queue.release(Answered.of(taken[0]))
    queue.done()
    assert await waiting
    clock.advance(5)


def test_the_architecture_page_has_the_same_diagram_of_a_deliverys_states() -> None:
    assert work_queue.__doc__ is not None
    lines = work_queue.__doc__.split("    stateDiagram-v2\n")[1].split("\n\n")[0].splitlines()
    diagram = "\n".join(line.removeprefix("    ") for line in lines)
    assert "[*] --> pending" in diagram
    assert f"```mermaid\nstateDiagram-v2\n{diagram}\n```" in PAGE.read_text()
