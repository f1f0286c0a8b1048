"""The dispatcher: every event that waits in the outbox goes to its callback, in order per job, until it is settled.

Owns the tasks that send. Knows no HTTP (`sender.py`), no SQL (the store), no rule about answers (`response_policy.py`) and counts no
tries (`retry_policy.py`). A wait is a time in the outbox, never a worker that sleeps; so a restart goes on from the table. What was
in flight or not on record yet when the process died is sent again under the same id.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jobd.clock import Clock, wait_for
from jobd.events.delivery.batching import Batching
from jobd.events.delivery.breaker import Breaker, Breakers, State, Ticket
from jobd.events.delivery.delivery_log import tell
from jobd.events.delivery.destination_queues import DestinationQueues
from jobd.events.delivery.observer import DeliveryObserver, NullObserver
from jobd.events.delivery.outbox_poller import Outbox, OutboxPoller
from jobd.events.delivery.response_policy import Answer, Decision, Delivered, Park, decide, host_after
from jobd.events.delivery.retry_policy import RetryPolicy
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.delivery.settler import Settler
from jobd.events.delivery.unrecorded import Unrecorded
from jobd.store.tables.rows import Delivery, Due, Settled, Settlement
from jobd.wire.event import batch_body

DAMAGED = "the stored event, or its callback, does not match its checksum: the disk has changed it; nothing was sent"

log = logging.getLogger(__name__)

UNSETTLED_PER_WORKER = 16
"""Answers that wait to be put on record, a worker: beyond that no more is sent until the disk has caught up. A crash repeats no
more than these.
"""


class EventSender(Protocol):
    """What sends events."""

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        """POSTs the body, an array of events where `batch`; returns what came of it."""
        ...


_Taken = tuple[Due, tuple[Breaker, Ticket]]


@dataclass(frozen=True, slots=True)
class DispatcherState:
    """Now: deliveries in memory, requests under way, breakers with failures to remember and those not closed."""

    held: int
    in_flight: int
    breakers: int
    breakers_open: int


class Dispatcher:
    """Delivers. Made within a running loop; `run` owns all its tasks."""

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
        self._sender = sender
        self._settings = settings
        self._clock = clock
        self._observer = observer or NullObserver()
        self._retry_policy = RetryPolicy(settings, spread)
        self._settler = Settler(outbox, clock, settings.record_after_s)
        self._queues = DestinationQueues(settings.workers, settings.buffer_size)
        self._breakers = Breakers(
            settings.breaker_threshold, settings.breaker_cooldown_s, self._breaker_changed
        )
        self._poller = OutboxPoller(
            outbox, self._queues, self._breakers, settings, clock, self._observer, self._hand_out
        )
        self._free: list[asyncio.Future[_Taken]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._unsettled = 0
        self._most_unsettled = UNSETTLED_PER_WORKER * settings.workers
        self._batching = Batching(outbox, clock)
        self._draining = False

    def notify(self, job_uid: str) -> None:
        """Call after a commit with events of this job. Cheap, never waits; losing a call costs at most half a minute."""
        self._poller.notify(job_uid)

    async def replay(self, delivery_id: int) -> Delivery | None:
        """Sends one delivery again, whatever became of it. None where there is none."""
        replayed = await self._outbox.replay(delivery_id, self._clock.now())
        if replayed is not None:
            self.notify(replayed.job_uid)
        return replayed

    async def replay_all(self, job_uid: str) -> int:
        """Sends all deliveries of a job again that were given up; returns how many."""
        count = await self._outbox.replay_all(job_uid, self._clock.now())
        if count:
            self.notify(job_uid)
        return count

    def state(self) -> DispatcherState:
        """How much is under way now, for metrics."""
        return DispatcherState(
            held=self._queues.size,
            in_flight=self._queues.in_flight,
            breakers=self._breakers.size,
            breakers_open=self._breakers.open_count(self._clock.monotonic()),
        )

    async def run(self) -> None:
        """Delivers until cancelled.

        Raises:
            ExceptionGroup: of StoreErrors, when the store is closed or damaged.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poller.run(), name="dispatcher-loader")
            group.create_task(self._settler.run(), name="dispatcher-settler")
            for number in range(self._settings.workers):
                group.create_task(self._work(), name=f"dispatcher-{number}")

    async def drain(self, timeout_s: float) -> bool:
        """Sends nothing new and waits for what is under way to be put on record. False where `timeout_s` was too short.

        What is left waits on disk. Cancel `run` afterwards.
        """
        self._draining = True
        self._settler.hurry()
        return await wait_for(self._idle, self._clock, timeout_s)

    async def _work(self) -> None:
        while True:
            taken = self._take()
            self._hand_out()
            if taken is None:
                future: asyncio.Future[_Taken] = asyncio.get_running_loop().create_future()
                self._free.append(future)
                taken = await future
            await self._deliver(*taken)

    def _hand_out(self) -> None:
        """Call when something may go that could not go before: gives it to workers that have nothing to do."""
        while self._free and (taken := self._take()) is not None:
            self._free.pop().set_result(taken)

    def _take(self) -> _Taken | None:
        if self._draining or self._unsettled >= self._most_unsettled:
            return None
        now = self._clock.monotonic()
        due = self._queues.pick(lambda destination: self._breakers.admits(destination, now))
        if due is None:
            return None
        self._unsettled += 1
        self._idle.clear()
        return due, self._breakers.take(due.destination, now)

    async def _deliver(self, due: Due, taken: tuple[Breaker, Ticket]) -> None:
        if due.body is not None and not due.batch:
            await self._exchange(due, taken, [due])
            return
        async with self._batching.reading(due) as run:
            await self._exchange(due, taken, run)

    async def _exchange(self, due: Due, taken: tuple[Breaker, Ticket], run: list[Due]) -> None:
        run = _whole(run)
        answer = await self._send(run) if run else None
        if answer is None:
            self._breakers.record(due.destination, taken, "unknown", self._clock.monotonic())
            self._queues.answered(due, proven=False)
            kept = Unrecorded.of(due)
            self._settler.add((), lambda _: self._ended(kept, None, None))
            return
        if len(run) > 1 and self._refuses_batch(answer):
            # Nothing is parked because of its neighbours: each of these goes alone, beginning now.
            self._batching.refused(run)
            run = run[:1]
            answer = await self._send(run)
        host = host_after(answer)
        now = self._clock.now()
        self._breakers.record(due.destination, taken, host, self._clock.monotonic())
        self._queues.answered(due, proven=host == "up")
        decision = decide(answer, now, self._settings.max_retry_after_s)
        self._keep(due, run, answer, decision, now)

    def _keep(self, due: Due, run: list[Due], answer: Answer, decision: Decision, now: datetime) -> None:
        """Has it put on record. The job's next one may go at once where it is in memory: what the receiver has taken need not
        be on disk for that. A crash in between repeats both, in their order. What waits for the record holds no `Due`: its
        body would stay in memory for as long as the disk refuses.
        """
        kept = Unrecorded.of(due)
        goes_on = isinstance(decision, Delivered) and not due.batch
        if (
            goes_on
            and self._breakers.admits(due.destination, self._clock.monotonic())
            and self._queues.follow(due)
        ):
            settlement = self._retry_policy.settlement(due, answer, decision, now, follow=False)
            self._settler.add(
                (settlement,), lambda _: self._recorded(kept, settlement), urgent=self._draining
            )
            return
        ahead = self._poller.ahead_of(due.destination)
        settlements = [
            self._retry_policy.settlement(one, answer, decision, now, follow=one is run[-1], ahead=ahead)
            for one in run
        ]
        created = [one.created_at for one in run]

        def recorded(settled: list[Settled]) -> None:
            tell(self._observer, kept, created, answer, settlements, settled)
            following = next((one.following for one in settled if one.following is not None), None)
            self._ended(kept, following, settlements[0].next_attempt_at)

        # The job waits for it; that matters where its host has nothing else to do meanwhile, or where it went wrong.
        idle = self._draining or self._queues.is_idle(due.destination)
        waited_for = idle or settlements[0].outcome != "delivered"
        self._settler.add(settlements, recorded, urgent=waited_for)

    def _recorded(self, kept: Unrecorded, settlement: Settlement) -> None:
        """On record, while the job goes on."""
        self._observer.delivered(max(0.0, (settlement.at - kept.created_at).total_seconds()))
        if self._queues.recorded(kept):
            self._poller.settled(kept, None, self._clock.now())
        self._done()

    def _ended(self, kept: Unrecorded, following: Due | None, next_attempt_at: datetime | None) -> None:
        """On record, and the job not held any more."""
        self._queues.settled(kept)
        self._poller.settled(kept, following, next_attempt_at)
        self._done()

    def _done(self) -> None:
        held_up = self._unsettled >= self._most_unsettled
        self._unsettled -= 1
        if not self._unsettled:
            self._idle.set()
        if held_up:
            self._hand_out()

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
        except Exception as error:  # a mistake here must not end the other deliveries
            log.exception("sending failed unexpectedly", extra={"action": "deliver", "job_id": first.job_id})
            answer = Answer("invalid", text=f"internal error: {type(error).__name__}")
        self._observer.requested(self._clock.monotonic() - began)
        return answer

    def _refuses_batch(self, answer: Answer) -> bool:
        decision = decide(answer, self._clock.now(), self._settings.max_retry_after_s)
        return isinstance(decision, Park) and answer.kind == "answer"

    def _breaker_changed(self, destination: str, state: State) -> None:
        log.info("breaker changed", extra={"action": "breaker", "lane": destination, "state": state})
        self._observer.breaker_changed(destination, state)
        if state == "open":
            self._queues.forget(destination)
            self._poller.forgotten(destination)


def _whole(run: list[Due]) -> list[Due]:
    """The beginning of a run that can be sent together: up to an event that is damaged, or that one alone. Pure."""
    count = next((n for n, due in enumerate(run) if not due.body), len(run))
    return run[: max(1, count)]
