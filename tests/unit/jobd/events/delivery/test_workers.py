"""The workers: which requests need a task, and what a defect does."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from jobd.events.delivery.batching import Batching
from jobd.events.delivery.observer import NullObserver
from jobd.events.delivery.policies.breaker import Breakers
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.queues.destination_queues import DestinationQueues
from jobd.events.delivery.queues.work_queue import Taken, WorkQueue
from jobd.events.delivery.workers import Workers
from jobd.store.tables.delivery_rows import Due
from tests.support.fakes.clock import FakeClock
from tests.unit.jobd.events.delivery.queues.test_destination_queues import due

OK = Answer("answer", 204)


class Sender:
    """Keeps what it is given; `connected` says whether a connection is open."""

    def __init__(self) -> None:
        self.connected = True
        self.waiting: list[Callable[[Answer], None]] = []
        self.by_task: list[str] = []

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        self.by_task.append(event_id)
        return OK

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        if self.connected:
            self.waiting.append(answered)
        return self.connected


class Bench:
    """Workers whose answers a test sees."""

    def __init__(self, workers: int = 10) -> None:
        clock = FakeClock()
        self.sender = Sender()
        self.answered: list[str] = []
        self.error: Exception | None = None
        breakers = Breakers(5, 30, lambda destination, state: None)
        self.queue = WorkQueue(
            DestinationQueues(workers, 1000), breakers, clock, lambda: self.workers.start()
        )
        stored: Any = None
        self.workers = Workers(
            self.queue, Batching(stored, clock), self.sender, clock, NullObserver(), self._answered
        )

    def _answered(self, taken: Taken, run: list[Due], answer: Answer | None) -> None:
        if self.error is not None:
            raise self.error
        self.queue.answered(taken, "up")
        self.answered.append(taken[0].job_uid)


async def test_an_answer_over_an_open_connection_starts_the_next_request_at_once() -> None:
    bench = Bench(workers=1)
    running = asyncio.ensure_future(bench.workers.run())
    await asyncio.sleep(0)
    for job in ("x", "y"):
        bench.queue.put(due(job, "host"))
    assert len(bench.sender.waiting) == 1
    bench.sender.waiting.pop()(OK)
    assert (bench.answered, len(bench.sender.waiting)) == (["x"], 1), "in the same turn of the event loop"
    assert not bench.sender.by_task
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    bench.sender.waiting.pop()(OK)
    assert bench.answered == ["x"], "an answer after the end changes nothing"


async def test_a_delivery_without_an_open_connection_has_a_task() -> None:
    bench = Bench()
    bench.sender.connected = False
    running = asyncio.ensure_future(bench.workers.run())
    await asyncio.sleep(0)
    bench.queue.put(due("x", "a"))
    damaged = replace(due("y", "b"), body=b"")
    bench.queue.put(damaged)
    while len(bench.answered) < 2:
        await asyncio.sleep(0)
    assert len(bench.sender.by_task) == 1, "a damaged event is not sent"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_nothing_is_sent_before_the_start_or_after_the_end() -> None:
    bench = Bench()
    bench.queue.put(due("x", "a"))
    assert not bench.sender.waiting
    running = asyncio.ensure_future(bench.workers.run())
    await asyncio.sleep(0)
    assert len(bench.sender.waiting) == 1
    bench.sender.connected = False
    running.cancel()
    bench.queue.put(due("y", "b"))  # while the workers end
    with pytest.raises(asyncio.CancelledError):
        await running
    bench.queue.put(due("z", "c"))
    assert not bench.sender.by_task


async def test_a_defect_in_the_handling_of_an_answer_ends_the_workers() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.workers.run())
    await asyncio.sleep(0)
    bench.queue.put(due("x", "a"))
    bench.error = RuntimeError("defect")
    bench.sender.waiting.pop()(OK)
    with pytest.raises(ExceptionGroup) as raised:
        await running
    assert raised.value.exceptions == (bench.error,)
