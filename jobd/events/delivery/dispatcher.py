"""The dispatcher: sends every pending event of the outbox to its job's callback, in order per job, until the event is settled.

Owns the tasks and a delivery's path through these modules:

    queues/outbox_poller.py      reads what is due from the store
    queues/work_queue.py         holds the delivery in its destination's queue and gives it to a worker
    policies/breaker.py          says which hosts are called
    workers.py                   sends it: batching.py reads its bytes, http/sender.py makes the POST
    policies/response_policy.py  decides what the answer means
    policies/retry_policy.py     decides whether and when the delivery is retried
    settler.py                   stores the settlement; delivery_log.py logs and counts it
    queues/outbox_poller.py      reads the job's next delivery, or the same one when it is due again

Knows no HTTP, no SQL and no rule about answers. A wait is a time in the outbox, never a sleeping worker: a restart continues from
the table, and sends deliveries that were in flight or not stored yet again under the same id.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jobd.clock import Clock
from jobd.events.delivery.answered import Answered
from jobd.events.delivery.batching import Batching, StoredBodies
from jobd.events.delivery.delivery_log import DeliveryLog
from jobd.events.delivery.observer import DeliveryObserver, NullObserver
from jobd.events.delivery.policies.breaker import Breakers, Host
from jobd.events.delivery.policies.response_policy import Answer, Decision, Delivered, decide, host_after
from jobd.events.delivery.policies.retry_policy import settlement
from jobd.events.delivery.queues.destination_queues import DestinationQueues
from jobd.events.delivery.queues.expiry import ExpiringOutbox, Expiry
from jobd.events.delivery.queues.outbox_poller import OutboxPoller, PolledOutbox
from jobd.events.delivery.queues.poll_schedule import PollSchedule
from jobd.events.delivery.queues.work_queue import Taken, WorkQueue
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.delivery.settler import SettlementStore, Settler
from jobd.events.delivery.workers import EventSender, Workers
from jobd.store.tables.delivery_rows import Delivery, Due, Settled


class Outbox(PolledOutbox, StoredBodies, SettlementStore, ExpiringOutbox, Protocol):
    """The store, for deliveries."""

    def observed_ms(self) -> int:
        """The observed time in milliseconds, by which deliveries are due."""
        ...

    async def replay(self, delivery_id: int, at: datetime) -> Delivery | None:
        """Makes a delivery pending and due again."""
        ...

    async def replay_all(self, uid: str, at: datetime) -> int:
        """Makes all parked and abandoned deliveries of a job pending."""
        ...


@dataclass(frozen=True, slots=True)
class DispatcherState:
    """Current numbers: deliveries in memory, requests under way, breakers, and breakers not closed."""

    held: int
    in_flight: int
    breakers: int
    breakers_open: int


class Dispatcher:
    """Delivers events. Created within a running loop; `run` owns all tasks."""

    def __init__(
        self,
        outbox: Outbox,
        sender: EventSender,
        settings: DispatcherSettings,
        clock: Clock,
        observer: DeliveryObserver | None = None,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._clock = clock
        self._spread = spread
        self._observer = observer or NullObserver()
        self._delivery_log = DeliveryLog(self._observer)
        self._breakers = Breakers(
            settings.breaker_threshold, settings.breaker_cooldown_s, self._delivery_log.breaker_changed
        )
        queues = DestinationQueues(settings.workers, settings.buffer_size)
        self._queue = WorkQueue(queues, self._breakers, clock, lambda: self._workers.start())
        expiry = Expiry(outbox, self._queue, clock, self._delivery_log, settings.max_age_s)
        schedule = PollSchedule(outbox.observed_ms)
        self._poller = OutboxPoller(outbox, self._queue, self._breakers, expiry, schedule, clock)
        batching = self._batching = Batching(outbox, clock)
        self._workers = Workers(self._queue, batching, sender, clock, self._observer, self._answered)
        self._settler = Settler(outbox, clock, settings.record_after_s, self._queue.most_unsettled)

    def notify(self, job_uid: str) -> None:
        """Call after a commit with events of this job. Cheap, never waits; a lost call delays events by half a minute at most."""
        self._poller.notify(job_uid)

    async def replay(self, delivery_id: int) -> Delivery | None:
        """Sends one delivery again, whatever its state. None if it does not exist."""
        replayed = await self._outbox.replay(delivery_id, self._clock.now())
        if replayed is not None:
            self.notify(replayed.job_uid)
        return replayed

    async def replay_all(self, job_uid: str) -> int:
        """Sends all parked and abandoned deliveries of a job again; returns their number."""
        count = await self._outbox.replay_all(job_uid, self._clock.now())
        if count:
            self.notify(job_uid)
        return count

    def state(self) -> DispatcherState:
        """The current numbers, for metrics."""
        return DispatcherState(
            held=self._queue.size,
            in_flight=self._queue.in_flight,
            breakers=self._breakers.size,
            breakers_open=self._breakers.open_count(self._clock.monotonic()),
        )

    async def run(self) -> None:
        """Delivers until cancelled.

        Raises:
            ExceptionGroup: of StoreErrors, when the store is closed or damaged.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poller.run(), name="outbox-poller")
            group.create_task(self._write_settlements(), name="settler")
            group.create_task(self._workers.run(), name="workers")

    async def drain(self, timeout_s: float) -> bool:
        """Sends nothing new and waits until the answers of requests under way are stored. False after `timeout_s`. Other deliveries
        stay in the store; cancel `run` afterwards.
        """
        self._queue.stop()
        self._settler.hurry()
        return await self._queue.wait_until_settled(timeout_s)

    def _answered(self, taken: Taken, run: list[Due], answer: Answer | None) -> None:
        """A worker's request has ended; no answer if the store no longer has the delivery."""
        due, now = taken[0], self._clock.now()
        host: Host = "unknown" if answer is None else host_after(answer)
        if self._queue.answered(taken, host):
            self._poller.forgotten(due.destination)
        if answer is None:
            self._settler.add(Answered.of(due))
        else:
            self._settle(due, run, answer, decide(answer, now, self._settings.max_retry_after_s), now)

    def _settle(self, due: Due, run: list[Due], answer: Answer, decision: Decision, now: datetime) -> None:
        """Gives the settlements to the settler. If the job's next delivery is in memory, it is queued at once, before the store has the
        accepted delivery. A crash in between repeats both, in order.
        """
        decided = (answer, decision, now, self._outbox.observed_ms(), self._settings, self._spread)
        if isinstance(decision, Delivered) and not due.batch and self._queue.follow(due):
            settlements = [settlement(due, *decided, follow=False)]
            answered = Answered.of(due, answer, run, settlements, job_continues=True)
            self._settler.add(answered, urgent=self._queue.is_draining)
            return
        ahead, last = self._poller.ahead_of(due.destination), run[-1]
        settlements = [settlement(one, *decided, follow=one is last, ahead=ahead) for one in run]
        # The job waits for the commit: urgent if its host has nothing else to receive meanwhile, or after a failure.
        waited_for = self._queue.is_draining or self._queue.is_idle(due.destination)
        urgent = waited_for or settlements[0].outcome != "delivered"
        self._settler.add(Answered.of(due, answer, run, settlements), urgent=urgent)

    async def _write_settlements(self) -> None:
        while True:
            await self._write_group()

    async def _write_group(self) -> None:
        """A separate method: the store's result must not stay in memory until the next group."""
        for answered, settled in await self._settler.write_group():
            self._delivery_log.settled(answered, settled)
            self._settled(answered, settled)
            self._queue.done()

    def _settled(self, answered: Answered, settled: list[Settled]) -> None:
        """The settlements are stored: the job continues from memory, or from the store."""
        if answered.job_continues:
            if self._queue.recorded(answered):
                self._poller.released(answered, None, self._outbox.observed_ms())
            return
        following = next((one.following for one in settled if one.following is not None), None)
        next_ms = answered.settlements[0].next_ms if answered.settlements else None
        self._queue.release(answered)
        self._poller.released(answered, following, next_ms)
