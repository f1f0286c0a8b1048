"""The dispatcher: every event that waits in the outbox goes to its callback, in order per job, until it is settled.

Owns the tasks that send and the counting of tries and rounds. Knows no HTTP (`sender.py`), no SQL (the store) and no
rule about answers (`verdict.py`). A wait is a time in the outbox, never a worker that sleeps; so a restart goes on from
the table. What was in flight when the process died is sent again under the same id.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from jobd.clock import Clock
from jobd.events.backoff import FullJitter
from jobd.events.breaker import Breaker, Breakers, State, Ticket
from jobd.events.lanes import Lanes
from jobd.events.loader import STORE_PAUSE_S, Loader, Outbox
from jobd.events.observer import DeliveryObserver, NullObserver
from jobd.events.settings import DispatcherSettings
from jobd.events.verdict import Abandon, Answer, Delivered, Park, Verdict, host_after, judge
from jobd.events.waiting import wait_for
from jobd.store.errors import StoreClosed, StoreFailed
from jobd.store.rows import Delivery, Due, Settled, Settlement

log = logging.getLogger(__name__)

UNSETTLED_PER_WORKER = 4
"""Answers that wait to be put on record, a worker: beyond that no more is sent until the disk has caught up."""


class EventSender(Protocol):
    """What sends one event."""

    async def send(self, url: str, key: str | None, event_id: str, body: bytes) -> Answer:
        """POSTs the body; returns what came of it."""
        ...


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
        self._spread = spread
        self._backoff = FullJitter(
            settings.max_retries, settings.initial_backoff_s, settings.max_backoff_s, spread
        )
        self._lanes = Lanes(settings.workers, settings.buffer_size)
        self._breakers = Breakers(
            settings.breaker_threshold, settings.breaker_cooldown_s, self._breaker_changed
        )
        self._loader = Loader(
            outbox, self._lanes, self._breakers, settings, clock, self._observer, self._wake_up
        )
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._unsettled = 0
        self._draining = False

    def notify(self, job_uid: str) -> None:
        """Call after a commit with events of this job. Cheap, never waits; losing a call costs at most half a minute."""
        self._loader.notify(job_uid)

    async def replay(self, delivery_id: int) -> Delivery | None:
        """Sends one delivery again, whatever became of it. None where there is none."""
        replayed = await self._outbox.replay(delivery_id, self._clock.now())
        if replayed is not None:
            self.notify(replayed.job_uid)
        return replayed

    def state(self) -> DispatcherState:
        """How much is under way now, for metrics."""
        return DispatcherState(
            held=self._lanes.size,
            in_flight=self._lanes.in_flight,
            breakers=self._breakers.size,
            breakers_open=self._breakers.open_count(self._clock.monotonic()),
        )

    async def run(self) -> None:
        """Delivers until cancelled.

        Raises:
            ExceptionGroup: of StoreErrors, when the store is closed or damaged.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loader.run(), name="dispatcher-loader")
            while True:
                self._wake.clear()
                while (due := self._next()) is not None:
                    taken = self._breakers.take(due.lane, self._clock.monotonic())
                    self._unsettled += 1
                    self._idle.clear()
                    group.create_task(self._deliver(due, taken))
                await self._wake.wait()

    async def drain(self, timeout_s: float) -> bool:
        """Sends nothing new and waits for what is under way to be put on record. False where `timeout_s` was too short.

        What is left waits on disk. Cancel `run` afterwards.
        """
        self._draining = True
        return await wait_for(self._idle, self._clock, timeout_s)

    def _wake_up(self) -> None:
        self._wake.set()

    def _next(self) -> Due | None:
        if self._draining or self._unsettled >= UNSETTLED_PER_WORKER * self._settings.workers:
            return None
        now = self._clock.monotonic()
        return self._lanes.pick(lambda lane: self._breakers.admits(lane, now))

    async def _deliver(self, due: Due, taken: tuple[Breaker, Ticket]) -> None:
        try:
            answer = await self._send(due)
            if answer is None:
                self._breakers.record(due.lane, taken, "unknown", self._clock.monotonic())
                self._lanes.answered(due, proven=False)
                settled, settlement = Settled(None), None
            else:
                host = host_after(answer)
                self._breakers.record(due.lane, taken, host, self._clock.monotonic())
                self._lanes.answered(due, proven=host == "up")
                self._wake.set()
                verdict = judge(answer, self._clock.now(), self._settings.max_retry_after_s)
                settlement = self._settlement(due, answer, verdict)
                settled = await self._settle(settlement)
                self._report(due, answer, settlement, settled)
            self._lanes.settled(due)
            self._loader.settled(due, settled.following, settlement.next_attempt_at if settlement else None)
        finally:
            self._unsettled -= 1
            if not self._unsettled:
                self._idle.set()
            self._wake.set()

    async def _send(self, due: Due) -> Answer | None:
        """Sends one; None where it is not in the store any more."""
        began = self._clock.monotonic()
        try:
            body = due.body if due.body is not None else await self._body(due.id)
            if body is None:
                return None
            answer = await self._sender.send(due.url, due.key, due.event_id, body)
        except Exception as error:  # a mistake here must not end the other deliveries
            if isinstance(error, StoreClosed):
                raise
            log.exception("sending failed unexpectedly", extra={"action": "deliver", "job_id": due.job_id})
            answer = Answer("invalid", text=f"internal error: {type(error).__name__}")
        self._observer.requested(self._clock.monotonic() - began)
        return answer

    async def _body(self, delivery_id: int) -> bytes | None:
        while True:
            try:
                return await self._outbox.delivery_body(delivery_id)
            except StoreClosed:
                raise
            except StoreFailed as error:
                log.warning("cannot read an event", extra={"action": "deliver", "error": str(error)})
            await self._clock.sleep(STORE_PAUSE_S)

    async def _settle(self, settlement: Settlement) -> Settled:
        """Puts it on record, as often as it takes: a full disk must not turn one delivery into many."""
        while True:
            try:
                return await self._outbox.settle(settlement)
            except StoreClosed:
                raise
            except StoreFailed as error:
                log.warning(
                    "cannot put a delivery on record", extra={"action": "settle", "error": str(error)}
                )
            await self._clock.sleep(STORE_PAUSE_S)

    def _settlement(self, due: Due, answer: Answer, verdict: Verdict) -> Settlement:
        now, status = self._clock.now(), answer.status
        sent = answer.kind not in ("refused", "invalid")
        if isinstance(verdict, Delivered):
            return Settlement(due.id, "delivered", now, status=status)
        if isinstance(verdict, Abandon):
            return Settlement(due.id, "abandon", now, status=status, error=verdict.reason)
        if isinstance(verdict, Park):
            return Settlement(due.id, "park", now, status=status, error=verdict.reason, sent=sent)
        asked_s = verdict.after_s or 0.0
        if due.tries < self._settings.max_retries:
            again = now + timedelta(seconds=max(asked_s, self._backoff.get_timeout(due.tries)))
            return Settlement(due.id, "retry", now, again, status, verdict.reason)
        if due.requeues < self._settings.max_requeues:
            pause_s = self._settings.breaker_cooldown_s * (1 + self._spread() / 4)
            again = now + timedelta(seconds=max(asked_s, pause_s))
            return Settlement(due.id, "requeue", now, again, status, verdict.reason)
        reason = f"gave up after {due.requeues + 1} rounds: {verdict.reason}"
        return Settlement(due.id, "park", now, status=status, error=reason)

    def _report(self, due: Due, answer: Answer, settlement: Settlement, settled: Settled) -> None:
        if settlement.outcome == "delivered":
            self._observer.delivered(max(0.0, (settlement.at - due.created_at).total_seconds()))
            return
        self._observer.failed(f"{answer.status // 100}xx" if answer.status else answer.kind)
        if settlement.outcome == "retry":
            self._observer.retried()
            return
        fields = {"action": settlement.outcome, "job_id": due.job_id, "delivery_id": due.id, "lane": due.lane}
        log.warning("an event was not delivered", extra={**fields, "error": settlement.error})
        if settlement.outcome == "requeue":
            self._observer.requeued()
        elif settlement.outcome == "park":
            self._observer.dropped("parked", 1)
        else:
            self._observer.dropped("abandoned", max(1, settled.abandoned))

    def _breaker_changed(self, lane: str, state: State) -> None:
        log.info("breaker changed", extra={"action": "breaker", "lane": lane, "state": state})
        self._observer.breaker_changed(lane, state)
        if state == "open":
            self._lanes.forget(lane)
            self._loader.look_at(lane, self._clock.now())
