"""The workers: each sends one delivery at a time, and takes the next one with the answer.

Owns the requests under way. A worker is a number in the queue's count, not a task: over an open connection the answer to one request
starts the next one in the same turn of the event loop. A delivery has a task while it waits for anything else: for its long body, for
the room of a batch, for a new connection.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from jobd.clock import Clock
from jobd.events.delivery.batching import Batching
from jobd.events.delivery.observer import DeliveryObserver
from jobd.events.delivery.policies.response_policy import Answer, refuses_batch
from jobd.events.delivery.queues.work_queue import Taken, WorkQueue
from jobd.store.tables.delivery_rows import Due
from jobd.wire.event import batch_body

log = logging.getLogger(__name__)

DAMAGED = "the stored event, or its callback, does not match its checksum: the disk has changed its bytes; nothing was sent"

OnAnswer = Callable[[Taken, list[Due], Answer | None], None]
"""Gets the deliveries of one request and its answer; no answer if the store no longer has the delivery."""


class EventSender(Protocol):
    """Sends events."""

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        """POSTs the body, an array of events if `batch`; returns the result."""
        ...

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        """POSTs one event if a connection is open, and calls `answered` later, once. False if nothing was sent."""
        ...


class Workers:
    """Sends what the queue gives out. `answered` gets each answer, and must be quick."""

    def __init__(
        self,
        queue: WorkQueue,
        batching: Batching,
        sender: EventSender,
        clock: Clock,
        observer: DeliveryObserver,
        answered: OnAnswer,
    ) -> None:
        self._queue = queue
        self._batching = batching
        self._sender = sender
        self._clock = clock
        self._observer = observer
        self._answered = answered
        self._tasks: asyncio.TaskGroup | None = None
        self._end: asyncio.Future[None] | None = None
        self._starting = False

    async def run(self) -> None:
        """Sends until cancelled; answers that come later are ignored.

        Raises:
            ExceptionGroup: `answered` has raised an error.
        """
        self._end = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as self._tasks:
            self.start()
            await self._end  # a cancel of this task cancels the future at once

    def start(self) -> None:
        """Starts the requests that may be sent now. Never waits; an unneeded call does no harm."""
        if self._starting or self._tasks is None or self._end is None or self._end.done():
            return
        self._starting = True
        try:
            while (taken := self._queue.take()) is not None:
                if not self._sent_over_open_connection(taken):
                    self._tasks.create_task(self._deliver(taken), name=f"delivery-{taken[0].id}")
        finally:
            self._starting = False

    def _sent_over_open_connection(self, taken: Taken) -> bool:
        due = taken[0]
        if not due.body or due.batch:
            return False
        answered = partial(self._on_answer, taken, self._clock.monotonic())
        try:
            return self._sender.try_send(due.url, due.key, due.event_id, due.body, answered)
        except Exception:
            return False  # a defect: the task meets the same one, and its delivery is parked

    def _on_answer(self, taken: Taken, began: float, answer: Answer) -> None:
        if self._end is None or self._end.done():
            return
        try:
            self._observer.requested(self._clock.monotonic() - began)
            self._answered(taken, [taken[0]], answer)
            self.start()
        except Exception as error:
            # A connection has made this call and can do nothing with an error; `run` raises it.
            self._end.set_exception(error)

    async def _deliver(self, taken: Taken) -> None:
        due = taken[0]
        if due.body is not None and not due.batch:
            await self._exchange(taken, [due])
        else:
            async with self._batching.reading(due) as run:
                await self._exchange(taken, run)
        self.start()

    async def _exchange(self, taken: Taken, run: list[Due]) -> None:
        answer = await self._send(run) if run else None
        if answer is not None and len(run) > 1 and refuses_batch(answer):
            # A bad event must not park the others of its batch: jobd sends each event alone from now on.
            self._batching.refused(run)
            run = run[:1]
            answer = await self._send(run)
        self._answered(taken, run, answer)

    async def _send(self, run: list[Due]) -> Answer:
        first, began = run[0], self._clock.monotonic()
        try:
            if not first.body:
                answer = Answer("invalid", text=DAMAGED)
            elif len(run) > 1:
                body = batch_body([one.body or b"" for one in run])
                answer = await self._sender.send(first.url, first.key, first.event_id, body, batch=True)
            else:
                answer = await self._sender.send(first.url, first.key, first.event_id, first.body or b"")
        except Exception as error:  # a defect must not end the other deliveries
            log.exception("sending failed unexpectedly", extra={"action": "deliver", "job_id": first.job_id})
            answer = Answer("invalid", text=f"internal error: {type(error).__name__}")
        self._observer.requested(self._clock.monotonic() - began)
        return answer
